//! `mount`, `umount`: what is mounted; nothing can be changed from inside a container.

use super::hand::{Out, Outcome, Stop, Usage, fail, name};
use crate::{Ctx, Errno, files::Open};

const USAGE: Usage = Usage::short("[OPTIONS] [-o OPT] DEVICE NODE", "o:t:rwanfivldO:T:sDB");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    if name(&ctx) == "umount" || !given.operands.is_empty() {
        let Some(last) = given.operands.last() else { return Err(USAGE.explain(&ctx).await) };
        let why = if name(&ctx) == "umount" {
            format!("can't unmount {last}: {}", Errno::EPERM)
        } else {
            "permission denied (are you root?)".to_owned()
        };
        return Err(fail(&ctx, why).await);
    }
    let fd = ctx.open("/proc/mounts", Open::READ).await.map_err(Stop::Input)?;
    let text = String::from_utf8_lossy(&ctx.read_all(fd).await.map_err(Stop::Input)?).into_owned();
    let mut out = Out::new(&ctx);
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let [device, at, kind, options, ..] = words.as_slice() {
            out.line(format!("{device} on {at} type {kind} ({options})")).await?;
        }
    }
    out.end(0).await
}
