//! Whose an Ingress is: which class it is of, and whether that is the built-in controller's.

use k8s_openapi::api::networking::v1::{Ingress, IngressClass};

/// The built-in controller, as an IngressClass names it.
pub const CONTROLLER: &str = "mini.dev/ingress";
/// The class that is the built-in controller's although nobody made it.
pub const CLASS: &str = "mini";
/// How Ingresses named their class before there was a field for it.
pub const ANNOTATION: &str = "kubernetes.io/ingress.class";

/// The class of an Ingress, if it is of any.
#[must_use]
pub fn class(ingress: &Ingress) -> Option<&str> {
    let field = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
    let annotation = || ingress.metadata.annotations.as_ref()?.get(ANNOTATION).map(String::as_str);
    field.or_else(annotation).filter(|class| !class.is_empty())
}

/// Whether a class names the built-in controller.
#[must_use]
pub fn is_built_in(class: &IngressClass) -> bool {
    class.spec.as_ref().and_then(|spec| spec.controller.as_deref()) == Some(CONTROLLER)
}

/// Whether the built-in controller serves Ingresses of a class, or without one: these too, for there is no other controller. `known`
/// says of a class that was made whether it [`is_built_in`].
#[must_use]
pub fn is_served(class: Option<&str>, known: impl Fn(&str) -> Option<bool>) -> bool {
    class.is_none_or(|class| known(class).unwrap_or(class == CLASS))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whose_an_ingress_is() {
        let known = |class: &str| match class {
            "nginx" => Some(false),
            "other" => Some(true),
            _ => None,
        };
        for (spec, annotation, ours) in [
            (json!({}), None, true),
            (json!({ "ingressClassName": "mini" }), None, true),
            (json!({ "ingressClassName": "nginx" }), None, false),
            (json!({ "ingressClassName": "other" }), None, true),
            (json!({ "ingressClassName": "unknown" }), None, false),
            (json!({}), Some("nginx"), false),
            (json!({}), Some("mini"), true),
        ] {
            let annotations = json!({ ANNOTATION: annotation.unwrap_or_default() });
            let ingress = json!({ "metadata": { "name": "i", "namespace": "n", "annotations": annotations }, "spec": spec });
            let ingress: Ingress = serde_json::from_value(ingress).unwrap();
            assert_eq!(is_served(class(&ingress), known), ours, "{spec} {annotation:?}");
        }
        let class: IngressClass = serde_json::from_value(json!({ "spec": { "controller": CONTROLLER } })).unwrap();
        assert!(is_built_in(&class) && !is_built_in(&IngressClass::default()));
    }
}
