//! Secrets: bytes under keys, typed by what they are for.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use mini_api::name;
use serde_json::{Map, Value};

use super::{
    Field,
    config_map::{MAX_SIZE, SEALED},
    field,
    field::{Errors, Path},
    rules::{Column, Rules, column},
    unset::{default_text, flag, text},
};

/// What lists of Secrets can be selected by.
pub(super) const FIELDS: &[Field] = &[field("type", &["/type"])];

/// What is special about a Secret.
pub(super) const RULES: Rules<Secret> = Rules {
    defaults,
    validate,
    validate_update,
    columns: &[
        Column::name(),
        column("Type", |secret: &Secret, _| Value::from(text(&secret.type_)))
            .about("Used to facilitate programmatic handling of secret data."),
        column("Data", |secret: &Secret, _| Value::from(secret.data.as_ref().map_or(0, |data| data.len())))
            .about("Number of data entries."),
        Column::age(),
    ],
    ..Rules::NONE
};

/// Text the user gave becomes bytes, and goes before bytes under the same key.
fn defaults(secret: &mut Secret) {
    if let Some(strings) = secret.string_data.take().filter(|strings| !strings.is_empty()) {
        let bytes = strings.into_iter().map(|(key, value)| (key, ByteString(value.into_bytes())));
        secret.data.get_or_insert_default().extend(bytes);
    }
    default_text(&mut secret.type_, "Opaque");
}

fn validate(secret: &Secret, errors: &mut Errors) {
    let path = Path::new("data");
    let mut size = 0;
    for (key, value) in secret.data.iter().flatten() {
        errors.invalid_all(&path.key(key), key, name::config_map_key(key));
        size += value.0.len();
    }
    if size > MAX_SIZE {
        errors.too_long(&path, MAX_SIZE);
    }
    let get = |key: &str| secret.data.as_ref().and_then(|data| data.get(key));
    let mut require = |key: &str| {
        if get(key).is_none() {
            errors.required(&path.key(key), "");
        }
    };
    match text(&secret.type_) {
        "kubernetes.io/tls" => {
            require("tls.crt");
            require("tls.key");
        }
        "kubernetes.io/basic-auth" if get("username").is_none() && get("password").is_none() => {
            require("username");
            require("password");
        }
        "kubernetes.io/ssh-auth" if get("ssh-privatekey").is_none_or(|key| key.0.is_empty()) => {
            errors.required(&path.key("ssh-privatekey"), "")
        }
        "kubernetes.io/dockercfg" => is_json(".dockercfg", get(".dockercfg"), &path, errors),
        "kubernetes.io/dockerconfigjson" => is_json(".dockerconfigjson", get(".dockerconfigjson"), &path, errors),
        "kubernetes.io/service-account-token" => {
            let account = "kubernetes.io/service-account.name";
            let annotation = secret.metadata.annotations.as_ref().and_then(|annotations| annotations.get(account));
            if annotation.is_none_or(|name| name.is_empty()) {
                let metadata = Path::new("metadata");
                errors.required(&metadata.child("annotations").key(account), "");
            }
        }
        _ => {}
    }
}

fn is_json(key: &str, value: Option<&ByteString>, path: &Path<'_>, errors: &mut Errors) {
    match value {
        None => errors.required(&path.key(key), ""),
        Some(bytes) => {
            if let Err(error) = serde_json::from_slice::<Map<String, Value>>(&bytes.0) {
                errors.invalid(&path.key(key), "<secret contents redacted>", &error.to_string());
            }
        }
    }
}

fn validate_update(new: &Secret, old: &Secret, errors: &mut Errors) {
    if text(&new.type_) != text(&old.type_) {
        errors.invalid(&Path::new("type"), text(&new.type_), "field is immutable");
    }
    if flag(old.immutable) {
        if !flag(new.immutable) {
            errors.forbidden(&Path::new("immutable"), SEALED);
        }
        if new.data.clone().unwrap_or_default() != old.data.clone().unwrap_or_default() {
            errors.forbidden(&Path::new("data"), SEALED);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(json: Value) -> String {
        let mut secret: Secret = serde_json::from_value(json).unwrap();
        defaults(&mut secret);
        let mut errors = Errors::new();
        validate(&secret, &mut errors);
        if errors.is_empty() { String::new() } else { errors.to_string() }
    }

    #[test]
    fn text_becomes_bytes() {
        let mut secret: Secret = serde_json::from_value(json!({"stringData": {"a": "b"}, "data": {"a": "eA==", "c": "eA=="}})).unwrap();
        defaults(&mut secret);
        let once = secret.clone();
        defaults(&mut secret);
        assert_eq!(secret, once);
        assert_eq!(serde_json::to_value(&secret).unwrap()["data"], json!({"a": "Yg==", "c": "eA=="}));
        assert_eq!((secret.string_data, secret.type_.as_deref()), (None, Some("Opaque")));
    }

    #[test]
    fn types_need_their_keys() {
        for (json, want) in [
            (json!({}), ""),
            (json!({"type": "kubernetes.io/tls"}), "[data[tls.crt]: Required value, data[tls.key]: Required value]"),
            (json!({"type": "kubernetes.io/ssh-auth"}), "data[ssh-privatekey]: Required value"),
            (json!({"type": "kubernetes.io/basic-auth", "stringData": {"username": "a"}}), ""),
            (json!({"type": "kubernetes.io/dockercfg"}), "data[.dockercfg]: Required value"),
            (
                json!({"type": "kubernetes.io/service-account-token"}),
                "metadata.annotations[kubernetes.io/service-account.name]: Required value",
            ),
        ] {
            assert_eq!(said(json), want);
        }
    }
}
