//! How flags are read that several programs have.

use std::time::Duration;

/// Reads `40`, `40s`, `5m` or `500ms`.
///
/// # Errors
/// When it is none of these.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("", 1.0)];
    let mut split = units.into_iter().filter_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let (number, unit) = split.next().unwrap_or((text, 1.0));
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is not a number of seconds, such as 40, 40s, 5m or 500ms"))?;
    Duration::try_from_secs_f64(number * unit).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds() {
        assert_eq!(seconds("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(seconds("5m"), Ok(Duration::from_secs(300)));
        assert!(seconds("soon").is_err() && seconds("-1").is_err());
    }
}
