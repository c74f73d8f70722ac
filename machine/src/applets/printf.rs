//! `printf`: its arguments as a format says.

use super::hand::{Conversion, Escaped, Outcome, Stop, Usage, complain, escape, unescape};
use crate::Ctx;

/// What `printf` comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Printed {
    /// For standard output.
    pub(crate) text: Vec<u8>,
    /// For standard error, each without the name of who says it.
    pub(crate) complaints: Vec<String>,
    /// The exit code.
    pub(crate) status: i32,
}

/// More than this is not made from one call: an endless `%1048576d` would be.
const MOST: usize = 8 << 20;

struct Printer<'a> {
    args: std::slice::Iter<'a, String>,
    used: usize,
    printed: Printed,
}

enum Gone {
    On,
    /// `\c`, or a wrong format.
    Over,
}

impl Printer<'_> {
    fn next(&mut self) -> &str {
        self.used += 1;
        self.args.next().map_or("", String::as_str)
    }

    fn wrong(&mut self, arg: &str) {
        self.printed.complaints.push(format!("invalid number '{arg}'"));
        self.printed.status = 1;
    }

    fn integer(&mut self) -> i128 {
        let missing = self.args.as_slice().is_empty();
        let arg = self.next().to_owned();
        if missing {
            return 0;
        }
        match integer(&arg) {
            Some(value) => value,
            None => {
                self.wrong(&arg);
                0
            }
        }
    }

    fn float(&mut self) -> f64 {
        let missing = self.args.as_slice().is_empty();
        let arg = self.next().to_owned();
        if missing {
            return 0.0;
        }
        match quoted(&arg).map(f64::from).or_else(|| arg.trim_start().parse().ok()) {
            Some(value) => value,
            None => {
                self.wrong(&arg);
                0.0
            }
        }
    }

    /// One conversion; `rest` is what is behind the `%`. Answers how many bytes it was.
    fn convert(&mut self, rest: &[u8]) -> Result<usize, Gone> {
        if rest.first() == Some(&b'%') {
            self.printed.text.push(b'%');
            return Ok(1);
        }
        if rest.first() == Some(&b'b') {
            let (text, ended) = unescape(self.next().as_bytes());
            self.printed.text.extend(text);
            return if ended { Err(Gone::Over) } else { Ok(1) };
        }
        let mut stars = Vec::new();
        let (_, mut at) = Conversion::read(rest, || {
            stars.push(0);
            0
        });
        for star in &mut stars {
            *star = i64::try_from(self.integer()).unwrap_or(0);
        }
        let mut stars = stars.into_iter();
        let (conversion, _) = Conversion::read(rest, || stars.next().unwrap_or(0));
        let length = at;
        while matches!(rest.get(at), Some(b'h' | b'l' | b'L' | b'z')) {
            at += 1;
        }
        let text = match rest.get(at) {
            Some(b'd' | b'i') => match i64::try_from(self.integer()) {
                Ok(value) => conversion.signed(value),
                Err(_) => conversion.signed(i64::MAX),
            },
            Some(letter @ (b'o' | b'u' | b'x' | b'X')) => {
                let value = self.integer();
                conversion.unsigned(value as u64, *letter)
            }
            Some(letter @ (b'e' | b'E' | b'f' | b'F' | b'g' | b'G')) => {
                let value = self.float();
                conversion.float(value, *letter)
            }
            Some(b's') => conversion.text(self.next().as_bytes()),
            Some(b'c') => {
                let arg = self.next().as_bytes();
                conversion.text(&arg[..arg.len().min(1)])
            }
            _ => {
                let shown = [b"%", &rest[..length], &rest[at..]].concat();
                self.printed.complaints.push(format!("{}: invalid format", String::from_utf8_lossy(&shown)));
                self.printed.status = 1;
                return Err(Gone::Over);
            }
        };
        self.printed.text.extend(text);
        Ok(at + 1)
    }

    /// The format once.
    fn round(&mut self, format: &[u8]) -> Gone {
        let mut rest = format;
        while let Some((first, more)) = rest.split_first() {
            rest = more;
            match first {
                b'%' => match self.convert(rest) {
                    Ok(used) => rest = &rest[used..],
                    Err(gone) => return gone,
                },
                b'\\' => match escape(rest) {
                    Escaped::Byte(byte, used) => {
                        self.printed.text.push(byte);
                        rest = &rest[used..];
                    }
                    Escaped::End => return Gone::Over,
                    Escaped::None => self.printed.text.push(b'\\'),
                },
                byte => self.printed.text.push(*byte),
            }
            if self.printed.text.len() > MOST {
                return Gone::Over;
            }
        }
        Gone::On
    }
}

/// `'x` and `"x` are the number of a character.
fn quoted(arg: &str) -> Option<u32> {
    let rest = arg.strip_prefix('\'').or_else(|| arg.strip_prefix('"'))?;
    Some(rest.bytes().next().map_or(0, u32::from))
}

/// A whole number as strtol reads it with base 0; within 64 bits.
fn integer(arg: &str) -> Option<i128> {
    if let Some(byte) = quoted(arg) {
        return Some(i128::from(byte));
    }
    let text = arg.trim_start();
    let (negative, digits) = text.strip_prefix('-').map_or((false, text.strip_prefix('+').unwrap_or(text)), |digits| (true, digits));
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        i128::from_str_radix(hex, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        i128::from_str_radix(&digits[1..], 8)
    } else {
        digits.parse()
    };
    let value = value.ok().map(|value| if negative { -value } else { value })?;
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value)
}

/// What it writes for a format and its arguments. The format is used again until all arguments are.
pub(crate) fn render(format: &str, args: &[String]) -> Printed {
    let mut printer = Printer { args: args.iter(), used: 0, printed: Printed::default() };
    loop {
        let before = printer.used;
        let gone = printer.round(format.as_bytes());
        if matches!(gone, Gone::Over) || printer.used == before || printer.args.as_slice().is_empty() {
            return printer.printed;
        }
    }
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    const USAGE: Usage = Usage::operands("FORMAT [ARG]...");
    let args = ctx.args().get(1..).unwrap_or_default();
    let args = if args.first().is_some_and(|first| first == "--") { &args[1..] } else { args };
    let Some((format, args)) = args.split_first() else { return Err(USAGE.explain(&ctx).await) };
    let printed = render(format, args);
    ctx.out(printed.text).await.map_err(Stop::Output)?;
    for complaint in printed.complaints {
        complain(&ctx, complaint).await;
    }
    Ok(printed.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_writes() {
        for (format, args, expected) in [
            (r"%s\n", &["a", "b"][..], "a\nb\n"),
            (r"%s %s\n", &["a", "b", "c"], "a b\nc \n"),
            ("x", &["a"], "x"),
            ("%5.2f|%x|%c|%b|", &["3.14159", "255", "hello", r"a\tb"], " 3.14|ff|h|a\tb|"),
            (r"%d\n", &["0x1F", "017", "'a"], "31\n15\n97\n"),
            ("%*d|%-5d|%05d", &["5", "3", "4", "5"], "    3|4    |00005"),
            ("%i %u %o %X %e %g", &["1", "-1", "8", "255", "1234.5", "0.0001"], "1 18446744073709551615 10 FF 1.234500e+03 0.0001"),
            (r"\x41\101\0101|\q|\\", &[], "AA\u{8}1|\\q|\\"),
            (r"a\cb", &["c"], "a"),
            ("%.3s|%+d|% d|%#x|%05.1f|%-6s|", &["abcdef", "3", "4", "255", "2.25", "ab"], "abc|+3| 4|0xff|002.2|ab    |"),
            ("%g %g %g %G", &["1e10", "123456789", "0.00001", "1e-10"], "1e+10 1.23457e+08 1e-05 1E-10"),
            ("100%% %s", &[], "100% "),
        ] {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            let printed = render(format, &args);
            assert_eq!((String::from_utf8(printed.text).unwrap().as_str(), printed.status), (expected, 0), "{format} {args:?}");
        }
    }

    #[test]
    fn what_it_complains_of() {
        for (format, args, text, complaint) in [
            ("%d", &["12x"][..], "0", "invalid number '12x'"),
            ("%d", &["99999999999999999999"], "0", "invalid number '99999999999999999999'"),
            ("%d", &["1", "a", "2"], "102", "invalid number 'a'"),
            ("a%q\n", &[], "a", "%q\n: invalid format"),
            ("%z", &[], "", "%: invalid format"),
            ("%5b|", &["x"], "", "%5b|: invalid format"),
        ] {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            let expected = Printed { text: text.into(), complaints: vec![complaint.to_owned()], status: 1 };
            assert_eq!(render(format, &args), expected, "{format}");
        }
    }
}
