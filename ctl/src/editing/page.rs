//! What a person sees in the editor, and what is read from it: the remarks above the objects, and the comparison without them.

use serde_json::Value;

use crate::{manifest::documents, value::text};

/// Why the editor is opened again: a sentence, and details.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) head: String,
    pub(super) details: Vec<String>,
}

/// The first lines when objects are edited.
pub(super) const OBJECTS: &str = "\
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
";

/// The first lines when it is edited what was last applied.
pub(super) const LAST_APPLIED: &str = "\
# Please edit the 'last-applied-configuration' annotations below.
# Lines beginning with a '#' will be ignored, and an empty file will abort the edit.
#
";

/// The lines above the objects.
pub(super) fn header(first: &str, reasons: &[Reason]) -> String {
    let mut header = first.to_owned();
    let remark = |text: &str| text.replace('\n', "\n# ");
    for Reason { head, details } in reasons {
        let colon = if details.is_empty() { "" } else { ":" };
        header += &format!("# {}{colon}\n", remark(head));
        header.extend(details.iter().map(|detail| format!("# * {}\n", remark(detail))));
        header += "#\n";
    }
    header
}

/// The text without lines that are remarks.
pub(super) fn without_remarks(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.trim().starts_with('#')).collect()
}

/// Whether the texts say the same, remarks apart.
pub(super) fn same(a: &str, b: &str) -> bool {
    match (documents(a), documents(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => without_remarks(a) == without_remarks(b),
    }
}

/// Whether there is any line that is no remark.
pub(super) fn has_lines(text: &str) -> bool {
    text.lines().any(|line| !line.is_empty() && !line.starts_with('#'))
}

/// That the text can be an object at all, which is looked at before anything is sent.
///
/// # Errors
/// What it lacks.
pub(super) fn validate(edited: &str) -> Result<(), String> {
    let values = documents(&without_remarks(edited))?;
    let Some(object @ Value::Object(_)) = values.first() else {
        return Err("invalid object to validate".into());
    };
    let missing: Vec<String> = ["apiVersion", "kind"]
        .into_iter()
        .filter(|field| text(&object[field]).is_empty())
        .map(|field| format!("{field} not set"))
        .collect();
    match missing.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        both => Err(format!("[{}]", both.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_above_the_objects() {
        let reasons = [
            Reason { head: "pods \"a\" was not valid".into(), details: vec!["spec: Required value".into(), "x:\ny".into()] },
            Reason { head: "The edited file had a syntax error: no".into(), details: vec![] },
        ];
        let expected =
            "#\n# pods \"a\" was not valid:\n# * spec: Required value\n# * x:\n# y\n#\n# The edited file had a syntax error: no\n#\n";
        assert_eq!(header("#\n", &reasons), expected);
    }

    #[test]
    fn remarks_are_not_compared() {
        assert!(same("# one\na: 1\n", "a:  1 # two\n"));
        assert!(!same("a: 1\n", "a: 2\n"));
        assert!(same("# one\na: b: c\n", "  # two\na: b: c\n"));
        assert!(!has_lines("# one\n\n"));
    }

    #[test]
    fn what_cannot_be_an_object_is_told_at_once() {
        for (edited, expected) in [
            ("apiVersion: v1\nkind: Pod\n", Ok(())),
            ("# kind: Pod\n", Err("invalid object to validate")),
            ("apiVersion: v1\n", Err("kind not set")),
            ("a: b\n", Err("[apiVersion not set, kind not set]")),
        ] {
            assert_eq!(validate(edited), expected.map_err(str::to_owned), "{edited}");
        }
    }
}
