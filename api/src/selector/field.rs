//! Field selectors: `spec.nodeName=n1,status.phase!=Running`.

use std::fmt;

/// Why a text is no field selector. Texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// A term without an operator: the whole text, and the term.
    #[error("invalid selector: '{0}'; can't understand '{1}'")]
    Term(String, String),
    /// A backslash before something that needs none.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// A `,` or `=` in a value that needs a backslash. (Upstream prints its number.)
    #[error("invalid field selector: unescaped character in value: {}", u32::from(*.0))]
    Unescaped(char),
}

/// One comparison of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRequirement {
    /// The field's path, as in `spec.nodeName`.
    pub field: String,
    /// The value it must have.
    pub value: String,
    /// Or must not have.
    pub negated: bool,
}

/// Comparisons that must all hold. The default matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldSelector {
    requirements: Vec<FieldRequirement>,
}

impl FieldSelector {
    /// Reads `field=value`, `field==value` and `field!=value`, separated by commas; `\,` `\=` and `\\` stand for the
    /// characters themselves in values.
    pub fn parse(text: &str) -> Result<Self, FieldSelectorError> {
        let mut terms = split_terms(text);
        // Upstream's order, so that of several errors the same one is told.
        terms.sort_unstable();
        let mut requirements = Vec::new();
        for term in terms.into_iter().filter(|term| !term.is_empty()) {
            let (field, value, negated) = split_term(term).ok_or_else(|| FieldSelectorError::Term(text.to_owned(), term.to_owned()))?;
            requirements.push(FieldRequirement { field: field.to_owned(), value: unescape(value)?, negated });
        }
        Ok(Self { requirements })
    }

    /// What it requires.
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.requirements
    }

    /// Whether it matches everything because it requires nothing.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The value that this field must have, if the selector says so: what an index can be asked for.
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.requirements.iter().find(|one| one.field == field && !one.negated).map(|one| one.value.as_str())
    }

    /// Whether an object whose fields are told by `field` is meant. An absent field is an empty one.
    pub fn matches<'a>(&self, field: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|one| (field(&one.field).unwrap_or_default() == one.value) != one.negated)
    }
}

/// The canonical form, which parses to the same selector.
impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.requirements.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let operator = if one.negated { "!=" } else { "=" };
            write!(f, "{comma}{}{operator}", one.field)?;
            for c in one.value.chars() {
                let slash = if matches!(c, '\\' | ',' | '=') { "\\" } else { "" };
                write!(f, "{slash}{c}")?;
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for FieldSelector {
    type Err = FieldSelectorError;

    fn from_str(text: &str) -> Result<Self, FieldSelectorError> {
        Self::parse(text)
    }
}

/// Splits at the commas that no backslash precedes.
fn split_terms(text: &str) -> Vec<&str> {
    let mut escaped = false;
    text.split(move |c| {
        let splits = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        splits
    })
    .collect()
}

/// Field, value as written, and whether negated; by the first operator in the term.
fn split_term(term: &str) -> Option<(&str, &str, bool)> {
    let at = term.find('=')?;
    let (field, value) = (&term[..at], &term[at + 1..]);
    match field.strip_suffix('!') {
        Some(field) => Some((field, value, true)),
        None => Some((field, value.strip_prefix('=').unwrap_or(value), false)),
    }
}

fn unescape(value: &str) -> Result<String, FieldSelectorError> {
    let mut plain = String::with_capacity(value.len());
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(c @ ('\\' | ',' | '=')) => plain.push(c),
                Some(c) => return Err(FieldSelectorError::Escape(format!("\\{c}"))),
                None => return Err(FieldSelectorError::Escape("\\".to_owned())),
            },
            ',' | '=' => return Err(FieldSelectorError::Unescaped(c)),
            c => plain.push(c),
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> FieldSelector {
        FieldSelector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn canonical_form() {
        for (text, want) in [
            ("", ""),
            (",,", ""),
            ("b=2,a==1", "a=1,b=2"),
            ("a!=1", "a!=1"),
            ("a=", "a="),
            (r"a=x\,y\=z\\", r"a=x\,y\=z\\"),
            (r"a=\\,b=1", r"a=\\,b=1"),
            ("=v", "=v"),
        ] {
            assert_eq!(parse(text).to_string(), want, "{text}");
        }
    }

    #[test]
    fn matching() {
        let field = |name: &str| (name == "a").then_some("1");
        for (text, want) in [("", true), ("a=1", true), ("a==2", false), ("a!=1", false), ("a!=2", true), ("b=", true), ("b!=", false)] {
            assert_eq!(parse(text).matches(field), want, "{text}");
        }
        assert_eq!(parse("a=1,b!=2").exact("a"), Some("1"));
        assert_eq!(parse("a=1,b!=2").exact("b"), None);
    }

    #[test]
    fn errors_are_worded_as_upstream() {
        for (text, want) in [
            ("abc", "invalid selector: 'abc'; can't understand 'abc'"),
            ("z=1,abc", "invalid selector: 'z=1,abc'; can't understand 'abc'"),
            (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
            (r"a=x\", r"invalid field selector: invalid escape sequence: \"),
            ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        ] {
            assert_eq!(FieldSelector::parse(text).unwrap_err().to_string(), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn display_reads_back(value in "[a-c=,\\\\!é]{0,8}", negated: bool) {
            let requirements = vec![FieldRequirement { field: "metadata.name".into(), value, negated }];
            let selector = FieldSelector { requirements };
            prop_assert_eq!(FieldSelector::parse(&selector.to_string()), Ok(selector));
        }
    }
}
