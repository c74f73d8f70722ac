//! `hostname`: the machine's name.

use super::hand::{Outcome, Stop, Usage, fail};
use crate::{Ctx, Errno};

const USAGE: Usage = Usage { syntax: "[-sidf] [HOSTNAME | -F FILE]", short: "dfisF:vI", long: &[("file", 'F')] };

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 0, 1).await?;
    if !given.operands.is_empty() || given.has('F') {
        return Err(fail(&ctx, format!("sethostname: {}", Errno::EPERM)).await);
    }
    let name = ctx.hostname();
    let text = if given.has('i') {
        match ctx.resolve(&name).await {
            Ok(found) => found.addresses.iter().map(|address| format!("{address} ")).collect(),
            Err(_) => return Err(fail(&ctx, format!("{name}: Host name lookup failure")).await),
        }
    } else if given.has('s') {
        name.split('.').next().unwrap_or_default().to_owned()
    } else if given.has('d') {
        name.split_once('.').map_or("", |(_, domain)| domain).to_owned()
    } else {
        name
    };
    ctx.out(format!("{text}\n")).await.map_err(Stop::Output)?;
    Ok(0)
}
