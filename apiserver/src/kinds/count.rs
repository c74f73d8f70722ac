//! Counts: plain ones, and those that may be a share of all instead. Knows no kind.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mini_api::{name, percent};
use serde::Serialize;

use super::field::{Errors, Path};

/// A count must not be below zero.
pub(super) fn not_negative<N: Copy + Default + PartialOrd + Serialize>(number: Option<N>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(number) = number.filter(|number| *number < N::default()) {
        errors.invalid(path, number, "must be greater than or equal to 0");
    }
}

/// None of these counts, which are fields of what is at `path`, may be below zero.
pub(super) fn none_negative(counts: &[(&str, Option<i32>)], path: &Path<'_>, errors: &mut Errors) {
    for (field, count) in counts {
        not_negative(*count, &path.child(field), errors);
    }
}

/// None of these counts may be above that of all, which is called `whole`.
pub(super) fn none_above(counts: &[(&str, Option<i32>)], all: i32, whole: &str, path: &Path<'_>, errors: &mut Errors) {
    for (field, count) in counts {
        if let Some(count) = count.filter(|count| *count > all) {
            errors.invalid(&path.child(field), count, &format!("cannot be greater than {whole}"));
        }
    }
}

/// A count only grows.
pub(super) fn not_decremented(new: Option<i32>, old: Option<i32>, path: &Path<'_>, errors: &mut Errors) {
    if old.is_some_and(|old| new.is_none_or(|new| new < old)) {
        errors.invalid(path, new.unwrap_or_default(), "cannot be decremented");
    }
}

/// A count, or a percentage.
pub(super) fn count_or_percent(value: &IntOrString, path: &Path<'_>, errors: &mut Errors) {
    match value {
        IntOrString::Int(number) => not_negative(Some(*number), path, errors),
        IntOrString::String(text) => errors.invalid_all(path, text, name::percent(text)),
    }
}

/// A percentage must not be of more than there is.
pub(super) fn at_most_all(value: &IntOrString, path: &Path<'_>, errors: &mut Errors) {
    if matches!(value, IntOrString::String(_)) && figure(value) > 100 {
        errors.invalid(path, value, "must not be greater than 100%");
    }
}

/// The number in a count or percentage, zero if there is none.
pub(super) fn figure(value: &IntOrString) -> i32 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::String(text) => percent::parse(text).ok().or_else(|| text.parse().ok()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(check: impl FnOnce(&Path<'_>, &mut Errors)) -> String {
        let mut errors = Errors::new();
        check(&Path::new("x"), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn shares() {
        let text = |text: &str| IntOrString::String(text.to_owned());
        assert_eq!(
            said(|path, errors| count_or_percent(&IntOrString::Int(-1), path, errors)),
            "x: Invalid value: -1: must be greater than or equal to 0"
        );
        assert_eq!(
            said(|path, errors| at_most_all(&text("101%"), path, errors)),
            "x: Invalid value: \"101%\": must not be greater than 100%"
        );
        assert_eq!(said(|path, errors| at_most_all(&IntOrString::Int(101), path, errors)), "");
        assert_eq!((figure(&text("7%")), figure(&text("7")), figure(&text("x"))), (7, 7, 0));
    }

    #[test]
    fn sums() {
        let counts = [("a", Some(2)), ("b", None), ("c", Some(-1))];
        assert_eq!(said(|path, errors| none_above(&counts, 1, "all", path, errors)), "x.a: Invalid value: 2: cannot be greater than all");
        assert_eq!(said(|path, errors| none_negative(&counts, path, errors)), "x.c: Invalid value: -1: must be greater than or equal to 0");
        assert_eq!(said(|path, errors| not_decremented(None, Some(1), path, errors)), "x: Invalid value: 0: cannot be decremented");
        assert_eq!(said(|path, errors| not_decremented(Some(1), None, path, errors)), "");
    }
}
