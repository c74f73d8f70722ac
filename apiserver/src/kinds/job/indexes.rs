//! Sets of indexes as a Job's status and success policy write them: `1,3-5,7`. Knows no kind.

/// The intervals of a set, in order, all below `limit`.
///
/// # Errors
/// Upstream's words for what is wrong with the text.
pub(super) fn parse(text: &str, limit: i32) -> Result<Vec<(i32, i32)>, String> {
    let mut intervals: Vec<(i32, i32)> = Vec::new();
    for fragment in text.split(',').filter(|_| !text.is_empty()) {
        let (first, last) = interval(fragment, limit)?;
        if let Some((_, previous)) = intervals.last().filter(|(_, previous)| *previous >= first) {
            return Err(out_of_order(*previous, first));
        }
        intervals.push((first, last));
    }
    Ok(intervals)
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

/// How many indexes the intervals hold.
pub(super) fn count(intervals: &[(i32, i32)]) -> i32 {
    intervals.iter().map(|(first, last)| last - first + 1).sum()
}

/// The first index that is in both sets.
pub(super) fn overlap(a: &[(i32, i32)], b: &[(i32, i32)]) -> Option<i32> {
    let common = a.iter().flat_map(|a| b.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
    common.filter(|(first, last)| first <= last).map(|(first, _)| first).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        assert_eq!(parse("", 1), Ok(vec![]));
        assert_eq!(parse("1,3-5,7", 8), Ok(vec![(1, 1), (3, 5), (7, 7)]));
        assert_eq!(count(&parse("1,3-5,7", 8).unwrap()), 5);
        assert_eq!(overlap(&[(0, 2), (5, 9)], &[(3, 4), (7, 8)]), Some(7));
        assert_eq!(overlap(&[(0, 2)], &[(3, 4)]), None);
        for (text, want) in [
            ("8", "too large index: \"8\""),
            ("a", "cannot convert string to integer for index: \"a\""),
            ("3,2", "non-increasing order, previous: 3, current: 2"),
            ("3-3", "non-increasing order, previous: 3, current: 3"),
            ("1-2-3", "the fragment \"1-2-3\" violates the requirement that an index interval can have at most two parts separated by '-'"),
        ] {
            assert_eq!(parse(text, 8), Err(want.to_owned()));
        }
    }
}
