//! Server-side apply as a request: the body is checked, given to [`super::apply`], and what comes of it goes the way of every
//! other write.

use serde_json::{Value, json};

use super::{
    Call, Part, Patch, Registry, Written,
    apply::{self, Applied},
    create::without_status,
    fieldset::FieldSet,
    managed::{self, Entry, Operation, compare::compare},
};
use crate::{
    error::{ApiError, Result},
    schema::{Schema, decode},
};

/// Where `kubectl apply` without `--server-side` keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Who owned what was there before anything was applied.
const BEFORE: &str = "before-first-apply";
/// The manager for which that annotation counts.
const KUBECTL: &str = "kubectl";

impl Registry {
    /// Creates an object that is applied for the first time.
    pub(super) async fn create_applied(&self, call: &mut Call, name: &str, force: bool, body: &[u8]) -> Result<Written> {
        let kind = self.kind(call);
        let mut nothing = json!({ "metadata": { "name": name } });
        if kind.namespaced {
            nothing["metadata"]["namespace"] = call.namespace.clone().into();
        }
        let (value, owned) = self.patched(call, Part::Main, Patch::Apply { force }, body, &mut nothing, &[])?;
        let kind = self.kind(call);
        let given = value["metadata"]["name"].as_str().unwrap_or_default();
        if given != name {
            return Err(ApiError::wrong_name(given, name));
        }
        if let Some(uid) = value["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty()) {
            let why = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            return Err(ApiError::conflict(kind.plural, kind.group(), name, &why));
        }
        self.fresh().await;
        self.create_value(call, &value, owned).await
    }

    /// What an apply makes of `live`, both in the request's version; and who owns what of it then.
    pub(super) fn applied(&self, call: &Call, part: Part, force: bool, body: &[u8], live: &Value, entries: &[Entry]) -> Result<Applied> {
        let version = self.version(call);
        let schema = (version.schema)();
        let config = self.config(call, part, &schema, body)?;
        let who = managed::Writer {
            manager: &call.manager,
            api_version: &version.api_version,
            subresource: part.subresource(),
            operation: Operation::Apply,
        };
        let untracked = entries.is_empty() && live.pointer("/metadata/uid").is_some();
        let first = if untracked { self.before_first_apply(call, part, &schema, live) } else { Vec::new() };
        let entries = if untracked { &first } else { entries };
        let apply = |force| apply::apply(&schema, live, &config, entries, &who, force, call.now);
        let known = live.pointer("/metadata/annotations").and_then(|all| all[LAST_APPLIED].as_str()).filter(|_| call.manager == KUBECTL);
        let mut applied = apply(force)
            .or_else(|conflicts| match conflicts.beyond(&known.map_or_else(FieldSet::default, |last| of_client(&schema, last, live))) {
                rest if rest.is_empty() => apply(true),
                rest => Err(rest),
            })
            .map_err(|conflicts| ApiError::apply_conflict(&conflicts))?;
        if known.is_some() {
            applied.object["metadata"]["annotations"][LAST_APPLIED] = format!("{config}\n").into();
        }
        Ok(applied)
    }

    /// Who owns what of an object nobody was known to own: one manager, everything.
    fn before_first_apply(&self, call: &Call, part: Part, schema: &Schema, live: &Value) -> Vec<Entry> {
        let mut seen = live.clone();
        if part.is_main() {
            without_status(self.kind(call), &mut seen);
        }
        let who = managed::Writer {
            manager: BEFORE,
            api_version: &self.version(call).api_version,
            subresource: part.subresource(),
            operation: Operation::Update,
        };
        managed::track(schema, None, None, &seen, &who, call.now).unwrap_or_default()
    }

    /// The configuration of a request's body: only what is given, of the part it is about.
    fn config(&self, call: &Call, part: Part, schema: &Schema, body: &[u8]) -> Result<Value> {
        let (kind, version) = (self.kind(call), self.version(call));
        let mut config = decode::parse(body).map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))?;
        let text = |field: &str| config.get(field).and_then(Value::as_str).unwrap_or_default();
        if text("apiVersion") != version.api_version {
            let (given, expected) = (text("apiVersion"), &version.api_version);
            return Err(ApiError::bad_request(format!(
                "Incorrect version specified in apply patch. Specified patch version: {given}, expected: {expected}"
            )));
        }
        if config.pointer("/metadata/managedFields").is_some_and(|list| !list.is_null()) {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        let name = config.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let namespace = if kind.namespaced { &call.namespace } else { "" };
        let untyped = |why: String| {
            let (group, version, kind) = (version.group, version.version, kind.name);
            ApiError::internal(format!("failed to create typed patch object ({namespace}/{name}; {group}/{version}, Kind={kind}): {why}"))
        };
        let checked = decode::decode(schema, body).map_err(|error| untyped(error.to_string()))?;
        if let Some(path) = checked.unknown.first() {
            return Err(untyped(format!(".{path}: field not declared in schema")));
        }
        if let Some(twice) = apply::duplicate(schema, &config) {
            return Err(untyped(twice));
        }
        match (part, config.as_object_mut()) {
            (Part::Main, _) => without_status(kind, &mut config),
            (Part::Only(..), Some(map)) => part.restrict(map),
            _ => {}
        }
        Ok(config)
    }
}

/// What the client-side `kubectl apply` wrote and nobody has changed since: the server-side one is its heir.
fn of_client(schema: &Schema, last: &str, live: &Value) -> FieldSet {
    let Ok(last) = serde_json::from_str::<Value>(last) else { return FieldSet::default() };
    let since = compare(schema, Some(&last), live);
    apply::set_of(schema, &last).difference(&since.changed).difference(&since.removed)
}
