//! What a kind may say about itself: [`Rules`], and [`Behaviour`], the same with the type forgotten so that the registry can
//! drive every kind alike.

use std::any::Any;

use jiff::Timestamp;
use k8s_openapi::{Metadata, Resource, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use schemars::JsonSchema;
use serde::{
    Serialize,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Value;

use super::field::Errors;
use crate::schema::Schema;

/// An object of some kind, its type forgotten.
pub trait Object: Any + Send + Sync {
    /// Its metadata.
    fn meta(&self) -> &ObjectMeta;
    /// Its metadata, to change.
    fn meta_mut(&mut self) -> &mut ObjectMeta;
    /// A copy.
    fn copy(&self) -> Box<dyn Object>;
    /// Its JSON, `kind` and `apiVersion` included.
    ///
    /// # Errors
    /// When a value cannot be written as JSON, such as a year beyond 9999.
    fn json(&self) -> serde_json::Result<Vec<u8>>;
    /// Itself, to be asked for its type.
    fn any(&self) -> &dyn Any;
    /// Itself, to be asked for its type.
    fn any_mut(&mut self) -> &mut dyn Any;
}

/// A Kubernetes type that can be a kind of ours.
pub trait Type:
    Resource + Metadata<Ty = ObjectMeta> + Serialize + DeserializeOwned + JsonSchema + Clone + Default + Send + Sync + 'static
{
}
impl<K> Type for K where
    K: Resource + Metadata<Ty = ObjectMeta> + Serialize + DeserializeOwned + JsonSchema + Clone + Default + Send + Sync + 'static
{
}

impl<K: Type> Object for K {
    fn meta(&self) -> &ObjectMeta {
        self.metadata()
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.metadata_mut()
    }
    fn copy(&self) -> Box<dyn Object> {
        Box::new(self.clone())
    }
    fn json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
    fn any(&self) -> &dyn Any {
        self
    }
    fn any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// The object as what it is.
///
/// # Panics
/// When it is of another kind: the table hands a row's objects to that row's rules only.
#[must_use]
pub fn cast<K: Type>(object: &dyn Object) -> &K {
    object.any().downcast_ref().expect("a kind's rules see that kind's objects")
}

/// The object as what it is, to change. See [`cast`].
#[must_use]
pub fn cast_mut<K: Type>(object: &mut dyn Object) -> &mut K {
    object.any_mut().downcast_mut().expect("a kind's rules see that kind's objects")
}

/// One column of a kind's table.
pub struct Column<K> {
    /// The heading as upstream writes it, such as `Up-to-date`.
    pub name: &'static str,
    /// `string`, `integer`, `date`, …
    pub kind: &'static str,
    /// `name` for the column that names the object, else empty.
    pub format: &'static str,
    /// What the column means; shown by no client but documented.
    pub description: &'static str,
    /// 0 always shown, 1 shown by `-o wide`.
    pub priority: i32,
    /// The cell of an object at a moment.
    pub cell: fn(&K, Timestamp) -> Value,
}

/// A column without its type parameter: what a Table's `columnDefinitions` say.
#[derive(Clone, Copy, Debug)]
pub struct Heading {
    /// See [`Column`].
    pub name: &'static str,
    /// See [`Column`].
    pub kind: &'static str,
    /// See [`Column`].
    pub format: &'static str,
    /// See [`Column`].
    pub description: &'static str,
    /// See [`Column`].
    pub priority: i32,
}

/// What the API's documentation says of `metadata.name`.
const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a \
                    client to request the generation of an appropriate name automatically. Name is primarily intended for creation \
                    idempotence and configuration definition. Cannot be updated. More info: \
                    https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
/// What it says of `metadata.creationTimestamp`.
const CREATED: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be \
                       set in happens-before order across separate operations. Clients may not set this value. It is represented in \
                       RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: \
                       https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// A string column that is always shown.
#[must_use]
pub const fn column<K>(name: &'static str, cell: fn(&K, Timestamp) -> Value) -> Column<K> {
    Column { name, kind: "string", format: "", description: "", priority: 0, cell }
}

impl<K> Column<K> {
    /// Shown by `-o wide` only.
    #[must_use]
    pub const fn wide(mut self) -> Self {
        self.priority = 1;
        self
    }
    /// Holds whole numbers.
    #[must_use]
    pub const fn integer(mut self) -> Self {
        self.kind = "integer";
        self
    }
    /// Holds yes or no.
    #[must_use]
    pub const fn boolean(mut self) -> Self {
        self.kind = "boolean";
        self
    }
    /// Says what it means.
    #[must_use]
    pub const fn about(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }
}

impl<K: Type> Column<K> {
    /// The column that names the object.
    #[must_use]
    pub const fn name() -> Self {
        Self {
            name: "Name",
            kind: "string",
            format: "name",
            description: NAME,
            priority: 0,
            cell: |object, _| Value::from(object.meta().name.clone().unwrap_or_default()),
        }
    }

    /// The time since the object was created.
    #[must_use]
    pub const fn age() -> Self {
        Self {
            name: "Age",
            kind: "string",
            format: "",
            description: CREATED,
            priority: 0,
            cell: |object, now| Value::from(super::age(object.meta().creation_timestamp.as_ref(), now)),
        }
    }

    /// The moment the object was created: what kinds without columns of their own show.
    #[must_use]
    pub const fn created_at() -> Self {
        Self {
            name: "Created At",
            kind: "date",
            cell: |object, _| object.meta().creation_timestamp.as_ref().map_or(Value::Null, |time| Value::from(time.0.to_string())),
            ..Self::age()
        }
    }
}

/// What is special about a kind. All are pure functions; what most kinds share is the default, see [`Rules::NONE`].
pub struct Rules<K: 'static> {
    /// Reads JSON that [`crate::schema`] has checked. Special only where the type forgets what rules must know.
    pub decode: fn(&str) -> serde_json::Result<K>,
    /// Reads what a write of the status may look at, where that is much less than the whole; the rest is not stored anew.
    pub decode_for_status: Option<fn(&str) -> serde_json::Result<K>>,
    /// Fills in what the user left out, as upstream's defaulting does. Runs on every write, so it must be idempotent.
    pub defaults: fn(&mut K),
    /// Readies a new object: what upstream's strategy does in PrepareForCreate. A status sent by the user is gone by then if
    /// the kind has a status subresource.
    pub on_create: fn(&mut K),
    /// Readies a changed object: what upstream's strategy does in PrepareForUpdate. Status and metadata that the user may not
    /// change are restored by then, `generation` is the registry's.
    pub on_update: fn(&mut K, &K),
    /// Readies a changed status: what upstream's status strategy does in PrepareForUpdate, at a moment: (new, old, now). Of the
    /// old only metadata and status are there: the rest is as in the new.
    pub on_status: fn(&mut K, &K, Timestamp),
    /// What is wrong with a new or changed object, metadata aside.
    pub validate: fn(&K, &mut Errors),
    /// What is wrong with a new object besides, which a change may make of it.
    pub validate_create: fn(&K, &mut Errors),
    /// What is wrong with a change: (new, old).
    pub validate_update: fn(&K, &K, &mut Errors),
    /// What is wrong with a change of the status: (new, old). Of the old only metadata and status are there.
    pub validate_status: fn(&K, &K, &mut Errors),
    /// What the user should know though it is accepted; each becomes a `Warning` header.
    pub warnings: fn(&K) -> Vec<String>,
    /// The columns of its Table.
    pub columns: &'static [Column<K>],
    /// Seconds of grace a deletion gets when the request asks for `Option<i64>`; `None`: the kind is deleted at once.
    pub grace: fn(&K, Option<i64>) -> Option<i64>,
    /// Whether something besides `metadata.finalizers` keeps a deleted object alive.
    pub held: fn(&K) -> bool,
    /// Marks an object whose deletion has begun but is not finished.
    pub on_delete: fn(&mut K),
    /// The fields that are written apart, through a subresource; see [`parts!`].
    pub parts: &'static [Part<K>],
}

/// A field that is written apart, and what exchanges it between two objects.
pub type Part<K> = (&'static str, fn(&mut K, &mut K));

/// The [`Part`]s of those names: `parts![status]`.
macro_rules! parts {
    ($($field:ident),+) => { &[$((stringify!($field), |a, b| std::mem::swap(&mut a.$field, &mut b.$field))),+] };
}
pub(super) use parts;

impl<K: Type> Rules<K> {
    /// A kind about which nothing is special.
    pub const NONE: Self = Self {
        decode: |json| serde_json::from_str(json),
        decode_for_status: None,
        defaults: |_| {},
        on_create: |_| {},
        on_update: |_, _| {},
        on_status: |_, _, _| {},
        validate: |_, _| {},
        validate_create: |_, _| {},
        validate_update: |_, _, _| {},
        validate_status: |_, _, _| {},
        warnings: |_| Vec::new(),
        columns: &[Column::name(), Column::created_at()],
        grace: |_, _| None,
        held: |_| false,
        on_delete: |_| {},
        parts: &[],
    };
}

/// [`Rules`] with the type forgotten, and what the type itself knows.
#[expect(missing_docs, reason = "each is the field of Rules of the same name")]
pub trait Behaviour: Send + Sync {
    /// Decodes JSON that [`crate::schema`] has checked.
    fn decode(&self, json: &[u8]) -> serde_json::Result<Box<dyn Object>>;
    /// Decodes JSON that is stored, for a write of the status.
    fn decode_for_status(&self, json: &[u8]) -> serde_json::Result<Box<dyn Object>>;
    fn defaults(&self, object: &mut dyn Object);
    fn on_create(&self, object: &mut dyn Object);
    fn on_update(&self, new: &mut dyn Object, old: &dyn Object);
    fn on_status(&self, new: &mut dyn Object, old: &dyn Object, now: Timestamp);
    fn validate(&self, object: &dyn Object, errors: &mut Errors);
    fn validate_create(&self, object: &dyn Object, errors: &mut Errors);
    fn validate_update(&self, new: &dyn Object, old: &dyn Object, errors: &mut Errors);
    fn validate_status(&self, new: &dyn Object, old: &dyn Object, errors: &mut Errors);
    fn warnings(&self, object: &dyn Object) -> Vec<String>;
    fn headings(&self) -> Vec<Heading>;
    fn cells(&self, object: &dyn Object, now: Timestamp) -> Vec<Value>;
    fn grace(&self, object: &dyn Object, asked: Option<i64>) -> Option<i64>;
    fn held(&self, object: &dyn Object) -> bool;
    fn on_delete(&self, object: &mut dyn Object);
    /// An object of which nothing is said.
    fn blank(&self) -> Box<dyn Object>;
    /// Whether this field is written apart.
    fn has_part(&self, field: &str) -> bool;
    /// Exchanges a field that is written apart; nothing if it is none.
    fn swap(&self, field: &str, a: &mut dyn Object, b: &mut dyn Object);
    /// The graph of its type.
    fn schema(&self) -> Schema;
    /// The JSON schema of its type, with descriptions, for OpenAPI.
    fn json_schema(&self) -> schemars::Schema;
}

/// JSON as text, checked as a whole, which is cheaper than string by string.
fn text(json: &[u8]) -> serde_json::Result<&str> {
    std::str::from_utf8(json).map_err(serde_json::Error::custom)
}

impl<K: Type> Behaviour for Rules<K> {
    fn decode(&self, json: &[u8]) -> serde_json::Result<Box<dyn Object>> {
        Ok(Box::new((self.decode)(text(json)?)?))
    }
    fn decode_for_status(&self, json: &[u8]) -> serde_json::Result<Box<dyn Object>> {
        Ok(Box::new(self.decode_for_status.unwrap_or(self.decode)(text(json)?)?))
    }
    fn defaults(&self, object: &mut dyn Object) {
        (self.defaults)(cast_mut(object));
    }
    fn on_create(&self, object: &mut dyn Object) {
        (self.on_create)(cast_mut(object));
    }
    fn on_update(&self, new: &mut dyn Object, old: &dyn Object) {
        (self.on_update)(cast_mut(new), cast(old));
    }
    fn on_status(&self, new: &mut dyn Object, old: &dyn Object, now: Timestamp) {
        (self.on_status)(cast_mut(new), cast(old), now);
    }
    fn validate(&self, object: &dyn Object, errors: &mut Errors) {
        (self.validate)(cast(object), errors);
    }
    fn validate_create(&self, object: &dyn Object, errors: &mut Errors) {
        (self.validate_create)(cast(object), errors);
    }
    fn validate_update(&self, new: &dyn Object, old: &dyn Object, errors: &mut Errors) {
        (self.validate_update)(cast(new), cast(old), errors);
    }
    fn validate_status(&self, new: &dyn Object, old: &dyn Object, errors: &mut Errors) {
        (self.validate_status)(cast(new), cast(old), errors);
    }
    fn warnings(&self, object: &dyn Object) -> Vec<String> {
        (self.warnings)(cast(object))
    }
    fn headings(&self) -> Vec<Heading> {
        let heading = |column: &Column<K>| Heading {
            name: column.name,
            kind: column.kind,
            format: column.format,
            description: column.description,
            priority: column.priority,
        };
        self.columns.iter().map(heading).collect()
    }
    fn cells(&self, object: &dyn Object, now: Timestamp) -> Vec<Value> {
        self.columns.iter().map(|column| (column.cell)(cast(object), now)).collect()
    }
    fn grace(&self, object: &dyn Object, asked: Option<i64>) -> Option<i64> {
        (self.grace)(cast(object), asked)
    }
    fn held(&self, object: &dyn Object) -> bool {
        (self.held)(cast(object))
    }
    fn on_delete(&self, object: &mut dyn Object) {
        (self.on_delete)(cast_mut(object));
    }
    fn blank(&self) -> Box<dyn Object> {
        Box::new(K::default())
    }
    fn has_part(&self, field: &str) -> bool {
        self.parts.iter().any(|(name, _)| *name == field)
    }
    fn swap(&self, field: &str, a: &mut dyn Object, b: &mut dyn Object) {
        if let Some((_, swap)) = self.parts.iter().find(|(name, _)| *name == field) {
            swap(cast_mut(a), cast_mut(b));
        }
    }
    fn schema(&self) -> Schema {
        Schema::of::<K>()
    }
    fn json_schema(&self) -> schemars::Schema {
        schemars::generate::SchemaSettings::openapi3().into_generator().into_root_schema_for::<K>()
    }
}
