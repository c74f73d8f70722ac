//! JSON values as YAML, byte for byte as `kubectl -o yaml` writes them: sorted keys, lists not indented, strings quoted only
//! where YAML 1.1 would read something else. It only writes; reading is `manifest`'s work.

use std::cmp::Ordering;

use serde_json::Value;

/// The column after which a long line goes on in the next one.
const WIDTH: usize = 80;

/// `value` as one YAML document, ending in a newline.
#[must_use]
pub(crate) fn to_string(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(&mut out, value, 0),
        Value::Array(list) if !list.is_empty() => block(&mut out, value, 0),
        _ => {
            scalar(&mut out, value, 0);
            out.push('\n');
        }
    }
    out
}

/// A non-empty map or list, each entry on lines of its own, the first one not indented (its place is already reached).
fn block(out: &mut String, value: &Value, indent: usize) {
    let pad = |out: &mut String, first: bool| {
        if !first {
            out.extend(std::iter::repeat_n(' ', indent));
        }
    };
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by(|(a, _), (b, _)| key_order(a, b));
            for (at, (key, value)) in entries.into_iter().enumerate() {
                pad(out, at == 0);
                string(out, key, indent, true);
                out.push(':');
                match value {
                    Value::Object(inner) if !inner.is_empty() => {
                        start_line(out, indent + 2);
                        block(out, value, indent + 2);
                    }
                    Value::Array(inner) if !inner.is_empty() => {
                        start_line(out, indent);
                        block(out, value, indent);
                    }
                    _ => {
                        out.push(' ');
                        scalar(out, value, indent);
                        out.push('\n');
                    }
                }
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                pad(out, at == 0);
                out.push_str("- ");
                match value {
                    Value::Object(inner) if !inner.is_empty() => block(out, value, indent + 2),
                    Value::Array(inner) if !inner.is_empty() => block(out, value, indent + 2),
                    _ => {
                        scalar(out, value, indent);
                        out.push('\n');
                    }
                }
            }
        }
        _ => scalar(out, value, indent),
    }
}

/// A part of a key, in the order in which parts are sorted: signs, numbers by their value, letters.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Sign(char),
    /// Value and number of digits.
    Number(u64, usize),
    Letter(char),
}

/// The order of keys: `k2` comes before `k10`. Where upstream's own comparison goes in circles (`k12a`, `k1b`), this one
/// does not, so there the two may differ.
fn key_order(a: &str, b: &str) -> Ordering {
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}

fn parts(key: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for c in key.chars() {
        let part = match (c.to_digit(10), parts.last_mut()) {
            (Some(digit), Some(Part::Number(value, digits))) => {
                *value = value.saturating_mul(10).saturating_add(u64::from(digit));
                *digits += 1;
                continue;
            }
            (Some(digit), _) => Part::Number(u64::from(digit), 1),
            (None, _) if c.is_alphabetic() => Part::Letter(c),
            (None, _) => Part::Sign(c),
        };
        parts.push(part);
    }
    parts
}

fn start_line(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => string(out, text, indent, false),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// A string in the simplest style that reads back as the same string. Keys are never folded.
fn string(out: &mut String, text: &str, indent: usize, key: bool) {
    let fold = (!key).then_some(indent + 2);
    if needs_escapes(text) || (key && text.contains('\n')) {
        double_quoted(out, text, fold);
    } else if text.contains('\n') {
        literal(out, text, indent + 2);
    } else if reads_as_something_else(text) {
        double_quoted(out, text, fold);
    } else if is_plain(text) {
        folded(out, text, fold, 0);
    } else {
        out.push('\'');
        folded(out, text, fold, 1);
        out.push('\'');
    }
}

/// Writes a line of text, going on in the next line at the first single space after [`WIDTH`] columns. In quotes, which
/// double themselves, the first and last characters stay where they are.
fn folded(out: &mut String, text: &str, indent: Option<usize>, quotes: usize) {
    let mut column = column(out);
    let chars: Vec<char> = text.chars().collect();
    let mut after_space = false;
    for (at, c) in chars.iter().enumerate() {
        let space = *c == ' ';
        let inside = quotes == 0 || (at > 0 && at + 1 < chars.len());
        match indent {
            Some(indent) if space && !after_space && column > WIDTH && inside && chars.get(at + 1) != Some(&' ') => {
                start_line(out, indent);
                column = indent;
            }
            _ => {
                for _ in 0..if quotes > 0 && *c == '\'' { 2 } else { 1 } {
                    out.push(*c);
                    column += 1;
                }
            }
        }
        after_space = space;
    }
}

/// How many characters the last line has so far.
fn column(out: &str) -> usize {
    out.rsplit('\n').next().unwrap_or_default().chars().count()
}

/// `|` with the chomping mark that keeps the trailing newlines as they are.
fn literal(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    if !text.ends_with('\n') {
        out.push('-');
    } else if text.ends_with("\n\n") || text == "\n" {
        out.push('+');
    }
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
    }
}

fn double_quoted(out: &mut String, text: &str, indent: Option<usize>) {
    out.push('"');
    let mut column = column(out);
    let chars: Vec<char> = text.chars().collect();
    let mut after_space = false;
    for (at, c) in chars.iter().enumerate() {
        match indent {
            Some(indent) if *c == ' ' && !after_space && column > WIDTH && at > 0 && at + 1 < chars.len() => {
                start_line(out, indent);
                column = indent;
                if chars[at + 1] == ' ' {
                    out.push('\\');
                    column += 1;
                }
            }
            _ => {
                let written = escaped(*c);
                column += written.chars().count();
                out.push_str(&written);
            }
        }
        after_space = *c == ' ';
    }
    out.push('"');
}

fn escaped(c: char) -> String {
    let named = match c {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\t' => "\\t",
        '\r' => "\\r",
        '\0' => "\\0",
        '\u{1b}' => "\\e",
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\u{b}' => "\\v",
        '\u{c}' => "\\f",
        '\u{85}' => "\\N",
        '\u{feff}' => "\\uFEFF",
        '\u{10000}'.. => return format!("\\U{:08X}", u32::from(c)),
        c if c.is_control() => return format!("\\x{:02X}", u32::from(c)),
        c => return c.to_string(),
    };
    named.to_owned()
}

/// Whether only double quotes can hold `text`: it has unprintable characters, or spaces at the end of one of several lines.
fn needs_escapes(text: &str) -> bool {
    let special = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{feff}' | '\u{10000}'..);
    text.chars().any(special) || (text.contains('\n') && (text.contains(" \n") || text.ends_with(' ')))
}

/// Whether an unquoted `text` would be read as null, a boolean, a number or a time by a YAML 1.1 reader.
fn reads_as_something_else(text: &str) -> bool {
    const WORDS: [&str; 11] = ["null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan"];
    let folded = text.to_ascii_lowercase();
    text.is_empty()
        || WORDS.contains(&folded.as_str())
        || matches!(folded.trim_start_matches(['+', '-']), ".inf")
        || is_number(text)
        || is_time(text)
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let radix = |prefix: &str, radix: u32| {
        digits.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c == '_' || c.is_digit(radix)))
    };
    if radix("0x", 16) || radix("0b", 2) || radix("0o", 8) {
        return true;
    }
    let clean = digits.replace('_', "");
    text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && clean.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && clean.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c))
        && clean.parse::<f64>().is_ok()
        || is_sexagesimal(&clean)
}

/// `1:30` and the like, base 60 in YAML 1.1; written quoted so that no reader takes it for one.
fn is_sexagesimal(text: &str) -> bool {
    let mut parts = text.split(':');
    let whole = parts.next().is_some_and(|first| !first.is_empty() && first.chars().all(|c| c.is_ascii_digit()));
    let rest: Vec<&str> = parts.collect();
    let sixty = |part: &&str| {
        let number = part.split('.').next().unwrap_or_default();
        matches!(number.len(), 1 | 2) && part.chars().all(|c| c.is_ascii_digit() || c == '.') && number.parse::<u8>().is_ok_and(|n| n < 60)
    };
    whole && !rest.is_empty() && rest.iter().all(sixty)
}

/// A date, or a date with a time, as YAML's timestamp type has it.
fn is_time(text: &str) -> bool {
    let (date, time) = text.split_once(['T', 't', ' ']).map_or((text, None), |(date, time)| (date, Some(time)));
    let mut parts = date.split('-');
    let mut part = |lengths: std::ops::RangeInclusive<usize>| {
        parts
            .next()
            .filter(|part| lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|part| part.parse::<u16>().ok())
    };
    let dated = part(4..=4).is_some() && part(1..=2).is_some_and(|month| month <= 12) && part(1..=2).is_some_and(|day| day <= 31);
    dated && parts.next().is_none() && time.is_none_or(|time| time.contains(':') && time.bytes().all(|b| b"0123456789:.Zz+-".contains(&b)))
}

/// Whether `text`, a single line, may stand without quotes in block context.
fn is_plain(text: &str) -> bool {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return false };
    let second = chars.next();
    let safe_start = match first {
        '-' | '?' | ':' => second.is_some_and(|c| c != ' ') && !text.starts_with("---"),
        '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => false,
        _ => true,
    };
    safe_start
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.ends_with(':')
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("...")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn maps_are_sorted_and_lists_are_not_indented() {
        let value = json!({"spec": {"containers": [{"name": "a", "args": ["x", "y"]}, {"name": "b"}], "empty": {}, "none": []}, "a": null});
        assert_eq!(
            to_string(&value),
            "a: null\nspec:\n  containers:\n  - args:\n    - x\n    - \"y\"\n    name: a\n  - name: b\n  empty: {}\n  none: []\n"
        );
    }

    /// The value of the one key of a map, as it is written.
    fn said(text: &str) -> String {
        let map = to_string(&json!({"k": text}));
        map.strip_prefix("k: ").and_then(|map| map.strip_suffix('\n')).unwrap().to_owned()
    }

    /// Strings, and what the real kubectl 1.32 writes for them (`kubectl label --local -o yaml`).
    const RECORDED: &[(&str, &str)] = &[
        ("web", "web"),
        ("nginx:1.7.9", "nginx:1.7.9"),
        ("10.0.0.1", "10.0.0.1"),
        ("a b", "a b"),
        ("1Gi", "1Gi"),
        ("100m", "100m"),
        ("-x", "-x"),
        ("a'b", "a'b"),
        ("a#b", "a#b"),
        ("app=web", "app=web"),
        ("0.1.2", "0.1.2"),
        ("25%", "25%"),
        ("yes", "\"yes\""),
        ("no", "\"no\""),
        ("true", "\"true\""),
        ("1", "\"1\""),
        ("1.5", "\"1.5\""),
        ("0644", "\"0644\""),
        ("1e3", "\"1e3\""),
        ("", "\"\""),
        ("null", "\"null\""),
        ("~", "\"~\""),
        ("2026-11-20T22:39:37Z", "\"2026-11-20T22:39:37Z\""),
        ("2026-11-20", "\"2026-11-20\""),
        ("1_000", "\"1_000\""),
        ("0x1f", "\"0x1f\""),
        ("y", "\"y\""),
        ("*", "'*'"),
        ("a: b", "'a: b'"),
        ("*/1 * * * *", "'*/1 * * * *'"),
        ("a #b", "'a #b'"),
        ("[x]", "'[x]'"),
        ("{x}", "'{x}'"),
        ("@x", "'@x'"),
        ("!x", "'!x'"),
        (" x", "' x'"),
        ("x ", "'x '"),
        ("a\tb", "\"a\\tb\""),
        ("x\ny\n", "|\n  x\n  y"),
        ("x\ny", "|-\n  x\n  y"),
        ("x\n\n", "|+\n  x\n"),
        ("\n", "|2+\n"),
        ("\nx", "|2-\n\n  x"),
        ("  x\ny", "|2-\n    x\n  y"),
        (" \n", "\" \\n\""),
        ("x \ny", "\"x \\ny\""),
        ("a\"b", "a\"b"),
        ("'q'", "'''q'''"),
        ("\"q\"", "'\"q\"'"),
        ("1:30", "\"1:30\""),
        ("12:30:45", "\"12:30:45\""),
        ("a:", "'a:'"),
        ("a:b", "a:b"),
        ("---", "'---'"),
        ("--- a", "'--- a'"),
        ("...", "'...'"),
        ("-", "'-'"),
        ("- a", "'- a'"),
        ("?", "'?'"),
        ("? a", "'? a'"),
        (":", "':'"),
        (":a", ":a"),
        ("0o17", "\"0o17\""),
        ("+1", "\"+1\""),
        (".5", "\".5\""),
        ("1.", "\"1.\""),
        ("é", "é"),
        ("日本", "日本"),
        ("\u{7}", "\"\\a\""),
        ("a,b", "a,b"),
        ("a\\u{8}", "a\\u{8}"),
        ("%x", "'%x'"),
        ("|", "'|'"),
        ("> x", "'> x'"),
        ("`x", "'`x'"),
        ("&x", "'&x'"),
        ("#x", "'#x'"),
        ("=", "="),
        ("<<", "<<"),
        ("0b1", "\"0b1\""),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("10e", "10e"),
        ("1e", "1e"),
        ("NaN", "NaN"),
        (".nan", "\".nan\""),
        (".inf", "\".inf\""),
        ("-.inf", "\"-.inf\""),
        ("On", "\"On\""),
        ("OFF", "\"OFF\""),
        ("Y", "\"Y\""),
        ("N", "\"N\""),
        ("a\r", "\"a\\r\""),
        ("x\n ", "\"x\\n \""),
        ("0x", "0x"),
        ("1_0", "\"1_0\""),
        ("_1", "_1"),
        ("08", "\"08\""),
        ("0b2", "0b2"),
        ("2026-1-2", "\"2026-1-2\""),
        ("2026-11-20 10:00:00", "\"2026-11-20 10:00:00\""),
        ("a\u{a0}b", "a\u{a0}b"),
        ("\u{feff}", "\"\\uFEFF\""),
        ("x\n\ny\n", "|\n  x\n\n  y"),
        ("{{x}}", "'{{x}}'"),
        ("a]b", "a]b"),
        ("a}b", "a}b"),
        ("-1", "\"-1\""),
        ("+x", "+x"),
        ("e3", "e3"),
        ("1 2", "1 2"),
        ("x\t\ny", "\"x\\t\\ny\""),
        ("x\n\n\n", "|+\n  x\n\n"),
        ("\n\n", "|2+\n\n"),
        ("a\n b\n", "|\n  a\n   b"),
        ("😀", "\"\\U0001F600\""),
    ];

    #[test]
    fn strings_are_written_as_kubectl_writes_them() {
        for (text, written) in RECORDED {
            assert_eq!(said(text), *written, "{text:?}");
        }
    }

    #[test]
    fn keys_are_in_natural_order() {
        let mut keys = ["k10", "k2", "k1", "kB", "k_", "k.a", "K", "k", "k02", "k100", "k20"];
        keys.sort_by(|a, b| key_order(a, b));
        assert_eq!(keys, ["K", "k", "k.a", "k_", "k1", "k2", "k02", "k10", "k20", "k100", "kB"]);
    }

    #[test]
    fn long_lines_go_on_in_the_next_one() {
        let words = |count: usize| vec!["word"; count].join(" ");
        let value = json!({"a": words(20), "b": format!("{}: x", words(18)), "c": [words(18)]});
        let plain = format!("a: {}\n  {}\n", words(16), words(4));
        let quoted = format!("b: '{}\n  word word: x'\n", words(16));
        let listed = format!("c:\n- {}\n  {}\n", words(16), words(2));
        assert_eq!(to_string(&value), plain + &quoted + &listed);
    }

    #[test]
    fn several_lines_become_a_literal() {
        let value = json!({"a": "x\ny\n", "b": "x\ny", "c": "x\n\n", "d": {"e": "1\n2"}});
        assert_eq!(to_string(&value), "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: |+\n  x\n\nd:\n  e: |-\n    1\n    2\n");
    }
}
