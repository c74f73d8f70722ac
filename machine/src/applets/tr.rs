//! `tr`: other characters for characters.

use super::hand::{Escaped, Input, Out, Outcome, Stop, Usage, escape, fail};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-cds] STRING1 [STRING2]", "+Ccdst");

fn class(name: &str) -> Option<Vec<u8>> {
    let fits: fn(u8) -> bool = match name {
        "alpha" => |byte| byte.is_ascii_alphabetic(),
        "alnum" => |byte| byte.is_ascii_alphanumeric(),
        "digit" => |byte| byte.is_ascii_digit(),
        "lower" => |byte| byte.is_ascii_lowercase(),
        "upper" => |byte| byte.is_ascii_uppercase(),
        "space" => |byte| byte.is_ascii_whitespace() || byte == 11,
        "blank" => |byte| matches!(byte, b' ' | b'\t'),
        "punct" => |byte| byte.is_ascii_punctuation(),
        "cntrl" => |byte| byte.is_ascii_control(),
        "xdigit" => |byte| byte.is_ascii_hexdigit(),
        "print" => |byte| (32..127).contains(&byte),
        "graph" => |byte| (33..127).contains(&byte),
        _ => return None,
    };
    Some((0..=255).filter(|byte| fits(*byte)).collect())
}

/// The bytes that a set stands for.
fn expand(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    let single = |rest: &[u8]| -> (u8, usize) {
        match rest {
            [b'\\', more @ ..] if !more.is_empty() => match escape(more) {
                Escaped::Byte(byte, used) => (byte, used + 1),
                _ => (more[0], 2),
            },
            _ => (rest[0], 1),
        }
    };
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix(b"[:")
            && let Some(end) = inside.windows(2).position(|pair| pair == b":]")
            && let Some(class) = class(&String::from_utf8_lossy(&inside[..end]))
        {
            out.extend(class);
            rest = &inside[end + 2..];
            continue;
        }
        let (byte, used) = single(rest);
        rest = &rest[used..];
        if rest.len() > 1 && rest[0] == b'-' {
            let (to, used) = single(&rest[1..]);
            if to >= byte {
                out.extend(byte..=to);
                rest = &rest[1 + used..];
                continue;
            }
        }
        out.push(byte);
    }
    out
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, 2).await?;
    let (delete, squeeze) = (given.has('d'), given.has('s'));
    let mut first = expand(&given.operands[0]);
    if given.has('c') || given.has('C') {
        first = (0..=255).filter(|byte| !first.contains(byte)).collect();
    }
    let second = given.operands.get(1).map(|text| expand(text));
    if second.is_none() && !delete && !squeeze {
        return Err(USAGE.explain(&ctx).await);
    }
    if second.as_ref().is_some_and(Vec::is_empty) && !delete {
        return Err(fail(&ctx, "STRING2 cannot be empty").await);
    }
    let mut map: [u8; 256] = std::array::from_fn(|at| at as u8);
    if !delete && let Some(second) = &second {
        for (at, byte) in first.iter().enumerate() {
            map[usize::from(*byte)] = second[at.min(second.len() - 1)];
        }
    }
    let squeezed = second.as_ref().unwrap_or(&first);
    let mut input = Input::open(&ctx, "-").await.map_err(Stop::Input)?;
    let mut out = Out::new(&ctx);
    let mut last = None;
    loop {
        let piece = input.piece(usize::MAX).await.map_err(Stop::Input)?;
        if piece.is_empty() {
            return out.end(0).await;
        }
        input.looked_at(piece.len()).await;
        let mut text = Vec::with_capacity(piece.len());
        for byte in piece {
            if delete && first.contains(&byte) {
                continue;
            }
            let byte = map[usize::from(byte)];
            if squeeze && last == Some(byte) && squeezed.contains(&byte) {
                continue;
            }
            last = Some(byte);
            text.push(byte);
        }
        out.put(text).await?;
        // A person sees what becomes of each line.
        out.flush().await?;
    }
}
