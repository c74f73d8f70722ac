//! The templates that a workload has had: those of the ReplicaSets of a Deployment, and the notes that other controllers keep.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Workload;
use crate::{
    changing::Subject,
    context::Context,
    discover::Resource,
    error::{Result, usage},
    value::{int, list, map_mut, some_text, text},
    writing::CHANGE_CAUSE,
};

/// Where a Deployment and its ReplicaSets have their number.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// What tells the pods of one ReplicaSet from those of another; it is no part of the template.
const HASH: &str = "pod-template-hash";

/// One template, and when it was.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Revision {
    pub(super) cause: String,
    pub(super) template: Value,
    /// What keeps it: a ReplicaSet, or a ControllerRevision.
    pub(super) keeper: Value,
}

/// All revisions of a workload, by their numbers.
pub(super) async fn revisions(context: &Context, subject: &Subject, workload: Workload) -> Result<BTreeMap<i64, Revision>> {
    let resource = keepers(context, workload).await?;
    let answer = context.server().await?.get(&resource.path(Some(&subject.target.namespace))).await?;
    let owned = |keeper: &&Value| {
        let owners = list(&keeper["metadata"]["ownerReferences"]);
        owners.iter().any(|owner| owner["controller"] == true && owner["uid"] == subject.object["metadata"]["uid"])
    };
    Ok(list(&answer["items"]).iter().filter(owned).filter_map(|keeper| read(workload, keeper, &resource)).collect())
}

/// The resource that keeps the templates.
pub(super) async fn keepers(context: &Context, workload: Workload) -> Result<Resource> {
    let plural = if workload == Workload::Deployment { "replicasets.apps" } else { "controllerrevisions.apps" };
    Ok(context.catalog().await?.find(plural)?.clone())
}

fn read(workload: Workload, keeper: &Value, resource: &Resource) -> Option<(i64, Revision)> {
    let mut keeper = keeper.clone();
    map_mut(&mut keeper).insert("apiVersion".into(), resource.group_version().into());
    map_mut(&mut keeper).insert("kind".into(), resource.kind.clone().into());
    let cause = text(&keeper["metadata"]["annotations"][CHANGE_CAUSE]).to_owned();
    if workload == Workload::Deployment {
        let mut template = keeper["spec"]["template"].clone();
        if !cause.is_empty() {
            let metadata = map_mut(map_mut(&mut template).entry("metadata").or_insert(Value::Null));
            map_mut(metadata.entry("annotations").or_insert(Value::Null)).insert(CHANGE_CAUSE.into(), cause.clone().into());
        }
        let number = some_text(&keeper["metadata"]["annotations"][REVISION]).map_or(Some(0), |number| number.parse().ok())?;
        return Some((number, Revision { cause, template, keeper }));
    }
    let mut template = keeper["data"]["spec"]["template"].clone();
    map_mut(&mut template).remove("$patch");
    Some((int(&keeper["revision"]), Revision { cause, template, keeper }))
}

/// The number of a Deployment's template.
///
/// # Errors
/// When what stands there is no number.
pub(super) fn current(deployment: &Value) -> Result<i64> {
    let Some(number) = some_text(&deployment["metadata"]["annotations"][REVISION]) else { return Ok(0) };
    number.parse().map_err(|_| {
        let name = text(&deployment["metadata"]["name"]);
        usage(format!("cannot get the revision of deployment {name:?}: strconv.ParseInt: parsing {number:?}: invalid syntax"))
    })
}

/// The template without what the controller adds to it.
pub(super) fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    map_mut(&mut template["metadata"]["labels"]).remove(HASH);
    template
}

/// The annotations of a Deployment that are its own, whatever template it has.
pub(super) const OWN_ANNOTATIONS: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn replica_sets_are_revisions() {
        let keeper = json!({"metadata": {"annotations": {REVISION: "3", CHANGE_CAUSE: "why"}}, "spec": {"template": {"metadata": {"labels": {HASH: "x", "a": "b"}}}}});
        let (number, revision) = read(Workload::Deployment, &keeper, &Resource::default()).unwrap();
        assert_eq!((number, revision.cause.as_str()), (3, "why"));
        assert_eq!(revision.template["metadata"]["annotations"], json!({CHANGE_CAUSE: "why"}));
        assert_eq!(without_hash(&revision.template)["metadata"]["labels"], json!({"a": "b"}));
        let odd = json!({"metadata": {"annotations": {REVISION: "x"}}});
        assert_eq!(read(Workload::Deployment, &odd, &Resource::default()), None);
    }

    #[test]
    fn controllers_keep_notes() {
        let keeper = json!({"revision": 2, "data": {"spec": {"template": {"$patch": "replace", "spec": {}}}}});
        let (number, revision) = read(Workload::DaemonSet, &keeper, &Resource::default()).unwrap();
        assert_eq!((number, revision.template), (2, json!({"spec": {}})));
    }
}
