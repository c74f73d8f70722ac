//! From client-side to server-side apply: what kubectl has set so far, it owns from now on as one who applies, so that what is later
//! dropped from the file goes. Source: kubectl's `apply` and client-go's `csaupgrade`.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Map, Value, json};

use super::Apply;
use crate::{
    applying::SERVER_SIDE_MANAGER,
    error::Result,
    patch::LAST_APPLIED,
    selection::Target,
    server::{Call, warn},
    value::{list, text},
};

/// Who owns the annotation that says what was applied, when the server merges.
const ANNOTATION_MANAGER: &str = "kubectl-last-applied";

impl Apply<'_> {
    /// Takes over what was applied by this client before; that it cannot be done is no failure of what was applied.
    pub(super) async fn migrated(&self, target: &Target, object: &Value, applied: Value) -> Value {
        match self.migrate(target, object, &applied).await {
            Ok(Some(migrated)) => migrated,
            Ok(None) => applied,
            Err(error) => {
                warn(&format!("failed to migrate the object to server-side apply: {}", error.bare()));
                applied
            }
        }
    }

    async fn migrate(&self, target: &Target, object: &Value, applied: &Value) -> Result<Option<Value>> {
        let manager = self.args.writing.field_manager.as_deref().unwrap_or(SERVER_SIDE_MANAGER);
        let mut now = None;
        if let Some(annotation) = (manager == SERVER_SIDE_MANAGER).then(|| only_annotation(applied)).flatten() {
            let path = self.args.writing.query_as(&target.path(), ANNOTATION_MANAGER, &[]);
            let call = Call { method: Method::PATCH, path: &path, content_type: "application/apply-patch+yaml", body: &annotation };
            now = Some(self.applying.server.call(call).await?);
        }
        let current = now.as_ref().unwrap_or(applied);
        let Some(fields) = taken_over(&current["metadata"]["managedFields"], manager) else { return Ok(now) };
        let body = json!([
            {"op": "replace", "path": "/metadata/managedFields", "value": fields},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": current["metadata"]["resourceVersion"]},
        ]);
        let path = self.args.writing.query(&target.path(), manager, &[]);
        self.applying.server.call(Call { method: Method::PATCH, path: &path, content_type: "application/json-patch+json", body: &body }).await?;
        self.applying.server_side(target, object, self.args.force_conflicts).await.map(Some)
    }
}

/// The object with nothing but the annotation, if it has one that nobody applies.
fn only_annotation(applied: &Value) -> Option<Value> {
    let annotation = applied["metadata"]["annotations"][LAST_APPLIED].as_str()?;
    let entries = list(&applied["metadata"]["managedFields"]);
    if entries.iter().any(|entry| entry["operation"] == "Apply" && owns_annotation(entry)) {
        return None;
    }
    let mut metadata = json!({"name": applied["metadata"]["name"], "annotations": {LAST_APPLIED: annotation}});
    if applied["metadata"]["namespace"].is_string() {
        metadata["namespace"] = applied["metadata"]["namespace"].clone();
    }
    Some(json!({"apiVersion": applied["apiVersion"], "kind": applied["kind"], "metadata": metadata}))
}

fn owns_annotation(entry: &Value) -> bool {
    !entry["fieldsV1"]["f:metadata"]["f:annotations"][format!("f:{LAST_APPLIED}")].is_null()
}

/// The notes on who manages what, when all that clients applied belongs to `manager`; `None` if none of them did.
fn taken_over(entries: &Value, manager: &str) -> Option<Value> {
    let entries = list(entries);
    let updates = |entry: &&Value| entry["operation"] == "Update" && text(&entry["subresource"]).is_empty();
    let clients: BTreeSet<&str> = entries.iter().filter(updates).filter(|entry| owns_annotation(entry)).map(|entry| text(&entry["manager"])).collect();
    let is_client = |entry: &&Value| updates(entry) && clients.contains(text(&entry["manager"]));
    let applies = |entry: &&Value| entry["operation"] == "Apply" && entry["manager"] == *manager && text(&entry["subresource"]).is_empty();
    let first = entries.iter().find(is_client)?;
    let mut heir = entries.iter().find(applies).unwrap_or(first).clone();
    heir["manager"] = manager.into();
    heir["operation"] = "Apply".into();
    let version = heir["apiVersion"].clone();
    for entry in entries.iter().filter(is_client).filter(|entry| entry["apiVersion"] == version) {
        heir["fieldsV1"] = united(&heir["fieldsV1"], &entry["fieldsV1"]);
    }
    if let Some(annotations) = heir["fieldsV1"]["f:metadata"]["f:annotations"].as_object_mut() {
        annotations.remove(&format!("f:{LAST_APPLIED}"));
    }
    let others = entries.iter().filter(|entry| !is_client(entry) && !applies(entry)).cloned();
    Some(std::iter::once(heir).chain(others).collect())
}

/// The union of two sets of fields.
fn united(a: &Value, b: &Value) -> Value {
    let (Value::Object(a), Value::Object(b)) = (a, b) else { return if a.is_null() { b.clone() } else { a.clone() } };
    let mut all: Map<String, Value> = a.clone();
    for (key, inner) in b {
        let both = united(all.get(key).unwrap_or(&Value::Null), inner);
        all.insert(key.clone(), both);
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_applied_belongs_to_the_one_who_applies() {
        let annotation = format!("f:{LAST_APPLIED}");
        let entries = json!([
            {"manager": "kubectl", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:a": {}}}},
            {"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "v1",
                "fieldsV1": {"f:data": {"f:b": {}}, "f:metadata": {"f:annotations": {annotation: {}}}}},
            {"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:c": {}}}},
        ]);
        let taken = taken_over(&entries, "kubectl").unwrap();
        assert_eq!(list(&taken).len(), 2);
        assert_eq!(taken[0]["fieldsV1"], json!({"f:data": {"f:a": {}, "f:b": {}}, "f:metadata": {"f:annotations": {}}}));
        assert_eq!(taken[1]["manager"], "x");
        assert_eq!(taken_over(&json!([entries[0], entries[2]]), "kubectl"), None);
    }
}
