//! `test` and `[`: whether something is so.

use super::hand::{Outcome, Stop, name};
use crate::{
    Ctx,
    files::{Kind, Stat},
};

const UNARY: &[&str] =
    &["-r", "-w", "-x", "-f", "-d", "-c", "-b", "-p", "-u", "-g", "-k", "-s", "-t", "-z", "-n", "-h", "-L", "-S", "-O", "-G", "-e"];
const BINARY: &[&str] = &["=", "==", "!=", "<", ">", "-eq", "-ne", "-ge", "-gt", "-le", "-lt", "-nt", "-ot", "-ef"];

/// Whether what the arguments say is so; they are those between `[` and `]`. `Err`: why that cannot be told, with status 2.
pub(crate) fn evaluate(ctx: &Ctx, args: &[String]) -> Result<bool, String> {
    let is_binary = |at: usize| args.get(at).is_some_and(|arg| BINARY.contains(&arg.as_str()));
    let is_not = |at: usize| args.get(at).is_some_and(|arg| arg == "!");
    match args {
        [] => return Ok(false),
        [only] => return Ok(!only.is_empty()),
        [_, last] if is_not(0) => return Ok(last.is_empty()),
        [left, operator, right] if is_binary(1) => return binary(ctx, left, operator, right),
        [_, left, operator, right] if is_not(0) && is_binary(2) => return binary(ctx, left, operator, right).map(|so| !so),
        _ => {}
    }
    let mut reader = Reader { ctx, args, at: 0 };
    let so = reader.or()?;
    match args.get(reader.at) {
        Some(more) => Err(format!("{more}: unknown operand")),
        None => Ok(so),
    }
}

/// The arguments, read one after the other.
struct Reader<'a> {
    ctx: &'a Ctx,
    args: &'a [String],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<&str> {
        self.args.get(self.at + ahead).map(String::as_str)
    }

    // `-o` and `-a` are read in loops, negations are counted, and parentheses nest no deeper than there are arguments.
    fn or(&mut self) -> Result<bool, String> {
        let mut so = self.and()?;
        while self.peek(0) == Some("-o") {
            self.at += 1;
            so |= self.and()?;
        }
        Ok(so)
    }

    fn and(&mut self) -> Result<bool, String> {
        let mut so = self.not()?;
        while self.peek(0) == Some("-a") {
            self.at += 1;
            so &= self.not()?;
        }
        Ok(so)
    }

    fn not(&mut self) -> Result<bool, String> {
        let mut turned = false;
        while self.peek(0) == Some("!") {
            self.at += 1;
            if self.peek(0).is_none() {
                return Ok(!turned);
            }
            turned = !turned;
        }
        Ok(self.primary()? != turned)
    }

    fn primary(&mut self) -> Result<bool, String> {
        /// How deep parentheses may be.
        const DEEPEST: usize = 200;
        let Some(first) = self.peek(0) else { return Err("argument expected".to_owned()) };
        if first == "(" {
            if self.args[..self.at].iter().filter(|arg| *arg == "(").count() >= DEEPEST {
                return Err("too many parentheses".to_owned());
            }
            self.at += 1;
            let so = self.or()?;
            if self.peek(0) != Some(")") {
                return Err("closing paren expected".to_owned());
            }
            self.at += 1;
            return Ok(so);
        }
        if let (Some(operator), Some(right)) = (self.peek(1).filter(|next| BINARY.contains(next)), self.peek(2)) {
            let so = binary(self.ctx, first, operator, right);
            self.at += 3;
            return so;
        }
        if UNARY.contains(&first) {
            let Some(operand) = self.peek(1) else { return Err(format!("{first}: argument expected")) };
            let so = unary(self.ctx, first, operand);
            self.at += 2;
            return so;
        }
        let so = !first.is_empty();
        self.at += 1;
        Ok(so)
    }
}

fn number(text: &str) -> Result<i64, String> {
    let trimmed = text.trim();
    match trimmed.strip_prefix('+').unwrap_or(trimmed).parse() {
        Ok(number) => Ok(number),
        Err(error) if matches!(error.kind(), std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow) => {
            Err(format!("{text}: out of range"))
        }
        Err(_) => Err(format!("{text}: bad number")),
    }
}

fn binary(ctx: &Ctx, left: &str, operator: &str, right: &str) -> Result<bool, String> {
    let stat = |path: &str| ctx.stat(path).ok();
    Ok(match operator {
        "=" | "==" => left == right,
        "!=" => left != right,
        "<" => left < right,
        ">" => left > right,
        "-nt" => matches!((stat(left), stat(right)), (Some(left), Some(right)) if left.modified > right.modified),
        "-ot" => matches!((stat(left), stat(right)), (Some(left), Some(right)) if left.modified < right.modified),
        "-ef" => matches!((stat(left), stat(right)), (Some(left), Some(right)) if (left.device, left.inode) == (right.device, right.inode)),
        _ => {
            let (left, right) = (number(left)?, number(right)?);
            match operator {
                "-eq" => left == right,
                "-ne" => left != right,
                "-ge" => left >= right,
                "-gt" => left > right,
                "-le" => left <= right,
                _ => left < right,
            }
        }
    })
}

fn unary(ctx: &Ctx, operator: &str, operand: &str) -> Result<bool, String> {
    let is = |check: fn(&Stat) -> bool| ctx.stat(operand).is_ok_and(|stat| check(&stat));
    let who = ctx.credentials();
    Ok(match operator {
        "-z" => operand.is_empty(),
        "-n" => !operand.is_empty(),
        "-t" => u32::try_from(number(operand)?).is_ok_and(|fd| ctx.is_terminal(fd)),
        "-r" => ctx.access(operand, 4).is_ok(),
        "-w" => ctx.access(operand, 2).is_ok(),
        "-x" => ctx.access(operand, 1).is_ok(),
        "-e" => ctx.stat(operand).is_ok(),
        "-f" => is(|stat| stat.kind == Kind::File),
        "-d" => is(|stat| stat.kind == Kind::Directory),
        "-c" => is(|stat| matches!(stat.kind, Kind::Device(_))),
        "-p" => is(|stat| matches!(stat.kind, Kind::Fifo | Kind::Pipe)),
        "-s" => is(|stat| stat.size > 0),
        "-u" => is(|stat| stat.mode & 0o4000 != 0),
        "-g" => is(|stat| stat.mode & 0o2000 != 0),
        "-k" => is(|stat| stat.mode & 0o1000 != 0),
        "-h" | "-L" => ctx.lstat(operand).is_ok_and(|stat| stat.kind == Kind::Symlink),
        "-O" => ctx.stat(operand).is_ok_and(|stat| stat.uid == who.uid),
        "-G" => ctx.stat(operand).is_ok_and(|stat| stat.gid == who.gid),
        // There are neither block devices nor sockets with a name.
        _ => false,
    })
}

/// Takes the closing bracket off, if it was called as `[`.
pub(crate) fn between<'a>(called: &str, args: &'a [String]) -> Result<&'a [String], String> {
    let closing = match called {
        "[" => "]",
        "[[" => "]]",
        _ => return Ok(args),
    };
    match args.split_last() {
        Some((last, args)) if last == closing => Ok(args),
        _ => Err(format!("missing {closing}")),
    }
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let args = ctx.args().get(1..).unwrap_or_default();
    match between(name(&ctx), args).and_then(|args| evaluate(&ctx, args)) {
        Ok(so) => Ok(i32::from(!so)),
        Err(wrong) => {
            super::hand::complain(&ctx, wrong).await;
            Err(Stop::Exit(2))
        }
    }
}
