//! ControllerRevisions: the templates a DaemonSet or StatefulSet has had, each under a number, so that there is a way back.
//!
//! What is kept is a strategic merge patch that puts the template back, as upstream writes it: `kubectl rollout` reads it.

use std::sync::Arc;

use k8s_openapi::{
    api::{apps::v1::ControllerRevision, core::v1::PodTemplateSpec},
    apimachinery::pkg::runtime::RawExtension,
};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::{
    cache::Key,
    pods::together,
    writes::{Error, Result, Writes},
};

/// The label that tells the pods of one revision from those of another.
pub(crate) const REVISION_LABEL: &str = "controller-revision-hash";
/// Names leave room for a dash and the hash.
const LONGEST_PREFIX: usize = 223;

/// What a revision of `template` keeps.
pub(crate) fn data(template: &PodTemplateSpec) -> Result<Value> {
    let encoded = serde_json::to_value(template);
    let mut template = encoded.map_err(|source| Error::Encode { doing: "encode a pod template".to_owned(), source })?;
    template["$patch"] = json!("replace");
    Ok(json!({ "spec": { "template": template } }))
}

/// The template a revision keeps. One that keeps none, which somebody else made, counts as the current template.
pub(crate) fn template(revision: &ControllerRevision, current: &PodTemplateSpec) -> PodTemplateSpec {
    let kept = revision.data.as_ref().map(|data| &data.0["spec"]["template"]);
    kept.and_then(|kept| serde_json::from_value(kept.clone()).ok()).unwrap_or_else(|| current.clone())
}

/// Whether a revision keeps `data`.
pub(crate) fn keeps(revision: &ControllerRevision, data: &Value) -> bool {
    revision.data.as_ref().is_some_and(|kept| kept.0 == *data)
}

/// Puts revisions in order, the oldest first.
pub(crate) fn sort(revisions: &mut [Arc<ControllerRevision>]) {
    revisions.sort_by_cached_key(|revision| {
        let created = revision.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (revision.revision, created, revision.metadata.name.clone())
    });
}

/// The name a revision of `parent` has.
pub(crate) fn name(parent: &str, hash: &str) -> String {
    let prefix: String = parent.chars().take(LONGEST_PREFIX).collect();
    format!("{prefix}-{hash}")
}

/// What makes the newest revision the one of the current template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// It is.
    Keep(Arc<ControllerRevision>),
    /// There is one of an earlier time: it gets this number, which is what a rollback is.
    Renumber(Arc<ControllerRevision>, i64),
    /// There is none: it is made, with this number.
    Create(i64),
}

/// Decides from all revisions, in order.
pub(crate) fn plan(revisions: &[Arc<ControllerRevision>], data: &Value) -> Step {
    let next = revisions.last().map_or(0, |last| last.revision) + 1;
    match revisions.iter().rposition(|revision| keeps(revision, data)) {
        None => Step::Create(next),
        Some(newest) if newest + 1 == revisions.len() => Step::Keep(revisions[newest].clone()),
        Some(earlier) => Step::Renumber(revisions[earlier].clone(), next),
    }
}

/// The revision of the current template, and how many names were found taken up to now.
pub(crate) struct Current {
    pub(crate) revision: Arc<ControllerRevision>,
    pub(crate) collisions: Option<i32>,
}

/// Takes the step. `make` gives the revision of a number, whose name hangs on the count of collisions.
pub(crate) async fn ensure(
    step: Step,
    mut collisions: Option<i32>,
    make: impl Fn(i64, Option<i32>) -> ControllerRevision,
    writes: &Writes,
) -> Result<Current> {
    let number = match step {
        Step::Keep(revision) => return Ok(Current { revision, collisions }),
        Step::Renumber(revision, number) => {
            let renumbered = ControllerRevision { revision: number, ..(*revision).clone() };
            writes.update(&*revision, &renumbered).await?;
            return Ok(Current { revision: Arc::new(renumbered), collisions });
        }
        Step::Create(number) => number,
    };
    loop {
        let revision = make(number, collisions);
        match writes.create(&revision).await {
            Ok(_) => return Ok(Current { revision: Arc::new(revision), collisions }),
            Err(error) if error.is_already_exists() => {
                let Some(there) = writes.live::<ControllerRevision>(&Key::of(&revision.metadata)).await? else { return Err(error) };
                if there.data == revision.data {
                    return Ok(Current { revision: Arc::new(there), collisions });
                }
                collisions = Some(collisions.unwrap_or(0) + 1);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Deletes revisions.
pub(crate) async fn delete(revisions: Vec<Arc<ControllerRevision>>, writes: &Writes) -> Result<()> {
    let deletions = revisions.iter().map(|revision| writes.delete(&**revision, DeleteParams::default()));
    together(deletions.collect()).await
}

/// Wraps what a revision keeps.
pub(crate) fn raw(data: Value) -> Option<RawExtension> {
    Some(RawExtension(data))
}

#[cfg(test)]
pub(crate) mod tests {
    use k8s_openapi::{
        api::core::v1::{Container, PodSpec},
        apimachinery::pkg::apis::meta::v1::ObjectMeta,
    };

    use super::*;

    pub(crate) fn pod_template(image: &str) -> PodTemplateSpec {
        let container = Container { name: "c".to_owned(), image: Some(image.to_owned()), ..Container::default() };
        PodTemplateSpec {
            metadata: Some(ObjectMeta { labels: Some([("app".to_owned(), "web".to_owned())].into()), ..ObjectMeta::default() }),
            spec: Some(PodSpec { containers: vec![container], ..PodSpec::default() }),
        }
    }

    pub(crate) fn revision(number: i64, name: &str, image: &str) -> Arc<ControllerRevision> {
        let labels = Some([(REVISION_LABEL.to_owned(), name.to_owned())].into());
        Arc::new(ControllerRevision {
            metadata: ObjectMeta { name: Some(name.to_owned()), labels, ..ObjectMeta::default() },
            data: raw(data(&pod_template(image)).unwrap()),
            revision: number,
        })
    }

    #[test]
    fn what_is_kept_is_a_patch() {
        let kept = data(&pod_template("nginx:1")).unwrap();
        expect_test::expect![[
            r#"{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"nginx:1","name":"c"}]}}}}"#
        ]]
        .assert_eq(&kept.to_string());
        assert_eq!(template(&revision(1, "r", "nginx:1"), &pod_template("nginx:2")), pod_template("nginx:1"));
        assert_eq!(template(&ControllerRevision::default(), &pod_template("nginx:2")), pod_template("nginx:2"));
    }

    #[test]
    fn the_newest_revision_is_the_current_one() {
        let (one, two) = (revision(1, "r-1", "nginx:1"), revision(2, "r-2", "nginx:2"));
        let mut revisions = [two.clone(), one.clone()];
        sort(&mut revisions);
        let step = |image: &str| plan(&revisions, &data(&pod_template(image)).unwrap());
        assert_eq!(step("nginx:2"), Step::Keep(two));
        assert_eq!(step("nginx:1"), Step::Renumber(one, 3));
        assert_eq!(step("nginx:3"), Step::Create(3));
        assert_eq!(plan(&[], &Value::Null), Step::Create(1));
    }

    #[test]
    fn names_have_room_for_the_hash() {
        assert_eq!(name("web", "c685f478b"), "web-c685f478b");
        assert_eq!(name(&"w".repeat(253), "c685f478b").len(), 223 + 10);
    }
}
