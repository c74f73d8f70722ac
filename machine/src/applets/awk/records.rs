//! The record at hand and its fields, each made from the other when it is asked for; and how a text is split.

use std::sync::Arc;

use regex::bytes::Regex;

use super::value::Value;

/// How a text is split into fields.
#[derive(Clone, Debug)]
pub(super) enum Separator {
    /// At blanks, those around it apart.
    Blanks,
    /// At each of this character.
    Char(char),
    /// At each line end and blank: `RS` is empty.
    Pattern(Arc<Regex>),
    /// Each character is one.
    None,
}

impl Separator {
    /// The parts of a text.
    pub(super) fn split(&self, text: &str) -> Vec<Value> {
        if text.is_empty() {
            return Vec::new();
        }
        match self {
            Self::Blanks => text.split([' ', '\t', '\n']).filter(|part| !part.is_empty()).map(Value::read).collect(),
            Self::Char(c) => text.split(*c).map(Value::read).collect(),
            Self::None => text.chars().map(|c| Value::read(c.encode_utf8(&mut [0; 4]))).collect(),
            Self::Pattern(pattern) => {
                let (mut parts, mut from) = (Vec::new(), 0);
                for found in pattern.find_iter(text.as_bytes()).filter(|found| !found.is_empty()) {
                    parts.push(Value::read(text.get(from..found.start()).unwrap_or_default()));
                    from = found.end();
                }
                parts.push(Value::read(text.get(from..).unwrap_or_default()));
                parts
            }
        }
    }
}

/// The record at hand.
#[derive(Debug, Default)]
pub(super) struct Record {
    text: Arc<str>,
    fields: Vec<Value>,
    /// Whether the fields are those of the text.
    is_split: bool,
    /// Whether the text is that of the fields.
    is_joined: bool,
}

impl Record {
    /// Another record.
    pub(super) fn set(&mut self, text: Arc<str>) {
        self.text = text;
        (self.is_split, self.is_joined) = (false, true);
    }

    /// Makes the fields of it, with what separates them.
    pub(super) fn split(&mut self, separator: &Separator) {
        if !self.is_split {
            self.fields = separator.split(&self.text);
            self.is_split = true;
        }
    }

    /// Whether its fields are still to be made.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_split
    }

    /// All of it.
    pub(super) fn whole(&mut self, joint: &str, format: &str) -> Arc<str> {
        if !self.is_joined {
            let texts: Vec<Arc<str>> = self.fields.iter().map(|field| field.to_text(format)).collect();
            self.text = texts.join(joint).into();
            self.is_joined = true;
        }
        self.text.clone()
    }

    /// How many fields it has.
    pub(super) fn count(&self) -> usize {
        self.fields.len()
    }

    /// Gives it so many fields.
    pub(super) fn resize(&mut self, count: usize) {
        self.fields.resize(count, Value::text(""));
        self.is_joined = false;
    }

    /// A field, from 1.
    pub(super) fn field(&self, at: usize) -> Value {
        self.fields.get(at - 1).cloned().unwrap_or_default()
    }

    /// Gives a field a value.
    pub(super) fn set_field(&mut self, at: usize, value: Value) {
        if self.fields.len() < at {
            self.fields.resize(at, Value::text(""));
        }
        self.fields[at - 1] = value;
        self.is_joined = false;
    }
}
