//! Times as people write them, in the time zone of `TZ`.

use jiff::{
    Timestamp, Zoned,
    civil::DateTime,
    fmt::strtime::{BrokenDownTime, Config},
    tz::TimeZone,
};

use crate::Ctx;

/// What tells times to a process.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// In the zone that `TZ` says, else UTC.
    pub(crate) fn of(ctx: &Ctx) -> Self {
        let zone = ctx.var("TZ").map(|name| name.trim_start_matches(':'));
        let zone = zone.and_then(|name| TimeZone::get(name).or_else(|_| TimeZone::posix(name)).ok());
        Self { zone: zone.unwrap_or(TimeZone::UTC) }
    }

    /// In UTC.
    pub(crate) fn utc() -> Self {
        Self { zone: TimeZone::UTC }
    }

    /// The time here.
    pub(crate) fn here(&self, time: Timestamp) -> Zoned {
        time.to_zoned(self.zone.clone())
    }

    /// As strftime(3) writes it.
    pub(crate) fn format(&self, time: Timestamp, format: &str) -> String {
        let config = Config::new().lenient(true);
        // With a time that is whole and lenient nothing is missing.
        BrokenDownTime::from(&self.here(time)).to_string_with_config(&config, format).unwrap_or_default()
    }

    /// The instant of a time on the clock.
    pub(crate) fn instant(&self, time: DateTime) -> Option<Timestamp> {
        time.to_zoned(self.zone.clone()).ok().map(|zoned| zoned.timestamp())
    }
}

/// A time as `date -d` and `touch -d` read it, near another one.
pub(crate) fn parse_time(clock: &Clock, text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(seconds) = text.strip_prefix('@') {
        return Timestamp::from_second(seconds.parse().ok()?).ok();
    }
    let today = clock.here(now).datetime();
    let civil = |format: &str| DateTime::strptime(format, text).ok();
    let whole = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y.%m.%d-%H:%M:%S", "%Y.%m.%d-%H:%M"]
        .iter()
        .find_map(|format| civil(format));
    let date = || {
        ["%Y-%m-%d", "%Y.%m.%d"].iter().find_map(|format| jiff::civil::Date::strptime(format, text).ok()).map(|date| date.at(0, 0, 0, 0))
    };
    let time = || {
        ["%H:%M:%S", "%H:%M"]
            .iter()
            .find_map(|format| jiff::civil::Time::strptime(format, text).ok())
            .map(|time| today.date().to_datetime(time))
    };
    let digits = || compact(text, today);
    clock.instant(whole.or_else(date).or_else(time).or_else(digits)?).or_else(|| text.parse().ok())
}

/// `[[CC]YY]MMDDhhmm[.ss]`.
fn compact(text: &str, today: DateTime) -> Option<DateTime> {
    let (digits, seconds) = text.split_once('.').unwrap_or((text, "0"));
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match digits.len() {
        8 => (today.year(), digits),
        10 => {
            let year: i16 = digits[..2].parse().ok()?;
            (if year < 69 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        12 => (digits[..4].parse().ok()?, &digits[4..]),
        _ => return None,
    };
    let two = |at: usize| rest[at..at + 2].parse::<i8>().ok();
    DateTime::new(year, two(0)?, two(2)?, two(4)?, two(6)?, seconds.parse().ok()?, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let now = Timestamp::from_second(1_704_164_645).unwrap();
        let read = |text: &str| parse_time(&Clock::utc(), text, now).map(|time| time.to_string());
        for (text, expected) in [
            ("@0", Some("1970-01-01T00:00:00Z")),
            ("2020-02-03 04:05:06", Some("2020-02-03T04:05:06Z")),
            ("2020-02-03", Some("2020-02-03T00:00:00Z")),
            ("04:05", Some("2024-01-02T04:05:00Z")),
            ("202002030405.06", Some("2020-02-03T04:05:06Z")),
            ("02030405", Some("2024-02-03T04:05:00Z")),
            ("nonsense", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
        assert_eq!(Clock::utc().format(now, "%a %b %e %H:%M:%S %Z %Y"), "Tue Jan  2 03:04:05 UTC 2024");
    }
}
