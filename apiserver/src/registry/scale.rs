//! The `scale` subresource: a number of replicas, whatever the kind.

use serde_json::{Value, json};

use super::{Call, Part, Patch, Registry, patch, tree, update::Change};
use crate::{
    cache::item::Item,
    error::{ApiError, Result},
    kinds::{
        Scale,
        field::{Errors, Path},
        subresource::SCALE,
    },
};

impl Registry {
    /// The Scale of an object.
    ///
    /// # Errors
    /// 404 when the object, or its kind's scale, is not there.
    pub async fn get_scale(&self, kind: usize, namespace: &str, name: &str) -> Result<Value> {
        let scale = self.table[kind].scale.ok_or_else(ApiError::no_resource)?;
        of(&*self.get(kind, namespace, name).await?, &scale)
    }

    /// Sets the number of replicas by a PUT of a Scale (`form` is `None`) or by a patch of one.
    ///
    /// # Errors
    /// As an update of the object itself.
    pub async fn set_scale(&self, call: &mut Call, name: &str, form: Option<Patch>, body: &[u8]) -> Result<Value> {
        let scale = self.table[call.kind].scale.ok_or_else(ApiError::no_resource)?;
        let item = self.get(call.kind, &call.namespace, name).await?;
        let before = of(&item, &scale)?;
        let after = match form {
            None | Some(Patch::Apply { .. }) => serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))?,
            Some(Patch::Json) => patch::json(&before, body)?,
            Some(Patch::Merge | Patch::Strategic) => patch::merge(&before, body)?,
        };
        let replicas = match &after["spec"]["replicas"] {
            Value::Null => 0,
            Value::Number(number) => number.as_i64().unwrap_or(i64::MIN),
            _ => return Err(ApiError::bad_request("Scale in version \"v1\" cannot be handled as a Scale: spec.replicas is not a number")),
        };
        let mut errors = Errors::new();
        if replicas < 0 {
            errors.invalid(&Path::new("spec").child("replicas"), replicas, "must be greater than or equal to 0");
            return Err(ApiError::invalid("Scale", "autoscaling", name, &errors));
        }
        call.version = 0;
        let revision = after["metadata"]["resourceVersion"].as_str().filter(|revision| !revision.is_empty());
        // A patch that does not name a revision is about whatever is there by then.
        let revision = revision.filter(|revision| form.is_none() || before["metadata"]["resourceVersion"] != *revision);
        let (form, change) = match form {
            Some(form @ Patch::Apply { .. }) => (form, self.applied_scale(call, name, &after, replicas)?),
            _ => (Patch::Merge, json!({ "metadata": { "resourceVersion": revision }, "spec": { "replicas": replicas } })),
        };
        let json = serde_json::to_vec(&change).map_err(|error| ApiError::internal(error.to_string()))?;
        let written = self.change(call, name, Part::Only("scale", &SCALE), &Change::Patch(form, &json)).await?;
        from(&tree(&written.json)?, &scale)
    }

    /// The apply of a Scale as the apply of its object.
    fn applied_scale(&self, call: &Call, name: &str, given: &Value, replicas: i64) -> Result<Value> {
        if given["apiVersion"] != "autoscaling/v1" || given["kind"] != "Scale" {
            let (version, kind) = (given["apiVersion"].as_str().unwrap_or_default(), given["kind"].as_str().unwrap_or_default());
            return Err(ApiError::bad_request(format!(
                "Incorrect version specified in apply patch. Specified patch version: {version}, {kind}, expected: autoscaling/v1, Scale"
            )));
        }
        let (kind, version) = (self.kind(call), self.version(call));
        let spec = if given["spec"].get("replicas").is_some() { json!({ "replicas": replicas }) } else { json!({}) };
        Ok(json!({ "apiVersion": version.api_version, "kind": kind.name, "metadata": { "name": name }, "spec": spec }))
    }
}

fn of(item: &Item, scale: &Scale) -> Result<Value> {
    from(&tree(&item.json)?, scale)
}

fn from(object: &Value, scale: &Scale) -> Result<Value> {
    let meta = &object["metadata"];
    let mut kept = serde_json::Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = meta.get(field) {
            kept.insert(field.to_owned(), value.clone());
        }
    }
    let mut spec = json!({});
    if let Some(replicas) = object.pointer(scale.replicas).filter(|replicas| replicas.as_i64() != Some(0)) {
        spec["replicas"] = replicas.clone();
    }
    let mut status = json!({ "replicas": object.pointer(scale.observed).cloned().unwrap_or_else(|| 0.into()) });
    if let Some(selector) = object.pointer(scale.selector) {
        let labels = if selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some() {
            selector.clone()
        } else {
            json!({ "matchLabels": selector })
        };
        let labels = serde_json::from_slice(&serde_json::to_vec(&labels).unwrap_or_default())
            .map_err(|error| ApiError::internal(error.to_string()))?;
        let selector = mini_api::selector::Selector::from_label_selector(&labels).map_err(|error| ApiError::internal(error.to_string()))?;
        status["selector"] = selector.to_string().into();
    }
    Ok(json!({ "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": kept, "spec": spec, "status": status }))
}
