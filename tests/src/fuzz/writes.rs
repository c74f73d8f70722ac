//! What a server accepts it keeps as it answered; a write that says what is there already is no write, in whichever form it says so.

use serde_json::{Value, json};

use super::{
    dice::Dice,
    objects::{self, Made},
    patches::keyed,
    server::{JSON, World, world},
};

const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

pub(super) fn run(input: &[u8]) {
    let made = objects::strange(&mut Dice::of(input));
    let (world, kind) = (world(), made.kind());
    let collection = collection(&made);
    let text = made.value.to_string();
    let created = world.send("POST", &collection, JSON, text.clone());
    created.check(&text);
    let dry = world.send("POST", &format!("{collection}?dryRun=All"), JSON, text.clone());
    let taken = created.code == 201 && kind.computed.is_none() && created.json()["metadata"]["generateName"].is_null();
    if taken {
        assert_eq!(dry.code, 409, "{text} twice");
    } else if created.code != 201 {
        // The text may name what a try has generated.
        assert_eq!(dry.code, created.code, "a dry run differs: {text}: {created:?} {dry:?}");
    }
    if created.code != 201 || kind.computed.is_some() {
        return;
    }
    let object = created.json();
    let name = object["metadata"]["name"].as_str().expect("what is created has a name");
    let path = format!("{collection}/{}", percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC));
    let got = world.send("GET", &path, JSON, "");
    assert_eq!((got.code, got.json()), (200, object.clone()), "what is stored differs: {text}");
    // What the items of a list without keys belong to, nobody can say.
    if !unkeyed(&object) {
        same_again(&world, &made, &path, &object);
    }
    apply_again(&world, &made, &path, &object);
    remove(&world, &path);
}

fn collection(made: &Made) -> String {
    let (kind, version) = (made.kind(), made.version());
    let root = if version.group.is_empty() { "api" } else { "apis" };
    let namespace = if kind.namespaced { "namespaces/default/" } else { "" };
    format!("/{root}/{}/{namespace}{}", version.api_version, kind.plural)
}

/// Whether a reference to a Secret names none.
fn unkeyed(object: &Value) -> bool {
    object["secrets"].as_array().is_some_and(|secrets| secrets.iter().any(|secret| secret["name"].is_null()))
}

/// What upstream refuses of an update though a new object may have it.
const UPDATES_ONLY: [&str; 1] = ["status.addresses"];

/// Writes that say what is there: none may count.
fn same_again(world: &World, made: &Made, path: &str, object: &Value) {
    let text = &made.value;
    let mut bare = object.clone();
    for field in ["resourceVersion", "managedFields", "uid", "creationTimestamp", "generation"] {
        bare["metadata"].as_object_mut().expect("metadata").remove(field);
    }
    let test = json!([{ "op": "replace", "path": "/metadata", "value": object["metadata"] }]);
    let keyed = keyed(&(made.version().schema)(), &bare);
    for (method, form, body) in [
        ("PUT", JSON, object),
        ("PUT", JSON, &bare),
        ("PATCH", MERGE, &json!({})),
        ("PATCH", MERGE, object),
        ("PATCH", STRATEGIC, &bare),
        ("PATCH", "application/json-patch+json", &test),
    ] {
        // Where ports differ only in their protocol, a patch cannot tell them apart. Upstream's cannot either.
        if form == STRATEGIC && !keyed {
            continue;
        }
        let answer = world.send(method, path, form, body.to_string());
        if UPDATES_ONLY.iter().any(|why| answer.message().contains(why)) {
            return;
        }
        let said = answer.json();
        assert_eq!(answer.code, 200, "{method} {form} of what is there: {}; created by {text}: {body}", answer.message());
        assert_eq!(&said, object, "{method} {form} of what is there changed it; created by {text}");
    }
}

/// What is applied twice is applied once.
fn apply_again(world: &World, made: &Made, path: &str, object: &Value) {
    let text = &made.value;
    let mut config = object.clone();
    for field in ["resourceVersion", "managedFields", "uid", "creationTimestamp", "generation"] {
        config["metadata"].as_object_mut().expect("metadata").remove(field);
    }
    let apply = || world.send("PATCH", &format!("{path}?fieldManager=me&force=true"), APPLY, config.to_string());
    let first = apply();
    first.check(&config);
    if first.code != 200 {
        return;
    }
    let second = apply();
    assert_eq!((second.code, second.json()), (200, first.json()), "{config} applied twice; created by {text}");
    let mut after = first.json();
    for state in [&mut after, &mut config] {
        for field in ["resourceVersion", "managedFields", "uid", "creationTimestamp", "generation"] {
            state["metadata"].as_object_mut().expect("metadata").remove(field);
        }
    }
    assert_eq!(after, config, "an object applied as it was has changed; created by {text}");
}

/// Leaves nothing behind.
fn remove(world: &World, path: &str) {
    world.send("DELETE", &format!("{path}?gracePeriodSeconds=0&propagationPolicy=Background"), JSON, "");
    for part in ["", "/finalize"] {
        if world.send("GET", path, JSON, "").code == 404 {
            return;
        }
        let mut left = world.send("GET", path, JSON, "").json();
        left["metadata"]["finalizers"] = Value::Null;
        if part == "/finalize" {
            left["spec"]["finalizers"] = Value::Null;
        }
        world.send("PUT", &format!("{path}{part}"), JSON, left.to_string());
    }
    assert_eq!(world.send("GET", path, JSON, "").code, 404, "{path} could not be removed");
}
