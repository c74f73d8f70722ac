//! The part of kubectl's JSONPath dialect that picks values out of an object: fields, indexes, `[*]`, `..field` and filters on
//! one field. What is not supported is an error, never an empty answer.

use serde_json::Value;

use crate::error::{Result, usage};

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    /// From the end if negative.
    Index(i64),
    All,
    /// Every field of that name, however deep.
    Deep(String),
    /// Elements whose value at the path compares so.
    Filter(JsonPath, Comparison, Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
}

impl JsonPath {
    /// Parses `{.status.phase}`; the braces and the first dot may be left out.
    ///
    /// # Errors
    /// Anything this dialect does not have, with the place.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let inner = text.trim();
        let inner =
            inner.strip_prefix('{').map_or(Some(inner), |rest| rest.strip_suffix('}')).ok_or_else(|| wrong(text, "unclosed action"))?;
        let mut rest = inner.trim().strip_prefix('$').unwrap_or_else(|| inner.trim());
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest, steps.is_empty()).ok_or_else(|| wrong(text, &format!("cannot read {rest:?}")))?;
            steps.extend(step);
            rest = after;
        }
        Ok(Self { steps })
    }

    /// The values at the path, in order.
    pub(crate) fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![value];
        for step in &self.steps {
            found = found.into_iter().flat_map(|value| step.apply(value)).collect();
        }
        found
    }
}

impl Step {
    fn apply<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let elements = || value.as_array().into_iter().flatten();
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Index(index) => {
                let at = usize::try_from(*index).ok().or_else(|| elements().count().checked_sub(index.unsigned_abs() as usize));
                at.and_then(|at| value.get(at)).into_iter().collect()
            }
            Self::All => elements().chain(value.as_object().into_iter().flat_map(|map| map.values())).collect(),
            Self::Deep(name) => {
                let mut found = Vec::new();
                deep(value, name, &mut found);
                found
            }
            Self::Filter(path, comparison, wanted) => {
                let holds = |element: &&Value| {
                    let equal = path.find(element).contains(&wanted);
                    equal == (*comparison == Comparison::Equal)
                };
                elements().filter(holds).collect()
            }
        }
    }
}

fn deep<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    found.extend(value.get(name));
    let children = value.as_array().into_iter().flatten().chain(value.as_object().into_iter().flat_map(|map| map.values()));
    children.for_each(|child| deep(child, name, found));
}

/// Reads one step; the step is none for a lone dot, which is the object itself.
fn step(text: &str, first: bool) -> Option<(Option<Step>, &str)> {
    if let Some(rest) = text.strip_prefix("..") {
        let (name, rest) = field(rest)?;
        return Some((Some(Step::Deep(name)), rest));
    }
    if text == "." {
        return Some((None, ""));
    }
    if let Some(rest) = text.strip_prefix(".[").map(|_| &text[1..]).or_else(|| text.starts_with('[').then_some(text)) {
        let end = closing(rest)?;
        return Some((Some(subscript(rest[1..end].trim())?), &rest[end + 1..]));
    }
    let rest = text.strip_prefix('.').or(first.then_some(text))?;
    let (name, rest) = field(rest)?;
    let step = if name == "*" { Step::All } else { Step::Field(name) };
    Some((Some(step), rest))
}

/// A field's name, in which a backslash takes the next character as it is.
fn field(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            '.' | '[' => return (!name.is_empty()).then_some((name, &text[at..])),
            c if c.is_whitespace() || "{}()|,".contains(c) => return None,
            c => name.push(c),
        }
    }
    (!name.is_empty()).then_some((name, ""))
}

/// The place of the bracket that closes the one at the start, quotes respected.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn subscript(text: &str) -> Option<Step> {
    if text == "*" {
        return Some(Step::All);
    }
    if let Some(name) = quoted(text) {
        return Some(Step::Field(name));
    }
    if let Some(condition) = text.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
        let (path, comparison, wanted) = match (condition.split_once("=="), condition.split_once("!=")) {
            (Some((path, wanted)), _) => (path, Comparison::Equal, wanted),
            (None, Some((path, wanted))) => (path, Comparison::NotEqual, wanted),
            (None, None) => return None,
        };
        let path = JsonPath::parse(path.trim().strip_prefix('@')?).ok()?;
        let wanted = wanted.trim();
        let wanted = quoted(wanted).map(Value::from).or_else(|| serde_json::from_str(wanted).ok())?;
        return Some(Step::Filter(path, comparison, wanted));
    }
    text.parse().ok().map(Step::Index)
}

fn quoted(text: &str) -> Option<String> {
    ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote)).map(str::to_owned)
}

fn wrong(text: &str, why: &str) -> crate::error::Error {
    usage(format!("error parsing jsonpath {text}, {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(path: &str) -> Vec<Value> {
        let pod = json!({
            "metadata": {"name": "web", "labels": {"app.kubernetes.io/name": "x"}},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "False"},
            ]},
        });
        JsonPath::parse(path).unwrap().find(&pod).into_iter().cloned().collect()
    }

    #[test]
    fn values_are_picked() {
        for path in ["{.status.phase}", ".status.phase", "status.phase", "{$.status['phase']}"] {
            assert_eq!(found(path), [json!("Running")], "{path}");
        }
        assert_eq!(found("{.status.conditions[0].type}"), [json!("Ready")]);
        assert_eq!(found("{.status.conditions[-1].type}"), [json!("PodScheduled")]);
        assert_eq!(found("{.status.conditions[*].status}"), [json!("True"), json!("False")]);
        assert_eq!(found(r#"{.status.conditions[?(@.type=="Ready")].status}"#), [json!("True")]);
        assert_eq!(found("{.status.conditions[?(@.type!='Ready')].status}"), [json!("False")]);
        assert_eq!(found(r"{.metadata.labels.app\.kubernetes\.io/name}"), [json!("x")]);
        assert_eq!(found("{..status}").len(), 3);
        assert_eq!(found("{.nothing.here}"), Vec::<Value>::new());
        assert_eq!(found("{.}").len(), 1);
    }

    #[test]
    fn what_is_not_supported_is_said() {
        for path in ["{.a", "{range .items[*]}", "{.a[1:2]}", "{.a[?(@.b>1)]}", "{.a[b]}", "{..}"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
