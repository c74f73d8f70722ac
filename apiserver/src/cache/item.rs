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
    let pointers: Vec<&str> = fields.iter().flat_map(|field| field.pointers).copied().collect();
    let mut found: Vec<Option<Box<str>>> = vec![None; pointers.len()];
    let mut labels = BTreeMap::new();
    let mut reader = serde_json::Deserializer::from_str(std::str::from_utf8(json).map_err(serde_json::Error::custom)?);
    let wanted = Wanted::all(pointers.len()).map_err(serde_json::Error::custom)?;
    Walk { pointers: &pointers, wanted, at: 0, labels: Some("metadata/labels"), out: &mut found, labels_out: &mut labels }
        .deserialize(&mut reader)?;
    let mut found = found.into_iter();
    let mut first = |field: &Field| found.by_ref().take(field.pointers.len()).fold(None, Option::or);
    let fields = fields.iter().map(|field| first(field).unwrap_or_else(|| field.absent.into())).collect();
    Ok(Facts { labels, fields })
}

/// Some of the pointers, by their places.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Wanted(u64);

impl Wanted {
    const NONE: Self = Self(0);

    fn all(count: usize) -> Result<Self, &'static str> {
        match count {
            0..64 => Ok(Self((1 << count) - 1)),
            _ => Err("a kind has too many selectable fields"),
        }
    }

    fn places(self) -> impl Iterator<Item = usize> {
        (0..u64::BITS as usize - self.0.leading_zeros() as usize).filter(move |place| self.0 & (1 << place) != 0)
    }

    fn retain(self, keep: impl Fn(usize) -> bool) -> Self {
        Self(self.places().filter(|place| keep(*place)).fold(0, |all, place| all | 1 << place))
    }
}

/// A walk through an object, and which of the pointers lead on from where it is.
struct Walk<'a, 'o> {
    pointers: &'a [&'a str],
    wanted: Wanted,
    /// How much of each of these it has come, for so far they are the same.
    at: usize,
    labels: Option<&'a str>,
    out: &'o mut [Option<Box<str>>],
    labels_out: &'o mut BTreeMap<String, String>,
}

impl Walk<'_, '_> {
    /// Notes a scalar if pointers end here.
    fn note(self, text: &str) {
        for place in self.wanted.places().filter(|place| self.pointers[*place].len() == self.at && !text.is_empty()) {
            self.out[place] = Some(text.into());
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
        self.note(&value.to_string());
        Ok(())
    }
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.note(&value.to_string());
        Ok(())
    }
    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.note(&value.to_string());
        Ok(())
    }
    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.note(&value.to_string());
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
            let wanted = self.wanted.retain(|place| self.pointers[place].get(self.at + 1..).is_some_and(|rest| step(rest, &key).is_some()));
            if wanted == Wanted::NONE && labels.is_none() {
                map.next_value::<IgnoredAny>()?;
            } else {
                let at = self.at + 1 + key.len();
                let below = Walk { wanted, at, labels, pointers: self.pointers, out: &mut *self.out, labels_out: &mut *self.labels_out };
                map.next_value_seed(below)?;
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
    fn a_field_that_is_no_scalar_is_absent() {
        let stored = br#"{"metadata":{},"spec":{"a":{"b":"deep","bb":true},"list":[{"b":1}],"n":4,"none":null,"empty":""}}"#;
        let fields = ["/spec/a", "/spec/a/b", "/spec/list", "/spec/list/b", "/spec/n", "/spec/none", "/spec/empty", "/spec/n"];
        let fields = fields.map(|pointer| Field { absent: "-", pointers: Vec::leak(vec![pointer]), ..field("x", &[]) });
        let item = Item::new("a".into(), 1, stored, &fields).unwrap();
        assert_eq!(item.fields.iter().map(|text| &**text).collect::<Vec<_>>(), ["-", "deep", "-", "-", "4", "-", "-", "4"]);
        let many = [const { field("x", &["/spec/n"]) }; 64];
        assert!(Item::new("a".into(), 1, stored, &many).is_err());
    }

    #[test]
    fn a_value_of_another_form_is_refused() {
        assert!(Item::new("a".into(), 1, b"{\"spec\":{}}", &[]).is_err());
    }
}
