//! RuntimeClasses: ways to run containers that some nodes offer.

use k8s_openapi::api::node::v1::RuntimeClass;
use mini_api::name;
use serde_json::Value;

use super::{
    Conversion,
    field::{Errors, Path},
    pod::{affinity::tolerations, resources, warnings::old_node_label},
    rules::{Column, Rules, column},
    selector,
    unset::list,
};

/// The version before v1, and no different.
pub(super) const V1BETA1: Conversion = Conversion {
    warning: Some("node.k8s.io/v1beta1 RuntimeClass is deprecated in v1.22+, unavailable in v1.25+; use node.k8s.io/v1 RuntimeClass"),
    ..Conversion::NONE
};

/// What is special about a RuntimeClass.
pub(super) const RULES: Rules<RuntimeClass> = Rules {
    validate,
    validate_update: |new, old, errors| {
        if new.handler != old.handler {
            errors.invalid(&Path::new("handler"), &new.handler, "field is immutable");
        }
    },
    warnings,
    columns: &[
        Column::name(),
        column("Handler", |class: &RuntimeClass, _| Value::from(class.handler.clone())).about(
            "handler specifies the underlying runtime and configuration that the CRI implementation will use to handle pods of this class.",
        ),
        Column::age(),
    ],
    ..Rules::NONE
};

fn validate(class: &RuntimeClass, errors: &mut Errors) {
    errors.invalid_all(&Path::new("handler"), &class.handler, name::dns1123_label(&class.handler));
    if let Some(amounts) = class.overhead.as_ref().and_then(|overhead| overhead.pod_fixed.as_ref()) {
        resources::overhead(amounts, &Path::new("overhead"), errors);
    }
    if let Some(scheduling) = &class.scheduling {
        let path = Path::new("scheduling");
        selector::labels(scheduling.node_selector.as_ref(), &path.child("nodeSelector"), errors);
        tolerations(list(&scheduling.tolerations), &path.child("tolerations"), errors);
    }
}

fn warnings(class: &RuntimeClass) -> Vec<String> {
    let wanted = class.scheduling.iter().flat_map(|scheduling| scheduling.node_selector.iter().flatten());
    wanted.filter_map(|(key, _)| Some(format!("scheduling.nodeSelector: {}", old_node_label(key)?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong() {
        let class = serde_json::from_value(json!({
            "handler": "h", "overhead": {"podFixed": {"cpu": "-1"}},
            "scheduling": {"nodeSelector": {"a b": "c"}, "tolerations": [{"key": "k", "operator": "Odd"}]},
        }))
        .unwrap();
        let mut errors = Errors::new();
        validate(&class, &mut errors);
        let fields: Vec<&str> = errors.causes().iter().map(|cause| cause.field.as_str()).collect();
        assert_eq!(fields, ["overhead.limits[cpu]", "scheduling.nodeSelector", "scheduling.tolerations[0].operator"]);
    }
}
