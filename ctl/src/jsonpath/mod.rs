//! kubectl's JSONPath templates: text, and in braces what is to be picked out of an object. Names no field and no kind.
//! Source: client-go's `util/jsonpath`, whose results, complaints and quirks these are.

mod find;
mod parse;

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    error::{Error, Result, usage},
    golang::{float_text, json, quote, sharp},
    output::json_text,
};

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath {
    text: String,
    nodes: Vec<Node>,
    /// Whether a field that is not there is an error.
    strict: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Text(String),
    Field(String),
    Array(Array),
    /// Elements whose left side compares so with the right side.
    Filter(Vec<Node>, String, Vec<Node>),
    Int(i64),
    Float(f64),
    Bool(bool),
    Wildcard,
    Recursive,
    Union(Vec<Vec<Node>>),
    /// `range`, `end`, or a mistake.
    Word(String),
    /// One action in braces.
    List(Vec<Node>),
}

/// What may be in brackets: a part of a list, from the end where negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Array {
    start: Option<i64>,
    end: Bound,
    step: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// One element only.
    Next,
    At(i64),
    Last,
}

impl JsonPath {
    /// Parses a template.
    ///
    /// # Errors
    /// What is no template.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let nodes = parse::template(text).map_err(|why| usage(format!("error parsing jsonpath {text}, {why}\n")))?;
        Ok(Self { text: text.to_owned(), nodes, strict: false })
    }

    /// Parses a template, in which fields have to be there if `strict`.
    ///
    /// # Errors
    /// What is no template.
    pub(crate) fn parse_strict(text: &str, strict: bool) -> Result<Self> {
        Ok(Self { strict, ..Self::parse(text)? })
    }

    /// Parses one path, whose braces and first dot may be left out.
    ///
    /// # Errors
    /// What is no path.
    pub(crate) fn parse_relaxed(text: &str) -> Result<Self> {
        let inner = text.strip_prefix('{').map_or(Some(text), |rest| rest.strip_suffix('}'));
        let inner = inner.map(|inner| inner.strip_prefix('.').unwrap_or(inner)).filter(|inner| !inner.contains(['{', '}']));
        match inner {
            _ if text.is_empty() => Self::parse(text),
            Some(inner) if !inner.is_empty() => Self::parse(&format!("{{.{inner}}}")),
            _ => Err(usage("unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'")),
        }
    }

    /// The template with the braces it was parsed with.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The values at each of the template's parts, in order.
    ///
    /// # Errors
    /// Paths that do not fit the object, in kubectl's words, without a prefix.
    pub(crate) fn results<'a>(&self, value: &'a Value) -> Result<Vec<Vec<Cow<'a, Value>>>, String> {
        find::results(&self.nodes, !self.strict, value)
    }

    /// The values at the first part, in order; none where it does not fit.
    pub(crate) fn find<'a>(&self, value: &'a Value) -> Vec<Cow<'a, Value>> {
        self.results(value).ok().and_then(|results| results.into_iter().next()).unwrap_or_default()
    }

    /// What the template makes of an object.
    ///
    /// # Errors
    /// Paths that do not fit the object.
    pub(crate) fn render(&self, value: &Value) -> Result<String> {
        let mut text = String::new();
        for values in self.results(value).map_err(|why| self.complaint(&why, value))? {
            let values: Vec<String> = values.iter().map(|value| plain(value)).collect();
            text.push_str(&values.join(" "));
        }
        Ok(text)
    }

    /// The values of each part as a JSON list.
    ///
    /// # Errors
    /// Paths that do not fit the object.
    pub(crate) fn render_json(&self, value: &Value) -> Result<String> {
        let mut text = String::new();
        for values in self.results(value).map_err(|why| self.complaint(&why, value))? {
            text.push_str(&json_text(&Value::Array(values.into_iter().map(Cow::into_owned).collect()))?);
        }
        Ok(text)
    }

    fn complaint(&self, why: &str, value: &Value) -> Error {
        usage(format!(
            "error executing jsonpath {}: Error executing template: {why}. Printing more information for debugging the template:\n\
             \ttemplate was:\n\t\t{}\n\tobject given to jsonpath engine was:\n\t\t{}\n\n\n",
            quote(&self.text),
            self.text,
            sharp(value)
        ))
    }
}

/// A value as templates print it: what is no scalar as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => float_text(number.as_f64().unwrap_or_default()),
        other => json(other),
    }
}

#[cfg(test)]
mod tests;
