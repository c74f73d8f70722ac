//! The page of a LimitRange.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Describer, View, events, nothing_else,
    page::{Page, quantity},
};
use crate::value::{list, text};

pub(super) const DESCRIBER: Describer =
    Describer { group: "", kind: "LimitRange", related: nothing_else, events: events::none, render };

const COLUMNS: [&str; 5] = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"];

fn render(view: &View<'_>, page: &mut Page) {
    page.identity(view.object);
    page.line(0, "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio");
    page.line(0, "----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
    limits(page, view.object, "");
}

/// The rows of the table, one for each resource of each limit.
pub(super) fn limits(page: &mut Page, range: &Value, indent: &str) {
    for limit in list(&range["spec"]["limits"]) {
        let of = |column: &str| limit[column].as_object().into_iter().flatten();
        let resources: BTreeSet<&String> = COLUMNS.iter().flat_map(|column| of(column)).map(|(resource, _)| resource).collect();
        for resource in resources {
            let cell = |column: &&str| match &limit[*column][resource] {
                Value::Null => "-".to_owned(),
                value => quantity(value),
            };
            let cells: Vec<String> = COLUMNS.iter().map(cell).collect();
            page.line(0, &format!("{indent}{}\t{resource}\t{}", text(&limit["type"]), cells.join("\t")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// What kubectl 1.32 printed of our own server's object.
    #[test]
    fn as_kubectl_prints_it() {
        let range = json!({"metadata": {"name": "limits", "namespace": "small"}, "spec": {"limits": [
            {"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"}, "min": {"cpu": "10m"}, "max": {"cpu": "1"}, "maxLimitRequestRatio": {"cpu": "10"}},
            {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}}]}});
        assert_eq!(
            described(&DESCRIBER, &range, Vec::new(), &[]),
            "\
Name:                  limits
Namespace:             small
Type                   Resource  Min  Max  Default Request  Default Limit  Max Limit/Request Ratio
----                   --------  ---  ---  ---------------  -------------  -----------------------
Container              cpu       10m  1    100m             500m           10
PersistentVolumeClaim  storage   1Gi  -    -                -              -
"
        );
    }
}
