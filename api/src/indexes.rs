//! Sets of indexes as a Job's status and success policy write them: `1,3-5,7`.

use std::fmt;

/// A set of indexes, kept as intervals: a million indexes of which few are missing are few intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indexes {
    /// First and last of each, in order; between any two there is a gap.
    intervals: Vec<(i32, i32)>,
}

impl Indexes {
    /// Reads a set whose indexes are all below `limit`.
    ///
    /// # Errors
    /// Upstream's words for what is wrong with the text.
    pub fn parse(text: &str, limit: i32) -> Result<Self, String> {
        let mut previous: Option<i32> = None;
        let mut found = Self::default();
        for fragment in text.split(',').filter(|_| !text.is_empty()) {
            let (first, last) = interval(fragment, limit)?;
            if let Some(previous) = previous.filter(|previous| *previous >= first) {
                return Err(out_of_order(previous, first));
            }
            previous = Some(last);
            found.push((first, last));
        }
        Ok(found)
    }

    /// Reads what there is below `limit` of a set, which may be of a time when the limit was higher. What cannot be read is left out.
    #[must_use]
    pub fn below(text: &str, limit: i32) -> Self {
        let mut found = Self::default();
        for fragment in text.split(',') {
            let (first, last) = fragment.split_once('-').unwrap_or((fragment, fragment));
            if let (Ok(first), Ok(last)) = (first.parse(), last.parse::<i32>())
                && first < limit
            {
                found.push((first, last.min(limit - 1)));
            }
        }
        found
    }

    /// Adds an interval that begins no earlier than the last one.
    fn push(&mut self, (first, last): (i32, i32)) {
        match self.intervals.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => self.intervals.push((first, last)),
        }
    }

    /// The indexes of both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all: Vec<_> = self.intervals.iter().chain(&other.intervals).copied().collect();
        all.sort_unstable();
        let mut union = Self::default();
        all.into_iter().for_each(|interval| union.push(interval));
        union
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> i32 {
        self.intervals.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// Whether this index is among them.
    #[must_use]
    pub fn has(&self, index: i32) -> bool {
        let at = self.intervals.partition_point(|(_, last)| *last < index);
        self.intervals.get(at).is_some_and(|(first, _)| *first <= index)
    }

    /// The indexes that are in both sets.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        let (mut ours, mut theirs) = (self.intervals.iter().peekable(), other.intervals.iter().peekable());
        let mut common = Self::default();
        while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                common.push((first, last));
            }
            if a.1 <= b.1 {
                ours.next()
            } else {
                theirs.next()
            };
        }
        common
    }

    /// The least of them.
    #[must_use]
    pub fn first(&self) -> Option<i32> {
        self.intervals.first().map(|(first, _)| *first)
    }

    /// The indexes below `limit` that are not among them, in order.
    pub fn missing(&self, limit: i32) -> impl Iterator<Item = i32> {
        let starts = std::iter::once(0).chain(self.intervals.iter().map(|(_, last)| last.saturating_add(1)));
        let ends = self.intervals.iter().map(|(first, _)| *first).chain([limit]);
        starts.zip(ends).flat_map(move |(start, end)| start..end.min(limit))
    }
}

impl FromIterator<i32> for Indexes {
    fn from_iter<I: IntoIterator<Item = i32>>(indexes: I) -> Self {
        let mut all: Vec<i32> = indexes.into_iter().collect();
        all.sort_unstable();
        let mut found = Self::default();
        all.into_iter().for_each(|index| found.push((index, index)));
        found
    }
}

/// As upstream writes them: two neighbours are no interval.
impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.intervals.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                1 => write!(f, "{comma}{first},{last}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

fn interval(fragment: &str, limit: i32) -> Result<(i32, i32), String> {
    let limits: Vec<&str> = fragment.split('-').collect();
    if limits.len() > 2 {
        return Err(format!(
            "the fragment {fragment:?} violates the requirement that an index interval can have at most two parts separated by '-'"
        ));
    }
    let number = |text: &str| -> Result<i32, String> {
        let number: i64 = text.parse().map_err(|_| format!("cannot convert string to integer for index: {text:?}"))?;
        i32::try_from(number).ok().filter(|number| *number < limit).ok_or_else(|| format!("too large index: {text:?}"))
    };
    let first = number(limits[0])?;
    let Some(last) = limits.get(1) else { return Ok((first, first)) };
    let last = number(last)?;
    if first >= last { Err(out_of_order(first, last)) } else { Ok((first, last)) }
}

fn out_of_order(previous: i32, current: i32) -> String {
    format!("non-increasing order, previous: {previous}, current: {current}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Indexes {
        Indexes::parse(text, i32::MAX).unwrap()
    }

    #[test]
    fn sets() {
        assert!(set("").is_empty());
        assert_eq!(set("1,3-5,7").intervals, [(1, 1), (3, 5), (7, 7)]);
        assert_eq!(set("0,1,2").intervals, [(0, 2)]);
        assert_eq!(set("1,3-5,7").count(), 5);
        assert_eq!(set("0-2,5-9").common(&set("3-4,7-8")).first(), Some(7));
        assert_eq!(set("0-2").common(&set("3-4")).first(), None);
        for (text, want) in [
            ("8", "too large index: \"8\""),
            ("a", "cannot convert string to integer for index: \"a\""),
            ("3,2", "non-increasing order, previous: 3, current: 2"),
            ("3-3", "non-increasing order, previous: 3, current: 3"),
            ("1-2-3", "the fragment \"1-2-3\" violates the requirement that an index interval can have at most two parts separated by '-'"),
        ] {
            assert_eq!(Indexes::parse(text, 8), Err(want.to_owned()));
        }
    }

    #[test]
    fn they_grow() {
        for (a, b, want) in [("", "", ""), ("", "3", "3"), ("0-2,5", "3-4", "0-5"), ("1", "2", "1,2"), ("7-9", "0,8", "0,7-9")] {
            assert_eq!(set(a).union(&set(b)).to_string(), want);
            assert_eq!(set(b).union(&set(a)).to_string(), want);
        }
        assert_eq!([4, 0, 2, 1, 4].into_iter().collect::<Indexes>().to_string(), "0-2,4");
    }

    #[test]
    fn what_is_in_them() {
        let some = set("1,3-5");
        let within: Vec<i32> = (0..8).filter(|index| some.has(*index)).collect();
        assert_eq!(within, [1, 3, 4, 5]);
        assert_eq!(some.missing(8).collect::<Vec<_>>(), [0, 2, 6, 7]);
        assert_eq!(some.missing(4).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(set("").missing(2).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn a_smaller_job_forgets() {
        for (text, limit, want) in [("0-4,6", 3, "0-2"), ("0,2", 1, "0"), ("x,1", 5, "1"), ("", 5, "")] {
            assert_eq!(Indexes::below(text, limit).to_string(), want);
        }
    }
}
