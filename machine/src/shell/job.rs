//! The children of a shell: those it waits for, and those it does not.

use super::{Flow, Shell};
use crate::{
    Errno, Signal,
    kernel::{Pid, Status, Waiting},
};

/// How many jobs that have ended are remembered.
const REMEMBERED: usize = 64;

/// A command that nobody waits for.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// Its number.
    pub(super) number: usize,
    /// Its process.
    pub(super) pid: Pid,
    /// How it is written.
    pub(super) text: String,
    /// How it ended, if it has.
    pub(super) ended: Option<Status>,
}

impl Job {
    /// What `jobs` prints of it.
    pub(super) fn line(&self, mark: char, text: bool) -> String {
        let state = match self.ended {
            None => "Running".to_owned(),
            Some(Status::Exited(0)) => "Done".to_owned(),
            Some(Status::Exited(code)) => format!("Done({code})"),
            Some(Status::Killed(signal)) => signal.words(),
        };
        let text = if text { self.text.as_str() } else { "" };
        format!("[{}]{mark}  {state:<27}{text}\n", self.number)
    }
}

/// The children of a shell that nobody waits for.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    /// `$!`
    pub(super) last: Option<Pid>,
    list: Vec<Job>,
}

impl Jobs {
    /// Adds a job.
    pub(super) fn add(&mut self, pid: Pid, text: String) {
        let ended = self.list.iter().filter(|job| job.ended.is_some()).count();
        if ended > REMEMBERED
            && let Some(oldest) = self.list.iter().position(|job| job.ended.is_some())
        {
            self.list.remove(oldest);
        }
        let number = self.list.iter().map(|job| job.number).max().unwrap_or(0) + 1;
        self.list.push(Job { number, pid, text, ended: None });
    }

    /// A child has ended.
    pub(super) fn note(&mut self, pid: Pid, status: Status) {
        if let Some(job) = self.list.iter_mut().find(|job| job.pid == pid && job.ended.is_none()) {
            job.ended = Some(status);
        }
    }

    /// What a subshell has of them: they are not its children.
    pub(super) fn inherited(&self) -> Self {
        Self { last: self.last, list: Vec::new() }
    }

    /// All jobs with the mark of each: the current `+`, the one before `-`.
    pub(super) fn all(&self) -> Vec<(char, Job)> {
        let count = self.list.len();
        let mark = |at| match count - at {
            1 => '+',
            2 => '-',
            _ => ' ',
        };
        self.list.iter().enumerate().map(|(at, job)| (mark(at), job.clone())).collect()
    }

    /// The job that `%1`, `%%`, `%+`, `%-`, `%text` or a pid names.
    pub(super) fn find(&self, name: &str) -> Option<&Job> {
        let Some(name) = name.strip_prefix('%') else {
            let pid: Pid = name.parse().ok()?;
            return self.list.iter().find(|job| job.pid == pid);
        };
        match name {
            "" | "%" | "+" => self.list.last(),
            "-" => self.list.iter().rev().nth(1),
            _ => match name.parse::<usize>() {
                Ok(number) => self.list.iter().find(|job| job.number == number),
                Err(_) => self.list.iter().find(|job| job.text.starts_with(name)),
            },
        }
    }

    /// Forgets a job.
    pub(super) fn remove(&mut self, pid: Pid) {
        self.list.retain(|job| job.pid != pid);
    }

    /// Takes out those that have ended.
    pub(super) fn take_ended(&mut self) -> Vec<(char, Job)> {
        let ended = self.all().into_iter().filter(|(_, job)| job.ended.is_some()).collect();
        self.list.retain(|job| job.ended.is_none());
        ended
    }
}

impl Shell {
    /// Waits for children that a person would see, and answers their codes. Of those that a signal ended it says so.
    pub(super) async fn foreground(&mut self, pids: &[Pid]) -> Vec<i32> {
        let terminal = self.terminal.filter(|_| self.options.monitor);
        if let (Some(fd), Some(first)) = (terminal, pids.first()) {
            let _ = self.ctx.set_foreground(fd, *first);
        }
        let statuses = self.statuses(pids).await;
        if let Some(fd) = terminal {
            let _ = self.ctx.set_foreground(fd, self.ctx.pgid());
        }
        for status in &statuses {
            self.tell(*status).await;
        }
        statuses.into_iter().map(Status::code).collect()
    }

    /// Says by which signal a child was ended.
    pub(super) async fn tell(&self, status: Status) {
        match status {
            Status::Killed(Signal::INT) if self.options.interactive => self.ctx.err("\n").await,
            Status::Exited(_) | Status::Killed(Signal::INT | Signal::PIPE) => {}
            Status::Killed(signal) => self.ctx.err(format!("{}\n", signal.words())).await,
        }
    }

    /// Waits for children and answers their codes.
    pub(super) async fn wait_for(&mut self, pids: &[Pid]) -> Vec<i32> {
        self.statuses(pids).await.into_iter().map(Status::code).collect()
    }

    /// Waits for children, whatever signals come.
    async fn statuses(&mut self, pids: &[Pid]) -> Vec<Status> {
        let mut found: Vec<Option<Status>> = vec![None; pids.len()];
        while found.contains(&None) {
            match self.ctx.wait(Waiting::Any).await {
                Ok((pid, status)) => match pids.iter().position(|known| *known == pid) {
                    Some(at) => found[at] = Some(status),
                    None => self.jobs.note(pid, status),
                },
                Err(Errno::EINTR) => self.collect(),
                Err(_) => break,
            }
        }
        found.into_iter().map(|status| status.unwrap_or(Status::Exited(127))).collect()
    }

    /// Sees which children have ended.
    pub(super) fn reap(&mut self) {
        while let Ok(Some((pid, status))) = self.ctx.try_wait(Waiting::Any) {
            self.jobs.note(pid, status);
        }
    }

    /// A child has ended, while this one is waited for.
    async fn ended(&mut self, pid: Pid, status: Status, wanted: Option<Pid>) {
        self.jobs.note(pid, status);
        if wanted == Some(pid) {
            self.tell(status).await;
        }
    }

    /// Waits for one job, or for all; a signal that is caught ends it. Answers the code.
    pub(super) async fn wait_job(&mut self, pid: Option<Pid>) -> Result<i32, Flow> {
        loop {
            while let Ok(Some((ended, status))) = self.ctx.try_wait(Waiting::Any) {
                self.ended(ended, status, pid).await;
            }
            let waiting = |job: &Job| job.ended.is_none() && pid.is_none_or(|pid| pid == job.pid);
            if !self.jobs.list.iter().any(waiting) {
                break;
            }
            match self.ctx.wait(Waiting::Any).await {
                Ok((ended, status)) => self.ended(ended, status, pid).await,
                Err(Errno::EINTR) => {}
                Err(_) => break,
            }
            if let Some(signal) = self.signalled().await? {
                return Ok(128 + signal.number());
            }
        }
        let code = match pid {
            None => {
                self.jobs.take_ended();
                0
            }
            Some(pid) => {
                let ended = self.jobs.list.iter().find(|job| job.pid == pid).and_then(|job| job.ended);
                ended.map_or(127, Status::code)
            }
        };
        Ok(code)
    }
}
