//! `comm`: what two sorted files have in common.

use super::hand::{Input, Out, Outcome, Stop, Usage, fail};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-123] FILE1 FILE2", "123");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 2, 2).await?;
    let mut inputs = Vec::new();
    for file in &given.operands {
        match Input::open(&ctx, file).await {
            Ok(input) => inputs.push(input),
            Err(errno) => return Err(fail(&ctx, format!("can't open '{file}': {errno}")).await),
        }
    }
    let (mut two, mut one) = (inputs.pop(), inputs.pop());
    let (Some(one), Some(two)) = (&mut one, &mut two) else { return Ok(1) };
    async fn next(input: &mut Input) -> Result<Option<Vec<u8>>, Stop> {
        Ok(input.line().await.map_err(Stop::Input)?.map(|line| line.strip_suffix(b"\n").map_or(line.clone(), <[u8]>::to_vec)))
    }
    let (mut left, mut right) = (next(one).await?, next(two).await?);
    let mut out = Out::new(&ctx);
    loop {
        let column = match (&left, &right) {
            (None, None) => return out.end(0).await,
            (Some(_), None) => 1,
            (None, Some(_)) => 2,
            (Some(one), Some(two)) => match one.cmp(two) {
                std::cmp::Ordering::Less => 1,
                std::cmp::Ordering::Greater => 2,
                std::cmp::Ordering::Equal => 3,
            },
        };
        let shown = |column: u8| !given.has(char::from(b'0' + column));
        let text = if column == 2 { right.clone() } else { left.clone() }.unwrap_or_default();
        if shown(column) {
            let tabs = (1..column).filter(|before| shown(*before)).count();
            out.put("\t".repeat(tabs)).await?;
            out.line(text).await?;
        }
        if column != 2 {
            left = next(one).await?;
        }
        if column != 1 {
            right = next(two).await?;
        }
    }
}
