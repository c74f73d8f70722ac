//! `create secret`, which comes in three types.

mod docker_registry;
mod generic;
mod tls;

use base64::{Engine, engine::general_purpose::STANDARD};
use mini_api::name;
use serde_json::{Map, Value, json};

use super::{Generating, hash};
use crate::{
    context::Context,
    error::{Error, Result, usage},
    making::Kind,
};

const KIND: Kind = Kind { group: "", version: "v1", kind: "Secret", plural: "secrets", namespaced: true };

/// Create a secret of a type.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(subcommand)]
    kind: Type,
}

#[derive(clap::Subcommand, Debug)]
enum Type {
    DockerRegistry(docker_registry::Args),
    Generic(generic::Args),
    Tls(tls::Args),
}

/// What all types take.
#[derive(clap::Args, Debug)]
struct Named {
    #[command(flatten)]
    generating: Generating,
    /// Append a hash of its contents to its name.
    #[arg(long)]
    append_hash: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let (named, secret) = match args.kind {
        Type::DockerRegistry(args) => docker_registry::made(args)?,
        Type::Generic(args) => generic::made(args)?,
        Type::Tls(args) => tls::made(args)?,
    };
    // There is no colon: kubectl's.
    let failed = |error| match error {
        Error::Refused(refusal) => usage(format!("failed to create secret {}", refusal.message)),
        other => other,
    };
    named.generating.create(context, &KIND, secret).await.map_err(failed)
}

/// A secret of this type and these contents.
fn secret(name: &str, kind: &str, entries: Vec<(String, Vec<u8>)>, append_hash: bool) -> Result<Value> {
    let mut data = Map::new();
    for (key, value) in entries {
        let wrong = name::config_map_key(&key);
        if !wrong.is_empty() {
            return Err(usage(format!("{key:?} is not valid key name for a Secret {}", wrong.join(";"))));
        }
        if data.contains_key(&key) {
            return Err(usage(format!("cannot add key {key}, another key by that name already exists")));
        }
        data.insert(key, STANDARD.encode(value).into());
    }
    let mut secret = KIND.named(name);
    if append_hash {
        let contents = json!({"kind": "Secret", "name": name, "type": kind, "data": data});
        secret["metadata"]["name"] = format!("{name}-{}", hash::of(&contents)).into();
    }
    if !kind.is_empty() {
        secret["type"] = kind.into();
    }
    if !data.is_empty() {
        secret["data"] = data.into();
    }
    Ok(secret)
}
