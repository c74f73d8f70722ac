//! The subresources beyond `status` and `scale`: what each does to an object, as pure functions the registry drives.

use k8s_openapi::{
    api::{
        authentication::v1::TokenRequest,
        core::v1::{Binding, Node, Pod, PodCondition},
        policy::v1::Eviction,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};

use serde_json::Value;

use super::{
    field::Errors,
    pod::part,
    rules::{Behaviour, Object, cast, cast_mut},
};
use crate::{error::ApiError, schema::Schema, tokens::Tokens};

/// One subresource of a kind.
pub struct Subresource {
    /// Such as `binding`.
    pub name: &'static str,
    /// Group, version and kind of what it takes or gives, where that is not the object's own.
    pub kind: (&'static str, &'static str, &'static str),
    /// The type of what it takes, where that is not the object's own.
    pub body: Option<fn() -> Schema>,
    /// What can be asked of it, as discovery lists it.
    pub verbs: &'static [&'static str],
    /// What it does.
    pub action: Action,
}

/// What a subresource does.
#[derive(Clone, Copy)]
pub enum Action {
    /// PUT and PATCH write a part of the object and nothing else.
    Part(&'static Piece),
    /// POST changes the object as its body says and answers a Status.
    Act(fn(&mut dyn Object, &[u8], &Moment<'_>) -> Result<(), ApiError>),
    /// POST does what concerns more than the object: one of the [`crate::deeds`].
    Deed,
    /// The request goes on to the node that serves it.
    Connect(fn(&dyn Object, &str) -> Result<Route, ApiError>),
}

/// A part of an object that is written apart.
pub struct Piece {
    /// The field of the object it is in.
    pub field: &'static str,
    /// Takes what a write of this part may change over from the object that was sent into the one that is there: (sent, there).
    pub take: fn(&mut Value, &mut Value),
    /// What is wrong with the change: (new, old).
    pub validate: fn(&dyn Behaviour, &dyn Object, &dyn Object, &mut Errors),
}

/// What an [`Action::Act`] or a [`Compute`](super::Compute) may know of the world.
pub struct Moment<'a> {
    /// The present.
    pub now: jiff::Timestamp,
    /// What checks tokens.
    pub tokens: &'a Tokens,
    /// Looks an object up, by resource, namespace and name.
    pub find: &'a Find<'a>,
}

/// See [`Moment::find`].
pub type Find<'a> = dyn Fn(&str, &str, &str) -> Option<Box<dyn Object>> + Sync + 'a;

#[cfg(test)]
impl Moment<'_> {
    /// A moment in a world where nothing is.
    pub(super) fn alone<T>(ask: impl FnOnce(&Moment<'_>) -> T) -> T {
        let tokens = Tokens::new().expect("a key can be made");
        ask(&Moment { now: jiff::Timestamp::UNIX_EPOCH, tokens: &tokens, find: &|_, _, _| None })
    }
}

/// Where an [`Action::Connect`] leads.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// The node.
    pub node: String,
    /// Path and query on the node's kubelet port.
    pub path: String,
}

/// The `status` of every kind that writes it apart.
pub static STATUS: Piece = Piece {
    field: "status",
    take: |sent, there| {
        // As upstream: annotations may come with a status, labels and the rest of the metadata may not.
        there["metadata"]["annotations"] = sent.pointer_mut("/metadata/annotations").map(Value::take).unwrap_or_default();
        put(sent, there, "/status");
    },
    validate: of_status,
};

fn of_status(kind: &dyn Behaviour, new: &dyn Object, old: &dyn Object, errors: &mut Errors) {
    kind.validate_status(new, old, errors);
}

/// The `scale` of every kind that has one.
pub static SCALE: Piece = Piece {
    field: "spec",
    take: |sent, there| put(sent, there, "/spec/replicas"),
    validate: |kind, new, old, errors| {
        kind.validate(new, errors);
        kind.validate_update(new, old, errors);
    },
};

/// What `status` and most other parts can be asked.
pub const PART_VERBS: &[&str] = &["get", "patch", "update"];

/// `namespaces/finalize`: the namespace controller says it is done.
pub const FINALIZE: Subresource = Subresource {
    name: "finalize",
    kind: ("", "", "Namespace"),
    body: None,
    verbs: &["update"],
    action: Action::Part(&Piece { field: "spec", take: |sent, there| put(sent, there, "/spec/finalizers"), validate: of_status }),
};

/// `certificatesigningrequests/approval`: somebody says yes or no.
pub const APPROVAL: Subresource = Subresource {
    name: "approval",
    kind: ("", "", "CertificateSigningRequest"),
    verbs: PART_VERBS,
    action: Action::Part(&Piece { field: "status", take: |sent, there| put(sent, there, "/status/conditions"), validate: of_status }),
    body: None,
};

/// `pods/ephemeralcontainers`: one more container, to look around in a pod that runs.
pub const EPHEMERAL_CONTAINERS: Subresource = Subresource {
    name: "ephemeralcontainers",
    kind: ("", "", "Pod"),
    body: None,
    verbs: PART_VERBS,
    action: Action::Part(&Piece {
        field: "spec",
        take: |sent, there| put(sent, there, "/spec/ephemeralContainers"),
        validate: |kind, new, old, errors| {
            kind.validate(new, errors);
            part::ephemeral_containers(cast(new), cast(old), errors);
        },
    }),
};

/// `pods/resize`: other resources for containers that run.
pub const RESIZE: Subresource = Subresource {
    name: "resize",
    kind: ("", "", "Pod"),
    body: None,
    verbs: PART_VERBS,
    action: Action::Part(&Piece {
        field: "spec",
        take: part::take_resources,
        validate: |kind, new, old, errors| {
            kind.validate(new, errors);
            part::resize(cast(new), cast(old), errors);
        },
    }),
};

/// `pods/eviction`: a deletion that asks the disruption budgets first.
pub const EVICTION: Subresource = Subresource {
    name: "eviction",
    kind: ("policy", "v1", "Eviction"),
    body: Some(Schema::of::<Eviction>),
    verbs: &["create"],
    action: Action::Deed,
};

/// `serviceaccounts/token`: a token that tells who somebody is.
pub const TOKEN: Subresource = Subresource {
    name: "token",
    kind: ("authentication.k8s.io", "v1", "TokenRequest"),
    body: Some(Schema::of::<TokenRequest>),
    verbs: &["create"],
    action: Action::Deed,
};

/// Moves the value of a JSON pointer from what was sent to what is there.
fn put(sent: &mut Value, there: &mut Value, pointer: &str) {
    let (parent, field) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    if let Some(Value::Object(map)) = there.pointer_mut(parent) {
        match sent.pointer_mut(pointer) {
            Some(value) => drop(map.insert(field.to_owned(), value.take())),
            None => drop(map.remove(field)),
        }
    }
}

/// `pods/binding`: the scheduler's choice.
pub const BINDING: Subresource = Subresource {
    name: "binding",
    kind: ("", "", "Binding"),
    body: Some(Schema::of::<Binding>),
    verbs: &["create"],
    action: Action::Act(bind),
};

/// `pods/log`: what a container printed.
pub const LOG: Subresource = Subresource { name: "log", kind: ("", "", "Pod"), body: None, verbs: &["get"], action: Action::Connect(log) };

fn bind(object: &mut dyn Object, body: &[u8], moment: &Moment<'_>) -> Result<(), ApiError> {
    let binding: Binding = serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let pod: &mut Pod = cast_mut(object);
    let name = pod.metadata.name.clone().unwrap_or_default();
    let conflict = |message: String| ApiError::conflict("pods/binding", "", &name, &message);
    if !binding.target.kind.as_deref().is_none_or(|kind| kind.is_empty() || kind == "Node") {
        return Err(ApiError::internal(format!(
            "target.kind: Unsupported value: {:?}: supported values: \"Node\", \"<empty>\"",
            binding.target.kind.unwrap_or_default()
        )));
    }
    let Some(node) = binding.target.name.filter(|name| !name.is_empty()) else {
        return Err(ApiError::internal("target.name: Required value"));
    };
    if let Some(uid) = binding.metadata.uid.filter(|uid| !uid.is_empty())
        && Some(&uid) != pod.metadata.uid.as_ref()
    {
        let found = pod.metadata.uid.as_deref().unwrap_or_default();
        return Err(conflict(format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {found}")));
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return Err(conflict(format!("pod {name} is being deleted, cannot be assigned to a host")));
    }
    let spec = pod.spec.get_or_insert_default();
    if let Some(bound) = spec.node_name.as_deref().filter(|bound| !bound.is_empty()) {
        return Err(conflict(format!("pod {name} is already assigned to node {bound:?}")));
    }
    if spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()) {
        return Err(conflict(format!("pod {name} has non-empty .spec.schedulingGates")));
    }
    spec.node_name = Some(node);
    for (key, value) in binding.metadata.annotations.unwrap_or_default() {
        pod.metadata.annotations.get_or_insert_default().insert(key, value);
    }
    schedule(pod, moment.now);
    Ok(())
}

/// Sets the condition that tells a pod has its node.
fn schedule(pod: &mut Pod, now: jiff::Timestamp) {
    let status = pod.status.get_or_insert_default();
    status.nominated_node_name = None;
    let conditions = status.conditions.get_or_insert_default();
    conditions.retain(|condition| condition.type_ != "PodScheduled");
    conditions.push(PodCondition {
        type_: "PodScheduled".to_owned(),
        status: "True".to_owned(),
        last_transition_time: Some(Time(now)),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    });
}

fn log(object: &dyn Object, query: &str) -> Result<Route, ApiError> {
    let pod: &Pod = cast(object);
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let asked = form_urlencoded(query, "container");
    let spec = pod.spec.as_ref().ok_or_else(|| ApiError::internal("a pod has a spec".to_owned()))?;
    let regular: Vec<&str> = spec.containers.iter().map(|container| container.name.as_str()).collect();
    let init: Vec<&str> = spec.init_containers.iter().flatten().map(|container| container.name.as_str()).collect();
    let container = match asked {
        Some(container) if regular.contains(&container.as_str()) || init.contains(&container.as_str()) => container,
        Some(container) => return Err(ApiError::bad_request(format!("container {container} is not valid for pod {name}"))),
        None if regular.len() == 1 && init.is_empty() => regular[0].to_owned(),
        None => {
            let also = if init.is_empty() { String::new() } else { format!(" or one of the init containers: [{}]", init.join(" ")) };
            let list = regular.join(" ");
            return Err(ApiError::bad_request(format!("a container name must be specified for pod {name}, choose one of: [{list}]{also}")));
        }
    };
    let Some(node) = spec.node_name.clone().filter(|node| !node.is_empty()) else {
        return Err(ApiError::bad_request(format!("pod {name} does not have a host assigned")));
    };
    Ok(Route { node, path: format!("/containerLogs/{namespace}/{name}/{container}?{query}") })
}

fn form_urlencoded(query: &str, wanted: &str) -> Option<String> {
    crate::http::query::pairs(query).find(|(key, value)| key == wanted && !value.is_empty()).map(|(_, value)| value)
}

/// Where a node's kubelet really listens: the addresses in a fake node's status lead nowhere.
#[must_use]
pub fn kubelet_address(object: &dyn Object) -> Option<&str> {
    let node: &Node = cast(object);
    node.metadata.annotations.as_ref()?.get("mini.dev/kubelet-address").map(String::as_str)
}
