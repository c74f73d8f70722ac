//! Doing what a script says, line by line.

use std::collections::{BTreeMap, VecDeque};

use regex::bytes::Regex;

use super::parse::{Address, Command, Piece, Substitution, Verb};
use crate::{
    Ctx, Errno,
    applets::hand::{Input, Out, Stop, complain},
    files::Open,
    kernel::{Fd, Memory},
};

/// The longest a line, or what is kept, may become.
const LONGEST: usize = 8 << 20;

/// What happens behind a line.
enum Later {
    Text(Vec<u8>),
    File(String),
}

/// How a round ends.
enum Round {
    /// The line is shown, and the next comes.
    Next,
    /// It is not.
    Deleted,
    /// The script begins again with what is there.
    Again,
    /// Nothing more comes.
    Quit(i32, bool),
}

/// Whoever edits.
pub(super) struct Editor {
    ctx: Ctx,
    pub(super) out: Out,
    quiet: bool,
    pub(super) end: u8,
    files: VecDeque<String>,
    input: Option<Input>,
    ahead: Option<Vec<u8>>,
    number: u64,
    line: Vec<u8>,
    /// Whether the line that is there had an end.
    whole: bool,
    hold: Vec<u8>,
    later: Vec<Later>,
    ranges: Vec<Option<Range>>,
    last_pattern: Option<Regex>,
    substituted: bool,
    written: BTreeMap<String, Fd>,
    missing: bool,
    /// Whether a line was shown without its end, which comes before anything else that is.
    owes: bool,
    memory: Option<(usize, Memory)>,
}

/// A range that has begun.
#[derive(Clone, Copy)]
enum Range {
    Through(u64),
    Open,
}

impl Editor {
    pub(super) fn new(ctx: &Ctx, out: Out, quiet: bool) -> Self {
        Self {
            ctx: ctx.clone(),
            out,
            quiet,
            end: b'\n',
            files: VecDeque::new(),
            input: None,
            ahead: None,
            number: 0,
            line: Vec::new(),
            whole: true,
            hold: Vec::new(),
            later: Vec::new(),
            ranges: Vec::new(),
            last_pattern: None,
            substituted: false,
            written: BTreeMap::new(),
            missing: false,
            owes: false,
            memory: None,
        }
    }

    /// Edits files; answers an exit code.
    pub(super) async fn edit(&mut self, commands: &[Command], files: &[String]) -> Result<i32, Stop> {
        self.files = files.iter().cloned().collect();
        self.ranges = vec![None; commands.len()];
        self.ahead = self.fetch().await?;
        let mut again = false;
        let mut code = 0;
        while again || self.next_line().await? {
            let round = self.round(commands).await?;
            again = matches!(round, Round::Again);
            match round {
                Round::Deleted => {}
                Round::Again => {}
                Round::Next | Round::Quit(_, true) => self.show_line().await?,
                Round::Quit(_, false) => {}
            }
            self.catch_up().await?;
            if let Round::Quit(with, _) = round {
                code = with;
                break;
            }
        }
        Ok(if code == 0 && self.missing { 1 } else { code })
    }

    /// Reads a line from whichever file is next.
    async fn fetch(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        loop {
            if let Some(input) = &mut self.input {
                match input.until(self.end).await {
                    Ok(Some(line)) => return Ok(Some(line)),
                    Ok(None) => self.input = None,
                    Err(errno) => {
                        self.input = None;
                        complain(&self.ctx, format!("read error: {errno}")).await;
                        self.missing = true;
                    }
                }
            }
            let Some(file) = self.files.pop_front() else { return Ok(None) };
            match Input::open(&self.ctx, &file).await {
                Ok(input) => self.input = Some(input),
                Err(errno) => {
                    complain(&self.ctx, format!("{file}: {errno}")).await;
                    self.missing = true;
                }
            }
        }
    }

    /// Takes the next line; whether there is one.
    async fn next_line(&mut self) -> Result<bool, Stop> {
        let Some(mut line) = self.ahead.take() else { return Ok(false) };
        self.whole = line.last() == Some(&self.end);
        if self.whole {
            line.pop();
        }
        self.line = line;
        self.number += 1;
        self.substituted = false;
        self.ahead = self.fetch().await?;
        Ok(true)
    }

    fn is_last(&self) -> bool {
        self.ahead.is_none()
    }

    async fn put(&mut self, text: impl AsRef<[u8]>) -> Result<(), Stop> {
        if std::mem::take(&mut self.owes) {
            self.out.put([self.end]).await?;
        }
        self.out.put(text).await
    }

    async fn show(&mut self, text: &[u8]) -> Result<(), Stop> {
        self.put(text).await?;
        // The very last line has no end if it had none.
        if self.whole || !self.is_last() {
            return self.out.put([self.end]).await;
        }
        self.owes = true;
        Ok(())
    }

    async fn show_line(&mut self) -> Result<(), Stop> {
        if self.quiet {
            return Ok(());
        }
        let line = self.line.clone();
        self.show(&line).await
    }

    /// Shows what was to come behind the line.
    async fn catch_up(&mut self) -> Result<(), Stop> {
        for later in std::mem::take(&mut self.later) {
            match later {
                Later::Text(text) => self.put(text).await?,
                Later::File(file) => {
                    // A file that is not there is nothing.
                    if let Ok(mut input) = Input::open(&self.ctx, &file).await {
                        while let Ok(piece) = input.piece(usize::MAX).await {
                            if piece.is_empty() {
                                break;
                            }
                            self.put(piece).await?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn fits(&mut self, pattern: &Option<Regex>) -> bool {
        if let Some(pattern) = pattern {
            self.last_pattern = Some(pattern.clone());
        }
        self.last_pattern.as_ref().is_some_and(|pattern| pattern.is_match(&self.line))
    }

    fn meets(&mut self, address: &Address) -> bool {
        match address {
            Address::Line(line) => self.number == *line,
            Address::Last => self.is_last(),
            Address::Fits(pattern) => self.fits(pattern),
            Address::Step(first, step) => {
                if *step == 0 {
                    self.number == *first
                } else {
                    self.number >= *first && (self.number - first).is_multiple_of(*step)
                }
            }
            Address::Plus(_) => false,
        }
    }

    fn chosen(&mut self, at: usize, command: &Command) -> bool {
        let Some(from) = &command.from else { return true };
        let Some(to) = &command.to else { return self.meets(from) };
        match self.ranges[at] {
            Some(range) => {
                let over = match (range, to) {
                    (Range::Through(line), _) => self.number >= line,
                    (Range::Open, Address::Line(line)) => self.number >= *line,
                    (Range::Open, to) => self.meets(to),
                };
                // A range whose end lies behind it is one line.
                let past = matches!(to, Address::Line(line) if self.number > *line);
                if over {
                    self.ranges[at] = None;
                }
                !past
            }
            None => {
                let begins = match from {
                    // `0,/x/`: the end may be on the first line.
                    Address::Line(0) => {
                        if self.number == 1 && !self.meets(to) {
                            self.ranges[at] = Some(Range::Open);
                        }
                        return self.number == 1;
                    }
                    from => self.meets(from),
                };
                if begins {
                    self.ranges[at] = match to {
                        Address::Line(line) if *line <= self.number => None,
                        Address::Line(line) => Some(Range::Through(*line)),
                        Address::Plus(0) => None,
                        Address::Plus(count) => Some(Range::Through(self.number + count)),
                        Address::Last if self.is_last() => None,
                        _ => Some(Range::Open),
                    };
                }
                begins
            }
        }
    }

    async fn round(&mut self, commands: &[Command]) -> Result<Round, Stop> {
        let mut at = 0;
        while let Some(command) = commands.get(at) {
            self.ctx.step(1 + u32::try_from(self.line.len() / 4096).unwrap_or(0)).await;
            if self.line.len() + self.hold.len() > LONGEST {
                return Err(Stop::Input(Errno::ENOMEM));
            }
            self.account()?;
            let chosen = self.chosen(at, command) != command.inverted;
            let to = |label: &Option<String>| label.as_ref().map_or(commands.len(), |place| place.parse().unwrap_or(commands.len()));
            match &command.verb {
                Verb::Begin(end) if !chosen => at = *end,
                _ if !chosen => {}
                Verb::Begin(_) | Verb::End | Verb::Label => {}
                Verb::Branch(label) => {
                    at = to(label);
                    continue;
                }
                Verb::BranchIf(label) => {
                    if std::mem::take(&mut self.substituted) {
                        at = to(label);
                        continue;
                    }
                }
                Verb::BranchUnless(label) => {
                    if !std::mem::take(&mut self.substituted) {
                        at = to(label);
                        continue;
                    }
                }
                Verb::Append(text) => self.later.push(Later::Text(text.clone())),
                Verb::Insert(text) => self.put(text).await?,
                Verb::Change(text) => {
                    let inside = command.to.is_some() && self.ranges[at].is_some() && !command.inverted;
                    if !inside {
                        self.put(text).await?;
                    }
                    return Ok(Round::Deleted);
                }
                Verb::Read(file) => self.later.push(Later::File(file.clone())),
                Verb::Write(file) => self.write(file).await?,
                Verb::Quit(code, shows) => return Ok(Round::Quit(*code, *shows)),
                Verb::Translate(from, to) => self.translate(from, to),
                Verb::Substitute(substitution) => self.substitute(substitution).await?,
                Verb::Plain(letter) => {
                    if let Some(round) = self.plain(*letter).await? {
                        return Ok(round);
                    }
                }
            }
            at += 1;
        }
        Ok(Round::Next)
    }

    /// Accounts what is kept, where it is much.
    fn account(&mut self) -> Result<(), Stop> {
        const ROUGHLY: usize = 64 << 10;
        let size = (self.line.len() + self.hold.len()) / ROUGHLY * ROUGHLY;
        if self.memory.as_ref().map_or(0, |(held, _)| *held) != size {
            self.memory = None;
            if size > 0 {
                self.memory = Some((size, self.ctx.allocate(size as u64).map_err(Stop::Input)?));
            }
        }
        Ok(())
    }

    async fn plain(&mut self, letter: char) -> Result<Option<Round>, Stop> {
        match letter {
            'd' => return Ok(Some(Round::Deleted)),
            'D' => match self.line.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    self.line.drain(..=end);
                    return Ok(Some(Round::Again));
                }
                None => return Ok(Some(Round::Deleted)),
            },
            'g' => self.line.clone_from(&self.hold),
            'G' => {
                self.line.push(b'\n');
                self.line.extend_from_slice(&self.hold);
            }
            'h' => self.hold.clone_from(&self.line),
            'H' => {
                self.hold.push(b'\n');
                self.hold.extend_from_slice(&self.line);
            }
            'x' => std::mem::swap(&mut self.line, &mut self.hold),
            'l' => {
                let text = visible(&self.line);
                self.put(format!("{text}\n")).await?;
            }
            'p' => {
                let line = self.line.clone();
                self.show(&line).await?;
            }
            'P' => {
                let end = self.line.iter().position(|byte| *byte == b'\n').unwrap_or(self.line.len());
                let line = [&self.line[..end], b"\n"].concat();
                self.put(line).await?;
            }
            '=' => self.put(format!("{}\n", self.number)).await?,
            'n' | 'N' => {
                if self.is_last() {
                    // At the end both stop, as GNU has it, after the line was shown.
                    return Ok(Some(Round::Quit(0, true)));
                }
                let before = std::mem::take(&mut self.line);
                let substituted = self.substituted;
                if letter == 'n' {
                    self.line = before;
                    self.show_line().await?;
                    self.catch_up().await?;
                    self.next_line().await?;
                } else {
                    self.catch_up().await?;
                    self.next_line().await?;
                    self.line = [before, vec![b'\n'], std::mem::take(&mut self.line)].concat();
                }
                self.substituted = substituted;
            }
            _ => {}
        }
        Ok(None)
    }

    fn translate(&mut self, from: &[char], to: &[char]) {
        let text = String::from_utf8_lossy(&self.line).into_owned();
        let other = |c: char| from.iter().position(|known| *known == c).map_or(c, |at| to[at]);
        self.line = text.chars().map(other).collect::<String>().into_bytes();
    }

    async fn write(&mut self, file: &str) -> Result<(), Stop> {
        let text = [self.line.as_slice(), b"\n"].concat();
        match file {
            "/dev/stdout" => return self.put(text).await,
            "/dev/stderr" => {
                self.ctx.err(text).await;
                return Ok(());
            }
            _ => {}
        }
        let fd = match self.written.get(file) {
            Some(fd) => *fd,
            None => {
                let fd = self.ctx.open(file, Open::WRITE).await.map_err(Stop::Output)?;
                self.written.insert(file.to_owned(), fd);
                fd
            }
        };
        self.ctx.write_all(fd, &text).await.map_err(Stop::Output)
    }

    async fn substitute(&mut self, how: &Substitution) -> Result<(), Stop> {
        if let Some(pattern) = &how.pattern {
            self.last_pattern = Some(pattern.clone());
        }
        let Some(pattern) = self.last_pattern.clone() else {
            return Err(crate::applets::hand::fail(&self.ctx, "no previous regexp").await);
        };
        let line = std::mem::take(&mut self.line);
        let mut out = Vec::with_capacity(line.len());
        let (mut from, mut count, mut changed) = (0, 0, false);
        for found in pattern.captures_iter(&line) {
            let Some(all) = found.get(0) else { continue };
            count += 1;
            if count < how.number {
                continue;
            }
            out.extend_from_slice(&line[from..all.start()]);
            put_in(&mut out, &how.with, &found);
            from = all.end();
            changed = true;
            if !how.all || out.len() > LONGEST {
                break;
            }
        }
        out.extend_from_slice(&line[from..]);
        self.line = out;
        if changed {
            self.substituted = true;
            if how.print {
                let line = self.line.clone();
                self.show(&line).await?;
            }
            if let Some(file) = &how.write {
                self.write(file).await?;
            }
        }
        Ok(())
    }
}

fn put_in(out: &mut Vec<u8>, with: &[Piece], found: &regex::bytes::Captures<'_>) {
    let (mut case, mut once) = (None, None);
    for piece in with {
        let text = match piece {
            Piece::Text(text) => text.as_slice(),
            Piece::Group(group) => found.get(*group).map_or(&b""[..], |group| group.as_bytes()),
            Piece::Case('E') => {
                case = None;
                continue;
            }
            Piece::Case(letter @ ('U' | 'L')) => {
                case = Some(*letter);
                continue;
            }
            Piece::Case(letter) => {
                once = Some(*letter);
                continue;
            }
        };
        if case.is_none() && once.is_none() {
            out.extend_from_slice(text);
            continue;
        }
        let text = String::from_utf8_lossy(text);
        let text = match case {
            Some('U') => text.to_uppercase(),
            Some(_) => text.to_lowercase(),
            None => text.into_owned(),
        };
        let mut letters = text.chars();
        if let (Some(how), Some(first)) = (once, letters.clone().next()) {
            letters.next();
            let first = if how == 'u' { first.to_uppercase().to_string() } else { first.to_lowercase().to_string() };
            out.extend_from_slice(first.as_bytes());
            once = None;
        }
        out.extend_from_slice(letters.as_str().as_bytes());
    }
}

/// A line as `l` shows it.
fn visible(line: &[u8]) -> String {
    let mut text = String::new();
    for byte in line {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\r' => text.push_str("\\r"),
            7 => text.push_str("\\a"),
            8 => text.push_str("\\b"),
            12 => text.push_str("\\f"),
            11 => text.push_str("\\v"),
            32..127 => text.push(char::from(*byte)),
            byte => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text.push('$');
    text
}
