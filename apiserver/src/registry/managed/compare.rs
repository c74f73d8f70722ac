//! Which fields differ between two versions of an object, as field ownership sees it.
//!
//! Lists with keys are compared item by item, atomic values as a whole. A field that Go writes even when it was not
//! given counts as present whenever its parent is: that is why the owner of a new Deployment owns
//! `f:strategy.f:type` but not `f:strategy`.

use std::iter::Peekable;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::super::fieldset::{FieldSet, PathElement, Scalar, Tree};
use crate::schema::{Field, ListKind, ListType, Schema, Struct, Zero};

/// The paths on which two objects differ.
#[derive(Debug, Default, PartialEq)]
pub struct Comparison {
    /// Added or modified.
    pub changed: FieldSet,
    /// Gone.
    pub removed: FieldSet,
}

/// Compares two versions of an object. A creation is a change of the empty object.
pub fn compare(schema: &Schema, old: Option<&Value>, new: &Value) -> Comparison {
    let pair = diff(schema, schema.is_atomic(), Some(old.unwrap_or(&ZEROS.object)), Some(new));
    Comparison { changed: pair.changed.children, removed: pair.removed.children }
}

/// What differs at and below one path.
#[derive(Default)]
struct Pair {
    changed: Tree,
    removed: Tree,
}

/// The zero values that Go writes unasked.
struct Zeros {
    object: Value,
    string: Value,
    number: Value,
    boolean: Value,
    quantity: Value,
    null: Value,
}

static ZEROS: LazyLock<Zeros> = LazyLock::new(|| Zeros {
    object: Value::Object(Map::new()),
    string: Value::String(String::new()),
    number: Value::from(0),
    boolean: Value::Bool(false),
    quantity: Value::String("0".to_owned()),
    null: Value::Null,
});

fn diff(schema: &Schema, atomic: bool, old: Option<&Value>, new: Option<&Value>) -> Pair {
    if atomic {
        return leaf(old, new);
    }
    let mut pair = match schema {
        Schema::Struct(of) => match objects(old, new) {
            Some((old, new)) => diff_objects(old, new, |key| Child::of_struct(of, key)),
            None => return leaf(old, new),
        },
        Schema::Map(of) => match objects(old, new) {
            Some((old, new)) => diff_objects(old, new, |_| Child { schema: &of.elem, field: None }),
            None => return leaf(old, new),
        },
        Schema::List(of) if is_empty(old) && is_empty(new) => {
            debug_assert_ne!(of.kind, ListKind::Atomic);
            return leaf(old, new);
        }
        Schema::List(of) => diff_lists(of, items(old), items(new)),
        _ => return leaf(old, new),
    };
    pair.changed.member = old.is_none();
    pair.removed.member = new.is_none();
    pair
}

fn leaf(old: Option<&Value>, new: Option<&Value>) -> Pair {
    let member = |member| Tree { member, ..Tree::default() };
    Pair { changed: member(new.is_some() && old != new), removed: member(new.is_none() && old.is_some()) }
}

/// How to look at one key of an object.
struct Child<'s> {
    schema: &'s Schema,
    field: Option<&'s Field>,
}

impl<'s> Child<'s> {
    fn of_struct(of: &'s Struct, key: &str) -> Child<'s> {
        let field = of.field(key);
        Child { schema: field.map_or(&Schema::Any, |f| &f.schema), field }
    }

    fn is_atomic(&self) -> bool {
        self.field.map_or_else(|| self.schema.is_atomic(), |f| f.atomic)
    }

    /// The value of a field that the object does not mention.
    fn implied(&self) -> Option<&'static Value> {
        let field = self.field?;
        match field.zero {
            Zero::Always => Some(match field.schema {
                Schema::Struct(_) => &ZEROS.object,
                Schema::String | Schema::Bytes => &ZEROS.string,
                Schema::Integer(_) | Schema::Number | Schema::IntOrString => &ZEROS.number,
                Schema::Boolean => &ZEROS.boolean,
                Schema::Quantity => &ZEROS.quantity,
                _ => &ZEROS.null,
            }),
            _ => field.required.then_some(&ZEROS.null),
        }
    }
}

type Objects<'v> = (Option<&'v Map<String, Value>>, Option<&'v Map<String, Value>>);

/// Both sides as objects, unless there is nothing in either.
fn objects<'v>(old: Option<&'v Value>, new: Option<&'v Value>) -> Option<Objects<'v>> {
    let object = |v: Option<&'v Value>| v.and_then(Value::as_object);
    (!is_empty(old) || !is_empty(new)).then(|| (object(old), object(new)))
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Object(o)) => o.is_empty(),
        Some(Value::Array(a)) => a.is_empty(),
        _ => true,
    }
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn diff_objects<'s>(old: Option<&Map<String, Value>>, new: Option<&Map<String, Value>>, child: impl Fn(&str) -> Child<'s>) -> Pair {
    let mut pair = Pair::default();
    let mut olds = old.into_iter().flatten().peekable();
    let mut news = new.into_iter().flatten().peekable();
    while let Some((key, a, b)) = next_key(&mut olds, &mut news) {
        let child = child(key);
        // A side that is there but silent about the key says what Go would say.
        let a = a.or_else(|| old.and_then(|_| child.implied()));
        let b = b.or_else(|| new.and_then(|_| child.implied()));
        if let (Some(a), Some(b)) = (a, b)
            && a == b
        {
            continue;
        }
        let below = diff(child.schema, child.is_atomic(), a, b);
        if !below.changed.is_empty() {
            pair.changed.children.insert(PathElement::Field(key.as_str().into()), below.changed);
        }
        if !below.removed.is_empty() {
            pair.removed.children.insert(PathElement::Field(key.as_str().into()), below.removed);
        }
    }
    pair
}

type Entry<'v> = (&'v String, &'v Value);

/// The next key in order of either side, with the values it has.
fn next_key<'v>(
    olds: &mut Peekable<impl Iterator<Item = Entry<'v>>>,
    news: &mut Peekable<impl Iterator<Item = Entry<'v>>>,
) -> Option<(&'v String, Option<&'v Value>, Option<&'v Value>)> {
    let key = match (olds.peek(), news.peek()) {
        (Some((a, _)), Some((b, _))) => std::cmp::min(*a, *b),
        (Some((key, _)), None) | (None, Some((key, _))) => key,
        (None, None) => return None,
    };
    let old = olds.next_if(|(k, _)| *k == key).map(|(_, v)| v);
    let new = news.next_if(|(k, _)| *k == key).map(|(_, v)| v);
    Some((key, old, new))
}

fn diff_lists(of: &ListType, old: &[Value], new: &[Value]) -> Pair {
    let mut olds = keyed(of, old).into_iter().peekable();
    let mut news = keyed(of, new).into_iter().peekable();
    let mut pair = Pair::default();
    loop {
        let key = match (olds.peek(), news.peek()) {
            (Some((a, _)), Some((b, _))) => std::cmp::min(a, b),
            (Some((key, _)), None) | (None, Some((key, _))) => key,
            (None, None) => return pair,
        }
        .clone();
        let old: Vec<&Value> = std::iter::from_fn(|| olds.next_if(|(k, _)| *k == key)).map(|(_, v)| v).collect();
        let new: Vec<&Value> = std::iter::from_fn(|| news.next_if(|(k, _)| *k == key)).map(|(_, v)| v).collect();
        let below = match (old.as_slice(), new.as_slice()) {
            ([] | [_], [] | [_]) => diff(&of.elem, of.elem.is_atomic(), old.first().copied(), new.first().copied()),
            // Items that share a key cannot be told apart: all or nothing.
            (old, new) => Pair {
                changed: Tree { member: !new.is_empty() && old != new, ..Tree::default() },
                removed: Tree { member: new.is_empty(), ..Tree::default() },
            },
        };
        pair.removed.children.insert(key.clone(), below.removed);
        pair.changed.children.insert(key, below.changed);
    }
}

/// The items with what tells them apart, in order of that.
fn keyed<'v>(of: &ListType, items: &'v [Value]) -> Vec<(PathElement, &'v Value)> {
    let mut keyed: Vec<_> = items.iter().map(|item| (element(of, item), item)).collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    keyed
}

/// The key fields that may be left out, with what they mean then: upstream's types have these defaults in their schema.
static KEY_DEFAULTS: LazyLock<[(&str, Value); 1]> = LazyLock::new(|| [("protocol", Value::String("TCP".to_owned()))]);

/// What tells an item of a list apart from the others.
pub fn element(of: &ListType, item: &Value) -> PathElement {
    match &of.kind {
        ListKind::Map(keys) => {
            let default = |key: &str| KEY_DEFAULTS.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
            let value = |key: &str| item.get(key).or_else(|| default(key)).cloned();
            let mut found: Vec<(Box<str>, Scalar)> = keys.iter().filter_map(|key| Some((key.clone(), Scalar(value(key)?)))).collect();
            found.sort();
            PathElement::Key(found.into())
        }
        ListKind::Set | ListKind::Atomic => PathElement::Value(Scalar(item.clone())),
    }
}
