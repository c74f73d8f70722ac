//! `set subject`: who is given a role by a binding.

use serde_json::{Value, json};

use super::{Flags, Labelled, MANAGER, all, refused, wrong};
use crate::{
    changing::Changing,
    context::Context,
    error::{Result, usage},
    value::{list, map_mut},
};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Update the user, group, or service account in a role binding or cluster role binding.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME… or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    labelled: Labelled,
    /// A user.
    #[arg(long, value_name = "NAME")]
    user: Vec<String>,
    /// A group.
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    /// A service account: NAMESPACE:NAME.
    #[arg(long, value_name = "ACCOUNT")]
    serviceaccount: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let subjects = args.flags.subjects(context, &args.words, &args.labelled).await?.all()?;
    args.flags.one_choice(&args.labelled)?;
    let binds_everywhere = subjects.iter().any(|subject| subject.target.resource.kind == "ClusterRoleBinding");
    let accounts = accounts(&args.serviceaccount, binds_everywhere)?;
    if args.user.is_empty() && args.group.is_empty() && accounts.is_empty() {
        return Err(usage("you must specify at least one value of user, group or serviceaccount"));
    }
    let named = named(&args, &accounts, context.namespace().await?);
    let (mut errors, mut said) = (Vec::new(), 0);
    for subject in &subjects {
        let resource = &subject.target.resource;
        if !matches!(resource.kind.as_str(), "RoleBinding" | "ClusterRoleBinding") {
            errors.push(wrong(subject, "setting subjects is only supported for RoleBinding/ClusterRoleBinding"));
            continue;
        }
        let change = |object: &mut Value| {
            add(object, &named);
            Ok(())
        };
        let changing = Changing { context, writing: &args.flags.writing, manager: MANAGER, local: args.flags.local, version: None };
        match changing.send(subject, &change).await {
            Ok(Some(object)) => {
                args.flags.writing.say_after(said, resource, &object, "subjects updated")?;
                said += 1;
            }
            Ok(None) => {}
            Err(error) => errors.push(refused("failed to patch subjects to rolebinding: ", error)),
        }
    }
    all(errors)
}

/// Takes the accounts apart: namespace and name.
fn accounts(texts: &[String], binds_everywhere: bool) -> Result<Vec<(&str, &str)>> {
    let one = |text: &'_ String| match text.split(':').collect::<Vec<_>>().as_slice() {
        [_, ""] => Err("serviceaccount must be <namespace>:<name>"),
        ["", _] if binds_everywhere => Err("serviceaccount must be <namespace>:<name>, namespace must be specified"),
        [_, _] => Ok(()),
        _ => Err("serviceaccount must be <namespace>:<name>"),
    };
    texts.iter().try_for_each(one).map_err(usage)?;
    Ok(texts.iter().filter_map(|text| text.split_once(':')).collect())
}

/// All that are named, sorted and once each.
fn named(args: &Args, accounts: &[(&str, &str)], here: &str) -> Vec<Value> {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names.dedup();
        names
    };
    let users = sorted(&args.user).into_iter().map(|name| json!({"kind": "User", "apiGroup": GROUP, "name": name}));
    let groups = sorted(&args.group).into_iter().map(|name| json!({"kind": "Group", "apiGroup": GROUP, "name": name}));
    let mut accounts = accounts.to_vec();
    accounts.sort_unstable();
    accounts.dedup();
    let accounts = accounts.into_iter().map(|(namespace, name)| {
        let namespace = if namespace.is_empty() { here } else { namespace };
        json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
    });
    users.chain(groups).chain(accounts).collect()
}

/// Adds those who are not there yet.
fn add(object: &mut Value, named: &[Value]) {
    let mut subjects = list(&object["subjects"]).to_vec();
    let new: Vec<Value> = named.iter().filter(|one| !subjects.contains(one)).cloned().collect();
    if !new.is_empty() {
        subjects.extend(new);
        map_mut(object).insert("subjects".into(), subjects.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_two_parts() {
        let said = |text: &str, everywhere| accounts(&[text.to_owned()], everywhere).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(said("ns:sa", true), Ok(()));
        assert_eq!(said(":sa", false), Ok(()));
        assert_eq!(said(":sa", true), Err("error: serviceaccount must be <namespace>:<name>, namespace must be specified".into()));
        for wrong in ["sa", "ns:", "a:b:c"] {
            assert_eq!(said(wrong, false), Err("error: serviceaccount must be <namespace>:<name>".into()), "{wrong}");
        }
    }

    #[test]
    fn who_is_there_is_not_added_again() {
        let user = |name: &str| json!({"kind": "User", "apiGroup": GROUP, "name": name});
        let mut binding = json!({"subjects": [user("a")]});
        add(&mut binding, &[user("a"), user("b")]);
        assert_eq!(binding["subjects"], json!([user("a"), user("b")]));
        let mut empty = json!({});
        add(&mut empty, &[]);
        assert_eq!(empty, json!({}));
    }
}
