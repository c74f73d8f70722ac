//! The process table of a namespace: who is whose child, what signals do, how processes end and are waited for.
//!
//! [`Table`] is a plain value that knows no lock and no future; [`Namespace`] locks it and does what must not be done under the lock.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use parking_lot::{Mutex, MutexGuard};

use super::{
    Disposition, Group, Pid, Status, Waiting,
    process::{Birth, Process},
    resident::{React, Reaction},
};
use crate::{DefaultAction, Errno, Signal, SignalSet};

/// The first process of a namespace, whose end is everybody's, and which signals do not end unless it wants.
pub(crate) const INIT: Pid = 1;
/// The largest number of a process; then they begin again.
const LAST: Pid = 4_194_303;

/// A process among others.
pub(crate) struct Entry {
    pub(crate) process: Arc<Process>,
    /// 0: nobody here.
    pub(crate) ppid: Pid,
    pub(crate) session: Pid,
    pub(crate) ended: Option<Status>,
    caught: SignalSet,
    ignored: SignalSet,
    /// Caught, and not yet taken.
    pending: SignalSet,
    /// Came while it was stopped.
    held: SignalSet,
    /// What it does about signals, if it is no program.
    reacts: Option<Reaction>,
}

impl Entry {
    /// Whether its children are forgotten as soon as they have ended.
    fn forgets_children(&self) -> bool {
        self.reacts.is_some() || self.ignored.contains(Signal::CHLD)
    }
}

/// The processes of a namespace.
#[derive(Default)]
pub(crate) struct Table {
    entries: BTreeMap<Pid, Box<Entry>>,
    last: Pid,
}

/// Who is dead now, to be buried once the table is unlocked.
type Dead = Vec<Arc<Process>>;

impl Table {
    pub(crate) fn get(&self, pid: Pid) -> Option<&Entry> {
        self.entries.get(&pid).map(AsRef::as_ref)
    }

    fn alive_mut(&mut self, pid: Pid) -> Option<&mut Entry> {
        self.entries.get_mut(&pid).map(AsMut::as_mut).filter(|entry| entry.ended.is_none())
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(AsRef::as_ref)
    }

    fn next(&mut self) -> Pid {
        loop {
            self.last = if self.last >= LAST { 2 } else { self.last + 1 };
            if !self.entries.contains_key(&self.last) {
                return self.last;
            }
        }
    }

    fn insert(&mut self, ppid: Pid, session: Pid, process: Arc<Process>) {
        let (caught, ignored, pending, held) = Default::default();
        self.entries
            .insert(process.pid, Box::new(Entry { process, ppid, session, ended: None, caught, ignored, pending, held, reacts: None }));
    }

    /// Forgets a process that has ended.
    fn remove(&mut self, pid: Pid) {
        if let Some(entry) = self.entries.remove(&pid) {
            entry.process.core.budget.processes.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A signal comes to a process; from outside the namespace even the first may be killed.
    fn signal(&mut self, pid: Pid, signal: Signal, outside: bool, dead: &mut Dead) {
        let Some(entry) = self.alive_mut(pid) else { return };
        let is_init = pid == INIT;
        if signal == Signal::CONT {
            let held = std::mem::take(&mut entry.held);
            entry.process.stop(false);
            self.deliver_all(pid, held, outside, dead);
        }
        let Some(entry) = self.alive_mut(pid) else { return };
        if signal.may_be_caught() {
            if entry.caught.contains(signal) {
                entry.pending.insert(signal);
                entry.process.wakers.wake();
                return;
            }
            if entry.ignored.contains(signal) {
                return;
            }
            match entry.reacts.as_ref().map(|reacts| reacts(signal)) {
                Some(React::Nothing) => return,
                Some(React::Exit(code)) => return self.end(pid, Status::Exited(code), dead),
                Some(React::Default) | None if is_init => return,
                Some(React::Default) | None => {}
            }
        } else if is_init && !outside {
            return;
        }
        match signal.default_action() {
            DefaultAction::Nothing | DefaultAction::Go => {}
            DefaultAction::Stop => entry.process.stop(true),
            DefaultAction::End if entry.process.is_stopped() && signal != Signal::KILL => {
                entry.held.insert(signal);
            }
            DefaultAction::End => self.end(pid, Status::Killed(signal), dead),
        }
    }

    fn deliver_all(&mut self, pid: Pid, mut signals: SignalSet, outside: bool, dead: &mut Dead) {
        while let Some(signal) = signals.take() {
            self.signal(pid, signal, outside, dead);
        }
    }

    /// A process ends, and with it who cannot be without it.
    fn end(&mut self, pid: Pid, status: Status, dead: &mut Dead) {
        let Some(entry) = self.alive_mut(pid) else { return };
        entry.ended = Some(status);
        entry.process.die(status);
        let (ppid, session, process) = (entry.ppid, entry.session, entry.process.clone());
        dead.push(process.clone());
        // Who leads a session takes its terminal along.
        if session == pid
            && let Some(terminal) = &process.terminal
        {
            terminal.hang_up();
            let foreground = self.members(terminal.foreground());
            foreground.into_iter().filter(|member| *member != pid).for_each(|member| self.signal(member, Signal::HUP, false, dead));
        }
        if self.get(pid).is_some_and(|entry| entry.reacts.is_some()) {
            let is_part = |entry: &&Entry| entry.ppid == pid && entry.reacts.is_some();
            let parts: Vec<Pid> = self.entries().filter(is_part).map(|entry| entry.process.pid).collect();
            parts.into_iter().for_each(|part| self.end(part, status, dead));
        }
        if process.is_main || pid == INIT {
            let goes = |entry: &Entry| pid == INIT || Arc::ptr_eq(&entry.process.core, &process.core);
            let others: Vec<Pid> =
                self.entries().filter(|entry| entry.ended.is_none() && goes(entry)).map(|entry| entry.process.pid).collect();
            others.into_iter().for_each(|other| self.end(other, Status::Killed(Signal::KILL), dead));
        }
        if process.is_main {
            process.core.end();
        }
        self.orphan(pid);
        self.tell_parent(pid, ppid, dead);
    }

    /// The children of who has ended are the first process's from now on.
    fn orphan(&mut self, pid: Pid) {
        let init = self.get(INIT).filter(|init| init.ended.is_none());
        let (heir, forgets) = init.map_or((0, true), |init| (INIT, init.forgets_children()));
        let children: Vec<Pid> = self.entries().filter(|entry| entry.ppid == pid).map(|entry| entry.process.pid).collect();
        for child in children {
            let Some(entry) = self.entries.get_mut(&child) else { continue };
            entry.ppid = heir;
            if entry.ended.is_some() && forgets {
                self.remove(child);
            }
        }
        if let Some(init) = self.get(heir) {
            init.process.wakers.wake();
        }
    }

    fn tell_parent(&mut self, pid: Pid, ppid: Pid, dead: &mut Dead) {
        let Some(parent) = self.alive_mut(ppid) else { return self.remove(pid) };
        if parent.forgets_children() {
            self.remove(pid);
        }
        self.signal(ppid, Signal::CHLD, false, dead);
        if let Some(parent) = self.get(ppid) {
            parent.process.wakers.wake();
        }
    }

    /// Who is alive in a group.
    fn members(&self, group: Pid) -> Vec<Pid> {
        let is_in = |entry: &&Entry| entry.ended.is_none() && entry.process.group.load(Ordering::Relaxed) == group;
        self.entries().filter(is_in).map(|entry| entry.process.pid).collect()
    }

    /// A child that has ended is told and forgotten.
    fn reap(&mut self, parent: Pid, which: Waiting) -> Result<Option<(Pid, Status)>, Errno> {
        let fits = |entry: &&Entry| {
            entry.ppid == parent
                && match which {
                    Waiting::Any => true,
                    Waiting::Pid(pid) => entry.process.pid == pid,
                    Waiting::Group(group) => entry.process.group.load(Ordering::Relaxed) == group,
                }
        };
        let mut found = false;
        let ended = self.entries().filter(fits).inspect(|_| found = true).find_map(|entry| Some((entry.process.pid, entry.ended?)));
        if let Some((pid, _)) = ended {
            self.remove(pid);
        }
        if found { Ok(ended) } else { Err(Errno::ECHILD) }
    }
}

/// A process namespace.
#[derive(Default)]
pub(crate) struct Namespace {
    table: Mutex<Table>,
}

impl Namespace {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock()
    }

    /// Does something with the table, and buries who died of it.
    fn with<T>(&self, act: impl FnOnce(&mut Table, &mut Dead) -> T) -> T {
        let mut dead = Vec::new();
        let done = act(&mut self.table.lock(), &mut dead);
        dead.iter().for_each(|process| process.bury());
        done
    }

    /// A new process. `parent` is 0 for one from outside, which leads a session of its own. EAGAIN: there are too many.
    pub(crate) fn add(&self, parent: Pid, group: Group, birth: Birth) -> Result<Arc<Process>, Errno> {
        let mut table = self.table.lock();
        let budget = &birth.core.budget;
        if budget.processes.load(Ordering::Relaxed) >= budget.limits.processes {
            return Err(Errno::EAGAIN);
        }
        let above = table.get(parent);
        if above.is_some_and(|above| above.ended.is_some()) || above.is_none() && parent != 0 {
            return Err(Errno::EAGAIN);
        }
        let inherited = above.map(|above| (above.session, above.process.group.load(Ordering::Relaxed), above.caught, above.ignored));
        if let Group::Join(joined) = group
            && table.members(joined).is_empty()
        {
            return Err(Errno::EPERM);
        }
        budget.processes.fetch_add(1, Ordering::Relaxed);
        let pid = table.next();
        let (session, pgid) = inherited.map_or((pid, pid), |(session, pgid, ..)| (session, pgid));
        let pgid = match group {
            Group::Same => pgid,
            Group::New => pid,
            Group::Join(joined) => joined,
        };
        let process = Process::new(pid, pgid, birth);
        table.insert(parent, session, process.clone());
        if let (Some((.., caught, ignored)), Some(entry)) = (inherited, table.alive_mut(pid)) {
            (entry.caught, entry.ignored) = (caught, ignored);
        }
        Ok(process)
    }

    pub(crate) fn end(&self, pid: Pid, status: Status) {
        self.with(|table, dead| table.end(pid, status, dead));
    }

    /// A signal from outside the namespace.
    pub(crate) fn signal_from_outside(&self, pid: Pid, signal: Signal) {
        self.with(|table, dead| table.signal(pid, signal, true, dead));
    }

    /// A signal to itself, which it brought about.
    pub(crate) fn raise(&self, pid: Pid, signal: Signal) {
        self.with(|table, dead| table.signal(pid, signal, false, dead));
    }

    /// A signal to a group, as a terminal sends it.
    pub(crate) fn signal_group(&self, group: Pid, signal: Signal) {
        self.with(|table, dead| table.members(group).into_iter().for_each(|pid| table.signal(pid, signal, false, dead)));
    }

    /// As kill(2).
    pub(crate) fn kill(&self, from: &Process, target: Pid, signal: Option<Signal>) -> Result<(), Errno> {
        let uid = from.own.lock().who.uid;
        self.with(|table, dead| {
            let targets = match target {
                -1 => table.entries().map(|entry| entry.process.pid).filter(|pid| *pid != INIT && *pid != from.pid).collect(),
                0 => table.members(from.group.load(Ordering::Relaxed)),
                pid if pid > 0 => table.get(pid).map(|entry| entry.process.pid).into_iter().collect(),
                group => table.members(group.checked_neg().ok_or(Errno::ESRCH)?),
            };
            let may = |pid: &Pid| table.get(*pid).is_some_and(|entry| uid == 0 || entry.process.own.lock().who.uid == uid);
            let allowed: Vec<Pid> = targets.iter().copied().filter(may).collect();
            if allowed.is_empty() {
                return Err(if targets.is_empty() { Errno::ESRCH } else { Errno::EPERM });
            }
            if let Some(signal) = signal {
                allowed.into_iter().for_each(|pid| table.signal(pid, signal, false, dead));
            }
            Ok(())
        })
    }

    pub(crate) fn reap(&self, parent: Pid, which: Waiting) -> Result<Option<(Pid, Status)>, Errno> {
        self.table.lock().reap(parent, which)
    }

    pub(crate) fn set_disposition(&self, pid: Pid, signal: Signal, disposition: Disposition) -> Result<Disposition, Errno> {
        if !signal.may_be_caught() {
            return Err(Errno::EINVAL);
        }
        let mut table = self.table.lock();
        let entry = table.alive_mut(pid).ok_or(Errno::ESRCH)?;
        let old = match () {
            () if entry.caught.contains(signal) => Disposition::Catch,
            () if entry.ignored.contains(signal) => Disposition::Ignore,
            () => Disposition::Default,
        };
        entry.caught.remove(signal);
        entry.ignored.remove(signal);
        match disposition {
            Disposition::Default => {}
            Disposition::Ignore => _ = entry.ignored.insert(signal),
            Disposition::Catch => _ = entry.caught.insert(signal),
        }
        if disposition != Disposition::Catch {
            entry.pending.remove(signal);
        }
        Ok(old)
    }

    /// What an exec leaves: what was caught is not any more, what was ignored stays so.
    pub(crate) fn forget_caught(&self, pid: Pid) {
        if let Some(entry) = self.table.lock().alive_mut(pid) {
            entry.caught = SignalSet::default();
            entry.pending = SignalSet::default();
        }
    }

    pub(crate) fn take_signal(&self, pid: Pid) -> Option<Signal> {
        self.table.lock().alive_mut(pid)?.pending.take()
    }

    pub(crate) fn has_signal(&self, pid: Pid) -> bool {
        self.table.lock().get(pid).is_some_and(|entry| !entry.pending.is_empty())
    }

    /// As setpgid(2), for itself or a child.
    pub(crate) fn set_group(&self, caller: Pid, pid: Pid, group: Pid) -> Result<(), Errno> {
        let pid = if pid == 0 { caller } else { pid };
        let group = if group == 0 { pid } else { group };
        let table = self.table.lock();
        let entry = table.get(pid).filter(|entry| entry.ended.is_none() && (pid == caller || entry.ppid == caller)).ok_or(Errno::ESRCH)?;
        let there = |member: &Pid| table.get(*member).is_some_and(|member| member.session == entry.session);
        if entry.session == pid || (group != pid && !table.members(group).iter().any(there)) {
            return Err(Errno::EPERM);
        }
        entry.process.group.store(group, Ordering::Relaxed);
        Ok(())
    }

    /// A process is no program from now on.
    pub(crate) fn reside(&self, pid: Pid, reacts: Reaction) {
        if let Some(entry) = self.table.lock().alive_mut(pid) {
            (entry.caught, entry.ignored, entry.pending) = Default::default();
            entry.reacts = Some(reacts);
            entry.process.wakers.wake();
        }
    }

    /// Whether a process has become a resident.
    pub(crate) fn resides(&self, pid: Pid) -> bool {
        self.table.lock().get(pid).is_some_and(|entry| entry.reacts.is_some())
    }

    /// Signals that are caught, ignored and pending, for `/proc/PID/status`.
    pub(crate) fn signal_sets(&self, pid: Pid) -> [SignalSet; 3] {
        self.table.lock().get(pid).map(|entry| [entry.pending, entry.ignored, entry.caught]).unwrap_or_default()
    }

    /// Ends all processes of a container.
    pub(crate) fn end_all(&self, core: *const super::core::Core) {
        self.with(|table, dead| {
            let theirs: Vec<Pid> =
                table.entries().filter(|entry| Arc::as_ptr(&entry.process.core) == core).map(|entry| entry.process.pid).collect();
            for pid in theirs {
                table.end(pid, Status::Killed(Signal::KILL), dead);
                table.remove(pid);
            }
        });
    }

    /// Ends all processes there are.
    pub(crate) fn end_everybody(&self) {
        self.with(|table, dead| {
            for pid in table.entries.keys().copied().collect::<Vec<_>>() {
                table.end(pid, Status::Killed(Signal::KILL), dead);
                table.remove(pid);
            }
        });
    }

    /// Ends who seems to hold most memory in a container, because that is too much, or all of its processes.
    pub(crate) fn end_largest(&self, core: *const super::core::Core, all: bool) {
        self.with(|table, dead| {
            let theirs = table.entries().filter(|entry| entry.ended.is_none() && Arc::as_ptr(&entry.process.core) == core);
            // What waits in pipes is counted with all who could let it go. Of several that hold the same the youngest goes.
            let held = |process: &Process| process.seems_to_hold() + process.descriptors.lock().in_pipes();
            let mut goes: Vec<Arc<Process>> = theirs.map(|entry| entry.process.clone()).collect();
            goes.sort_by_cached_key(|process| std::cmp::Reverse((held(process), process.pid)));
            goes.truncate(if all { usize::MAX } else { 1 });
            goes.iter().for_each(|process| process.out_of_memory.store(true, Ordering::Relaxed));
            for process in goes {
                table.end(process.pid, Status::Killed(Signal::KILL), dead);
            }
        });
    }
}
