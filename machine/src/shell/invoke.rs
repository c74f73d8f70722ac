//! How the shell is called.

use super::{Flow, Shell, syntax::Script};
use crate::{Ctx, Errno};

/// How much of a script is read at once from a descriptor that is no terminal.
const CHUNK: usize = 1024;

/// How long a command may be that comes from a descriptor.
const LONGEST: usize = 256 << 10;

/// What is to be run.
enum What {
    /// `-c text`
    Text(String),
    /// A file.
    File(String),
    /// What the standard input says.
    Input,
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> i32 {
    let args = ctx.args().get(1..).unwrap_or_default().to_vec();
    let mut shell = Shell::new(ctx);
    let login = shell.name.starts_with('-');
    let what = match read_args(&mut shell, &args) {
        Ok((what, also_login)) => {
            if login || also_login {
                shell.profile("/etc/profile").await;
                let home = shell.vars.get("HOME").unwrap_or_default().to_owned();
                shell.profile(&format!("{home}/.profile")).await;
            }
            what
        }
        Err(message) => {
            shell.complain(&message).await;
            return 2;
        }
    };
    run(shell, what).await
}

/// Runs a file that is executable and nothing else: a script without `#!`.
pub(super) async fn interpret(ctx: Ctx, file: &str, args: &[String], env: Vec<(String, String)>) -> i32 {
    let mut shell = Shell::new(ctx);
    for (name, value) in env {
        if shell.vars.set(&name, value).is_ok() {
            shell.vars.export(&name, true);
        }
    }
    shell.args = args.get(1..).unwrap_or_default().to_vec();
    Box::pin(run(shell, What::File(file.to_owned()))).await
}

/// Reads the arguments of a shell: options into it; answers what to run, and whether as the first shell of a person.
fn read_args(shell: &mut Shell, args: &[String]) -> Result<(What, bool), String> {
    let mut rest = args;
    let mut login = false;
    while let Some((arg, after)) = rest.split_first() {
        let on = arg.starts_with('-');
        if !(on || arg.starts_with('+')) {
            break;
        }
        rest = after;
        if arg == "-" || arg == "--" {
            break;
        }
        for letter in arg[1..].chars() {
            match letter {
                'o' => {
                    let Some((name, after)) = rest.split_first() else { continue };
                    if !shell.options.set(name, on) {
                        return Err(format!("illegal option {}o {name}", &arg[..1]));
                    }
                    rest = after;
                }
                'l' => login = true,
                _ if shell.options.set(letter.encode_utf8(&mut [0; 4]), on) => {}
                _ => return Err(format!("illegal option {}{letter}", &arg[..1])),
            }
        }
    }
    let mut operands = rest.iter().cloned();
    let what = if shell.options.command {
        let text = operands.next().ok_or("-c requires an argument")?;
        if let Some(name) = operands.next() {
            shell.name = name;
        }
        What::Text(text)
    } else if shell.options.stdin {
        What::Input
    } else if let Some(file) = operands.next() {
        What::File(file)
    } else {
        shell.options.stdin = true;
        What::Input
    };
    shell.args = operands.collect();
    Ok((what, login))
}

async fn run(mut shell: Shell, what: What) -> i32 {
    if shell.hold().is_err() {
        return 2;
    }
    let result = match what {
        What::Text(text) => {
            let mut script = Script::new(text.into(), 0);
            shell.script(&mut script, true).await
        }
        What::File(file) => match shell.read_file(&file).await {
            Ok(text) => match shell.hold_text(&text) {
                Ok(_held) => {
                    shell.name.clone_from(&file);
                    shell.speaker = Some(file);
                    shell.script(&mut Script::new(text.into(), 1), false).await
                }
                Err(flow) => Err(flow),
            },
            Err(errno) => {
                let errno = if errno == Errno::ENOTDIR { Errno::ENOENT } else { errno };
                Err(shell.raise(2, &format!("can't open '{file}': {errno}")).await)
            }
        },
        What::Input if shell.options.interactive || (shell.ctx.is_terminal(0) && shell.ctx.is_terminal(2)) => shell.converse().await,
        What::Input => shell.input().await,
    };
    shell.finish(result).await
}

impl Shell {
    /// Runs what the standard input says.
    async fn input(&mut self) -> Result<(), Flow> {
        let mut script = Script::new("".into(), 1);
        let mut bytes = Vec::new();
        loop {
            // The end of what has been read may be the middle of a word or of a command.
            let mut ahead = script.clone();
            self.ctx.step(u32::try_from(script.rest().len() / 64).unwrap_or(u32::MAX)).await;
            match ahead.next() {
                Ok(Some(complete)) if !complete.last => {
                    script = ahead;
                    self.list(&complete.list, false).await?;
                }
                Err(error) if !error.more || script.rest().len() > LONGEST => return Err(self.syntax_error(&error).await),
                _ => {
                    // What is long is not read again for every little that comes.
                    let most = CHUNK.max(script.rest().len() / 2);
                    let more = self.ctx.read(0, most).await.unwrap_or_default();
                    if more.is_empty() {
                        return self.script(&mut script, false).await;
                    }
                    bytes.extend(more);
                    script.extend(&text_of(&mut bytes));
                }
            }
        }
    }

    /// Runs a file, if it is there, before anything else.
    async fn profile(&mut self, path: &str) {
        if let Ok(text) = self.read_file(path).await {
            let _ = self.script(&mut Script::new(text.into(), 1), false).await;
        }
    }
}

/// Takes the text that bytes are, but for the beginning of a character at the end.
fn text_of(bytes: &mut Vec<u8>) -> String {
    let end = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    let rest = bytes.split_off(end);
    let text = String::from_utf8_lossy(bytes).into_owned();
    *bytes = rest;
    text
}
