//! Label selectors, as kubectl writes them.

use mini_api::selector::Selector;
use serde_json::Value;

use super::page::none_if_empty;
use crate::value::strings;

/// A label selector: `app=web,tier in (a,b)`, ordered by key; empty if it selects by nothing. It is also the query for what it
/// selects.
pub(super) fn query(selector: &Value) -> String {
    let read = serde_json::from_value(selector.clone()).ok();
    read.and_then(|selector| Selector::from_label_selector(&selector).ok()).unwrap_or_default().to_string()
}

/// The same, but `<none>` if it selects by nothing.
pub(super) fn selector(selector: &Value) -> String {
    none_if_empty(query(selector))
}

/// A plain map of labels on one line: `a=b,c=d`, or `<none>`.
pub(super) fn labels(labels: &Value) -> String {
    none_if_empty(labels_query(labels))
}

/// A plain map of labels as the query for what carries them.
pub(super) fn labels_query(labels: &Value) -> String {
    let mut parts: Vec<String> = strings(labels).map(|(key, value)| format!("{key}={value}")).collect();
    parts.sort_unstable();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_are_ordered_by_key() {
        let value = json!({"matchLabels": {"b": "1"}, "matchExpressions": [
            {"key": "c", "operator": "DoesNotExist"}, {"key": "a", "operator": "In", "values": ["y", "x"]},
            {"key": "B", "operator": "Exists"}, {"key": "n", "operator": "NotIn", "values": ["q"]}]});
        assert_eq!(selector(&value), "B,a in (x,y),b=1,!c,n notin (q)");
        assert_eq!((selector(&json!({})), query(&json!({}))), ("<none>".to_owned(), String::new()));
    }

    #[test]
    fn maps_are_ordered_by_what_is_printed() {
        assert_eq!(labels(&json!({"a": "1", "a-b": "2"})), "a-b=2,a=1");
        assert_eq!(labels(&Value::Null), "<none>");
    }
}
