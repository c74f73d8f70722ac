//! `uname`, `arch`: what the machine is.

use super::hand::{Outcome, Stop, Usage, name};
use crate::{Ctx, kernel::RELEASE};

const USAGE: Usage = Usage {
    syntax: "[-amnrspvio]",
    short: "snrvmpioa",
    long: &[
        ("all", 'a'),
        ("kernel-name", 's'),
        ("nodename", 'n'),
        ("kernel-release", 'r'),
        ("kernel-version", 'v'),
        ("machine", 'm'),
        ("operating-system", 'o'),
    ],
};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 0, 0).await?;
    let all = given.has('a');
    let parts = [
        ('s', "Linux".to_owned()),
        ('n', ctx.hostname()),
        ('r', RELEASE.to_owned()),
        ('v', "#1 SMP".to_owned()),
        ('m', "x86_64".to_owned()),
        ('p', "unknown".to_owned()),
        ('i', "unknown".to_owned()),
        ('o', "GNU/Linux".to_owned()),
    ];
    let wanted = |option: char| match option {
        'm' if name(&ctx) == "arch" => true,
        _ if name(&ctx) == "arch" => false,
        's' if given.options.is_empty() => true,
        // What is not known is left out of all.
        'p' | 'i' => given.has(option),
        option => all || given.has(option),
    };
    let text: Vec<String> = parts.into_iter().filter(|(option, _)| wanted(*option)).map(|(_, text)| text).collect();
    ctx.out(format!("{}\n", text.join(" "))).await.map_err(Stop::Output)?;
    Ok(0)
}
