//! What is not set, as Go's API types see it: they cannot tell an absent string, number or flag from an empty one, so neither
//! may the rules that follow them. Knows no kind.

/// The string, empty if absent.
pub(super) fn text(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or_default()
}

/// Sets a string that is absent or empty.
pub(super) fn default_text(field: &mut Option<String>, value: &str) {
    if text(field).is_empty() {
        *field = Some(value.to_owned());
    }
}

/// Sets a number that is absent or zero.
pub(super) fn default_number(field: &mut Option<i32>, value: i32) {
    if field.unwrap_or_default() == 0 {
        *field = Some(value);
    }
}

/// Whether a flag is set.
pub(super) fn flag(field: Option<bool>) -> bool {
    field.unwrap_or_default()
}

/// The list, empty if absent.
pub(super) fn list<T>(field: &Option<Vec<T>>) -> &[T] {
    field.as_deref().unwrap_or_default()
}

/// The list to change, empty if absent.
pub(super) fn list_mut<T>(field: &mut Option<Vec<T>>) -> &mut [T] {
    field.as_deref_mut().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_absent() {
        let mut name = Some(String::new());
        default_text(&mut name, "a");
        default_text(&mut name, "b");
        assert_eq!(name.as_deref(), Some("a"));
        let mut seconds = Some(0);
        default_number(&mut seconds, 3);
        default_number(&mut seconds, 4);
        assert_eq!(seconds, Some(3));
        assert!(list::<i32>(&None).is_empty());
        assert!(!flag(None));
    }
}
