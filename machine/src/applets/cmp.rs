//! `cmp`: where two files differ.

use super::hand::{Input, Out, Outcome, Stop, Usage, fail};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-ls] [-n NUM] FILE1 [FILE2]", "lsn:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, 2).await?;
    let most = given.value('n').and_then(|text| text.parse::<u64>().ok()).unwrap_or(u64::MAX);
    let names = [given.operands[0].clone(), given.operands.get(1).cloned().unwrap_or_else(|| "-".to_owned())];
    let mut inputs = Vec::new();
    for file in &names {
        match Input::open(&ctx, file).await {
            Ok(input) => inputs.push(input),
            Err(errno) => {
                fail(&ctx, format!("can't open '{file}': {errno}")).await;
                return Ok(2);
            }
        }
    }
    let mut out = Out::new(&ctx);
    let (mut at, mut line, mut code) = (0_u64, 1_u64, 0);
    let (mut one, mut two): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
    while at < most {
        for (buffer, input) in [&mut one, &mut two].into_iter().zip(&mut inputs) {
            if buffer.is_empty() {
                *buffer = input.piece(4096).await.map_err(Stop::Input)?;
            }
        }
        let count = one.len().min(two.len());
        inputs[0].looked_at(count).await;
        if count == 0 {
            if one.len() != two.len() {
                out.flush().await?;
                if !given.has('s') {
                    let short = &names[usize::from(!one.is_empty())];
                    ctx.err(format!("cmp: EOF on {short}\n")).await;
                }
                code = 1;
            }
            break;
        }
        for (a, b) in one.iter().zip(&two) {
            at += 1;
            if at > most {
                break;
            }
            if a != b {
                code = 1;
                if given.has('s') {
                    return Ok(1);
                }
                if given.has('l') {
                    out.line(format!("{at:4} {a:3o} {b:3o}")).await?;
                } else {
                    out.line(format!("{} {} differ: char {at}, line {line}", names[0], names[1])).await?;
                    return out.end(1).await;
                }
            }
            line += u64::from(*a == b'\n');
        }
        one.drain(..count);
        two.drain(..count);
    }
    out.end(code).await
}
