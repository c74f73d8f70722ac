//! `/proc`, as much of it as programs and people look at, made when it is read.

use std::{
    fmt::Write,
    sync::{Arc, Weak, atomic::Ordering},
};

use super::{Pid, ProcessState, core::Core, ctx::ProcessInfo};
use crate::files::generated::{Generated, Made};

/// `/proc` of a container.
pub(crate) struct Proc {
    core: Weak<Core>,
}

impl Proc {
    pub(crate) fn new(core: Weak<Core>) -> Self {
        Self { core }
    }
}

const GENERAL: &[&str] = &["cmdline", "cpuinfo", "loadavg", "meminfo", "mounts", "self", "stat", "sys", "uptime", "version"];
const OF_PROCESS: &[&str] = &["cmdline", "comm", "cwd", "environ", "exe", "fd", "mounts", "stat", "status"];
/// What the machine has, as `free` and `/proc/meminfo` tell: 8 GiB.
pub const TOTAL_MEMORY: u64 = 8 << 30;
/// What `uname -r` tells.
pub const RELEASE: &str = "6.12.0-mini";

fn file(text: impl Into<Vec<u8>>) -> Made {
    Made::File(text.into())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Generated for Proc {
    fn make(&self, asker: Pid, path: &str) -> Option<Made> {
        let core = self.core.upgrade()?;
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        if let Ok(pid) = first.parse::<Pid>() {
            return core.proc_of(pid, rest);
        }
        Some(match path {
            "" => {
                Made::Directory(names(GENERAL).into_iter().chain(core.processes().iter().map(|process| process.pid.to_string())).collect())
            }
            "self" if asker > 0 => Made::Link(asker.to_string()),
            "mounts" => Made::Link("self/mounts".into()),
            "sys" => Made::Directory(names(&["kernel"])),
            "sys/kernel" => Made::Directory(names(&["hostname", "osrelease", "ostype", "pid_max"])),
            "sys/kernel/hostname" => file(format!("{}\n", core.sandbox.hostname())),
            "sys/kernel/osrelease" => file(format!("{RELEASE}\n")),
            "sys/kernel/ostype" => file("Linux\n"),
            "sys/kernel/pid_max" => file("4194304\n"),
            "cmdline" => file("\n"),
            "cpuinfo" => file("processor\t: 0\nvendor_id\t: mini\nmodel name\t: simulated\ncpu MHz\t\t: 1000.000\nbogomips\t: 2000.00\n\n"),
            "meminfo" => file(core.proc_meminfo()),
            "loadavg" => file(format!("0.00 0.00 0.00 1/{} {asker}\n", core.processes().len())),
            "uptime" => {
                let up = core.began.elapsed().as_secs_f64();
                file(format!("{up:.2} {:.2}\n", (up - core.cpu().as_secs_f64()).max(0.0)))
            }
            "stat" => file(format!("cpu  {0} 0 0 0 0 0 0 0 0 0\ncpu0 {0} 0 0 0 0 0 0 0 0 0\n", core.cpu().as_millis() / 10)),
            "version" => file(format!("Linux version {RELEASE} (mini) #1 SMP\n")),
            _ => return None,
        })
    }
}

impl Core {
    /// All processes it can see, by pid.
    pub(crate) fn processes(&self) -> Vec<ProcessInfo> {
        let table = self.namespace.lock();
        let tell = |entry: &super::table::Entry| {
            let process = &entry.process;
            let own = process.own.lock();
            ProcessInfo {
                pid: process.pid,
                ppid: entry.ppid,
                pgid: process.group.load(Ordering::Relaxed),
                session: entry.session,
                uid: own.who.uid,
                gid: own.who.gid,
                name: own.start.name.clone(),
                args: if entry.ended.is_some() { Vec::new() } else { own.start.args.clone() },
                state: match () {
                    () if entry.ended.is_some() => ProcessState::Zombie,
                    () if process.is_stopped() => ProcessState::Stopped,
                    () => ProcessState::Sleeping,
                },
                age: process.began.elapsed(),
                cpu: process.core.budget.time(process.steps.load(Ordering::Relaxed)),
                memory: if entry.ended.is_some() { 0 } else { process.seems_to_hold() },
                terminal: process.terminal.is_some(),
            }
        };
        table.entries().map(tell).collect()
    }

    fn proc_of(self: &Arc<Self>, pid: Pid, path: &str) -> Option<Made> {
        let info = self.processes().into_iter().find(|process| process.pid == pid)?;
        let process = self.namespace.lock().get(pid)?.process.clone();
        let own = process.own.lock().clone();
        Some(match path {
            "" => Made::Directory(names(OF_PROCESS)),
            "cmdline" => file(joined(&info.args)),
            "comm" => file(format!("{}\n", info.name)),
            "cwd" => Made::Link(own.cwd.to_string()),
            "environ" => file(joined(&own.start.env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())),
            "exe" => Made::Link(own.start.args.first()?.clone()),
            "fd" => Made::Directory(process.descriptors.lock().numbers().iter().map(u32::to_string).collect()),
            "mounts" => file(process.core.proc_mounts()),
            "stat" => file(stat(&info)),
            "status" => file(self.proc_status(&info)),
            _ => {
                let fd = path.strip_prefix("fd/")?.parse().ok()?;
                process.descriptors.lock().get(fd).ok()?;
                Made::Descriptor(pid, fd)
            }
        })
    }

    fn proc_status(&self, info: &ProcessInfo) -> String {
        let [pending, ignored, caught] = self.namespace.signal_sets(info.pid);
        let state = match info.state {
            ProcessState::Running => "R (running)",
            ProcessState::Sleeping => "S (sleeping)",
            ProcessState::Stopped => "T (stopped)",
            ProcessState::Zombie => "Z (zombie)",
        };
        let (uid, gid, kilobytes) = (info.uid, info.gid, info.memory >> 10);
        let mut text = format!("Name:\t{}\nState:\t{state}\nTgid:\t{}\nPid:\t{}\nPPid:\t{}\n", info.name, info.pid, info.pid, info.ppid);
        // Writing to a String does not fail.
        let _ = write!(text, "Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{gid}\t{gid}\t{gid}\t{gid}\n");
        let _ = write!(text, "VmSize:\t{kilobytes:8} kB\nVmRSS:\t{kilobytes:8} kB\nThreads:\t1\n");
        let _ = write!(text, "SigPnd:\t{:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\n", pending.bits(), ignored.bits(), caught.bits());
        text
    }

    fn proc_meminfo(&self) -> String {
        let total = TOTAL_MEMORY >> 10;
        let free = total.saturating_sub(self.memory() >> 10);
        format!(
            "MemTotal:       {total:8} kB\nMemFree:        {free:8} kB\nMemAvailable:   {free:8} kB\nBuffers:               0 kB\nCached:                0 kB\n\
             SwapTotal:             0 kB\nSwapFree:              0 kB\n"
        )
    }

    /// `/proc/mounts`.
    pub(crate) fn proc_mounts(&self) -> String {
        let word = |read_only| if read_only { "ro" } else { "rw" };
        let mut text = format!("overlay / overlay {},relatime 0 0\n", word(self.view.root_is_read_only()));
        for mount in self.view.mounts() {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{} {} {} {},relatime 0 0", mount.device, mount.path, mount.kind, word(mount.read_only));
        }
        text
    }
}

/// Words as `/proc` keeps them: each followed by a zero.
fn joined(words: &[String]) -> String {
    words.iter().flat_map(|word| [word.as_str(), "\0"]).collect()
}

/// `/proc/PID/stat`: 52 numbers, of which most mean nothing here.
fn stat(info: &ProcessInfo) -> String {
    let state = info.state.letter();
    let ticks = info.cpu.as_millis() / 10;
    let terminal = if info.terminal { 34816 } else { 0 };
    let (pid, ppid, pgid, session) = (info.pid, info.ppid, info.pgid, info.session);
    let zeros = " 0".repeat(28);
    format!(
        "{pid} ({}) {state} {ppid} {pgid} {session} {terminal} {pgid} 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 0 {} {}{zeros}\n",
        info.name,
        info.memory,
        info.memory >> 12
    )
}
