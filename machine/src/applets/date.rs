//! `date`: the time of day.

use super::hand::{Clock, Outcome, Stop, Usage, complain, fail, parse_time};
use crate::{Ctx, Errno};

const USAGE: Usage = Usage {
    syntax: "[OPTIONS] [+FMT] [[-s] TIME]",
    short: "Rs:ud:r:I::D:",
    long: &[("rfc-822", 'R'), ("rfc-2822", 'R'), ("set", 's'), ("utc", 'u'), ("date", 'd'), ("reference", 'r')],
};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let clock = if given.has('u') { Clock::utc() } else { Clock::of(&ctx) };
    let (mut format, mut set) = (None, given.value('s').map(str::to_owned));
    for operand in &given.operands {
        match operand.strip_prefix('+') {
            Some(text) if format.is_none() => format = Some(text.to_owned()),
            None if set.is_none() => set = Some(operand.clone()),
            _ => return Err(USAGE.explain(&ctx).await),
        }
    }
    let mut time = ctx.now();
    if let Some(file) = given.value('r') {
        match ctx.stat(file) {
            Ok(stat) => time = stat.modified,
            Err(errno) => return Err(fail(&ctx, format!("can't stat '{file}': {errno}")).await),
        }
    }
    if let Some(text) = given.value('d').or(set.as_deref()) {
        match parse_time(&clock, text, ctx.now()) {
            Some(parsed) => time = parsed,
            None => return Err(fail(&ctx, format!("invalid date '{text}'")).await),
        }
    }
    let mut code = 0;
    if set.is_some() {
        // No container may.
        complain(&ctx, format!("can't set date: {}", Errno::EPERM)).await;
        code = 1;
    }
    let format = match (format, given.value('I'), given.has('I'), given.has('R')) {
        (Some(format), ..) => format,
        (None, spec, true, _) => match spec {
            None | Some("date") => "%Y-%m-%d".to_owned(),
            Some("hours") => "%Y-%m-%dT%H%:z".to_owned(),
            Some("minutes") => "%Y-%m-%dT%H:%M%:z".to_owned(),
            Some("seconds") => "%Y-%m-%dT%H:%M:%S%:z".to_owned(),
            Some(_) => return Err(USAGE.explain(&ctx).await),
        },
        (None, _, false, true) => "%a, %d %b %Y %H:%M:%S %z".to_owned(),
        (None, _, false, false) => "%a %b %e %H:%M:%S %Z %Y".to_owned(),
    };
    ctx.out(format!("{}\n", clock.format(time, &format))).await.map_err(Stop::Output)?;
    Ok(code)
}
