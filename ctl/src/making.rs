//! What verbs have in common that make an object of their own, without a manifest: what is made, how it is sent, and what is said.
//! It knows no kind; who makes one says which.

use std::cell::Cell;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    output::{Output, trimmed},
    patch,
    print::print,
    server::{Call, JSON},
    structs,
    value::map_mut,
    writing::Writing,
};

/// The flags of verbs that make objects.
#[derive(Args, Clone, Debug)]
pub(crate) struct Making {
    #[command(flatten)]
    pub(crate) writing: Writing,
    /// Keep the object in an annotation of its own, for a later `apply`.
    #[arg(long)]
    pub(crate) save_config: bool,
    /// How many objects were printed already.
    #[arg(skip)]
    printed: Cell<usize>,
}

/// A kind that is made without asking the server what it is, so that a dry run needs none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) namespaced: bool,
}

impl Kind {
    /// An object with nothing but a name.
    pub(crate) fn named(&self, name: &str) -> Value {
        json!({"apiVersion": self.resource().group_version(), "kind": self.kind, "metadata": {"creationTimestamp": null, "name": name}})
    }

    /// The resource it is made of.
    pub(crate) fn resource(&self) -> Resource {
        Resource {
            group: self.group.into(),
            version: self.version.into(),
            plural: self.plural.into(),
            singular: self.kind.to_lowercase(),
            kind: self.kind.into(),
            namespaced: self.namespaced,
            ..Resource::default()
        }
    }
}

impl Making {
    /// The object with itself as an annotation, if that is wanted.
    pub(crate) fn saved(&self, mut object: Value) -> Value {
        if self.save_config {
            let text = structs::line(&object) + "\n";
            map_mut(&mut object["metadata"]["annotations"]).insert(patch::LAST_APPLIED.into(), text.into());
        }
        object
    }

    /// Creates the object, unless nothing is to be sent, and returns it as it is then. `manager` is who made it unless the user says otherwise.
    ///
    /// # Errors
    /// Whatever the server says.
    pub(crate) async fn send(&self, context: &Context, kind: &Kind, object: Value, manager: &str, more: &[(&str, &str)]) -> Result<Value> {
        if self.writing.stays_here() {
            return Ok(object);
        }
        let path = kind.resource().path(Some(context.namespace().await?));
        let path = self.writing.query(&path, manager, more);
        let call = Call { method: Method::POST, path: &path, content_type: JSON, body: &self.saved(object) };
        context.server().await?.call(call).await
    }

    /// Prints an object and what was done to it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn say(&self, resource: &Resource, object: &Value, what: &str) -> Result<()> {
        let mut object = object.clone();
        structs::complete(&mut object);
        if matches!(self.writing.form()?, Some(Output::Json)) {
            let object = if self.writing.show_managed_fields { object } else { trimmed(object) };
            return print(&structs::pretty(&object));
        }
        self.tell(resource, &object, what)
    }

    /// The same for an object that the user wrote.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn tell(&self, resource: &Resource, object: &Value, what: &str) -> Result<()> {
        let others = self.printed.replace(self.printed.get() + 1);
        self.writing.say_after(others, resource, object, what)
    }
}

/// The object in the namespace that the user insists on, if any.
pub(crate) fn placed(context: &Context, mut object: Value) -> Value {
    if let Some(namespace) = context.demanded_namespace() {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

/// `failed to create deployment: …`: a refusal in words of our own.
pub(crate) fn failed(what: &str) -> impl Fn(Error) -> Error {
    move |error| match error {
        Error::Refused(refusal) => usage(format!("failed to {what}: {}", refusal.message)),
        other => other,
    }
}

/// Labels as `a=b,c=d`.
///
/// # Errors
/// When one of them is no pair.
pub(crate) fn labels(text: &str) -> Result<Value> {
    let pair = |word: &str| match word.split_once('=') {
        Some(("", _)) => Err(usage("unexpected empty label key")),
        Some((key, value)) if !value.contains('=') => Ok((key.to_owned(), Value::from(value))),
        _ => Err(usage(format!("unexpected label spec: {word}"))),
    };
    text.split(',').map(pair).collect::<Result<serde_json::Map<_, _>>>().map(Value::Object)
}
