//! Where the shell is, and what new files are allowed.

use std::fmt::Write as _;

use crate::shell::{Flow, Shell};

/// `cd`
pub(super) async fn change(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (letters, operands) = shell.letters(args, "LP", "").await?;
    let physical = letters.last().is_some_and(|(letter, _)| *letter == 'P');
    let (wanted, mut told) = match operands.first().map(String::as_str) {
        Some("-") => (shell.vars.get("OLDPWD").unwrap_or_default().to_owned(), true),
        Some(path) => (path.to_owned(), false),
        None => (shell.vars.get("HOME").unwrap_or_default().to_owned(), false),
    };
    let here = shell.vars.get("PWD").map_or_else(|| shell.ctx.cwd(), str::to_owned);
    let searched = !wanted.starts_with('/') && !matches!(wanted.split('/').next(), Some("." | ".."));
    let mut bases = vec![String::new()];
    if searched && let Some(path) = shell.vars.get("CDPATH") {
        bases.splice(0..0, path.split(':').map(str::to_owned));
    }
    for base in bases {
        let path = if base.is_empty() { wanted.clone() } else { format!("{base}/{wanted}") };
        let logical = if wanted.is_empty() { here.clone() } else { folded(&here, &path) };
        if shell.ctx.chdir(if physical { &path } else { &logical }).is_err() {
            continue;
        }
        told |= !base.is_empty();
        let now = if physical { shell.ctx.canonical(".").unwrap_or(logical) } else { logical };
        for (name, value) in [("OLDPWD", here.clone()), ("PWD", now.clone())] {
            shell.assign(name, value).await?;
            shell.vars.export(name, true);
        }
        if told {
            shell.print(format!("{now}\n")).await;
        }
        return Ok(0);
    }
    let why = shell.ctx.stat(&wanted).map_or_else(|errno| errno, |_| shell.ctx.list(&wanted).err().unwrap_or(crate::Errno::ENOTDIR));
    Err(shell.raise(2, &format!("can't cd to {wanted}: {why}")).await)
}

/// A path from a directory, with `.` and `..` taken at their word.
fn folded(here: &str, path: &str) -> String {
    let base = if path.starts_with('/') { "" } else { here };
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// `pwd`
pub(super) async fn tell(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (letters, _) = shell.letters(args, "LP", "").await?;
    let physical = letters.last().is_some_and(|(letter, _)| *letter == 'P');
    let logical = shell.vars.get("PWD").filter(|path| path.starts_with('/')).map(str::to_owned);
    let here = if physical { shell.ctx.canonical(".").ok() } else { logical };
    let here = here.unwrap_or_else(|| shell.ctx.cwd());
    Ok(shell.print(format!("{here}\n")).await)
}

/// `umask`
pub(super) async fn mask(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (letters, operands) = shell.letters(args, "S", "").await?;
    let now = shell.ctx.umask();
    let Some(wanted) = operands.first() else {
        let text = if letters.is_empty() { format!("{now:04o}\n") } else { symbols(now) };
        return Ok(shell.print(text).await);
    };
    let octal = wanted.starts_with(|c: char| c.is_ascii_digit());
    let mask = if octal {
        u16::from_str_radix(wanted, 8).ok().filter(|mask| *mask <= 0o777)
    } else {
        changed(!now & 0o777, wanted).map(|mode| !mode & 0o777)
    };
    match mask {
        Some(mask) => {
            shell.ctx.set_umask(mask);
            Ok(0)
        }
        None => Err(shell.raise(2, &format!("illegal mode: {wanted}")).await),
    }
}

/// What is allowed, as `umask -S` prints it.
fn symbols(mask: u16) -> String {
    let mut text = String::new();
    for (at, who) in ["u", "g", "o"].iter().enumerate() {
        let allowed = !mask >> (6 - 3 * at);
        let _ = write!(text, "{}{who}=", if at > 0 { "," } else { "" });
        text.extend([(4, 'r'), (2, 'w'), (1, 'x')].iter().filter(|(bit, _)| allowed & bit != 0).map(|(_, letter)| *letter));
    }
    text + "\n"
}

/// A mode after `u=rwx,g-w` and the like.
fn changed(mut mode: u16, text: &str) -> Option<u16> {
    for clause in text.split(',') {
        let at = clause.find(['=', '+', '-'])?;
        let mut who = 0;
        for letter in clause[..at].chars() {
            who |= match letter {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        let who = if at == 0 { 0o777 } else { who };
        let mut bits = 0;
        for letter in clause[at + 1..].chars() {
            bits |= match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' | 'X' => 0o111,
                _ => return None,
            };
        }
        mode = match clause.as_bytes()[at] {
            b'=' => mode & !who | bits & who,
            b'+' => mode | bits & who,
            _ => mode & !(bits & who),
        };
    }
    Some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_folded() {
        for (here, path, expected) in [("/a/b", "..", "/a"), ("/a", "b/./c", "/a/b/c"), ("/", "../..", "/"), ("/a", "/x//y/", "/x/y")] {
            assert_eq!(folded(here, path), expected, "{here} {path}");
        }
    }

    #[test]
    fn a_mask_is_told_and_changed_in_symbols() {
        assert_eq!(symbols(0o022), "u=rwx,g=rx,o=rx\n");
        assert_eq!(changed(0o700, "u=rwx,g=rx"), Some(0o750));
        assert_eq!(changed(0o750, "a-x"), Some(0o640));
        assert_eq!(changed(0o640, "+x"), Some(0o751));
        assert_eq!((changed(0o640, "z+x"), changed(0o640, "u"), changed(0o640, "u+q")), (None, None, None));
    }
}
