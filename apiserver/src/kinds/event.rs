//! Events: what happened to an object. One kind under two names: that of core, and the newer one of events.k8s.io, in which some
//! fields are called differently.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSource},
    apimachinery::pkg::apis::meta::v1::Time,
};
use mini_api::{age, name};
use serde_json::{Value, json};

use super::{
    Conversion, Field, field,
    field::{Errors, Path},
    rules::{Column, Rules, column},
    unset::text,
};

/// What lists of Events can be selected by.
pub(super) const FIELDS: &[Field] = &[
    field("involvedObject.kind", &["/involvedObject/kind"]),
    field("involvedObject.namespace", &["/involvedObject/namespace"]),
    field("involvedObject.name", &["/involvedObject/name"]),
    field("involvedObject.uid", &["/involvedObject/uid"]),
    field("involvedObject.apiVersion", &["/involvedObject/apiVersion"]),
    field("involvedObject.resourceVersion", &["/involvedObject/resourceVersion"]),
    field("involvedObject.fieldPath", &["/involvedObject/fieldPath"]),
    field("reason", &["/reason"]),
    field("reportingComponent", &["/reportingComponent"]),
    field("source", &["/source/component", "/reportingComponent"]),
    field("type", &["/type"]),
];

/// What fields are called in core, and in events.k8s.io.
const NAMES: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// The Event of events.k8s.io.
pub(super) const VERSION: Conversion = Conversion {
    upgrade: |event| NAMES.iter().for_each(|(core, new)| rename(event, new, core)),
    downgrade: |event| {
        NAMES.iter().for_each(|(core, new)| rename(event, core, new));
        if let Some(event) = event.as_object_mut() {
            event.entry("deprecatedSource").or_insert_with(|| json!({}));
        }
    },
    ..Conversion::NONE
};

fn rename(event: &mut Value, from: &str, to: &str) {
    if let Some(event) = event.as_object_mut()
        && let Some(value) = event.remove(from)
    {
        event.insert(to.to_owned(), value);
    }
}

/// What is special about an Event.
pub(super) const RULES: Rules<Event> = Rules {
    defaults: |event| {
        event.source.get_or_insert_with(EventSource::default);
        event.reporting_component.get_or_insert_default();
        event.reporting_instance.get_or_insert_default();
    },
    validate,
    columns: COLUMNS,
    ..Rules::NONE
};

fn validate(event: &Event, errors: &mut Errors) {
    let namespace = text(&event.metadata.namespace);
    let about = text(&event.involved_object.namespace);
    let object = Path::new("involvedObject");
    let is_new = event.event_time.is_some();
    // Events about objects without a namespace live in `default`, those of newer clients also in `kube-system`.
    let fits = match about {
        "" => matches!(namespace, "" | "default") || (is_new && namespace == "kube-system"),
        about => is_new || about == namespace,
    };
    if !fits {
        errors.invalid(&object.child("namespace"), about, "does not match event.namespace");
    }
    if is_new {
        validate_new(event, errors);
    }
    errors.invalid_all(&Path::new("namespace"), namespace, name::dns1123_subdomain(namespace));
}

/// What newer clients must say.
fn validate_new(event: &Event, errors: &mut Errors) {
    let reporter = text(&event.reporting_component);
    let path = Path::new("reportingController");
    if reporter.is_empty() {
        errors.required(&path, "");
    }
    errors.invalid_all(&path, reporter, name::qualified_name(reporter));
    // The spelling of the second name is upstream's.
    let instance = ("reportingInstance", "repotingIntance", text(&event.reporting_instance));
    for (field, long, value) in [instance, ("action", "action", text(&event.action)), ("reason", "reason", text(&event.reason))] {
        if value.is_empty() {
            errors.required(&Path::new(field), "");
        }
        if value.len() > 128 {
            errors.invalid(&Path::new(long), "", "can have at most 128 characters");
        }
    }
    if text(&event.message).len() > 1024 {
        errors.invalid(&Path::new("message"), "", "can have at most 1024 characters");
    }
}

const COLUMNS: &[Column<Event>] = &[
    column("Last Seen", |event: &Event, now| Value::from(last_seen(event, now))).about("Time when this event was last observed"),
    column("Type", |event: &Event, _| Value::from(text(&event.type_))),
    column("Reason", |event: &Event, _| Value::from(text(&event.reason))),
    column("Object", |event: &Event, _| Value::from(object(event))),
    column("Subobject", |event: &Event, _| Value::from(text(&event.involved_object.field_path))).wide(),
    column("Source", |event: &Event, _| Value::from(source(event))).wide(),
    column("Message", |event: &Event, _| Value::from(text(&event.message).trim())),
    column("First Seen", |event: &Event, now| Value::from(first_seen(event, now))).wide().about("Time when this event was first observed"),
    column("Count", |event: &Event, _| Value::from(count(event))).wide(),
    Column { priority: 1, ..Column::name() },
];

fn first_seen(event: &Event, now: Timestamp) -> String {
    let first = event.first_timestamp.clone().or_else(|| event.event_time.as_ref().map(|time| Time(time.0)));
    age::since(first.as_ref(), now)
}

fn last_seen(event: &Event, now: Timestamp) -> String {
    if let Some(series) = &event.series {
        return age::since(series.last_observed_time.as_ref().map(|time| Time(time.0)).as_ref(), now);
    }
    match &event.last_timestamp {
        Some(last) => age::since(Some(last), now),
        None => first_seen(event, now),
    }
}

fn count(event: &Event) -> i32 {
    match &event.series {
        Some(series) => series.count.unwrap_or_default(),
        // Newer clients do not count what happened once.
        None => event.count.filter(|count| *count != 0).unwrap_or(1),
    }
}

fn object(event: &Event) -> String {
    let kind = text(&event.involved_object.kind).to_lowercase();
    match text(&event.involved_object.name) {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

fn source(event: &Event) -> String {
    let given =
        |source: fn(&EventSource) -> &Option<String>| event.source.as_ref().map(|from| text(source(from))).filter(|name| !name.is_empty());
    let component = given(|source| &source.component).unwrap_or(text(&event.reporting_component));
    let instance = given(|source| &source.host).unwrap_or(text(&event.reporting_instance));
    if instance.is_empty() { component.to_owned() } else { format!("{component}, {instance}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: Value) -> Event {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn both_names_mean_the_same() {
        let mut value =
            json!({"regarding": {"kind": "Pod"}, "note": "hello", "reportingController": "c", "deprecatedFirstTimestamp": null});
        (VERSION.upgrade)(&mut value);
        assert_eq!(
            value,
            json!({"involvedObject": {"kind": "Pod"}, "message": "hello", "reportingComponent": "c", "firstTimestamp": null})
        );
        (VERSION.downgrade)(&mut value);
        assert_eq!(
            value,
            json!({
                "regarding": {"kind": "Pod"}, "note": "hello", "reportingController": "c", "deprecatedFirstTimestamp": null,
                "deprecatedSource": {},
            })
        );
    }

    #[test]
    fn namespaces_must_match() {
        for (json, want) in [
            (json!({"metadata": {"namespace": "a"}, "involvedObject": {"namespace": "a"}}), ""),
            (json!({"metadata": {"namespace": "default"}, "involvedObject": {}}), ""),
            (
                json!({"metadata": {"namespace": "a"}, "involvedObject": {"namespace": "b"}}),
                "involvedObject.namespace: Invalid value: \"b\": does not match event.namespace",
            ),
            (
                json!({"metadata": {"namespace": "a"}, "involvedObject": {}}),
                "involvedObject.namespace: Invalid value: \"\": does not match event.namespace",
            ),
            (
                json!({"metadata": {"namespace": "a"}, "involvedObject": {"namespace": "a"}, "eventTime": "2026-01-01T00:00:00Z",
                    "reportingComponent": "c", "reportingInstance": "i", "reason": "r"}),
                "action: Required value",
            ),
        ] {
            let mut errors = Errors::new();
            validate(&event(json), &mut errors);
            assert_eq!(if errors.is_empty() { String::new() } else { errors.to_string() }, want);
        }
    }

    #[test]
    fn cells() {
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        let new = event(json!({
            "metadata": {}, "involvedObject": {"kind": "Pod", "name": "p"}, "eventTime": "2026-01-01T00:00:00Z",
            "reportingComponent": "default-scheduler", "reportingInstance": "host",
        }));
        assert_eq!((last_seen(&new, now), first_seen(&new, now)), ("60s".to_owned(), "60s".to_owned()));
        assert_eq!((object(&new), source(&new), count(&new)), ("pod/p".to_owned(), "default-scheduler, host".to_owned(), 1));
    }
}
