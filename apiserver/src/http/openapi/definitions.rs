//! The types: what the kinds' JSON schemas say, under the names upstream gives them, with the extensions clients
//! look for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ListMeta, Status};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{Form, Resource};
use crate::schema::{extensions, type_name};

/// Where schemars puts definitions with the settings for OpenAPI 3.
const V3_PREFIX: &str = "#/components/schemas/";
const V2_PREFIX: &str = "#/definitions/";

/// A reference to a definition.
pub(super) fn reference(name: &str, form: Form) -> Value {
    let prefix = match form {
        Form::V2 => V2_PREFIX,
        Form::V3 => V3_PREFIX,
    };
    json!({"$ref": format!("{prefix}{name}")})
}

/// The name under which a kind is defined: its type's own, unless it is served in another version than its type's.
pub(super) fn name(resource: &Resource<'_>) -> String {
    let own = resource.json_schema.get("title").and_then(Value::as_str).unwrap_or_default();
    let name = conventional(resource.group, resource.version, resource.kind);
    if type_name(own) == type_name(&name) { own.to_owned() } else { name }
}

/// `io.k8s.api.apps.v1.Deployment`
pub(super) fn conventional(group: &str, version: &str, kind: &str) -> String {
    let group = if group.is_empty() { "core" } else { group.split('.').next().unwrap_or(group) };
    format!("io.k8s.api.{group}.{version}.{kind}")
}

/// The types of all requests and answers and everything they refer to.
pub(super) fn all(resources: &[&Resource<'_>], form: Form) -> Map<String, Value> {
    let mut found = shared(form);
    for resource in resources {
        let schema = resource.json_schema.as_value();
        let parts = schema.pointer("/components/schemas").and_then(Value::as_object);
        for (name, part) in parts.into_iter().flatten() {
            if !found.contains_key(name) {
                found.insert(name.clone(), definition(type_name(name), part, form));
            }
        }
        let own = schema.get("title").and_then(Value::as_str).unwrap_or_default();
        let name = name(resource);
        if resource.verbs.contains(&"list") {
            found.insert(format!("{name}List"), list(resource, &name, form));
        }
        let mut kind = definition(type_name(own), schema, form);
        mark(&mut kind, resource.group, resource.version, resource.kind);
        if !resource.optional.is_empty() {
            loosen(&mut kind, &mut found, &name, resource.optional, form);
        }
        found.insert(name, kind);
    }
    found
}

/// Gives a kind a spec of its own, in which some fields are not required.
fn loosen(kind: &mut Value, found: &mut Map<String, Value>, name: &str, optional: &[&str], form: Form) {
    let spec = format!("{name}Spec");
    let Some(property) = kind.pointer_mut("/properties/spec") else { return };
    let of = |name: &str| reference(name, form)["$ref"].to_string();
    let Some((strict, mut loose)) =
        found.iter().find(|(name, _)| property.to_string().contains(&of(name))).map(|(n, v)| (n.clone(), v.clone()))
    else {
        return;
    };
    if let Some(required) = loose.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|field| !optional.iter().any(|optional| field == optional));
    }
    *property = property.to_string().replace(&of(&strict), &of(&spec)).parse().unwrap_or_default();
    found.insert(spec, loose);
}

/// Types that belong to no kind.
fn shared(form: Form) -> Map<String, Value> {
    let mut generator = SchemaSettings::openapi3().into_generator();
    generator.subschema_for::<ListMeta>();
    generator.subschema_for::<Status>();
    generator.subschema_for::<DeleteOptions>();
    let parts = generator.take_definitions(true);
    parts.iter().map(|(name, part)| (name.clone(), definition(type_name(name), part, form))).collect()
}

fn list(resource: &Resource<'_>, name: &str, form: Form) -> Value {
    let kind = format!("{}List", resource.kind);
    let mut list = json!({
        "description": format!("{kind} is a list of {}.", resource.plural),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string", "description": "The version of the list and its items."},
            "kind": {"type": "string", "description": "The kind of the list."},
            "items": {"type": "array", "items": reference(name, form), "description": "The objects."},
            "metadata": reference("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta", form),
        },
    });
    mark(&mut list, resource.group, resource.version, &kind);
    list
}

/// Says of which kind a definition is.
fn mark(definition: &mut Value, group: &str, version: &str, kind: &str) {
    definition["x-kubernetes-group-version-kind"] = json!([{"group": group, "version": version, "kind": kind}]);
}

fn definition(type_name: &str, schema: &Value, form: Form) -> Value {
    let description = schema.get("description").cloned().unwrap_or_default();
    match (type_name, form) {
        ("api.resource.Quantity", Form::V2) => return json!({"description": description, "type": "string"}),
        ("api.resource.Quantity", Form::V3) => {
            return json!({"description": description, "oneOf": [{"type": "string"}, {"type": "number"}]});
        }
        ("util.intstr.IntOrString", Form::V2) => {
            return json!({"description": description, "type": "string", "format": "int-or-string"});
        }
        ("util.intstr.IntOrString", Form::V3) => {
            let either = json!([{"type": "integer"}, {"type": "string"}]);
            return json!({"description": description, "format": "int-or-string", "oneOf": either});
        }
        _ => {}
    }
    let mut definition = Map::new();
    let is_kind = schema.pointer("/properties/kind").is_some() && schema.pointer("/properties/metadata").is_some();
    for (key, value) in schema.as_object().into_iter().flatten() {
        match key.as_str() {
            // Of the root only.
            "$schema" | "title" | "components" => {}
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                let properties: Map<String, Value> =
                    properties.map(|(name, schema)| (name.clone(), property(type_name, name, schema, form))).collect();
                definition.insert(key.clone(), Value::Object(properties));
            }
            "required" if is_kind => {
                // Upstream does not insist on the metadata of a kind.
                let required: Vec<_> = value.as_array().into_iter().flatten().filter(|v| *v != "metadata").collect();
                if !required.is_empty() {
                    definition.insert(key.clone(), json!(required));
                }
            }
            _ => {
                definition.insert(key.clone(), rewrite(value, form));
            }
        }
    }
    extend(&mut definition, type_name, ".");
    Value::Object(definition)
}

fn property(type_name: &str, name: &str, schema: &Value, form: Form) -> Value {
    let mut property = rewrite(schema, form);
    if let Value::Object(property) = &mut property {
        extend(property, type_name, name);
    }
    property
}

fn extend(schema: &mut Map<String, Value>, type_name: &str, field: &str) {
    schema.extend(extensions(type_name, field).into_iter().map(|(key, value)| (key.to_owned(), value)));
}

/// Writes references as the form wants them: version 2 keeps them elsewhere, and beside a description; version 3
/// must not have anything beside a reference, so they go into an `allOf`.
fn rewrite(schema: &Value, form: Form) -> Value {
    match schema {
        Value::Object(object) => {
            let mut result = Map::new();
            for (key, value) in object {
                match (key.as_str(), value) {
                    ("allOf", Value::Array(only)) if only.len() == 1 && form == Form::V2 => {
                        if let Value::Object(only) = rewrite(&only[0], form) {
                            result.extend(only);
                        }
                    }
                    ("$ref", Value::String(to)) => {
                        let target = reference(to.strip_prefix(V3_PREFIX).unwrap_or(to), form);
                        if form == Form::V3 && object.len() > 1 {
                            result.insert("allOf".to_owned(), Value::Array(vec![target]));
                        } else if let Value::Object(target) = target {
                            result.extend(target);
                        }
                    }
                    _ => {
                        result.insert(key.clone(), rewrite(value, form));
                    }
                }
            }
            Value::Object(result)
        }
        Value::Array(items) => items.iter().map(|item| rewrite(item, form)).collect(),
        other => other.clone(),
    }
}
