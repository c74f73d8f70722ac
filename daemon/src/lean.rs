//! Objects without their managedFields, for whoever only watches.
//!
//! Who set which field is a third of an object and, being trees of small maps, most of what decoding it costs. A watcher that
//! never looks at it leaves it unread. It reads JSON as it comes, so a watch frame must say its `type` before its `object`, as
//! every Kubernetes API server does.

use std::{borrow::Cow, fmt};

use kube::{Resource, core::ObjectMeta, runtime::watcher::Event};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor},
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
        let whole = Box::<RawValue>::deserialize(deserializer)?;
        let lean = without_managed(whole.get()).map_err(D::Error::custom)?;
        serde_json::from_slice(&lean).map(Self).map_err(D::Error::custom)
    }
}

fn without_managed(json: &str) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(json.len());
    for (name, value) in fields(json)? {
        begin(&mut out, name);
        if name == "metadata" {
            let mut metadata = Vec::new();
            for (name, value) in fields(value.get())?.into_iter().filter(|(name, _)| *name != "managedFields") {
                begin(&mut metadata, name);
                metadata.extend_from_slice(value.get().as_bytes());
            }
            end(&mut metadata);
            out.append(&mut metadata);
        } else {
            out.extend_from_slice(value.get().as_bytes());
        }
    }
    end(&mut out);
    Ok(out)
}

fn begin(out: &mut Vec<u8>, name: &str) {
    out.push(if out.is_empty() { b'{' } else { b',' });
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn end(out: &mut Vec<u8>) {
    if out.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
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
        assert_eq!(without_managed(r#"{"metadata":{"managedFields":[]}}"#).unwrap(), br#"{"metadata":{}}"#);
        assert_eq!(without_managed("{}").unwrap(), b"{}");
    }
}
