//! `create secret generic`.

use serde_json::Value;

use super::{super::sources::Sources, Named, secret};
use crate::error::Result;

/// Create a secret from a local file, directory, or literal value.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    sources: Sources,
    /// The type of the secret.
    #[arg(long = "type", value_name = "TYPE", default_value = "")]
    kind: String,
}

pub(super) fn made(args: Args) -> Result<(Named, Value)> {
    let name = args.named.generating.name("secret generic")?;
    let entries = args.sources.entries("secret", |name| std::env::var(name).unwrap_or_default())?;
    let secret = secret(name, &args.kind, entries, args.named.append_hash)?;
    Ok((args.named, secret))
}
