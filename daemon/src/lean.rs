//! Objects without what their reader never looks at, for whoever only watches.
//!
//! Who set which field is a third of an object and, being trees of small maps, most of what decoding it costs. A watcher that
//! never looks at it leaves it unread, and of kinds that it has many of also what else it does without. It reads JSON as it comes,
//! so a watch frame must say its `type` before its `object`, as every Kubernetes API server does.

use std::{borrow::Cow, fmt, marker::PhantomData};

use kube::{Resource, core::ObjectMeta, runtime::watcher::Event};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor},
};

/// Fields that are left out: whole, if nothing is said of what is below them. The elements of a list are as the list.
#[derive(Clone, Copy, Debug)]
pub struct Unread(pub &'static [(&'static str, Unread)]);

/// Left out whole.
pub const WHOLE: Unread = Unread(&[]);

/// Who set which field. Part of what every reader leaves out.
pub const MANAGERS: (&str, Unread) = ("metadata", Unread(&[("managedFields", WHOLE)]));

/// One who reads objects.
pub trait Reader: Clone + fmt::Debug + Send + Sync + 'static {
    /// What it leaves out of objects of a kind. What it has read so it must not write back.
    fn unread(kind: &str) -> Unread;
}

/// Reads all but who set which field.
#[derive(Clone, Debug)]
pub struct Plain;

impl Reader for Plain {
    fn unread(_: &str) -> Unread {
        Unread(&[MANAGERS])
    }
}

/// An object of which was skipped, when it was read, what its reader leaves out.
#[derive(Clone, Debug)]
pub struct Lean<K, R = Plain>(pub K, PhantomData<R>);

/// The object of JSON, without what is left out of it.
///
/// # Errors
/// When it is no such object.
pub fn read<K: DeserializeOwned>(json: &str, unread: Unread) -> serde_json::Result<K> {
    let mut inner = serde_json::Deserializer::from_str(json);
    let object = K::deserialize(Through { inner: &mut inner, unread })?;
    inner.end().map(|()| object)
}

/// What a watcher says of lean objects, said of the objects themselves.
pub fn plain<K, R>(event: Event<Lean<K, R>>) -> Event<K> {
    match event {
        Event::Apply(Lean(object, _)) => Event::Apply(object),
        Event::Delete(Lean(object, _)) => Event::Delete(object),
        Event::Init => Event::Init,
        Event::InitApply(Lean(object, _)) => Event::InitApply(object),
        Event::InitDone => Event::InitDone,
    }
}

impl<K: Resource, R> Resource for Lean<K, R> {
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

impl<'de, K: DeserializeOwned + Resource<DynamicType = ()>, R: Reader> Deserialize<'de> for Lean<K, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        K::deserialize(Through { inner: deserializer, unread: R::unread(&K::kind(&())) }).map(|object| Self(object, PhantomData))
    }
}

/// Reads what has fields that are left out, here or further down.
struct Through<T> {
    inner: T,
    unread: Unread,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Through<D> {
    type Error = D::Error;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Through { inner: visitor, unread: self.unread })
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Through { inner: visitor, unread: self.unread })
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
        self.inner.visit_some(Through { inner, unread: self.unread })
    }
    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Through { inner, unread: self.unread })
    }
    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Through { inner: Fields { map: inner, below: None }, unread: self.unread })
    }
}

/// The fields of a map, and what is left out of the value that comes next.
struct Fields<A> {
    map: A,
    below: Option<Unread>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Through<Fields<A>> {
    type Error = A::Error;
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        while let Some(Name(name)) = self.inner.map.next_key()? {
            self.inner.below = self.unread.0.iter().find(|(field, _)| *field == name).map(|(_, below)| *below);
            if self.inner.below.is_some_and(|below| below.0.is_empty()) {
                self.inner.map.next_value::<IgnoredAny>()?;
                continue;
            }
            return seed.deserialize(name.into_deserializer()).map(Some);
        }
        Ok(None)
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        match self.inner.below {
            Some(unread) => self.inner.map.next_value_seed(Through { inner: seed, unread }),
            None => self.inner.map.next_value_seed(seed),
        }
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Through<A> {
    type Error = A::Error;
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Through { inner: seed, unread: self.unread })
    }
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Through<S> {
    type Value = S::Value;
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Through { inner, unread: self.unread })
    }
}

/// A field's name, copied only if it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{ConfigMap, Pod};
    use kube::core::WatchEvent;
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_but_the_managed_fields_is_read() {
        let frame = r#"{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","managedFields":[{"manager":"m"}],
            "labels":{"b":"c"}},"data":{"managedFields":"stays"}}}"#;
        let Ok(WatchEvent::Added(Lean(map, _))) = serde_json::from_str::<WatchEvent<Lean<ConfigMap>>>(frame) else { panic!("no event") };
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

    #[test]
    fn a_reader_leaves_out_what_it_does_without() {
        #[derive(Clone, Debug)]
        struct Counter;
        impl Reader for Counter {
            fn unread(kind: &str) -> Unread {
                assert_eq!(kind, "Pod");
                Unread(&[
                    MANAGERS,
                    ("spec", Unread(&[("containers", Unread(&[("image", WHOLE), ("resources", WHOLE)])), ("volumes", WHOLE)])),
                ])
            }
        }
        let containers = json!([{ "name": "a", "image": "i", "resources": { "limits": { "cpu": "1" } } }, { "image": "i", "name": "b" }]);
        let spec = json!({ "volumes": [{ "name": "v" }], "containers": containers, "nodeName": "n" });
        let pod = json!({ "spec": spec, "status": { "containerStatuses": [{ "image": "i" }] } }).to_string();
        let pod = serde_json::from_str::<Lean<Pod, Counter>>(&pod).unwrap().0;
        let read = serde_json::to_value(&pod).unwrap();
        assert_eq!(read["spec"], json!({ "containers": [{ "name": "a" }, { "name": "b" }], "nodeName": "n" }));
        assert_eq!(pod.status.unwrap().container_statuses.unwrap()[0].image, "i");
    }
}
