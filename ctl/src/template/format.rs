//! How templates print values: Go's `Sprint`, `Sprintln` and `Sprintf`.

use serde_json::Value;

use super::eval::Val;
use crate::golang::{quote, sharp, sprint, type_name};

/// The values one after the other: with a space between two that are no text, or (in lines) between all.
pub(super) fn spaced(values: &[Val<'_>], always: bool) -> String {
    let is_text = |value: &Val<'_>| matches!(value, Val::Data(data) if data.is_string());
    let mut text = String::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 && (always || (!is_text(value) && !is_text(&values[at - 1]))) {
            text.push(' ');
        }
        text.push_str(&sprint(&value.to_value()));
    }
    text
}

/// What may stand between `%` and the verb.
#[derive(Default)]
struct Spec {
    minus: bool,
    plus: bool,
    sharp: bool,
    zero: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Go's `Sprintf`.
pub(super) fn sprintf(format: &str, values: &[Val<'_>]) -> String {
    let mut text = String::new();
    let mut values_left = values.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.next_if(|c| "-+# 0".contains(*c)) {
            match flag {
                '-' => spec.minus = true,
                '+' => spec.plus = true,
                '#' => spec.sharp = true,
                ' ' => spec.space = true,
                _ => spec.zero = true,
            }
        }
        let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            digits.parse().ok()
        };
        spec.width = number(&mut chars);
        if chars.next_if_eq(&'.').is_some() {
            spec.precision = Some(number(&mut chars).unwrap_or(0));
        }
        match chars.next() {
            None => text.push_str("%!(NOVERB)"),
            Some('%') => text.push('%'),
            Some(verb) => match values_left.next() {
                Some(value) => text.push_str(&spec.formatted(verb, value)),
                None => text.push_str(&format!("%!{verb}(MISSING)")),
            },
        }
    }
    let extra: Vec<String> = values_left.map(|value| format!("{}={}", value.type_name(), sprint(&value.to_value()))).collect();
    if !extra.is_empty() {
        text.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    text
}

impl Spec {
    fn formatted(&self, verb: char, value: &Val<'_>) -> String {
        let data = value.to_value();
        let text = match (verb, value) {
            ('T', _) => value.type_name().to_owned(),
            ('v', _) if self.sharp => sharp(&data),
            ('v', _) => self.signed(sprint(&data), &data),
            (_, Val::Nothing) => format!("%!{verb}(<nil>)"),
            _ => self.one(verb, &data, value.type_name()),
        };
        self.padded(text, data.is_number())
    }

    /// A value under a verb; lists and maps hand the verb on to what is in them.
    fn one(&self, verb: char, data: &Value, type_name_of: &str) -> String {
        let wrong = || format!("%!{verb}({type_name_of}={})", sprint(data));
        let inner = |value: &Value| self.one(verb, value, type_name(value));
        match data {
            Value::Array(list) => format!("[{}]", list.iter().map(inner).collect::<Vec<_>>().join(" ")),
            Value::Object(map) => {
                let entries: Vec<String> =
                    map.iter().map(|(key, value)| format!("{}:{}", inner(&key.as_str().into()), inner(value))).collect();
                format!("map[{}]", entries.join(" "))
            }
            Value::String(text) => match verb {
                's' => text.chars().take(self.precision.unwrap_or(usize::MAX)).collect(),
                'q' => quote(text),
                'x' => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
                'X' => text.bytes().map(|byte| format!("{byte:02X}")).collect(),
                _ => wrong(),
            },
            Value::Bool(value) if verb == 't' => value.to_string(),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(int), _) => self.int(verb, int).unwrap_or_else(wrong),
                (None, Some(float)) => self.float(verb, float, data).unwrap_or_else(wrong),
                _ => wrong(),
            },
            Value::Null => format!("%!{verb}(<nil>)"),
            Value::Bool(_) => wrong(),
        }
    }

    fn int(&self, verb: char, int: i64) -> Option<String> {
        let sign = if int < 0 { "-" } else { "" };
        let size = int.unsigned_abs();
        let text = match verb {
            'd' => size.to_string(),
            'x' => format!("{size:x}"),
            'X' => format!("{size:X}"),
            'o' => format!("{size:o}"),
            'b' => format!("{size:b}"),
            'c' => return u32::try_from(int).ok().and_then(char::from_u32).map(String::from),
            'q' => return u32::try_from(int).ok().and_then(char::from_u32).map(|c| format!("'{c}'")),
            _ => return None,
        };
        Some(self.signed(format!("{sign}{text}"), &int.into()))
    }

    fn float(&self, verb: char, float: f64, data: &Value) -> Option<String> {
        let text = match verb {
            'f' | 'F' => format!("{float:.*}", self.precision.unwrap_or(6)),
            'g' => sprint(data),
            'e' => {
                let text = format!("{float:.*e}", self.precision.unwrap_or(6));
                let (digits, exponent) = text.split_once('e')?;
                let exponent: i32 = exponent.parse().ok()?;
                format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
            }
            _ => return None,
        };
        Some(self.signed(text, data))
    }

    fn signed(&self, text: String, data: &Value) -> String {
        match data {
            Value::Number(_) if self.plus && !text.starts_with('-') => format!("+{text}"),
            Value::Number(_) if self.space && !text.starts_with('-') => format!(" {text}"),
            _ => text,
        }
    }

    fn padded(&self, text: String, is_number: bool) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        let signs = usize::from(text.starts_with(['+', '-']));
        match (self.minus, self.zero && is_number) {
            (true, _) => text + &" ".repeat(missing),
            (false, true) => format!("{}{}{}", &text[..signs], "0".repeat(missing), &text[signs..]),
            (false, false) => " ".repeat(missing) + &text,
        }
    }
}
