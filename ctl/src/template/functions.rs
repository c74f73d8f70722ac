//! The functions that templates may call: Go's own, and the two that kubectl adds.

use std::{borrow::Cow, cmp::Ordering};

use serde_json::Value;

use super::{
    eval::Val,
    format::{spaced, sprintf},
};
use crate::golang::{base64_decoded, type_name};

/// Name, least and most number of arguments.
const FUNCTIONS: &[(&str, usize, Option<usize>)] = &[
    ("and", 1, None),
    ("or", 1, None),
    ("not", 1, Some(1)),
    ("len", 1, Some(1)),
    ("index", 1, None),
    ("slice", 1, None),
    ("eq", 1, None),
    ("ne", 2, Some(2)),
    ("lt", 2, Some(2)),
    ("le", 2, Some(2)),
    ("gt", 2, Some(2)),
    ("ge", 2, Some(2)),
    ("print", 0, None),
    ("printf", 1, None),
    ("println", 0, None),
    ("html", 0, None),
    ("urlquery", 0, None),
    ("base64decode", 1, Some(1)),
    ("exists", 1, None),
];

/// Whether there is such a function.
pub(super) fn exists(name: &str) -> bool {
    FUNCTIONS.iter().any(|(known, ..)| *known == name)
}

/// What is wrong with a number of arguments, if anything.
pub(super) fn wrong_count(name: &str, count: usize) -> Option<String> {
    let (_, least, most) = FUNCTIONS.iter().find(|(known, ..)| *known == name)?;
    match most {
        Some(most) if count != *most => Some(format!("wrong number of args for {name}: want {most} got {count}")),
        None if count < *least => Some(format!("wrong number of args for {name}: want at least {least} got {count}")),
        _ => None,
    }
}

/// Calls a function whose arguments are as many as it wants. `and` and `or` are the evaluator's work.
pub(super) fn call<'a>(name: &str, arguments: &[Val<'a>]) -> Result<Val<'a>, String> {
    let text = |text: String| Ok(Val::Data(Cow::Owned(text.into())));
    let truth = |truth: bool| Ok(Val::Data(Cow::Owned(truth.into())));
    match name {
        "not" => truth(!arguments[0].is_true()),
        "len" => length(&arguments[0]),
        "index" => index(arguments),
        "slice" => slice(arguments),
        "exists" => truth(index(arguments).is_ok_and(|found| !matches!(found, Val::Nothing))),
        "eq" => truth(equal(arguments)?),
        "ne" => truth(!equal(arguments)?),
        "lt" => truth(order(arguments)? == Ordering::Less),
        "le" => truth(order(arguments)? != Ordering::Greater),
        "gt" => truth(order(arguments)? == Ordering::Greater),
        "ge" => truth(order(arguments)? != Ordering::Less),
        "print" => text(spaced(arguments, false)),
        "println" => text(spaced(arguments, true) + "\n"),
        "printf" => text(sprintf(string(&arguments[0])?, &arguments[1..])),
        "html" => text(html(&spaced(arguments, false))),
        "urlquery" => text(url_query(&spaced(arguments, false))),
        "base64decode" => {
            let decoded = base64_decoded(string(&arguments[0])?)
                .map_err(|at| format!("base64 decode failed: illegal base64 data at input byte {at}"))?;
            text(String::from_utf8_lossy(&decoded).into_owned())
        }
        other => Err(format!("{other} is no function")),
    }
}

fn string<'v>(value: &'v Val<'_>) -> Result<&'v str, String> {
    match value {
        Val::Data(data) => data.as_str().ok_or_else(|| format!("wrong type for value; expected string; got {}", type_name(data))),
        Val::Int(_) => Err("wrong type for value; expected string; got int".into()),
        Val::Nothing => Err("invalid value; expected string".into()),
    }
}

fn length<'a>(value: &Val<'a>) -> Result<Val<'a>, String> {
    let count = match value {
        Val::Nothing => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        Val::Int(_) => return Err("len of type int".into()),
        Val::Data(data) => match &**data {
            Value::String(text) => text.len(),
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            other => return Err(format!("len of type {}", type_name(other))),
        },
    };
    Ok(Val::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// A whole number used as an index.
fn place(value: &Val<'_>, length: usize) -> Result<usize, String> {
    let at = match value {
        Val::Int(at) => *at,
        Val::Data(data) => data.as_i64().ok_or_else(|| format!("cannot index slice/array with type {}", type_name(data)))?,
        Val::Nothing => return Err("cannot index slice/array with nil".into()),
    };
    usize::try_from(at).ok().filter(|at| *at <= length).ok_or_else(|| format!("index out of range: {at}"))
}

fn index<'a>(arguments: &[Val<'a>]) -> Result<Val<'a>, String> {
    let mut value = arguments[0].clone();
    for key in &arguments[1..] {
        let found = match &value {
            Val::Nothing => return Err("index of untyped nil".into()),
            Val::Int(_) => return Err("can't index item of type int".into()),
            Val::Data(data) => match &**data {
                Value::Object(map) => match key {
                    Val::Data(key) => {
                        let key = key.as_str().ok_or_else(|| format!("value has type {}; should be string", type_name(key)))?;
                        map.get(key).cloned()
                    }
                    Val::Int(_) => return Err("value has type int; should be string".into()),
                    Val::Nothing => return Err("value is nil; should be of type string".into()),
                },
                Value::Array(list) => {
                    let at = place(key, list.len())?;
                    Some(list.get(at).cloned().ok_or_else(|| format!("index out of range: {at}"))?)
                }
                Value::String(text) => {
                    let at = place(key, text.len())?;
                    Some((*text.as_bytes().get(at).ok_or_else(|| format!("index out of range: {at}"))?).into())
                }
                other => return Err(format!("can't index item of type {}", type_name(other))),
            },
        };
        value = Val::of(found.map(Cow::Owned));
    }
    Ok(value)
}

fn slice<'a>(arguments: &[Val<'a>]) -> Result<Val<'a>, String> {
    let (value, bounds) = (&arguments[0], &arguments[1..]);
    let length = match value {
        Val::Data(data) if data.is_string() || data.is_array() => match length(value)? {
            Val::Int(length) => usize::try_from(length).unwrap_or(0),
            _ => 0,
        },
        Val::Data(data) => return Err(format!("can't slice item of type {}", type_name(data))),
        Val::Int(_) => return Err("can't slice item of type int".into()),
        Val::Nothing => return Err("slice of untyped nil".into()),
    };
    if bounds.len() > 2 {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    let start = bounds.first().map_or(Ok(0), |bound| place(bound, length))?;
    let end = bounds.get(1).map_or(Ok(length), |bound| place(bound, length))?;
    if start > end {
        return Err(format!("invalid slice index: {start} > {end}"));
    }
    let Val::Data(data) = value else { return Ok(Val::Nothing) };
    let part = match &**data {
        Value::String(text) => String::from_utf8_lossy(&text.as_bytes()[start..end]).into_owned().into(),
        other => Value::Array(other.as_array().map(|list| list[start..end].to_vec()).unwrap_or_default()),
    };
    Ok(Val::Data(Cow::Owned(part)))
}

/// Whether the first is one of the others.
fn equal(arguments: &[Val<'_>]) -> Result<bool, String> {
    let (first, others) = arguments.split_first().ok_or("missing argument for comparison")?;
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        match (first, other) {
            (Val::Nothing, Val::Nothing) => return Ok(true),
            (Val::Nothing, _) | (_, Val::Nothing) => continue,
            _ => {}
        }
        if compare(first, other)? == Ordering::Equal {
            return Ok(true);
        }
    }
    Ok(false)
}

fn order(arguments: &[Val<'_>]) -> Result<Ordering, String> {
    match (&arguments[0], &arguments[1]) {
        (Val::Nothing, _) | (_, Val::Nothing) => Err("invalid type for comparison".into()),
        (Val::Data(data), _) | (_, Val::Data(data)) if data.is_boolean() => Err("invalid type for comparison".into()),
        (first, second) => compare(first, second),
    }
}

fn compare(first: &Val<'_>, second: &Val<'_>) -> Result<Ordering, String> {
    let (first, second) = (first.to_value(), second.to_value());
    let order = match (&first, &second) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) if a.is_f64() == b.is_f64() => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64().partial_cmp(&b.as_f64()),
        },
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => {
            let shown = crate::golang::sprint(&first);
            return Err(format!("non-comparable type {shown}: {}", type_name(&first)));
        }
        _ => None,
    };
    order.ok_or_else(|| "incompatible types for comparison".into())
}

fn html(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn url_query(text: &str) -> String {
    crate::server::escape(text).replace("%20", "+")
}
