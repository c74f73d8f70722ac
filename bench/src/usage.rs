//! What processes use of the machine: CPU time and resident memory, read from `/proc`. Where there is none, nothing is known.

use std::time::Duration;

use rustix::param::clock_ticks_per_second;

/// Reads what some processes have used up to now; [`Meter::stop`] tells what they used since.
#[derive(Debug)]
pub(crate) struct Meter {
    pids: Vec<u32>,
    server: Option<Duration>,
    resident: Option<u64>,
    own: Option<Duration>,
}

/// What was used between two moments. `None`: not known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time of the server's processes.
    pub(crate) server: Option<Duration>,
    /// The same of this process.
    pub(crate) own: Option<Duration>,
    /// Resident memory of the server's processes before, in bytes.
    pub(crate) resident_before: Option<u64>,
    /// The same afterwards.
    pub(crate) resident_after: Option<u64>,
}

impl Meter {
    /// Starts to measure these processes, and this one.
    pub(crate) fn start(pids: Vec<u32>) -> Self {
        let (server, resident) = (cpu_of(&pids), resident_of(&pids));
        Self { pids, server, resident, own: cpu(std::process::id()) }
    }

    /// What was used since the start. Unknown as soon as one of the processes has ended.
    pub(crate) fn stop(self) -> Usage {
        let since = |now: Option<Duration>, before: Option<Duration>| Some(now?.saturating_sub(before?));
        Usage {
            server: since(cpu_of(&self.pids), self.server),
            own: since(cpu(std::process::id()), self.own),
            resident_before: self.resident,
            resident_after: resident_of(&self.pids),
        }
    }
}

fn cpu_of(pids: &[u32]) -> Option<Duration> {
    if pids.is_empty() { None } else { pids.iter().map(|pid| cpu(*pid)).sum() }
}

fn resident_of(pids: &[u32]) -> Option<u64> {
    if pids.is_empty() { None } else { pids.iter().map(|pid| resident(*pid)).sum() }
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
        let usage = Meter::start(Vec::new()).stop();
        assert!(usage.server.is_none() && usage.resident_after.is_none());
    }
}
