//! `pgrep`, `pkill`: processes whose name fits a pattern.

use super::hand::{Dialect, Out, Outcome, Stop, Usage, compile, fail, name};
use crate::{Ctx, Signal};

const USAGE: Usage = Usage::short("[-flanovx] [-s SID|-P PPID|PATTERN]", "vlafxons:P:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let kills = name(&ctx) == "pkill";
    let mut args = ctx.args().to_vec();
    let mut signal = Signal::TERM;
    if let Some(option) = args.get(1).and_then(|first| first.strip_prefix('-'))
        && kills
    {
        if let Some(named) = Signal::parse(option) {
            signal = named;
            args.remove(1);
        } else if option == "l" {
            let text: String = Signal::named().map(|signal| format!("{:>2}) {}\n", signal.number(), signal.name())).collect();
            ctx.out(text).await.map_err(Stop::Output)?;
            return Ok(0);
        }
    }
    let ctx = ctx.with_args(args);
    let given = USAGE.parse(&ctx).await?;
    let pattern = match given.operands.as_slice() {
        [pattern] => Some(pattern),
        [] if given.has('P') || given.has('s') => None,
        _ => return Err(USAGE.explain(&ctx).await),
    };
    let pattern = match pattern.map(|pattern| compile(pattern, Dialect::Extended, false, false)) {
        Some(Ok(pattern)) => Some(pattern),
        Some(Err(why)) => return Err(fail(&ctx, format!("bad regex '{}': {why}", given.operands[0])).await),
        None => None,
    };
    let number = |option| given.value(option).map(|text| text.parse::<i32>().unwrap_or(-1));
    let fits = |process: &crate::kernel::ProcessInfo| {
        let text = if given.has('f') && !process.args.is_empty() { process.args.join(" ") } else { process.name.clone() };
        let by_name = pattern.as_ref().is_none_or(|pattern| match pattern.find(text.as_bytes()) {
            Some(found) => !given.has('x') || found.len() == text.len(),
            None => false,
        });
        let by_parent = number('P').is_none_or(|parent| process.ppid == parent);
        let by_session = number('s').is_none_or(|session| process.session == session);
        (by_name && by_parent && by_session) != given.has('v')
    };
    let mut found: Vec<_> = ctx.processes().into_iter().filter(|process| process.pid != ctx.pid() && fits(process)).collect();
    if given.has('n') {
        found.drain(..found.len().saturating_sub(1));
    } else if given.has('o') {
        found.truncate(1);
    }
    let mut out = Out::new(&ctx);
    for process in &found {
        if kills {
            let _ = ctx.kill(process.pid, Some(signal));
        } else if given.has('a') {
            out.line(format!("{} {}", process.pid, process.args.join(" "))).await?;
        } else if given.has('l') {
            out.line(format!("{} {}", process.pid, process.name)).await?;
        } else {
            out.line(process.pid.to_string()).await?;
        }
    }
    out.end(i32::from(found.is_empty())).await
}
