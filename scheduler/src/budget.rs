//! What scheduling knows of a PodDisruptionBudget: which pods it protects, and how many of them may go. The numbers are counted by
//! the disruption controller; here they are only read.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    NamespaceResourceScope,
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use mini_api::selector::Selector;
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    cluster::{Key, Keyed},
    meta,
    pod::PodInfo,
};

/// The part of a PodDisruptionBudget that is decoded.
#[derive(Clone, Debug, Deserialize)]
pub struct BudgetView {
    #[serde(deserialize_with = "meta::slim")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Spec {
    selector: Option<LabelSelector>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    disruptions_allowed: i32,
    disrupted_pods: Option<BTreeMap<String, IgnoredAny>>,
}

meta::view_of!(BudgetView, "policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", NamespaceResourceScope);

/// A budget as preemption sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetInfo {
    /// `metadata.namespace`: only pods of this one are protected.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.selector`; nothing when it selects no pods.
    pub selector: Option<Selector>,
    /// `status.disruptionsAllowed`.
    pub allowed: i32,
    /// The names in `status.disruptedPods`: their disruption is counted already.
    pub disrupted: BTreeSet<String>,
}

impl BudgetInfo {
    /// Whether the pod's end is charged to it.
    #[must_use]
    pub fn is_charged_for(&self, pod: &PodInfo) -> bool {
        self.namespace == pod.namespace
            && !pod.labels.is_empty()
            && self.selector.as_ref().is_some_and(|selector| selector.matches(&pod.labels))
            && !self.disrupted.contains(&pod.name)
    }
}

impl Keyed for BudgetInfo {
    fn key(&self) -> Key {
        (self.namespace.clone(), self.name.clone())
    }
}

impl From<BudgetView> for BudgetInfo {
    fn from(view: BudgetView) -> Self {
        let selector = view.spec.selector.as_ref().and_then(|selector| Selector::from_label_selector(selector).ok());
        Self {
            namespace: view.metadata.namespace.unwrap_or_default(),
            name: view.metadata.name.unwrap_or_default(),
            // Unlike that of the eviction API, an empty one protects nobody from preemption.
            selector: selector.filter(|selector| !selector.is_empty()),
            allowed: view.status.disruptions_allowed,
            disrupted: view.status.disrupted_pods.unwrap_or_default().into_keys().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::framework::testing;

    #[test]
    fn pods_are_charged_to_the_budgets_that_select_them() {
        let budget = |selector| {
            let object = json!({"metadata": {"name": "b", "namespace": "default"}, "spec": {"selector": selector},
                "status": {"disruptionsAllowed": 1, "disruptedPods": {"gone": "2026-11-20T10:00:00Z"}}});
            BudgetInfo::from(serde_json::from_value::<BudgetView>(object).unwrap())
        };
        let web = |name: &str| PodInfo { labels: [("app".into(), "web".into())].into(), ..testing::pod(name) };
        let selected = budget(json!({"matchLabels": {"app": "web"}}));
        assert_eq!(selected.allowed, 1);
        for (budget, pod, want) in [
            (&selected, web("a"), true),
            (&selected, web("gone"), false),
            (&selected, testing::pod("a"), false),
            (&selected, PodInfo { namespace: "other".into(), ..web("a") }, false),
            (&budget(json!({})), web("a"), false),
            (&budget(json!(null)), web("a"), false),
        ] {
            assert_eq!(budget.is_charged_for(&pod), want, "{budget:?} {pod}");
        }
    }
}
