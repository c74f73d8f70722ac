//! Numbers as people write them.

use std::time::Duration;

/// Bytes for people: `612`, `4.0K`, `1.5M`.
pub(crate) fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let (mut whole, mut fraction, mut unit) = (bytes, 0, 0);
    while whole >= 1024 && unit < 6 {
        fraction = (whole % 1024 * 10 + 512) / 1024;
        whole /= 1024;
        unit += 1;
    }
    if fraction >= 10 {
        (whole, fraction) = (whole + 1, 0);
    }
    format!("{whole}.{fraction}{}", ["", "K", "M", "G", "T", "P", "E"][unit])
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A number with a unit: `512`, `1k`, `2M`, `3b` of 512.
pub(crate) fn suffixed(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().ok()?;
    let unit = match &text[end..] {
        "" | "c" => 1,
        "w" => 2,
        "b" => 512,
        "kB" | "kD" => 1000,
        "k" | "K" | "KiB" => 1 << 10,
        "m" | "M" | "MiB" => 1 << 20,
        "MB" | "MD" => 1_000_000,
        "g" | "G" | "GiB" => 1 << 30,
        "GB" => 1_000_000_000,
        "t" | "T" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// A time: `5`, `0.5`, `2m`, `1h`, `1d`, `infinity`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    const FOREVER: f64 = 3.0e9;
    if matches!(text, "inf" | "infinity") {
        return Some(Duration::from_secs_f64(FOREVER));
    }
    let (number, unit) = match text.chars().last()? {
        's' => (&text[..text.len() - 1], 1.0),
        'm' => (&text[..text.len() - 1], 60.0),
        'h' => (&text[..text.len() - 1], 3600.0),
        'd' => (&text[..text.len() - 1], 86400.0),
        _ => (text, 1.0),
    };
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let seconds: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64((seconds * unit).min(FOREVER)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        for (bytes, expected) in
            [(0, "0"), (1023, "1023"), (1024, "1.0K"), (1536, "1.5K"), (4096, "4.0K"), (1_048_575, "1024.0K"), (5 << 30, "5.0G")]
        {
            assert_eq!(human(bytes), expected);
        }
        assert_eq!([suffixed("2k"), suffixed("3b"), suffixed("x"), suffixed("1Q")], [Some(2048), Some(1536), None, None]);
        assert_eq!(
            [duration("0.5"), duration("2m"), duration("-1"), duration("")],
            [Some(Duration::from_millis(500)), Some(Duration::from_secs(120)), None, None]
        );
    }
}
