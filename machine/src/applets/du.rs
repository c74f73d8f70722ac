//! `du`: how much files take.

use std::collections::BTreeSet;

use super::hand::{Follow, Out, Outcome, Usage, Visit, Walk, complain, human};
use crate::{
    Ctx,
    files::{Kind, Stat},
};

const USAGE: Usage = Usage::short("[-aHLdclsxhmk] [FILE]...", "aHkLsxd:lchmb");

fn bytes(stat: &Stat) -> u64 {
    match stat.kind {
        Kind::File => stat.size.next_multiple_of(4096),
        Kind::Directory => 4096,
        _ => 0,
    }
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let deepest = if given.has('s') { 0 } else { given.value('d').and_then(|text| text.parse().ok()).unwrap_or(usize::MAX) };
    let follow = if given.has('L') {
        Follow::Always
    } else if given.has('H') {
        Follow::Named
    } else {
        Follow::Never
    };
    let files = if given.operands.is_empty() { vec![".".to_owned()] } else { given.operands.clone() };
    let show = |bytes: u64| {
        if given.has('h') {
            human(bytes)
        } else if given.has('m') {
            bytes.div_ceil(1 << 20).to_string()
        } else {
            bytes.div_ceil(1 << 10).to_string()
        }
    };
    let (mut out, mut code, mut total) = (Out::new(&ctx), 0, 0);
    let mut seen = BTreeSet::new();
    for file in &files {
        let mut walk = Walk::new(&ctx, file, follow);
        // What is below each directory on the way.
        let mut sums: Vec<u64> = Vec::new();
        while let Some(visit) = walk.next().await {
            match visit {
                Visit::Before(found) => {
                    let again = found.stat.links > 1
                        && found.stat.kind == Kind::File
                        && !given.has('l')
                        && !seen.insert((found.stat.device, found.stat.inode));
                    let size = if again { 0 } else { bytes(&found.stat) };
                    if found.is_directory() {
                        sums.push(size);
                        continue;
                    }
                    match sums.last_mut() {
                        Some(sum) => *sum += size,
                        None => total += size,
                    }
                    if !again && (found.depth == 0 || given.has('a') && found.depth <= deepest) {
                        out.line(format!("{}\t{}", show(size), found.path)).await?;
                    }
                }
                Visit::After(found) => {
                    let sum = sums.pop().unwrap_or(0);
                    match sums.last_mut() {
                        Some(above) => *above += sum,
                        None => total += sum,
                    }
                    if found.depth <= deepest {
                        out.line(format!("{}\t{}", show(sum), found.path)).await?;
                    }
                }
                Visit::Lost(path, errno) => {
                    complain(&ctx, format!("{path}: {errno}")).await;
                    code = 1;
                }
                Visit::Closed(found, errno) => {
                    complain(&ctx, format!("can't open '{}': {errno}", found.path)).await;
                    let sum = sums.pop().unwrap_or(0);
                    if let Some(above) = sums.last_mut() {
                        *above += sum;
                    }
                    code = 1;
                }
            }
        }
    }
    if given.has('c') {
        out.line(format!("{}\ttotal", show(total))).await?;
    }
    out.end(code).await
}
