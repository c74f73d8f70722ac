//! `create configmap`.

use base64::{Engine, engine::general_purpose::STANDARD};
use mini_api::name;
use serde_json::{Map, Value, json};

use super::{Generating, hash, sources::Sources};
use crate::{
    context::Context,
    error::{Result, usage},
    making::{Kind, failed},
};

const KIND: Kind = Kind { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true };

/// Create a config map from a local file, directory or literal value.
#[derive(clap::Args, Debug)]
#[command(visible_alias = "cm")]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
    #[command(flatten)]
    sources: Sources,
    /// Append a hash of its contents to its name.
    #[arg(long)]
    append_hash: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let name = args.generating.name("configmap")?;
    let entries = args.sources.entries("config", |name| std::env::var(name).unwrap_or_default())?;
    let map = config_map(name, entries, args.append_hash)?;
    args.generating.create(context, &KIND, map).await.map_err(failed("create configmap"))
}

/// Texts are texts, everything else is bytes.
fn config_map(name: &str, entries: Vec<(String, Vec<u8>)>, append_hash: bool) -> Result<Value> {
    let (mut data, mut binary) = (Map::new(), Map::new());
    for (key, value) in entries {
        let wrong = name::config_map_key(&key);
        if !wrong.is_empty() {
            return Err(usage(format!("{key:?} is not a valid key name for a ConfigMap: {}", wrong.join(","))));
        }
        for (field, known) in [("Data", &data), ("BinaryData", &binary)] {
            if known.contains_key(&key) {
                return Err(usage(format!("cannot add key {key:?}, another key by that name already exists in {field} for ConfigMap {name:?}")));
            }
        }
        match String::from_utf8(value) {
            Ok(text) => data.insert(key, text.into()),
            Err(error) => binary.insert(key, STANDARD.encode(error.into_bytes()).into()),
        };
    }
    let mut map = KIND.named(name);
    if append_hash {
        let mut contents = json!({"kind": "ConfigMap", "name": name, "data": data});
        if !binary.is_empty() {
            contents["binaryData"] = binary.clone().into();
        }
        map["metadata"]["name"] = format!("{name}-{}", hash::of(&contents)).into();
    }
    for (field, value) in [("data", data), ("binaryData", binary)] {
        if !value.is_empty() {
            map[field] = value.into();
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_bytes_lie_apart() {
        let entries = |entries: &[(&str, &[u8])]| entries.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect::<Vec<_>>();
        let map = config_map("x", entries(&[("a", b"b"), ("bin", b"\xff\xfe")]), false).unwrap();
        assert_eq!((&map["data"], &map["binaryData"]), (&json!({"a": "b"}), &json!({"bin": "//4="})));
        let map = config_map("x", entries(&[("bin", b"\xff\xfe"), ("app.env", b"x=1\ny=2\n")]), true).unwrap();
        assert_eq!(map["metadata"]["name"], "x-92ggcmc7t5");
        for (key, why) in [
            ("a", "cannot add key \"a\", another key by that name already exists in Data for ConfigMap \"x\""),
            ("b c", "\"b c\" is not a valid key name for a ConfigMap: a valid config key must consist of"),
        ] {
            let error = config_map("x", entries(&[("a", b"b"), (key, b"c")]), false).unwrap_err().to_string();
            assert!(error.starts_with(&format!("error: {why}")), "{error}");
        }
    }
}
