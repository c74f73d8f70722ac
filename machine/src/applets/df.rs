//! `df`: how full the file systems are.

use super::hand::{Out, Outcome, Stop, Usage, complain, human};
use crate::{Ctx, Errno, files::Open};

const USAGE: Usage = Usage::short("[-PkmhTai] [-B SIZE] [FILESYSTEM]...", "PkmhTaiB:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let fd = ctx.open("/proc/mounts", Open::READ).await.map_err(Stop::Input)?;
    let mounts = String::from_utf8_lossy(&ctx.read_all(fd).await.map_err(Stop::Input)?).into_owned();
    let unit: u64 = if given.has('m') { 1 << 20 } else { 1 << 10 };
    let header = match (given.has('h'), given.has('m'), given.has('i')) {
        (_, _, true) => ["Inodes", "Used", "Available", "Capacity"],
        (true, ..) => ["Size", "Used", "Available", "Use%"],
        (_, true, _) => ["1M-blocks", "Used", "Available", "Use%"],
        _ => ["1K-blocks", "Used", "Available", "Use%"],
    };
    let mut out = Out::new(&ctx);
    let kind = |text: &str| if given.has('T') { format!("{text:<11}") } else { String::new() };
    out.line(format!(
        "{:<20} {}{:>9} {:>9} {:>9} {:>4} Mounted on",
        "Filesystem",
        kind("Type"),
        header[0],
        header[1],
        header[2],
        header[3]
    ))
    .await?;
    let mut code = 0;
    let mut wanted: Vec<String> = Vec::new();
    for path in &given.operands {
        match ctx.canonical(path).and_then(|whole| ctx.stat(path).map(|_| whole)) {
            Ok(whole) => {
                let best = mounts
                    .lines()
                    .filter_map(|line| line.split(' ').nth(1))
                    .filter(|at| whole.starts_with(at) && (*at == "/" || whole.len() == at.len() || whole.as_bytes()[at.len()] == b'/'));
                wanted.extend(best.max_by_key(|at| at.len()).map(str::to_owned));
            }
            Err(errno) => {
                let errno: Errno = errno;
                complain(&ctx, format!("{path}: can't find mount point: {errno}")).await;
                code = 1;
            }
        }
    }
    for line in mounts.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [device, at, file_system, ..] = words.as_slice() else { continue };
        if *file_system == "proc" && !given.has('a') || !given.operands.is_empty() && !wanted.iter().any(|path| path == at) {
            continue;
        }
        let (all, taken) = match ctx.space(at) {
            Ok((space, used)) if given.has('i') => (space.inodes, used.inodes),
            Ok((space, used)) => (space.bytes, used.bytes),
            Err(_) => (0, 0),
        };
        let free = all.saturating_sub(taken);
        let show = |bytes: u64| {
            if given.has('i') {
                bytes.to_string()
            } else if given.has('h') {
                human(bytes)
            } else {
                bytes.div_ceil(unit).to_string()
            }
        };
        let percent = if all == 0 { 0 } else { (taken * 100).div_ceil(all) };
        out.line(format!("{device:<20} {}{:>9} {:>9} {:>9} {percent:>3}% {at}", kind(file_system), show(all), show(taken), show(free)))
            .await?;
    }
    out.end(code).await
}
