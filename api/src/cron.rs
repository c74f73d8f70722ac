//! Schedules as cron writes them: five fields, or a word such as `@hourly`; when they are due, and what is said of a text that is none.
//!
//! The grammar and the words are those of the parser upstream uses (robfig/cron's standard one), which no crate has: `7` is no Sunday, there
//! is no `L` and no year, `?` is `*`, and a step of more than one makes a `*` an ordinary range.

use jiff::{SignedDuration, Timestamp, ToSpan, Zoned, tz::TimeZone};

use crate::duration;

/// Why a text is no schedule, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

type Result<T, E = Error> = std::result::Result<T, E>;

/// When something is to happen, time and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Whose clock counts.
    zone: TimeZone,
    when: When,
}

#[derive(Clone, Debug, PartialEq)]
enum When {
    /// Again after this long; whole seconds.
    Every(SignedDuration),
    /// Whenever the clock shows it.
    At(Fields),
}

/// What the clock has to show: a bit for each number that will do.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fields {
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
    /// Whether the days of the month and of the week must both do, because one of them is any. Else one of them is enough.
    both_days: bool,
}

/// What one of the five fields may say.
struct Bounds {
    least: u32,
    most: u32,
    /// Names of numbers, the first that of `least`.
    names: &'static [&'static str],
}

/// Minute, hour, day of the month, month, day of the week.
const FIELDS: [Bounds; 5] = [
    Bounds { least: 0, most: 59, names: &[] },
    Bounds { least: 0, most: 23, names: &[] },
    Bounds { least: 1, most: 31, names: &[] },
    Bounds { least: 1, most: 12, names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] },
    Bounds { least: 0, most: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

/// Words for whole schedules.
const DESCRIPTORS: &[(&str, &str)] = &[
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A schedule that is not due within so many years never is.
const YEARS: i16 = 5;

impl Schedule {
    /// Reads a schedule. It goes by UTC, unless it begins with `TZ=` or `CRON_TZ=` and the name of a time zone.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self> {
        let (zone, text) = split_zone(text)?;
        if !text.starts_with('@') {
            return Ok(Self { zone, when: When::At(fields(text)?) });
        }
        if let Some((_, text)) = DESCRIPTORS.iter().find(|(word, _)| *word == text) {
            return Ok(Self { zone, when: When::At(fields(text)?) });
        }
        let Some(every) = text.strip_prefix("@every ") else { return Err(Error(format!("unrecognized descriptor: {text}"))) };
        let every = duration::nanoseconds(every).map_err(|error| Error(format!("failed to parse duration {text}: {error}")))?;
        let seconds = SignedDuration::from_nanos(every).as_secs();
        Ok(Self { zone, when: When::Every(SignedDuration::from_secs(seconds.max(1))) })
    }

    /// The same by the clocks of another zone.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// The first moment after `after` at which it is due, if there is one.
    ///
    /// What the clocks leave out in spring is not due that day, and what they show twice in autumn is due twice.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let second = Timestamp::from_second(after.as_second()).ok()?;
        match &self.when {
            When::Every(delay) => second.checked_add(*delay).ok(),
            When::At(fields) => {
                let mut at = second.checked_add(1.second()).ok()?.to_zoned(self.zone.clone());
                let last = at.year() + YEARS;
                while at.year() <= last {
                    match fields.later(&at) {
                        None => return Some(at.timestamp()),
                        Some(later) => at = later.ok()?,
                    }
                }
                None
            }
        }
    }
}

impl Fields {
    /// Where to look next, when it is not due at `at`: as far ahead as the first field that does not do allows.
    fn later(&self, at: &Zoned) -> Option<std::result::Result<Zoned, jiff::Error>> {
        let (minutes, seconds) = (i64::from(at.minute()), i64::from(at.second()));
        if !has(self.month, at.month()) {
            return Some(at.first_of_month().and_then(|first| first.checked_add(1.month())).and_then(|first| first.start_of_day()));
        }
        if !self.does_day(at) {
            return Some(at.tomorrow().and_then(|day| day.start_of_day()));
        }
        if !has(self.hour, at.hour()) {
            return Some(at.checked_add(SignedDuration::from_secs(3600 - 60 * minutes - seconds)));
        }
        if !has(self.minute, at.minute()) || seconds != 0 {
            return Some(at.checked_add(SignedDuration::from_secs(60 - seconds)));
        }
        None
    }

    fn does_day(&self, at: &Zoned) -> bool {
        let (month, week) = (has(self.day, at.day()), has(self.weekday, at.weekday().to_sunday_zero_offset()));
        if self.both_days { month && week } else { month || week }
    }
}

fn has(bits: u64, number: i8) -> bool {
    bits >> number & 1 == 1
}

/// The zone a schedule begins with, and the rest.
fn split_zone(text: &str) -> Result<(TimeZone, &str)> {
    let Some(rest) = ["TZ=", "CRON_TZ="].iter().find_map(|prefix| text.strip_prefix(prefix)) else { return Ok((TimeZone::UTC, text)) };
    let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    match TimeZone::get(name) {
        Ok(zone) => Ok((zone, rest.trim())),
        Err(_) => Err(Error(format!("provided bad location {name}: unknown time zone {name}"))),
    }
}

fn fields(text: &str) -> Result<Fields> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else {
        return Err(Error(format!("expected exactly {} fields, found {}: [{}]", FIELDS.len(), fields.len(), fields.join(" "))));
    };
    let [minutes, hours, days, months, weekdays] = &FIELDS;
    let (minute, hour) = (field(minute, minutes)?, field(hour, hours)?);
    let (day, month, weekday) = (field(day, days)?, field(month, months)?, field(weekday, weekdays)?);
    let both_days = day.any || weekday.any;
    Ok(Fields { minute: minute.bits, hour: hour.bits, day: day.bits, month: month.bits, weekday: weekday.bits, both_days })
}

/// The numbers a field names.
#[derive(Default)]
struct Numbers {
    bits: u64,
    /// Whether it says that any will do, which is not the same as naming them all.
    any: bool,
}

fn field(text: &str, bounds: &Bounds) -> Result<Numbers> {
    let mut all = Numbers::default();
    for text in text.split(',').filter(|range| !range.is_empty()) {
        let Numbers { bits, any } = range(text, bounds)?;
        all = Numbers { bits: all.bits | bits, any: all.any || any };
    }
    Ok(all)
}

/// One range of a field: `*`, `5`, `1-5`, `mon-fri`, each perhaps with a step: `*/15`.
fn range(text: &str, bounds: &Bounds) -> Result<Numbers> {
    let steps: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = steps[0].split('-').collect();
    let (start, mut end) = match ends.as_slice() {
        ["*" | "?", ..] => (bounds.least, bounds.most),
        [start] => number_or_name(start, bounds).map(|start| (start, start))?,
        [start, end] => (number_or_name(start, bounds)?, number_or_name(end, bounds)?),
        _ => return Err(Error(format!("too many hyphens: {text}"))),
    };
    let step = match steps.as_slice() {
        [_] => 1,
        [_, step] => number(step)?,
        _ => return Err(Error(format!("too many slashes: {text}"))),
    };
    if steps.len() == 2 && ends.len() == 1 {
        end = bounds.most;
    }
    if start < bounds.least {
        return Err(Error(format!("beginning of range ({start}) below minimum ({}): {text}", bounds.least)));
    }
    if end > bounds.most {
        return Err(Error(format!("end of range ({end}) above maximum ({}): {text}", bounds.most)));
    }
    if start > end {
        return Err(Error(format!("beginning of range ({start}) beyond end of range ({end}): {text}")));
    }
    let Ok(step @ 1..) = usize::try_from(step) else {
        return Err(Error(format!("step of range should be a positive number: {text}")));
    };
    let bits = (start..=end).step_by(step).fold(0, |bits, number| bits | 1 << number);
    Ok(Numbers { bits, any: matches!(ends[0], "*" | "?") && step == 1 })
}

fn number_or_name(text: &str, bounds: &Bounds) -> Result<u32> {
    let lower = text.to_lowercase();
    let named = (bounds.least..).zip(bounds.names).find(|(_, name)| **name == lower);
    named.map_or_else(|| number(text), |(number, _)| Ok(number))
}

fn number(text: &str) -> Result<u32> {
    let number: i64 =
        text.parse().map_err(|_| Error(format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax")))?;
    u32::try_from(number).map_err(|_| Error(format!("negative number ({number}) not allowed: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ones() {
        for schedule in [
            "* * * * *",
            "*/15 0-5,8 ? jan-mar MON",
            "  5  4 * * 0 ",
            "5/10 * 1,15 * 1-5/2",
            "@hourly",
            "@every 1h30m",
            "@every 1.5s",
            "TZ=UTC 0 * * * *",
            "CRON_TZ=Asia/Tokyo @daily",
        ] {
            assert!(Schedule::parse(schedule).is_ok(), "{schedule}");
        }
    }

    #[test]
    fn bad_ones() {
        for (schedule, want) in [
            ("every day", "expected exactly 5 fields, found 2: [every day]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * * * 7", "end of range (7) above maximum (6): 7"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            ("x * * * *", "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax"),
            ("@often", "unrecognized descriptor: @often"),
            ("@every x", "failed to parse duration @every x: time: invalid duration \"x\""),
            ("@every 5", "failed to parse duration @every 5: time: missing unit in duration \"5\""),
            ("@every 5y", "failed to parse duration @every 5y: time: unknown unit \"y\" in duration \"5y\""),
            ("TZ=Mars/Base * * * * *", "provided bad location Mars/Base: unknown time zone Mars/Base"),
        ] {
            assert_eq!(Schedule::parse(schedule), Err(Error(want.to_owned())), "{schedule}");
        }
    }

    /// The next moments after one, as far as they fit on a line.
    fn after(schedule: &str, from: &str, times: usize) -> String {
        let schedule = Schedule::parse(schedule).unwrap();
        let due = std::iter::successors(schedule.next(from.parse().unwrap()), |at| schedule.next(*at));
        due.take(times).map(|at| at.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn when_they_are_due() {
        for (schedule, from, want) in [
            ("* * * * *", "2026-02-28T23:58:59.9Z", "2026-02-28T23:59:00Z 2026-03-01T00:00:00Z"),
            ("*/15 * * * *", "2026-01-01T09:45:00Z", "2026-01-01T10:00:00Z 2026-01-01T10:15:00Z"),
            ("20-35/15 * * * *", "2026-01-01T09:00:00Z", "2026-01-01T09:20:00Z 2026-01-01T09:35:00Z"),
            ("5/40 22 * * *", "2026-01-01T22:10:00Z", "2026-01-01T22:45:00Z 2026-01-02T22:05:00Z"),
            ("@hourly", "2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z 2026-01-01T11:00:00Z"),
            ("@weekly", "2026-11-21T09:00:00Z", "2026-11-22T00:00:00Z 2026-11-29T00:00:00Z"),
            ("@yearly", "2026-11-21T09:00:00Z", "2027-01-01T00:00:00Z 2028-01-01T00:00:00Z"),
            ("@every 90s", "2026-01-01T00:00:00.7Z", "2026-01-01T00:01:30Z 2026-01-01T00:03:00Z"),
            ("@every 0.2s", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z 2026-01-01T00:00:02Z"),
            // A day of the month or of the week is enough, unless one of them is any.
            ("0 0 13 * FRI", "2026-02-10T00:00:00Z", "2026-02-13T00:00:00Z 2026-02-20T00:00:00Z"),
            ("0 0 13 * *", "2026-02-10T00:00:00Z", "2026-02-13T00:00:00Z 2026-03-13T00:00:00Z"),
            ("0 0 ? * MON", "2026-02-10T00:00:00Z", "2026-02-16T00:00:00Z 2026-02-23T00:00:00Z"),
            // With a step, any is a range like others.
            ("0 0 */31 * MON", "2026-02-10T00:00:00Z", "2026-02-16T00:00:00Z 2026-02-23T00:00:00Z"),
            ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z"),
            ("0 0 31 2 *", "2026-01-01T00:00:00Z", ""),
        ] {
            assert_eq!(after(schedule, from, 2), want, "{schedule}");
        }
    }

    #[test]
    fn clocks_that_are_changed() {
        // 02:00 to 03:00 is left out on 29 March and shown twice on 25 October.
        for (schedule, from, want) in [
            ("TZ=Europe/Berlin 30 2 * * *", "2026-03-28T00:00:00Z", "2026-03-28T01:30:00Z 2026-03-30T00:30:00Z"),
            ("TZ=Europe/Berlin 30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z"),
            ("TZ=Europe/Berlin @daily", "2026-03-28T12:00:00Z", "2026-03-28T23:00:00Z 2026-03-29T22:00:00Z"),
            ("TZ=Asia/Kolkata 0 9 * * *", "2026-01-01T00:00:00Z", "2026-01-01T03:30:00Z 2026-01-02T03:30:00Z"),
        ] {
            assert_eq!(after(schedule, from, 2), want, "{schedule}");
        }
        let here = Schedule::parse("0 9 * * *").unwrap().in_zone(TimeZone::get("Asia/Tokyo").unwrap());
        assert_eq!(here.next(Timestamp::UNIX_EPOCH), Some("1970-01-02T00:00:00Z".parse().unwrap()));
    }
}
