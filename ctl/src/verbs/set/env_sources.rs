//! Variables whose values are kept elsewhere: in config maps, secrets, or the object itself.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    context::Context,
    error::{Result, usage},
    selection::{Files, Selection, Target, select},
    server::{JSON, warn},
    value::{map_mut, some_text, strings, text},
};

/// A variable for each key of what is named.
pub(super) async fn from_resources(context: &Context, name: &str, keys: &[String]) -> Result<Vec<Value>> {
    let Selection::Named(targets) = select(context, &[name.to_owned()], &Files::default()).await? else {
        return Err(usage("resource(s) were provided, but no name was specified"));
    };
    let mut variables = Vec::new();
    for target in &targets {
        let object = target.fetch(context.server().await?, JSON).await?;
        let field = match (target.resource.group.as_str(), target.resource.kind.as_str()) {
            ("", "ConfigMap") => "configMapKeyRef",
            ("", "Secret") => "secretKeyRef",
            _ => return Err(usage("unsupported resource specified in --from")),
        };
        for (key, _) in strings(&object["data"]).filter(|(key, _)| keys.is_empty() || keys.iter().any(|wanted| wanted == key)) {
            let name = variable_name(key);
            if name != key {
                warn(&format!("key {key} transferred to {name}"));
            }
            variables.push(json!({"name": name, "valueFrom": {field: {"name": target.name, "key": key}}}));
        }
    }
    Ok(variables)
}

/// Capitals, and `_` for what no shell would take.
fn variable_name(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// Where a value comes from, in words.
pub(super) fn reference(from: &Value) -> String {
    let key = |what: &str, field: &str| format!("{what} {}, key {}", text(&from[field]["name"]), text(&from[field]["key"]));
    if from["configMapKeyRef"].is_object() {
        key("configmap", "configMapKeyRef")
    } else if from["secretKeyRef"].is_object() {
        key("secret", "secretKeyRef")
    } else if from["fieldRef"].is_object() {
        format!("field path {}", text(&from["fieldRef"]["fieldPath"]))
    } else if from["resourceFieldRef"].is_object() {
        let container = some_text(&from["resourceFieldRef"]["containerName"]).map(|name| format!("{name}/")).unwrap_or_default();
        format!("resource field {container}{}", text(&from["resourceFieldRef"]["resource"]))
    } else {
        "invalid valueFrom".to_owned()
    }
}

/// Looks values up where they are kept, and remembers what could not be found.
pub(super) struct Resolver<'a> {
    context: &'a Context,
    object: &'a Value,
    container: &'a Value,
    /// The names of the variables, by what is wrong with them.
    wrong: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(context: &'a Context, object: &'a Value, container: &'a Value) -> Self {
        Self { context, object, container, wrong: BTreeMap::new() }
    }

    /// The value, if it can be found.
    pub(super) async fn value(&mut self, name: &str, from: &Value) -> Result<Option<String>> {
        let found = if from["configMapKeyRef"].is_object() {
            self.kept(&from["configMapKeyRef"], "configmaps", "config map").await?
        } else if from["secretKeyRef"].is_object() {
            self.kept(&from["secretKeyRef"], "secrets", "secret").await?
        } else if from["fieldRef"].is_object() {
            own_field(self.object, text(&from["fieldRef"]["fieldPath"]))
        } else {
            let resource = text(&from["resourceFieldRef"]["resource"]);
            let (list, name) = resource.split_once('.').unwrap_or((resource, ""));
            Ok(some_text(&self.container["resources"][list][name]).unwrap_or("0").to_owned())
        };
        Ok(found
            .map_err(|why| {
                self.wrong.entry(why).or_default().insert(name.to_owned());
            })
            .ok())
    }

    /// A line for each thing that is wrong.
    pub(super) fn complaints(&self) -> Vec<String> {
        let line = |(why, names): (&String, &BTreeSet<String>)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("error retrieving reference for {}: {why}", names.join(", "))
        };
        self.wrong.iter().map(line).collect()
    }

    /// What is kept under a key of another object.
    async fn kept(&self, key: &Value, plural: &str, what: &str) -> Result<Result<String, String>> {
        let (name, key) = (text(&key["name"]), text(&key["key"]));
        let target = Target {
            resource: self.context.catalog().await?.find(plural)?.clone(),
            namespace: self.context.namespace().await?.to_owned(),
            name: name.to_owned(),
            source: String::new(),
        };
        Ok(match target.fetch(self.context.server().await?, JSON).await {
            Ok(mut object) => match map_mut(&mut object["data"]).remove(key) {
                Some(Value::String(value)) if what == "secret" => Ok(decoded(&value)),
                Some(value) => Ok(text(&value).to_owned()),
                None => Err(format!("key {key} not found in {what} {name}")),
            },
            Err(error) => Err(error.refusal().map_or_else(|| error.to_string(), |refusal| refusal.message.clone())),
        })
    }
}

/// The text behind base64, which is how secrets arrive.
fn decoded(value: &str) -> String {
    String::from_utf8_lossy(&STANDARD.decode(value).unwrap_or_default()).into_owned()
}

/// What an object says of itself.
fn own_field(object: &Value, path: &str) -> Result<String, String> {
    let metadata = &object["metadata"];
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['"))
        && let Some(map) = map.strip_prefix("metadata.")
    {
        return Ok(text(&metadata[map][key]).to_owned());
    }
    match path.strip_prefix("metadata.") {
        Some(field @ ("name" | "namespace" | "uid")) => Ok(text(&metadata[field]).to_owned()),
        Some(field @ ("labels" | "annotations")) => {
            let lines: Vec<String> = strings(&metadata[field]).map(|(key, value)| format!("{key}={value:?}")).collect();
            Ok(lines.join("\n"))
        }
        _ => Err(format!("unsupported fieldPath: {path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_names_of_variables() {
        for (key, name) in [("a.b", "A_B"), ("c", "C"), ("D_1", "D_1"), ("x-y", "X_Y")] {
            assert_eq!(variable_name(key), name);
        }
    }

    #[test]
    fn sources_have_words() {
        for (from, words) in [
            (json!({"configMapKeyRef": {"name": "m", "key": "k"}}), "configmap m, key k"),
            (json!({"secretKeyRef": {"name": "s", "key": "k"}}), "secret s, key k"),
            (json!({"fieldRef": {"fieldPath": "metadata.name"}}), "field path metadata.name"),
            (json!({"resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}}), "resource field c/limits.cpu"),
            (json!({}), "invalid valueFrom"),
        ] {
            assert_eq!(reference(&from), words);
        }
    }

    #[test]
    fn secrets_are_read() {
        for (encoded, plain) in [("", ""), ("YQ==", "a"), ("YWI=", "ab"), ("cEBzc3dvcmQ=", "p@ssword")] {
            assert_eq!(decoded(encoded), plain);
        }
    }

    #[test]
    fn an_object_knows_some_of_its_fields() {
        let object = json!({"metadata": {"name": "web", "labels": {"a": "b"}}});
        assert_eq!(own_field(&object, "metadata.name"), Ok("web".into()));
        assert_eq!(own_field(&object, "metadata.labels['a']"), Ok("b".into()));
        assert_eq!(own_field(&object, "metadata.labels"), Ok("a=\"b\"".into()));
        assert_eq!(own_field(&object, "status.podIP"), Err("unsupported fieldPath: status.podIP".into()));
    }
}
