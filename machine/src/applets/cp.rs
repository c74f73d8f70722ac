//! `cp`: copies files.

use super::hand::{Copying, Follow, Given, Outcome, Usage, base, complain, copy, fail, into_directory, join};
use crate::{Ctx, files::Kind};

const USAGE: Usage = Usage {
    syntax: "[-arPLHpfinlsTu] SOURCE DEST\nor: cp [-arPLHpfinlsu] SOURCE... { -t DIRECTORY | DIRECTORY }",
    short: "arRPdLHpfinlsTut:v",
    long: &[
        ("archive", 'a'),
        ("recursive", 'R'),
        ("no-dereference", 'P'),
        ("dereference", 'L'),
        ("force", 'f'),
        ("interactive", 'i'),
        ("no-clobber", 'n'),
        ("link", 'l'),
        ("symbolic-link", 's'),
        ("no-target-directory", 'T'),
        ("target-directory", 't'),
        ("update", 'u'),
        ("verbose", 'v'),
    ],
};

fn how(given: &Given) -> Copying {
    let recursive = given.has('r') || given.has('R') || given.has('a');
    let follow = match given.last_of("PdLHa") {
        Some('L') => Follow::Always,
        Some('H') => Follow::Named,
        Some(_) => Follow::Never,
        None if recursive => Follow::Never,
        None => Follow::Always,
    };
    Copying {
        recursive,
        follow,
        preserve: given.has('p') || given.has('a'),
        force: given.has('f'),
        ask: given.last_of("in") == Some('i'),
        keep: given.last_of("in") == Some('n'),
        newer: given.has('u'),
        link: given.has('l'),
        symlink: given.has('s'),
        verbose: given.has('v'),
    }
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let how = how(&given);
    let (sources, last) = match (given.value('t'), given.operands.split_last()) {
        (Some(last), _) if !given.operands.is_empty() => (given.operands.as_slice(), last.to_owned()),
        (None, Some((last, sources))) if !sources.is_empty() => (sources, last.clone()),
        _ => return Err(USAGE.explain(&ctx).await),
    };
    let is_directory = ctx.stat(&last).is_ok_and(|stat| stat.kind == Kind::Directory);
    if given.has('T') {
        if is_directory && !ctx.stat(&sources[0]).is_ok_and(|stat| stat.kind == Kind::Directory) {
            return Err(fail(&ctx, format!("'{last}' is a directory")).await);
        }
        return Ok(i32::from(!copy(&ctx, &sources[0], &last, how).await?));
    }
    let mut fine = true;
    for source in sources {
        let to = match into_directory(&ctx, source, &last) {
            Some(to) => to,
            None if sources.len() == 1 && given.value('t').is_none() => last.clone(),
            None => join(&last, base(source)),
        };
        // A name that ends with a slash is a directory's.
        if to.ends_with('/') && !is_directory && !ctx.stat(source).is_ok_and(|stat| stat.kind == Kind::Directory) {
            complain(&ctx, format!("can't create '{to}': Not a directory")).await;
            fine = false;
            continue;
        }
        let from = if source.len() > 1 { source.trim_end_matches('/') } else { source };
        fine &= copy(&ctx, if from.is_empty() { "/" } else { from }, to.trim_end_matches('/'), how).await?;
    }
    Ok(i32::from(!fine))
}
