//! `version`: ours, and the server's.

use clap::ValueEnum;
use serde_json::json;

use crate::{context::Context, error::Result, print::print, value::text, verbs::get::json_text, yaml};

/// Print the client and server version information.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Only ours; no server is needed.
    #[arg(long)]
    client: bool,
    /// The form of the answer.
    #[arg(long, short, value_name = "FORM", ignore_case = true)]
    output: Option<Form>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Yaml,
    Json,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let ours = format!("v{}", env!("CARGO_PKG_VERSION"));
    let theirs = async || context.server().await?.get("/version").await;
    let Some(form) = args.output else {
        print(&format!("Client Version: {ours}\n"))?;
        return if args.client { Ok(()) } else { print(&format!("Server Version: {}\n", text(&theirs().await?["gitVersion"]))) };
    };
    let mut versions = json!({"clientVersion": {"gitVersion": ours, "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH)}});
    if !args.client {
        versions["serverVersion"] = theirs().await?;
    }
    match form {
        Form::Yaml => print(&yaml::to_string(&versions)),
        Form::Json => print(&json_text(&versions)?),
    }
}
