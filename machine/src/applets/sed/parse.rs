//! From a script to commands.

use regex::bytes::Regex;

use crate::applets::hand::{Dialect, compile};

/// How deep groups may be.
const DEEPEST: usize = 64;

/// Which line is meant.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Line(u64),
    Last,
    /// `None`: the pattern used last.
    Fits(Option<Regex>),
    /// From here each so many lines.
    Step(u64, u64),
    /// So many lines behind the first.
    Plus(u64),
}

/// What is done.
#[derive(Clone, Debug)]
pub(super) enum Verb {
    Begin(usize),
    End,
    Label,
    Branch(Option<String>),
    BranchIf(Option<String>),
    BranchUnless(Option<String>),
    Append(Vec<u8>),
    Insert(Vec<u8>),
    Change(Vec<u8>),
    Substitute(Box<Substitution>),
    Translate(Vec<char>, Vec<char>),
    Read(String),
    Write(String),
    Quit(i32, bool),
    /// `d D g G h H l n N p P x =`
    Plain(char),
}

/// `s`
#[derive(Clone, Debug)]
pub(super) struct Substitution {
    pub(super) pattern: Option<Regex>,
    pub(super) with: Vec<Piece>,
    pub(super) all: bool,
    pub(super) print: bool,
    pub(super) number: usize,
    pub(super) write: Option<String>,
}

/// A part of what is put in place.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(Vec<u8>),
    Group(usize),
    /// `\U`, `\L`, `\E`, `\u`, `\l`
    Case(char),
}

/// A command.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) from: Option<Address>,
    pub(super) to: Option<Address>,
    pub(super) inverted: bool,
    pub(super) verb: Verb,
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    extended: bool,
    labels: Vec<(String, usize)>,
}

/// Reads a script; else says what is wrong with it.
pub(super) fn read(script: &str, extended: bool) -> Result<Vec<Command>, String> {
    let mut reader = Reader { rest: script.chars().peekable(), extended, labels: Vec::new() };
    let mut commands: Vec<Command> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    while let Some(command) = reader.command(commands.len())? {
        match command.verb {
            Verb::Begin(_) => {
                open.push(commands.len());
                if open.len() > DEEPEST {
                    return Err("too many {'s".to_owned());
                }
            }
            Verb::End => {
                let begin = open.pop().ok_or("unexpected '}'")?;
                let end = commands.len();
                commands[begin].verb = Verb::Begin(end);
            }
            _ => {}
        }
        commands.push(command);
    }
    if !open.is_empty() {
        return Err("unmatched '{'".to_owned());
    }
    for command in &commands {
        if let Verb::Branch(Some(label)) | Verb::BranchIf(Some(label)) | Verb::BranchUnless(Some(label)) = &command.verb
            && !reader.labels.iter().any(|(known, _)| known == label)
        {
            return Err(format!("can't find label for jump to '{label}'"));
        }
    }
    // Where labels are is known only now.
    let labels = reader.labels;
    let place = |label: &str| labels.iter().find(|(known, _)| known == label).map_or(0, |(_, at)| *at).to_string();
    for command in &mut commands {
        if let Verb::Branch(Some(label)) | Verb::BranchIf(Some(label)) | Verb::BranchUnless(Some(label)) = &mut command.verb {
            *label = place(label);
        }
    }
    Ok(commands)
}

impl Reader<'_> {
    fn blanks(&mut self) {
        while self.rest.next_if(|c| *c == ' ' || *c == '\t').is_some() {}
    }

    fn number(&mut self) -> Option<u64> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        digits.parse().ok()
    }

    fn command(&mut self, at: usize) -> Result<Option<Command>, String> {
        loop {
            while self.rest.next_if(|c| c.is_whitespace() || *c == ';').is_some() {}
            if self.rest.next_if_eq(&'#').is_none() {
                break;
            }
            while self.rest.next_if(|c| *c != '\n').is_some() {}
        }
        if self.rest.peek().is_none() {
            return Ok(None);
        }
        let from = self.address()?;
        self.blanks();
        let mut to = None;
        if from.is_some() && self.rest.next_if_eq(&',').is_some() {
            self.blanks();
            to = Some(self.address()?.ok_or("no address after comma")?);
            self.blanks();
        }
        let mut inverted = false;
        while self.rest.next_if_eq(&'!').is_some() {
            inverted = true;
            self.blanks();
        }
        let letter = self.rest.next().ok_or("missing command")?;
        if matches!(letter, ':' | '}') && from.is_some() {
            return Err(format!("command '{letter}' uses no addresses"));
        }
        let verb = self.verb(letter, at)?;
        Ok(Some(Command { from, to, inverted, verb }))
    }

    fn address(&mut self) -> Result<Option<Address>, String> {
        let Some(first) = self.rest.peek().copied() else { return Ok(None) };
        Ok(match first {
            '$' => {
                self.rest.next();
                Some(Address::Last)
            }
            '+' => {
                self.rest.next();
                Some(Address::Plus(self.number().ok_or("bad address")?))
            }
            '0'..='9' => {
                let line = self.number().unwrap_or(0);
                if self.rest.next_if_eq(&'~').is_some() {
                    Some(Address::Step(line, self.number().unwrap_or(0)))
                } else {
                    Some(Address::Line(line))
                }
            }
            '/' | '\\' => {
                self.rest.next();
                let delimiter = if first == '/' { '/' } else { self.rest.next().ok_or("bad address")? };
                let pattern = self.delimited(delimiter, true)?;
                let (mut ignore, mut lines) = (false, false);
                while let Some(flag) = self.rest.next_if(|c| matches!(c, 'I' | 'M')) {
                    if flag == 'I' { ignore = true } else { lines = true }
                }
                Some(Address::Fits(self.pattern(&pattern, ignore, lines)?))
            }
            _ => None,
        })
    }

    fn pattern(&self, pattern: &str, ignore: bool, lines: bool) -> Result<Option<Regex>, String> {
        if pattern.is_empty() {
            return Ok(None);
        }
        let dialect = if self.extended { Dialect::Extended } else { Dialect::Basic };
        compile(pattern, dialect, ignore, lines).map(Some).map_err(|why| format!("bad regex '{pattern}': {why}"))
    }

    /// The text through a delimiter, which a backslash makes ordinary. In a pattern it may also be in brackets.
    fn delimited(&mut self, delimiter: char, is_pattern: bool) -> Result<String, String> {
        let mut text = String::new();
        let mut bracket = false;
        while let Some(c) = self.rest.next() {
            match c {
                '\\' if !bracket => {
                    let next = self.rest.next().ok_or("unterminated s")?;
                    if next == delimiter {
                        text.push(next);
                    } else if next == 'n' && is_pattern {
                        text.push('\n');
                    } else {
                        text.push('\\');
                        text.push(next);
                    }
                }
                c if c == delimiter && !bracket => return Ok(text),
                '[' if is_pattern && !bracket => {
                    bracket = true;
                    text.push('[');
                    for c in ['^', ']'] {
                        if self.rest.next_if_eq(&c).is_some() {
                            text.push(c);
                        }
                    }
                }
                '[' if bracket && matches!(self.rest.peek(), Some(':' | '.' | '=')) => {
                    text.push('[');
                    let kind = self.rest.next().unwrap_or(':');
                    text.push(kind);
                    while let Some(c) = self.rest.next() {
                        text.push(c);
                        if c == kind && self.rest.peek() == Some(&']') {
                            text.push(']');
                            self.rest.next();
                            break;
                        }
                    }
                }
                ']' if bracket => {
                    bracket = false;
                    text.push(']');
                }
                c => text.push(c),
            }
        }
        Err("unmatched '/'".replace('/', delimiter.encode_utf8(&mut [0; 4])))
    }

    fn verb(&mut self, letter: char, at: usize) -> Result<Verb, String> {
        Ok(match letter {
            '{' => Verb::Begin(0),
            '}' => {
                self.end()?;
                Verb::End
            }
            ':' => {
                let label = self.word();
                if label.is_empty() {
                    return Err("missing label".to_owned());
                }
                self.labels.push((label, at));
                Verb::Label
            }
            'b' | 't' | 'T' => {
                let label = Some(self.word()).filter(|label| !label.is_empty());
                match letter {
                    'b' => Verb::Branch(label),
                    't' => Verb::BranchIf(label),
                    _ => Verb::BranchUnless(label),
                }
            }
            'a' => Verb::Append(self.text()?),
            'i' => Verb::Insert(self.text()?),
            'c' => Verb::Change(self.text()?),
            'r' | 'w' => {
                self.blanks();
                let file: String = std::iter::from_fn(|| self.rest.next_if(|c| *c != '\n')).collect();
                if file.is_empty() {
                    return Err("empty filename".to_owned());
                }
                if letter == 'r' { Verb::Read(file) } else { Verb::Write(file) }
            }
            'q' | 'Q' => {
                self.blanks();
                let code = self.number().unwrap_or(0);
                self.end()?;
                Verb::Quit(i32::try_from(code & 255).unwrap_or(0), letter == 'q')
            }
            's' => self.substitution()?,
            'y' => self.translation()?,
            'd' | 'D' | 'g' | 'G' | 'h' | 'H' | 'l' | 'n' | 'N' | 'p' | 'P' | 'x' | '=' => {
                self.end()?;
                Verb::Plain(letter)
            }
            letter => return Err(format!("unsupported command {letter}")),
        })
    }

    /// Behind a command nothing may be but the next.
    fn end(&mut self) -> Result<(), String> {
        self.blanks();
        match self.rest.peek() {
            None | Some(';' | '\n' | '}' | '#') => Ok(()),
            Some(_) => Err("extra characters after command".to_owned()),
        }
    }

    fn word(&mut self) -> String {
        self.blanks();
        let word: String = std::iter::from_fn(|| self.rest.next_if(|c| !matches!(c, '\n' | ';'))).collect();
        word.trim_end().to_owned()
    }

    /// The text of `a`, `i`, `c`: behind a backslash and a new line, or on the same line; lines that end with a backslash go on.
    fn text(&mut self) -> Result<Vec<u8>, String> {
        self.blanks();
        if self.rest.next_if_eq(&'\\').is_some() {
            self.blanks();
            if self.rest.next_if_eq(&'\n').is_none() {
                // A backslash before text keeps its blanks.
            }
        }
        let mut text = String::new();
        while let Some(c) = self.rest.next() {
            match c {
                '\n' => break,
                '\\' => match self.rest.next() {
                    Some('t') => text.push('\t'),
                    Some(c) => text.push(c),
                    None => {}
                },
                c => text.push(c),
            }
        }
        if text.is_empty() {
            return Err("expected \\ after 'a', 'c' or 'i'".to_owned());
        }
        text.push('\n');
        Ok(text.into_bytes())
    }

    fn substitution(&mut self) -> Result<Verb, String> {
        let delimiter = self.rest.next().filter(|c| *c != '\n' && *c != '\\').ok_or("bad format in substitution expression")?;
        let pattern = self.delimited(delimiter, true)?;
        let with = self.delimited(delimiter, false)?;
        let (mut all, mut print, mut ignore, mut lines, mut number, mut write) = (false, false, false, false, 0, None);
        loop {
            match self.rest.peek().copied() {
                Some('g') => all = true,
                Some('p') => print = true,
                Some('I' | 'i') => ignore = true,
                Some('M' | 'm') => lines = true,
                Some('0'..='9') => {
                    number = usize::try_from(self.number().unwrap_or(0)).unwrap_or(0);
                    continue;
                }
                Some('w') => {
                    self.rest.next();
                    self.blanks();
                    write = Some(std::iter::from_fn(|| self.rest.next_if(|c| *c != '\n')).collect::<String>());
                    break;
                }
                Some(' ' | '\t') => {}
                None | Some(';' | '\n' | '}' | '#') => break,
                Some(_) => return Err("bad option in substitution expression".to_owned()),
            }
            self.rest.next();
        }
        let pattern = self.pattern(&pattern, ignore, lines)?;
        let with = pieces(&with);
        let groups = pattern.as_ref().map_or(9, |pattern| pattern.captures_len() - 1);
        for piece in &with {
            if let Piece::Group(group) = piece
                && *group > groups
            {
                return Err(format!("invalid reference \\{group} on s command's RHS"));
            }
        }
        Ok(Verb::Substitute(Box::new(Substitution { pattern, with, all, print, number, write })))
    }

    fn translation(&mut self) -> Result<Verb, String> {
        let delimiter = self.rest.next().ok_or("bad y command")?;
        let mut sets = Vec::new();
        for _ in 0..2 {
            let text = self.delimited(delimiter, false)?;
            let mut letters = Vec::new();
            let mut rest = text.chars();
            while let Some(c) = rest.next() {
                letters.push(match c {
                    '\\' => match rest.next() {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some(c) => c,
                        None => '\\',
                    },
                    c => c,
                });
            }
            sets.push(letters);
        }
        self.end()?;
        match (sets.pop(), sets.pop()) {
            (Some(to), Some(from)) if to.len() == from.len() => Ok(Verb::Translate(from, to)),
            _ => Err("strings for 'y' command are different lengths".to_owned()),
        }
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let piece = match c {
            '&' => Piece::Group(0),
            '\\' => match rest.next() {
                Some(digit @ '0'..='9') => Piece::Group(digit as usize - '0' as usize),
                Some(case @ ('U' | 'L' | 'E' | 'u' | 'l')) => Piece::Case(case),
                Some('n') => {
                    plain.push('\n');
                    continue;
                }
                Some('t') => {
                    plain.push('\t');
                    continue;
                }
                Some(c) => {
                    plain.push(c);
                    continue;
                }
                None => continue,
            },
            c => {
                plain.push(c);
                continue;
            }
        };
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain).into_bytes()));
        }
        pieces.push(piece);
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain.into_bytes()));
    }
    pieces
}
