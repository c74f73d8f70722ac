//! The versions of Deployment that old files still use. What they could say and today's cannot is the way back, `rollbackTo`: upstream keeps
//! it as an annotation, and so it is kept here.

use k8s_openapi::{
    Metadata, NamespaceResourceScope, Resource,
    api::{
        apps::v1::{DeploymentStatus, DeploymentStrategy},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{
    Conversion,
    old_version::{default, selector_from_template},
};

/// Where `spec.rollbackTo.revision` is kept.
const ROLLBACK_TO: &str = "deprecated.deployment.rollback.to";

/// The version of the first Deployments: one pod at a time, no deadline, all of history kept.
pub(in super::super) const EXTENSIONS_V1BETA1: Conversion = Conversion {
    upgrade: |object| {
        keep_rollback(object);
        selector_from_template(object);
        let spec = &mut object["spec"];
        rolling(spec, &json!(1));
        default(spec, "revisionHistoryLimit", json!(i32::MAX));
        default(spec, "progressDeadlineSeconds", json!(i32::MAX));
    },
    downgrade: show_rollback,
    warning: Some("extensions/v1beta1 Deployment is deprecated in v1.8+, unavailable in v1.16+; use apps/v1 Deployment"),
    optional: &[],
    shown: true,
};

/// The first version in the group apps.
pub(in super::super) const APPS_V1BETA1: Conversion = Conversion {
    upgrade: |object| {
        keep_rollback(object);
        selector_from_template(object);
        let spec = &mut object["spec"];
        rolling(spec, &json!("25%"));
        default(spec, "revisionHistoryLimit", json!(2));
        default(spec, "progressDeadlineSeconds", json!(600));
    },
    warning: Some("apps/v1beta1 Deployment is deprecated in v1.8+, unavailable in v1.16+; use apps/v1 Deployment"),
    ..EXTENSIONS_V1BETA1
};

/// The last version before v1, and no different.
pub(in super::super) const APPS_V1BETA2: Conversion = Conversion {
    warning: Some("apps/v1beta2 Deployment is deprecated in v1.9+, unavailable in v1.16+; use apps/v1 Deployment"),
    ..Conversion::NONE
};

/// The revision a Deployment is to go back to, if it is.
pub(super) fn rollback(meta: &ObjectMeta) -> Option<i64> {
    meta.annotations.as_ref()?.get(ROLLBACK_TO)?.parse().ok()
}

/// Keeps `spec.rollbackTo` as the annotation.
fn keep_rollback(object: &mut Value) {
    let spec = object.get_mut("spec").and_then(Value::as_object_mut);
    let Some(config) = spec.and_then(|spec| spec.remove("rollbackTo")).filter(|config| !config.is_null()) else { return };
    let revision = config["revision"].as_i64().unwrap_or(0);
    default(object, "metadata", json!({}));
    default(&mut object["metadata"], "annotations", json!({}));
    object["metadata"]["annotations"][ROLLBACK_TO] = revision.to_string().into();
}

/// Shows the annotation as `spec.rollbackTo`.
fn show_rollback(object: &mut Value) {
    let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) else { return };
    let revision = annotations.get(ROLLBACK_TO).and_then(Value::as_str).and_then(|text| text.parse::<i64>().ok());
    let Some(revision) = revision else { return };
    annotations.remove(ROLLBACK_TO);
    if annotations.is_empty()
        && let Some(meta) = object["metadata"].as_object_mut()
    {
        meta.remove("annotations");
    }
    object["spec"]["rollbackTo"] = if revision == 0 { json!({}) } else { json!({ "revision": revision }) };
}

fn rolling(spec: &mut Value, step: &Value) {
    if !spec.is_object() {
        return;
    }
    default(spec, "strategy", json!({}));
    let strategy = &mut spec["strategy"];
    default(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        default(strategy, "rollingUpdate", json!({}));
        default(&mut strategy["rollingUpdate"], "maxUnavailable", step.clone());
        default(&mut strategy["rollingUpdate"], "maxSurge", step.clone());
    }
}

/// Keeps so many pods of one template, and replaces them when that changes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(rename = "io.k8s.api.extensions.v1beta1.Deployment")]
pub(crate) struct Deployment {
    /// The version of this object.
    pub api_version: String,
    /// The kind of this object.
    pub kind: String,
    /// Standard object's metadata.
    pub metadata: ObjectMeta,
    /// The desired state.
    pub spec: DeploymentSpec,
    /// The current state.
    pub status: DeploymentStatus,
}

/// The desired state of a Deployment.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.api.extensions.v1beta1.DeploymentSpec")]
pub(crate) struct DeploymentSpec {
    /// For how many seconds a new pod has to be ready until it counts as available.
    #[serde(default)]
    pub min_ready_seconds: i32,
    /// Whether changes of the template wait.
    #[serde(default)]
    pub paused: bool,
    /// After how many seconds without progress it is said to have failed.
    #[serde(default)]
    pub progress_deadline_seconds: i32,
    /// How many pods there are to be.
    #[serde(default)]
    pub replicas: i32,
    /// How many old ReplicaSets are kept, so that there is a way back.
    #[serde(default)]
    pub revision_history_limit: i32,
    /// The revision to go back to. It is cleared when that is done.
    #[serde(default)]
    pub rollback_to: RollbackConfig,
    /// The pods that are its own; by default those with the labels of the template.
    #[serde(default)]
    pub selector: LabelSelector,
    /// How pods are replaced.
    #[serde(default)]
    pub strategy: DeploymentStrategy,
    /// What the pods are like.
    pub template: PodTemplateSpec,
}

/// A way back.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(rename = "io.k8s.api.extensions.v1beta1.RollbackConfig")]
pub(crate) struct RollbackConfig {
    /// The revision to go back to; 0 is the last one before the present.
    pub revision: i64,
}

impl Resource for Deployment {
    const API_VERSION: &'static str = "extensions/v1beta1";
    const GROUP: &'static str = "extensions";
    const KIND: &'static str = "Deployment";
    const VERSION: &'static str = "v1beta1";
    const URL_PATH_SEGMENT: &'static str = "deployments";
    type Scope = NamespaceResourceScope;
}

impl Metadata for Deployment {
    type Ty = ObjectMeta;
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_course_notes() {
        let mut old = json!({
            "apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": {"name": "nginx"},
            "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": "nginx"}}, "spec": {"containers": []}}},
        });
        (EXTENSIONS_V1BETA1.upgrade)(&mut old);
        let once = old.clone();
        (EXTENSIONS_V1BETA1.upgrade)(&mut old);
        assert_eq!(old, once);
        assert_eq!(old["metadata"]["labels"], json!({"app": "nginx"}));
        assert_eq!(
            old["spec"],
            json!({
                "replicas": 2, "revisionHistoryLimit": i32::MAX, "progressDeadlineSeconds": i32::MAX,
                "selector": {"matchLabels": {"app": "nginx"}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}},
                "template": {"metadata": {"labels": {"app": "nginx"}}, "spec": {"containers": []}},
            })
        );
        let mut odd = json!({"spec": "what"});
        (APPS_V1BETA1.upgrade)(&mut odd);
        assert_eq!(odd, json!({"spec": "what"}));
    }

    #[test]
    fn the_way_back_is_an_annotation_there_and_a_field_here() {
        for (config, annotation, shown) in [
            (json!({"revision": 3}), json!("3"), json!({"revision": 3})),
            (json!({}), json!("0"), json!({})),
            (json!({"revision": 0}), json!("0"), json!({})),
            (json!({"revision": -1}), json!("-1"), json!({"revision": -1})),
            (json!(null), json!(null), json!(null)),
        ] {
            let mut object = json!({"metadata": {"name": "d"}, "spec": {"rollbackTo": config}});
            keep_rollback(&mut object);
            assert_eq!(object["metadata"]["annotations"][ROLLBACK_TO], annotation, "{config}");
            assert_eq!(object["spec"], json!({}), "{config}");
            show_rollback(&mut object);
            assert_eq!(object["spec"]["rollbackTo"], shown, "{config}");
            assert!(object["metadata"]["annotations"].is_null(), "{config}");
        }
        let mut other = json!({"metadata": {"annotations": {"a": "b", ROLLBACK_TO: "soon"}}, "spec": {}});
        let before = other.clone();
        show_rollback(&mut other);
        assert_eq!(other, before, "what is no number is no wish");
        other["metadata"]["annotations"][ROLLBACK_TO] = json!("2");
        show_rollback(&mut other);
        assert_eq!(other, json!({"metadata": {"annotations": {"a": "b"}}, "spec": {"rollbackTo": {"revision": 2}}}));
    }

    #[test]
    fn there_is_no_revision_below_zero() {
        let meta = |revision: &str| ObjectMeta {
            annotations: Some([(ROLLBACK_TO.to_owned(), revision.to_owned())].into()),
            ..ObjectMeta::default()
        };
        assert_eq!(["2", "-1", "soon"].map(|revision| rollback(&meta(revision))), [Some(2), Some(-1), None]);
        assert_eq!(rollback(&ObjectMeta::default()), None);
    }
}
