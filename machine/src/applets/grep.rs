//! `grep`, `egrep`, `fgrep`: lines that fit a pattern.

use std::collections::VecDeque;

use regex::bytes::Regex;

use super::hand::{Dialect, Follow, Given, Input, Out, Outcome, Stop, Usage, Visit, Walk, compile, complain, name};
use crate::Ctx;

const USAGE: Usage = Usage {
    syntax: "[-HhnlLoqvsrRiwFE] [-m N] [-A|B|C N] { PATTERN | -e PATTERN... | -f FILE... } [FILE]...",
    short: "lnqvscFiHhe:f:Lorm:wxA:B:C:EzRPa",
    long: &[
        ("color", '\u{1}'),
        ("ignore-case", 'i'),
        ("invert-match", 'v'),
        ("count", 'c'),
        ("quiet", 'q'),
        ("recursive", 'r'),
        ("extended-regexp", 'E'),
    ],
};

struct Search<'a> {
    ctx: &'a Ctx,
    given: &'a Given,
    patterns: Vec<Regex>,
    end: u8,
    most: u64,
    before: usize,
    after: usize,
    with_names: bool,
    out: Out,
    found: bool,
    failed: bool,
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    // `--color` changes nothing that can be seen in text.
    let args = ctx.args().iter().filter(|arg| !arg.starts_with("--color")).cloned().collect();
    let ctx = ctx.with_args(args);
    let given = USAGE.parse(&ctx).await.map_err(as_trouble)?;
    let mut patterns: Vec<String> = given.values('e').flat_map(|text| text.split('\n')).map(str::to_owned).collect();
    let mut operands = given.operands.clone();
    for file in given.values('f') {
        match Input::open(&ctx, file).await {
            Ok(mut input) => {
                while let Some(line) = input.line().await.map_err(Stop::Input)? {
                    patterns.push(String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned());
                }
            }
            Err(errno) => {
                complain(&ctx, format!("can't open '{file}': {errno}")).await;
                return Ok(2);
            }
        }
    }
    if !given.has('e') && !given.has('f') {
        if operands.is_empty() {
            return Err(as_trouble(USAGE.explain(&ctx).await));
        }
        patterns.extend(operands.remove(0).split('\n').map(str::to_owned));
    }
    let patterns = match compiled(&ctx, &given, &patterns) {
        Ok(patterns) => patterns,
        Err(why) => {
            complain(&ctx, why).await;
            return Ok(2);
        }
    };
    let number = |option| given.value(option).map(|text| text.parse::<u64>().map_err(|_| text.to_owned()));
    let mut counts = [None; 4];
    for (at, option) in ['m', 'A', 'B', 'C'].into_iter().enumerate() {
        match number(option) {
            Some(Err(text)) => {
                complain(&ctx, format!("invalid number '{text}'")).await;
                return Ok(2);
            }
            Some(Ok(number)) => counts[at] = Some(number),
            None => {}
        }
    }
    let context = |at: usize| usize::try_from(counts[at].or(counts[3]).unwrap_or(0)).unwrap_or(usize::MAX);
    let recursive = given.has('r') || given.has('R');
    let files = if operands.is_empty() { vec![if recursive { ".".to_owned() } else { "-".to_owned() }] } else { operands };
    let mut search = Search {
        ctx: &ctx,
        given: &given,
        patterns,
        end: if given.has('z') { 0 } else { b'\n' },
        most: counts[0].unwrap_or(u64::MAX),
        before: context(2),
        after: context(1),
        with_names: given.last_of("Hh").map_or(files.len() > 1 || recursive, |last| last == 'H'),
        out: Out::new(&ctx),
        found: false,
        failed: false,
    };
    for file in &files {
        if recursive { search.below(file).await? } else { search.one(file).await? }
    }
    let code = if search.found && (given.has('q') || !search.failed) {
        0
    } else if search.failed {
        2
    } else {
        1
    };
    search.out.end(code).await
}

/// Of this program 1 says that nothing fits.
fn as_trouble(stop: Stop) -> Stop {
    if stop == Stop::Exit(1) { Stop::Exit(2) } else { stop }
}

fn compiled(ctx: &Ctx, given: &Given, patterns: &[String]) -> Result<Vec<Regex>, String> {
    let dialect = match (name(ctx), given.last_of("EF")) {
        (_, Some('F')) | ("fgrep", None) => Dialect::Fixed,
        (_, Some(_)) | ("egrep", None) => Dialect::Extended,
        _ => Dialect::Basic,
    };
    let make = |pattern: &String| compile(pattern, dialect, given.has('i'), false).map_err(|why| format!("bad regex '{pattern}': {why}"));
    patterns.iter().map(make).collect()
}

impl Search<'_> {
    fn has(&self, option: char) -> bool {
        self.given.has(option)
    }

    async fn below(&mut self, file: &str) -> Result<(), Stop> {
        let mut walk = Walk::new(self.ctx, file, if self.has('R') { Follow::Always } else { Follow::Named });
        while let Some(visit) = walk.next().await {
            match visit {
                Visit::Before(found) if found.stat.kind == crate::files::Kind::File => self.one(&found.path).await?,
                Visit::Lost(path, errno) => self.trouble(&path, errno).await,
                Visit::Closed(found, errno) => self.trouble(&found.path, errno).await,
                _ => {}
            }
        }
        Ok(())
    }

    async fn trouble(&mut self, file: &str, errno: crate::Errno) {
        self.failed = true;
        if !self.has('s') {
            complain(self.ctx, format!("{file}: {errno}")).await;
        }
    }

    /// Where a line fits, from a place on.
    fn find(&self, line: &[u8], from: usize) -> Option<(usize, usize)> {
        let mut best: Option<(usize, usize)> = None;
        for pattern in &self.patterns {
            let mut at = from;
            while let Some(found) = pattern.find_at(line, at) {
                let (start, end) = (found.start(), found.end());
                let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                let fits = if self.has('x') {
                    start == 0 && end == line.len()
                } else if self.has('w') {
                    start < end && !(start > 0 && is_word(line[start - 1])) && !line.get(end).is_some_and(|byte| is_word(*byte))
                } else {
                    true
                };
                if fits {
                    if best.is_none_or(|(first, last)| start < first || start == first && end > last) {
                        best = Some((start, end));
                    }
                    break;
                }
                at = start + 1;
                if at > line.len() {
                    break;
                }
            }
        }
        best
    }

    async fn one(&mut self, file: &str) -> Result<(), Stop> {
        let mut input = match Input::open(self.ctx, file).await {
            Ok(input) => input,
            Err(errno) => {
                self.trouble(file, errno).await;
                return Ok(());
            }
        };
        let shown = if file == "-" { "(standard input)" } else { file };
        let (mut number, mut count, mut last_shown) = (0_u64, 0_u64, 0_u64);
        let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
        let mut after = 0;
        loop {
            let line = match input.until(self.end).await {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(errno) => {
                    self.trouble(file, errno).await;
                    break;
                }
            };
            number += 1;
            self.ctx.step(1 + u32::try_from(line.len() / 1024).unwrap_or(0)).await;
            let line = line.strip_suffix(&[self.end]).unwrap_or(&line).to_vec();
            let place = self.find(&line, 0);
            if place.is_some() != self.has('v') {
                self.found = true;
                count += 1;
                if self.has('q') {
                    self.out.flush().await?;
                    return Err(Stop::Exit(0));
                }
                if self.has('l') || self.has('L') {
                    break;
                }
                if !self.has('c') {
                    let begins = number - kept.len() as u64;
                    if (self.before > 0 || self.after > 0) && last_shown > 0 && begins > last_shown + 1 {
                        self.out.line("--").await?;
                    }
                    for (at, old) in std::mem::take(&mut kept).into_iter().enumerate() {
                        self.line(shown, begins + at as u64, b'-', &old).await?;
                    }
                    if self.has('o') {
                        if !self.has('v') {
                            self.parts(shown, number, &line).await?;
                        }
                    } else {
                        self.line(shown, number, b':', &line).await?;
                    }
                    (last_shown, after) = (number, self.after);
                }
                if count >= self.most {
                    break;
                }
            } else if after > 0 {
                after -= 1;
                self.line(shown, number, b'-', &line).await?;
                last_shown = number;
            } else if self.before > 0 {
                kept.push_back(line);
                if kept.len() > self.before {
                    kept.pop_front();
                }
            }
        }
        self.summary(shown, count).await
    }

    async fn summary(&mut self, shown: &str, count: u64) -> Result<(), Stop> {
        if self.has('c') {
            let prefix = if self.with_names { format!("{shown}:") } else { String::new() };
            self.out.line(format!("{prefix}{count}")).await?;
        }
        if self.has('l') && count > 0 || self.has('L') && count == 0 {
            self.out.line(shown).await?;
        }
        Ok(())
    }

    fn prefix(&self, shown: &str, number: u64, sign: u8) -> Vec<u8> {
        let mut prefix = Vec::new();
        if self.with_names {
            prefix.extend(shown.bytes());
            prefix.push(sign);
        }
        if self.has('n') {
            prefix.extend(number.to_string().bytes());
            prefix.push(sign);
        }
        prefix
    }

    async fn line(&mut self, shown: &str, number: u64, sign: u8, line: &[u8]) -> Result<(), Stop> {
        let mut text = self.prefix(shown, number, sign);
        text.extend(line);
        text.push(self.end);
        self.out.put(text).await
    }

    async fn parts(&mut self, shown: &str, number: u64, line: &[u8]) -> Result<(), Stop> {
        let mut from = 0;
        while let Some((start, end)) = self.find(line, from) {
            if end > start {
                self.line(shown, number, b':', &line[start..end]).await?;
            }
            from = if end > start { end } else { end + 1 };
            if from > line.len() {
                break;
            }
        }
        Ok(())
    }
}
