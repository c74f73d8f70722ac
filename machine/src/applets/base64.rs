//! `base64`: bytes as letters, and back.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::hand::{Input, Out, Outcome, Stop, Usage, fail};
use crate::Ctx;

const USAGE: Usage = Usage { syntax: "[-d] [-w COL] [FILE]", short: "dw:i", long: &[("decode", 'd'), ("wrap", 'w')] };

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 0, 1).await?;
    let width = match given.value('w').map(str::parse::<usize>) {
        Some(Err(_)) => return Err(fail(&ctx, format!("invalid number '{}'", given.value('w').unwrap_or_default())).await),
        Some(Ok(width)) => width,
        None => 76,
    };
    let file = given.operands.first().map_or("-", String::as_str);
    let mut input = match Input::open(&ctx, file).await {
        Ok(input) => input,
        Err(errno) => return Err(fail(&ctx, format!("{file}: {errno}")).await),
    };
    let mut out = Out::new(&ctx);
    if given.has('d') {
        decode(&ctx, &mut input, &mut out).await?;
    } else {
        encode(&mut input, &mut out, width).await?;
    }
    out.end(0).await
}

async fn encode(input: &mut Input, out: &mut Out, width: usize) -> Result<(), Stop> {
    let (mut rest, mut column): (Vec<u8>, usize) = (Vec::new(), 0);
    loop {
        let piece = input.piece(usize::MAX).await.map_err(Stop::Input)?;
        input.looked_at(piece.len()).await;
        let ended = piece.is_empty();
        rest.extend(piece);
        let whole = if ended { rest.len() } else { rest.len() / 3 * 3 };
        let letters = STANDARD.encode(&rest[..whole]);
        rest.drain(..whole);
        let mut left = letters.as_str();
        while !left.is_empty() {
            let (now, later) = left.split_at(if width == 0 { left.len() } else { left.len().min(width - column) });
            out.put(now).await?;
            column += now.len();
            if column == width && width > 0 {
                out.put("\n").await?;
                column = 0;
            }
            left = later;
        }
        if ended {
            if column > 0 && width > 0 {
                out.put("\n").await?;
            }
            return Ok(());
        }
    }
}

async fn decode(ctx: &Ctx, input: &mut Input, out: &mut Out) -> Result<(), Stop> {
    let mut rest: Vec<u8> = Vec::new();
    loop {
        let piece = input.piece(usize::MAX).await.map_err(Stop::Input)?;
        input.looked_at(piece.len()).await;
        let ended = piece.is_empty();
        rest.extend(piece.iter().filter(|byte| !byte.is_ascii_whitespace()));
        let whole = rest.len() / 4 * 4;
        match STANDARD.decode(&rest[..whole]) {
            Ok(bytes) if !ended || whole == rest.len() => out.put(bytes).await?,
            _ => return Err(fail(ctx, "truncated input").await),
        }
        rest.drain(..whole);
        if ended {
            return Ok(());
        }
    }
}
