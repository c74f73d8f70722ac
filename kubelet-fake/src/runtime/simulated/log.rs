//! What simulated containers write, and choosing from it.
//!
//! Must not know: who asks.

use bytes::Bytes;
use jiff::Timestamp;

use super::{Exit, LogOptions};

/// A line and the moment it was written.
pub(super) type Line = (Timestamp, String);

/// The line a container writes when it starts.
pub(super) fn started(at: Timestamp, image: &str, command: &[String]) -> Line {
    let command = if command.is_empty() { String::new() } else { format!(", command {command:?}") };
    (at, format!("started {image}{command}"))
}

/// The line a container writes when it ends.
pub(super) fn ended(exit: &Exit) -> Line {
    (exit.finished, format!("exited with code {}", exit.code))
}

/// The wanted part of some lines.
pub(super) fn select(lines: &[Line], options: &LogOptions) -> Bytes {
    let wanted: Vec<&Line> = lines.iter().filter(|(at, _)| options.since.is_none_or(|since| *at >= since)).collect();
    let skip = options.tail.map_or(0, |tail| wanted.len().saturating_sub(tail));
    let mut text = String::new();
    for (at, line) in &wanted[skip..] {
        if options.timestamps {
            text.push_str(&format!("{at:.9} "));
        }
        text.push_str(line);
        text.push('\n');
    }
    let mut bytes = Bytes::from(text);
    if let Some(limit) = options.limit {
        bytes.truncate(limit);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selection() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let lines = [(at(1), "a".to_owned()), (at(2), "b".to_owned()), (at(3), "c".to_owned())];
        let text = |options| select(&lines, &options);
        assert_eq!(text(LogOptions::default()), "a\nb\nc\n");
        assert_eq!(text(LogOptions { tail: Some(1), ..LogOptions::default() }), "c\n");
        assert_eq!(text(LogOptions { since: Some(at(2)), ..LogOptions::default() }), "b\nc\n");
        assert_eq!(text(LogOptions { limit: Some(3), ..LogOptions::default() }), "a\nb");
        assert_eq!(text(LogOptions { tail: Some(1), timestamps: true, ..LogOptions::default() }), "1970-01-01T00:00:03.000000000Z c\n");
    }
}
