//! A set of field paths: what `FieldsV1` in `metadata.managedFields` says somebody owns.
//!
//! A trie whose nodes are kept in order, so that union, difference and intersection are merges. It knows nothing of
//! schemas or managers; the text form is upstream's (`f:` field, `k:` list item by key, `v:` list item by value,
//! `i:` list item by position, `.` the node itself).

use std::{cmp::Ordering, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::{Map, Value};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathElement {
    /// A field of an object, or a key of a map.
    Field(Box<str>),
    /// An item of a list, told by the values of its key fields, sorted by name.
    Key(Box<[(Box<str>, Scalar)]>),
    /// An item of a set, told by its value.
    Value(Scalar),
    /// An item of a list, told by its position.
    Index(i64),
}

/// A JSON value with a total order. Those in paths are strings, numbers and booleans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar(pub Value);

/// A set of paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// In order of the elements; no node is empty.
    nodes: Vec<(PathElement, Tree)>,
}

/// What a set holds at and below one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Whether the path itself is in the set.
    pub member: bool,
    /// What is in the set below the path.
    pub children: FieldSet,
}

/// As error messages show it: `.spec`, `[name="c"]`, `[="x"]`, `[3]`.
impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathElement::Field(name) => write!(f, ".{name}"),
            PathElement::Key(keys) => {
                let keys: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={}", value.0)).collect();
                write!(f, "[{}]", keys.join(","))
            }
            PathElement::Value(value) => write!(f, "[={}]", value.0),
            PathElement::Index(at) => write!(f, "[{at}]"),
        }
    }
}

impl PathElement {
    /// The text form: `f:spec`, `k:{"name":"c"}`.
    fn print(&self) -> String {
        match self {
            // By far the most frequent, so without the machinery of `format!`.
            PathElement::Field(name) => ["f:", name].concat(),
            PathElement::Key(keys) => {
                let keys: Map<String, Value> = keys.iter().map(|(k, v)| (String::from(&**k), v.0.clone())).collect();
                format!("k:{}", Value::Object(keys))
            }
            PathElement::Value(value) => format!("v:{}", value.0),
            PathElement::Index(i) => format!("i:{i}"),
        }
    }

    fn parse(text: &str) -> Option<PathElement> {
        let (prefix, rest) = text.split_at_checked(2)?;
        match prefix {
            "f:" => Some(PathElement::Field(rest.into())),
            "k:" => {
                let keys: Map<String, Value> = serde_json::from_str(rest).ok()?;
                Some(PathElement::Key(keys.into_iter().map(|(k, v)| (k.into(), Scalar(v))).collect()))
            }
            "v:" => serde_json::from_str(rest).ok().map(|v| PathElement::Value(Scalar(v))),
            "i:" => rest.parse().ok().map(PathElement::Index),
            _ => None,
        }
    }
}

impl Ord for Scalar {
    fn cmp(&self, other: &Self) -> Ordering {
        fn rank(value: &Value) -> u8 {
            match value {
                Value::Number(_) => 0,
                Value::String(_) => 1,
                Value::Bool(_) => 2,
                Value::Array(_) => 3,
                Value::Object(_) => 4,
                Value::Null => 5,
            }
        }
        match (&self.0, &other.0) {
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0)),
            },
            (a, b) if rank(a) == rank(b) => a.to_string().cmp(&b.to_string()),
            (a, b) => rank(a).cmp(&rank(b)),
        }
    }
}

impl PartialOrd for Scalar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Tree {
    /// The path itself and nothing below.
    pub fn leaf() -> Tree {
        Tree { member: true, children: FieldSet::default() }
    }

    /// Whether neither the path nor anything below is in the set.
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }
}

impl FieldSet {
    /// Whether no path is in the set.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The elements below the root, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&PathElement, &Tree)> {
        self.nodes.iter().map(|(element, node)| (element, node))
    }

    /// What the set holds at and below `element`.
    pub fn get(&self, element: &PathElement) -> Option<&Tree> {
        let at = self.nodes.binary_search_by(|(e, _)| e.cmp(element)).ok()?;
        Some(&self.nodes[at].1)
    }

    /// Whether the path is in the set.
    pub fn contains(&self, path: &[PathElement]) -> bool {
        match path {
            [] => false,
            [last] => self.get(last).is_some_and(|n| n.member),
            [first, rest @ ..] => self.get(first).is_some_and(|n| n.children.contains(rest)),
        }
    }

    /// Every path in the set, in order.
    pub fn paths(&self) -> Vec<Vec<&PathElement>> {
        fn walk<'s>(set: &'s FieldSet, above: &[&'s PathElement], out: &mut Vec<Vec<&'s PathElement>>) {
            for (element, node) in &set.nodes {
                let path = [above, &[element]].concat();
                walk(&node.children, &path, out);
                if node.member {
                    out.push(path);
                }
            }
        }
        let mut out = Vec::new();
        walk(self, &[], &mut out);
        out
    }

    /// Puts `node` in the place of `element`. Cheapest when the elements come in order. Empty nodes are left out.
    pub fn insert(&mut self, element: PathElement, node: Tree) {
        if node.is_empty() {
            return;
        }
        if self.nodes.last().is_none_or(|(last, _)| *last < element) {
            self.nodes.push((element, node));
            return;
        }
        match self.nodes.binary_search_by(|(e, _)| e.cmp(&element)) {
            Ok(at) => self.nodes[at].1 = node,
            Err(at) => self.nodes.insert(at, (element, node)),
        }
    }

    /// The paths in this set, in `other`, or in both.
    pub fn union(self, other: &FieldSet) -> FieldSet {
        if self.is_empty() {
            return other.clone();
        }
        let mut nodes = Vec::with_capacity(self.nodes.len().max(other.nodes.len()));
        let mut theirs = other.nodes.iter().peekable();
        for (element, mut node) in self.nodes {
            while let Some(before) = theirs.next_if(|(e, _)| *e < element) {
                nodes.push(before.clone());
            }
            if let Some((_, same)) = theirs.next_if(|(e, _)| *e == element) {
                node.member |= same.member;
                node.children = node.children.union(&same.children);
            }
            nodes.push((element, node));
        }
        nodes.extend(theirs.cloned());
        FieldSet { nodes }
    }

    /// The paths in this set that are not in `other`. What lies below a path in `other` stays.
    pub fn difference(self, other: &FieldSet) -> FieldSet {
        if other.is_empty() {
            return self;
        }
        self.against(other, |node, theirs| match theirs {
            None => node,
            Some(theirs) => Tree { member: node.member && !theirs.member, children: node.children.difference(&theirs.children) },
        })
    }

    /// The paths in both sets.
    pub fn intersection(self, other: &FieldSet) -> FieldSet {
        self.against(other, |node, theirs| match theirs {
            None => Tree::default(),
            Some(theirs) => Tree { member: node.member && theirs.member, children: node.children.intersection(&theirs.children) },
        })
    }

    /// Rewrites every node, given the node at the same place in `other`; drops those that became empty.
    fn against(self, other: &FieldSet, rewrite: impl Fn(Tree, Option<&Tree>) -> Tree) -> FieldSet {
        let mut theirs = other.nodes.iter().peekable();
        let nodes = self
            .nodes
            .into_iter()
            .filter_map(|(element, node)| {
                while theirs.next_if(|(e, _)| *e < element).is_some() {}
                let same = theirs.next_if(|(e, _)| *e == element).map(|(_, n)| n);
                Some(rewrite(node, same)).filter(|n| !n.is_empty()).map(|node| (element, node))
            })
            .collect();
        FieldSet { nodes }
    }

    /// Whether this set and the one written in `json` (`FieldsV1`) have a path in common. Cheaper than parsing: what this set does
    /// not have is skipped.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn overlaps_json(&self, json: &str) -> serde_json::Result<bool> {
        // Most sets have nothing to do with each other, and then the first steps of the one do not even stand in the other.
        let may = |(element, _): &(PathElement, Tree)| !matches!(element, PathElement::Field(name) if !json.contains(&**name));
        if !self.nodes.iter().any(may) {
            return Ok(false);
        }
        Overlap { member: false, below: self }.deserialize(&mut serde_json::Deserializer::from_str(json))
    }
}

/// `FieldsV1`. Elements of a kind unknown to us are passed over.
impl<'de> Deserialize<'de> for FieldSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Tree::deserialize(deserializer)?.children)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Nodes;
        impl<'de> Visitor<'de> for Nodes {
            type Value = Tree;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a set of fields")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let (mut tree, mut empty) = (Tree::default(), true);
                while let Some(step) = map.next_key()? {
                    empty = false;
                    match step {
                        Step::Below(element) => tree.children.insert(element, map.next_value()?),
                        step => {
                            tree.member |= matches!(step, Step::Itself);
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                tree.member |= empty;
                Ok(tree)
            }
        }
        deserializer.deserialize_map(Nodes)
    }
}

impl Serialize for FieldSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(serializer, false, self)
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(serializer, self.member && !self.children.is_empty(), &self.children)
    }
}

fn write<S: Serializer>(serializer: S, itself: bool, children: &FieldSet) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    if itself {
        map.serialize_entry(".", &Map::new())?;
    }
    for (element, node) in children.iter() {
        map.serialize_entry(&element.print(), node)?;
    }
    map.end()
}

/// A key of `FieldsV1`.
enum Step {
    Itself,
    Below(PathElement),
    Unknown,
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Step;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path element")
            }
            fn visit_str<E>(self, text: &str) -> Result<Step, E> {
                Ok(if text == "." { Step::Itself } else { PathElement::parse(text).map_or(Step::Unknown, Step::Below) })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Looks for a path that is also in a node.
struct Overlap<'a> {
    /// Whether the node itself is in the set.
    member: bool,
    below: &'a FieldSet,
}

impl<'de> DeserializeSeed<'de> for Overlap<'_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Overlap<'_> {
    type Value = bool;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a set of fields")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let (mut found, mut member, mut empty) = (false, false, true);
        while let Some(step) = map.next_key()? {
            empty = false;
            let ours = match &step {
                Step::Below(element) if !found => self.below.get(element),
                _ => None,
            };
            member |= matches!(step, Step::Itself);
            match ours {
                Some(node) => found = map.next_value_seed(Overlap { member: node.member, below: &node.children })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found || self.member && (member || empty))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(json: Value) -> FieldSet {
        serde_json::from_value(json).unwrap()
    }

    fn shown(set: &FieldSet) -> Value {
        serde_json::to_value(set).unwrap()
    }

    fn sample() -> Value {
        json!({
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}, "f:finalizers": {".": {}, "v:\"x/y\"": {}}},
            "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}, "i:3": {}}},
        })
    }

    #[test]
    fn text_form_survives() {
        assert_eq!(shown(&set(sample())), sample());
        assert_eq!(shown(&set(json!({"x:what": {}}))), json!({}));
    }

    #[test]
    fn set_operations() {
        let a = || set(json!({"f:a": {}, "f:b": {".": {}, "f:c": {}, "f:d": {}}}));
        let b = || set(json!({"f:b": {".": {}, "f:c": {}}, "f:e": {}}));
        assert_eq!(shown(&a().union(&b())), json!({"f:a": {}, "f:b": {".": {}, "f:c": {}, "f:d": {}}, "f:e": {}}));
        assert_eq!(shown(&a().difference(&b())), json!({"f:a": {}, "f:b": {"f:d": {}}}));
        assert_eq!(shown(&a().intersection(&b())), json!({"f:b": {".": {}, "f:c": {}}}));
        assert_eq!(a().difference(&a()), FieldSet::default());
        assert_eq!(a().union(&a()), a());
    }

    #[test]
    fn difference_keeps_what_is_below() {
        let a = set(json!({"f:a": {".": {}, "f:b": {}}}));
        assert_eq!(shown(&a.difference(&set(json!({"f:a": {}})))), json!({"f:a": {"f:b": {}}}));
    }

    #[test]
    fn overlap_needs_a_common_path() {
        let a = set(json!({"f:spec": {"f:replicas": {}}}));
        let overlaps = |json: Value| a.overlaps_json(&json.to_string()).unwrap();
        assert!(overlaps(json!({"f:spec": {".": {}, "f:replicas": {}}})));
        assert!(!overlaps(json!({"f:spec": {"f:paused": {}}})));
        assert!(!overlaps(json!({"f:spec": {"f:replicas": {"f:below": {}}}})));
    }

    #[test]
    fn order_of_elements() {
        let key = |port: i64| PathElement::Key(Box::new([("port".into(), Scalar(json!(port)))]));
        assert!(key(80) < key(443));
        assert!(PathElement::Field("z".into()) < key(80));
        let mut set = FieldSet::default();
        for name in ["b", "c", "a", "b"] {
            set.insert(PathElement::Field(name.into()), Tree::leaf());
        }
        assert_eq!(shown(&set), json!({"f:a": {}, "f:b": {}, "f:c": {}}));
        assert!(set.contains(&[PathElement::Field("b".into())]));
    }
}
