//! `nl`: lines with numbers.

use super::hand::{Out, Outcome, Stop, Usage, fail, open_or_complain};
use crate::Ctx;

const USAGE: Usage = Usage::short("[OPTIONS] [FILE]...", "pw:l:v:i:s:b:n:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let mut numbers = [6_i64, 1, 1];
    for (at, option) in ['w', 'v', 'i'].into_iter().enumerate() {
        if let Some(text) = given.value(option) {
            match text.parse() {
                Ok(number) => numbers[at] = number,
                Err(_) => return Err(fail(&ctx, format!("invalid number '{text}'")).await),
            }
        }
    }
    let [width, mut number, step] = numbers;
    let width = usize::try_from(width).unwrap_or(6).min(64);
    let separator = given.value('s').unwrap_or("\t");
    let all = given.value('b').unwrap_or("t").starts_with('a');
    let none = given.value('b').unwrap_or("t").starts_with('n');
    let (mut out, mut code) = (Out::new(&ctx), 0);
    for file in given.files() {
        let Some(mut input) = open_or_complain(&ctx, &file, false).await else {
            code = 1;
            continue;
        };
        while let Some(line) = input.line().await.map_err(Stop::Input)? {
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            if !none && (all || !line.is_empty()) {
                let text = match given.value('n') {
                    Some("ln") => format!("{number:<width$}"),
                    Some("rz") => format!("{number:0>width$}"),
                    _ => format!("{number:>width$}"),
                };
                out.put(format!("{text}{separator}")).await?;
                number += step;
            } else {
                out.put(" ".repeat(width + separator.len())).await?;
            }
            out.line(line).await?;
        }
    }
    out.end(code).await
}
