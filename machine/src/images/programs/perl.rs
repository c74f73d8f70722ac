//! `perl`, as much of it as labs run: `print` of texts and of digits of pi.

use super::pi;
use crate::{
    Ctx,
    applets::hand::{Outcome, Stop},
};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let mut args = ctx.args().iter().skip(1);
    let (mut lines, mut script) = (false, None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-v" | "--version" => {
                ctx.out("\nThis is perl 5, version 38, subversion 2 (v5.38.2) built for x86_64-linux-gnu\n").await.map_err(Stop::Output)?;
                return Ok(0);
            }
            option if option.starts_with("-M") => {}
            option if option.starts_with('-') => {
                lines |= option.contains('l');
                if option.contains('e') || option.contains('E') {
                    script = args.next().cloned();
                    lines |= option.contains('E');
                }
            }
            _ => {}
        }
    }
    let Some(script) = script else { return simulated(&ctx).await };
    let mut out = String::new();
    for statement in script.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        let words = statement.strip_prefix("print").or_else(|| statement.strip_prefix("say")).map(str::trim);
        let Some(value) = words else { return simulated(&ctx).await };
        let value = value.strip_prefix('(').and_then(|inside| inside.strip_suffix(')')).unwrap_or(value).trim();
        if let Some(count) = value.strip_prefix("bpi(").and_then(|rest| rest.strip_suffix(')')).and_then(|count| count.trim().parse().ok())
        {
            if count > pi::MOST {
                ctx.err(format!("perl: more than {} digits are not simulated\n", pi::MOST)).await;
                return Ok(2);
            }
            out += &pi::digits(&ctx, count).await?;
        } else {
            match text(value) {
                Some(text) => out += &text,
                None => return simulated(&ctx).await,
            }
        }
        if lines || statement.starts_with("say") {
            out.push('\n');
        }
    }
    ctx.out(out).await.map_err(Stop::Output)?;
    Ok(0)
}

/// What is in quotes, or a number.
fn text(value: &str) -> Option<String> {
    if let Some(plain) = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Some(plain.to_owned());
    }
    if let Some(quoted) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
        && !quoted.contains(['$', '@'])
    {
        return Some(quoted.replace("\\n", "\n").replace("\\t", "\t").replace("\\\"", "\""));
    }
    value.parse::<i64>().ok().map(|number| number.to_string())
}

async fn simulated(ctx: &Ctx) -> Outcome {
    ctx.err("perl: this perl is simulated: it knows print of texts, and bpi(N)\n").await;
    Ok(2)
}
