//! Labels and label selectors in a spec: what is wrong with them, and how tables show them. Knows no kind.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use mini_api::{name, selector::Selector};
use serde::{
    Deserialize, Serialize, Serializer,
    de::{DeserializeOwned, IgnoredAny},
    ser::SerializeMap,
};

use super::{
    field::{Errors, Path},
    unset::list,
};

/// What is wrong with a map of labels.
pub(super) fn labels(labels: Option<&BTreeMap<String, String>>, path: &Path<'_>, errors: &mut Errors) {
    for (key, value) in labels.into_iter().flatten() {
        errors.invalid_all(path, key, name::qualified_name(key));
        errors.invalid_all(path, value, name::label_value(value));
    }
}

/// What is wrong with a label selector.
pub(super) fn label_selector(selector: &LabelSelector, path: &Path<'_>, errors: &mut Errors) {
    labels(selector.match_labels.as_ref(), &path.child("matchLabels"), errors);
    let expressions = path.child("matchExpressions");
    for (index, requirement) in list(&selector.match_expressions).iter().enumerate() {
        label_requirement(requirement, &expressions.index(index), errors);
    }
}

fn label_requirement(requirement: &LabelSelectorRequirement, path: &Path<'_>, errors: &mut Errors) {
    let values = list(&requirement.values);
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            errors.forbidden(&path.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        operator => errors.invalid(&path.child("operator"), operator, "not a valid selector operator"),
    }
    errors.invalid_all(&path.child("key"), &requirement.key, name::qualified_name(&requirement.key));
    let path = path.child("values");
    for (index, value) in values.iter().enumerate() {
        errors.invalid_all(&path.index(index), value, name::label_value(value));
    }
}

/// Whether it has no requirement at all.
pub(super) fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty) && list(&selector.match_expressions).is_empty()
}

/// The selector a kind must have, as something that matches; `None` if there is none, `Err` if it was refused as no selector at all.
pub(super) fn required(
    selector: &LabelSelector,
    path: &Path<'_>,
    kind: &str,
    unusable: &str,
    errors: &mut Errors,
) -> Result<Option<Selector>, ()> {
    if selector.match_labels.is_none() && selector.match_expressions.is_none() {
        errors.required(path, "");
        return Ok(None);
    }
    label_selector(selector, path, errors);
    if is_empty(selector) {
        errors.invalid(path, Shown(selector), &format!("empty selector is invalid for {kind}"));
    }
    match Selector::from_label_selector(selector) {
        Ok(selector) => Ok(Some(selector)),
        Err(_) => {
            errors.invalid(path, Shown(selector), unusable);
            Err(())
        }
    }
}

/// A selector does not change: whose pods would the old ones be?
pub(super) fn immutable(new: &LabelSelector, old: &LabelSelector, errors: &mut Errors) {
    let is_same = new.match_expressions.as_deref().unwrap_or_default() == old.match_expressions.as_deref().unwrap_or_default()
        && new.match_labels.clone().unwrap_or_default() == old.match_labels.clone().unwrap_or_default();
    if !is_same {
        let spec = Path::new("spec");
        errors.invalid(&spec.child("selector"), Shown(new), "field is immutable");
    }
}

/// Reads an object that has a selector. The type cannot tell an empty one from none, but upstream's messages do: a selector that
/// is given but empty gets an empty map of labels.
pub(super) fn decode<K: DeserializeOwned>(json: &str, selector: fn(&mut K) -> &mut LabelSelector) -> serde_json::Result<K> {
    #[derive(Deserialize)]
    struct Peek {
        spec: Option<PeekSpec>,
    }
    #[derive(Deserialize)]
    struct PeekSpec {
        selector: Option<IgnoredAny>,
    }
    let mut object = serde_json::from_str(json)?;
    let selector = selector(&mut object);
    if is_empty(selector) && serde_json::from_str::<Peek>(json)?.spec.is_some_and(|spec| spec.selector.is_some()) {
        selector.match_labels.get_or_insert_default();
    }
    Ok(object)
}

/// A selector as messages show it: what is not set is left out, labels come first.
pub(super) struct Shown<'a>(pub(super) &'a LabelSelector);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(labels) = self.0.match_labels.as_ref().filter(|labels| !labels.is_empty()) {
            map.serialize_entry("matchLabels", labels)?;
        }
        if let Some(expressions) = self.0.match_expressions.as_ref().filter(|expressions| !expressions.is_empty()) {
            map.serialize_entry("matchExpressions", expressions)?;
        }
        map.end()
    }
}

/// A label selector as tables show it: `a=b,c in (d,e)`, or `<none>`.
pub(super) fn cell(selector: &LabelSelector) -> String {
    match Selector::from_label_selector(selector) {
        Ok(_) if is_empty(selector) => "<none>".to_owned(),
        Ok(selector) => selector.to_string(),
        Err(_) => "<error>".to_owned(),
    }
}

/// Labels as tables show them: `a=b,c=d`, or `<none>`.
pub(super) fn labels_cell(labels: Option<&BTreeMap<String, String>>) -> String {
    match labels {
        Some(labels) if !labels.is_empty() => labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","),
        _ => "<none>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(json: serde_json::Value) -> LabelSelector {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn requirements_need_what_their_operator_needs() {
        for (json, want) in [
            (serde_json::json!({"matchLabels": {"a": "b"}}), ""),
            (
                serde_json::json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
                "s.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            ),
            (
                serde_json::json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}),
                "s.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
            (
                serde_json::json!({"matchExpressions": [{"key": "a", "operator": "Foo"}]}),
                "s.matchExpressions[0].operator: Invalid value: \"Foo\": not a valid selector operator",
            ),
        ] {
            let mut errors = Errors::new();
            label_selector(&selector(json), &Path::new("s"), &mut errors);
            assert_eq!(if errors.is_empty() { String::new() } else { errors.to_string() }, want);
        }
    }

    #[test]
    fn cells() {
        assert_eq!(cell(&LabelSelector::default()), "<none>");
        assert_eq!(cell(&selector(serde_json::json!({"matchLabels": {"b": "c", "a": "b"}}))), "a=b,b=c");
        assert_eq!(labels_cell(None), "<none>");
    }

    #[test]
    fn selectors_do_not_change() {
        let mut errors = Errors::new();
        let of = |value: &str| -> LabelSelector { serde_json::from_value(serde_json::json!({"matchLabels": {"a": value}})).unwrap() };
        immutable(&of("b"), &of("b"), &mut errors);
        assert!(errors.is_empty());
        immutable(&of("c"), &of("b"), &mut errors);
        assert_eq!(errors.to_string(), "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"c\"}}: field is immutable");
    }
}
