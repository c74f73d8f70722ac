//! From a request's protobuf to the JSON that says the same.
//!
//! One walk over the type graph and the table of field numbers (`data/protobuf.tsv`). What it writes is then decoded as any
//! other JSON, so that canonical forms and zero values are decided in one place. Fields of unknown number are skipped, as
//! upstream does.

mod wire;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Number, Value};

pub use self::wire::Fault;
use self::wire::{Parts, Payload};
use super::{
    Field, Int, Schema, Struct,
    decode::TypeMeta,
    facts::{self, Tag},
};

/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";
/// The deepest that messages may be nested. JSON may be nested twice as deep, and a map of messages is two levels of it.
const MAX_DEPTH: usize = 64;

/// Why a body is no object of the type.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not even say what it is.
    Unrecognized(String),
    /// It says what it is, but is not.
    Malformed {
        /// What it says it is.
        said: TypeMeta,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// Reads a body as an object of `schema`, with the `apiVersion` and `kind` it says it has.
///
/// # Errors
/// When it is malformed, or not in the envelope that tells its kind.
pub fn read(schema: &Schema, body: &[u8]) -> Result<Value, Refusal> {
    let unrecognized = |message: &str| Refusal::Unrecognized(message.to_owned());
    if body.is_empty() {
        return Err(unrecognized("empty data"));
    }
    let Some(envelope) = body.strip_prefix(MAGIC) else {
        return Err(unrecognized("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"));
    };
    if envelope.is_empty() {
        return Err(unrecognized("empty body"));
    }
    let (said, raw) = open(envelope).map_err(|fault| unrecognized(&fault.to_string()))?;
    let mut object = Map::new();
    for (field, text) in [("apiVersion", &said.api_version), ("kind", &said.kind)] {
        if !text.is_empty() {
            object.insert(field.to_owned(), Value::from(text.as_str()));
        }
    }
    let read = match schema {
        Schema::Struct(of) if !said.kind.is_empty() && said.kind != of.go_name() => Err(another_kind(of, &said)),
        Schema::Struct(of) => Walk::default().object(of, raw, &mut object),
        _ => Err(Fault::Content(format!("{} is no object", schema.go_type()))),
    };
    match read {
        Ok(()) => Ok(Value::Object(object)),
        Err(fault) => Err(Refusal::Malformed { said, fault }),
    }
}

/// The refusal of an object of another kind: by its bytes alone it might pass for one of this.
fn another_kind(wanted: &Struct, said: &TypeMeta) -> Fault {
    let version = said.api_version.rsplit('/').next().unwrap_or_default();
    let group = wanted.name().split('.').next().unwrap_or_default();
    Fault::Content(format!("converting ({version}.{}) to ({group}.{}): unknown conversion", said.kind, wanted.go_name()))
}

/// The envelope, upstream's `runtime.Unknown`: what the object is, and its bytes.
fn open(envelope: &[u8]) -> Result<(TypeMeta, &[u8]), Fault> {
    let (mut said, mut raw) = (TypeMeta::default(), &[][..]);
    for part in Parts::of(envelope) {
        match part? {
            (1, Payload::Bytes(bytes)) => {
                for part in Parts::of(bytes) {
                    match part? {
                        (1, Payload::Bytes(text)) => said.api_version = string(text),
                        (2, Payload::Bytes(text)) => said.kind = string(text),
                        _ => {}
                    }
                }
            }
            (2, Payload::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    Ok((said, raw))
}

/// How deep the walk is.
#[derive(Default)]
struct Walk {
    depth: usize,
}

/// What a value is: its type, and what the table says of it beyond that.
#[derive(Clone, Copy)]
struct Expected<'s> {
    /// The type.
    schema: &'s Schema,
    /// The object whose field it is, which unions may hold again.
    within: &'s Struct,
    /// The field's row.
    tag: &'static Tag,
}

impl Walk {
    /// Reads a message as an object with known fields.
    fn object(&mut self, of: &Struct, message: &[u8], into: &mut Map<String, Value>) -> Result<(), Fault> {
        match facts::tags(of.name()) {
            Some(tags) => self.message(of, tags, message, into),
            None if of.fields().is_empty() => Ok(()),
            None => Err(Fault::Content(format!("the field numbers of {} are not known", of.name()))),
        }
    }

    fn new_object(&mut self, of: &Struct, message: &[u8]) -> Result<Value, Fault> {
        let mut object = Map::new();
        self.object(of, message, &mut object)?;
        Ok(Value::Object(object))
    }

    /// Reads a message numbered by `tags` into an object; what is there already is added to.
    fn message(&mut self, of: &Struct, tags: &'static [Tag], message: &[u8], into: &mut Map<String, Value>) -> Result<(), Fault> {
        if self.depth == MAX_DEPTH {
            return Err(Fault::Depth);
        }
        self.depth += 1;
        for part in Parts::of(message) {
            let (number, payload) = part?;
            let Ok(at) = tags.binary_search_by_key(&number, |tag| tag.number) else { continue };
            let tag = &tags[at];
            match (tag.field, payload) {
                (".", Payload::Bytes(inner)) => self.message(of, facts::tags(tag.message).unwrap_or_default(), inner, into)?,
                (".", other) => return Err(wrong(tag, other)),
                (name, _) => {
                    if let Some(field) = of.field(name) {
                        self.field(field, Expected { schema: &field.schema, within: of, tag }, payload, into)?;
                    }
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Adds one part of a message to the field it belongs to.
    fn field(&mut self, field: &Field, is: Expected<'_>, payload: Payload<'_>, into: &mut Map<String, Value>) -> Result<(), Fault> {
        let name: &str = &field.name;
        match (is.schema, payload) {
            (Schema::List(list), _) => {
                let Value::Array(items) = into.entry(name).or_insert_with(|| Value::Array(Vec::new())) else { return Ok(()) };
                self.push(Expected { schema: &list.elem, ..is }, payload, items)
            }
            (Schema::Map(map), Payload::Bytes(entry)) => {
                let Value::Object(entries) = into.entry(name).or_insert_with(|| Value::Object(Map::new())) else { return Ok(()) };
                let (key, value) = self.entry(Expected { schema: &map.elem, ..is }, entry)?;
                entries.insert(key, value);
                Ok(())
            }
            (Schema::Struct(of), Payload::Bytes(message)) => {
                let Value::Object(object) = into.entry(name).or_insert_with(|| Value::Object(Map::new())) else { return Ok(()) };
                self.object(of, message, object)
            }
            _ => {
                match self.value(is, payload)? {
                    Value::Null => into.remove(name),
                    value => into.insert(name.to_owned(), value),
                };
                Ok(())
            }
        }
    }

    /// Adds an element to a list, or many if they are packed.
    fn push(&mut self, is: Expected<'_>, payload: Payload<'_>, items: &mut Vec<Value>) -> Result<(), Fault> {
        match (is.schema, payload) {
            (Schema::Integer(_) | Schema::Boolean, Payload::Bytes(packed)) => {
                let mut numbers = Parts::of(packed);
                while let Some(number) = numbers.number() {
                    items.push(self.value(is, Payload::Varint(number?))?);
                }
            }
            _ => items.push(self.value(is, payload)?),
        }
        Ok(())
    }

    /// Reads an entry of a map: a message of key and value.
    fn entry(&mut self, is: Expected<'_>, entry: &[u8]) -> Result<(String, Value), Fault> {
        let (mut key, mut value) = (String::new(), None);
        for part in Parts::of(entry) {
            match part? {
                (1, Payload::Bytes(text)) => key = string(text),
                (2, payload) => value = Some(self.value(is, payload)?),
                _ => {}
            }
        }
        Ok((key, value.or_else(|| is.schema.zero()).unwrap_or_default()))
    }

    fn value(&mut self, is: Expected<'_>, payload: Payload<'_>) -> Result<Value, Fault> {
        Ok(match (is.schema, payload) {
            (Schema::String, Payload::Bytes(text)) => Value::String(string(text)),
            (Schema::Bytes, Payload::Bytes(bytes)) => Value::String(STANDARD.encode(bytes)),
            // Varints hold negative numbers as if they were huge.
            (Schema::Integer(Int::I32), Payload::Varint(number)) => Value::from(number as i32),
            (Schema::Integer(Int::I64), Payload::Varint(number)) => Value::from(number as i64),
            (Schema::Boolean, Payload::Varint(number)) => Value::Bool(number != 0),
            (Schema::Number, Payload::Fixed64(bits)) => {
                let number = f64::from_bits(bits);
                Number::from_f64(number).map(Value::Number).ok_or_else(|| Fault::Content(format!("json: unsupported value: {number}")))?
            }
            (Schema::Quantity, Payload::Bytes(message)) => {
                bytes_of(message)?.map_or_else(|| Value::from("0"), |text| Value::String(string(text)))
            }
            (Schema::IntOrString, Payload::Bytes(message)) => int_or_string(message)?,
            (Schema::Time, Payload::Bytes(message)) => time(message, "%Y-%m-%dT%H:%M:%SZ")?,
            (Schema::MicroTime, Payload::Bytes(message)) => time(message, "%Y-%m-%dT%H:%M:%S%.6fZ")?,
            (Schema::Any, Payload::Bytes(message)) => match facts::tags(is.tag.message) {
                Some(forms) => self.union(is.within, forms, message)?,
                None => raw(message)?,
            },
            (Schema::Struct(of), Payload::Bytes(message)) => self.new_object(of, message)?,
            // A list that is no field of its own is wrapped in a message.
            (Schema::List(list), Payload::Bytes(message)) => {
                let mut items = Vec::new();
                for part in Parts::of(message) {
                    if let (1, payload) = part? {
                        self.push(Expected { schema: &list.elem, ..is }, payload, &mut items)?;
                    }
                }
                Value::Array(items)
            }
            _ => return Err(wrong(is.tag, payload)),
        })
    }

    /// Reads a message whose fields are alternatives, of which one is the value. A later one wins, as in upstream's JSON.
    fn union(&mut self, of: &Struct, forms: &'static [Tag], message: &[u8]) -> Result<Value, Fault> {
        let mut value = Value::Null;
        for part in Parts::of(message) {
            let (number, payload) = part?;
            let Ok(at) = forms.binary_search_by_key(&number, |tag| tag.number) else { continue };
            match (forms[at].field, payload) {
                ("boolean", Payload::Varint(number)) => value = Value::Bool(number != 0),
                ("schema", Payload::Bytes(message)) => value = self.new_object(of, message)?,
                ("[schema]", Payload::Bytes(message)) => {
                    let item = self.new_object(of, message)?;
                    append(&mut value, item);
                }
                ("[string]", Payload::Bytes(text)) => append(&mut value, Value::String(string(text))),
                _ => return Err(wrong(&forms[at], payload)),
            }
        }
        Ok(value)
    }
}

/// Adds to a list, which may have to be begun.
fn append(list: &mut Value, item: Value) {
    match list {
        Value::Array(items) => items.push(item),
        other => *other = Value::Array(vec![item]),
    }
}

fn wrong(tag: &Tag, payload: Payload<'_>) -> Fault {
    Fault::Wrong { found: payload.wire_type(), field: tag.field.to_owned() }
}

/// As Go when it writes JSON: bytes that are no UTF-8 become U+FFFD.
fn string(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// The bytes in a message that only wraps them.
fn bytes_of(message: &[u8]) -> Result<Option<&[u8]>, Fault> {
    let mut found = None;
    for part in Parts::of(message) {
        if let (1, Payload::Bytes(bytes)) = part? {
            found = Some(bytes);
        }
    }
    Ok(found)
}

/// JSON in a message.
fn raw(message: &[u8]) -> Result<Value, Fault> {
    match bytes_of(message)? {
        None | Some([]) => Ok(Value::Null),
        Some(json) => serde_json::from_slice(json).map_err(|error| Fault::Content(format!("embedded JSON: {error}"))),
    }
}

fn int_or_string(message: &[u8]) -> Result<Value, Fault> {
    let (mut is_string, mut number, mut text) = (false, 0, String::new());
    for part in Parts::of(message) {
        match part? {
            (1, Payload::Varint(kind)) => is_string = kind == 1,
            (2, Payload::Varint(value)) => number = value as i32,
            (3, Payload::Bytes(value)) => text = string(value),
            _ => {}
        }
    }
    Ok(if is_string { Value::String(text) } else { Value::from(number) })
}

/// A point in time; an empty message is none.
fn time(message: &[u8], format: &str) -> Result<Value, Fault> {
    if message.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanoseconds) = (0, 0);
    for part in Parts::of(message) {
        match part? {
            (1, Payload::Varint(value)) => seconds = value as i64,
            (2, Payload::Varint(value)) => nanoseconds = value as i32,
            _ => {}
        }
    }
    let time = Timestamp::new(seconds, nanoseconds).map_err(|error| Fault::Content(error.to_string()))?;
    Ok(Value::String(time.strftime(format).to_string()))
}

#[cfg(test)]
mod tests;
