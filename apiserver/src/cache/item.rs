//! One object as the cache keeps it: its JSON, and the few facts lists and watches select by.
//!
//! The stored form is the object without `kind` and `apiVersion`, `metadata` first and without `resourceVersion`:
//! `{"metadata":{…},"spec":…}`. Both are spliced in, never re-encoded.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::kinds::Field;

/// How every stored object begins.
pub const HEAD: &str = "{\"metadata\":{";
/// How the splice of [`with_revision`] begins.
pub const REVISION: &[u8] = b"\"resourceVersion\":\"";

/// One object at one revision. Immutable.
#[derive(Debug)]
pub struct Item {
    /// `namespace/name`, or `name` where there are no namespaces.
    pub key: Arc<str>,
    /// The revision of its last change.
    pub revision: u64,
    /// Its JSON, `resourceVersion` included, `kind` and `apiVersion` not.
    pub json: Bytes,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The values of its kind's selectable fields, in the kind's order.
    pub fields: Box<[Box<str>]>,
}

impl Item {
    /// The item of a stored value.
    ///
    /// # Errors
    /// When the value is not an object of the stored form.
    pub fn new(key: Arc<str>, revision: u64, stored: &[u8], fields: &[Field]) -> serde_json::Result<Self> {
        if !stored.starts_with(HEAD.as_bytes()) {
            return Err(serde_json::Error::custom("a stored object begins with its metadata"));
        }
        let facts = facts(stored, fields)?;
        Ok(Self { key, revision, json: with_revision(stored, revision), labels: facts.labels, fields: facts.fields })
    }

    /// The item of an object of the stored form that is not stored, and so has no revision.
    ///
    /// # Errors
    /// When it is no object.
    pub fn unstored(key: Arc<str>, json: Bytes, fields: &[Field]) -> serde_json::Result<Self> {
        let facts = facts(&json, fields)?;
        Ok(Self { key, revision: 0, json, labels: facts.labels, fields: facts.fields })
    }

    /// The same object at the revision of its deletion.
    #[must_use]
    pub fn deleted_at(&self, revision: u64) -> Self {
        let json = with_revision(&without_revision(&self.json), revision);
        Self { key: self.key.clone(), revision, json, labels: self.labels.clone(), fields: self.fields.clone() }
    }

    /// The namespace, empty where there is none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.key.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.key.split_once('/').map_or(&*self.key, |(_, name)| name)
    }
}

/// Splices the revision into a stored object.
#[must_use]
pub fn with_revision(stored: &[u8], revision: u64) -> Bytes {
    let rest = &stored[HEAD.len()..];
    let comma = if rest.first() == Some(&b'}') { "" } else { "," };
    let mut json = Vec::with_capacity(stored.len() + 44);
    json.extend_from_slice(HEAD.as_bytes());
    json.extend_from_slice(format!("\"resourceVersion\":\"{revision}\"{comma}").as_bytes());
    json.extend_from_slice(rest);
    Bytes::from(json)
}

/// The stored form of JSON that [`with_revision`] made.
#[must_use]
pub fn without_revision(json: &[u8]) -> Vec<u8> {
    [HEAD.as_bytes(), after_revision(json)].concat()
}

/// Whether JSON that [`with_revision`] made is of this stored form.
#[must_use]
pub fn is_stored_as(json: &[u8], stored: &[u8]) -> bool {
    stored.strip_prefix(HEAD.as_bytes()) == Some(after_revision(json))
}

/// What follows the head and the spliced revision, if there is one.
#[must_use]
pub fn after_revision(json: &[u8]) -> &[u8] {
    let rest = json.get(HEAD.len()..).unwrap_or_default();
    let Some(text) = rest.strip_prefix(REVISION) else { return rest };
    let end = memchr::memchr(b'"', text).map_or(text.len(), |quote| quote + 1);
    text[end..].strip_prefix(b",").unwrap_or(&text[end..])
}

struct Facts {
    labels: BTreeMap<String, String>,
    fields: Box<[Box<str>]>,
}

/// Reads labels and selectable fields, skipping everything else.
fn facts(json: &[u8], fields: &[Field]) -> serde_json::Result<Facts> {
    let mut found: Vec<Vec<Option<Box<str>>>> = fields.iter().map(|field| vec![None; field.pointers.len()]).collect();
    let mut labels = BTreeMap::new();
    let wanted: Vec<Wanted> = fields
        .iter()
        .enumerate()
        .flat_map(|(field, row)| row.pointers.iter().enumerate().map(move |(place, pointer)| Wanted { field, place, rest: &pointer[1..] }))
        .collect();
    let mut reader = serde_json::Deserializer::from_str(std::str::from_utf8(json).map_err(serde_json::Error::custom)?);
    Walk { wanted, labels: Some("metadata/labels"), out: &mut found, labels_out: &mut labels }.deserialize(&mut reader)?;
    let values = fields.iter().zip(found).map(|(field, places)| places.into_iter().flatten().next().unwrap_or_else(|| field.absent.into()));
    Ok(Facts { labels, fields: values.collect() })
}

/// A pointer that leads further down from where the walk is.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    field: usize,
    place: usize,
    rest: &'a str,
}

struct Walk<'a, 'o> {
    wanted: Vec<Wanted<'a>>,
    labels: Option<&'a str>,
    out: &'o mut Vec<Vec<Option<Box<str>>>>,
    labels_out: &'o mut BTreeMap<String, String>,
}

impl Walk<'_, '_> {
    /// Notes a scalar if a pointer ends here.
    fn note(self, text: impl fmt::Display) {
        if let Some(wanted) = self.wanted.iter().find(|wanted| wanted.rest.is_empty()) {
            let text = text.to_string();
            if !text.is_empty() {
                self.out[wanted.field][wanted.place] = Some(text.into());
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.note(value);
        Ok(())
    }
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.note(value);
        Ok(())
    }
    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.note(value);
        Ok(())
    }
    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.note(value);
        Ok(())
    }
    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.note(value);
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(key)) = map.next_key()? {
            let labels = self.labels.and_then(|path| step(path, &key));
            if labels == Some("") {
                *self.labels_out = map.next_value::<Option<BTreeMap<String, String>>>()?.unwrap_or_default();
                continue;
            }
            let wanted: Vec<Wanted> =
                self.wanted.iter().filter_map(|wanted| step(wanted.rest, &key).map(|rest| Wanted { rest, ..*wanted })).collect();
            if wanted.is_empty() && labels.is_none() {
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(Walk { wanted, labels, out: self.out, labels_out: self.labels_out })?;
            }
        }
        Ok(())
    }
}

/// A field's name, copied only if it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// What is left of `path` after its first step, if that is `key`.
fn step<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    match path.strip_prefix(key)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::field;

    const STORED: &[u8] = br#"{"metadata":{"labels":{"app":"web"},"name":"a"},"spec":{"nodeName":"n1","hostNetwork":true},"status":{}}"#;

    #[test]
    fn facts_are_read_and_the_revision_is_spliced() {
        let fields = [
            field("spec.nodeName", &["/spec/nodeName"]),
            Field { absent: "Pending", ..field("status.phase", &["/status/phase"]) },
            field("spec.hostNetwork", &["/nope", "/spec/hostNetwork"]),
        ];
        let item = Item::new("ns/a".into(), 7, STORED, &fields).unwrap();
        assert_eq!(item.labels["app"], "web");
        assert_eq!(item.fields.iter().map(|text| &**text).collect::<Vec<_>>(), ["n1", "Pending", "true"]);
        assert_eq!((item.namespace(), item.name()), ("ns", "a"));
        assert!(item.json.starts_with(br#"{"metadata":{"resourceVersion":"7","labels""#));
        assert_eq!(without_revision(&item.json), STORED);
        assert!(is_stored_as(&item.json, STORED) && !is_stored_as(&item.json, &item.json));
        assert!(item.deleted_at(9).json.starts_with(br#"{"metadata":{"resourceVersion":"9","labels""#));
    }

    #[test]
    fn a_value_of_another_form_is_refused() {
        assert!(Item::new("a".into(), 1, b"{\"spec\":{}}", &[]).is_err());
    }
}
