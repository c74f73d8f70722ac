//! `env`: the environment, and programs in another one.

use super::hand::{Out, Outcome, Usage, execute};
use crate::Ctx;

const USAGE: Usage = Usage {
    syntax: "[-i0] [-u NAME]... [-] [NAME=VALUE]... [PROG ARGS]",
    short: "+iu:0",
    long: &[("ignore-environment", 'i'), ("unset", 'u'), ("null", '0')],
};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let mut rest = given.operands.as_slice();
    let mut env = if given.has('i') || rest.first().is_some_and(|first| first == "-") { Vec::new() } else { ctx.env().to_vec() };
    if rest.first().is_some_and(|first| first == "-") {
        rest = &rest[1..];
    }
    for name in given.values('u') {
        env.retain(|(known, _)| known != name);
    }
    while let Some((name, value)) = rest.first().and_then(|first| first.split_once('=')) {
        match env.iter_mut().find(|(known, _)| known == name) {
            Some(known) => value.clone_into(&mut known.1),
            None => env.push((name.to_owned(), value.to_owned())),
        }
        rest = &rest[1..];
    }
    if !rest.is_empty() {
        return Err(execute(&ctx, rest, env).await);
    }
    let mut out = Out::new(&ctx);
    let end = if given.has('0') { '\0' } else { '\n' };
    for (name, value) in env {
        out.put(format!("{name}={value}{end}")).await?;
    }
    out.end(0).await
}
