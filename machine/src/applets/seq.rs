//! `seq`: numbers in a row.

use super::hand::{Conversion, Out, Outcome, Usage, fail, unescape};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-w] [-s SEP] [FIRST [INC]] LAST", "+ws:f:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    // A negative number is no option, also where the options end.
    let args = ctx.args().get(1..).unwrap_or_default();
    let is_negative = |arg: &String| arg.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'));
    let first = args.iter().position(is_negative).unwrap_or(args.len());
    let is_option = |at: usize| args[at].starts_with('-') || at > 0 && matches!(args[at - 1].as_str(), "-s" | "-f");
    let mut args = args.to_vec();
    if first < args.len() && (0..first).all(is_option) {
        args.insert(first, "--".to_owned());
    }
    let ctx = ctx.with_args([vec!["seq".to_owned()], args].concat());
    let given = USAGE.parse_some(&ctx, 1, 3).await?;
    let mut values = Vec::new();
    let mut decimals = 0;
    for text in &given.operands {
        let Ok(value) = text.parse::<f64>() else { return Err(fail(&ctx, format!("invalid number '{text}'")).await) };
        decimals = decimals.max(text.split_once('.').map_or(0, |(_, decimals)| decimals.len().min(17)));
        values.push(value);
    }
    let (first, step, last) = match values.as_slice() {
        [last] => (1.0, 1.0, *last),
        [first, last] => (*first, 1.0, *last),
        [first, step, last] => (*first, *step, *last),
        _ => return Ok(1),
    };
    if step == 0.0 {
        return Err(fail(&ctx, "invalid increment value: '0'").await);
    }
    let plain = |value: f64| format!("{value:.decimals$}");
    let width = if given.has('w') { plain(first).len().max(plain(last).len()) } else { 0 };
    let separator = given.value('s').map_or_else(|| b"\n".to_vec(), |text| unescape(text.as_bytes()).0);
    let mut out = Out::new(&ctx);
    let mut count: u64 = 0;
    loop {
        let value = first + count as f64 * step;
        // What is off by rounding only is there.
        let slack = step.abs() * 1e-9;
        if step > 0.0 && value > last + slack || step < 0.0 && value < last - slack {
            break;
        }
        if count > 0 {
            out.put(&separator).await?;
        }
        match given.value('f') {
            Some(format) => out.put(formatted(format, value)).await?,
            None => {
                let text = plain(value);
                let text = match text.strip_prefix('-') {
                    Some(digits) if width > 0 => format!("-{digits:0>width$}", width = width.saturating_sub(1)),
                    _ => format!("{text:0>width$}"),
                };
                out.put(text).await?;
            }
        }
        count += 1;
        ctx.step(1).await;
    }
    if count > 0 {
        out.put("\n").await?;
    }
    out.end(0).await
}

fn formatted(format: &str, value: f64) -> Vec<u8> {
    let Some(at) = format.find('%') else { return format.as_bytes().to_vec() };
    let (conversion, used) = Conversion::read(&format.as_bytes()[at + 1..], || 0);
    let letter = format.as_bytes().get(at + 1 + used).copied().unwrap_or(b'g');
    [&format.as_bytes()[..at], &conversion.float(value, letter), format.as_bytes().get(at + 2 + used..).unwrap_or_default()].concat()
}
