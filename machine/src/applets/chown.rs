//! `chown`, `chgrp`: changes who owns files.

use super::hand::{Follow, Outcome, People, Usage, Visit, Walk, complain, fail, name};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-RhLHPcvf]... OWNER[.|:[GROUP]] FILE...", "RhvcfLHP");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 2, usize::MAX).await?;
    let people = People::read(&ctx).await;
    let owner = given.operands[0].as_str();
    let (user, group) = if name(&ctx) == "chgrp" { ("", owner) } else { owner.split_once(':').unwrap_or((owner, "")) };
    let uid = match (user, people.uid(user)) {
        ("", _) => None,
        (_, Some((uid, _))) => Some(uid),
        (user, None) => match user.parse() {
            Ok(uid) => Some(uid),
            Err(_) => return Err(fail(&ctx, format!("unknown user {user}")).await),
        },
    };
    let gid = match (group, people.gid(group)) {
        ("", _) => {
            if owner.ends_with(':') {
                people.uid(user).map(|(_, gid)| gid)
            } else {
                None
            }
        }
        (_, Some(gid)) => Some(gid),
        (group, None) => match group.parse() {
            Ok(gid) => Some(gid),
            Err(_) => return Err(fail(&ctx, format!("unknown group {group}")).await),
        },
    };
    let follow = match given.last_of("LHP") {
        Some('L') => Follow::Always,
        Some('P') => Follow::Never,
        _ => {
            if given.has('h') {
                Follow::Never
            } else {
                Follow::Named
            }
        }
    };
    let mut code = 0;
    for file in &given.operands[1..] {
        let mut walk = Walk::new(&ctx, file, follow);
        while let Some(visit) = walk.next().await {
            let (path, changed) = match visit {
                Visit::Before(found) => {
                    if !given.has('R') {
                        walk.skip();
                    }
                    let follows = follow == Follow::Always || follow == Follow::Named && found.depth == 0;
                    let changed = ctx.chown(&found.path, uid, gid, follows);
                    (found.path, changed)
                }
                Visit::After(_) => continue,
                Visit::Lost(path, errno) => (path, Err(errno)),
                Visit::Closed(found, errno) => (found.path, Err(errno)),
            };
            if let Err(errno) = changed {
                if !given.has('f') {
                    complain(&ctx, format!("{path}: {errno}")).await;
                }
                code = 1;
            }
        }
    }
    Ok(code)
}
