//! Strings with a meaning: quantities, times and base64, checked with Go's words and brought into canonical form.

use jiff::Timestamp;
use mini_api::quantity::Quantity;

/// Upstream's words for anything that does not look like a quantity.
pub(super) const QUANTITY_FORMAT: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// The canonical form of a quantity: `1.5Gi` is `1536Mi`.
pub(super) fn quantity(text: &str) -> Result<String, String> {
    // By far most quantities are plain numbers with a usual suffix, and canonical already.
    match Quantity::parse(text.trim()) {
        Ok(quantity) => Ok(quantity.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// A whole-second time in UTC: `2026-01-01T01:00:00.5+01:00` is `2026-01-01T00:00:00Z`.
pub(super) fn time(text: &str) -> Result<String, String> {
    let time = parse_time(text, "2006-01-02T15:04:05Z07:00", Fraction::Optional)?;
    // By far most times are written in this form already.
    if text.len() == "2006-01-02T15:04:05Z".len() && text.ends_with('Z') {
        return Ok(text.to_owned());
    }
    Ok(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// A time in UTC with six fractional digits, which must be given.
pub(super) fn micro_time(text: &str) -> Result<String, String> {
    let time = parse_time(text, "2006-01-02T15:04:05.000000Z07:00", Fraction::Micros)?;
    Ok(time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

#[derive(Clone, Copy, PartialEq)]
enum Fraction {
    Optional,
    Micros,
}

/// Go's `time.Parse` for the two layouts Kubernetes uses, with its errors.
fn parse_time(text: &str, layout: &str, fraction: Fraction) -> Result<Timestamp, String> {
    let fail = |rest: &str, element: &str| format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {element:?}");
    let out_of_range = |what: &str| format!("parsing time {text:?}: {what} out of range");
    let mut rest = text;
    let mut numbers = [0u32; 6];
    let parts = [("2006", "-", 4), ("01", "-", 2), ("02", "T", 2), ("15", ":", 2), ("04", ":", 2), ("05", "", 2)];
    for (number, (element, separator, digits)) in numbers.iter_mut().zip(parts) {
        let Some((head, tail)) = rest.split_at_checked(digits).filter(|(h, _)| h.bytes().all(|b| b.is_ascii_digit())) else {
            return Err(fail(rest, element));
        };
        *number = head.parse().map_err(|_| fail(rest, element))?;
        rest = tail.strip_prefix(separator).ok_or_else(|| fail(tail, separator))?;
    }
    let [_, month, day, hour, minute, second] = numbers;
    for (what, ok) in [
        ("month", (1..=12).contains(&month)),
        ("hour", hour < 24),
        ("minute", minute < 60),
        ("second", second < 60),
        ("day", (1..=31).contains(&day)),
    ] {
        if !ok {
            return Err(out_of_range(what));
        }
    }
    let digits = rest.strip_prefix(['.', ',']).map_or(0, |d| d.bytes().take_while(u8::is_ascii_digit).count());
    if fraction == Fraction::Micros && digits != 6 {
        return Err(fail(rest, ".000000"));
    }
    let zone = if digits > 0 { &rest[digits + 1..] } else { rest };
    match zone.as_bytes() {
        [b'Z'] => {}
        [b'Z', ..] => return Err(format!("parsing time {text:?}: extra text: {:?}", &zone[1..])),
        [b'+' | b'-', h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()) => {}
        _ => return Err(fail(zone, "Z07:00")),
    }
    text.replace(',', ".").parse().map_err(|_| out_of_range("day"))
}

/// Standard base64 with padding; line breaks are ignored and dropped.
pub(super) fn base64(text: &str) -> Result<String, String> {
    match base64_fault(text.as_bytes()) {
        Some(at) => Err(format!("illegal base64 data at input byte {at}")),
        None if text.contains(['\r', '\n']) => Ok(text.replace(['\r', '\n'], "")),
        None => Ok(text.to_owned()),
    }
}

/// Where Go's decoder stops, if it does.
fn base64_fault(text: &[u8]) -> Option<usize> {
    // Digits in the present group of four.
    let mut digits = 0;
    let mut bytes = text.iter().enumerate().filter(|(_, b)| !matches!(b, b'\r' | b'\n'));
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => digits = (digits + 1) % 4,
            b'=' => {
                if digits < 2 {
                    return Some(at);
                }
                if digits == 2 {
                    match bytes.next() {
                        None => return Some(text.len()),
                        Some((at, byte)) if *byte != b'=' => return Some(at),
                        Some(_) => {}
                    }
                }
                return bytes.next().map(|(at, _)| at);
            }
            _ => return Some(at),
        }
    }
    (digits > 0).then(|| text.len() - digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        assert_eq!(quantity("1.5Gi").as_deref(), Ok("1536Mi"));
        assert_eq!(quantity("0.1").as_deref(), Ok("100m"));
        assert_eq!(quantity("abc"), Err(QUANTITY_FORMAT.to_owned()));
        assert_eq!(quantity(""), Err(QUANTITY_FORMAT.to_owned()));
    }

    #[test]
    fn times() {
        assert_eq!(time("2026-01-01T00:00:00Z").as_deref(), Ok("2026-01-01T00:00:00Z"));
        assert_eq!(time("2026-01-01T01:00:00.75+01:00").as_deref(), Ok("2026-01-01T00:00:00Z"));
        assert_eq!(micro_time("2026-01-01T00:00:00.123456Z").as_deref(), Ok("2026-01-01T00:00:00.123456Z"));
        let cases = [
            ("yesterday", r#"parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006""#),
            ("2026-01-01", r#"parsing time "2026-01-01" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T""#),
            ("2026-13-01T00:00:00Z", r#"parsing time "2026-13-01T00:00:00Z": month out of range"#),
            ("2026-02-30T00:00:00Z", r#"parsing time "2026-02-30T00:00:00Z": day out of range"#),
            ("2026-01-01T00:00:00", r#"parsing time "2026-01-01T00:00:00" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00""#),
        ];
        for (text, want) in cases {
            assert_eq!(time(text), Err(want.to_owned()));
        }
        let want = r#"parsing time "2026-01-01T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000""#;
        assert_eq!(micro_time("2026-01-01T00:00:00Z"), Err(want.to_owned()));
    }

    #[test]
    fn base64_as_go_reads_it() {
        assert_eq!(base64("eA==").as_deref(), Ok("eA=="));
        assert_eq!(base64("eA\n==\n").as_deref(), Ok("eA=="));
        assert_eq!(base64("").as_deref(), Ok(""));
        for (text, at) in [("***", 0), ("eA", 0), ("eA=", 3), ("eHh4e", 4), ("eA==x", 4), ("ab*d", 2), ("=", 0)] {
            assert_eq!(base64(text), Err(format!("illegal base64 data at input byte {at}")), "{text}");
        }
    }
}
