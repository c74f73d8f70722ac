//! A shell that a person talks to.

use super::{
    Flow, Shell,
    syntax::{Script, parse_double},
};
use crate::{Errno, Signal, kernel::Fd};

/// The longest line that can be typed.
const LONGEST: usize = 64 << 10;

/// How much may be typed before a command is complete.
const MOST: usize = 256 << 10;

/// What came of reading a line.
enum Typed {
    Line(String),
    /// ^D, or the terminal is gone.
    End,
    /// A signal came.
    Interrupted,
}

impl Shell {
    /// Asks for commands and runs them until the end of input.
    pub(super) async fn converse(&mut self) -> Result<(), Flow> {
        self.options.interactive = true;
        self.traps.interactive(&self.ctx);
        self.take_terminal().await;
        loop {
            match self.turn().await {
                Ok(true) => {}
                Ok(false) => return Err(Flow::Exit),
                Err(Flow::Exit) => return Err(Flow::Exit),
                // Back to the prompt.
                Err(_) => self.recover(),
            }
        }
    }

    /// Makes jobs groups of their own, if there is a terminal to give them.
    async fn take_terminal(&mut self) {
        let terminal = (0..3).find(|fd| self.ctx.is_terminal(*fd));
        let taken: Result<Fd, Errno> = terminal.ok_or(Errno::ENOTTY).and_then(|fd| {
            let own = self.ctx.dup(fd, 10)?;
            self.ctx.set_close_on_exec(own, true)?;
            Ok(own)
        });
        match taken {
            Ok(own) => {
                let _ = self.ctx.set_group(0, 0);
                let _ = self.ctx.set_foreground(own, self.ctx.pgid());
                self.terminal = Some(own);
                self.options.monitor = true;
            }
            Err(_) => self.complain("can't access tty; job control turned off").await,
        }
    }

    /// What a command left half done is forgotten.
    fn recover(&mut self) {
        self.loops = 0;
        self.calls = 0;
        self.conditions = 0;
        self.speaker = None;
    }

    /// Reads a command and runs it. `false`: there is none any more.
    async fn turn(&mut self) -> Result<bool, Flow> {
        let mut script = Script::new("".into(), 1);
        let mut begun = false;
        loop {
            if !begun {
                self.reap();
                for (mark, job) in self.jobs.take_ended() {
                    self.ctx.err(job.line(mark, true)).await;
                }
            }
            let prompt = self.prompt_text(if begun { "PS2" } else { "PS1" }).await;
            self.ctx.err(prompt).await;
            match self.typed().await {
                Typed::Line(line) => script.extend(&line),
                Typed::Interrupted => {
                    self.ctx.err("\n").await;
                    self.status = 128 + Signal::INT.number();
                    self.signals().await?;
                    return Ok(true);
                }
                Typed::End if begun => {
                    self.ctx.err("\n").await;
                    return match script.next() {
                        Err(error) => Err(self.syntax_error(&error).await),
                        Ok(_) => Ok(true),
                    };
                }
                Typed::End => {
                    self.ctx.err("\n").await;
                    return Ok(self.options.ignoreeof);
                }
            }
            loop {
                match script.next() {
                    Ok(Some(complete)) => self.list(&complete.list, false).await?,
                    Ok(None) => return Ok(true),
                    Err(error) if error.more && script.rest().len() < MOST => break,
                    Err(error) => return Err(self.syntax_error(&error).await),
                }
            }
            begun = true;
        }
    }

    async fn typed(&mut self) -> Typed {
        self.collect();
        tokio::select! {
            biased;
            line = self.ctx.read_line(0, LONGEST) => match line {
                Ok(line) if !line.is_empty() => Typed::Line(String::from_utf8_lossy(&line).into_owned()),
                Err(Errno::EINTR) => Typed::Interrupted,
                _ => Typed::End,
            },
            () = self.ctx.signalled() => Typed::Interrupted,
        }
    }

    /// A prompt, expanded.
    pub(super) async fn prompt_text(&mut self, name: &str) -> String {
        let raw = self.vars.get(name).unwrap_or_default().to_owned();
        let (status, xtrace) = (self.status, std::mem::take(&mut self.options.xtrace));
        // A backslash is for later, also before a `$`.
        let text = match parse_double(&raw.replace('\\', "\\\\")) {
            Ok(word) if raw.contains(['$', '`']) => Box::pin(self.expand_text(&word)).await.unwrap_or_default(),
            _ => raw,
        };
        self.status = status;
        self.options.xtrace = xtrace;
        if name == "PS4" { text } else { self.prompt_escapes(&text) }
    }

    /// What `\w` and the like in a prompt are.
    fn prompt_escapes(&self, text: &str) -> String {
        let here = self.vars.get("PWD").map_or_else(|| self.ctx.cwd(), str::to_owned);
        let home = self.vars.get("HOME").filter(|home| !home.is_empty() && *home != "/");
        let short = match home.and_then(|home| here.strip_prefix(home)) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
            _ => here.clone(),
        };
        let mut out = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('w') => out += &short,
                Some('W') => out += short.rsplit('/').next().filter(|last| !last.is_empty()).unwrap_or("/"),
                Some('h') => out += self.ctx.hostname().split('.').next().unwrap_or_default(),
                Some('H') => out += &self.ctx.hostname(),
                Some('u') => out += self.vars.get("USER").unwrap_or("root"),
                Some('$') => out.push(if self.ctx.credentials().uid == 0 { '#' } else { '$' }),
                Some('n') => out.push('\n'),
                Some('e') => out.push('\x1b'),
                Some('[' | ']') => {}
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            }
        }
        out
    }
}
