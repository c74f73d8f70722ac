//! `gzip`, `gunzip`, `zcat`: files smaller, and back.

use std::io::Write;

use flate2::{Compression, write::GzEncoder, write::MultiGzDecoder};

use super::hand::{Given, Input, Out, Outcome, Stop, Usage, complain, name, open_or_complain};
use crate::{Ctx, files::Open};

const USAGE: Usage = Usage::short("[-cfkdt] [FILE]...", "cfkdtvnq123456789");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let called = name(&ctx).to_owned();
    let unpack = given.has('d') || given.has('t') || called != "gzip";
    let mut code = 0;
    for file in given.files() {
        let Some(mut input) = open_or_complain(&ctx, &file, false).await else {
            code = 1;
            continue;
        };
        let to_stdout = file == "-" || given.has('c') || called == "zcat" || given.has('t');
        if to_stdout && !unpack && !given.has('f') && ctx.is_terminal(1) {
            complain(&ctx, "compressed data not written to a terminal, use -f to force it").await;
            return Ok(1);
        }
        let target = if to_stdout {
            None
        } else if unpack {
            match file.strip_suffix(".gz").map(str::to_owned).or_else(|| file.strip_suffix(".tgz").map(|stem| format!("{stem}.tar"))) {
                Some(target) => Some(target),
                None => {
                    complain(&ctx, format!("{file}: unknown suffix - ignored")).await;
                    code = 1;
                    continue;
                }
            }
        } else {
            Some(format!("{file}.gz"))
        };
        match one(&ctx, &given, &mut input, target.as_deref(), unpack).await {
            Ok(true) => {
                if target.is_some() && !given.has('k') {
                    let _ = ctx.unlink(&file);
                }
            }
            Ok(false) => code = 1,
            Err(stop) => return Err(stop),
        }
    }
    Ok(code)
}

async fn one(ctx: &Ctx, given: &Given, input: &mut Input, target: Option<&str>, unpack: bool) -> Result<bool, Stop> {
    let fd = match target {
        None => 1,
        Some(target) => {
            let how = if given.has('f') { Open::WRITE } else { Open::NEW };
            match ctx.open(target, how).await {
                Ok(fd) => fd,
                Err(errno) => {
                    complain(ctx, format!("can't open '{target}': {errno}")).await;
                    return Ok(false);
                }
            }
        }
    };
    let mut out = Out::to(ctx, fd);
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    let mut unpacker = MultiGzDecoder::new(Vec::new());
    let mut begun = false;
    loop {
        let piece = input.piece(4096).await.map_err(Stop::Input)?;
        let ended = piece.is_empty();
        if unpack && !begun && !piece.starts_with(&[0x1f]) {
            complain(ctx, "invalid magic").await;
            return Ok(false);
        }
        begun = true;
        let done = match (unpack, ended) {
            (true, true) => unpacker.try_finish(),
            (true, false) => unpacker.write_all(&piece),
            (false, true) => packer.try_finish(),
            (false, false) => packer.write_all(&piece),
        };
        let ready = std::mem::take(if unpack { unpacker.get_mut() } else { packer.get_mut() });
        ctx.step(1 + u32::try_from(ready.len() / 4096).unwrap_or(0)).await;
        if !given.has('t') {
            out.put(ready).await?;
        }
        if done.is_err() {
            out.flush().await?;
            complain(ctx, if ended { "unexpected end of file" } else { "corrupted data" }).await;
            return Ok(false);
        }
        if ended {
            out.flush().await?;
            if target.is_some() {
                let _ = ctx.close(fd);
            }
            return Ok(true);
        }
    }
}
