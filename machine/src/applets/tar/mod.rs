//! `tar`: archives, as `kubectl cp` needs them on both sides.

mod create;
mod extract;
mod header;
mod squeeze;

use super::hand::{Dialect, Input, Outcome, Usage, compile, fail, wildcard};
use crate::Ctx;

const USAGE: Usage = Usage {
    syntax: "c|x|t [-zahvokO] [-f TARFILE] [-C DIR] [-T FILE] [-X FILE] [FILE]...",
    short: "cxtzahvokmpOf:C:T:X:jJE:S:",
    long: &[
        ("create", 'c'),
        ("extract", 'x'),
        ("list", 't'),
        ("gzip", 'z'),
        ("dereference", 'h'),
        ("verbose", 'v'),
        ("no-same-owner", 'o'),
        ("keep-old-files", 'k'),
        ("touch", 'm'),
        ("same-permissions", 'p'),
        ("preserve-permissions", 'p'),
        ("to-stdout", 'O'),
        ("file", 'f'),
        ("directory", 'C'),
        ("exclude", 'E'),
        ("strip-components", 'S'),
    ],
};

/// Which names are meant.
#[derive(Debug, Default)]
struct Choice {
    wanted: Vec<regex::bytes::Regex>,
    unwanted: Vec<regex::bytes::Regex>,
}

impl Choice {
    fn takes(&self, name: &str) -> bool {
        let name = name.trim_end_matches('/');
        // A name stands for all below it.
        let fits = |pattern: &regex::bytes::Regex| {
            pattern.is_match(name.as_bytes()) || name.match_indices('/').any(|(at, _)| pattern.is_match(&name.as_bytes()[..at]))
        };
        let last = |pattern: &regex::bytes::Regex| name.split('/').any(|part| pattern.is_match(part.as_bytes()));
        (self.wanted.is_empty() || self.wanted.iter().any(fits)) && !self.unwanted.iter().any(|pattern| fits(pattern) || last(pattern))
    }
}

fn pattern(text: &str) -> Option<regex::bytes::Regex> {
    wildcard(text.trim_end_matches('/'), false, false).or_else(|_| compile(text, Dialect::Fixed, false, false)).ok()
}

async fn lines(ctx: &Ctx, file: &str) -> Result<Vec<String>, super::hand::Stop> {
    match Input::open(ctx, file).await {
        Ok(mut input) => {
            let mut lines = Vec::new();
            while let Some(line) = input.line().await.map_err(super::hand::Stop::Input)? {
                lines.push(String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned());
            }
            Ok(lines)
        }
        Err(errno) => Err(fail(ctx, format!("can't open '{file}': {errno}")).await),
    }
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    // The first word is options also without a dash.
    let mut args = ctx.args().to_vec();
    if let Some(first) = args.get_mut(1)
        && !first.starts_with('-')
    {
        first.insert(0, '-');
    }
    let ctx = ctx.with_args(args);
    let given = USAGE.parse(&ctx).await?;
    if given.has('j') || given.has('J') {
        return Err(fail(&ctx, "bzip2 and xz are not simulated").await);
    }
    let mut unwanted: Vec<String> = given.values('E').map(str::to_owned).collect();
    for file in given.values('X') {
        unwanted.extend(lines(&ctx, file).await?);
    }
    let mut names = given.operands.clone();
    for file in given.values('T') {
        names.extend(lines(&ctx, file).await?);
    }
    let mut choice = Choice { wanted: Vec::new(), unwanted: unwanted.iter().filter_map(|text| pattern(text)).collect() };
    match (given.has('c'), given.has('x'), given.has('t')) {
        (true, false, false) => create::run(&ctx, &given, names, &choice).await,
        (false, true, false) | (false, false, true) => {
            choice.wanted = names.iter().filter_map(|text| pattern(text)).collect();
            extract::run(&ctx, &given, &choice).await
        }
        _ => Err(USAGE.explain(&ctx).await),
    }
}
