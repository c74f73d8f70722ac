//! Options as getopt(3) reads them, and what busybox says of those it does not know.

use super::Stop;
use crate::Ctx;

/// How a program is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// What follows its name in its usage: `[-n] [FILE]...`.
    pub(crate) syntax: &'static str,
    /// Its short options as getopt writes them: `n:v`; a `:` takes a value, `::` may take one, `+` first: the first operand ends the options.
    pub(crate) short: &'static str,
    /// Its long options: name, and the short one it stands for, which says whether it takes a value.
    pub(crate) long: &'static [(&'static str, char)],
}

/// What was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// Options in their order.
    pub(crate) options: Vec<(char, Option<String>)>,
    /// What is no option.
    pub(crate) operands: Vec<String>,
}

impl Given {
    /// Whether an option was given.
    pub(crate) fn has(&self, option: char) -> bool {
        self.options.iter().any(|(given, _)| *given == option)
    }

    /// How often it was.
    pub(crate) fn count(&self, option: char) -> usize {
        self.options.iter().filter(|(given, _)| *given == option).count()
    }

    /// Its last value.
    pub(crate) fn value(&self, option: char) -> Option<&str> {
        self.options.iter().rev().find(|(given, _)| *given == option).and_then(|(_, value)| value.as_deref())
    }

    /// All its values.
    pub(crate) fn values(&self, option: char) -> impl Iterator<Item = &str> {
        self.options.iter().filter(move |(given, _)| *given == option).filter_map(|(_, value)| value.as_deref())
    }

    /// Which of these was given last.
    pub(crate) fn last_of(&self, options: &str) -> Option<char> {
        self.options.iter().rev().map(|(given, _)| *given).find(|given| options.contains(*given))
    }

    /// The operands, or standard input if there are none.
    pub(crate) fn files(&self) -> Vec<String> {
        if self.operands.is_empty() { vec!["-".to_owned()] } else { self.operands.clone() }
    }
}

/// What busybox says first when it explains itself.
pub(crate) const BANNER: &str = "BusyBox v1.36.1 (2024-06-10 07:11:47 UTC) multi-call binary.";

#[derive(Clone, Copy)]
enum Value {
    No,
    Maybe,
    Must,
}

impl Usage {
    /// One that takes no options.
    pub(crate) const fn operands(syntax: &'static str) -> Self {
        Self { syntax, short: "", long: &[] }
    }

    /// One that takes short options only.
    pub(crate) const fn short(syntax: &'static str, short: &'static str) -> Self {
        Self { syntax, short, long: &[] }
    }

    fn takes(&self, option: char) -> Option<Value> {
        let at = self.short.find(option).filter(|_| option != ':' && option != '+')?;
        let rest = &self.short[at + option.len_utf8()..];
        Some(if rest.starts_with("::") {
            Value::Maybe
        } else if rest.starts_with(':') {
            Value::Must
        } else {
            Value::No
        })
    }

    /// Reads arguments (without the program's name); else what is wrong with them.
    pub(crate) fn read(&self, args: &[String]) -> Result<Given, String> {
        let mut given = Given::default();
        let stop_early = self.short.starts_with('+');
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                given.operands.extend(args.by_ref().cloned());
            } else if let Some(long) = arg.strip_prefix("--") {
                self.read_long(long, &mut args, &mut given)?;
            } else if arg.len() > 1 && arg.starts_with('-') {
                self.read_short(&arg[1..], &mut args, &mut given)?;
            } else {
                given.operands.push(arg.clone());
                if stop_early {
                    given.operands.extend(args.by_ref().cloned());
                }
            }
        }
        Ok(given)
    }

    fn read_short(&self, cluster: &str, args: &mut std::slice::Iter<'_, String>, given: &mut Given) -> Result<(), String> {
        let mut rest = cluster.chars();
        while let Some(option) = rest.next() {
            let value = match self.takes(option) {
                None => return Err(format!("invalid option -- '{option}'")),
                Some(Value::No) => None,
                Some(Value::Maybe) => Some(std::mem::replace(&mut rest, "".chars()).as_str().to_owned()).filter(|value| !value.is_empty()),
                Some(Value::Must) => {
                    let here = std::mem::replace(&mut rest, "".chars()).as_str();
                    let value = if here.is_empty() { args.next().cloned() } else { Some(here.to_owned()) };
                    Some(value.ok_or_else(|| format!("option requires an argument -- '{option}'"))?)
                }
            };
            given.options.push((option, value));
        }
        Ok(())
    }

    fn read_long(&self, long: &str, args: &mut std::slice::Iter<'_, String>, given: &mut Given) -> Result<(), String> {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value.to_owned())));
        let exact = self.long.iter().find(|(known, _)| *known == name);
        let like: Vec<_> = self.long.iter().filter(|(known, _)| known.starts_with(name)).collect();
        let (name, option) = match (exact, like.as_slice()) {
            (Some(found), _) => *found,
            (None, [found]) => **found,
            (None, []) => return Err(format!("unrecognized option '--{long}'")),
            (None, _) => return Err(format!("option '--{long}' is ambiguous")),
        };
        let value = match (self.takes(option), value) {
            (Some(Value::Must), None) => Some(args.next().cloned().ok_or_else(|| format!("option '--{name}' requires an argument"))?),
            (Some(Value::Must | Value::Maybe), value) => value,
            (_, None) => None,
            (_, Some(_)) => return Err(format!("option '--{name}' doesn't allow an argument")),
        };
        given.options.push((option, value));
        Ok(())
    }

    /// Reads the arguments of a process; explains itself and stops if they are wrong.
    pub(crate) async fn parse(&self, ctx: &Ctx) -> Result<Given, Stop> {
        let args = ctx.args().get(1..).unwrap_or_default();
        if args.len() == 1 && args[0] == "--help" {
            self.explain(ctx).await;
            return Err(Stop::Exit(0));
        }
        match self.read(args) {
            Ok(given) => Ok(given),
            Err(wrong) => {
                super::complain(ctx, wrong).await;
                Err(self.explain(ctx).await)
            }
        }
    }

    /// The same, with so many operands at least and at most.
    pub(crate) async fn parse_some(&self, ctx: &Ctx, least: usize, most: usize) -> Result<Given, Stop> {
        let given = self.parse(ctx).await?;
        if (least..=most).contains(&given.operands.len()) { Ok(given) } else { Err(self.explain(ctx).await) }
    }

    /// Says how it is called.
    pub(crate) async fn explain(&self, ctx: &Ctx) -> Stop {
        let text = format!("{BANNER}\n\nUsage: {} {}", super::name(ctx), self.syntax);
        ctx.err(format!("{}\n", text.trim_end())).await;
        Stop::Exit(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: Usage = Usage { syntax: "", short: "abn:o::", long: &[("all", 'a'), ("number", 'n'), ("numb", 'b')] };

    #[test]
    fn options_are_read_as_getopt_does() {
        let read = |args: &str| {
            USAGE.read(&args.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).map(|given| {
                let options = given.options.iter().map(|(option, value)| format!("{option}{}", value.as_deref().unwrap_or("")));
                format!("{} / {}", options.collect::<Vec<_>>().join(" "), given.operands.join(" "))
            })
        };
        for (args, expected) in [
            ("-ab x -n5 y", Ok("a b n5 / x y")),
            ("-an 5 -- -b", Ok("a n5 / -b")),
            ("--all --number=3 - x", Ok("a n3 / - x")),
            ("--number 3 --al", Ok("n3 a / ")),
            ("--numb", Ok("b / ")),
            ("-ofile -o file", Ok("ofile o / file")),
            ("-z", Err("invalid option -- 'z'")),
            ("-n", Err("option requires an argument -- 'n'")),
            ("--number", Err("option '--number' requires an argument")),
            ("--nu", Err("option '--nu' is ambiguous")),
            ("--what=1", Err("unrecognized option '--what=1'")),
            ("--all=1", Err("option '--all' doesn't allow an argument")),
        ] {
            assert_eq!(read(args).as_deref().map_err(String::as_str), expected, "{args}");
        }
        let first = Usage { short: "+a", ..USAGE };
        let given = first.read(&["-a".to_owned(), "x".to_owned(), "-a".to_owned()]);
        assert_eq!(given.map(|given| given.operands), Ok(vec!["x".to_owned(), "-a".to_owned()]));
    }
}
