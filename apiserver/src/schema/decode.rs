//! From the bytes of a request to the object Go would have decoded, in one pass.
//!
//! Unknown and duplicate fields are noted with their Kubernetes path and dropped, types are checked with Go's
//! words, quantities, times and base64 are brought into canonical form, and zero values are dropped or added as Go
//! does when it writes the object again. What the fields mean is not looked at: that is validation's business.

mod canonical;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use self::canonical::is_canonical;
use super::{Field, Int, Schema, Struct, Zero, scalar, syntax};

/// Upstream stops noting unknown and duplicate fields here.
const MAX_NOTED: usize = 100;

/// A decoded object.
#[derive(Debug, Default, PartialEq)]
pub struct Decoded {
    /// Only known fields, in canonical form.
    pub value: Value,
    /// Paths of fields the type does not have, in the order met: `spec.containers[0].imagee`.
    pub unknown: Vec<String>,
    /// Paths of fields that were given twice, in the order met. The last one won.
    pub duplicate: Vec<String>,
}

/// Why a body is no object of the kind.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON. The message is Go's: `unexpected end of JSON input`.
    #[error("{message}")]
    Syntax {
        /// Go's words.
        message: String,
    },
    /// JSON, but no object with an `apiVersion` and a `kind` that are strings.
    #[error("{message}")]
    NotAnObject {
        /// Go's words.
        message: String,
    },
    /// A field holds something of another type, or something malformed.
    #[error("{message}")]
    Type {
        /// Go's words: `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`.
        message: String,
    },
}

/// What a body says it is. Empty where it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct TypeMeta {
    /// For example `apps/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// For example `Deployment`.
    pub kind: String,
}

/// Decodes a JSON body. `null` is an empty object, as in Go.
///
/// # Errors
/// A malformed body wins over the first type error, wherever each stands.
pub fn decode(schema: &Schema, body: &[u8]) -> Result<Decoded, DecodeError> {
    let mut cx = Context::default();
    // Like Go, take bytes that are no UTF-8 for U+FFFD. And checking once is cheaper than string by string.
    let text = String::from_utf8_lossy(body);
    let mut json = serde_json::Deserializer::from_str(&text);
    let parsed = Seed { schema, cx: &mut cx }.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    match parsed {
        Ok(value) => cx.finish(schema, value),
        Err(error) => Err(DecodeError::Syntax { message: syntax::message(body, &error) }),
    }
}

/// Decodes a tree: a YAML body, or an object that was patched. (Duplicate fields are gone in a tree.)
///
/// # Errors
/// The first type error.
pub fn decode_from_value(schema: &Schema, value: Value) -> Result<Decoded, DecodeError> {
    if is_canonical(schema, &value) {
        debug_assert_eq!(rebuild(schema, value.clone()), Ok(Decoded { value: value.clone(), ..Decoded::default() }));
        return Ok(Decoded { value, ..Decoded::default() });
    }
    rebuild(schema, value)
}

fn rebuild(schema: &Schema, value: Value) -> Result<Decoded, DecodeError> {
    let mut cx = Context::default();
    match (Seed { schema, cx: &mut cx }).deserialize(value) {
        Ok(value) => cx.finish(schema, value),
        Err(error) => Err(DecodeError::Syntax { message: error.to_string() }),
    }
}

/// Parses JSON that has no schema, such as a patch.
///
/// # Errors
/// [`DecodeError::Syntax`] with Go's words.
pub fn parse(body: &[u8]) -> Result<Value, DecodeError> {
    let text = String::from_utf8_lossy(body);
    serde_json::from_str(&text).map_err(|error| DecodeError::Syntax { message: syntax::message(body, &error) })
}

/// What the body claims to be, as far as it can be made out. For the wording of errors.
pub fn type_meta(body: &[u8]) -> TypeMeta {
    serde_json::from_slice(body).unwrap_or_default()
}

/// What upstream prints of a body it could not recognise: the beginning, in hex unless it looks like an object.
pub fn dump(body: &[u8]) -> String {
    const MAX: usize = 30;
    if body.is_empty() {
        return "<empty>".to_owned();
    }
    let head = &body[..body.len().min(MAX)];
    let mut text =
        if body[0] == b'{' { String::from_utf8_lossy(head).into_owned() } else { head.iter().map(|b| format!("{b:02x}")).collect() };
    if body.len() > MAX {
        text.push_str(" ...");
    }
    text
}

/// Where the walk is and what it has found.
#[derive(Default)]
struct Context<'s> {
    path: Vec<Segment<'s>>,
    unknown: Vec<String>,
    duplicate: Vec<String>,
    error: Option<DecodeError>,
}

enum Segment<'s> {
    Field(&'s Struct, &'s str),
    Key(String),
    Index(usize),
}

impl<'s> Context<'s> {
    fn finish(self, schema: &Schema, value: Option<Value>) -> Result<Decoded, DecodeError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let value = value.or_else(|| schema.zero()).unwrap_or_default();
        Ok(Decoded { value, unknown: self.unknown, duplicate: self.duplicate })
    }

    /// `spec.containers[0].imagee`
    fn path_to(&self, last: &str) -> String {
        let mut text = String::new();
        for segment in &self.path {
            match segment {
                Segment::Field(_, name) => push_name(&mut text, name),
                Segment::Key(key) => push_name(&mut text, key),
                Segment::Index(i) => text.push_str(&format!("[{i}]")),
            }
        }
        push_name(&mut text, last);
        text
    }

    /// Keeps the first error only, as Go does.
    fn fail(&mut self, message: String) -> Option<Value> {
        self.error.get_or_insert(DecodeError::Type { message });
        None
    }

    /// Go's complaint that `found` does not fit into `wanted`, at the present place.
    fn mismatch(&mut self, found: &str, wanted: &Schema) -> Option<Value> {
        let wanted = match wanted {
            // These two read the JSON themselves, and so do not know where they stand.
            Schema::IntOrString => return self.fail(format!("json: cannot unmarshal {found} into Go value of type int32")),
            Schema::Time | Schema::MicroTime => {
                return self.fail(format!("json: cannot unmarshal {found} into Go value of type string"));
            }
            Schema::Quantity => return self.fail(scalar::QUANTITY_FORMAT.to_owned()),
            wanted => wanted.go_type(),
        };
        let fields: Vec<&str> = self.path.iter().filter_map(Segment::field).collect();
        let of = self.path.iter().rev().find_map(|s| if let Segment::Field(of, _) = s { Some(of) } else { None });
        let Some(of) = of else {
            self.error.get_or_insert(DecodeError::NotAnObject { message: not_an_object(found) });
            return None;
        };
        if let ["apiVersion" | "kind"] = fields.as_slice() {
            let message = format!("json: cannot unmarshal {found} into Go struct field .{} of type string", fields[0]);
            self.error.get_or_insert(DecodeError::NotAnObject { message });
            return None;
        }
        let place = format!("{}.{}", of.go_name(), fields.join("."));
        self.fail(format!("json: cannot unmarshal {found} into Go struct field {place} of type {wanted}"))
    }
}

impl<'s> Segment<'s> {
    fn field(&self) -> Option<&'s str> {
        if let Segment::Field(_, name) = self { Some(name) } else { None }
    }
}

fn note(path: String, noted: &mut Vec<String>) {
    if noted.len() < MAX_NOTED && !noted.contains(&path) {
        noted.push(path);
    }
}

fn push_name(text: &mut String, name: &str) {
    if !text.is_empty() {
        text.push('.');
    }
    text.push_str(name);
}

fn not_an_object(found: &str) -> String {
    format!(
        "json: cannot unmarshal {found} into Go value of type struct {{ \
         APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
    )
}

/// Reads one value of a schema. `None` is a null, or something that was already complained about.
struct Seed<'s, 'c> {
    schema: &'s Schema,
    cx: &'c mut Context<'s>,
}

impl<'de, 's> DeserializeSeed<'de> for Seed<'s, '_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.schema {
            Schema::Any => Value::deserialize(deserializer).map(|v| Some(v).filter(|v| !v.is_null())),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de, 's> Visitor<'de> for Seed<'s, '_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        // Only Quantity tells null from absent.
        Ok(if let Schema::Quantity = self.schema { self.schema.zero() } else { None })
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(match self.schema {
            Schema::Boolean => Some(Value::Bool(value)),
            schema => self.cx.mismatch("bool", schema),
        })
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(self.integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(self.integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(match self.schema {
            Schema::Number => Number::from_f64(value).map(Value::Number),
            Schema::Quantity => self.text(&value.to_string()),
            schema @ (Schema::Integer(_) | Schema::IntOrString) => self.cx.mismatch(&format!("number {value:?}"), schema),
            schema => self.cx.mismatch("number", schema),
        })
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(match self.schema {
            Schema::String | Schema::IntOrString => Some(Value::String(value.to_owned())),
            _ => self.text(value),
        })
    }

    fn visit_string<E>(self, value: String) -> Result<Self::Value, E> {
        Ok(match self.schema {
            Schema::String | Schema::IntOrString => Some(Value::String(value)),
            _ => self.text(&value),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let Schema::List(list) = self.schema else {
            self.cx.mismatch("array", self.schema);
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(None);
        };
        let cx = self.cx;
        let mut items = Vec::new();
        cx.path.push(Segment::Index(0));
        while let Some(item) = seq.next_element_seed(Seed { schema: &list.elem, cx: &mut *cx })? {
            items.push(item.or_else(|| list.elem.zero()).unwrap_or_default());
            if let Some(Segment::Index(i)) = cx.path.last_mut() {
                *i = items.len();
            }
        }
        cx.path.pop();
        Ok(Some(Value::Array(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Self::Value, A::Error> {
        match self.schema {
            Schema::Struct(of) => read_struct(of, self.cx, access),
            Schema::Map(of) => read_map(&of.elem, self.cx, access),
            schema => {
                self.cx.mismatch("object", schema);
                skip(access)
            }
        }
    }
}

impl Seed<'_, '_> {
    fn integer(self, value: i128) -> Option<Value> {
        let fits = match self.schema {
            Schema::Integer(Int::I64) => i64::try_from(value).is_ok(),
            Schema::Integer(Int::I32) | Schema::IntOrString => i32::try_from(value).is_ok(),
            Schema::Number => true,
            Schema::Quantity => return self.text(&value.to_string()),
            schema => return self.cx.mismatch("number", schema),
        };
        match i64::try_from(value) {
            Ok(number) if fits => Some(Value::from(number)),
            Err(_) if fits => u64::try_from(value).ok().map(Value::from),
            _ => self.cx.mismatch(&format!("number {value}"), self.schema),
        }
    }

    /// A string where something other than a plain string is wanted.
    fn text(self, value: &str) -> Option<Value> {
        let canonical = match self.schema {
            Schema::Quantity => scalar::quantity(value),
            Schema::Bytes => scalar::base64(value),
            Schema::Time => scalar::time(value),
            Schema::MicroTime => scalar::micro_time(value),
            schema => return self.cx.mismatch("string", schema),
        };
        match canonical {
            Ok(text) => Some(Value::String(text)),
            Err(message) => self.cx.fail(message),
        }
    }
}

fn skip<'de, A: MapAccess<'de>>(mut access: A) -> Result<Option<Value>, A::Error> {
    while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(None)
}

fn read_struct<'de, 's, A: MapAccess<'de>>(of: &'s Struct, cx: &mut Context<'s>, mut access: A) -> Result<Option<Value>, A::Error> {
    let mut object = Map::new();
    // One bit a field; the largest type has some fifty.
    let mut seen: u128 = 0;
    while let Some(key) = access.next_key_seed(Key { of })? {
        let (at, field) = match key {
            Ok(known) => known,
            Err(unknown) => {
                note(cx.path_to(&unknown), &mut cx.unknown);
                access.next_value::<IgnoredAny>()?;
                continue;
            }
        };
        let bit = 1u128.checked_shl(at as u32).unwrap_or(0);
        if seen & bit != 0 {
            note(cx.path_to(&field.name), &mut cx.duplicate);
            object.remove(field.name.as_ref());
        }
        seen |= bit;
        cx.path.push(Segment::Field(of, &field.name));
        let value = access.next_value_seed(Seed { schema: &field.schema, cx: &mut *cx })?;
        cx.path.pop();
        if let Some(value) = value.filter(|v| field.zero != Zero::Drop || !is_zero(v)) {
            object.insert(String::from(&*field.name), value);
        }
    }
    for field in of.always() {
        if !object.contains_key(field.name.as_ref())
            && let Some(zero) = field.schema.zero()
        {
            object.insert(String::from(&*field.name), zero);
        }
    }
    Ok(Some(Value::Object(object)))
}

fn read_map<'de, 's, A: MapAccess<'de>>(elem: &'s Schema, cx: &mut Context<'s>, mut access: A) -> Result<Option<Value>, A::Error> {
    let mut object = Map::new();
    // Scalars cannot complain about a path below them.
    let composite = matches!(elem, Schema::Struct(_) | Schema::Map(_) | Schema::List(_));
    while let Some(key) = access.next_key::<String>()? {
        if object.contains_key(&key) {
            note(cx.path_to(&key), &mut cx.duplicate);
        }
        if composite {
            cx.path.push(Segment::Key(key.clone()));
        }
        let value = access.next_value_seed(Seed { schema: elem, cx: &mut *cx })?;
        if composite {
            cx.path.pop();
        }
        object.insert(key, value.or_else(|| elem.zero()).unwrap_or_default());
    }
    Ok(Some(Value::Object(object)))
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
    }
}

/// Looks a field name up without copying it, unless it is unknown.
struct Key<'s> {
    of: &'s Struct,
}

impl<'de, 's> DeserializeSeed<'de> for Key<'s> {
    type Value = Result<(usize, &'s Field), String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'s> Visitor<'_> for Key<'s> {
    type Value = Result<(usize, &'s Field), String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.of.position(name).ok_or_else(|| name.to_owned()))
    }
}

#[cfg(test)]
mod tests;
