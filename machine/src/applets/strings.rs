//! `strings`: what can be read in files.

use super::hand::{Out, Outcome, Stop, Usage, open_or_complain};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-fo] [-t o|d|x] [-n LEN] [FILE]...", "fon:t:a");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let least = given.value('n').and_then(|text| text.parse().ok()).unwrap_or(4);
    let (mut out, mut code) = (Out::new(&ctx), 0);
    for file in given.files() {
        let Some(mut input) = open_or_complain(&ctx, &file, false).await else {
            code = 1;
            continue;
        };
        let mut run: Vec<u8> = Vec::new();
        loop {
            let piece = input.piece(usize::MAX).await.map_err(Stop::Input)?;
            input.looked_at(piece.len()).await;
            let ended = piece.is_empty();
            for byte in piece.iter().copied().chain(ended.then_some(0)) {
                if (32..127).contains(&byte) || byte == b'\t' {
                    run.push(byte);
                    // What is long enough is shown as it comes.
                    if run.len() > 4096 {
                        out.put(std::mem::take(&mut run)).await?;
                    }
                } else {
                    let text = std::mem::take(&mut run);
                    if text.len() >= least {
                        out.line(text).await?;
                    }
                }
            }
            if ended {
                break;
            }
        }
    }
    out.end(code).await
}
