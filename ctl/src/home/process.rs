//! Processes of their own: started so that they outlive us and our terminal's Ctrl-C, found again by pid *and* start time, so
//! that a pid the system gave to somebody else in the meantime is never signalled.

use std::{
    ffi::OsString,
    fs::File,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::error::{Result, usage};

/// How often it is looked whether a process has ended.
const POLL: Duration = Duration::from_millis(10);

/// A process, identified beyond doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// The system's number for it.
    pub(crate) pid: u32,
    /// When it was started, in whatever form the system tells; only compared.
    pub(crate) started: String,
    /// The same as a time, for humans.
    pub(crate) since: jiff::Timestamp,
}

/// A process that has just been started.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) process: Process,
    /// Our handle; only the parent can tell an ended child from a living one before it is collected.
    pub(crate) child: Child,
}

impl Process {
    /// The process that has this pid now.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, started: start_time(pid)?, since: mini_daemon::clock::now() })
    }

    /// Whether this very process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        start_time(self.pid).is_some_and(|started| started == self.started)
    }

    /// Whether it was halted, and does not go on by itself.
    pub(crate) fn is_halted(&self) -> bool {
        self.is_alive() && state(self.pid).is_some_and(|state| state.starts_with('T'))
    }

    /// Halts the process where it is.
    pub(crate) fn halt(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or_else(|| usage(format!("{} is no process id", self.pid)))?;
        match kill_process(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(usage(format!("signal process {}: {error}", self.pid))),
        }
    }

    /// Asks the process to end; does not wait. One that is halted has to go on to hear it.
    pub(crate) fn terminate(&self) -> Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        self.signal(Signal::TERM)?;
        self.signal(Signal::CONT)
    }

    /// Waits until the process has ended, and ends it by force when `patience` is over.
    pub(crate) async fn wait_or_kill(&self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        while self.is_alive() && Instant::now() < deadline {
            sleep(POLL).await;
        }
        while self.is_alive() {
            self.signal(Signal::KILL)?;
            sleep(POLL).await;
        }
        Ok(())
    }
}

/// Starts `program` in a process group of its own, with its output appended to `log`.
pub(crate) fn spawn(program: &Path, arguments: &[OsString], log: &Path) -> Result<Spawned> {
    let open = || File::options().create(true).append(true).open(log).map_err(|error| usage(format!("open {}: {error}", log.display())));
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(open()?)
        .stderr(open()?)
        .process_group(0)
        .spawn()
        .map_err(|error| usage(format!("start {}: {error}", program.display())))?;
    let process =
        Process::of(child.id()).unwrap_or_else(|| Process { pid: child.id(), started: String::new(), since: mini_daemon::clock::now() });
    Ok(Spawned { process, child })
}

/// When the process was started: the boot, and the clock ticks from there. `None` if there is no such process, or only its
/// remains, not collected by its parent.
#[cfg(target_os = "linux")]
fn start_time(pid: u32) -> Option<String> {
    let fields = fields(pid)?;
    let ticks = fields.get(19)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    (!has_ended(&fields[0], threads)).then(|| format!("{}/{ticks}", boot.trim()))
}

/// What the system says a process does, in a letter.
#[cfg(target_os = "linux")]
fn state(pid: u32) -> Option<String> {
    fields(pid)?.into_iter().next()
}

/// What the system tells of a process, from the third field on: the second is its name in parentheses, and may contain anything.
#[cfg(target_os = "linux")]
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<String> = stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect();
    (!fields.is_empty()).then_some(fields)
}

/// Whether nothing is left of a process but its remains: the first thread of one that was killed may end before the others, and until
/// the last of them has ended the process holds its ports and files.
#[cfg(target_os = "linux")]
fn has_ended(state: &str, threads: usize) -> bool {
    matches!(state, "Z" | "X") && threads <= 1
}

/// When the process was started, as `ps` tells.
#[cfg(not(target_os = "linux"))]
fn start_time(pid: u32) -> Option<String> {
    let (state, started) = told(pid)?;
    (!state.starts_with('Z')).then_some(started)
}

/// What the system says a process does, in letters.
#[cfg(not(target_os = "linux"))]
fn state(pid: u32) -> Option<String> {
    told(pid).map(|(state, _)| state)
}

#[cfg(not(target_os = "linux"))]
fn told(pid: u32) -> Option<(String, String)> {
    let output = Command::new("ps").args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let (state, started) = line.trim().split_once(' ')?;
    Some((state.to_owned(), started.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(folder: &Path, script: &str) -> Spawned {
        spawn(Path::new("/bin/sh"), &["-c".into(), script.into()], &folder.join("log")).unwrap()
    }

    #[tokio::test]
    async fn a_process_is_started_and_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let mut spawned = sleeper(folder.path(), "exec sleep 100");
        assert!(spawned.process.is_alive());
        spawned.process.terminate().unwrap();
        spawned.process.wait_or_kill(Duration::from_secs(10)).await.unwrap();
        assert!(!spawned.process.is_alive());
        spawned.child.wait().unwrap();
        assert!(spawned.process.terminate().is_ok(), "stopping what has ended is no error");
    }

    #[tokio::test]
    async fn one_that_is_halted_lives_and_can_be_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut spawned = sleeper(folder.path(), "exec sleep 100");
        let settles = |halted: bool| {
            let process = spawned.process.clone();
            async move {
                while process.is_halted() != halted {
                    tokio::task::yield_now().await;
                }
            }
        };
        assert!(!spawned.process.is_halted());
        for halted in [true, false, true] {
            if halted { spawned.process.halt() } else { spawned.process.go_on() }.unwrap();
            settles(halted).await;
        }
        assert!(spawned.process.is_alive());
        spawned.process.terminate().unwrap();
        spawned.process.wait_or_kill(Duration::from_secs(10)).await.unwrap();
        assert!(!spawned.process.is_alive());
        spawned.child.wait().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_ends_with_its_last_thread() {
        for (state, threads, want) in [("S", 1, false), ("R", 5, false), ("Z", 3, false), ("Z", 1, true), ("X", 0, true)] {
            assert_eq!(has_ended(state, threads), want, "{state} {threads}");
        }
    }

    #[tokio::test]
    async fn one_that_does_not_listen_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let mut spawned = sleeper(folder.path(), "trap '' TERM; echo ready; while :; do sleep 1; done");
        while !std::fs::read_to_string(folder.path().join("log")).unwrap().contains("ready") {
            tokio::task::yield_now().await;
        }
        spawned.process.terminate().unwrap();
        spawned.process.wait_or_kill(Duration::from_millis(50)).await.unwrap();
        assert!(!spawned.process.is_alive());
        spawned.child.wait().unwrap();
    }

    #[test]
    fn a_missing_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = spawn(Path::new("/nowhere/mini-x"), &[], &folder.path().join("log")).unwrap_err();
        assert!(error.to_string().starts_with("error: start /nowhere/mini-x: "), "{error}");
    }
}
