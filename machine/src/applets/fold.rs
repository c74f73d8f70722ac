//! `fold`: no line is longer than this.

use super::hand::{Out, Outcome, Stop, Usage, fail, open_or_complain};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-bs] [-w WIDTH] [FILE]...", "bsw:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let width = match given.value('w').map(str::parse::<usize>) {
        Some(Ok(width)) if width > 0 => width,
        Some(_) => return Err(fail(&ctx, format!("invalid number '{}'", given.value('w').unwrap_or_default())).await),
        None => 80,
    };
    let (mut out, mut code) = (Out::new(&ctx), 0);
    for file in given.files() {
        let Some(mut input) = open_or_complain(&ctx, &file, false).await else {
            code = 1;
            continue;
        };
        while let Some(line) = input.line().await.map_err(Stop::Input)? {
            let text = String::from_utf8_lossy(&line).into_owned();
            let (text, end) = text.strip_suffix('\n').map_or((text.as_str(), ""), |text| (text, "\n"));
            let mut row: Vec<char> = Vec::new();
            for c in text.chars() {
                if row.len() == width {
                    let at = row.iter().rposition(|c| c.is_whitespace()).filter(|_| given.has('s')).map_or(row.len(), |at| at + 1);
                    let rest = row.split_off(at);
                    out.line(row.iter().collect::<String>()).await?;
                    row = rest;
                }
                row.push(c);
            }
            out.put(format!("{}{end}", row.iter().collect::<String>())).await?;
        }
    }
    out.end(code).await
}
