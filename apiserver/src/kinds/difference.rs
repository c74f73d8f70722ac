//! What differs between two values of what may not change, for messages to show.

use serde::Serialize;
use similar::TextDiff;

/// What differs, as a unified diff of both written as JSON.
pub(super) fn of<T: Serialize>(old: &T, new: &T) -> String {
    let (old, new) = (pretty(old), pretty(new));
    TextDiff::from_lines(&old, &new).unified_diff().context_radius(3).to_string()
}

fn pretty(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    match value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter)) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned() + "\n",
        Err(error) => error.to_string(),
    }
}
