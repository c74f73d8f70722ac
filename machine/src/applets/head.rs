//! `head`: the beginning of files.

use std::collections::VecDeque;

use super::hand::{Input, Out, Outcome, Stop, Usage, fail, open_or_complain, suffixed};
use crate::Ctx;

const USAGE: Usage = Usage::short("[OPTIONS] [FILE]...", "n:c:qv");

/// `-5` is `-n 5`.
pub(crate) fn old_style(args: &[String]) -> Vec<String> {
    let mut args = args.to_vec();
    if let Some(first) = args.get_mut(1)
        && first.len() > 1
        && first.starts_with('-')
        && first[1..].bytes().all(|byte| byte.is_ascii_digit())
    {
        *first = format!("-n{}", &first[1..]);
    }
    args
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let ctx = ctx.with_args(old_style(ctx.args()));
    let given = USAGE.parse(&ctx).await?;
    let bytes = given.last_of("nc") == Some('c');
    let text = given.value(if bytes { 'c' } else { 'n' }).unwrap_or("10");
    let (but_last, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let Some(count) = suffixed(digits) else { return Err(fail(&ctx, format!("invalid number '{text}'")).await) };
    let files = given.files();
    let headers = given.last_of("qv").map_or(files.len() > 1, |last| last == 'v');
    let (mut out, mut code, mut first) = (Out::new(&ctx), 0, true);
    for file in files {
        let Some(mut input) = open_or_complain(&ctx, &file, false).await else {
            code = 1;
            continue;
        };
        if headers {
            let name = if file == "-" { "standard input" } else { &file };
            out.put(format!("{}==> {name} <==\n", if first { "" } else { "\n" })).await?;
        }
        first = false;
        match (bytes, but_last) {
            (false, false) => lines(&mut input, &mut out, count).await?,
            (true, false) => some_bytes(&mut input, &mut out, count).await?,
            (false, true) => but_last_lines(&mut input, &mut out, count).await?,
            (true, true) => but_last_bytes(&mut input, &mut out, count).await?,
        }
    }
    out.end(code).await
}

async fn lines(input: &mut Input, out: &mut Out, count: u64) -> Result<(), Stop> {
    for _ in 0..count {
        let Some(line) = input.line().await.map_err(Stop::Input)? else { break };
        out.put(line).await?;
    }
    Ok(())
}

async fn some_bytes(input: &mut Input, out: &mut Out, count: u64) -> Result<(), Stop> {
    let mut left = count;
    while left > 0 {
        let piece = input.piece(usize::try_from(left).unwrap_or(usize::MAX)).await.map_err(Stop::Input)?;
        if piece.is_empty() {
            break;
        }
        left -= piece.len() as u64;
        out.put(piece).await?;
    }
    Ok(())
}

async fn but_last_lines(input: &mut Input, out: &mut Out, count: u64) -> Result<(), Stop> {
    let mut kept = VecDeque::new();
    while let Some(line) = input.line().await.map_err(Stop::Input)? {
        kept.push_back(line);
        if kept.len() as u64 > count
            && let Some(line) = kept.pop_front()
        {
            out.put(line).await?;
        }
    }
    Ok(())
}

async fn but_last_bytes(input: &mut Input, out: &mut Out, count: u64) -> Result<(), Stop> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut kept: Vec<u8> = Vec::new();
    loop {
        let piece = input.piece(usize::MAX).await.map_err(Stop::Input)?;
        if piece.is_empty() {
            return Ok(());
        }
        kept.extend(piece);
        if kept.len() > count {
            let rest = kept.split_off(kept.len() - count);
            out.put(std::mem::replace(&mut kept, rest)).await?;
        }
    }
}
