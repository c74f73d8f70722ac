//! `echo`: its arguments.

use super::hand::{Outcome, Stop, unescape};
use crate::Ctx;

/// What it writes for its arguments, without its name: `-n` no new line, `-e` escapes, `-E` none, together or apart, and nothing else is an option.
pub(crate) fn render(args: &[String]) -> Vec<u8> {
    let is_options = |arg: &&String| arg.len() > 1 && arg.starts_with('-') && arg[1..].bytes().all(|byte| b"neE".contains(&byte));
    let (mut newline, mut escapes) = (true, false);
    let count = args.iter().take_while(is_options).count();
    for option in args[..count].iter().flat_map(|arg| arg[1..].bytes()) {
        match option {
            b'n' => newline = false,
            option => escapes = option == b'e',
        }
    }
    let mut text = Vec::new();
    for (at, arg) in args[count..].iter().enumerate() {
        if at > 0 {
            text.push(b' ');
        }
        if escapes {
            let (plain, ended) = unescape(arg.as_bytes());
            text.extend(plain);
            if ended {
                return text;
            }
        } else {
            text.extend_from_slice(arg.as_bytes());
        }
    }
    if newline {
        text.push(b'\n');
    }
    text
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    ctx.out(render(ctx.args().get(1..).unwrap_or_default())).await.map_err(Stop::Output)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_writes() {
        for (args, expected) in [
            (&["a", "b  c"][..], "a b  c\n"),
            (&[], "\n"),
            (&["-n", "x"], "x"),
            (&["-ne", r"a\tb"], "a\tb"),
            (&["-e", "-E", r"a\tb"], "a\\tb\n"),
            (&["-z", "-n"], "-z -n\n"),
            (&["-"], "-\n"),
            (&["--help"], "--help\n"),
            (&["-e", r"\x41\0101\101\q\\"], "AAA\\q\\\n"),
            (&["-e", r"a\cb", "c"], "a"),
            (&["-e", r"\x", r"\0"], "\\x \0\n"),
        ] {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            assert_eq!(String::from_utf8(render(&args)).unwrap(), expected, "{args:?}");
        }
    }
}
