//! Objects without their managedFields, for whoever only watches.
//!
//! Who set which field is a third of an object and, being trees of small maps, most of what decoding it costs. A watcher that
//! never looks at it leaves it unread. It reads JSON as it comes, so a watch frame must say its `type` before its `object`, as
//! every Kubernetes API server does.

use std::{borrow::Cow, fmt};

use kube::{Resource, core::ObjectMeta, runtime::watcher::Event};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// An object whose managedFields were skipped when it was read.
#[derive(Clone, Debug)]
pub struct Lean<K>(pub K);

/// What a watcher says of lean objects, said of the objects themselves.
pub fn plain<K>(event: Event<Lean<K>>) -> Event<K> {
    match event {
        Event::Apply(Lean(object)) => Event::Apply(object),
        Event::Delete(Lean(object)) => Event::Delete(object),
        Event::Init => Event::Init,
        Event::InitApply(Lean(object)) => Event::InitApply(object),
        Event::InitDone => Event::InitDone,
    }
}

impl<K: Resource> Resource for Lean<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }
    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }
    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }
    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }
    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Lean<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        K::deserialize(Whole(deserializer)).map(Self)
    }
}

/// Reads an object, but its metadata without managedFields.
struct Whole<T>(T);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Whole<D> {
    type Error = D::Error;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Whole(visitor))
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Whole<V> {
    type Value = V::Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Parts { map, metadata: false })
    }
}

/// The fields of an object, the next of which may be the metadata.
struct Parts<A> {
    map: A,
    metadata: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Parts<A> {
    type Error = A::Error;
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.map.next_key_seed(Name { seed, metadata: &mut self.metadata })
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        if !self.metadata {
            return self.map.next_value_seed(seed);
        }
        let fields = fields(self.map.next_value::<&RawValue>()?.get()).map_err(A::Error::custom)?;
        seed.deserialize(Metadata { fields: fields.into_iter(), value: None }).map_err(A::Error::custom)
    }
}

/// The metadata, field by field.
struct Metadata<'de> {
    fields: std::vec::IntoIter<(&'de str, &'de RawValue)>,
    value: Option<&'de RawValue>,
}

impl<'de> Deserializer<'de> for Metadata<'de> {
    type Error = serde_json::Error;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_map(self)
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_some(self)
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Metadata<'de> {
    type Error = serde_json::Error;
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> serde_json::Result<Option<S::Value>> {
        let Some((name, value)) = self.fields.find(|(name, _)| *name != "managedFields") else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(name.into_deserializer()).map(Some)
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> serde_json::Result<S::Value> {
        let value = self.value.take().ok_or_else(|| serde_json::Error::custom("a value is read after its name"))?;
        seed.deserialize(&mut serde_json::Deserializer::from_str(value.get()))
    }
}

/// Reads a field's name and notes whether it is the metadata's.
struct Name<'a, S> {
    seed: S,
    metadata: &'a mut bool,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Name<'_, S> {
    type Value = S::Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Name<'_, S> {
    type Value = S::Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }
    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<S::Value, E> {
        *self.metadata = name == "metadata";
        self.seed.deserialize(name.into_deserializer())
    }
}

/// The fields of an object, their values unread. Field names of Kubernetes need no escapes.
fn fields(json: &str) -> serde_json::Result<Vec<(&str, &RawValue)>> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Vec<(&'de str, &'de RawValue)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::with_capacity(16);
            while let Some(field) = map.next_entry()? {
                fields.push(field);
            }
            Ok(fields)
        }
    }
    serde_json::Deserializer::from_str(json).deserialize_map(Fields)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::core::WatchEvent;

    use super::*;

    #[test]
    fn everything_but_the_managed_fields_is_read() {
        let frame = r#"{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","managedFields":[{"manager":"m"}],
            "labels":{"b":"c"}},"data":{"managedFields":"stays"}}}"#;
        let Ok(WatchEvent::Added(Lean(map))) = serde_json::from_str::<WatchEvent<Lean<ConfigMap>>>(frame) else { panic!("no event") };
        assert_eq!(map.metadata.name.as_deref(), Some("a"));
        assert_eq!(map.metadata.managed_fields, None);
        assert_eq!(map.metadata.labels.unwrap()["b"], "c");
        assert_eq!(map.data.unwrap()["managedFields"], "stays");
    }

    #[test]
    fn empty_objects_stay_objects() {
        let read = |json| serde_json::from_str::<Lean<ConfigMap>>(json).map(|lean| lean.0);
        assert_eq!(read(r#"{"metadata":{"managedFields":[]}}"#).unwrap(), ConfigMap::default());
        assert_eq!(read("{}").unwrap(), ConfigMap::default());
        assert!(read("[]").is_err());
    }
}
