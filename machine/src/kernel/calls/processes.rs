//! Calls about processes: starting, waiting for and signalling them.

use std::{
    convert::Infallible,
    future::{Future, pending, poll_fn},
    sync::{Arc, atomic::Ordering},
    task::Poll,
};

use crate::{
    Ctx, Errno, Signal,
    files::Credentials,
    kernel::{
        Disposition, Group, Pid, ProcessInfo, ProcessState, Resident, Spawn, Status, Waiting,
        descriptor::Descriptors,
        load::{Loaded, short_name},
        process::{Birth, Next, Own, Process, Start},
    },
};

/// Where programs are found if nothing is said.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Processes.
impl Ctx {
    /// The executable file of a name: itself if it has a slash, else the first in the directories of `path` that may be executed.
    /// ENOENT: there is none; EACCES: there is one that may not be executed.
    pub fn find(&self, name: &str, path: &str) -> Result<String, Errno> {
        self.charge_steps(5);
        self.asking(|asker| self.core().find(asker, name, path))
    }

    fn birth(&self, own: Own, descriptors: Descriptors) -> Birth {
        Birth { core: self.core().clone(), is_main: false, terminal: self.process.terminal.clone(), own, descriptors }
    }

    /// A child that runs a future: it has copies of the descriptors, directory, umask, dispositions (pending signals apart); its exit code is what
    /// the future returns. For subshells, and to change descriptors before [`Ctx::exec`].
    pub fn fork<F, R>(&self, group: Group, body: F) -> Result<Pid, Errno>
    where
        F: FnOnce(Ctx) -> R + Send + 'static,
        R: Future<Output = i32> + Send + 'static,
    {
        self.charge_steps(20);
        let own = self.process.own.lock().clone();
        let descriptors = self.process.descriptors.lock().clone();
        let child = self.core().namespace.add(self.pid(), group, self.birth(own, descriptors))?;
        let ctx = Ctx::new(child.clone(), self.start.clone());
        self.core().run_program(&child, Box::pin(async move { body(ctx).await }));
        Ok(child.pid)
    }

    /// Becomes the program of an executable file; returns only if it cannot. Everything the process held in its future is dropped.
    /// `file` is a path (see [`Ctx::find`]). A `#!` script is run by its interpreter; a file that is neither: ENOEXEC.
    pub async fn exec(&self, file: &str, args: Vec<String>, env: Vec<(String, String)>) -> Errno {
        self.step(20).await;
        match self.replace(file, args, env) {
            Ok(()) => pending().await,
            Err(errno) => errno,
        }
    }

    fn replace(&self, file: &str, args: Vec<String>, env: Vec<(String, String)>) -> Result<(), Errno> {
        let Loaded { program, args, name, size } = self.asking(|asker| self.core().load(asker, file, args, &env))?;
        self.core().namespace.forget_caught(self.pid());
        let closed = self.process.descriptors.lock().take_close_on_exec();
        drop(closed);
        self.core().charge_start(&self.process, size);
        let start = Arc::new(Start { args, env: Arc::new(env), name });
        self.process.own.lock().start = start.clone();
        *self.process.next.lock() = Some(Next::Program(program(Ctx::new(self.process.clone(), start))));
        Ok(())
    }

    /// A child that runs an executable file. What [`Ctx::fork`] and [`Ctx::exec`] do together, with the error of `exec` told to the parent.
    pub fn spawn(&self, what: Spawn) -> Result<Pid, Errno> {
        self.charge_steps(40);
        let env = what.env.map_or_else(|| self.start.env.clone(), Arc::new);
        let path = env.iter().rev().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, path)| path);
        let mut own = self.process.own.lock().clone();
        if let Some(cwd) = &what.cwd {
            own.cwd = self.asking(|asker| self.core().view.enter(asker, cwd))?.into();
        }
        let loaded = self.asking(|asker| {
            let asker = crate::files::view::Asker { cwd: &own.cwd, ..asker };
            let file = self.core().find(asker, &what.file, path)?;
            self.core().load(asker, &file, what.args, &env)
        })?;
        let ours = self.process.descriptors.lock().clone();
        let mut theirs = ours.clone();
        // What is moved over is closed for the child only once it is there.
        let mut closed = theirs.take_close_on_exec();
        for (to, from) in what.descriptors {
            closed.extend(theirs.set(to, ours.get(from)?.clone(), self.core().budget.limits.descriptors)?);
        }
        drop((ours, closed));
        let start = Arc::new(Start { args: loaded.args, env, name: loaded.name });
        own.start = start.clone();
        let child = self.core().namespace.add(self.pid(), what.group, self.birth(own, theirs))?;
        self.core().namespace.forget_caught(child.pid);
        self.core().charge_start(&child, loaded.size);
        self.core().run_program(&child, (loaded.program)(Ctx::new(child.clone(), start)));
        Ok(child.pid)
    }

    /// Lives on without a program: an entry in the process table that has no future, costs next to nothing, and says how it takes signals.
    /// What it serves is said before ([`Ctx::serve`]). Never returns.
    pub async fn reside(&self, resident: Resident) -> Infallible {
        self.step(10).await;
        self.become_resident(self.process.clone(), resident);
        *self.process.next.lock() = Some(Next::Resident);
        pending().await
    }

    fn become_resident(&self, process: Arc<Process>, resident: Resident) {
        {
            let mut own = process.own.lock();
            let name =
                resident.args.first().map_or_else(|| own.start.name.clone(), |name| short_name(name.split(':').next().unwrap_or(name)));
            own.start = Arc::new(Start { args: resident.args, env: own.start.env.clone(), name });
            if let Some(uid) = resident.uid {
                own.who = Arc::new(Credentials { uid, gid: uid, groups: Vec::new() });
            }
        }
        self.core().namespace.reside(process.pid, resident.reacts);
        // Who is killed for it needs no answer.
        let _ = self.core().charge(&process, resident.memory, false);
        for child in resident.children {
            let (own, descriptors) = (process.own.lock().clone(), process.descriptors.lock().clone());
            // Where there is no room for one more, there is one less.
            if let Ok(born) = self.core().namespace.add(process.pid, Group::Same, self.birth(own, descriptors)) {
                self.become_resident(born, child);
            }
        }
    }

    /// Waits until a child has ended, and forgets it. ECHILD: there is none such. EINTR: a caught signal came.
    pub async fn wait(&self, which: Waiting) -> Result<(Pid, Status), Errno> {
        self.step(1).await;
        poll_fn(|cx| {
            self.process.wakers.add(cx.waker());
            match self.try_wait(which) {
                Err(errno) => Poll::Ready(Err(errno)),
                Ok(Some(ended)) => Poll::Ready(Ok(ended)),
                Ok(None) if self.has_signal() => Poll::Ready(Err(Errno::EINTR)),
                Ok(None) => Poll::Pending,
            }
        })
        .await
    }

    /// The same without waiting: `None` if none has ended.
    pub fn try_wait(&self, which: Waiting) -> Result<Option<(Pid, Status)>, Errno> {
        self.core().namespace.reap(self.pid(), which)
    }

    /// Sends a signal as kill(2) does: to a process, to its own group (0), to all but itself and pid 1 (-1), to a group (-group). `None` only checks.
    pub fn kill(&self, target: Pid, signal: Option<Signal>) -> Result<(), Errno> {
        self.charge_steps(2);
        self.core().namespace.kill(&self.process, target, signal)
    }

    /// Puts a process, itself (0) or a child, into a group (0: its own).
    pub fn set_group(&self, pid: Pid, group: Pid) -> Result<(), Errno> {
        self.core().namespace.set_group(self.pid(), pid, group)
    }

    /// All processes it can see, by pid.
    pub fn processes(&self) -> Vec<ProcessInfo> {
        let mut all = self.core().processes();
        self.charge_steps(u32::try_from(all.len()).unwrap_or(u32::MAX));
        if let Some(own) = all.iter_mut().find(|process| process.pid == self.pid()) {
            own.state = ProcessState::Running;
        }
        all
    }

    /// Says what a signal shall do; answers what it did. EINVAL for those that cannot be caught.
    pub fn set_disposition(&self, signal: Signal, disposition: Disposition) -> Result<Disposition, Errno> {
        self.core().namespace.set_disposition(self.pid(), signal, disposition)
    }

    /// A caught signal that has come, lowest first.
    pub fn take_signal(&self) -> Option<Signal> {
        self.core().namespace.take_signal(self.pid())
    }

    fn has_signal(&self) -> bool {
        self.core().namespace.has_signal(self.pid())
    }

    /// Waits until there is one to take.
    pub async fn signalled(&self) {
        poll_fn(|cx| {
            self.process.wakers.add(cx.waker());
            if self.has_signal() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Whether it is the first of its namespace, whose signals do nothing by default.
    pub fn is_init(&self) -> bool {
        self.pid() == crate::kernel::table::INIT
    }

    /// How deep the program is in calls: see [`Ctx::deeper`].
    pub fn depth(&self) -> u32 {
        self.process.depth.load(Ordering::Relaxed)
    }
}
