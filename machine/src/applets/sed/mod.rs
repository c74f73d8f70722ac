//! `sed`: edits lines as they pass.

mod parse;
mod run;

use super::hand::{Given, Input, Out, Outcome, Stop, Usage, complain, fail};
use crate::{
    Ctx,
    files::{Kind, Open},
};
use parse::Command;
use run::Editor;

const USAGE: Usage = Usage {
    syntax: "[-i[SFX]] [-nrE] [-f FILE]... [-e CMD]... [FILE]...\nor: sed [-i[SFX]] [-nrE] CMD [FILE]...",
    short: "i::rEne:f:sz",
    long: &[
        ("in-place", 'i'),
        ("regexp-extended", 'E'),
        ("quiet", 'n'),
        ("silent", 'n'),
        ("expression", 'e'),
        ("file", 'f'),
        ("separate", 's'),
        ("null-data", 'z'),
    ],
};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let (script, files) = script(&ctx, &given).await?;
    let commands = match parse::read(&script, given.has('E') || given.has('r')) {
        Ok(commands) => commands,
        Err(why) => return Err(fail(&ctx, why).await),
    };
    let quiet = given.has('n') || script.starts_with("#n\n");
    let files = if files.is_empty() { vec!["-".to_owned()] } else { files };
    if given.has('i') {
        return in_place(&ctx, &given, &commands, &files, quiet).await;
    }
    let mut editor = Editor::new(&ctx, Out::new(&ctx), quiet);
    editor.end = if given.has('z') { 0 } else { b'\n' };
    let code = editor.edit(&commands, &files).await?;
    editor.out.end(code).await
}

/// What is to be done, and to which files.
async fn script(ctx: &Ctx, given: &Given) -> Result<(String, Vec<String>), Stop> {
    let mut parts = Vec::new();
    for (option, value) in &given.options {
        match (option, value) {
            ('e', Some(text)) => parts.push(text.clone()),
            ('f', Some(file)) => {
                let mut input = match Input::open(ctx, file).await {
                    Ok(input) => input,
                    Err(errno) => return Err(fail(ctx, format!("can't open '{file}': {errno}")).await),
                };
                let mut text = Vec::new();
                while let Some(line) = input.line().await.map_err(Stop::Input)? {
                    text.extend(line);
                }
                let text = String::from_utf8_lossy(&text).into_owned();
                parts.push(text.strip_suffix('\n').unwrap_or(&text).to_owned());
            }
            _ => {}
        }
    }
    if !parts.is_empty() {
        return Ok((parts.join("\n"), given.operands.clone()));
    }
    match given.operands.split_first() {
        Some((script, files)) => Ok((script.clone(), files.to_vec())),
        None => Err(USAGE.explain(ctx).await),
    }
}

/// Each file is edited by itself, and replaced by what comes out.
async fn in_place(ctx: &Ctx, given: &Given, commands: &[Command], files: &[String], quiet: bool) -> Outcome {
    let mut code = 0;
    for file in files {
        let stat = match ctx.stat(file) {
            Ok(stat) if stat.kind == Kind::File => stat,
            Ok(_) => {
                complain(ctx, format!("{file}: not a regular file")).await;
                code = 1;
                continue;
            }
            Err(errno) => {
                complain(ctx, format!("{file}: {errno}")).await;
                code = 1;
                continue;
            }
        };
        let target = ctx.canonical(file).unwrap_or_else(|_| file.clone());
        let next = format!("{target}{:06x}", ctx.random() & 0xff_ffff);
        let fd = match ctx.open(&next, Open { create: Some(stat.mode), ..Open::NEW }).await {
            Ok(fd) => fd,
            Err(errno) => return Err(fail(ctx, format!("can't create temp file '{next}': {errno}")).await),
        };
        let mut editor = Editor::new(ctx, Out::to(ctx, fd), quiet);
        let edited = editor.edit(commands, std::slice::from_ref(file)).await;
        let flushed = match edited {
            Ok(ended) => editor.out.flush().await.map(|()| ended),
            Err(stop) => Err(stop),
        };
        let _ = ctx.close(fd);
        match flushed {
            Ok(ended) => code = code.max(ended),
            Err(stop) => {
                let _ = ctx.unlink(&next);
                return Err(stop);
            }
        }
        let _ = ctx.chown(&next, Some(stat.uid), Some(stat.gid), true);
        let _ = ctx.chmod(&next, stat.mode);
        if let Some(suffix) = given.value('i') {
            let _ = ctx.rename(&target, &format!("{target}{suffix}"));
        }
        if let Err(errno) = ctx.rename(&next, &target) {
            // A file that is mounted cannot be replaced, only written.
            let _ = ctx.unlink(&next);
            complain(ctx, format!("can't move '{next}' to '{target}': {errno}")).await;
            code = 1;
        }
    }
    Ok(code)
}
