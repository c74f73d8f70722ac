//! Commands that hold others.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{
    Flow, Function, Shell,
    syntax::{Chain, Command, Compound, Item, Pipeline, Script, Syntax, Word},
};
use crate::{
    Ctx, Signal,
    files::Open,
    kernel::{Group, on_enough_stack},
};

impl Shell {
    /// Runs a script to its end. `tail`: nothing comes after it in this process.
    pub(super) fn script<'a>(&'a mut self, script: &'a mut Script, tail: bool) -> BoxFuture<'a, Result<(), Flow>> {
        Box::pin(async move {
            loop {
                let before = script.rest().len();
                match script.next() {
                    Ok(None) => return Ok(()),
                    Ok(Some(complete)) => {
                        self.ctx.step(u32::try_from((before - script.rest().len()) / 64).unwrap_or(u32::MAX)).await;
                        self.list(&complete.list, tail && complete.last).await?;
                    }
                    Err(error) => return Err(self.syntax_error(&error).await),
                }
            }
        })
    }

    /// Says what is wrong with a script.
    pub(super) async fn syntax_error(&mut self, error: &Syntax) -> Flow {
        self.line = error.line;
        self.raise(2, &format!("syntax error: {}", error.message)).await
    }

    /// Runs commands one after the other.
    pub(super) async fn list(&mut self, list: &[Item], tail: bool) -> Result<(), Flow> {
        for (at, item) in list.iter().enumerate() {
            self.ctx.step(1).await;
            self.signals().await?;
            if self.options.noexec && !self.options.interactive {
                continue;
            }
            if item.background {
                self.background(item).await?;
            } else {
                self.chain(&item.chain, tail && at + 1 == list.len()).await?;
            }
        }
        self.signals().await
    }

    /// Starts a command that nobody waits for.
    async fn background(&mut self, item: &Item) -> Result<(), Flow> {
        let chain = item.chain.clone();
        let monitored = self.options.monitor;
        let group = if monitored { Group::New } else { Group::Same };
        let pid = self
            .fork(group, move |child| {
                Box::pin(async move {
                    if !monitored {
                        child.traps.ignore_for_good(&child.ctx, &[Signal::INT, Signal::QUIT]);
                        let _ = child.ctx.close(0);
                        let _ = child.ctx.open("/dev/null", Open::READ).await;
                    }
                    child.chain(&chain, true).await
                })
            })
            .await?;
        self.jobs.add(pid, if monitored { item.text.clone() } else { String::new() });
        self.jobs.last = Some(pid);
        self.status = 0;
        Ok(())
    }

    /// Runs pipelines joined by `&&` and `||`.
    pub(super) fn chain<'a>(&'a mut self, chain: &'a Chain, tail: bool) -> BoxFuture<'a, Result<(), Flow>> {
        Box::pin(async move {
            let last = chain.rest.len();
            self.pipeline(&chain.first, tail && last == 0, last > 0).await?;
            for (at, (after_success, pipeline)) in chain.rest.iter().enumerate() {
                if *after_success == (self.status == 0) {
                    let is_last = at + 1 == last;
                    self.pipeline(pipeline, tail && is_last, !is_last).await?;
                }
            }
            Ok(())
        })
    }

    /// Runs a pipeline. `condition`: its failure decides something, and so ends nothing.
    async fn pipeline(&mut self, pipeline: &Pipeline, tail: bool, condition: bool) -> Result<(), Flow> {
        let condition = condition || pipeline.not;
        self.conditions += usize::from(condition);
        let result = match pipeline.stages.as_slice() {
            [only] => self.command(only, tail && !pipeline.not).await,
            stages => self.stages(stages).await,
        };
        self.conditions -= usize::from(condition);
        result?;
        if pipeline.not {
            self.status = i32::from(self.status == 0);
        }
        // What is inside a compound command has ended the shell already if it should.
        let inside = match pipeline.stages.as_slice() {
            [only] => matches!(&**only, Command::Compound(compound, _) if !matches!(compound, Compound::Subshell(_))),
            _ => false,
        };
        if self.status != 0 && self.options.errexit && self.conditions == 0 && !condition && !inside {
            return Err(Flow::Exit);
        }
        Ok(())
    }

    /// Runs commands joined by `|`, each in a process.
    async fn stages(&mut self, stages: &[Arc<Command>]) -> Result<(), Flow> {
        let mut pids = Vec::new();
        let mut input = None;
        let mut group = if self.options.monitor { Group::New } else { Group::Same };
        for (at, stage) in stages.iter().enumerate() {
            let pipe = if at + 1 < stages.len() {
                match self.ctx.pipe() {
                    Ok(pipe) => Some(pipe),
                    Err(errno) => return Err(self.raise(2, &format!("can't create pipe: {errno}")).await),
                }
            } else {
                None
            };
            let stage = stage.clone();
            let forked = self
                .fork(group, move |child| {
                    Box::pin(async move {
                        if let Some(input) = input {
                            move_to(&child.ctx, input, 0);
                        }
                        if let Some((read, write)) = pipe {
                            let _ = child.ctx.close(read);
                            move_to(&child.ctx, write, 1);
                        }
                        child.command(&stage, true).await
                    })
                })
                .await;
            if let Some(input) = input.take() {
                let _ = self.ctx.close(input);
            }
            if let Some((read, write)) = pipe {
                let _ = self.ctx.close(write);
                input = Some(read);
            }
            let pid = match forked {
                Ok(pid) => pid,
                Err(flow) => {
                    let _ = input.map(|input| self.ctx.close(input));
                    return Err(flow);
                }
            };
            if group == Group::New {
                group = Group::Join(pid);
            }
            pids.push(pid);
        }
        let codes = self.foreground(&pids).await;
        let failed = codes.iter().rev().find(|code| **code != 0);
        let last = codes.last().copied().unwrap_or(0);
        self.status = if self.options.pipefail { failed.copied().unwrap_or(0) } else { last };
        Ok(())
    }

    /// Runs a command. `tail`: nothing comes after it in this process.
    pub(super) fn command<'a>(&'a mut self, command: &'a Arc<Command>, tail: bool) -> BoxFuture<'a, Result<(), Flow>> {
        on_enough_stack(Box::pin(async move {
            match &**command {
                Command::Simple(simple) => self.simple(simple, tail).await,
                Command::Function(name, body, size) => {
                    self.functions.insert(name.clone(), Function { body: body.clone(), size: *size });
                    self.status = 0;
                    self.hold()
                }
                Command::Compound(compound, redirects) if redirects.is_empty() => self.nested(compound, tail).await,
                Command::Compound(compound, redirects) => {
                    let saved = match self.redirect(redirects).await {
                        Ok(saved) => saved,
                        Err(Flow::Refused) => return Ok(()),
                        Err(flow) => return Err(flow),
                    };
                    let result = self.nested(compound, false).await;
                    self.restore(saved);
                    result
                }
            }
        }))
    }

    /// Runs what holds other commands, with the memory and the stack that nesting takes.
    async fn nested(&mut self, compound: &Compound, tail: bool) -> Result<(), Flow> {
        let ctx = self.ctx.clone();
        let inner: BoxFuture<'_, _> = Box::pin(self.compound(compound, tail));
        // Around each there are those of its list and of its command, about as large.
        let _held = ctx.allocate(3 * size_of_val(&*inner) as u64).map_err(|_| Flow::Exit)?;
        on_enough_stack(inner).await
    }

    async fn compound(&mut self, compound: &Compound, tail: bool) -> Result<(), Flow> {
        match compound {
            Compound::Group(list) => self.list(list, tail).await,
            Compound::Subshell(list) if self.may_become(tail) => {
                self.become_child();
                self.list(list, true).await?;
                Err(Flow::Exit)
            }
            Compound::Subshell(list) => {
                let list = list.clone();
                let group = if self.options.monitor { Group::New } else { Group::Same };
                let pid = self.fork(group, move |child| Box::pin(async move { child.list(&list, true).await })).await?;
                self.status = self.foreground(&[pid]).await.pop().unwrap_or(0);
                Ok(())
            }
            Compound::If(arms, otherwise) => {
                for (condition, then) in arms {
                    if self.condition(condition).await? {
                        return self.list(then, tail).await;
                    }
                }
                self.status = 0;
                match otherwise {
                    Some(otherwise) => self.list(otherwise, tail).await,
                    None => Ok(()),
                }
            }
            Compound::Loop(until, condition, body) => self.while_loop(*until, condition, body).await,
            Compound::For(name, words, body) => self.for_loop(name, words.as_deref(), body).await,
            Compound::Case(word, arms) => {
                let text = self.expand_text(word).await?;
                for (patterns, list) in arms {
                    for pattern in patterns {
                        let pattern = self.expand_pattern(pattern).await?;
                        self.ctx.step(1).await;
                        if pattern.matches(&text, &mut 5_000_000) == Ok(true) {
                            self.status = 0;
                            return self.list(list, tail).await;
                        }
                    }
                }
                self.status = 0;
                Ok(())
            }
        }
    }

    /// Whether commands that decide something succeed.
    async fn condition(&mut self, list: &[Item]) -> Result<bool, Flow> {
        self.conditions += 1;
        let result = self.list(list, false).await;
        self.conditions -= 1;
        result?;
        Ok(self.status == 0)
    }

    async fn while_loop(&mut self, until: bool, condition: &[Item], body: &[Item]) -> Result<(), Flow> {
        let mut status = 0;
        self.loops += 1;
        let result = loop {
            self.ctx.step(1).await;
            let turn = match self.condition(condition).await {
                Ok(met) if met == until => break Ok(()),
                Ok(_) => self.list(body, false).await,
                Err(flow) => Err(flow),
            };
            status = self.status;
            match turn {
                Ok(()) | Err(Flow::Continue(1)) => {}
                Err(Flow::Break(1)) => break Ok(()),
                Err(flow) => break Err(outer(flow)),
            }
        };
        self.loops -= 1;
        if result.is_ok() {
            self.status = status;
        }
        result
    }

    async fn for_loop(&mut self, name: &str, words: Option<&[Word]>, body: &[Item]) -> Result<(), Flow> {
        let expanded;
        let args;
        let values = match words {
            Some(words) => {
                expanded = self.expand_words(words, &[]).await?;
                &expanded.words
            }
            None => {
                args = self.args.clone();
                &args
            }
        };
        self.status = 0;
        self.loops += 1;
        let mut result = Ok(());
        for value in values {
            self.ctx.step(1).await;
            let turn = match self.assign(name, value.clone()).await {
                Ok(()) => self.list(body, false).await,
                Err(flow) => Err(flow),
            };
            match turn {
                Ok(()) | Err(Flow::Continue(1)) => {}
                Err(Flow::Break(1)) => break,
                Err(flow) => {
                    result = Err(outer(flow));
                    break;
                }
            }
        }
        self.loops -= 1;
        result
    }

    /// Whether this process may become the last thing it does.
    pub(super) fn may_become(&self, tail: bool) -> bool {
        tail && !self.options.interactive && self.traps.is_empty()
    }

    /// Starts a child process that is a copy of this shell.
    pub(super) async fn fork<F>(&mut self, group: Group, body: F) -> Result<i32, Flow>
    where
        F: for<'a> FnOnce(&'a mut Shell) -> BoxFuture<'a, Result<(), Flow>> + Send + 'static,
    {
        // The copy is held before it is made.
        let size = self.size();
        let held = if size > 16 << 10 { Some(self.ctx.allocate(size as u64).map_err(|_| Flow::Exit)?) } else { None };
        let mut child = self.copy(self.ctx.clone());
        child.memory = (size, held.into_iter().collect());
        let forked = self.ctx.fork(group, move |ctx: Ctx| async move {
            child.ctx = ctx;
            child.become_child();
            let result = body(&mut child).await;
            child.finish(result).await
        });
        match forked {
            Ok(pid) => Ok(pid),
            Err(errno) => Err(self.raise(2, &format!("can't fork: {errno}")).await),
        }
    }

    /// What a subshell does not inherit is forgotten.
    fn become_child(&mut self) {
        self.traps.reset(&self.ctx);
        self.options.interactive = false;
        self.options.monitor = false;
        self.jobs = self.jobs.inherited();
    }

    /// Ends a shell: runs what is to be run at its end; answers its exit code.
    pub(super) async fn finish(&mut self, result: Result<(), Flow>) -> i32 {
        let _ = result;
        if let Some(action) = self.traps.take_exit() {
            let status = self.status;
            self.loops = 0;
            self.conditions = 0;
            let mut script = Script::new(action.into(), 0);
            let ended = self.script(&mut script, false).await;
            if ended != Err(Flow::Exit) && ended != Err(Flow::Error) {
                self.status = status;
            }
        }
        self.status
    }
}

/// What a `break` or `continue` of more than one loop is to the loop around.
fn outer(flow: Flow) -> Flow {
    match flow {
        Flow::Break(loops) => Flow::Break(loops - 1),
        Flow::Continue(loops) => Flow::Continue(loops - 1),
        other => other,
    }
}

/// Makes a descriptor another one.
pub(super) fn move_to(ctx: &Ctx, from: u32, to: u32) {
    if from != to {
        let _ = ctx.dup2(from, to);
        let _ = ctx.close(from);
    }
}
