//! Config maps and secrets that a kustomization makes, and the hashes at the ends of their names.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ring::digest;
use serde_json::{Map, Value, json};

use super::{Item, only, places, read_file};
use crate::{
    error::{Result, usage},
    patch::go_json,
    value::{list, map_mut, name, strings, text},
};

const FIELDS: &[&str] = &["name", "namespace", "literals", "files", "envs", "env", "options", "type", "behavior"];
const OPTIONS: &[&str] = &["labels", "annotations", "disableNameSuffixHash", "immutable"];

/// The config maps that are to be made.
pub(super) fn config_maps(folder: &Path, kustomization: &Value) -> Result<Vec<Item>> {
    let make = |entry: &Value, bytes: Vec<(String, Vec<u8>)>| {
        let (mut data, mut binary) = (Map::new(), Map::new());
        for (key, bytes) in bytes {
            match String::from_utf8(bytes) {
                Ok(text) => data.insert(key, text.into()),
                Err(error) => binary.insert(key, BASE64.encode(error.as_bytes()).into()),
            };
        }
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": entry["name"]}});
        for (field, map) in [("data", data), ("binaryData", binary)] {
            if !map.is_empty() {
                object[field] = map.into();
            }
        }
        object
    };
    made(folder, kustomization, "configMapGenerator", make)
}

/// The secrets that are to be made.
pub(super) fn secrets(folder: &Path, kustomization: &Value) -> Result<Vec<Item>> {
    let make = |entry: &Value, bytes: Vec<(String, Vec<u8>)>| {
        let data: Map<String, Value> = bytes.into_iter().map(|(key, bytes)| (key, BASE64.encode(bytes).into())).collect();
        let kind = entry["type"].as_str().unwrap_or("Opaque");
        let mut object = json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": entry["name"]}});
        if !data.is_empty() {
            object["data"] = data.into();
        }
        object
    };
    made(folder, kustomization, "secretGenerator", make)
}

fn made(folder: &Path, kustomization: &Value, field: &str, make: impl Fn(&Value, Vec<(String, Vec<u8>)>) -> Value) -> Result<Vec<Item>> {
    let common = &kustomization["generatorOptions"];
    only(common, "generatorOptions", OPTIONS)?;
    let mut items = Vec::new();
    for entry in list(&kustomization[field]) {
        only(entry, field, FIELDS)?;
        let options = &entry["options"];
        only(options, "options", OPTIONS)?;
        if !matches!(text(&entry["behavior"]), "" | "create" | "unspecified") {
            return Err(usage(format!(
                "mini-ctl does not support the behavior {} of an entry of {field:?} in a kustomization",
                entry["behavior"]
            )));
        }
        let mut object = make(entry, contents(folder, entry)?);
        if let Some(namespace) = entry["namespace"].as_str() {
            object["metadata"]["namespace"] = namespace.into();
        }
        for options in [common, options] {
            for map in ["labels", "annotations"] {
                for (key, value) in strings(&options[map]) {
                    map_mut(&mut object["metadata"][map]).insert(key.to_owned(), value.into());
                }
            }
            if options["immutable"] == true {
                object["immutable"] = true.into();
            }
        }
        let plain = |options: &Value| options["disableNameSuffixHash"] == true;
        items.push(Item::new(object, !plain(common) && !plain(options)));
    }
    Ok(items)
}

/// The keys of an entry, and what is in them.
fn contents(folder: &Path, entry: &Value) -> Result<Vec<(String, Vec<u8>)>> {
    let mut all = Vec::new();
    let pair = |literal: &str| -> Result<(String, Vec<u8>)> {
        let (key, value) = literal.split_once('=').ok_or_else(|| usage(format!("invalid literal source {literal}, expected key=value")))?;
        let unquoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        Ok((key.to_owned(), unquoted.unwrap_or(value).as_bytes().to_vec()))
    };
    for literal in list(&entry["literals"]) {
        all.push(pair(text(literal))?);
    }
    for file in list(&entry["files"]).iter().map(text) {
        let (key, path) = file.split_once('=').unwrap_or_else(|| (file.rsplit('/').next().unwrap_or_default(), file));
        all.push((key.to_owned(), read_file(&folder.join(path))?));
    }
    for file in list(&entry["envs"]).iter().chain(entry["env"].as_str().map(|_| &entry["env"])).map(text) {
        let bytes = read_file(&folder.join(file))?;
        for line in String::from_utf8_lossy(&bytes).lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (key, value) = line.split_once('=').map_or_else(
                || (line.to_owned(), std::env::var(line).unwrap_or_default()),
                |(key, value)| (key.to_owned(), value.to_owned()),
            );
            all.push((key, value.into_bytes()));
        }
    }
    Ok(all)
}

/// Puts the hashes at the ends of the names, and everywhere these names stand.
pub(super) fn add_hashes(items: &mut [Item]) {
    let renamed: Vec<(String, String, String)> = items
        .iter_mut()
        .filter(|item| item.hashed)
        .map(|item| {
            let before = name(&item.object).to_owned();
            let after = format!("{before}-{}", hash(&item.object));
            item.object["metadata"]["name"] = after.clone().into();
            (item.kind().to_owned(), before, after)
        })
        .collect();
    for item in items {
        places::references(&mut item.object, "", &mut |kind, name| {
            if let Some((.., after)) = renamed.iter().find(|(of, before, _)| of == kind && before == name) {
                after.clone_into(name);
            }
        });
    }
}

/// Ten letters for what is in a config map or secret. The name is left empty: so it is hashed upstream.
fn hash(object: &Value) -> String {
    let mut hashed = json!({"kind": object["kind"], "name": "", "data": object.get("data").cloned().unwrap_or_else(|| "".into())});
    for field in ["binaryData", "type"] {
        if !object[field].is_null() {
            hashed[field] = object[field].clone();
        }
    }
    let sum = digest::digest(&digest::SHA256, go_json(&hashed).as_bytes());
    let hex: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let letter = |digit| match digit {
        // No words are to come of it.
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        digit => digit,
    };
    hex.chars().take(10).map(letter).collect()
}
