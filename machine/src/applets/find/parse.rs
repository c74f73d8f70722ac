//! What `find` is asked: paths, and an expression of tests.

use jiff::Timestamp;
use regex::bytes::Regex;

use crate::{
    Ctx,
    applets::hand::{Dialect, apply_mode, compile, wildcard},
    files::Mode,
};

/// A number, more or less than it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    Exactly(u64),
    More(u64),
    Less(u64),
}

impl Range {
    pub(super) fn fits(self, value: u64) -> bool {
        match self {
            Self::Exactly(number) => value == number,
            Self::More(number) => value > number,
            Self::Less(number) => value < number,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_at_checked(1) {
            Some(("+", rest)) => rest.parse().ok().map(Self::More),
            Some(("-", rest)) => rest.parse().ok().map(Self::Less),
            _ => text.parse().ok().map(Self::Exactly),
        }
    }
}

/// A test, or something to be done.
#[derive(Debug)]
pub(super) enum Test {
    Name(Regex),
    Path(Regex),
    Kind(String),
    Age(Range, i64),
    Size(Range, u64),
    Newer(Timestamp),
    Empty,
    Mode(char, Mode),
    User(u32),
    Group(u32),
    Links(Range),
    Inode(u64),
    Print(char),
    Prune,
    Quit,
    Delete,
    True,
    False,
    Exec(Vec<String>, bool),
    Gather(usize, Vec<String>),
}

/// An expression.
#[derive(Debug)]
pub(super) enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
}

/// What `find` is asked.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) paths: Vec<String>,
    pub(super) root: Node,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) depth: bool,
    pub(super) follow: bool,
    pub(super) gathering: Vec<Vec<String>>,
}

struct Parser<'a> {
    ctx: &'a Ctx,
    rest: &'a [String],
    acts: bool,
    deep: usize,
    out: Options,
}

#[derive(Default)]
struct Options {
    least: usize,
    most: Option<usize>,
    depth: bool,
    gathering: Vec<Vec<String>>,
}

/// How deep brackets may be.
const DEEPEST: usize = 50;

/// Reads the arguments.
pub(super) fn read(ctx: &Ctx, args: &[String]) -> Result<Expression, String> {
    let mut rest = args;
    let mut follow = false;
    while let Some(option) = rest.first().filter(|first| matches!(first.as_str(), "-L" | "-H" | "-P")) {
        follow = option == "-L";
        rest = &rest[1..];
    }
    let begins = |arg: &String| arg.starts_with('-') && arg.len() > 1 || matches!(arg.as_str(), "(" | "!" | ")");
    let count = rest.iter().take_while(|arg| !begins(arg)).count();
    let paths = if count == 0 { vec![".".to_owned()] } else { rest[..count].to_vec() };
    let mut parser = Parser { ctx, rest: &rest[count..], acts: false, deep: 0, out: Options::default() };
    let mut root = if parser.rest.is_empty() { Node::Test(Test::True) } else { parser.or()? };
    if let Some(extra) = parser.rest.first() {
        return Err(format!("unrecognized: {extra}"));
    }
    if !parser.acts {
        root = Node::And(vec![root, Node::Test(Test::Print('\n'))]);
    }
    let Options { least, most, depth, gathering } = parser.out;
    Ok(Expression { paths, root, least, most: most.unwrap_or(usize::MAX), depth, follow, gathering })
}

impl Parser<'_> {
    fn take(&mut self, words: &[&str]) -> bool {
        let there = self.rest.first().is_some_and(|first| words.contains(&first.as_str()));
        if there {
            self.rest = &self.rest[1..];
        }
        there
    }

    fn or(&mut self) -> Result<Node, String> {
        let mut parts = vec![self.and()?];
        while self.take(&["-o", "-or"]) {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Or(parts) })
    }

    fn and(&mut self) -> Result<Node, String> {
        let mut parts = vec![self.not()?];
        loop {
            let explicit = self.take(&["-a", "-and"]);
            if !explicit && self.rest.first().is_none_or(|next| matches!(next.as_str(), ")" | "-o" | "-or")) {
                return Ok(if parts.len() == 1 { parts.remove(0) } else { Node::And(parts) });
            }
            parts.push(self.not()?);
        }
    }

    fn not(&mut self) -> Result<Node, String> {
        let mut inverted = false;
        while self.take(&["!", "-not"]) {
            inverted = !inverted;
        }
        let node = if self.take(&["("]) {
            self.deep += 1;
            if self.deep > DEEPEST {
                return Err("too deep".to_owned());
            }
            let inner = self.or()?;
            self.deep -= 1;
            if !self.take(&[")"]) {
                return Err("unpaired '('".to_owned());
            }
            inner
        } else {
            Node::Test(self.test()?)
        };
        Ok(if inverted { Node::Not(Box::new(node)) } else { node })
    }

    fn value(&mut self, name: &str) -> Result<String, String> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| format!("{name} requires an argument"))?;
        self.rest = rest;
        Ok(first.clone())
    }

    fn range(&mut self, name: &str) -> Result<Range, String> {
        let text = self.value(name)?;
        Range::parse(&text).ok_or_else(|| format!("invalid number '{}'", text.trim_start_matches(['+', '-'])))
    }

    fn test(&mut self) -> Result<Test, String> {
        let Some((name, rest)) = self.rest.split_first() else { return Err("syntax error".to_owned()) };
        self.rest = rest;
        Ok(match name.as_str() {
            "-name" | "-iname" => Test::Name(wildcard(&self.value(name)?, name == "-iname", false)?),
            "-path" | "-wholename" | "-ipath" => Test::Path(wildcard(&self.value(name)?, name == "-ipath", false)?),
            "-regex" => Test::Path(compile(&format!("^\\({}\\)$", self.value(name)?), Dialect::Basic, false, false)?),
            "-type" => Test::Kind(self.value(name)?),
            "-mtime" | "-atime" | "-ctime" => Test::Age(self.range(name)?, 86400),
            "-mmin" | "-amin" | "-cmin" => Test::Age(self.range(name)?, 60),
            "-size" => self.size()?,
            "-newer" => {
                let file = self.value(name)?;
                Test::Newer(self.ctx.stat(&file).map_err(|errno| format!("{file}: {errno}"))?.modified)
            }
            "-empty" => Test::Empty,
            "-perm" => {
                let text = self.value(name)?;
                let (how, digits) = if text.starts_with(['-', '/']) { text.split_at(1) } else { ("", text.as_str()) };
                let mode = apply_mode(digits, 0, false, 0).ok_or_else(|| format!("invalid mode '{text}'"))?;
                Test::Mode(how.chars().next().unwrap_or(' '), mode)
            }
            "-user" | "-uid" => self.number(name).map(Test::User)?,
            "-group" | "-gid" => self.number(name).map(Test::Group)?,
            "-links" => Test::Links(self.range(name)?),
            "-inum" => Test::Inode(u64::from(self.number(name)?)),
            "-maxdepth" | "-mindepth" => {
                let depth = self.number(name)? as usize;
                if name == "-maxdepth" {
                    self.out.most = Some(depth)
                } else {
                    self.out.least = depth
                }
                Test::True
            }
            "-depth" | "-d" => {
                self.out.depth = true;
                Test::True
            }
            "-follow" | "-xdev" | "-mount" | "-true" | "-noleaf" => Test::True,
            "-false" => Test::False,
            "-prune" => Test::Prune,
            "-print" | "-print0" => {
                self.acts = true;
                Test::Print(if name == "-print" { '\n' } else { '\0' })
            }
            "-quit" => Test::Quit,
            "-delete" => {
                self.acts = true;
                self.out.depth = true;
                Test::Delete
            }
            "-exec" | "-ok" => self.exec(name == "-ok")?,
            name => return Err(format!("unrecognized: {name}")),
        })
    }

    fn number(&mut self, name: &str) -> Result<u32, String> {
        let text = self.value(name)?;
        match (name, text.as_str()) {
            ("-user" | "-group", "root") => Ok(0),
            ("-user" | "-group", "nobody" | "nogroup") => Ok(65534),
            _ => {
                text.parse().map_err(|_| if name == "-user" { format!("unknown user {text}") } else { format!("invalid number '{text}'") })
            }
        }
    }

    fn size(&mut self) -> Result<Test, String> {
        let text = self.value("-size")?;
        let (digits, unit) = match text.chars().last() {
            Some('c') => (&text[..text.len() - 1], 1),
            Some('w') => (&text[..text.len() - 1], 2),
            Some('b') => (&text[..text.len() - 1], 512),
            Some('k') => (&text[..text.len() - 1], 1 << 10),
            Some('M') => (&text[..text.len() - 1], 1 << 20),
            Some('G') => (&text[..text.len() - 1], 1 << 30),
            _ => (text.as_str(), 512),
        };
        Ok(Test::Size(Range::parse(digits).ok_or_else(|| format!("invalid number '{text}'"))?, unit))
    }

    fn exec(&mut self, asks: bool) -> Result<Test, String> {
        self.acts = true;
        let end = self.rest.iter().position(|arg| arg == ";" || arg == "+").ok_or("-exec requires an argument")?;
        let command = self.rest[..end].to_vec();
        if command.is_empty() {
            return Err("-exec requires an argument".to_owned());
        }
        let gathers = self.rest[end] == "+";
        self.rest = &self.rest[end + 1..];
        if gathers {
            self.out.gathering.push(command.clone());
            return Ok(Test::Gather(self.out.gathering.len() - 1, command));
        }
        Ok(Test::Exec(command, asks))
    }
}
