//! An Ingress that names no class gets the default one, if there is one.

use async_trait::async_trait;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use mini_api::ingress::ANNOTATION;

use super::{Attempt, Cluster, Step, newest};
use crate::error::Result;

/// The annotation of a class that is the default.
const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";

#[derive(Default)]
pub(super) struct Plugin;

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, cluster: &Cluster<'_>) -> Result<()> {
        let Some(ingress) = attempt.created::<Ingress>() else { return Ok(()) };
        let named = ingress.spec.as_ref().is_some_and(|spec| spec.ingress_class_name.is_some());
        // Who names a class in the old way is left to the controller that reads it so.
        let annotated = ingress.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(ANNOTATION));
        if !named
            && !annotated
            && let Some(class) = default(cluster.all("ingressclasses"))
        {
            ingress.spec.get_or_insert_default().ingress_class_name = Some(class);
        }
        Ok(())
    }
}

/// The name of the default class.
fn default(classes: Vec<IngressClass>) -> Option<String> {
    let is_default = |class: &IngressClass| {
        let annotations = class.metadata.annotations.as_ref();
        annotations.and_then(|all| all.get(DEFAULT)).is_some_and(|value| value == "true")
    };
    newest(classes.into_iter().filter(is_default).map(|class| class.metadata))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_default_counts() {
        let class = |name: &str, created: &str, value: &str| -> IngressClass {
            let metadata = json!({ "name": name, "creationTimestamp": created, "annotations": { DEFAULT: value } });
            serde_json::from_value(json!({ "metadata": metadata })).unwrap()
        };
        let mut classes = vec![
            class("old", "2026-01-01T00:00:00Z", "true"),
            class("not", "2026-01-04T00:00:00Z", "false"),
            class("y", "2026-01-02T00:00:00Z", "true"),
            class("x", "2026-01-02T00:00:00Z", "true"),
        ];
        assert_eq!(default(classes.clone()).as_deref(), Some("x"));
        classes.retain(|class| class.metadata.name.as_deref() == Some("not"));
        assert_eq!(default(classes), None);
    }
}
