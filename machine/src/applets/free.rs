//! `free`: memory, as `/proc/meminfo` tells it.

use super::hand::{Outcome, Stop, Usage, human};
use crate::{Ctx, files::Open};

const USAGE: Usage = Usage::short("[-bkmgh]", "bkmgh");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let fd = ctx.open("/proc/meminfo", Open::READ).await.map_err(Stop::Input)?;
    let text = String::from_utf8_lossy(&ctx.read_all(fd).await.map_err(Stop::Input)?).into_owned();
    let get = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) << 10
    };
    let show = |bytes: u64| match given.last_of("bkmgh") {
        Some('b') => bytes.to_string(),
        Some('m') => (bytes >> 20).to_string(),
        Some('g') => (bytes >> 30).to_string(),
        Some('h') => human(bytes),
        _ => (bytes >> 10).to_string(),
    };
    let (total, free, buffers, cached, available) = (get("MemTotal"), get("MemFree"), get("Buffers"), get("Cached"), get("MemAvailable"));
    let cache = buffers + cached;
    let used = total.saturating_sub(free + cache);
    let row =
        |name: &str, cells: &[u64]| format!("{name}{}\n", cells.iter().map(|cell| format!("{:>12}", show(*cell))).collect::<String>());
    let text = format!(
        "              total        used        free      shared  buff/cache   available\n{}{}",
        row("Mem:   ", &[total, used, free, 0, cache, available]),
        row("Swap:  ", &[get("SwapTotal"), get("SwapTotal").saturating_sub(get("SwapFree")), get("SwapFree")])
    );
    ctx.out(text).await.map_err(Stop::Output)?;
    Ok(0)
}
