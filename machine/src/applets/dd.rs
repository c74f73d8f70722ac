//! `dd`: blocks from here to there.

use super::hand::{Outcome, Stop, Usage, fail, suffixed};
use crate::{
    Ctx, Errno,
    files::{Device, Kind, Open},
    kernel::{Fd, Seek},
};

/// The largest block that is held at once.
const MOST: u64 = 1 << 20;

#[derive(Default)]
struct Numbers {
    ibs: Option<u64>,
    obs: Option<u64>,
    bs: Option<u64>,
    count: Option<u64>,
    skip: u64,
    seek: u64,
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let usage = Usage::operands(
        "[if=FILE] [of=FILE] [bs=N] [count=N] [skip=N] [seek=N] [conv=notrunc|noerror|sync|fsync]\n\t[iflag=skip_bytes|count_bytes|fullblock|direct] [oflag=seek_bytes|append|direct]",
    );
    let (mut numbers, mut from, mut to, mut conversions, mut flags, mut status) = (Numbers::default(), None, None, "", "", "");
    for arg in ctx.args().get(1..).unwrap_or_default() {
        let Some((name, value)) = arg.split_once('=') else { return Err(usage.explain(&ctx).await) };
        match name {
            "if" => from = Some(value.to_owned()),
            "of" => to = Some(value.to_owned()),
            "conv" => conversions = value,
            "iflag" | "oflag" => flags = value,
            "status" => status = value,
            _ => {
                let Some(number) = suffixed(value) else { return Err(fail(&ctx, format!("invalid number '{value}'")).await) };
                match name {
                    "ibs" => numbers.ibs = Some(number),
                    "obs" => numbers.obs = Some(number),
                    "bs" => numbers.bs = Some(number),
                    "count" => numbers.count = Some(number),
                    "skip" => numbers.skip = number,
                    "seek" => numbers.seek = number,
                    _ => return Err(usage.explain(&ctx).await),
                }
            }
        }
    }
    let input = match &from {
        Some(file) => open(&ctx, file, Open::READ).await?,
        None => 0,
    };
    let keeps = numbers.seek > 0 || conversions.contains("notrunc");
    let output = match &to {
        Some(file) => open(&ctx, file, Open { truncate: !keeps, append: flags.contains("append"), ..Open::WRITE }).await?,
        None => 1,
    };
    let block = numbers.bs.or(numbers.ibs).unwrap_or(512);
    let out_block = numbers.bs.or(numbers.obs).unwrap_or(512);
    if block == 0 || out_block == 0 {
        return Err(fail(&ctx, "invalid number '0'").await);
    }
    copy(&ctx, (input, output), &numbers, (block, out_block), conversions, status).await
}

async fn open(ctx: &Ctx, file: &str, how: Open) -> Result<Fd, Stop> {
    match ctx.open(file, how).await {
        Ok(fd) => Ok(fd),
        Err(errno) => Err(fail(ctx, format!("can't open '{file}': {errno}")).await),
    }
}

/// Reads and throws away.
async fn skip(ctx: &Ctx, fd: Fd, bytes: u64) -> Result<(), Errno> {
    if ctx.seek(fd, Seek::Current(i64::try_from(bytes).unwrap_or(i64::MAX))).is_ok() {
        return Ok(());
    }
    let mut left = bytes;
    while left > 0 {
        let got = ctx.read(fd, usize::try_from(left.min(MOST)).unwrap_or(usize::MAX)).await?;
        if got.is_empty() {
            break;
        }
        left -= got.len() as u64;
    }
    Ok(())
}

async fn copy(
    ctx: &Ctx,
    (input, output): (Fd, Fd),
    numbers: &Numbers,
    (block, out_block): (u64, u64),
    conversions: &str,
    status: &str,
) -> Outcome {
    let begin = tokio::time::Instant::now();
    skip(ctx, input, numbers.skip.saturating_mul(block)).await.map_err(Stop::Input)?;
    if numbers.seek > 0 {
        let at = numbers.seek.saturating_mul(out_block);
        ctx.seek(output, Seek::Start(at)).map_err(Stop::Output)?;
    }
    // What goes nowhere needs not be carried in large pieces.
    let nowhere = ctx.fstat(output).is_ok_and(|stat| stat.kind == Kind::Device(Device::Null));
    let (mut whole, mut part, mut bytes) = (0_u64, 0_u64, 0_u64);
    let mut failure = None;
    'blocks: while numbers.count.is_none_or(|count| whole + part < count) {
        let mut left = block;
        while left > 0 {
            let got = match ctx.read(input, usize::try_from(left.min(MOST)).unwrap_or(usize::MAX)).await {
                Ok(got) => got,
                Err(errno) => {
                    failure = Some(Stop::Input(errno));
                    break 'blocks;
                }
            };
            if got.is_empty() {
                break;
            }
            left -= got.len() as u64;
            if !nowhere && let Err(errno) = ctx.write_all(output, &got).await {
                failure = Some(Stop::Output(errno));
                break 'blocks;
            }
            bytes += got.len() as u64;
        }
        match left {
            0 => whole += 1,
            left if left == block => break,
            _ => {
                part += 1;
                if conversions.contains("sync") && !conversions.contains("fsync") && !nowhere {
                    let zeros = vec![0; usize::try_from(left.min(MOST)).unwrap_or(0)];
                    ctx.write_all(output, &zeros).await.map_err(Stop::Output)?;
                    bytes += zeros.len() as u64;
                }
            }
        }
    }
    if let Some(Stop::Output(errno)) = failure {
        super::hand::complain(ctx, format!("error writing: {errno}")).await;
    } else if let Some(Stop::Input(errno)) = failure {
        super::hand::complain(ctx, format!("error reading: {errno}")).await;
    }
    if status != "none" {
        ctx.err(format!("{whole}+{part} records in\n{whole}+{part} records out\n")).await;
        if status != "noxfer" {
            let seconds = begin.elapsed().as_secs_f64();
            let rate = if seconds > 0.0 { (bytes as f64 / seconds) as u64 } else { bytes };
            ctx.err(format!(
                "{bytes} bytes ({}B) copied, {seconds:.6} seconds, {}B/s\n",
                super::hand::human(bytes),
                super::hand::human(rate)
            ))
            .await;
        }
    }
    Ok(i32::from(failure.is_some()))
}
