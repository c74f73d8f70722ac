//! `tail`: the end of files, and what comes after it.

use std::{collections::VecDeque, time::Duration};

use super::hand::{Input, Out, Outcome, Stop, Usage, complain, fail, open_or_complain, suffixed};
use crate::{Ctx, kernel::Memory};

const USAGE: Usage = Usage::short("[OPTIONS] [FILE]...", "fc:n:qs:vF");

#[derive(Clone, Copy)]
struct What {
    bytes: bool,
    from_start: bool,
    count: u64,
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let mut args = super::head::old_style(ctx.args());
    if let Some(first) = args.get_mut(1)
        && first.len() > 1
        && first.starts_with('+')
        && first[1..].bytes().all(|byte| byte.is_ascii_digit())
    {
        *first = format!("-n{first}");
    }
    let ctx = ctx.with_args(args);
    let given = USAGE.parse(&ctx).await?;
    let bytes = given.last_of("nc") == Some('c');
    let text = given.value(if bytes { 'c' } else { 'n' }).unwrap_or("10");
    let (from_start, digits) = text.strip_prefix('+').map_or((false, text.strip_prefix('-').unwrap_or(text)), |digits| (true, digits));
    let Some(count) = suffixed(digits) else { return Err(fail(&ctx, format!("invalid number '{text}'")).await) };
    let what = What { bytes, from_start, count };
    let pause = match given.value('s').map(str::parse::<u64>) {
        Some(Ok(seconds)) => Duration::from_secs(seconds),
        Some(Err(_)) => return Err(fail(&ctx, format!("invalid number '{}'", given.value('s').unwrap_or_default())).await),
        None => Duration::from_secs(1),
    };
    let files = given.files();
    let headers = given.last_of("qv").map_or(files.len() > 1, |last| last == 'v');
    let (mut out, mut code) = (Out::new(&ctx), 0);
    let mut open = Vec::new();
    for file in &files {
        match open_or_complain(&ctx, file, true).await {
            Some(input) => open.push((file.clone(), Some(input))),
            None => {
                code = 1;
                if given.has('F') {
                    open.push((file.clone(), None));
                }
            }
        }
    }
    if open.is_empty() {
        return Err(fail(&ctx, "no files").await);
    }
    let mut shown: Option<usize> = None;
    for (at, (file, input)) in open.iter_mut().enumerate() {
        let Some(input) = input else { continue };
        if headers {
            out.put(header(file, shown.is_none())).await?;
        }
        shown = Some(at);
        end_of(&ctx, input, &mut out, what).await?;
    }
    out.flush().await?;
    if given.has('f') || given.has('F') {
        follow(&ctx, open, given.has('F'), headers.then_some(shown).flatten(), pause).await?;
    }
    Ok(code)
}

fn header(file: &str, first: bool) -> String {
    format!("{}==> {} <==\n", if first { "" } else { "\n" }, if file == "-" { "standard input" } else { file })
}

async fn end_of(ctx: &Ctx, input: &mut Input, out: &mut Out, what: What) -> Result<(), Stop> {
    let What { bytes, from_start, count } = what;
    if from_start {
        let mut skip = count.saturating_sub(1);
        while skip > 0 {
            if bytes {
                let piece = input.piece(usize::try_from(skip).unwrap_or(usize::MAX)).await.map_err(Stop::Input)?;
                if piece.is_empty() {
                    return Ok(());
                }
                skip -= piece.len() as u64;
            } else {
                if input.line().await.map_err(Stop::Input)?.is_none() {
                    return Ok(());
                }
                skip -= 1;
            }
        }
        loop {
            let piece = input.piece(usize::MAX).await.map_err(Stop::Input)?;
            if piece.is_empty() {
                return Ok(());
            }
            out.put(piece).await?;
        }
    }
    if bytes {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut kept: Vec<u8> = Vec::new();
        loop {
            let piece = input.piece(usize::MAX).await.map_err(Stop::Input)?;
            if piece.is_empty() {
                return out.put(kept).await;
            }
            kept.extend(piece);
            kept.drain(..kept.len().saturating_sub(count));
        }
    }
    let mut kept: VecDeque<(Vec<u8>, Option<Memory>)> = VecDeque::new();
    while let Some(line) = input.line().await.map_err(Stop::Input)? {
        // A line is accounted where many are kept.
        let held = if count > 1000 { Some(ctx.allocate(line.len() as u64).map_err(Stop::Input)?) } else { None };
        kept.push_back((line, held));
        if kept.len() as u64 > count {
            kept.pop_front();
        }
    }
    for (line, _) in kept {
        out.put(line).await?;
    }
    Ok(())
}

/// Shows what is added to the files, until killed.
async fn follow(
    ctx: &Ctx,
    mut open: Vec<(String, Option<Input>)>,
    by_name: bool,
    shown: Option<usize>,
    pause: Duration,
) -> Result<(), Stop> {
    let mut out = Out::new(ctx);
    let headers = shown.is_some();
    let mut shown = shown;
    // What comes through a pipe was all of it.
    open.retain(|(file, _)| file != "-");
    if open.is_empty() {
        return Ok(());
    }
    loop {
        let _ = ctx.sleep(pause).await;
        for (at, (file, input)) in open.iter_mut().enumerate() {
            if by_name {
                reopen(ctx, file, input).await;
            }
            let Some(input) = input else { continue };
            // A file that was cut is read from its new end.
            if let (Ok(stat), Ok(position)) = (ctx.fstat(input.fd()), ctx.seek(input.fd(), crate::kernel::Seek::Current(0)))
                && stat.size < position
            {
                let _ = ctx.seek(input.fd(), crate::kernel::Seek::Start(0));
            }
            loop {
                let piece = input.piece(usize::MAX).await.map_err(Stop::Input)?;
                if piece.is_empty() {
                    break;
                }
                if headers && shown != Some(at) {
                    out.put(header(file, false)).await?;
                    shown = Some(at);
                }
                out.put(piece).await?;
            }
        }
        out.flush().await?;
    }
}

/// Opens a file again that was replaced.
async fn reopen(ctx: &Ctx, file: &str, input: &mut Option<Input>) {
    let there = ctx.stat(file).ok().map(|stat| (stat.device, stat.inode));
    let here = input.as_ref().and_then(|input| ctx.fstat(input.fd()).ok()).map(|stat| (stat.device, stat.inode));
    if there.is_some() && there != here {
        if here.is_some() {
            complain(ctx, format!("{file} has been replaced; following end of new file")).await;
        } else {
            complain(ctx, format!("{file} has appeared; following end of new file")).await;
        }
        *input = Input::open(ctx, file).await.ok();
    } else if there.is_none() && here.is_some() {
        complain(ctx, format!("{file} has become inaccessible")).await;
        *input = None;
    }
}
