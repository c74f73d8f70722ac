//! ControllerRevisions: what a template once was, kept so that there is a way back.

use k8s_openapi::api::apps::v1::ControllerRevision;
use mini_api::owner;
use serde_json::Value;

use super::{
    count::not_negative,
    field::{Errors, Path},
    rules::{Column, Rules, column},
};

/// What is special about a ControllerRevision.
pub(super) const RULES: Rules<ControllerRevision> = Rules {
    validate,
    validate_update: |new, old, errors| {
        if new.data != old.data {
            errors.invalid(&Path::new("data"), &new.data, "field is immutable");
        }
    },
    columns: &[
        Column::name(),
        column("Controller", |revision: &ControllerRevision, _| Value::from(controller(revision))).about("Controller of the object"),
        column("Revision", |revision: &ControllerRevision, _| Value::from(revision.revision)),
        Column::age(),
    ],
    ..Rules::NONE
};

fn validate(revision: &ControllerRevision, errors: &mut Errors) {
    if revision.data.as_ref().is_none_or(|data| data.0.is_null()) {
        errors.required(&Path::new("data"), "data is mandatory");
    }
    not_negative(Some(revision.revision), &Path::new("revision"), errors);
}

/// `daemonset.apps/name` of the controller whose template it is.
fn controller(revision: &ControllerRevision) -> String {
    let Some(owner) = owner::controller_of(&revision.metadata) else { return "<none>".to_owned() };
    let kind = owner.kind.to_lowercase();
    match owner.api_version.split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{}", owner.name),
        None => format!("{kind}/{}", owner.name),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_is_there_and_stays() {
        let revision = |json: Value| -> ControllerRevision { serde_json::from_value(json).unwrap() };
        let (old, new) = (revision(json!({"revision": 1, "data": {"a": 1}})), revision(json!({"revision": -1})));
        let mut errors = Errors::new();
        validate(&new, &mut errors);
        (RULES.validate_update)(&new, &old, &mut errors);
        assert_eq!(
            errors.to_string(),
            "[data: Required value: data is mandatory, revision: Invalid value: -1: must be greater than or equal to 0, data: Invalid value: null: field is immutable]"
        );
    }

    #[test]
    fn whose_it_is() {
        let owned: ControllerRevision = serde_json::from_value(json!({"revision": 1, "metadata": {"ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u", "controller": true},
        ]}}))
        .unwrap();
        assert_eq!(controller(&owned), "daemonset.apps/d");
        assert_eq!(controller(&ControllerRevision::default()), "<none>");
    }
}
