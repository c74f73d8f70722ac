//! What is sent for edited objects: a patch with what was changed.

use http::Method;
use serde_json::{Value, json};

use super::{Editing, Round, What, original_of};
use crate::{
    error::{Result, usage},
    patch::{self, LAST_APPLIED, go_json},
    print::{notice, print},
    selection::Placed,
    server::Call,
    value::text,
};

const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// The name under which the server notes who set the fields.
const MANAGER: &str = "kubectl-edit";

impl Editing<'_> {
    /// Sends what was changed, object by object.
    ///
    /// # Errors
    /// When an object is not one of those that were to be edited.
    pub(super) async fn save(&self, originals: &[Placed], updated: Vec<Placed>) -> Result<Round> {
        let mut round = Round::default();
        for placed in updated {
            let Some(original) = original_of(originals, &placed.object) else {
                return Err(usage(format!(
                    "no original object found for &unstructured.Unstructured{{Object:{}}}",
                    go_syntax(&placed.object)
                )));
            };
            if original.object == placed.object {
                self.writing.say(&placed.target.resource, &placed.object, "skipped")?;
                continue;
            }
            let saved = match self.what {
                What::Objects => self.send(original, &placed).await?,
                What::LastApplied => Ok(self.annotate(&placed).await?),
            };
            match saved {
                Ok(object) => self.writing.say(&placed.target.resource, &object, "edited")?,
                Err(error) => notice(&round.add(&error, &placed.target.resource, &placed.target.name)),
            }
        }
        Ok(round)
    }

    /// Sends the difference; the inner result is the server's.
    async fn send(&self, original: &Placed, edited: &Placed) -> Result<Result<Value>> {
        let resource = &edited.target.resource;
        let described = self.schemas.of(self.server, resource).await;
        let schema = described.schema();
        let (mut body, mut content_type) = match &schema {
            Some(schema) => (patch::two_way(&original.object, &edited.object, schema), STRATEGIC),
            None => (patch::two_way(&original.object, &edited.object, &patch::Schema::unknown()), MERGE),
        };
        let unchangeable = [&body["apiVersion"], &body["kind"], &body["metadata"]["name"]];
        if unchangeable.iter().any(|value| !value.is_null()) {
            return Err(usage("At least one of apiVersion, kind and name was changed"));
        }
        let mut answer = self.patch(edited, content_type, &body).await;
        // Kinds that users defined have a schema, too, but only the server knows that it does not merge their lists.
        if answer.as_ref().is_err_and(|error| error.refusal().is_some_and(|refusal| refusal.code == 415)) {
            (body, content_type) = (patch::two_way(&original.object, &edited.object, &patch::Schema::unknown()), MERGE);
            answer = self.patch(edited, content_type, &body).await;
        }
        if self.output_patch {
            print(&format!("Patch: {}\n", go_json(&body)))?;
        }
        Ok(answer)
    }

    /// Puts what was edited into the annotation. What is printed is what was edited.
    async fn annotate(&self, edited: &Placed) -> Result<Value> {
        let text = go_json(&edited.object) + "\n";
        let body = json!({"metadata": {"annotations": {LAST_APPLIED: text}}});
        self.patch(edited, MERGE, &body).await?;
        Ok(edited.object.clone())
    }

    async fn patch(&self, edited: &Placed, content_type: &str, body: &Value) -> Result<Value> {
        let path = match self.subresource.as_str() {
            "" => edited.target.path(),
            subresource => format!("{}/{subresource}", edited.target.path()),
        };
        let path = self.writing.query(&path, MANAGER, &[self.validation.parameter()]);
        self.server.call(Call { method: Method::PATCH, path: &path, content_type, body }).await
    }
}

/// A value as Go's `%#v` prints it.
fn go_syntax(value: &Value) -> String {
    let join = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Null => "interface {}(nil)".into(),
        Value::Array(list) => format!("[]interface {{}}{{{}}}", join(list.iter().map(go_syntax).collect())),
        Value::Object(map) => {
            let fields = map.iter().map(|(key, value)| format!("{key:?}:{}", go_syntax(value))).collect();
            format!("map[string]interface {{}}{{{}}}", join(fields))
        }
        Value::String(_) => format!("{:?}", text(value)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_go_writes_them() {
        let value = json!({"a": [1, true, null], "b": {"c": "x\"y"}});
        let expected =
            r#"map[string]interface {}{"a":[]interface {}{1, true, interface {}(nil)}, "b":map[string]interface {}{"c":"x\"y"}}"#;
        assert_eq!(go_syntax(&value), expected);
    }
}
