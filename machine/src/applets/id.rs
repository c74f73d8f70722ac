//! `id`, `whoami`, `groups`: who somebody is.

use super::hand::{Outcome, People, Stop, Usage, fail, name};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-ugGnr] [USER]", "rnugG");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let people = People::read(&ctx).await;
    let called = name(&ctx).to_owned();
    let given = if called == "id" { USAGE.parse_some(&ctx, 0, 1).await? } else { Usage::operands("").parse_some(&ctx, 0, 1).await? };
    let who = ctx.credentials();
    let (uid, gid, groups) = match given.operands.first() {
        Some(user) => match people.uid(user) {
            Some((uid, gid)) => (uid, gid, [vec![gid], people.groups_of(user)].concat()),
            None => return Err(fail(&ctx, format!("unknown user {user}")).await),
        },
        None => (who.uid, who.gid, if who.groups.is_empty() { vec![who.gid] } else { who.groups }),
    };
    if called == "whoami" {
        return match people.user_name(uid) {
            Some(user) => out(&ctx, user.to_owned()).await,
            None => Err(fail(&ctx, format!("unknown uid {uid}")).await),
        };
    }
    let named = given.has('n') || called == "groups";
    let user = |uid: u32| if named { people.user(uid) } else { uid.to_string() };
    let group = |gid: u32| if named { people.group(gid) } else { gid.to_string() };
    if given.has('u') {
        return out(&ctx, user(uid)).await;
    }
    if given.has('g') {
        return out(&ctx, group(gid)).await;
    }
    if given.has('G') || called == "groups" {
        return out(&ctx, groups.iter().map(|gid| group(*gid)).collect::<Vec<_>>().join(" ")).await;
    }
    let both = |number: u32, name: Option<&str>| name.map_or_else(|| number.to_string(), |name| format!("{number}({name})"));
    let mut text = format!("uid={} gid={}", both(uid, people.user_name(uid)), both(gid, people.group_name(gid)));
    let list: Vec<String> = groups.iter().map(|gid| both(*gid, people.group_name(*gid))).collect();
    if !list.is_empty() {
        text += &format!(" groups={}", list.join(","));
    }
    out(&ctx, text).await
}

async fn out(ctx: &Ctx, text: String) -> Outcome {
    ctx.out(format!("{text}\n")).await.map_err(Stop::Output)?;
    Ok(0)
}
