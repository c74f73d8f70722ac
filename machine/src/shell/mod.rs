//! `sh`: busybox ash, as far as scripts can tell.
//!
//! Text becomes commands in [`syntax`]; [`run`] does them, asking [`expand`] what words stand for, [`redirect`] to move descriptors, [`job`] to wait
//! for children and [`trap`] what to do about signals. A builtin is one word in [`builtin`]'s list. What costs nothing but thought (patterns,
//! arithmetic, splitting) knows nothing of processes. A subshell is a child process with a copy of the shell.

mod arith;
pub(crate) mod builtin;
mod expand;
mod fields;
mod glob;
mod interactive;
mod invoke;
mod job;
mod options;
mod pattern;
mod redirect;
mod run;
mod simple;
mod syntax;
mod trap;
mod vars;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Ctx, Errno,
    files::Open,
    kernel::{Fd, Memory, Pid, Program},
};
use job::Jobs;
use options::Options;
use syntax::Command;
use trap::Traps;
use vars::Vars;

/// The shell by its names.
pub const SHELL: &[(&str, Program)] =
    &[("sh", |ctx| Box::pin(invoke::main(ctx))), ("ash", |ctx| Box::pin(invoke::main(ctx))), ("bash", |ctx| Box::pin(invoke::main(ctx)))];

/// Why commands are not run to the end. The status says with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// `break` out of so many loops.
    Break(usize),
    /// `continue` with so many loops.
    Continue(usize),
    /// `return`
    Return,
    /// `exit`
    Exit,
    /// A redirection cannot be made, which ends only what it is for.
    Refused,
    /// `exec` without a program: the redirections stay.
    Keep,
    /// Something was wrong that ends a script, and brings a person a new prompt.
    Error,
}

/// A shell, or a part of one: all that its commands may change.
struct Shell {
    ctx: Ctx,
    /// `$0`
    name: String,
    /// `$1` and so on.
    args: Vec<String>,
    vars: Vars,
    functions: BTreeMap<String, Function>,
    options: Options,
    traps: Traps,
    jobs: Jobs,
    /// `$?`
    status: i32,
    /// `$$`
    root: Pid,
    /// The line of the command that runs.
    line: usize,
    /// Who says what is wrong: the script, or the builtin that runs.
    speaker: Option<String>,
    /// How many loops, functions and scripts are being run.
    loops: usize,
    calls: usize,
    /// How many conditions are being tried, in which `set -e` is off.
    conditions: usize,
    /// How the last command substitution of a command ended.
    substituted: Option<i32>,
    /// Where in a group of letters `getopts` is.
    letter: usize,
    /// The terminal whose foreground the jobs of an interactive shell are.
    terminal: Option<Fd>,
    /// Bytes of arguments that nobody else holds.
    held_args: usize,
    /// What is held for variables, arguments, functions.
    memory: (usize, Vec<Memory>),
}

/// A function, with about as many bytes as it takes.
#[derive(Clone)]
struct Function {
    body: Arc<Command>,
    size: usize,
}

impl Shell {
    fn new(ctx: Ctx) -> Self {
        let mut vars = Vars::default();
        for (name, value) in ctx.env() {
            if syntax::is_name(name) && vars.set(name, value.as_str()).is_ok() {
                vars.export(name, true);
            }
        }
        let privileged = ctx.credentials().uid == 0;
        let path = if privileged { "/sbin:/usr/sbin:/bin:/usr/bin" } else { "/bin:/usr/bin" };
        for (name, value) in [("PATH", path), ("PS1", "\\w \\$ "), ("PS2", "> "), ("PS4", "+ ")] {
            if vars.get(name).is_none() {
                let _ = vars.set(name, value);
            }
        }
        let fixed = [("IFS", " \t\n".to_owned()), ("OPTIND", "1".to_owned()), ("PPID", ctx.ppid().to_string()), ("PWD", ctx.cwd())];
        for (name, value) in fixed {
            let _ = vars.set(name, value);
        }
        Self {
            name: ctx.args().first().cloned().unwrap_or_else(|| "sh".to_owned()),
            root: ctx.pid(),
            ctx,
            args: Vec::new(),
            vars,
            functions: BTreeMap::new(),
            options: Options::default(),
            traps: Traps::default(),
            jobs: Jobs::default(),
            status: 0,
            line: 0,
            speaker: None,
            loops: 0,
            calls: 0,
            conditions: 0,
            substituted: None,
            letter: 0,
            terminal: None,
            held_args: 0,
            memory: (0, Vec::new()),
        }
    }

    /// The copy of this shell that a child process is, yet without its process.
    fn copy(&self, ctx: Ctx) -> Self {
        Self {
            ctx,
            name: self.name.clone(),
            args: self.args.clone(),
            vars: self.vars.clone(),
            functions: self.functions.clone(),
            options: Options { interactive: false, monitor: false, ..self.options },
            traps: self.traps.clone(),
            jobs: self.jobs.inherited(),
            status: self.status,
            root: self.root,
            line: self.line,
            speaker: self.speaker.clone(),
            loops: self.loops,
            calls: self.calls,
            conditions: self.conditions,
            substituted: None,
            letter: self.letter,
            terminal: None,
            held_args: 0,
            memory: (0, Vec::new()),
        }
    }

    /// Says what is wrong, and where.
    async fn complain(&self, message: &str) {
        let mut text = format!("{}: ", self.name);
        if let Some(speaker) = &self.speaker {
            if *speaker != self.name {
                text += &format!("{speaker}: ");
            }
            if !self.options.interactive {
                text += &format!("line {}: ", self.line);
            }
        }
        self.ctx.err(format!("{text}{message}\n")).await;
    }

    /// Says what is wrong and sets `$?`: what is being done ends.
    async fn raise(&mut self, status: i32, message: &str) -> Flow {
        self.complain(message).await;
        self.status = status;
        Flow::Error
    }

    /// Gives a variable a value.
    async fn assign(&mut self, name: &str, value: String) -> Result<(), Flow> {
        if self.vars.set(name, value).is_err() {
            return Err(self.raise(2, &format!("{name}: is read only")).await);
        }
        if self.options.allexport {
            self.vars.export(name, true);
        }
        if name == "OPTIND" {
            self.letter = 0;
        }
        self.hold()
    }

    /// Bytes of variables, arguments, functions.
    fn size(&self) -> usize {
        self.vars.size() + self.held_args + self.functions.values().map(|function| function.size).sum::<usize>()
    }

    /// Replaces the arguments for good.
    fn set_args(&mut self, args: Vec<String>) -> Result<(), Flow> {
        self.held_args = args.iter().map(|arg| arg.len() + 24).sum();
        self.args = args;
        self.hold()
    }

    /// Takes memory for what the shell holds, or gives it back.
    fn hold(&mut self) -> Result<(), Flow> {
        const ROUGHLY: usize = 16 << 10;
        let size = self.size() / ROUGHLY * ROUGHLY;
        if size != self.memory.0 {
            // First the new, so that a variable that is too large is refused while the old still counts.
            let memory = if size > 0 { vec![self.ctx.allocate(size as u64).map_err(|_| Flow::Exit)?] } else { Vec::new() };
            self.memory = (size, memory);
        }
        Ok(())
    }

    /// Takes memory for a script, if it is worth it.
    fn hold_text(&self, text: &str) -> Result<Option<Memory>, Flow> {
        if text.len() < 16 << 10 {
            return Ok(None);
        }
        self.ctx.allocate(text.len() as u64).map(Some).map_err(|_| Flow::Exit)
    }

    /// Reads all of a file.
    async fn read_file(&self, path: &str) -> Result<String, Errno> {
        let fd = self.ctx.open(path, Open::READ).await?;
        let bytes = self.ctx.read_all(fd).await;
        let _ = self.ctx.close(fd);
        Ok(String::from_utf8_lossy(&bytes?).into_owned())
    }
}
