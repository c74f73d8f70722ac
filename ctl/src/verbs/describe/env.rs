//! The environment of a container: what stands there, and where the rest comes from.

use mini_api::quantity::Quantity;
use serde_json::Value;

use super::page::Page;
use crate::value::{list, plain, text};

/// Whole sources of variables.
pub(super) fn env_from(page: &mut Page, sources: &Value) {
    if list(sources).is_empty() {
        return;
    }
    page.line(2, "Environment Variables from:");
    for source in list(sources) {
        let kinds = [("configMapRef", "ConfigMap"), ("secretRef", "Secret")];
        let (reference, kind) = kinds
            .into_iter()
            .find(|(field, _)| source[*field].is_object())
            .map_or((&Value::Null, ""), |(field, kind)| (&source[field], kind));
        let prefix = match text(&source["prefix"]) {
            "" => String::new(),
            prefix => format!(" with prefix '{prefix}'"),
        };
        page.line(3, &format!("{}\t{kind}{prefix}\tOptional: {}", text(&reference["name"]), reference["optional"] == true));
    }
}

/// The variables of a container.
pub(super) fn env(page: &mut Page, container: &Value, pod: &Value) {
    let variables = list(&container["env"]);
    page.line(2, if variables.is_empty() { "Environment:\t<none>" } else { "Environment:" });
    for variable in variables {
        let (name, from) = (text(&variable["name"]), &variable["valueFrom"]);
        if !from.is_object() {
            for (at, line) in text(&variable["value"]).split('\n').enumerate() {
                page.line(3, &if at == 0 { format!("{name}:\t{line}") } else { format!("\t{line}") });
            }
        } else if let Some(source) = source(from, container, pod) {
            page.field(3, name, source);
        }
    }
}

/// Where the value of a variable comes from, with the value where it can be told.
fn source(from: &Value, container: &Value, pod: &Value) -> Option<String> {
    let (field, resource, secret, map) = (&from["fieldRef"], &from["resourceFieldRef"], &from["secretKeyRef"], &from["configMapKeyRef"]);
    let keyed = |reference: &Value, of: &str| {
        let (key, name) = (text(&reference["key"]), text(&reference["name"]));
        Some(format!("<set to the key '{key}' {of} '{name}'>\tOptional: {}", reference["optional"] == true))
    };
    if field.is_object() {
        let path = text(&field["fieldPath"]);
        // That is all that kubectl knows to look up.
        let value = match path {
            "metadata.name" => text(&pod["metadata"]["name"]),
            "metadata.namespace" => text(&pod["metadata"]["namespace"]),
            _ => "",
        };
        return Some(format!("{value} ({}:{path})", text(&field["apiVersion"])));
    }
    if resource.is_object() {
        let name = text(&resource["resource"]);
        return Some(format!("{} ({name})", amount(container, name, &resource["divisor"])));
    }
    if secret.is_object() {
        return keyed(secret, "in secret");
    }
    if map.is_object() { keyed(map, "of config map") } else { None }
}

/// How much of a resource, such as `limits.cpu`, a container has, in pieces of the divisor's size.
fn amount(container: &Value, resource: &str, divisor: &Value) -> String {
    let Some((list, name)) = resource.split_once('.') else { return String::new() };
    let known = match list {
        "requests" | "limits" => matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-"),
        _ => false,
    };
    if !known {
        return String::new();
    }
    let read = |value: &Value| Quantity::parse(&plain(value)).unwrap_or_default();
    let count = |quantity: Quantity| if name == "cpu" { quantity.milli() } else { i128::from(quantity.value()) };
    let (whole, divisor) = (count(read(&container["resources"][list][name])), read(divisor));
    let piece = if divisor.is_zero() { count(Quantity::from_value(1, divisor.format())) } else { count(divisor) };
    match whole / piece + i128::from(whole % piece > 0) {
        0 if matches!(resource, "limits.cpu" | "limits.memory") => "node allocatable".to_owned(),
        pieces => pieces.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn environment_of_every_sort() {
        let pod = json!({"metadata": {"name": "p", "labels": {"a": "b"}}});
        let container = json!({
            "envFrom": [{"configMapRef": {"name": "m"}}, {"secretRef": {"name": "s", "optional": true}, "prefix": "P_"}],
            "env": [
                {"name": "A", "value": "1\n2"},
                {"name": "NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
                {"name": "LABEL", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels['a']"}}},
                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ]});
        let mut page = Page::default();
        env_from(&mut page, &container["envFrom"]);
        env(&mut page, &container, &pod);
        assert_eq!(
            page.finish(),
            "    Environment Variables from:\n      m  ConfigMap                Optional: false\n      s  Secret with prefix 'P_'  Optional: true\n\
             \x20   Environment:\n      A:      1\n              2\n      NAME:   p (v1:metadata.name)\n      LABEL:   (v1:metadata.labels['a'])\n\
             \x20     KEY:    <set to the key 'k' in secret 's'>  Optional: false\n"
        );
    }

    #[test]
    fn amounts_are_counted_in_pieces_and_rounded_up() {
        let container = json!({"resources": {"limits": {"cpu": "1500m", "memory": "512Mi"}, "requests": {"cpu": "250m"}}});
        for (resource, divisor, shown) in [
            ("limits.cpu", "0", "2"),
            ("requests.cpu", "1m", "250"),
            ("limits.memory", "1Mi", "512"),
            ("requests.memory", "0", "0"),
            ("limits.nothing", "0", ""),
        ] {
            assert_eq!(amount(&container, resource, &json!(divisor)), shown, "{resource}");
        }
        assert_eq!(amount(&json!({}), "limits.cpu", &Value::Null), "node allocatable");
    }
}
