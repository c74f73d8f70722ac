//! What names are, and what the shell may use.

use std::time::Duration;

use super::{BUILTINS, find};
use crate::shell::{Flow, Shell};

/// Words that mean something to the grammar.
const KEYWORDS: &[&str] =
    &["!", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "then", "until", "while", "{", "}"];

/// `command`
pub(super) async fn command(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (letters, operands) = shell.letters(args, "pvV", "").await?;
    let how = letters.iter().rev().map(|(letter, _)| *letter).find(|letter| *letter != 'p');
    if let Some(how) = how {
        // Only the first is told of.
        return describe(shell, operands.get(..1).unwrap_or_default(), how == 'V').await;
    }
    shell.status = 0;
    shell.plain(operands).await?;
    Ok(shell.status)
}

/// `type`
pub(super) async fn kinds(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    describe(shell, args.get(1..).unwrap_or_default(), true).await
}

/// Tells what names are: in a sentence, or so that it can be run.
async fn describe(shell: &mut Shell, names: &[String], sentence: bool) -> Result<i32, Flow> {
    let mut status = 0;
    for name in names {
        let path = shell.vars.get("PATH").unwrap_or_default();
        let text = if KEYWORDS.contains(&name.as_str()) {
            if sentence { format!("{name} is a shell keyword\n") } else { format!("{name}\n") }
        } else if shell.functions.contains_key(name) {
            if sentence { format!("{name} is a function\n") } else { format!("{name}\n") }
        } else if let Some(builtin) = find(name) {
            let kind = if builtin.special { "special shell builtin" } else { "shell builtin" };
            if sentence { format!("{name} is a {kind}\n") } else { format!("{name}\n") }
        } else if let Ok(file) = shell.ctx.find(name, path) {
            if sentence { format!("{name} is {file}\n") } else { format!("{file}\n") }
        } else {
            status = 127;
            if sentence { format!("{name}: not found\n") } else { String::new() }
        };
        if shell.print(text).await != 0 {
            status = 1;
        }
    }
    Ok(status)
}

/// `hash`: every command is looked for anew, so nothing is remembered.
pub(super) async fn hash(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (_, operands) = shell.letters(args, "r", "").await?;
    let mut status = 0;
    for name in operands {
        let path = shell.vars.get("PATH").unwrap_or_default();
        if find(name).is_none() && !shell.functions.contains_key(name) && shell.ctx.find(name, path).is_err() {
            shell.complain(&format!("{name}: not found")).await;
            status = 1;
        }
    }
    Ok(status)
}

/// `help`
pub(super) async fn help(shell: &mut Shell, _: &[String]) -> Result<i32, Flow> {
    const WIDTH: usize = 60;
    let mut text = "Built-in commands:\n------------------\n".to_owned();
    let mut column = 0;
    for builtin in BUILTINS {
        if column == 0 || column + builtin.name.len() > WIDTH {
            text += if column == 0 { "\t" } else { "\n\t" };
            column = 0;
        } else {
            text.push(' ');
        }
        text += builtin.name;
        column += builtin.name.len() + 1;
    }
    text += "\n\n";
    Ok(shell.print(text).await)
}

/// `times`
pub(super) async fn times(shell: &mut Shell, _: &[String]) -> Result<i32, Flow> {
    let told = |time: Duration| format!("{}m{}.{:03}s", time.as_secs() / 60, time.as_secs() % 60, time.subsec_millis());
    // The children of a process are not counted by the kernel here.
    let (own, none) = (told(shell.ctx.cpu()), told(Duration::ZERO));
    Ok(shell.print(format!("{own} {none}\n{none} {none}\n")).await)
}

/// A limit: what it is of, its letter.
const LIMITS: &[(&str, char)] = &[
    ("core file size (blocks)", 'c'),
    ("data seg size (kb)", 'd'),
    ("scheduling priority", 'e'),
    ("file size (blocks)", 'f'),
    ("pending signals", 'i'),
    ("max locked memory (kb)", 'l'),
    ("max memory size (kb)", 'm'),
    ("open files", 'n'),
    ("POSIX message queues (bytes)", 'q'),
    ("real-time priority", 'r'),
    ("stack size (kb)", 's'),
    ("cpu time (seconds)", 't'),
    ("max user processes", 'u'),
    ("virtual memory (kb)", 'v'),
    ("file locks", 'x'),
];

/// `ulimit`: tells; what a container may use is not for a process in it to change.
pub(super) async fn limits(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (letters, operands) = shell.letters(args, "HSacdefilmnqrstuvx", "").await?;
    let limits = shell.ctx.limits();
    let value = |letter| match letter {
        'n' => limits.descriptors.to_string(),
        'u' => limits.processes.to_string(),
        'c' | 'e' | 'r' => "0".to_owned(),
        _ => "unlimited".to_owned(),
    };
    if !operands.is_empty() {
        shell.complain("error setting limit: Operation not permitted").await;
        return Ok(1);
    }
    let letter = letters.iter().rev().map(|(letter, _)| *letter).find(|letter| !matches!(letter, 'H' | 'S')).unwrap_or('f');
    let text = if letter == 'a' {
        LIMITS.iter().map(|(name, letter)| format!("{name:<32}(-{letter}) {}\n", value(*letter))).collect()
    } else {
        format!("{}\n", value(letter))
    };
    Ok(shell.print(text).await)
}
