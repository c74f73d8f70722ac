//! The subresources beyond `status` and `scale`: what each does to an object, as pure functions the registry drives.

use k8s_openapi::{
    api::{
        authentication::v1::TokenRequest,
        core::v1::{Binding, Pod, PodCondition},
        policy::v1::Eviction,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use serde_json::Value;

use super::{
    connect::Connect,
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
    /// The request goes on to whoever can answer it.
    Connect(Connect),
}

/// A part of an object that is written apart.
pub struct Piece {
    /// The field of the object it is in.
    pub field: &'static str,
    /// Takes what a write of this part may change over from the object that was sent into the one that is there: (sent, there).
    pub take: fn(&mut Value, &mut Value),
    /// Takes out of an object what managedFields do not see of this part.
    pub unseen: fn(&mut Value),
    /// What is wrong with the change: (new, old). Of the old only its metadata and the field are there: the rest is as in the new.
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

/// The `status` of every kind that writes it apart.
pub static STATUS: Piece = Piece {
    field: "status",
    take: |sent, there| {
        // As upstream: annotations may come with a status, labels and the rest of the metadata may not.
        put(sent, there, "/metadata/annotations");
        put(sent, there, "/status");
    },
    unseen: |_| {},
    validate: of_status,
};

fn of_status(kind: &dyn Behaviour, new: &dyn Object, old: &dyn Object, errors: &mut Errors) {
    kind.validate_status(new, old, errors);
}

/// The `scale` of every kind that has one.
pub static SCALE: Piece = Piece {
    field: "spec",
    take: |sent, there| put(sent, there, "/spec/replicas"),
    // A Scale does not tell no replicas from none.
    unseen: |object| {
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
            && spec.get("replicas").and_then(Value::as_i64) == Some(0)
        {
            spec.remove("replicas");
        }
    },
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
    action: Action::Part(&Piece {
        field: "spec",
        take: |sent, there| put(sent, there, "/spec/finalizers"),
        unseen: |_| {},
        validate: of_status,
    }),
};

/// `certificatesigningrequests/approval`: somebody says yes or no.
pub const APPROVAL: Subresource = Subresource {
    name: "approval",
    kind: ("", "", "CertificateSigningRequest"),
    verbs: PART_VERBS,
    action: Action::Part(&Piece {
        field: "status",
        take: |sent, there| put(sent, there, "/status/conditions"),
        unseen: |_| {},
        validate: of_status,
    }),
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
        unseen: |_| {},
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
        unseen: |_| {},
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
