//! Server-side apply as a request: the body is checked, given to [`super::apply`], and what comes of it goes the way of every
//! other write.

use serde_json::{Map, Value, json};

use super::{
    Call, Part, Registry, Written,
    apply::{self, Applied, Conflicts},
    codec, key,
    managed::{self, Entry, Operation},
};
use crate::{
    error::{ApiError, Result},
    schema::{Schema, decode},
};

/// Where `kubectl apply` without `--server-side` keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
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
        let (mut value, entries) = self.applied(call, Part::Main, force, body, &nothing, &[])?;
        let given = value["metadata"]["name"].as_str().unwrap_or_default();
        if given != name {
            return Err(ApiError::bad_request(format!("the name of the object ({given}) does not match the name on the URL ({name})")));
        }
        if let Some(uid) = value["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty()) {
            let why = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            return Err(ApiError::conflict(kind.plural, kind.group(), name, &why));
        }
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        self.fresh().await;
        if self.cache.get(call.kind, &key(kind, &call.namespace, name)).is_some() {
            return Err(ApiError::already_exists(kind, name));
        }
        self.create_value(call, &value, Some(entries)).await
    }

    /// What an apply makes of `old`, checked, in the stored version; and who owns what of it.
    pub(super) fn applied(
        &self,
        call: &mut Call,
        part: Part,
        force: bool,
        body: &[u8],
        old: &Value,
        entries: &[Entry],
    ) -> Result<(Value, Vec<Entry>)> {
        let (kind, version) = (self.kind(call), self.version(call));
        let schema = (version.schema)();
        let config = self.config(call, part, &schema, body)?;
        let mut live = old.clone();
        (version.conversion.downgrade)(&mut live);
        live["apiVersion"] = version.api_version.clone().into();
        live["kind"] = kind.name.into();
        let who = managed::Writer {
            manager: &call.manager,
            api_version: &version.api_version,
            subresource: part.field(),
            operation: Operation::Apply,
        };
        let apply = |force| apply::apply(&schema, &live, &config, entries, &who, force, call.now);
        let known = live.pointer("/metadata/annotations").and_then(|all| all[LAST_APPLIED].as_str()).filter(|_| call.manager == KUBECTL);
        let Applied { mut object, entries } = match apply(force) {
            Err(conflicts) if known.is_some_and(|last| of_client(&schema, last, &conflicts)) => apply(true),
            result => result,
        }
        .map_err(|conflicts| ApiError::apply_conflict(&conflicts))?;
        if known.is_some() {
            object["metadata"]["annotations"][LAST_APPLIED] = format!("{config}\n").into();
        }
        Ok((codec::reread(kind, version, object, call)?, entries))
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
            let gv = &version.api_version;
            ApiError::internal(format!("failed to create typed patch object ({namespace}/{name}; {gv}, Kind={}): {why}", kind.name))
        };
        let checked = decode::decode(schema, body).map_err(|error| untyped(error.to_string()))?;
        if let Some(path) = checked.unknown.first() {
            return Err(untyped(format!(".{path}: field not declared in schema")));
        }
        if let Some(twice) = apply::duplicate(schema, &config) {
            return Err(untyped(twice));
        }
        if let Some(map) = config.as_object_mut() {
            restrict(map, part, kind.status);
        }
        Ok(config)
    }
}

/// Leaves what a write through this door can change.
fn restrict(config: &mut Map<String, Value>, part: Part, status_apart: bool) {
    match part.field() {
        Some(field) => config.retain(|name, _| [field, "metadata", "apiVersion", "kind"].contains(&name.as_str())),
        None if status_apart => drop(config.remove("status")),
        None => {}
    }
}

/// Whether the conflicts are only about what the client-side `kubectl apply` wrote, whose heir the server-side one is.
fn of_client(schema: &Schema, last: &str, conflicts: &Conflicts) -> bool {
    serde_json::from_str(last).is_ok_and(|last: Value| conflicts.within(&apply::set_of(schema, &last)))
}
