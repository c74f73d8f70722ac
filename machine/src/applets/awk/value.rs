//! Values: numbers, texts, and texts that look like numbers.

use std::{cmp::Ordering, sync::Arc};

use crate::applets::hand::shortest;

/// A value.
#[derive(Clone, Debug, Default)]
pub(super) enum Value {
    /// Nobody gave it one: `""` and 0.
    #[default]
    Unset,
    Number(f64),
    Text(Arc<str>),
    /// What was read, and looks like a number.
    Read(Arc<str>, f64),
}

/// The number that a text begins with.
pub(super) fn number(text: &str) -> f64 {
    prefix(text).0
}

/// That number, and how long it is with the blanks before it.
fn prefix(text: &str) -> (f64, usize) {
    let bytes = text.as_bytes();
    let begin = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let mut at = begin;
    let digits = |at: usize| bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if matches!(bytes.get(at), Some(b'+' | b'-')) {
        at += 1;
    }
    let whole = digits(at);
    at += whole;
    let mut part = 0;
    if bytes.get(at) == Some(&b'.') {
        part = digits(at + 1);
        at += 1 + part;
    }
    if whole + part == 0 {
        return (0.0, 0);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let count = digits((at + 1 + sign).min(bytes.len()));
        if count > 0 {
            at += 1 + sign + count;
        }
    }
    (text[begin..at].parse().unwrap_or(0.0), at)
}

impl Value {
    /// A text.
    pub(super) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A text that was read, which is a number too if it looks like one.
    pub(super) fn read(text: &str) -> Self {
        let (number, used) = prefix(text);
        let is_number = used > 0 && text[used..].trim().is_empty();
        if is_number { Self::Read(text.into(), number) } else { Self::Text(text.into()) }
    }

    /// As a number.
    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Unset => 0.0,
            Self::Number(number) | Self::Read(_, number) => *number,
            Self::Text(text) => number(text),
        }
    }

    /// As a text; numbers that are not whole as a format says.
    pub(super) fn to_text(&self, format: &str) -> Arc<str> {
        match self {
            Self::Unset => "".into(),
            Self::Number(number) => number_text(*number, format).into(),
            Self::Text(text) | Self::Read(text, _) => text.clone(),
        }
    }

    /// Whether it is true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Unset => false,
            Self::Number(number) | Self::Read(_, number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
        }
    }

    /// Compares: as numbers if both are.
    pub(super) fn compare(&self, other: &Self, format: &str) -> Ordering {
        let texts = matches!(self, Self::Text(_)) || matches!(other, Self::Text(_));
        if texts {
            self.to_text(format).cmp(&other.to_text(format))
        } else {
            self.number().partial_cmp(&other.number()).unwrap_or(Ordering::Equal)
        }
    }

    /// Roughly how many bytes it holds.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Read(text, _) => text.len(),
            _ => 0,
        }
    }
}

/// A number as text: whole ones as they are, others as a format (`%.6g`) says.
pub(super) fn number_text(number: f64, format: &str) -> String {
    if number.fract() == 0.0 && number.abs() < 1e16 {
        return format!("{}", number as i64);
    }
    let precision = format.strip_prefix("%.").and_then(|rest| rest.strip_suffix('g')).and_then(|digits| digits.parse().ok());
    match precision {
        Some(precision) => shortest(number, precision),
        None => super::builtin::format(format, &[Value::Number(number)], format),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_look_like_numbers() {
        for (text, expected, looks) in [
            ("12", 12.0, true),
            (" -1.5e3 ", -1500.0, true),
            ("12abc", 12.0, false),
            ("abc", 0.0, false),
            ("", 0.0, false),
            ("1e", 1.0, false),
            (".5", 0.5, true),
        ] {
            let value = Value::read(text);
            assert!((value.number() - expected).abs() < 1e-9, "{text}");
            assert_eq!(matches!(value, Value::Read(..)), looks, "{text}");
        }
        assert_eq!([number_text(3.0, "%.6g"), number_text(0.1 + 0.2, "%.6g"), number_text(1e20, "%.6g")], ["3", "0.3", "1e+20"]);
        assert_eq!(Value::read("10").compare(&Value::read("9"), "%.6g"), Ordering::Greater);
        assert_eq!(Value::text("10").compare(&Value::read("9"), "%.6g"), Ordering::Less);
    }
}
