//! What processes use of the machine: CPU time and resident memory, read from `/proc`. Where there is none, nothing is known.

use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use serde::Serialize;

/// A process whose use of the machine counts as the server's.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// What it is called.
    pub(crate) name: String,
    /// Its id.
    pub(crate) pid: u32,
}

/// Reads what some processes have used up to now; [`Meter::stop`] tells what they used since.
#[derive(Debug)]
pub(crate) struct Meter {
    processes: Vec<(Process, Sample)>,
    own: Option<Duration>,
}

/// What one process has used at a moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    cpu: Option<Duration>,
    resident: Option<u64>,
}

/// What was used between two moments. `None`: not known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time of the server's processes.
    pub(crate) server: Option<Duration>,
    /// The same of this process.
    pub(crate) own: Option<Duration>,
    /// Resident memory of the server's processes before, in bytes.
    pub(crate) resident_before: Option<u64>,
    /// The same afterwards.
    pub(crate) resident_after: Option<u64>,
    /// Each of the server's processes alone.
    pub(crate) processes: Vec<Share>,
}

/// What one process used.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Share {
    /// What it is called.
    pub(crate) name: String,
    /// User and system time, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Resident memory at the end, in bytes.
    pub(crate) rss: u64,
}

impl Meter {
    /// Starts to measure these processes, and this one.
    pub(crate) fn start(processes: &[Process]) -> Self {
        Self {
            processes: processes.iter().map(|process| (process.clone(), Sample::of(process.pid))).collect(),
            own: cpu(std::process::id()),
        }
    }

    /// What was used since the start. Unknown as soon as one of the processes has ended.
    pub(crate) fn stop(self) -> Usage {
        let own = since(cpu(std::process::id()), self.own);
        if self.processes.is_empty() {
            return Usage { own, ..Usage::default() };
        }
        let ends: Vec<Sample> = self.processes.iter().map(|(process, _)| Sample::of(process.pid)).collect();
        let both = || self.processes.iter().zip(&ends);
        let share = |((process, start), end): (&(Process, Sample), &Sample)| {
            let name = process.name.clone();
            Some(Share { name, cpu_seconds: since(end.cpu, start.cpu)?.as_secs_f64(), rss: end.resident? })
        };
        Usage {
            server: both().map(|((_, start), end)| since(end.cpu, start.cpu)).sum(),
            own,
            resident_before: self.processes.iter().map(|(_, start)| start.resident).sum(),
            resident_after: ends.iter().map(|end| end.resident).sum(),
            processes: both().filter_map(share).collect(),
        }
    }
}

impl Sample {
    fn of(pid: u32) -> Self {
        Self { cpu: cpu(pid), resident: resident(pid) }
    }
}

fn since(now: Option<Duration>, before: Option<Duration>) -> Option<Duration> {
    Some(now?.saturating_sub(before?))
}

/// User and system time of a process since it began, of all its threads. Counted in ticks of mostly 10 ms.
pub(crate) fn cpu(pid: u32) -> Option<Duration> {
    let ticks = ticks(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    Some(Duration::from_micros(ticks * 1_000_000 / clock_ticks_per_second().max(1)))
}

/// Resident memory of a process, in bytes.
pub(crate) fn resident(pid: u32) -> Option<u64> {
    resident_in(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// What a process calls itself.
pub(crate) fn name(pid: u32) -> Option<String> {
    Some(std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned())
}

/// utime + stime, fields 14 and 15. The second field is the program's name in parentheses, and may contain anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let stat = "12 (a ) 1 2 b) S 1 12 12 0 -1 4194560 900 0 1 0 250 50 0 0 20 0 4 0 5000 1000000 2000";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("12 (a) S 1"), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(resident_in("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t    2048 kB\n"), Some(2_097_152));
        assert_eq!(resident_in("Name:\tx\n"), None);
    }

    #[test]
    fn no_process_means_nothing_known() {
        let usage = Meter::start(&[]).stop();
        assert!(usage.server.is_none() && usage.resident_after.is_none());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn each_process_has_its_share() {
        let own = Process { name: "own".to_owned(), pid: std::process::id() };
        let gone = Process { name: "gone".to_owned(), pid: u32::MAX };
        let usage = Meter::start(std::slice::from_ref(&own)).stop();
        assert_eq!(usage.resident_after, Some(usage.processes[0].rss));
        let usage = Meter::start(&[own, gone]).stop();
        assert_eq!((usage.server, usage.resident_after, usage.processes.len()), (None, None, 1));
    }
}
