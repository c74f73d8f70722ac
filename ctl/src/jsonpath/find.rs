//! What the nodes of a template find in an object.

use std::{borrow::Cow, cmp::Ordering};

use serde_json::Value;

use super::{Array, Bound, Node};
use crate::golang::{sprint, type_name};

type Values<'a> = Vec<Cow<'a, Value>>;

/// The values at each node, ranges run through.
pub(super) fn results<'a>(nodes: &[Node], lenient: bool, value: &'a Value) -> Result<Vec<Values<'a>>, String> {
    Walk { nodes, lenient, begun: 0, inside: 0, ended: 0, last_end: None }.results(0, Cow::Borrowed(value))
}

/// One walk through a template, which remembers the ranges it is in.
struct Walk<'n> {
    nodes: &'n [Node],
    lenient: bool,
    /// Ranges whose loop has still to begin.
    begun: usize,
    inside: usize,
    /// Ends that have been met, but whose loop has not heard of it.
    ended: usize,
    last_end: Option<usize>,
}

impl<'n> Walk<'n> {
    fn results<'a>(&mut self, from: usize, value: Cow<'a, Value>) -> Result<Vec<Values<'a>>, String> {
        let mut all = Vec::new();
        let mut at = from;
        while at < self.nodes.len() {
            let found = self.node(vec![value.clone()], &self.nodes[at])?;
            if self.ended > 0 && self.ended <= self.inside {
                self.ended -= 1;
                self.last_end = Some(at);
                break;
            }
            if self.begun > 0 {
                self.begun -= 1;
                self.inside += 1;
                if found.is_empty() {
                    // What is in the loop is passed, so that its end is found.
                    self.results(at + 1, Cow::Owned(Value::Null))?;
                }
                for value in found {
                    all.extend(self.results(at + 1, value)?);
                }
                self.inside -= 1;
                if let Some(end) = self.last_end.filter(|end| *end > at) {
                    at = end;
                }
            } else {
                all.push(found);
            }
            at += 1;
        }
        Ok(all)
    }

    fn list<'a>(&mut self, input: Values<'a>, nodes: &[Node]) -> Result<Values<'a>, String> {
        nodes.iter().try_fold(input, |values, node| self.node(values, node))
    }

    fn node<'a>(&mut self, input: Values<'a>, node: &Node) -> Result<Values<'a>, String> {
        let each = |value: Value| Ok(input.iter().map(|_| Cow::Owned(value.clone())).collect());
        match node {
            Node::Text(text) => Ok(vec![Cow::Owned(text.as_str().into())]),
            Node::Int(int) => each((*int).into()),
            Node::Float(float) => each((*float).into()),
            Node::Bool(value) => each((*value).into()),
            Node::Field(name) => self.field(input, name),
            Node::Array(array) => part(input, *array),
            Node::Filter(left, operator, right) => self.filter(&input, left, operator, right),
            Node::Wildcard => Ok(input.into_iter().flat_map(children).collect()),
            Node::Recursive => Ok(descend(input)),
            Node::Union(lists) => {
                let mut all = Vec::new();
                for nodes in lists {
                    all.extend(self.list(input.clone(), nodes)?);
                }
                Ok(all)
            }
            Node::Word(word) => self.word(input, word),
            Node::List(nodes) => self.list(input, nodes),
        }
    }

    fn word<'a>(&mut self, input: Values<'a>, word: &str) -> Result<Values<'a>, String> {
        match word {
            "range" => {
                self.begun += 1;
                Ok(input)
            }
            "end" if self.inside > 0 => {
                self.ended += 1;
                Ok(Vec::new())
            }
            "end" => Err("not in range, nothing to end".into()),
            other => Err(format!("unrecognized identifier {other}")),
        }
    }

    fn field<'a>(&self, input: Values<'a>, name: &str) -> Result<Values<'a>, String> {
        let nothing_asked = input.is_empty();
        let found: Values<'a> = input
            .into_iter()
            .filter_map(|value| match value {
                Cow::Borrowed(Value::Object(map)) => map.get(name).map(Cow::Borrowed),
                Cow::Owned(Value::Object(mut map)) => map.remove(name).map(Cow::Owned),
                _ => None,
            })
            .collect();
        if found.is_empty() && !nothing_asked && !self.lenient {
            return Err(format!("{name} is not found"));
        }
        Ok(found)
    }

    fn filter<'a>(&mut self, input: &[Cow<'a, Value>], left: &[Node], operator: &str, right: &[Node]) -> Result<Values<'a>, String> {
        let mut passed = Vec::new();
        for value in input {
            if !value.is_array() {
                return Err(format!("{} is not array or slice and cannot be filtered", sprint(value)));
            }
            for element in children(value.clone()) {
                let one = vec![element.clone()];
                let found = self.list(one.clone(), left);
                if operator == "exists" {
                    if found.is_ok_and(|found| !found.is_empty()) {
                        passed.push(element);
                    }
                    continue;
                }
                let found = found?;
                let Some(left) = single(&found)? else { continue };
                let found = self.list(one, right)?;
                let Some(right) = single(&found)? else { continue };
                if holds(left, operator, right)? {
                    passed.push(element);
                }
            }
        }
        Ok(passed)
    }
}

fn single<'v>(values: &'v [Cow<'_, Value>]) -> Result<Option<&'v Value>, String> {
    match values {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err("can only compare one element at a time".into()),
    }
}

/// The part of every list that the brackets ask for.
fn part(input: Values<'_>, array: Array) -> Result<Values<'_>, String> {
    let mut all = Vec::new();
    for value in input {
        if value.is_null() {
            continue;
        }
        if !value.is_array() {
            return Err(format!("{} is not array or slice", type_name(&value)));
        }
        let elements = children(value);
        let length = i64::try_from(elements.len()).unwrap_or(i64::MAX);
        let from_end = |at: i64| if at < 0 { at + length } else { at };
        let start = from_end(array.start.unwrap_or(0));
        let end = match array.end {
            Bound::At(end) => from_end(end),
            Bound::Last => length,
            // The element after the last but one from the end is counted from the end, too.
            Bound::Next => match array.start.unwrap_or(0) + 1 {
                end if end <= 0 => end + length,
                end => end,
            },
        };
        if start == end {
            return Ok(all);
        }
        if !(0..length).contains(&start) {
            return Err(format!("array index out of bounds: index {start}, length {length}"));
        }
        if !(0..=length).contains(&end) {
            return Err(format!("array index out of bounds: index {}, length {length}", end - 1));
        }
        if start > end {
            return Err(format!("starting index {start} is greater than ending index {end}"));
        }
        let step = match array.step.unwrap_or(1) {
            step if step > 0 => usize::try_from(step).unwrap_or(usize::MAX),
            _ => return Err("step must be > 0".into()),
        };
        let count = usize::try_from(end - start).unwrap_or(0);
        all.extend(elements.into_iter().skip(usize::try_from(start).unwrap_or(0)).take(count).step_by(step));
    }
    Ok(all)
}

/// The values in a map or list; those of a text are its bytes.
fn children(value: Cow<'_, Value>) -> Values<'_> {
    match value {
        Cow::Borrowed(Value::Array(list)) => list.iter().map(Cow::Borrowed).collect(),
        Cow::Borrowed(Value::Object(map)) => map.values().map(Cow::Borrowed).collect(),
        Cow::Owned(Value::Array(list)) => list.into_iter().map(Cow::Owned).collect(),
        Cow::Owned(Value::Object(map)) => map.into_iter().map(|(_, value)| Cow::Owned(value)).collect(),
        Cow::Borrowed(Value::String(text)) => text.bytes().map(|byte| Cow::Owned(byte.into())).collect(),
        _ => Vec::new(),
    }
}

/// Everything that has something in it, outermost first.
fn descend(input: Values<'_>) -> Values<'_> {
    let mut all = Vec::new();
    for value in input {
        let inner = children(value.clone());
        if !inner.is_empty() {
            all.push(value);
            all.extend(descend(inner));
        }
    }
    all
}

/// Compares as templates do: only what is of one type.
fn holds(left: &Value, operator: &str, right: &Value) -> Result<bool, String> {
    let incompatible = || "incompatible types for comparison".to_owned();
    let ordering = match (left, right) {
        (Value::String(left), Value::String(right)) => left.partial_cmp(right),
        (Value::Number(a), Value::Number(b)) if a.is_f64() == b.is_f64() => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => a.as_f64().partial_cmp(&b.as_f64()),
        },
        (Value::Bool(left), Value::Bool(right)) => match operator {
            "==" | "!=" => left.partial_cmp(right),
            _ => return Err("invalid type for comparison".into()),
        },
        (Value::Array(_) | Value::Object(_) | Value::Null, _) | (_, Value::Array(_) | Value::Object(_) | Value::Null) => {
            return Err("invalid type for comparison".into());
        }
        _ => return Err(incompatible()),
    };
    let ordering = ordering.ok_or_else(incompatible)?;
    Ok(match operator {
        "==" => ordering == Ordering::Equal,
        "!=" => ordering != Ordering::Equal,
        "<" => ordering == Ordering::Less,
        "<=" => ordering != Ordering::Greater,
        ">" => ordering == Ordering::Greater,
        ">=" => ordering != Ordering::Less,
        other => return Err(format!("unrecognized filter operator {other}")),
    })
}
