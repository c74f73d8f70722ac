//! The rules of metadata, which hold for every kind.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use mini_api::name;

use crate::kinds::{
    Kind,
    field::{Errors, Path},
};

/// How long a name may be.
const MOST_NAME: usize = 253;
/// How long a generated name's given part may be.
const MOST_PREFIX: usize = 58;
/// How many bytes all annotations may have together.
const MOST_ANNOTATIONS: usize = 256 * 1024;

/// A name from a prefix: as upstream's, which cuts the prefix so that the whole stays a label.
#[must_use]
pub(super) fn generate(prefix: &str) -> String {
    let cut = prefix.char_indices().nth(MOST_PREFIX).map_or(prefix.len(), |(at, _)| at);
    format!("{}{}", &prefix[..cut], mini_daemon::clock::suffix(5))
}

/// What is wrong with an object's metadata.
pub(super) fn validate(kind: &Kind, meta: &ObjectMeta, errors: &mut Errors) {
    let path = Path::new("metadata");
    if let Some(prefix) = meta.generate_name.as_deref().filter(|prefix| !prefix.is_empty()) {
        // A prefix is judged as if it were a whole name: its trailing hyphen is not its end.
        let whole = prefix.strip_suffix('-').map_or_else(|| prefix.to_owned(), |start| format!("{start}a"));
        errors.invalid_all(&path.child("generateName"), prefix, (kind.names)(&whole));
    }
    match meta.name.as_deref() {
        None | Some("") => errors.required(&path.child("name"), "name or generateName is required"),
        Some(text) if text.len() > MOST_NAME => errors.invalid_all(&path.child("name"), text, (kind.names)(text)),
        Some(text) => errors.invalid_all(&path.child("name"), text, (kind.names)(text)),
    }
    maps(meta, &path, errors);
    owners(meta, &path, errors);
    finalizers(meta, &path, errors);
}

/// What is wrong with labels and annotations.
fn maps(meta: &ObjectMeta, path: &Path<'_>, errors: &mut Errors) {
    let labels = path.child("labels");
    for (key, value) in meta.labels.iter().flatten() {
        errors.invalid_all(&labels, key, name::qualified_name(key));
        errors.invalid_all(&labels, value, name::label_value(value));
    }
    let annotations = path.child("annotations");
    let mut bytes = 0;
    for (key, value) in meta.annotations.iter().flatten() {
        errors.invalid_all(&annotations, key, name::qualified_name(&key.to_lowercase()));
        bytes += key.len() + value.len();
    }
    if bytes > MOST_ANNOTATIONS {
        errors.too_long(&annotations, MOST_ANNOTATIONS);
    }
}

fn owners(meta: &ObjectMeta, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("ownerReferences");
    let mut controller = None;
    for owner in meta.owner_references.iter().flatten() {
        if owner.api_version.is_empty() {
            errors.invalid(&list.child("apiVersion"), "", "version must not be empty");
        }
        if owner.kind.is_empty() {
            errors.invalid(&list.child("kind"), "", "must not be empty");
        }
        if owner.name.is_empty() {
            errors.invalid(&list.child("name"), "", "must not be empty");
        }
        if owner.uid.is_empty() {
            errors.invalid(&list.child("uid"), "", "must not be empty");
        }
        if owner.controller == Some(true) {
            if let Some(first) = controller {
                let why = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {}",
                    owner.name
                );
                errors.invalid(&list, &meta.owner_references, &why);
            }
            controller = Some(owner.name.as_str());
        }
    }
}

fn finalizers(meta: &ObjectMeta, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("finalizers");
    let names: Vec<&str> = meta.finalizers.iter().flatten().map(String::as_str).collect();
    for (index, finalizer) in names.iter().enumerate() {
        let wrong = name::qualified_name(finalizer);
        if !wrong.is_empty() {
            errors.invalid_all(&list.index(index), finalizer, wrong);
        } else if !finalizer.contains('/') && !["kubernetes", "orphan", "foregroundDeletion"].contains(finalizer) {
            errors.invalid(&list.index(index), finalizer, "name is neither a standard finalizer name nor is it fully qualified");
        }
    }
    if names.contains(&"orphan") && names.contains(&"foregroundDeletion") {
        errors.invalid(&list, &names, "orphan and foregroundDeletion finalizers cannot be both set");
    }
}

/// What is wrong with changed metadata: (new, old). Fields only the server sets have been restored by then, except those the
/// client changed.
pub(super) fn validate_update(kind: &Kind, new: &ObjectMeta, old: &ObjectMeta, errors: &mut Errors) {
    let path = Path::new("metadata");
    // Upstream judges new metadata by itself and then as a change, which each kind does once more: so often causes are listed.
    validate(kind, new, errors);
    for _ in 0..2 {
        changes(new, old, &path, errors);
    }
}

fn changes(new: &ObjectMeta, old: &ObjectMeta, path: &Path<'_>, errors: &mut Errors) {
    if old.deletion_timestamp.is_some() {
        let had: Vec<&String> = old.finalizers.iter().flatten().collect();
        let added: Vec<&String> = new.finalizers.iter().flatten().filter(|finalizer| !had.contains(finalizer)).collect();
        if !added.is_empty() {
            let added: Vec<String> = added.iter().map(|text| format!("{text:?}")).collect();
            let list = added.join(", ");
            let why = format!("no new finalizers can be added if the object is being deleted, found new finalizers []string{{{list}}}");
            errors.forbidden(&path.child("finalizers"), &why);
        }
    }
    if new.uid != old.uid {
        errors.invalid(&path.child("uid"), &new.uid, "field is immutable");
    }
    if new.creation_timestamp != old.creation_timestamp {
        errors.invalid(&path.child("creationTimestamp"), &new.creation_timestamp, "field is immutable");
    }
    maps(new, path, errors);
    owners(new, path, errors);
}

/// Gives a new state of an object the metadata that only the server sets; what the client filled in otherwise stays, to be
/// refused by [`validate_update`].
pub(super) fn restore(new: &mut ObjectMeta, old: &ObjectMeta) {
    new.name.clone_from(&old.name);
    new.namespace.clone_from(&old.namespace);
    new.generate_name.clone_from(&old.generate_name);
    new.generation = old.generation;
    new.deletion_timestamp.clone_from(&old.deletion_timestamp);
    new.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
    new.self_link = None;
    if new.uid.as_deref().is_none_or(str::is_empty) {
        new.uid.clone_from(&old.uid);
    }
    if new.creation_timestamp.is_none() {
        new.creation_timestamp.clone_from(&old.creation_timestamp);
    }
}
