//! `paste`: lines of files side by side.

use super::hand::{Escaped, Input, Out, Outcome, Stop, Usage, escape, fail};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-d LIST] [-s] [FILE]...", "d:s");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let joints = joints(given.value('d').unwrap_or("\t"));
    let mut inputs = Vec::new();
    for file in given.files() {
        match Input::open(&ctx, &file).await {
            Ok(input) => inputs.push(input),
            Err(errno) => return Err(fail(&ctx, format!("{file}: {errno}")).await),
        }
    }
    let mut out = Out::new(&ctx);
    if given.has('s') {
        for input in &mut inputs {
            let mut at = 0;
            while let Some(line) = input.line().await.map_err(Stop::Input)? {
                if at > 0 {
                    out.put(&joints[(at - 1) % joints.len()]).await?;
                }
                out.put(line.strip_suffix(b"\n").unwrap_or(&line)).await?;
                at += 1;
            }
            out.put("\n").await?;
        }
        return out.end(0).await;
    }
    loop {
        let mut row = Vec::new();
        let mut any = false;
        for (at, input) in inputs.iter_mut().enumerate() {
            if at > 0 {
                row.extend_from_slice(&joints[(at - 1) % joints.len()]);
            }
            if let Some(line) = input.line().await.map_err(Stop::Input)? {
                any = true;
                row.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(&line));
            }
        }
        if !any {
            return out.end(0).await;
        }
        out.line(row).await?;
    }
}

fn joints(list: &str) -> Vec<Vec<u8>> {
    let mut joints = Vec::new();
    let mut rest = list.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let (joint, used) = match (first, more.first()) {
            (b'\\', Some(b'0')) => (Vec::new(), 1),
            (b'\\', _) => match escape(more) {
                Escaped::Byte(byte, used) => (vec![byte], used),
                _ => (vec![*first], 0),
            },
            _ => (vec![*first], 0),
        };
        joints.push(joint);
        rest = &more[used..];
    }
    if joints.is_empty() { vec![Vec::new()] } else { joints }
}
