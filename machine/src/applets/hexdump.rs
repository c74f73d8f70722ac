//! `hexdump`, `hd`, `xxd`, `od`: bytes as numbers.

use super::hand::{Out, Outcome, Stop, Usage, fail, name, open_or_complain, suffixed};
use crate::Ctx;

/// How bytes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `-C`
    Canonical,
    /// Numbers of so many bytes, in this base, so wide.
    Numbers(usize, char, usize),
    /// `-c`
    Characters,
}

struct Dump {
    styles: Vec<Style>,
    /// `d`, `o`, `x`, `n`, and how wide.
    address: (char, usize),
    /// Whether the same line is shown again.
    all: bool,
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let called = name(&ctx).to_owned();
    let usage = match called.as_str() {
        "od" => Usage::short("[-abcdfhilovxs] [-t TYPE] [-A RADIX] [-N SIZE] [-j SKIP] [-w[WIDTH]] [FILE]...", "bcdoxvA:N:j:t:w::"),
        _ => Usage::short("[-bcdoxCv] [-e FMT] [-f FMT_FILE] [-n LEN] [-s SKIP] [FILE]...", "bcdoxCvn:s:R"),
    };
    let given = usage.parse(&ctx).await?;
    let od = called == "od";
    let mut styles: Vec<Style> = Vec::new();
    for (option, value) in &given.options {
        styles.extend(match (option, value.as_deref()) {
            ('C', _) => Some(Style::Canonical),
            ('c', _) => Some(Style::Characters),
            ('b', _) => Some(Style::Numbers(1, 'o', 3)),
            ('d', _) => Some(Style::Numbers(2, 'd', 5)),
            ('o', _) => Some(Style::Numbers(2, 'o', 6)),
            ('x', _) => Some(Style::Numbers(2, 'x', 4)),
            ('t', Some(kind)) => match kind_of(kind) {
                Some(style) => Some(style),
                None => return Err(fail(&ctx, format!("invalid type string '{kind}'")).await),
            },
            _ => None,
        });
    }
    if styles.is_empty() {
        styles.push(match called.as_str() {
            "hd" => Style::Canonical,
            "od" => Style::Numbers(2, 'o', 6),
            _ => Style::Numbers(2, 'x', 4),
        });
    }
    let number = |option| {
        given
            .value(option)
            .map(|text| suffixed(text).or_else(|| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()).ok_or_else(|| text.to_owned()))
    };
    let (skip, most) = match (number('s').or(number('j')), number('n').or(number('N'))) {
        (Some(Err(text)), _) | (_, Some(Err(text))) => return Err(fail(&ctx, format!("invalid number '{text}'")).await),
        (skip, most) => (skip.and_then(Result::ok).unwrap_or(0), most.and_then(Result::ok).unwrap_or(u64::MAX)),
    };
    let address = match given.value('A').and_then(|radix| radix.chars().next()) {
        Some(radix) => (radix, if radix == 'x' { 6 } else { 7 }),
        None if od => ('o', 7),
        None if styles.contains(&Style::Canonical) => ('x', 8),
        None => ('x', 7),
    };
    let dump = Dump { styles, address, all: given.has('v') };
    let mut out = Out::new(&ctx);
    let (mut code, mut bytes, mut shown) = (0, Rows::default(), 0);
    let mut left_out = skip;
    for file in given.files() {
        let Some(mut input) = open_or_complain(&ctx, &file, false).await else {
            code = 1;
            continue;
        };
        while shown < most {
            let mut piece = input.piece(usize::MAX).await.map_err(Stop::Input)?;
            if piece.is_empty() {
                break;
            }
            let dropped = left_out.min(piece.len() as u64);
            left_out -= dropped;
            piece.drain(..usize::try_from(dropped).unwrap_or(0));
            piece.truncate(usize::try_from(most - shown).unwrap_or(usize::MAX));
            input.looked_at(piece.len() * 4).await;
            shown += piece.len() as u64;
            bytes.feed(&dump, &mut out, &piece, skip).await?;
        }
    }
    bytes.end(&dump, &mut out, skip).await?;
    out.end(code).await
}

fn kind_of(text: &str) -> Option<Style> {
    let (letter, size) = text.split_at_checked(1)?;
    let size: usize =
        if size.is_empty() { if letter == "c" || letter == "a" { 1 } else { 4 } } else { size.trim_end_matches('z').parse().unwrap_or(1) };
    Some(match (letter, size) {
        ("c" | "a", _) => Style::Characters,
        ("x", 1 | 2 | 4 | 8) => Style::Numbers(size, 'x', size * 2),
        ("o", 1) => Style::Numbers(1, 'o', 3),
        ("o", 2) => Style::Numbers(2, 'o', 6),
        ("o", 4) => Style::Numbers(4, 'o', 11),
        ("u", 1) => Style::Numbers(1, 'd', 3),
        ("u", 2) => Style::Numbers(2, 'd', 5),
        ("u", 4) => Style::Numbers(4, 'd', 10),
        ("d", 1) => Style::Numbers(1, 'i', 4),
        ("d", 2) => Style::Numbers(2, 'i', 6),
        ("d", 4) => Style::Numbers(4, 'i', 11),
        _ => return None,
    })
}

#[derive(Default)]
struct Rows {
    row: Vec<u8>,
    last: Option<Vec<u8>>,
    starred: bool,
    at: u64,
}

impl Rows {
    async fn feed(&mut self, dump: &Dump, out: &mut Out, bytes: &[u8], skip: u64) -> Result<(), Stop> {
        for byte in bytes {
            self.row.push(*byte);
            if self.row.len() == 16 {
                self.show(dump, out, skip).await?;
            }
        }
        Ok(())
    }

    async fn show(&mut self, dump: &Dump, out: &mut Out, skip: u64) -> Result<(), Stop> {
        let row = std::mem::take(&mut self.row);
        if self.last.as_ref() == Some(&row) && !dump.all {
            if !self.starred {
                out.line("*").await?;
            }
            self.starred = true;
        } else {
            self.starred = false;
            for (at, style) in dump.styles.iter().enumerate() {
                let address = dump.address(self.at + skip);
                let before = if at == 0 { address } else { " ".repeat(address.len()) };
                out.line(format!("{before}{}", style.row(&row))).await?;
            }
        }
        self.at += row.len() as u64;
        self.last = Some(row);
        Ok(())
    }

    async fn end(mut self, dump: &Dump, out: &mut Out, skip: u64) -> Result<(), Stop> {
        if !self.row.is_empty() {
            self.last = None;
            self.show(dump, out, skip).await?;
        }
        let address = dump.address(self.at + skip);
        if self.at > 0 && !address.is_empty() { out.line(address).await } else { Ok(()) }
    }
}

impl Dump {
    fn address(&self, at: u64) -> String {
        let width = self.address.1;
        match self.address.0 {
            'd' => format!("{at:0width$}"),
            'o' => format!("{at:0width$o}"),
            'n' => String::new(),
            _ => format!("{at:0width$x}"),
        }
    }
}

impl Style {
    fn row(self, row: &[u8]) -> String {
        match self {
            Self::Canonical => {
                let half = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x} ")).collect::<String>();
                let hex = format!("{} {}", half(&row[..row.len().min(8)]), half(&row[row.len().min(8)..]));
                let text: String = row.iter().map(|byte| if (32..127).contains(byte) { char::from(*byte) } else { '.' }).collect();
                format!("  {hex:<49} |{text}|")
            }
            Self::Characters => row.iter().map(|byte| character(*byte)).collect(),
            Self::Numbers(size, base, width) => {
                let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
                let show = |bytes: &[u8]| {
                    let value = number(bytes);
                    match base {
                        'x' => format!(" {value:0width$x}"),
                        'o' => format!(" {value:0width$o}"),
                        'i' => {
                            let shift = 64 - 8 * size;
                            format!(" {:>width$}", (value << shift) as i64 >> shift)
                        }
                        _ => format!(" {value:>width$}"),
                    }
                };
                row.chunks(size).map(show).collect()
            }
        }
    }
}

fn character(byte: u8) -> String {
    match byte {
        0 => "  \\0".to_owned(),
        7 => "  \\a".to_owned(),
        8 => "  \\b".to_owned(),
        9 => "  \\t".to_owned(),
        10 => "  \\n".to_owned(),
        11 => "  \\v".to_owned(),
        12 => "  \\f".to_owned(),
        13 => "  \\r".to_owned(),
        32..127 => format!("   {}", char::from(byte)),
        byte => format!(" {byte:03o}"),
    }
}
