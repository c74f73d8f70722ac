//! `rollout undo`: back to an earlier template.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    Choice, Workload,
    revisions::{OWN_ANNOTATIONS, Revision, revisions, without_hash},
    without_revisions,
};
use crate::{
    changing::{Subject, Subjects},
    context::Context,
    error::{Error, Result, usage},
    server::Call,
    value::strings,
    verbs::describe,
    writing::Writing,
};

/// Undo a previous rollout.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// The revision to go back to; 0 is the one before the last.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_hyphen_values = true)]
    to_revision: i64,
    #[command(flatten)]
    writing: Writing,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    args.choice.required()?;
    args.writing.form()?;
    let Subjects { list, mut errors, .. } = args.choice.subjects(context).await?;
    for subject in &list {
        let outcome = match undo(&args, context, subject).await {
            Ok(done) => args.writing.say(&subject.target.resource, &subject.object, &done),
            Err(error) => Err(error),
        };
        errors.extend(outcome.err());
    }
    Error::from_all(errors)
}

/// Goes back, and says what was done.
async fn undo(args: &Args, context: &Context, subject: &Subject) -> Result<String> {
    let resource = &subject.target.resource;
    let workload = Workload::of(resource).ok_or_else(|| without_revisions(resource, "rollbacker"))?;
    let revisions = revisions(context, subject, workload).await?;
    let revision = choose(&revisions, args.to_revision, workload, &subject.target.name)?;
    if args.writing.stays_here() {
        let template = describe::template_text(&revision.template);
        return Ok(if workload == Workload::Deployment { template } else { format!("will roll back to {template}") });
    }
    if workload == Workload::Deployment && subject.object["spec"]["paused"] == true {
        return Err(usage("you cannot rollback a paused deployment; resume it first with 'mini-ctl rollout resume' and try again"));
    }
    let current = &subject.object["spec"]["template"];
    let same = match workload {
        Workload::Deployment => without_hash(&revision.keeper["spec"]["template"]) == without_hash(current),
        _ => revision.template == *current,
    };
    if same {
        return Ok(format!("skipped rollback (current template already matches revision {})", args.to_revision));
    }
    let (content_type, body) = match workload {
        Workload::Deployment => ("application/json-patch+json", back(&subject.object, revision)),
        _ => ("application/strategic-merge-patch+json", revision.keeper["data"].clone()),
    };
    let path = args.writing.query(&subject.target.path(), "kubectl-rollout", &[]);
    let call = Call { method: Method::PATCH, path: &path, content_type, body: &body };
    context.server().await?.call(call).await.map_err(|error| match error.refusal() {
        Some(refusal) => usage(format!("failed restoring revision {}: {}", args.to_revision, refusal.message)),
        None => error,
    })?;
    Ok("rolled back".to_owned())
}

/// The revision that is meant; 0 is the last but one.
fn choose<'a>(revisions: &'a BTreeMap<i64, Revision>, wanted: i64, workload: Workload, name: &str) -> Result<&'a Revision> {
    if wanted != 0 {
        let found = revisions.get(&wanted).filter(|_| wanted > 0);
        return found.ok_or_else(|| usage(format!("unable to find specified revision {wanted} in history")));
    }
    revisions.values().rev().nth(1).ok_or_else(|| match workload {
        Workload::Deployment => usage(format!("no rollout history found for deployment {name:?}")),
        _ => usage("no last revision to roll back to"),
    })
}

/// The patch that gives a Deployment an earlier template, and the annotations that came with it.
fn back(deployment: &Value, revision: &Revision) -> Value {
    let is_own = |key: &str| OWN_ANNOTATIONS.contains(&key);
    let own = strings(&deployment["metadata"]["annotations"]).filter(|(key, _)| is_own(key));
    let earlier = strings(&revision.keeper["metadata"]["annotations"]).filter(|(key, _)| !is_own(key));
    let annotations: Map<String, Value> = own.chain(earlier).map(|(key, value)| (key.to_owned(), value.into())).collect();
    json!([
        {"op": "replace", "path": "/spec/template", "value": without_hash(&revision.keeper["spec"]["template"])},
        {"op": "replace", "path": "/metadata/annotations", "value": annotations},
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(keeper: Value) -> Revision {
        Revision { cause: String::new(), template: Value::Null, keeper }
    }

    #[test]
    fn the_last_but_one_is_meant() {
        let known: BTreeMap<i64, Revision> = [1, 3, 4].map(|number| (number, revision(number.into()))).into();
        let chosen = |wanted| choose(&known, wanted, Workload::Deployment, "web").map(|revision| revision.keeper.clone());
        assert_eq!(chosen(0).unwrap(), 3);
        assert_eq!(chosen(1).unwrap(), 1);
        assert_eq!(chosen(-1).unwrap_err().to_string(), "error: unable to find specified revision -1 in history");
        assert_eq!(chosen(2).unwrap_err().to_string(), "error: unable to find specified revision 2 in history");
        let said = |workload| choose(&BTreeMap::new(), 0, workload, "web").unwrap_err().to_string();
        assert_eq!(said(Workload::Deployment), "error: no rollout history found for deployment \"web\"");
        assert_eq!(said(Workload::DaemonSet), "error: no last revision to roll back to");
    }

    #[test]
    fn a_deployment_keeps_what_is_its_own() {
        let deployment = json!({"metadata": {"annotations": {"deployment.kubernetes.io/revision": "4", "mine": "x"}}});
        let keeper = json!({
            "metadata": {"annotations": {"deployment.kubernetes.io/revision": "2", "kubernetes.io/change-cause": "why"}},
            "spec": {"template": {"metadata": {"labels": {"app": "web", "pod-template-hash": "h"}}}},
        });
        let patch = back(&deployment, &revision(keeper));
        assert_eq!(patch[0]["value"]["metadata"]["labels"], json!({"app": "web"}));
        assert_eq!(patch[1]["value"], json!({"deployment.kubernetes.io/revision": "4", "kubernetes.io/change-cause": "why"}));
    }
}
