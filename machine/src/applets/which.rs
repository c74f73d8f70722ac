//! `which`: where programs are.

use super::hand::{Out, Outcome, Usage};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-a] COMMAND...", "a");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let path = ctx.var("PATH").unwrap_or("/sbin:/usr/sbin:/bin:/usr/bin").to_owned();
    let (mut out, mut code) = (Out::new(&ctx), 0);
    for command in &given.operands {
        let mut found = false;
        let places: Vec<&str> = if command.contains('/') { vec![""] } else { path.split(':').collect() };
        for place in places {
            if let Ok(file) = ctx.find(command, place)
                && ctx.access(&file, 1).is_ok()
            {
                out.line(file).await?;
                found = true;
                if !given.has('a') {
                    break;
                }
            }
        }
        code |= i32::from(!found);
    }
    out.end(code).await
}
