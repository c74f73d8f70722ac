//! The functions that need nothing but their arguments.

use regex::bytes::Regex;

use super::value::Value;
use crate::applets::hand::Conversion;

/// The most that one format makes.
const MOST: usize = 1 << 20;

/// What `sprintf` makes.
pub(super) fn format(format: &str, args: &[Value], convert: &str) -> String {
    let bytes = format.as_bytes();
    let mut args = args.iter();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        if bytes.get(at) == Some(&b'%') {
            out.push(b'%');
            at += 1;
            continue;
        }
        let (conversion, used) = Conversion::read(&bytes[at..], || args.next().map_or(0, |value| value.number() as i64));
        at += used;
        let Some(letter) = bytes.get(at) else {
            out.push(b'%');
            break;
        };
        at += 1;
        let value = args.next();
        let number = || value.map_or(0.0, Value::number);
        out.extend(match letter {
            b'd' | b'i' => conversion.signed(number() as i64),
            b'o' | b'x' | b'X' | b'u' => conversion.unsigned(number() as i64 as u64, *letter),
            b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => conversion.float(number(), *letter),
            b'c' => match value {
                Some(Value::Number(code)) => {
                    conversion.text(char::from_u32(*code as u32).unwrap_or('\u{fffd}').encode_utf8(&mut [0; 4]).as_bytes())
                }
                Some(value) => conversion.text(value.to_text(convert).chars().next().map_or(String::new(), String::from).as_bytes()),
                None => conversion.text(b""),
            },
            b's' => conversion.text(value.map_or_else(|| "".into(), |value| value.to_text(convert)).as_bytes()),
            other => vec![b'%', *other],
        });
        if out.len() > MOST {
            break;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `substr`: characters from a place on, and how many.
pub(super) fn substr(text: &str, from: f64, count: Option<f64>) -> String {
    let begin = from.round();
    let end = count.map_or(f64::INFINITY, |count| begin + count.round());
    let begin = begin.max(1.0);
    if end <= begin || begin.is_nan() {
        return String::new();
    }
    let take = if end.is_finite() { (end - begin) as usize } else { usize::MAX };
    text.chars().skip(begin as usize - 1).take(take).collect()
}

/// `index`: where a text is in another, in characters from 1.
pub(super) fn index(text: &str, part: &str) -> usize {
    text.find(part).map_or(0, |at| text[..at].chars().count() + 1)
}

/// `sub` and `gsub`: what a text becomes, and how many changes were made.
pub(super) fn replace(text: &str, pattern: &Regex, with: &str, all: bool) -> (String, usize) {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let (mut from, mut count) = (0, 0);
    for found in pattern.find_iter(bytes) {
        out.extend_from_slice(&bytes[from..found.start()]);
        let mut rest = with.bytes().peekable();
        while let Some(byte) = rest.next() {
            match (byte, rest.peek()) {
                (b'\\', Some(next @ (b'&' | b'\\'))) => {
                    out.push(*next);
                    rest.next();
                }
                (b'&', _) => out.extend_from_slice(found.as_bytes()),
                (byte, _) => out.push(byte),
            }
        }
        from = found.end();
        count += 1;
        if !all || out.len() > MOST {
            break;
        }
    }
    out.extend_from_slice(&bytes[from..]);
    (String::from_utf8_lossy(&out).into_owned(), count)
}

/// `match`: where, and how long, in characters from 1; `(0, -1)`: nowhere.
pub(super) fn find(text: &str, pattern: &Regex) -> (f64, f64) {
    match pattern.find(text.as_bytes()) {
        Some(found) => {
            let count = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().count() as f64;
            (count(&text.as_bytes()[..found.start()]) + 1.0, count(found.as_bytes()))
        }
        None => (0.0, -1.0),
    }
}

/// A function of numbers.
pub(super) fn arithmetic(name: &str, one: f64, two: f64) -> f64 {
    let bits = |value: f64| value as i64 as u64;
    match name {
        "int" => one.trunc(),
        "sqrt" => one.sqrt(),
        "exp" => one.exp(),
        "log" => one.ln(),
        "sin" => one.sin(),
        "cos" => one.cos(),
        "atan2" => one.atan2(two),
        "and" => (bits(one) & bits(two)) as f64,
        "or" => (bits(one) | bits(two)) as f64,
        "xor" => (bits(one) ^ bits(two)) as f64,
        "compl" => (!(one as u32)) as f64,
        "lshift" => (bits(one) << (bits(two) & 63)) as f64,
        _ => (bits(one) >> (bits(two) & 63)) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_their_parts() {
        assert_eq!(
            [substr("hello", 2.0, Some(3.0)), substr("hello", 0.0, Some(2.0)), substr("hello", 4.0, None), substr("a", 5.0, None)],
            ["ell", "h", "lo", ""]
        );
        assert_eq!((index("hello", "l"), index("hello", "z")), (3, 0));
        let pattern = Regex::new("l+").unwrap();
        assert_eq!(replace("hello all", &pattern, r"<&\&>", true), ("he<ll&>o a<ll&>".to_owned(), 2));
        assert_eq!(find("hello", &pattern), (3.0, 2.0));
        assert_eq!(
            format("%5.1f|%-4s|%c|%d%%", &[Value::Number(3.25), Value::text("ab"), Value::Number(65.0), Value::Number(7.9)], "%.6g"),
            "  3.2|ab  |A|7%"
        );
    }
}
