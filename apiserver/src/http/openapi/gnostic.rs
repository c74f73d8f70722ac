//! The version 2 document as gnostic's protobuf messages (`openapi.v2.Document`).
//!
//! Only the messages and fields that our document uses, encoded by hand: a field is its number, its wire type and
//! its bytes. Numbers are from gnostic's `OpenAPIv2.proto`.

use serde_json::{Map, Value};

/// Encodes a document made by this module's parent.
pub(super) fn encode(document: &Value) -> Vec<u8> {
    let mut message = Message::default();
    message.string(1, document.get("swagger"));
    message.nested(2, |info| {
        info.string(1, document.pointer("/info/title"));
        info.string(2, document.pointer("/info/version"));
    });
    message.nested(8, |paths| {
        for (name, item) in entries(document.get("paths")) {
            paths.named(2, name, |m| path_item(m, item));
        }
    });
    message.nested(9, |definitions| schemas(definitions, document.get("definitions")));
    message.0
}

/// A message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A length-delimited field: a string or a message.
    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn string(&mut self, field: u64, value: Option<&Value>) {
        if let Some(text) = value.and_then(Value::as_str) {
            self.bytes(field, text.as_bytes());
        }
    }

    fn strings(&mut self, field: u64, value: Option<&Value>) {
        for text in value.and_then(Value::as_array).into_iter().flatten() {
            self.string(field, Some(text));
        }
    }

    fn boolean(&mut self, field: u64, value: Option<&Value>) {
        if value == Some(&Value::Bool(true)) {
            self.varint(field << 3);
            self.0.push(1);
        }
    }

    fn nested(&mut self, field: u64, fill: impl FnOnce(&mut Message)) {
        let mut message = Message::default();
        fill(&mut message);
        self.bytes(field, &message.0);
    }

    /// gnostic's maps: a list of messages with a name and a value.
    fn named(&mut self, field: u64, name: &str, fill: impl FnOnce(&mut Message)) {
        self.nested(field, |entry| {
            entry.bytes(1, name.as_bytes());
            entry.nested(2, fill);
        });
    }

    /// Everything that starts with `x-`, as YAML text; JSON is YAML.
    fn extensions(&mut self, field: u64, object: &Value) {
        for (name, value) in entries(Some(object)).filter(|(name, _)| name.starts_with("x-")) {
            self.named(field, name, |any| any.bytes(2, value.to_string().as_bytes()));
        }
    }
}

fn entries(object: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    object.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn path_item(message: &mut Message, item: &Value) {
    for (method, field) in [("get", 2), ("put", 3), ("post", 4), ("delete", 5), ("patch", 8)] {
        if let Some(found) = item.get(method) {
            message.nested(field, |m| operation(m, found));
        }
    }
    parameters(message, 9, item);
}

fn operation(message: &mut Message, operation: &Value) {
    message.strings(1, operation.get("tags"));
    message.string(3, operation.get("description"));
    message.string(5, operation.get("operationId"));
    message.strings(6, operation.get("produces"));
    message.strings(7, operation.get("consumes"));
    parameters(message, 8, operation);
    message.nested(9, |responses| {
        for (code, answer) in entries(operation.get("responses")) {
            responses.named(1, code, |value| value.nested(1, |m| response(m, answer)));
        }
    });
    message.extensions(13, operation);
}

fn response(message: &mut Message, response: &Value) {
    message.string(1, response.get("description"));
    if let Some(found) = response.get("schema") {
        message.nested(2, |item| item.nested(1, |m| schema(m, found)));
    }
}

fn parameters(message: &mut Message, field: u64, of: &Value) {
    for parameter in of.get("parameters").and_then(Value::as_array).into_iter().flatten() {
        message.nested(field, |item| item.nested(1, |m| one_parameter(m, parameter)));
    }
}

fn one_parameter(message: &mut Message, parameter: &Value) {
    let get = |key: &str| parameter.get(key);
    let common = |m: &mut Message| {
        m.boolean(1, get("required"));
        m.string(2, get("in"));
        m.string(3, get("description"));
        m.string(4, get("name"));
    };
    match get("in").and_then(Value::as_str) {
        Some("body") => message.nested(1, |m| {
            m.string(2, get("name"));
            m.string(3, get("in"));
            m.boolean(4, get("required"));
            if let Some(found) = get("schema") {
                m.nested(5, |s| schema(s, found));
            }
        }),
        Some("path") => message.nested(2, |m| {
            m.nested(4, |m| {
                common(m);
                m.string(5, get("type"));
            });
        }),
        _ => message.nested(2, |m| {
            m.nested(3, |m| {
                common(m);
                m.string(6, get("type"));
            });
        }),
    }
}

fn schemas(message: &mut Message, named: Option<&Value>) {
    for (name, found) in entries(named) {
        message.named(1, name, |m| schema(m, found));
    }
}

fn schema(message: &mut Message, of: &Value) {
    let get = |key: &str| of.get(key);
    message.string(1, get("$ref"));
    message.string(2, get("format"));
    message.string(4, get("description"));
    message.strings(19, get("required"));
    if let Some(elem @ Value::Object(_)) = get("additionalProperties") {
        message.nested(21, |item| item.nested(1, |m| schema(m, elem)));
    }
    if let Some(kind) = get("type") {
        message.nested(22, |m| m.string(1, Some(kind)));
    }
    if let Some(items) = get("items") {
        message.nested(23, |item| item.nested(1, |m| schema(m, items)));
    }
    if get("properties").is_some() {
        message.nested(25, |m| schemas(m, get("properties")));
    }
    message.extensions(31, of);
}
