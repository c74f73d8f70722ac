//! What this process uses, under the names every Prometheus client gives it. Read from `/proc` when asked; where there is none,
//! nothing is told.

use std::fs;

use super::page::Page;

/// Bytes in a page of memory.
fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

/// Tells of it.
pub(crate) fn tell(page: &mut Page) {
    let Some(usage) = Usage::read() else { return };
    let mut tell = |name: &str, form: &str, help: &str, value: f64| {
        page.family(name, form, help);
        page.sample(name, &[], value);
    };
    tell("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", usage.cpu_seconds);
    if let Some(most) = limit("Max open files") {
        tell("process_max_fds", "gauge", "Maximum number of open file descriptors.", most);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The listing itself holds one open.
        tell("process_open_fds", "gauge", "Number of open file descriptors.", open.count().saturating_sub(1) as f64);
    }
    tell("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", usage.resident);
    tell("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.", usage.started);
    tell("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", usage.virtual_memory);
}

struct Usage {
    cpu_seconds: f64,
    resident: f64,
    virtual_memory: f64,
    started: f64,
}

impl Usage {
    fn read() -> Option<Self> {
        let boot = fs::read_to_string("/proc/stat").ok()?;
        let boot = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        Self::of(&fs::read_to_string("/proc/self/stat").ok()?, boot)
    }

    /// From the line `/proc/PID/stat` holds, and the moment of the boot.
    fn of(stat: &str, boot: f64) -> Option<Self> {
        // The second field is the program's name in parentheses, and may contain anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        let ticks = rustix::param::clock_ticks_per_second().max(1) as f64;
        Some(Self {
            cpu_seconds: (number(14)? + number(15)?) / ticks,
            started: boot + number(22)? / ticks,
            virtual_memory: number(23)?,
            resident: number(24)? * page_size() as f64,
        })
    }
}

/// The soft limit of that name; none where it is unlimited.
fn limit(name: &str) -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_process_is_read_whatever_its_name() {
        let stat = "12 (a ) 1 2 b) S 1 12 12 0 -1 4194560 900 0 1 0 250 50 0 0 20 0 4 0 5000 1000000 2000 0";
        let usage = Usage::of(stat, 1_000.0).unwrap();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!((usage.cpu_seconds, usage.started), (300.0 / ticks, 1_000.0 + 5_000.0 / ticks));
        assert_eq!((usage.virtual_memory, usage.resident), (1_000_000.0, 2_000.0 * page_size() as f64));
    }
}
