//! What is decoded is decoded alike from its own text; defaults are filled in once; no rule panics.

use mini_apiserver::{
    kinds::{Kind, field::Errors, rules::Object},
    schema::decode,
};
use mini_daemon::clock;
use serde_json::Value;

use super::{dice::Dice, objects};

pub(super) fn run(input: &[u8]) {
    let made = objects::strange(&mut Dice::of(input));
    let (kind, version) = (made.kind(), made.version());
    let (schema, text) = ((version.schema)(), made.value.to_string());
    let Ok(decoded) = decode::decode(&schema, text.as_bytes()) else {
        assert!(decode::decode_from_value(&schema, made.value).is_err(), "a tree is taken, its text is not: {text}");
        return;
    };
    let from_tree = decode::decode_from_value(&schema, made.value).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((&from_tree.value, &from_tree.unknown), (&decoded.value, &decoded.unknown), "{text}");
    let again = decode::decode(&schema, decoded.value.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((&again.value, again.unknown.len()), (&decoded.value, 0), "{text}");

    let mut value = decoded.value;
    (version.conversion.upgrade)(&mut value);
    let decode = |value: &[u8]| kind.behaviour.decode(value);
    let Ok(mut object) = decode(value.to_string().as_bytes()) else { return };
    kind.behaviour.defaults(&mut *object);
    let once = json(&*object);
    kind.behaviour.defaults(&mut *object);
    assert_eq!(json(&*object), once, "defaults twice: {text}");
    if judge(kind, &*object) {
        let mut reread = decode(once.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {once}"));
        kind.behaviour.defaults(&mut *reread);
        assert_eq!(json(&*reread), once, "written and read: {text}");
    }
    let mut old = once;
    (version.conversion.downgrade)(&mut old);
    (version.conversion.upgrade)(&mut old);
}

/// Asks every rule of the kind; whether a new object would be accepted.
fn judge(kind: &Kind, object: &dyn Object) -> bool {
    let (rules, mut errors) = (&kind.behaviour, Errors::new());
    let mut new = object.copy();
    rules.on_create(&mut *new);
    rules.validate(&*new, &mut errors);
    rules.validate_create(&*new, &mut errors);
    let is_fine = errors.is_empty();
    rules.on_update(&mut *new, object);
    rules.validate_update(&*new, object, &mut errors);
    rules.validate_status(&*new, object, &mut errors);
    rules.warnings(&*new);
    rules.cells(&*new, clock::now());
    rules.held(&*new);
    rules.grace(&*new, Some(0));
    rules.on_delete(&mut *new);
    assert!(errors.causes().len() < 10_000, "{} complaints about one object", errors.causes().len());
    is_fine
}

fn json(object: &dyn Object) -> Value {
    let json = object.json().unwrap_or_else(|error| panic!("an object that cannot be written: {error}"));
    serde_json::from_slice(&json).unwrap_or_else(|error| panic!("no JSON was written: {error}"))
}
