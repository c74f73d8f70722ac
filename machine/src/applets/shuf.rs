//! `shuf`: lines in any order.

use super::hand::{Input, Out, Outcome, Stop, Usage, fail};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-n NUM] [-o FILE] [-z] [FILE | -e [ARG...] | -i L-H]", "ezi:n:o:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut held = Vec::new();
    if let Some(range) = given.value('i') {
        let ends = range.split_once('-').and_then(|(from, to)| Some((from.parse::<u64>().ok()?, to.parse::<u64>().ok()?)));
        let Some((from, to)) = ends.filter(|(from, to)| from <= to && to - from < 1 << 20) else {
            return Err(fail(&ctx, format!("bad range '{range}'")).await);
        };
        lines = (from..=to).map(|number| number.to_string().into_bytes()).collect();
    } else if given.has('e') {
        lines = given.operands.iter().map(|word| word.clone().into_bytes()).collect();
    } else {
        let file = given.operands.first().map_or("-", String::as_str);
        let mut input = match Input::open(&ctx, file).await {
            Ok(input) => input,
            Err(errno) => return Err(fail(&ctx, format!("can't open '{file}': {errno}")).await),
        };
        while let Some(line) = input.line().await.map_err(Stop::Input)? {
            held.push(ctx.allocate(line.len() as u64 + 24).map_err(Stop::Input)?);
            lines.push(line.strip_suffix(b"\n").map_or(line.clone(), <[u8]>::to_vec));
        }
    }
    let most = given.value('n').and_then(|text| text.parse().ok()).unwrap_or(lines.len()).min(lines.len());
    let mut out = Out::new(&ctx);
    for at in 0..most {
        let other = at + usize::try_from(ctx.random() % (lines.len() - at) as u64).unwrap_or(0);
        lines.swap(at, other);
        out.line(&lines[at]).await?;
    }
    out.end(0).await
}
