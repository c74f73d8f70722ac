//! `basename`: the last part of a path.

use super::hand::{Out, Outcome, Usage, base};
use crate::Ctx;

const USAGE: Usage = Usage::short("FILE [SUFFIX] | -a FILE... | -s SUFFIX FILE...", "+as:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let all = given.has('a') || given.has('s');
    let (files, suffix) = match given.operands.as_slice() {
        files if all => (files, given.value('s')),
        [file] => (std::slice::from_ref(file), None),
        [file, suffix] => (std::slice::from_ref(file), Some(suffix.as_str())),
        _ => return Err(USAGE.explain(&ctx).await),
    };
    let mut out = Out::new(&ctx);
    for file in files {
        let name = base(file);
        let shorter = suffix.and_then(|suffix| name.strip_suffix(suffix)).filter(|rest| !rest.is_empty());
        out.line(shorter.unwrap_or(name)).await?;
    }
    out.end(0).await
}
