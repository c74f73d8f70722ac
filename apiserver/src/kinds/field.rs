//! Field errors: what is wrong with an object, where, in upstream's words.

use std::fmt::{self, Display, Write as _};

use serde::Serialize;

/// Where in an object: a list of steps that lives on the stack, so that a valid object costs no allocation.
///
/// Prints as Kubernetes does: `spec.containers[0].resources.limits[cpu]`.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Child(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    /// A path of one field of the object.
    #[must_use]
    pub const fn new(field: &'a str) -> Self {
        Self { parent: None, step: Step::Child(field) }
    }

    /// The field `name` of what is here.
    #[must_use]
    pub const fn child(&'a self, name: &'a str) -> Self {
        Path { parent: Some(self), step: Step::Child(name) }
    }

    /// The element `index` of the list here.
    #[must_use]
    pub const fn index(&'a self, index: usize) -> Self {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    /// The entry `key` of the map here.
    #[must_use]
    pub const fn key(&'a self, key: &'a str) -> Self {
        Path { parent: Some(self), step: Step::Key(key) }
    }
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Child(name) if self.parent.is_some() => write!(f, ".{name}"),
            Step::Child(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
        }
    }
}

/// One cause of an invalid object: upstream's reason, the field, and the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Such as `FieldValueInvalid`.
    pub reason: &'static str,
    /// Such as `spec.replicas`.
    pub field: String,
    /// Such as `Invalid value: -1: must be greater than or equal to 0`.
    pub message: String,
}

/// All that is wrong with an object, in the order it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors(Vec<Cause>);

impl Errors {
    /// Nothing is wrong yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong.
    #[must_use]
    pub fn causes(&self) -> &[Cause] {
        &self.0
    }

    fn push(&mut self, reason: &'static str, path: &Path<'_>, message: String) {
        self.0.push(Cause { reason, field: path.to_string(), message });
    }

    /// A value must be there: `Required value`, followed by `detail` if it is not empty.
    pub fn required(&mut self, path: &Path<'_>, detail: &str) {
        self.push("FieldValueRequired", path, with_detail("Required value".to_owned(), detail));
    }

    /// A value is not acceptable: `Invalid value: "x": detail`. The value prints as JSON.
    pub fn invalid(&mut self, path: &Path<'_>, value: impl Serialize, detail: &str) {
        self.push("FieldValueInvalid", path, with_detail(format!("Invalid value: {}", json(value)), detail));
    }

    /// Something is not acceptable as a whole, and too much to be shown: `Invalid value: detail`.
    pub fn invalid_as_a_whole(&mut self, path: &Path<'_>, detail: &str) {
        self.push("FieldValueInvalid", path, format!("Invalid value: {detail}"));
    }

    /// One [`Errors::invalid`] for each of `details`, which is what the validators of `mini_api::name` return.
    pub fn invalid_all(&mut self, path: &Path<'_>, value: &str, details: Vec<String>) {
        for detail in details {
            self.invalid(path, value, &detail);
        }
    }

    /// A value is none of those known: `Unsupported value: "x": supported values: "a", "b"`.
    pub fn unsupported(&mut self, path: &Path<'_>, value: impl Serialize, supported: &[&str]) {
        let mut message = format!("Unsupported value: {}: supported values: ", json(value));
        for (index, one) in supported.iter().enumerate() {
            let _ = write!(message, "{}{one:?}", if index == 0 { "" } else { ", " });
        }
        self.push("FieldValueNotSupported", path, message);
    }

    /// A value that must be unique is there twice: `Duplicate value: "x"`.
    pub fn duplicate(&mut self, path: &Path<'_>, value: impl Serialize) {
        self.push("FieldValueDuplicate", path, format!("Duplicate value: {}", json(value)));
    }

    /// A value may not be given here: `Forbidden: detail`.
    pub fn forbidden(&mut self, path: &Path<'_>, detail: &str) {
        self.push("FieldValueForbidden", path, with_detail("Forbidden".to_owned(), detail));
    }

    /// A value refers to what is not there: `Not found: "x"`.
    pub fn not_found(&mut self, path: &Path<'_>, value: impl Serialize) {
        self.push("FieldValueNotFound", path, format!("Not found: {}", json(value)));
    }

    /// A value has more than `max` bytes.
    pub fn too_long(&mut self, path: &Path<'_>, max: usize) {
        self.push("FieldValueTooLong", path, format!("Too long: may not be more than {max} bytes"));
    }

    /// A list has `actual` items, more than `max`.
    pub fn too_many(&mut self, path: &Path<'_>, actual: usize, max: usize) {
        self.push("FieldValueTooMany", path, format!("Too many: {actual}: must have at most {max} items"));
    }

    /// Adds a detail to what was found last.
    pub fn explain(&mut self, detail: &str) {
        if let Some(last) = self.0.last_mut() {
            last.message = with_detail(std::mem::take(&mut last.message), detail);
        }
    }

    /// Takes over what another check found.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// `spec.a: Required value`, or `[spec.a: …, spec.b: …]` where there are several; the same text only once.
impl Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts: Vec<String> = Vec::with_capacity(self.0.len());
        for cause in &self.0 {
            let text = format!("{}: {}", cause.field, cause.message);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        match texts.as_slice() {
            [one] => f.write_str(one),
            many => write!(f, "[{}]", many.join(", ")),
        }
    }
}

fn with_detail(mut message: String, detail: &str) -> String {
    if !detail.is_empty() {
        message.push_str(": ");
        message.push_str(detail);
    }
    message
}

fn json(value: impl Serialize) -> String {
    // Straight to text: a tree would forget the order of fields.
    serde_json::to_string(&value).unwrap_or_else(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_print_as_kubernetes_prints_them() {
        let spec = Path::new("spec");
        let containers = spec.child("containers");
        let container = containers.index(1);
        assert_eq!(container.child("resources").child("limits").key("cpu").to_string(), "spec.containers[1].resources.limits[cpu]");
    }

    #[test]
    fn errors_join_and_do_not_repeat() {
        let mut errors = Errors::new();
        let path = Path::new("spec");
        errors.required(&path.child("a"), "");
        assert_eq!(errors.to_string(), "spec.a: Required value");
        errors.invalid(&path.child("b"), -1, "must be greater than or equal to 0");
        errors.invalid(&path.child("b"), -1, "must be greater than or equal to 0");
        assert_eq!(errors.to_string(), "[spec.a: Required value, spec.b: Invalid value: -1: must be greater than or equal to 0]");
        assert_eq!(errors.causes().len(), 3);
    }
}
