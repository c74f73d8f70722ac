//! Objects without their managedFields, for whoever only watches.
//!
//! Who set which field is a third of an object and, being trees of small maps, most of what decoding it costs. A watcher that
//! never looks at it leaves it unread. It reads JSON as it comes, so a watch frame must say its `type` before its `object`, as
//! every Kubernetes API server does.

use std::{borrow::Cow, fmt};

use kube::{Resource, core::ObjectMeta, runtime::watcher::Event};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, IntoDeserializer, MapAccess, Visitor},
};

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
        K::deserialize(Through::object(deserializer)).map(Self)
    }
}

/// Reads a map whose fields are looked at on the way: an object, to find its metadata, or that, to leave out what nobody reads.
struct Through<T> {
    inner: T,
    level: Level,
}

/// Where in an object a map is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Object,
    Metadata,
}

impl<T> Through<T> {
    fn object(inner: T) -> Self {
        Self { inner, level: Level::Object }
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Through<D> {
    type Error = D::Error;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Through { inner: visitor, level: self.level })
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Through { inner: visitor, level: self.level })
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Through<V> {
    type Value = V::Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }
    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Through { inner, level: self.level })
    }
    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Through { inner: Fields { map: inner, below: false }, level: self.level })
    }
}

/// The fields of a map, the next of which may be the metadata.
struct Fields<A> {
    map: A,
    below: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Through<Fields<A>> {
    type Error = A::Error;
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        while let Some(Name(name)) = self.inner.map.next_key()? {
            if self.level == Level::Metadata && name == "managedFields" {
                self.inner.map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.inner.below = self.level == Level::Object && name == "metadata";
            return seed.deserialize(name.into_deserializer()).map(Some);
        }
        Ok(None)
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        if self.inner.below {
            self.inner.map.next_value_seed(Through { inner: seed, level: Level::Metadata })
        } else {
            self.inner.map.next_value_seed(seed)
        }
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Through<S> {
    type Value = S::Value;
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Through { inner, level: self.level })
    }
}

/// A field's name, copied only if it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

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
    fn escapes_in_names_and_null_metadata_are_read() {
        let read = |json| serde_json::from_str::<Lean<ConfigMap>>(json).map(|lean| lean.0);
        let map = read(r#"{"m\u0065tadata":{"n\u0061me":"a"},"data":{"\u0061":"b"}}"#).unwrap();
        assert_eq!((map.metadata.name.as_deref(), &*map.data.unwrap()["a"]), (Some("a"), "b"));
        assert_eq!(read(r#"{"metadata":null}"#).unwrap(), ConfigMap::default());
        assert!(read(r#"{"metadata":7}"#).is_err());
    }

    #[test]
    fn empty_objects_stay_objects() {
        let read = |json| serde_json::from_str::<Lean<ConfigMap>>(json).map(|lean| lean.0);
        assert_eq!(read(r#"{"metadata":{"managedFields":[]}}"#).unwrap(), ConfigMap::default());
        assert_eq!(read("{}").unwrap(), ConfigMap::default());
        assert!(read("[]").is_err());
    }
}
