//! `more`, `less`: files a screen at a time, to somebody at a terminal.

use super::hand::{Input, Out, Outcome, Stop, Usage, open_or_complain};
use crate::{
    Ctx,
    kernel::{Fd, Modes},
};

const USAGE: Usage = Usage::short("[FILE]...", "EFIMmNSh~RXs");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let keys = if ctx.is_terminal(1) { ctx.open("/dev/tty", crate::files::Open::READ).await.ok() } else { None };
    let (mut out, mut code) = (Out::new(&ctx), 0);
    for file in given.files() {
        let Some(mut input) = open_or_complain(&ctx, &file, true).await else {
            code = 1;
            continue;
        };
        match keys {
            None => super::hand::pour(&ctx, &mut input, 1).await?,
            Some(keys) => {
                if !page(&ctx, &mut input, &mut out, keys).await? {
                    break;
                }
            }
        }
    }
    out.end(code).await
}

/// Shows a file; whether another shall be shown.
async fn page(ctx: &Ctx, input: &mut Input, out: &mut Out, keys: Fd) -> Result<bool, Stop> {
    let rows = ctx.size(1).map_or(24, |size| usize::from(size.rows).max(2)) - 1;
    let mut left = rows;
    let mut next = input.line().await.map_err(Stop::Input)?;
    while let Some(line) = next {
        out.put(line).await?;
        next = input.line().await.map_err(Stop::Input)?;
        left -= 1;
        if left > 0 || next.is_none() {
            continue;
        }
        out.flush().await?;
        ctx.out("--More-- ").await.map_err(Stop::Output)?;
        let key = key(ctx, keys).await;
        ctx.out("\r\x1b[K").await.map_err(Stop::Output)?;
        left = match key {
            Some(b'\n' | b'\r') => 1,
            Some(b' ' | b'f') => rows,
            None | Some(b'q' | b'Q' | 3) => return Ok(false),
            Some(_) => rows,
        };
    }
    out.flush().await?;
    Ok(true)
}

async fn key(ctx: &Ctx, keys: Fd) -> Option<u8> {
    let before = ctx.modes(keys).ok()?;
    let _ = ctx.set_modes(keys, Modes { output_newline: true, ..Modes::RAW });
    let pressed = ctx.read(keys, 1).await.ok();
    let _ = ctx.set_modes(keys, before);
    pressed?.first().copied()
}
