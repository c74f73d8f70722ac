//! How Go writes and reads things: values as `fmt` prints them, quoted strings, base64. Templates, custom columns and some
//! complaints of kubectl show them so. It knows no field's name.

use std::{fmt::Write, io};

use serde_json::Value;

/// A value as `%v` prints it: maps as `map[a:b]`, lists as `[a b]`, null as `<nil>`.
pub(crate) fn sprint(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if !number.is_i64() && !number.is_u64() => float_text(float),
            _ => number.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Array(list) => format!("[{}]", list.iter().map(sprint).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            format!("map[{}]", map.iter().map(|(key, value)| format!("{key}:{}", sprint(value))).collect::<Vec<_>>().join(" "))
        }
    }
}

/// A value as `%#v` prints it, the way it would stand in a program.
pub(crate) fn sharp(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::String(text) => quote(text),
        Value::Array(list) => format!("[]interface {{}}{{{}}}", list.iter().map(sharp).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<String> = map.iter().map(|(key, value)| format!("{}:{}", quote(key), sharp(value))).collect();
            format!("map[string]interface {{}}{{{}}}", entries.join(", "))
        }
        other => sprint(other),
    }
}

/// What `%T` says of a value.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A float as `%v` prints it: the shortest that reads back the same, with an exponent from 1e+06 on.
pub(crate) fn float_text(float: f64) -> String {
    if float == 0.0 {
        return if float.is_sign_negative() { "-0".into() } else { "0".into() };
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
        _ => format!("{float}"),
    }
}

/// A value as Go's `encoding/json` writes it: in one line, with the signs of HTML escaped.
pub(crate) fn json(value: &Value) -> String {
    html_escaped(&value.to_string())
}

/// JSON in which the signs of HTML are escaped; they stand only in strings.
pub(crate) fn html_escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// What is wrong with a file, as Go says it.
pub(crate) fn file_error(file: &str, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => return format!("read {file}: is a directory"),
        _ => error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase(),
    };
    format!("open {file}: {why}")
}

/// A string as `%q` prints it.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            c if c.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The text of a quoted string, escapes resolved; none where the escapes are none that Go has. The quotes are gone already.
pub(crate) fn unquote(inner: &str, quote: char) -> Option<String> {
    let mut text = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(escaped(&mut chars, quote)?),
            c if c == quote || c == '\n' => return None,
            c => text.push(c),
        }
    }
    Some(text)
}

/// The character that stands after a backslash. Source: Go's strconv.UnquoteChar.
fn escaped(chars: &mut std::str::Chars<'_>, quote: char) -> Option<char> {
    let c = chars.next()?;
    let mut number = |radix: u32, digits: &mut String, count: usize| {
        digits.extend(chars.by_ref().take(count));
        let whole = digits.chars().count() >= count && digits.chars().all(|c| c.is_digit(radix));
        u32::from_str_radix(digits, radix).ok().filter(|_| whole).and_then(char::from_u32)
    };
    match c {
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        '\\' => Some('\\'),
        'x' => number(16, &mut String::new(), 2),
        'u' => number(16, &mut String::new(), 4),
        'U' => number(16, &mut String::new(), 8),
        '0'..='7' => number(8, &mut c.to_string(), 2),
        c if c == quote => Some(c),
        _ => None,
    }
}

/// The bytes of base64 text, or the place of the first character that does not belong: kubectl tells it, and the crate reads some texts otherwise (line ends, the
/// unused bits of the last character).
pub(crate) fn base64_decoded(text: &str) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::new();
    let (mut bits, mut count, mut padding) = (0u32, 0u32, 0);
    let mut length = 0;
    for (at, c) in text.bytes().enumerate().filter(|(_, c)| *c != b'\n' && *c != b'\r') {
        length += 1;
        let sextet = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if length % 4 == 3 || length % 4 == 0 => {
                padding += 1;
                continue;
            }
            _ => return Err(at),
        };
        if padding > 0 {
            return Err(at);
        }
        bits = (bits << 6) | u32::from(sextet);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).unwrap_or_default());
        }
    }
    if length % 4 == 0 { Ok(bytes) } else { Err(text.len()) }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_printed_as_go_prints_them() {
        let value = json!({"a": [1, "x", null, true], "b": {"c": 1.5}});
        assert_eq!(sprint(&value), "map[a:[1 x <nil> true] b:map[c:1.5]]");
        assert_eq!(
            sharp(&value),
            "map[string]interface {}{\"a\":[]interface {}{1, \"x\", interface {}(nil), true}, \"b\":map[string]interface {}{\"c\":1.5}}"
        );
    }

    #[test]
    fn floats_are_short() {
        for (float, text) in [
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (100_000.0, "100000"),
            (123_456.5, "123456.5"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (3.0, "3"),
            (0.0, "0"),
            (-1.5, "-1.5"),
        ] {
            assert_eq!(float_text(float), text);
        }
    }

    #[test]
    fn quotes_and_escapes() {
        assert_eq!(quote("a\"b\\\n\u{1}é"), r#""a\"b\\\n\x01é""#);
        assert_eq!(unquote(r"a\tb\x41\u00e9\101", '"').as_deref(), Some("a\tbAéA"));
        assert_eq!(unquote(r#"\""#, '"').as_deref(), Some("\""));
        for wrong in [r"\q", "\"", r"\x4", "\\"] {
            assert_eq!(unquote(wrong, '"'), None, "{wrong}");
        }
    }

    #[test]
    fn base64_is_read_as_go_does() {
        for (bytes, text) in [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("abc", "YWJj"), ("abcd", "YWJjZA==")] {
            assert_eq!(STANDARD.encode(bytes), text);
            assert_eq!(base64_decoded(text), Ok(bytes.as_bytes().to_vec()));
        }
        for (wrong, place) in [("%%", 0), ("YQ=", 3), ("Y", 1), ("YQ==YQ==", 4)] {
            assert_eq!(base64_decoded(wrong), Err(place), "{wrong}");
        }
    }
}
