//! `rev`: lines from their ends.

use super::hand::{Out, Outcome, Stop, Usage, open_or_complain};
use crate::Ctx;

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = Usage::operands("[FILE]...").parse(&ctx).await?;
    let (mut out, mut code) = (Out::new(&ctx), 0);
    for file in given.files() {
        let Some(mut input) = open_or_complain(&ctx, &file, false).await else {
            code = 1;
            continue;
        };
        while let Some(line) = input.line().await.map_err(Stop::Input)? {
            let text = String::from_utf8_lossy(&line).into_owned();
            let (text, end) = text.strip_suffix('\n').map_or((text.as_str(), ""), |text| (text, "\n"));
            out.put(format!("{}{end}", text.chars().rev().collect::<String>())).await?;
        }
    }
    out.end(code).await
}
