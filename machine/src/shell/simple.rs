//! Commands with a name: builtins, functions, programs.

use std::sync::Arc;

use super::{
    Flow, Shell,
    builtin::{self, Builtin},
    run::move_to,
    syntax::{Command, Script, Simple},
};
use crate::{
    Errno, Signal,
    kernel::{Disposition, Group, Pid},
};

/// Variables given a value for a command.
type Assigned = Vec<(String, String)>;

/// What a name is, as a command.
enum Known {
    Builtin(&'static Builtin),
    Function(Arc<Command>),
    Program,
}

impl Shell {
    /// Runs a simple command.
    pub(super) async fn simple(&mut self, command: &Simple, tail: bool) -> Result<(), Flow> {
        self.line = command.line;
        self.substituted = None;
        let expanded = self.expand_words(&command.words, &command.whole).await?;
        let Some(name) = expanded.words.first() else { return self.nameless(command).await };
        let known = self.look_up(name, true);
        let special = matches!(known, Known::Builtin(builtin) if builtin.special);
        let saved = match self.redirect(&command.redirects).await {
            Ok(saved) => saved,
            Err(Flow::Refused) if !special => return Ok(()),
            Err(Flow::Refused) => return Err(Flow::Error),
            Err(flow) => return Err(flow),
        };
        let result = self.named(command, known, &expanded.words, tail).await;
        if result == Err(Flow::Keep) {
            self.keep(saved);
            return Ok(());
        }
        self.restore(saved);
        result
    }

    async fn named(&mut self, command: &Simple, known: Known, args: &[String], tail: bool) -> Result<(), Flow> {
        let mut assigned = Assigned::new();
        for (name, word) in &command.assignments {
            let value = self.expand_text(word).await?;
            if self.vars.writable(name).is_err() {
                return Err(self.raise(2, &format!("{name}: is read only")).await);
            }
            assigned.push((name.clone(), value));
        }
        self.trace(&assigned, args).await;
        match known {
            Known::Builtin(builtin) => self.builtin(builtin, assigned, args).await,
            Known::Function(body) => self.call(body, assigned, args).await,
            Known::Program => {
                let tail = tail && command.redirects.iter().all(|redirect| redirect.fd < 10);
                self.program(assigned, args, tail).await
            }
        }
    }

    /// A command of assignments and redirections only.
    async fn nameless(&mut self, command: &Simple) -> Result<(), Flow> {
        let saved = match self.redirect(&command.redirects).await {
            Ok(saved) => saved,
            Err(Flow::Refused) => return Ok(()),
            Err(flow) => return Err(flow),
        };
        self.restore(saved);
        let mut assigned = Assigned::new();
        for (name, word) in &command.assignments {
            let value = self.expand_text(word).await?;
            self.assign(name, value.clone()).await?;
            if self.options.xtrace {
                assigned.push((name.clone(), value));
            }
        }
        self.trace(&assigned, &[]).await;
        self.status = self.substituted.unwrap_or(0);
        Ok(())
    }

    /// What a name is, as a command.
    fn look_up(&self, name: &str, functions: bool) -> Known {
        let builtin = builtin::find(name);
        match (builtin, self.functions.get(name)) {
            (Some(builtin), _) if builtin.special => Known::Builtin(builtin),
            (_, Some(function)) if functions => Known::Function(function.body.clone()),
            (Some(builtin), _) => Known::Builtin(builtin),
            (None, _) => Known::Program,
        }
    }

    /// Runs a command that is no function, as `command` does.
    pub(super) async fn plain(&mut self, args: &[String]) -> Result<(), Flow> {
        let Some(name) = args.first() else { return Ok(()) };
        match self.look_up(name, false) {
            Known::Builtin(builtin) => {
                // What ends the shell in a special builtin does not through `command`.
                let usual = Builtin { special: false, ..*builtin };
                self.builtin(&usual, Assigned::new(), args).await
            }
            _ => self.program(Assigned::new(), args, false).await,
        }
    }

    async fn builtin(&mut self, builtin: &Builtin, assigned: Assigned, args: &[String]) -> Result<(), Flow> {
        if !builtin.special {
            self.vars.enter();
        }
        for (name, value) in assigned {
            if !builtin.special {
                self.vars.hide(&name);
            }
            self.assign(&name, value).await?;
        }
        let speaker = self.speaker.replace(builtin.name.to_owned());
        let result = (builtin.run)(self, args).await;
        self.speaker = speaker;
        if !builtin.special {
            self.vars.leave();
        }
        match result {
            Ok(status) => {
                self.status = status;
                Ok(())
            }
            Err(Flow::Error) if !builtin.special => Ok(()),
            Err(flow) => Err(flow),
        }
    }

    /// Calls a function.
    async fn call(&mut self, body: Arc<Command>, assigned: Assigned, args: &[String]) -> Result<(), Flow> {
        let outer = std::mem::replace(&mut self.args, args.get(1..).unwrap_or_default().to_vec());
        // Who calls holds the words.
        let held = std::mem::take(&mut self.held_args);
        let loops = std::mem::take(&mut self.loops);
        self.vars.enter();
        for (name, value) in assigned {
            self.vars.hide(&name);
            self.assign(&name, value).await?;
            self.vars.export(&name, true);
        }
        self.calls += 1;
        let ctx = self.ctx.clone();
        let result = ctx.deeper(self.command(&body, false)).await;
        self.calls -= 1;
        self.vars.leave();
        self.loops = loops;
        self.args = outer;
        self.held_args = held;
        match result {
            Ok(Err(Flow::Return)) => Ok(()),
            Ok(result) => result,
            Err(_) => Err(self.overflow().await),
        }
    }

    /// The stack has no room: what the real shell gets for it.
    pub(super) async fn overflow(&mut self) -> Flow {
        let _ = self.ctx.set_disposition(Signal::SEGV, Disposition::Default);
        let _ = self.ctx.kill(self.ctx.pid(), Some(Signal::SEGV));
        self.ctx.step(1).await;
        // As pid 1 a process cannot kill itself.
        self.traps.clear();
        self.status = 128 + Signal::SEGV.number();
        Flow::Exit
    }

    /// Runs a program, in a process of its own or in this one.
    pub(super) async fn program(&mut self, assigned: Assigned, args: &[String], tail: bool) -> Result<(), Flow> {
        let Some(name) = args.first() else { return Ok(()) };
        let path = assigned.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_str());
        let path = path.or_else(|| self.vars.get("PATH")).unwrap_or_default();
        let file = match self.ctx.find(name, path) {
            Ok(file) => file,
            Err(errno) => {
                self.status = self.not_run(name, errno).await;
                return Ok(());
            }
        };
        let mut env = self.vars.exported();
        for (name, value) in assigned {
            env.retain(|(known, _)| *known != name);
            env.push((name, value));
        }
        if self.may_become(tail) {
            self.status = self.execute(&file, args.to_vec(), env).await;
            return Err(Flow::Exit);
        }
        let args = args.to_vec();
        let group = if self.options.monitor { Group::New } else { Group::Same };
        let pid = self
            .fork(group, move |child| {
                Box::pin(async move {
                    child.status = child.execute(&file, args, env).await;
                    Err(Flow::Exit)
                })
            })
            .await?;
        self.status = self.foreground(&[pid]).await.pop().unwrap_or(0);
        Ok(())
    }

    /// Becomes a program; if it cannot, says why and answers the exit code.
    pub(super) async fn execute(&mut self, file: &str, args: Vec<String>, env: Vec<(String, String)>) -> i32 {
        let name = args.first().cloned().unwrap_or_default();
        match self.ctx.exec(file, args.clone(), env.clone()).await {
            Errno::ENOEXEC => super::invoke::interpret(self.ctx.clone(), file, &args, env).await,
            errno => self.not_run(&name, errno).await,
        }
    }

    /// Says why a program is not run; answers the exit code.
    pub(super) async fn not_run(&mut self, name: &str, errno: Errno) -> i32 {
        let (code, why) = match errno {
            Errno::ENOENT | Errno::ENOTDIR => (127, "not found".to_owned()),
            errno => (126, errno.to_string()),
        };
        self.complain(&format!("{name}: {why}")).await;
        code
    }

    /// What a command substitution brings.
    pub(super) async fn substitute(&mut self, script: Arc<str>, line: usize) -> Result<String, Flow> {
        let (read, write) = match self.ctx.pipe() {
            Ok(ends) => ends,
            Err(errno) => return Err(self.raise(2, &format!("can't create pipe: {errno}")).await),
        };
        let forked = self
            .fork(Group::Same, move |child| {
                Box::pin(async move {
                    let _ = child.ctx.close(read);
                    move_to(&child.ctx, write, 1);
                    // As in bash, and not in dash.
                    child.options.errexit = false;
                    child.script(&mut Script::new(script, line), true).await
                })
            })
            .await;
        let _ = self.ctx.close(write);
        let output = match forked {
            Ok(_) => self.ctx.read_all(read).await,
            Err(_) => Ok(Vec::new()),
        };
        let _ = self.ctx.close(read);
        let pid: Pid = forked?;
        self.substituted = self.wait_for(&[pid]).await.pop();
        let bytes = output.map_err(|_| Flow::Exit)?;
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        text.truncate(text.trim_end_matches('\n').len());
        text.retain(|c| c != '\0');
        Ok(text)
    }

    /// Shows a command that is about to be run (`set -x`).
    async fn trace(&mut self, assigned: &Assigned, args: &[String]) {
        if !self.options.xtrace {
            return;
        }
        let prefix = self.prompt_text("PS4").await;
        let assigned = assigned.iter().map(|(name, value)| format!("{name}={}", quote_if_needed(value)));
        let words: Vec<String> = assigned.chain(args.iter().map(|arg| quote_if_needed(arg))).collect();
        self.ctx.err(format!("{prefix}{}\n", words.join(" "))).await;
    }
}

/// A text in quotes, to be read again as it is.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    loop {
        let plain = rest.find('\'').unwrap_or(rest.len());
        out += &format!("'{}'", &rest[..plain]);
        rest = &rest[plain..];
        let quotes = rest.len() - rest.trim_start_matches('\'').len();
        if quotes == 0 {
            return out;
        }
        out += &format!("\"{}\"", &rest[..quotes]);
        rest = &rest[quotes..];
        if rest.is_empty() {
            return out;
        }
    }
}

/// A text in quotes, if a shell would read something else in it.
fn quote_if_needed(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:,+@]^".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { quote(text) }
}
