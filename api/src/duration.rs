//! A length of time as Go writes it: `1m30s`, `100ms`, `-1.5h`.

use std::time::Duration;

/// Why a text is no duration, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no number followed by a unit.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number has no unit.
    #[error("time: missing unit in duration {0:?}")]
    NoUnit(String),
    /// A unit does not exist.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The whole text.
        text: String,
    },
    /// Go allows it, but it makes no sense here.
    #[error("must not be negative: {0:?}")]
    Negative(String),
}

/// Reads a duration as nanoseconds, which may be negative.
///
/// # Errors
/// When it is none, or longer than some 292 years.
pub fn nanoseconds(text: &str) -> Result<i64, Error> {
    let invalid = || Error::Invalid(text.to_owned());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "0" {
        return Ok(0);
    }
    let mut rest = unsigned;
    let mut total: i128 = 0;
    loop {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        // A second point ends the number, and what it begins has no unit before it.
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(invalid());
        }
        let (unit, next) = tail.split_at(tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len()));
        let scale = scale(unit, text)?;
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        total = whole.checked_mul(scale).and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
        total += part(fraction, scale);
        if total > i128::from(i64::MAX) {
            return Err(invalid());
        }
        rest = next;
        if rest.is_empty() {
            break;
        }
    }
    let total = i64::try_from(total).map_err(|_| invalid())?;
    Ok(if text.starts_with('-') { -total } else { total })
}

/// Reads a duration that may not be negative, such as a flag's.
///
/// # Errors
/// As [`nanoseconds`], and when it is negative.
pub fn parse(text: &str) -> Result<Duration, Error> {
    u64::try_from(nanoseconds(text)?).map(Duration::from_nanos).map_err(|_| Error::Negative(text.to_owned()))
}

/// Writes a duration: `1h0m0s`, `1m30s`, `1.5s`, `203ms`, `0s`.
#[must_use]
pub fn text(duration: Duration) -> String {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    match (seconds, nanos) {
        (0, 1..1_000) => return format!("{nanos}ns"),
        (0, 1_000..1_000_000) => return format!("{}µs", f64::from(nanos) / 1e3),
        (0, 1_000_000..) => return format!("{}ms", f64::from(nanos) / 1e6),
        _ => {}
    }
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = if nanos == 0 { String::new() } else { format!(".{nanos:09}").trim_end_matches('0').to_owned() };
    match (hours, minutes) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, _) => format!("{minutes}m{seconds}{fraction}s"),
        _ => format!("{hours}h{minutes}m{seconds}{fraction}s"),
    }
}

/// A fraction of a unit, in floating point and of no more digits than Go takes, so that it is rounded as Go rounds it.
fn part(fraction: &str, scale: i128) -> i128 {
    let (mut digits, mut ten) = (0_i64, 1.0);
    for digit in fraction.bytes().map(|byte| i64::from(byte - b'0')) {
        let Some(more) = digits.checked_mul(10).and_then(|all| all.checked_add(digit)) else { break };
        digits = more;
        ten *= 10.0;
    }
    (digits as f64 * (scale as f64 / ten)) as i128
}

fn scale(unit: &str, text: &str) -> Result<i128, Error> {
    Ok(match unit {
        "" => return Err(Error::NoUnit(text.to_owned())),
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        unit => return Err(Error::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        let cases = [
            ("0", 0),
            ("+0", 0),
            ("5s", 5_000_000_000),
            ("-5s", -5_000_000_000),
            ("1m0s", 60_000_000_000),
            ("1h1m1s1ms1us1ns", 3_661_001_001_001),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("1µs", 1_000),
            ("0.3333333333333333333h", 1_200_000_000_000),
        ];
        for (text, want) in cases {
            assert_eq!(nanoseconds(text), Ok(want), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (millis, want) in
            [(2000, "2s"), (90_000, "1m30s"), (3_600_000, "1h0m0s"), (1500, "1.5s"), (500, "500ms"), (61_250, "1m1.25s"), (0, "0s")]
        {
            assert_eq!(text(Duration::from_millis(millis)), want);
        }
        assert_eq!([1, 1_500].map(|nanos| text(Duration::from_nanos(nanos))), ["1ns", "1.5µs"]);
    }

    #[test]
    fn what_is_none_is_refused_in_gos_words() {
        let cases = [
            ("", r#"time: invalid duration """#),
            ("abc", r#"time: invalid duration "abc""#),
            (".s", r#"time: invalid duration ".s""#),
            ("-", r#"time: invalid duration "-""#),
            ("5", r#"time: missing unit in duration "5""#),
            ("5d", r#"time: unknown unit "d" in duration "5d""#),
            ("5s3", r#"time: missing unit in duration "5s3""#),
            ("9999999999h", r#"time: invalid duration "9999999999h""#),
        ];
        for (text, want) in cases {
            assert_eq!(nanoseconds(text).unwrap_err().to_string(), want, "{text}");
        }
        assert_eq!(parse("-1s"), Err(Error::Negative("-1s".to_owned())));
    }
}
