//! `sort`: lines in order.

use std::cmp::Ordering;

use super::hand::{Given, Input, Out, Outcome, Stop, Usage, fail};
use crate::{Ctx, files::Open, kernel::Memory};

const USAGE: Usage =
    Usage::short("[-nrughMcszbdfiokt] [-o FILE] [-k START[.OFS][OPTS][,END[.OFS][OPTS]] [-t CHAR] [FILE]...", "nrghMucszbdfimS:T:o:k:t:V");

/// How values are compared.
#[derive(Clone, Copy, Debug, Default)]
struct How {
    numeric: bool,
    general: bool,
    human: bool,
    month: bool,
    version: bool,
    reverse: bool,
    blanks: bool,
    fold: bool,
    dictionary: bool,
    printable: bool,
}

impl How {
    /// Takes an option letter; whether it is one.
    fn set(&mut self, letter: char) -> bool {
        let field = match letter {
            'n' => &mut self.numeric,
            'g' => &mut self.general,
            'h' => &mut self.human,
            'M' => &mut self.month,
            'V' => &mut self.version,
            'r' => &mut self.reverse,
            'b' => &mut self.blanks,
            'f' => &mut self.fold,
            'd' => &mut self.dictionary,
            'i' => &mut self.printable,
            _ => return false,
        };
        *field = true;
        true
    }

    fn compare(&self, one: &[u8], two: &[u8]) -> Ordering {
        let ordering = if self.numeric {
            number(one).total_cmp(&number(two))
        } else if self.general {
            general(one).total_cmp(&general(two))
        } else if self.human {
            human(one).total_cmp(&human(two))
        } else if self.month {
            month(one).cmp(&month(two))
        } else if self.version {
            version(one, two)
        } else if self.fold || self.dictionary || self.printable {
            self.folded(one).cmp(&self.folded(two))
        } else {
            one.cmp(two)
        };
        if self.reverse { ordering.reverse() } else { ordering }
    }

    fn folded(&self, text: &[u8]) -> Vec<u8> {
        let kept = |byte: &&u8| {
            (!self.dictionary || byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'\t'))
                && (!self.printable || (32..127).contains(*byte))
        };
        text.iter().filter(kept).map(|byte| if self.fold { byte.to_ascii_uppercase() } else { *byte }).collect()
    }
}

fn digits(text: &[u8]) -> (f64, usize) {
    let begin = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let sign = usize::from(text.get(begin) == Some(&b'-'));
    let rest = &text[begin + sign..];
    let mut dot = false;
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.' && !std::mem::replace(&mut dot, true)).count();
    let end = begin + sign + count;
    let value = std::str::from_utf8(&text[begin..end]).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    (value, end)
}

fn number(text: &[u8]) -> f64 {
    // Zero is zero, whatever its sign.
    digits(text).0 + 0.0
}

fn general(text: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(text);
    let text = text.trim();
    (0..=text.len())
        .rev()
        .filter(|end| text.is_char_boundary(*end))
        .find_map(|end| text[..end].parse::<f64>().ok())
        .unwrap_or(f64::NEG_INFINITY)
}

fn human(text: &[u8]) -> f64 {
    let (value, end) = digits(text);
    let unit = text.get(end).and_then(|byte| b"KMGTPE".iter().position(|unit| *unit == byte.to_ascii_uppercase()));
    value * 1024_f64.powi(unit.map_or(0, |unit| unit as i32 + 1))
}

fn month(text: &[u8]) -> usize {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let text = String::from_utf8_lossy(text).trim_start().to_ascii_lowercase();
    MONTHS.iter().position(|month| text.starts_with(month)).map_or(0, |at| at + 1)
}

fn version(one: &[u8], two: &[u8]) -> Ordering {
    let (mut one, mut two) = (one, two);
    loop {
        let (Some(a), Some(b)) = (one.first(), two.first()) else { return one.len().cmp(&two.len()) };
        if a.is_ascii_digit() && b.is_ascii_digit() {
            let take = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (first, second) = (take(one), take(two));
            let strip = |digits: &[u8]| digits.iter().copied().skip_while(|byte| *byte == b'0').collect::<Vec<u8>>();
            let (x, y) = (strip(&one[..first]), strip(&two[..second]));
            match x.len().cmp(&y.len()).then_with(|| x.cmp(&y)) {
                Ordering::Equal => (one, two) = (&one[first..], &two[second..]),
                other => return other,
            }
        } else if a == b {
            (one, two) = (&one[1..], &two[1..]);
        } else {
            return a.cmp(b);
        }
    }
}

/// A key: from where to where.
#[derive(Clone, Copy, Debug, Default)]
struct Key {
    from: (usize, usize),
    to: (usize, usize),
    how: Option<How>,
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once(',').map_or((text, None), |(from, to)| (from, Some(to)));
        let mut how = How::default();
        let mut any = false;
        let mut place = |text: &str| -> Option<(usize, usize)> {
            let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
            for letter in text[end..].chars() {
                any |= how.set(letter);
            }
            let (field, offset) = text[..end].split_once('.').unwrap_or((&text[..end], "0"));
            Some((field.parse().ok()?, offset.parse().ok()?))
        };
        let from = place(from).filter(|(field, _)| *field > 0)?;
        let to = to.map_or(Some((0, 0)), &mut place)?;
        Some(Self { from, to, how: any.then_some(how) })
    }

    fn of<'a>(&self, line: &'a [u8], separator: Option<u8>, blanks: bool) -> &'a [u8] {
        let start = {
            let (begin, end) = field(line, self.from.0, separator);
            let blanks = if blanks { line[begin..].iter().take_while(|byte| byte.is_ascii_whitespace()).count() } else { 0 };
            (begin + blanks + self.from.1.saturating_sub(1)).min(if self.to.0 == 0 { line.len() } else { end.max(begin) }.max(begin))
        };
        let end = match self.to {
            (0, _) => line.len(),
            (field_number, 0) => field(line, field_number, separator).1,
            (field_number, offset) => (field(line, field_number, separator).0 + offset).min(line.len()),
        };
        &line[start.min(line.len())..end.max(start).min(line.len())]
    }
}

/// Where a field begins and ends; without a separator blanks belong to the field behind them.
fn field(line: &[u8], number: usize, separator: Option<u8>) -> (usize, usize) {
    let mut begin = 0;
    for at in 1.. {
        let end = match separator {
            Some(separator) => line[begin..].iter().position(|byte| *byte == separator).map_or(line.len(), |found| begin + found),
            None => {
                let blanks = line[begin..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                begin + blanks + line[begin + blanks..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count()
            }
        };
        if at == number {
            return (begin, end);
        }
        if end >= line.len() {
            return (line.len(), line.len());
        }
        begin = end + usize::from(separator.is_some());
    }
    (line.len(), line.len())
}

struct Sorter {
    keys: Vec<Key>,
    how: How,
    separator: Option<u8>,
}

impl Sorter {
    /// By the keys only.
    fn by_keys(&self, one: &[u8], two: &[u8]) -> Ordering {
        if self.keys.is_empty() {
            let skip = |text: &[u8]| if self.how.blanks { text.iter().take_while(|byte| byte.is_ascii_whitespace()).count() } else { 0 };
            return self.how.compare(&one[skip(one)..], &two[skip(two)..]);
        }
        for key in &self.keys {
            let how = key.how.unwrap_or(self.how);
            let ordering = how.compare(key.of(one, self.separator, how.blanks), key.of(two, self.separator, how.blanks));
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        Ordering::Equal
    }

    /// And what they leave open by all of the line.
    fn whole(&self, one: &[u8], two: &[u8], stable: bool) -> Ordering {
        let rest = || {
            if stable {
                Ordering::Equal
            } else if self.how.reverse {
                two.cmp(one)
            } else {
                one.cmp(two)
            }
        };
        self.by_keys(one, two).then_with(rest)
    }
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let mut sorter = Sorter { keys: Vec::new(), how: How::default(), separator: given.value('t').and_then(|text| text.bytes().next()) };
    for (option, _) in &given.options {
        sorter.how.set(*option);
    }
    for text in given.values('k') {
        match Key::parse(text) {
            Some(key) => sorter.keys.push(key),
            None => return Err(fail(&ctx, format!("bad field specification '{text}'")).await),
        }
    }
    let (mut lines, _held) = read(&ctx, &given).await?;
    let stable = given.has('s') || given.has('u');
    if given.has('c') {
        for (at, pair) in lines.windows(2).enumerate() {
            let ordering = sorter.by_keys(&pair[0], &pair[1]);
            if ordering == Ordering::Greater || ordering == Ordering::Equal && given.has('u') {
                super::hand::complain(&ctx, format!("Check line {}", at + 1)).await;
                return Ok(1);
            }
        }
        return Ok(0);
    }
    let count = lines.len() as u64;
    ctx.step(u32::try_from(count.saturating_mul(u64::from(count.max(2).ilog2())) / 8).unwrap_or(u32::MAX)).await;
    lines.sort_by(|one, two| sorter.whole(one, two, stable));
    if given.has('u') {
        lines.dedup_by(|later, earlier| sorter.by_keys(earlier, later) == Ordering::Equal);
    }
    let mut out = match given.value('o') {
        Some(file) => match ctx.open(file, Open::WRITE).await {
            Ok(fd) => Out::to(&ctx, fd),
            Err(errno) => return Err(fail(&ctx, format!("can't open '{file}': {errno}")).await),
        },
        None => Out::new(&ctx),
    };
    let end = if given.has('z') { 0 } else { b'\n' };
    for mut line in lines {
        line.push(end);
        out.put(line).await?;
    }
    out.end(0).await
}

async fn read(ctx: &Ctx, given: &Given) -> Result<(Vec<Vec<u8>>, Vec<Memory>), Stop> {
    const ACCOUNTED: usize = 64 << 10;
    let end = if given.has('z') { 0 } else { b'\n' };
    let (mut lines, mut held, mut size) = (Vec::new(), Vec::new(), 0);
    for file in given.files() {
        let mut input = match Input::open(ctx, &file).await {
            Ok(input) => input,
            Err(errno) => return Err(fail(ctx, format!("can't open '{file}': {errno}")).await),
        };
        while let Some(mut line) = input.until(end).await.map_err(Stop::Input)? {
            if line.last() == Some(&end) {
                line.pop();
            }
            size += line.len() + size_of::<Vec<u8>>();
            if size > ACCOUNTED {
                held.push(ctx.allocate(size as u64).map_err(Stop::Input)?);
                size = 0;
            }
            lines.push(line);
        }
    }
    Ok((lines, held))
}
