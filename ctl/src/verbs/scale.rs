//! `scale`: sets how many there shall be, through the scale subresource of whatever has one.

use http::Method;
use serde_json::json;

use crate::{
    context::Context,
    error::{Error, Result, usage},
    print::print,
    selection::{Files, Many, Target, expand, select},
    server::{Call, JSON, Server},
    value::{int, text},
};

/// How often a conflict is met with another try.
const ATTEMPTS: u32 = 10;

/// Set a new size for a deployment, replica set, replication controller, or stateful set.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME…, or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    many: Many,
    /// Every object of the type.
    #[arg(long)]
    all: bool,
    /// How many there shall be.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    replicas: Option<i64>,
    /// Only if there are to be this many now.
    #[arg(long, value_name = "COUNT", default_value_t = -1, allow_hyphen_values = true)]
    current_replicas: i64,
    /// Only if the object has this resource version.
    #[arg(long, value_name = "VERSION")]
    resource_version: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let Some(replicas) = args.replicas else {
        return Err(usage("required flag(s) \"replicas\" not set"));
    };
    if replicas < 0 {
        return Err(usage("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"));
    }
    let server = context.server().await?;
    let selection = select(context, &args.words, &args.files).await?;
    let targets = expand(context, selection, &args.many, args.all).await?;
    if targets.is_empty() {
        return Err(usage("no objects passed to scale"));
    }
    let mut errors = Vec::new();
    for target in targets {
        if let Err(error) = target.fetch(server, JSON).await {
            errors.push(match error.refusal() {
                Some(refusal) if refusal.code == 404 => usage(format!("no objects passed to scale {}", refusal.message)),
                _ => error,
            });
            continue;
        }
        match scale(server, &args, &target, replicas).await {
            Ok(()) => print(&format!("{} scaled\n", target.slashed()))?,
            Err(error) => errors.push(error),
        }
    }
    Error::from_all(errors)
}

async fn scale(server: &Server, args: &Args, target: &Target, replicas: i64) -> Result<()> {
    let path = format!("{}/scale", target.path());
    if args.current_replicas < 0 && args.resource_version.is_none() {
        let patch = json!({"spec": {"replicas": replicas}});
        server.call(Call { method: Method::PATCH, path: &path, content_type: "application/merge-patch+json", body: &patch }).await?;
        return Ok(());
    }
    let mut attempts = 1;
    loop {
        match scale_if(server, args, &path, replicas).await {
            // Somebody else, a controller writing its status, say, came in between.
            Err(error) if attempts < ATTEMPTS && error.refusal().is_some_and(|refusal| refusal.code == 409) => attempts += 1,
            outcome => return outcome,
        }
    }
}

/// Scales what is as it is expected to be. What was looked at is what is written: the resource version in the body makes the
/// server refuse anything else.
async fn scale_if(server: &Server, args: &Args, path: &str, replicas: i64) -> Result<()> {
    let mut current = server.get(path).await?;
    let (now, version) = (int(&current["spec"]["replicas"]), text(&current["metadata"]["resourceVersion"]));
    if args.current_replicas >= 0 && now != args.current_replicas {
        return Err(usage(format!("Expected replicas to be {}, was {now}", args.current_replicas)));
    }
    if let Some(wanted) = args.resource_version.as_deref().filter(|wanted| *wanted != version) {
        return Err(usage(format!("Expected resource version to be {wanted}, was {version}")));
    }
    current["spec"]["replicas"] = replicas.into();
    server.call(Call { method: Method::PUT, path, content_type: JSON, body: &current }).await?;
    Ok(())
}
