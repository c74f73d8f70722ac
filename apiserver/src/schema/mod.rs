//! The shape of every kind: what a field is called, what it may hold, how lists merge.
//!
//! One graph serves decoding, patching, field ownership and (later) server-side apply. It is derived from the
//! `JsonSchema` implementations of `k8s-openapi`, joined with two tables of facts that OpenAPI does not tell: how
//! lists and maps merge (`data/list-semantics.tsv`) and which zero values Go writes (`data/go-encoding.tsv`). A third one,
//! the field numbers of protobuf (`data/protobuf.tsv`), is only read when a body is in that form.
//! It is built lazily, once per process, and knows no kind by name.

pub mod decode;
mod facts;
mod graph;
pub mod protobuf;
mod scalar;
mod syntax;

use std::sync::{Arc, OnceLock};

use schemars::JsonSchema;
use serde_json::Value;

pub use self::facts::extensions;
pub use self::graph::type_name;

/// What a value must look like. Cheap to clone: composite shapes are shared.
#[derive(Clone, Debug)]
pub enum Schema {
    /// An object with known fields.
    Struct(Arc<Struct>),
    /// An object with arbitrary keys.
    Map(Arc<MapType>),
    /// A list.
    List(Arc<ListType>),
    /// A string.
    String,
    /// A base64 encoded string (Go's `[]byte`).
    Bytes,
    /// A whole number.
    Integer(Int),
    /// A floating point number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `resource.Quantity`: a number with a suffix, written as a string.
    Quantity,
    /// `intstr.IntOrString`: a port or a percentage.
    IntOrString,
    /// An RFC 3339 time in whole seconds.
    Time,
    /// An RFC 3339 time with six fractional digits.
    MicroTime,
    /// Any JSON (`RawExtension`, `FieldsV1`, `JSON`); never looked into.
    Any,
}

/// The width of an integer field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Int {
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
}

/// An object type with known fields, for example `PodSpec`.
#[derive(Debug)]
pub struct Struct {
    /// Group, version and Go name: `core.v1.PodSpec`.
    name: Box<str>,
    /// Whether one manager owns the object as a whole.
    atomic: bool,
    /// Filled once the definition has been read; a cell because types may refer to themselves.
    fields: OnceLock<Fields>,
}

/// The fields of a [`Struct`].
#[derive(Debug, Default)]
struct Fields {
    /// Sorted by name.
    all: Box<[Field]>,
    /// Positions of the fields that Go writes even when they were not given.
    always: Box<[usize]>,
    /// Open-addressed hash table of positions plus one; its size is a power of two, and at least a third is free.
    /// A request looks up some two hundred names; this halves what that costs.
    index: Box<[u8]>,
}

impl Fields {
    fn new(all: Box<[Field]>) -> Fields {
        let always = (0..all.len()).filter(|&i| all[i].zero == Zero::Always).collect();
        let mut index = vec![0; (all.len() * 3 / 2 + 1).next_power_of_two()];
        for (i, field) in all.iter().enumerate() {
            let mut slot = hash(&field.name);
            while index[slot & (index.len() - 1)] != 0 {
                slot += 1;
            }
            let at = slot & (index.len() - 1);
            index[at] = u8::try_from(i + 1).expect("no type has more than 254 fields");
        }
        Fields { all, always, index: index.into() }
    }

    fn position(&self, name: &str) -> Option<usize> {
        let mask = self.index.len().checked_sub(1)?;
        let mut slot = hash(name);
        loop {
            let at = usize::from(self.index[slot & mask]).checked_sub(1)?;
            if *self.all[at].name == *name {
                return Some(at);
            }
            slot += 1;
        }
    }
}

/// FNV-1a, in 32 bits so that the probing above cannot overflow.
fn hash(name: &str) -> usize {
    name.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193)) as usize
}

/// One field of a [`Struct`].
#[derive(Debug)]
pub struct Field {
    /// The JSON name.
    pub name: Box<str>,
    /// What it holds.
    pub schema: Schema,
    /// Whether OpenAPI lists it as required.
    pub required: bool,
    /// What happens to its zero value.
    pub zero: Zero,
    /// Whether one manager owns the value as a whole (`x-kubernetes-map-type: atomic`).
    pub atomic: bool,
    /// How a strategic merge patch treats the object in this field.
    pub patch: ObjectPatch,
}

/// What Go does with the zero value of a field when it writes the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zero {
    /// Keeps it: the field is a pointer.
    Keep,
    /// Drops it: `omitempty` on a plain value.
    Drop,
    /// Writes it even when it was not given.
    Always,
}

/// How a strategic merge patch treats an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ObjectPatch {
    /// Field by field.
    #[default]
    Merge,
    /// The patch's object takes the place of the old one.
    Replace,
}

/// An object type with arbitrary keys.
#[derive(Debug)]
pub struct MapType {
    /// What every key holds.
    pub elem: Schema,
}

/// A list type and what merging means for it.
#[derive(Debug)]
pub struct ListType {
    /// What every element holds.
    pub elem: Schema,
    /// How ownership sees the elements.
    pub kind: ListKind,
    /// How a strategic merge patch treats the list.
    pub patch: ListPatch,
}

/// `x-kubernetes-list-type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// One manager owns the list as a whole.
    Atomic,
    /// Distinct scalars, each owned on its own.
    Set,
    /// Objects told apart by these key fields.
    Map(Box<[Box<str>]>),
}

/// `x-kubernetes-patch-strategy` and `-merge-key` of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListPatch {
    /// The patch's list takes the place of the old one.
    Replace,
    /// Scalars are added if absent.
    Merge,
    /// Objects with the same value of this field are merged.
    MergeBy(Box<str>),
}

impl Schema {
    /// The schema of a Kubernetes type. Built at the first call in the process, shared afterwards.
    pub fn of<K: JsonSchema>() -> Schema {
        graph::of::<K>()
    }

    /// The schema of field `name` of an object, or of every key if the object is a map.
    pub fn field(&self, name: &str) -> Option<&Schema> {
        match self {
            Schema::Struct(s) => s.field(name).map(|f| &f.schema),
            Schema::Map(m) => Some(&m.elem),
            _ => None,
        }
    }

    /// The schema of the elements of a list or the values of a map.
    pub fn elem(&self) -> Option<&Schema> {
        match self {
            Schema::List(l) => Some(&l.elem),
            Schema::Map(m) => Some(&m.elem),
            _ => None,
        }
    }

    /// The object type, if this is one with known fields.
    pub fn as_struct(&self) -> Option<&Struct> {
        match self {
            Schema::Struct(s) => Some(s),
            _ => None,
        }
    }

    /// The list type, if this is a list.
    pub fn as_list(&self) -> Option<&ListType> {
        match self {
            Schema::List(l) => Some(l),
            _ => None,
        }
    }

    /// Whether one manager owns a value of this type as a whole, wherever it stands.
    pub fn is_atomic(&self) -> bool {
        match self {
            Schema::Struct(s) => s.atomic,
            Schema::Map(_) => false,
            Schema::List(l) => l.kind == ListKind::Atomic,
            _ => true,
        }
    }

    /// The type's name as Go prints it in errors: `int32`, `v1.PodSpec`, `[]v1.Container`, `map[string]string`.
    pub fn go_type(&self) -> String {
        match self {
            Schema::Struct(s) => s.qualified_name().to_owned(),
            Schema::Map(m) => format!("map[string]{}", m.elem.go_type()),
            Schema::List(l) => format!("[]{}", l.elem.go_type()),
            Schema::String => "string".to_owned(),
            Schema::Bytes => "[]uint8".to_owned(),
            Schema::Integer(Int::I32) => "int32".to_owned(),
            Schema::Integer(Int::I64) => "int64".to_owned(),
            Schema::Number => "float64".to_owned(),
            Schema::Boolean => "bool".to_owned(),
            Schema::Quantity => "resource.Quantity".to_owned(),
            Schema::IntOrString => "intstr.IntOrString".to_owned(),
            Schema::Time => "v1.Time".to_owned(),
            Schema::MicroTime => "v1.MicroTime".to_owned(),
            Schema::Any => "interface {}".to_owned(),
        }
    }

    /// What Go writes for a value of this type that was never set; `None` if nothing (or a null nobody needs).
    pub fn zero(&self) -> Option<Value> {
        match self {
            Schema::Struct(s) => Some(Value::Object(s.zero())),
            Schema::String | Schema::Bytes => Some(Value::String(String::new())),
            Schema::Integer(_) | Schema::IntOrString => Some(Value::from(0)),
            Schema::Number => Some(Value::from(0)),
            Schema::Boolean => Some(Value::Bool(false)),
            Schema::Quantity => Some(Value::String("0".to_owned())),
            Schema::Time | Schema::MicroTime => Some(Value::Null),
            Schema::Map(_) | Schema::List(_) | Schema::Any => None,
        }
    }
}

impl Struct {
    /// The fields, sorted by name.
    pub fn fields(&self) -> &[Field] {
        self.fields.get().map_or(&[], |f| &f.all)
    }

    /// The field called `name` (case matters).
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.position(name).map(|(_, field)| field)
    }

    /// The same with its place in [`Struct::fields`].
    pub fn position(&self, name: &str) -> Option<(usize, &Field)> {
        let fields = self.fields.get()?;
        let at = fields.position(name)?;
        Some((at, &fields.all[at]))
    }

    /// Group, version and Go name: `core.v1.PodSpec`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Go name alone: `PodSpec`.
    pub fn go_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    /// Package and Go name: `v1.PodSpec`.
    pub fn qualified_name(&self) -> &str {
        self.name.split_once('.').map_or(&self.name, |(_, rest)| rest)
    }

    /// Whether one manager owns the object as a whole.
    pub fn is_atomic(&self) -> bool {
        self.atomic
    }

    /// The fields that Go writes even when they were not given.
    pub fn always(&self) -> impl Iterator<Item = &Field> {
        let fields = self.fields();
        self.fields.get().into_iter().flat_map(|f| f.always.iter()).map(move |&i| &fields[i])
    }

    /// The object Go writes when nothing was set.
    pub fn zero(&self) -> serde_json::Map<String, Value> {
        self.always().filter_map(|f| Some((String::from(&*f.name), f.schema.zero()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;
    use k8s_openapi::api::core::v1::{Node, Pod, Secret};
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

    use super::*;

    fn at(schema: &Schema, path: &[&str]) -> Schema {
        path.iter().fold(schema.clone(), |s, name| match *name {
            "[]" => s.elem().expect("a list").clone(),
            name => s.field(name).unwrap_or_else(|| panic!("no field {name}")).clone(),
        })
    }

    #[test]
    fn shapes() {
        let pod = Schema::of::<Pod>();
        let cases = [
            (&["spec", "containers"][..], "[]v1.Container"),
            (&["metadata", "labels"], "map[string]string"),
            (&["metadata", "creationTimestamp"], "v1.Time"),
            (&["metadata", "managedFields", "[]", "fieldsV1"], "interface {}"),
            (&["spec", "terminationGracePeriodSeconds"], "int64"),
            (&["spec", "containers", "[]", "resources", "limits"], "map[string]resource.Quantity"),
            (&["spec", "containers", "[]", "ports", "[]", "containerPort"], "int32"),
            (&["spec", "containers", "[]", "livenessProbe", "httpGet", "port"], "intstr.IntOrString"),
            (&["spec", "hostNetwork"], "bool"),
        ];
        for (path, want) in cases {
            assert_eq!(at(&pod, path).go_type(), want, "{path:?}");
        }
        assert_eq!(at(&Schema::of::<Secret>(), &["data"]).go_type(), "map[string][]uint8");
    }

    #[test]
    fn list_semantics() {
        let pod = Schema::of::<Pod>();
        let containers = at(&pod, &["spec", "containers"]);
        let list = containers.as_list().unwrap();
        assert_eq!(list.kind, ListKind::Map(Box::new(["name".into()])));
        assert_eq!(list.patch, ListPatch::MergeBy("name".into()));
        let finalizers = at(&pod, &["metadata", "finalizers"]);
        let list = finalizers.as_list().unwrap();
        assert_eq!((&list.kind, &list.patch), (&ListKind::Set, &ListPatch::Merge));
        let tolerations = at(&pod, &["spec", "tolerations"]);
        let list = tolerations.as_list().unwrap();
        assert_eq!((&list.kind, &list.patch), (&ListKind::Atomic, &ListPatch::Replace));
        let spec = at(&pod, &["spec"]);
        assert!(spec.as_struct().unwrap().field("nodeSelector").unwrap().atomic);
        assert!(Schema::of::<Deployment>().field("spec").unwrap().field("selector").unwrap().is_atomic());
    }

    #[test]
    fn definitions_are_shared_between_kinds() {
        let in_pod = at(&Schema::of::<Pod>(), &["spec"]);
        let in_template = at(&Schema::of::<Deployment>(), &["spec", "template", "spec"]);
        assert!(std::ptr::eq(in_pod.as_struct().unwrap(), in_template.as_struct().unwrap()));
    }

    #[test]
    fn types_may_refer_to_themselves() {
        let crd = Schema::of::<CustomResourceDefinition>();
        let props = at(&crd, &["spec", "versions", "[]", "schema", "openAPIV3Schema"]);
        let again = at(&props, &["properties", "[]", "properties", "[]"]);
        assert!(std::ptr::eq(props.as_struct().unwrap(), again.as_struct().unwrap()));
    }

    #[test]
    fn zero_objects_are_what_go_writes() {
        let node = Schema::of::<Node>();
        let zero = serde_json::to_value(node.zero()).unwrap();
        assert_eq!(zero["status"]["daemonEndpoints"], serde_json::json!({"kubeletEndpoint": {"Port": 0}}));
        assert_eq!(zero["status"]["nodeInfo"]["kubeletVersion"], "");
        assert_eq!(zero["spec"], serde_json::json!({}));
    }
}
