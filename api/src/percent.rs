//! "25%" or 3: a share of a total, or a plain number.
//!
//! Deployments, DaemonSets and disruption budgets all say how many pods may be missing or extra in this way.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Why an int-or-percent has no value. Texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// A string that does not end in `%`.
    #[error("invalid value for IntOrString: invalid type: string is not a percentage")]
    NotPercent,
    /// What stands before the `%` is no number; carries the whole string and that part.
    #[error("invalid value for IntOrString: invalid value {0:?}: strconv.Atoi: parsing {1:?}: invalid syntax")]
    NotNumber(String, String),
}

/// The number meant by `value` out of `total`. Percentages are rounded up or down as told; a plain number is
/// itself, whatever the total.
pub fn scaled(value: &IntOrString, total: i32, round_up: bool) -> Result<i32, PercentError> {
    let percent = match value {
        IntOrString::Int(number) => return Ok(*number),
        IntOrString::String(text) => parse(text)?,
    };
    let hundredfold = i64::from(percent) * i64::from(total);
    let mut share = hundredfold.div_euclid(100);
    if round_up && hundredfold.rem_euclid(100) != 0 {
        share += 1;
    }
    Ok(share.clamp(i32::MIN.into(), i32::MAX.into()) as i32)
}

/// The number before the `%` of a percentage such as `"25%"`.
pub fn parse(text: &str) -> Result<i32, PercentError> {
    let number = text.strip_suffix('%').ok_or(PercentError::NotPercent)?;
    number.parse().map_err(|_| PercentError::NotNumber(text.to_owned(), number.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(s: &str) -> IntOrString {
        IntOrString::String(s.to_owned())
    }

    #[test]
    fn shares() {
        for (value, total, up, want) in [
            (IntOrString::Int(3), 10, true, 3),
            (IntOrString::Int(-3), 10, true, -3),
            (text("25%"), 10, true, 3),
            (text("25%"), 10, false, 2),
            (text("25%"), 8, true, 2),
            (text("0%"), 8, true, 0),
            (text("100%"), 7, false, 7),
            (text("150%"), 2, true, 3),
            (text("2147483647%"), i32::MAX, true, i32::MAX),
        ] {
            assert_eq!(scaled(&value, total, up), Ok(want), "{value:?} of {total}");
        }
    }

    #[test]
    fn errors_are_worded_as_upstream() {
        let error = |s| scaled(&text(s), 1, true).unwrap_err().to_string();
        assert_eq!(error("3"), "invalid value for IntOrString: invalid type: string is not a percentage");
        assert_eq!(error("2x%"), r#"invalid value for IntOrString: invalid value "2x%": strconv.Atoi: parsing "2x": invalid syntax"#);
    }
}
