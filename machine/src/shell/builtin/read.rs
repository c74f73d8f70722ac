//! `read`: a line into variables.

use std::time::Duration;

use crate::{
    Errno,
    kernel::{Fd, Modes},
    shell::{Flow, Shell, syntax::is_name},
};

/// The longest line, in bytes.
const LONGEST: usize = 1 << 20;

/// How a line is read.
struct How {
    fd: Fd,
    raw: bool,
    most: Option<usize>,
    end: u8,
}

/// What was read: its characters, each with whether it was escaped; and whether its end was found.
#[derive(Debug, Default)]
struct Line {
    text: Vec<(char, bool)>,
    ended: bool,
}

/// `read`
pub(super) async fn read(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (letters, names) = shell.letters(args, "rs", "pntudI").await?;
    if let Some(name) = names.iter().find(|name| !is_name(name)) {
        shell.complain_as_program(&format!("read: '{name}': bad variable name")).await;
        return Ok(1);
    }
    let value = |wanted| letters.iter().rev().find(|(letter, _)| *letter == wanted).map(|(_, value)| *value);
    let mut how = How { fd: 0, raw: value('r').is_some(), most: None, end: b'\n' };
    if let Some(text) = value('u') {
        how.fd = Fd::try_from(shell.number(text).await?).unwrap_or(Fd::MAX);
    }
    if let Some(text) = value('n') {
        how.most = Some(shell.number(text).await?).filter(|most| *most > 0);
    }
    if let Some(text) = value('d') {
        how.end = text.bytes().next().unwrap_or(0);
    }
    let timeout = match value('t').map(|text| text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())) {
        None => None,
        Some(Some(time)) => Some(time),
        Some(None) => {
            shell.complain_as_program("read: invalid timeout").await;
            return Ok(2);
        }
    };
    let terminal = shell.ctx.modes(how.fd).ok();
    if let Some(prompt) = value('p').filter(|_| terminal.is_some()) {
        shell.ctx.err(prompt).await;
    }
    let quiet = terminal.filter(|_| value('s').is_some());
    if let Some(modes) = quiet {
        let _ = shell.ctx.set_modes(how.fd, Modes { echo: false, ..modes });
    }
    let line = wait(shell, &how, timeout).await;
    if let Some(modes) = quiet {
        let _ = shell.ctx.set_modes(how.fd, modes);
    }
    let line = match line? {
        Ok(line) => line,
        Err(code) => return Ok(code),
    };
    give(shell, names, &line).await?;
    Ok(i32::from(!line.ended))
}

/// Reads a line, unless time or a signal ends it: then the status.
async fn wait(shell: &mut Shell, how: &How, timeout: Option<Duration>) -> Result<Result<Line, i32>, Flow> {
    let ctx = shell.ctx.clone();
    let over = async {
        match timeout {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            biased;
            line = line(shell, how) => return Ok(line.map_err(|_| 1)),
            () = ctx.signalled() => {}
            () = &mut over => return Ok(Err(1)),
        }
        if let Some(signal) = shell.signalled().await? {
            return Ok(Err(128 + signal.number()));
        }
    }
}

async fn line(shell: &Shell, how: &How) -> Result<Line, Errno> {
    let mut line = Line::default();
    let mut escaped = false;
    let mut bytes = Vec::new();
    loop {
        let whole = how.end == b'\n' && how.most.is_none();
        let piece = if whole { shell.ctx.read_line(how.fd, LONGEST).await? } else { shell.ctx.read(how.fd, 1).await? };
        if piece.is_empty() {
            break;
        }
        bytes.extend(piece);
        // A character may come in several pieces.
        let valid = match std::str::from_utf8(&bytes) {
            Ok(text) => text.to_owned(),
            Err(error) if !whole && error.error_len().is_none() => continue,
            Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
        };
        bytes.clear();
        for c in valid.chars() {
            if escaped {
                escaped = false;
                if c != '\n' {
                    line.text.push((c, true));
                }
            } else if u32::from(c) == u32::from(how.end) {
                line.ended = true;
                return Ok(line);
            } else if c == '\\' && !how.raw {
                escaped = true;
            } else if c != '\0' {
                line.text.push((c, false));
            }
        }
        if how.most.is_some_and(|most| line.text.len() >= most) {
            line.ended = true;
            break;
        }
        if line.text.len() > LONGEST {
            break;
        }
    }
    Ok(line)
}

/// Gives variables their parts of a line.
async fn give(shell: &mut Shell, names: &[String], line: &Line) -> Result<(), Flow> {
    let Some((last, names)) = names.split_last() else {
        let text: String = line.text.iter().map(|(c, _)| *c).collect();
        return shell.assign("REPLY", text).await;
    };
    let separators = shell.vars.get("IFS").unwrap_or(" \t\n").to_owned();
    let (parts, rest) = split(&line.text, &separators, names.len());
    for (name, part) in names.iter().zip(parts) {
        shell.assign(name, part).await?;
    }
    shell.assign(last, rest).await
}

/// The first parts of a line, empty where there are none, and the rest.
fn split(text: &[(char, bool)], separators: &str, count: usize) -> (Vec<String>, String) {
    let separator = |(c, escaped): (char, bool)| !escaped && separators.contains(c);
    let blank = |part: (char, bool)| separator(part) && matches!(part.0, ' ' | '\t' | '\n');
    let skip = |mut at: usize| {
        while text.get(at).copied().is_some_and(blank) {
            at += 1;
        }
        at
    };
    let mut at = skip(0);
    let mut parts = Vec::new();
    for _ in 0..count {
        let end = text[at..].iter().position(|part| separator(*part)).map_or(text.len(), |length| at + length);
        parts.push(text[at..end].iter().map(|(c, _)| *c).collect());
        at = skip(end);
        if text.get(at).copied().is_some_and(separator) {
            at = skip(at + 1);
        }
    }
    let mut rest = &text[at..];
    while rest.last().copied().is_some_and(blank) {
        rest = &rest[..rest.len() - 1];
    }
    // A single separator at the end of the only field that is left ends it.
    if let Some((end, before)) = rest.split_last()
        && separator(*end)
        && !before.iter().any(|part| separator(*part))
    {
        rest = before;
    }
    (parts, rest.iter().map(|(c, _)| *c).collect())
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_line_is_split_among_variables() {
        let cases = [
            ("a b  c d", " ", 1, vec!["a"], "b  c d"),
            ("  a  ", " ", 0, vec![], "a"),
            ("a:b:c:", ":", 1, vec!["a"], "b:c:"),
            ("a:b:", ":", 1, vec!["a"], "b"),
            ("a::b", ":", 2, vec!["a", ""], "b"),
            ("a : b", " :", 1, vec!["a"], "b"),
            (" a ", "", 0, vec![], " a "),
            ("a", " ", 2, vec!["a", ""], ""),
        ];
        for (text, separators, count, parts, rest) in cases {
            let chars: Vec<(char, bool)> = text.chars().map(|c| (c, false)).collect();
            let parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
            assert_eq!(split(&chars, separators, count), (parts, rest.to_owned()), "{text:?}");
        }
    }
}
