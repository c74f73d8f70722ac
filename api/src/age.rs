//! How long ago something happened, in the words `kubectl` uses in its AGE columns.
//!
//! The coarser the age, the fewer the digits. Knows no clock: the caller says what "now" is.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// An age of `seconds` (whole seconds, truncated towards zero) as upstream's `duration.HumanDuration` writes it.
///
/// Clocks differ a little, so one second in the future is `0s`; anything further is `<invalid>`.
pub fn human(seconds: i64) -> String {
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        _ if seconds < 2 * MINUTE => format!("{seconds}s"),
        _ if seconds < 10 * MINUTE => pair(seconds, (MINUTE, "m"), (1, "s")),
        _ if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        _ if seconds < 8 * HOUR => pair(seconds, (HOUR, "h"), (MINUTE, "m")),
        _ if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => pair(seconds, (DAY, "d"), (HOUR, "h")),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => pair(seconds, (YEAR, "y"), (DAY, "d")),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// The age at `now` of something that happened at `then`; `<unknown>` if nobody knows when.
pub fn since(then: Option<&Time>, now: Timestamp) -> String {
    match then {
        Some(then) => human(now.duration_since(then.0).as_secs()),
        None => "<unknown>".to_owned(),
    }
}

/// Two units, the smaller one left out when it is zero.
fn pair(seconds: i64, (big, big_unit): (i64, &str), (small, small_unit): (i64, &str)) -> String {
    let (whole, rest) = (seconds / big, seconds % big / small);
    if rest == 0 { format!("{whole}{big_unit}") } else { format!("{whole}{big_unit}{rest}{small_unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_upstreams() {
        for (seconds, want) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (192, "3m12s"),
            (599, "9m59s"),
            (600, "10m"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR, "3h"),
            (4 * HOUR + 5 * MINUTE + 59, "4h5m"),
            (8 * HOUR - 1, "7h59m"),
            (8 * HOUR, "8h"),
            (2 * DAY - 1, "47h"),
            (2 * DAY, "2d"),
            (2 * DAY + 3 * HOUR, "2d3h"),
            (8 * DAY - 1, "7d23h"),
            (8 * DAY, "8d"),
            (2 * YEAR - 1, "729d"),
            (2 * YEAR, "2y"),
            (2 * YEAR + 3 * DAY, "2y3d"),
            (8 * YEAR - 1, "7y364d"),
            (8 * YEAR + 100 * DAY, "8y"),
        ] {
            assert_eq!(human(seconds), want, "{seconds} s");
        }
    }

    #[test]
    fn since_needs_a_then() {
        let now: Timestamp = "2026-01-01T00:05:00Z".parse().unwrap();
        let then = Time("2026-01-01T00:00:00.5Z".parse().unwrap());
        assert_eq!(since(Some(&then), now), "4m59s");
        assert_eq!(since(None, now), "<unknown>");
    }
}
