//! Label selectors: what they mean. How they are read is in `parse`.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::name;

/// Why something is no label selector. Texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// A word stands where another was expected.
    #[error("found '{found}', expected: {expected}")]
    Unexpected {
        /// The word; empty at the end of the text.
        found: String,
        /// What could have stood there.
        expected: &'static str,
    },
    /// A set operator without its set. (No comma: upstream's.)
    #[error("found '{0}' expected: '('")]
    NoSet(String),
    /// One of the requirements cannot be read.
    #[error("unable to parse requirement: {0}")]
    Requirement(#[source] Box<SelectorError>),
    /// A key, value or number of values the operator does not allow: field path, value as Go prints it, reason.
    #[error("{path}: Invalid value: {value}: {reason}")]
    Invalid {
        /// Where: `values[0][key]`.
        path: String,
        /// What, quoted.
        value: String,
        /// Why not.
        reason: String,
    },
    /// Several of the above.
    #[error("[{}]", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Several(Vec<SelectorError>),
    /// An operator of `matchExpressions` that does not exist.
    #[error("{0:?} is not a valid label selector operator")]
    Operator(String),
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `key in (a,b)`: there, and one of these.
    In,
    /// `key notin (a,b)`: absent, or none of these.
    NotIn,
    /// `key=value`.
    Equals,
    /// `key==value`: the same as `=`, remembered because it is written back so.
    DoubleEquals,
    /// `key!=value`: absent, or another value.
    NotEquals,
    /// `key`: there.
    Exists,
    /// `!key`: not there.
    DoesNotExist,
    /// `key>1`: there, a whole number, and larger.
    GreaterThan,
    /// `key<1`: there, a whole number, and smaller.
    LessThan,
}

/// One comparison of one label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: String,
    operator: Operator,
    /// Sorted, without doubles.
    values: Vec<String>,
    /// The value as a number, for the operators that need one.
    number: i64,
}

impl Requirement {
    /// Checks key and values as upstream's `labels.NewRequirement` does.
    pub fn new(key: impl Into<String>, operator: Operator, values: impl IntoIterator<Item = String>) -> Result<Self, SelectorError> {
        let key = key.into();
        let mut values: Vec<String> = values.into_iter().collect();
        let mut errors: Vec<SelectorError> = key_error("key", &key).into_iter().collect();
        errors.extend(count_error(operator, &values));
        let compares = matches!(operator, Operator::GreaterThan | Operator::LessThan);
        let mut number = 0;
        for (index, value) in values.iter().enumerate().filter(|_| compares) {
            match value.parse() {
                Ok(parsed) => number = parsed,
                Err(_) => errors.push(SelectorError::Invalid {
                    path: format!("values[{index}]"),
                    value: format!("{value:?}"),
                    reason: "for 'Gt', 'Lt' operators, the value must be an integer".to_owned(),
                }),
            }
        }
        for (index, value) in values.iter().enumerate() {
            let reasons = name::label_value(value);
            if !reasons.is_empty() {
                errors.push(SelectorError::Invalid {
                    path: format!("values[{index}][{key}]"),
                    value: format!("{value:?}"),
                    reason: reasons.join("; "),
                });
            }
        }
        match errors.len() {
            0 => {}
            1 => return Err(errors.remove(0)),
            _ => return Err(SelectorError::Several(errors)),
        }
        values.sort_unstable();
        values.dedup();
        Ok(Self { key, operator, values, number })
    }

    /// The label's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How it is compared.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// With what it is compared, sorted.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Whether a label with this value, or none, meets the requirement.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|listed| listed == value);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => value.is_some_and(listed),
            Operator::NotIn | Operator::NotEquals => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => number().is_some_and(|number| number > self.number),
            Operator::LessThan => number().is_some_and(|number| number < self.number),
        }
    }
}

/// What is wrong with a label key, if anything.
pub(super) fn key_error(path: &str, key: &str) -> Option<SelectorError> {
    let reasons = name::qualified_name(key);
    (!reasons.is_empty()).then(|| SelectorError::Invalid { path: path.to_owned(), value: format!("{key:?}"), reason: reasons.join("; ") })
}

/// What is wrong with the number of values, if anything.
fn count_error(operator: Operator, values: &[String]) -> Option<SelectorError> {
    let (right, reason) = match operator {
        Operator::In | Operator::NotIn => (!values.is_empty(), "for 'in', 'notin' operators, values set can't be empty"),
        Operator::Equals | Operator::DoubleEquals | Operator::NotEquals => {
            (values.len() == 1, "exact-match compatibility requires one single value")
        }
        Operator::Exists | Operator::DoesNotExist => (values.is_empty(), "values set must be empty for exists and does not exist"),
        Operator::GreaterThan | Operator::LessThan => (values.len() == 1, "for 'Gt', 'Lt' operators, exactly one value is required"),
    };
    // As JSON, in which Go's empty list is null.
    let list = || match values {
        [] => "null".to_owned(),
        _ => format!("[{}]", values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(",")),
    };
    (!right).then(|| SelectorError::Invalid { path: "values".to_owned(), value: list(), reason: reason.to_owned() })
}

/// `key=value`, `key in (a,b)`, `!key`, ...
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match self.operator {
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

/// Requirements that must all be met. The default matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selector {
    /// In order of their keys; none at all for the selector that matches nothing.
    requirements: Option<Vec<Requirement>>,
}

impl Selector {
    /// Reads the text form, as in `kubectl get -l`: `app=web,tier in (a,b),!old`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        super::parse::requirements(text).map(Self::of)
    }

    /// Reads the form in objects. An empty one matches everything.
    pub fn from_label_selector(selector: &LabelSelector) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        for (key, value) in selector.match_labels.iter().flatten() {
            requirements.push(Requirement::new(key, Operator::Equals, [value.clone()])?);
        }
        for expression in selector.match_expressions.iter().flatten() {
            let operator = match expression.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(SelectorError::Operator(other.to_owned())),
            };
            let values = expression.values.iter().flatten().cloned();
            requirements.push(Requirement::new(&expression.key, operator, values)?);
        }
        Ok(Self::of(requirements))
    }

    /// The plain form of Services and ReplicationControllers: each of these labels with its value. What is not a valid
    /// label is compared all the same.
    pub fn from_labels(labels: &BTreeMap<String, String>) -> Self {
        let equals = |(key, value): (&String, &String)| Requirement {
            key: key.clone(),
            operator: Operator::Equals,
            values: vec![value.clone()],
            number: 0,
        };
        Self::of(labels.iter().map(equals).collect())
    }

    /// All of these.
    pub fn of(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements: Some(requirements) }
    }

    /// Matches every object.
    pub const fn everything() -> Self {
        Self { requirements: Some(Vec::new()) }
    }

    /// Matches no object. An absent selector means this in most places.
    pub const fn nothing() -> Self {
        Self { requirements: None }
    }

    /// Whether it matches everything because it requires nothing.
    pub fn is_empty(&self) -> bool {
        self.requirements.as_ref().is_some_and(Vec::is_empty)
    }

    /// What it requires, in order of keys.
    pub fn requirements(&self) -> &[Requirement] {
        self.requirements.as_deref().unwrap_or_default()
    }

    /// Whether an object with these labels is meant.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matches_with(|key| labels.get(key).map(String::as_str))
    }

    /// [`Selector::matches`] for the labels of an object's metadata, which may have none.
    pub fn matches_labels(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        self.matches_with(|key| labels?.get(key).map(String::as_str))
    }

    /// [`Selector::matches`] for labels that are kept in some other way.
    pub fn matches_with<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.as_ref().is_some_and(|all| all.iter().all(|one| one.matches(label(&one.key))))
    }
}

impl Default for Selector {
    fn default() -> Self {
        Self::everything()
    }
}

/// The canonical form, which parses to the same selector. Everything and nothing are both empty.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;

    use super::*;

    fn labels(text: &str) -> BTreeMap<String, String> {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn matching() {
        for (selector, object, want) in [
            ("", "", true),
            ("a=1", "a=1,b=2", true),
            ("a==1", "a=2", false),
            ("a=", "a=", true),
            ("a=", "", false),
            ("a!=1", "a=2", true),
            ("a!=1", "a=1", false),
            ("a!=1", "", true),
            ("a in (1,2)", "a=2", true),
            ("a in (1,2)", "a=3", false),
            ("a in (1,2)", "", false),
            ("a notin (1,2)", "a=3", true),
            ("a notin (1,2)", "", true),
            ("a notin (1,2)", "a=1", false),
            ("a", "a=", true),
            ("a", "", false),
            ("!a", "", true),
            ("!a", "a=1", false),
            ("a>5", "a=6", true),
            ("a>5", "a=5", false),
            ("a<5", "a=-4", true),
            ("a<5", "a=x", false),
            ("a<5", "", false),
            ("a=1,b=2", "a=1,b=3", false),
        ] {
            assert_eq!(Selector::parse(selector).unwrap().matches(&labels(object)), want, "{selector} on {object}");
        }
    }

    #[test]
    fn nothing_matches_nothing() {
        assert!(!Selector::nothing().matches(&labels("a=1")));
        assert!(!Selector::nothing().is_empty());
        assert!(Selector::default().matches_labels(None));
        assert!(Selector::default().is_empty());
    }

    fn expression(key: &str, operator: &str, values: &[&str]) -> LabelSelector {
        let values = (!values.is_empty()).then(|| values.iter().map(|value| (*value).to_owned()).collect());
        LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement { key: key.into(), operator: operator.into(), values }]),
            match_labels: Some(labels("z=1,b=2")),
        }
    }

    #[test]
    fn the_form_in_objects() {
        let text = |selector| Selector::from_label_selector(&selector).map(|selector| selector.to_string());
        assert_eq!(text(LabelSelector::default()).as_deref(), Ok(""));
        assert_eq!(text(expression("c", "In", &["y", "x"])).as_deref(), Ok("b=2,c in (x,y),z=1"));
        assert_eq!(text(expression("c", "DoesNotExist", &[])).as_deref(), Ok("b=2,!c,z=1"));
        for (selector, want) in [
            (expression("c", "Foo", &[]), "\"Foo\" is not a valid label selector operator"),
            (expression("c", "In", &[]), "values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty"),
            (expression("c", "Exists", &["v"]), "values: Invalid value: [\"v\"]: values set must be empty for exists and does not exist"),
        ] {
            assert_eq!(text(selector).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn labels_are_compared_as_they_are() {
        let selector = Selector::from_labels(&labels("a=1,b=2"));
        assert_eq!(selector.to_string(), "a=1,b=2");
        assert!(selector.matches(&labels("a=1,b=2,c=3")));
        assert!(!selector.matches(&labels("a=1")));
    }
}
