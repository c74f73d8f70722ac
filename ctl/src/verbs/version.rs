//! `version`: ours, and the server's.

use serde_json::json;

use crate::{
    context::Context,
    error::{Result, usage},
    print::print,
    value::text,
    yaml,
};

/// Print the client and server version information.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Only ours; no server is needed.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = clap::ArgAction::Set)]
    client: bool,
    /// The form of the answer: yaml, json.
    #[arg(long, short, value_name = "FORM", default_value = "")]
    output: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if !["", "yaml", "json"].contains(&args.output.as_str()) {
        return Err(usage("--output must be 'yaml' or 'json'"));
    }
    let ours = format!("v{}", env!("CARGO_PKG_VERSION"));
    let theirs = async || context.server().await?.get("/version").await;
    if args.output.is_empty() {
        print(&format!("Client Version: {ours}\n"))?;
        return if args.client { Ok(()) } else { print(&format!("Server Version: {}\n", text(&theirs().await?["gitVersion"]))) };
    }
    let mut versions = json!({"clientVersion": {
        "compiler": "rustc",
        "gitVersion": ours,
        "major": env!("CARGO_PKG_VERSION_MAJOR"),
        "minor": env!("CARGO_PKG_VERSION_MINOR"),
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    }});
    if !args.client {
        versions["serverVersion"] = theirs().await?;
    }
    match args.output.as_str() {
        "yaml" => print(&yaml::to_string(&versions)),
        // Two spaces here, as kubectl has it.
        _ => print(&format!("{}\n", serde_json::to_string_pretty(&versions).map_err(|error| usage(error.to_string()))?)),
    }
}
