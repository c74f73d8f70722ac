//! Calls about who a process is, and about the machine around it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    Ctx, Errno,
    files::{Credentials, Mode},
    kernel::{Limits, Pid, Program, process::Start},
};

/// Who it is, and the machine around it.
impl Ctx {
    /// Its arguments, its own name first.
    pub fn args(&self) -> &[String] {
        &self.start.args
    }

    /// The same process as a program sees it that is called with other arguments: for one that is several, such as busybox.
    #[must_use]
    pub fn with_args(&self, args: Vec<String>) -> Self {
        let start = Start { args, env: self.start.env.clone(), name: self.start.name.clone() };
        Self { process: self.process.clone(), start: Arc::new(start) }
    }

    /// The environment it was started with, in order.
    pub fn env(&self) -> &[(String, String)] {
        &self.start.env
    }

    /// A variable of that environment.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env().iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        self.process.pid
    }

    /// Its parent's number; 0: it was started from outside.
    pub fn ppid(&self) -> Pid {
        self.core().namespace.lock().get(self.pid()).map_or(0, |entry| entry.ppid)
    }

    /// Its group.
    pub fn pgid(&self) -> Pid {
        self.process.group.load(Ordering::Relaxed)
    }

    /// Its user and groups.
    pub fn credentials(&self) -> Credentials {
        self.process.own.lock().who.as_ref().clone()
    }

    /// Becomes somebody else; only user 0 may (EPERM).
    pub fn set_credentials(&self, who: Credentials) -> Result<(), Errno> {
        let mut own = self.process.own.lock();
        if own.who.uid != 0 {
            return Err(Errno::EPERM);
        }
        own.who = Arc::new(who);
        Ok(())
    }

    /// Where relative paths begin.
    pub fn cwd(&self) -> String {
        self.process.own.lock().cwd.to_string()
    }

    /// Goes to a directory.
    pub fn chdir(&self, path: &str) -> Result<(), Errno> {
        let cwd = self.asking(|asker| self.core().view.enter(asker, path))?;
        self.process.own.lock().cwd = cwd.into();
        Ok(())
    }

    /// What is taken from the mode of new files.
    pub fn umask(&self) -> Mode {
        self.process.own.lock().umask
    }

    /// Changes that; answers what it was.
    pub fn set_umask(&self, umask: Mode) -> Mode {
        std::mem::replace(&mut self.process.own.lock().umask, umask & 0o777)
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        (self.core().sandbox.machine.now)()
    }

    /// How long the machine has been up: as long as its container.
    pub fn uptime(&self) -> Duration {
        self.core().began.elapsed()
    }

    /// How long the process has computed.
    pub fn cpu(&self) -> Duration {
        self.core().budget.time(self.process.steps.load(Ordering::Relaxed))
    }

    /// Random bits.
    pub fn random(&self) -> u64 {
        self.core().sandbox.random()
    }

    /// The machine's name.
    pub fn hostname(&self) -> String {
        self.core().sandbox.hostname()
    }

    /// What its container may use.
    pub fn limits(&self) -> Limits {
        self.core().budget.limits
    }

    /// A program that executable files may name.
    pub fn program(&self, name: &str) -> Option<Program> {
        self.core().sandbox.machine.programs.get(name)
    }
}
