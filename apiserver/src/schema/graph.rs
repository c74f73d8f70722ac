//! Builds the graph of [`Schema`] nodes from the JSON schemas of `k8s-openapi`.
//!
//! One generator lives as long as the process, so a definition that many kinds share (PodSpec, ObjectMeta) is
//! generated and read once. Its JSON, mostly descriptions, is dropped as soon as it has been read.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

use super::{Field, Fields, Int, ListKind, ListPatch, ListType, MapType, ObjectPatch, Schema, Struct, Zero, facts};

static GRAPH: LazyLock<Mutex<Graph>> = LazyLock::new(|| {
    let generator = SchemaSettings::draft2020_12().into_generator();
    Mutex::new(Graph { generator, known: HashMap::new() })
});

/// All definitions read so far.
struct Graph {
    generator: SchemaGenerator,
    /// By definition name, `io.k8s.api.core.v1.PodSpec`.
    known: HashMap<Box<str>, Schema>,
}

/// The schema of a Kubernetes type.
pub(super) fn of<K: JsonSchema>() -> Schema {
    let mut graph = GRAPH.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(schema) = graph.known.get(K::schema_name().as_ref()) {
        return schema.clone();
    }
    let root = graph.generator.subschema_for::<K>();
    graph.read_new_definitions();
    graph.reference(root.as_value())
}

impl Graph {
    /// Takes the JSON of the definitions that the last call generated and adds them to `known`.
    fn read_new_definitions(&mut self) {
        let mut new = Vec::new();
        for (name, json) in self.generator.definitions_mut() {
            // `true` stays behind: the generator must keep the name to know that it has been here.
            if let Value::Object(json) = std::mem::replace(json, Value::Bool(true)) {
                new.push((name.clone(), json));
            }
        }
        // Two passes, since definitions refer to each other in any order, and in circles.
        for (name, json) in &new {
            let schema = declare(name, json);
            self.known.insert(name.as_str().into(), schema);
        }
        for (name, json) in &new {
            if let Some(Schema::Struct(s)) = self.known.get(name.as_str()) {
                let s = Arc::clone(s);
                // Already set only if the definition was read before, which `true` above rules out.
                let _ = s.fields.set(self.fields(&s.name, json));
            }
        }
    }

    fn fields(&self, type_name: &str, json: &Map<String, Value>) -> Fields {
        let Some(properties) = json.get("properties").and_then(Value::as_object) else {
            return Fields::default();
        };
        let required = json.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|r| r.iter().any(|v| v == name));
        let is_kind = properties.contains_key("apiVersion") && properties.contains_key("kind");
        let properties = properties.iter();
        Fields::new(properties.map(|(name, json)| self.field(type_name, name, json, is_required(name), is_kind)).collect())
    }

    fn field(&self, type_name: &str, name: &str, json: &Value, required: bool, of_kind: bool) -> Field {
        let merge = facts::merge(type_name, name);
        let schema = match self.inline(json) {
            Inline::Schema(schema) => schema,
            Inline::List(elem) => {
                let kind = merge.and_then(|m| m.list.clone()).unwrap_or(ListKind::Atomic);
                let patch = merge.and_then(|m| m.patch.clone()).unwrap_or(ListPatch::Replace);
                Schema::List(Arc::new(ListType { elem, kind, patch }))
            }
        };
        let atomic = merge.and_then(|m| m.atomic).unwrap_or_else(|| schema.is_atomic());
        let zero = facts::zero(type_name, name).unwrap_or_else(|| default_zero(&schema, name, required, of_kind));
        let patch = if merge.is_some_and(|m| m.has("replace")) { ObjectPatch::Replace } else { ObjectPatch::Merge };
        Field { name: name.into(), schema, required, zero, atomic, patch }
    }

    /// A schema written in place: a reference, a scalar, a map or a list.
    fn inline(&self, json: &Value) -> Inline {
        if json.get("$ref").is_some() {
            return Inline::Schema(self.reference(json));
        }
        match json.get("type").and_then(Value::as_str) {
            Some("array") => Inline::List(json.get("items").map_or(Schema::Any, |items| self.nested(items))),
            Some("object") => Inline::Schema(match json.get("additionalProperties") {
                Some(elem) => Schema::Map(Arc::new(MapType { elem: self.nested(elem) })),
                None => Schema::Any,
            }),
            _ => Inline::Schema(scalar(json)),
        }
    }

    /// A schema inside a list or map, where the tables say nothing: lists are atomic.
    fn nested(&self, json: &Value) -> Schema {
        match self.inline(json) {
            Inline::Schema(schema) => schema,
            Inline::List(elem) => Schema::List(Arc::new(ListType { elem, kind: ListKind::Atomic, patch: ListPatch::Replace })),
        }
    }

    fn reference(&self, json: &Value) -> Schema {
        let target = json.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next());
        target.and_then(|name| self.known.get(name)).cloned().unwrap_or(Schema::Any)
    }
}

enum Inline {
    Schema(Schema),
    List(Schema),
}

/// The node of a definition, with the fields still to be read.
fn declare(definition: &str, json: &Map<String, Value>) -> Schema {
    let name = type_name(definition);
    match name {
        "api.resource.Quantity" => return Schema::Quantity,
        "util.intstr.IntOrString" => return Schema::IntOrString,
        "meta.v1.Time" => return Schema::Time,
        "meta.v1.MicroTime" => return Schema::MicroTime,
        "meta.v1.FieldsV1" | "pkg.runtime.RawExtension" | "apiextensions.v1.JSON" => return Schema::Any,
        _ => {}
    }
    let is_object = json.get("type").and_then(Value::as_str) == Some("object");
    if !is_object {
        return scalar(&Value::Object(json.clone()));
    }
    let atomic = facts::merge(name, ".").and_then(|m| m.atomic).unwrap_or(false);
    Schema::Struct(Arc::new(Struct { name: name.into(), atomic, fields: OnceLock::new() }))
}

/// The last three segments: `io.k8s.api.core.v1.PodSpec` is `core.v1.PodSpec`.
pub fn type_name(definition: &str) -> &str {
    definition.rmatch_indices('.').nth(2).map_or(definition, |(at, _)| &definition[at + 1..])
}

fn scalar(json: &Value) -> Schema {
    let format = json.get("format").and_then(Value::as_str);
    match (json.get("type").and_then(Value::as_str), format) {
        (Some("string"), Some("byte")) => Schema::Bytes,
        (Some("string"), _) => Schema::String,
        (Some("integer"), Some("int64")) => Schema::Integer(Int::I64),
        (Some("integer"), _) => Schema::Integer(Int::I32),
        (Some("number"), _) => Schema::Number,
        (Some("boolean"), _) => Schema::Boolean,
        _ => Schema::Any,
    }
}

/// What the header of `go-encoding.tsv` says about fields that are not listed.
fn default_zero(schema: &Schema, field: &str, required: bool, of_kind: bool) -> Zero {
    match schema {
        Schema::Struct(_) if of_kind && matches!(field, "metadata" | "spec" | "status") => Zero::Always,
        Schema::Struct(_) | Schema::Any => Zero::Keep,
        Schema::Map(_) | Schema::List(_) if required => Zero::Keep,
        Schema::Map(_) | Schema::List(_) => Zero::Drop,
        _ if required => Zero::Always,
        Schema::String | Schema::Bytes => Zero::Drop,
        _ => Zero::Keep,
    }
}
