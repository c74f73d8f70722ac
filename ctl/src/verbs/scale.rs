//! `scale`: sets how many there shall be, through the scale subresource of whatever has one.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    changing::{Subject, Subjects, Wanted, subjects},
    context::Context,
    error::{Error, Result, usage},
    selection::{Files, Many},
    server::{Call, JSON, Server, with_query},
    value::{int, text},
    verbs::wait::duration,
    writing::{DryRun, Recording, Writing},
};

/// How often a conflict is met with another try.
const ATTEMPTS: u32 = 10;
/// The pause between two looks whether there are as many as wanted.
const POLL: Duration = Duration::from_secs(1);
const MERGE: &str = "application/merge-patch+json";

/// Set a new size for a deployment, replica set, or replication controller.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME…, or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Only objects with these labels: a=b, a!=b, a in (b,c), a, !a.
    #[arg(long, short = 'l', value_name = "SELECTOR", allow_hyphen_values = true)]
    selector: Option<String>,
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
    /// How long to wait until there are so many; 0 does not wait.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    recording: Recording,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    args.recording.warn();
    args.writing.form()?;
    let Some(replicas) = args.replicas else {
        return Err(usage("required flag(s) \"replicas\" not set"));
    };
    if replicas < 0 {
        return Err(usage("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"));
    }
    if args.current_replicas < -1 {
        return Err(usage("The --current-replicas must specify an integer of -1 or greater"));
    }
    let many = Many { selector: args.selector.clone(), ..Many::default() };
    let wanted = Wanted { words: &args.words, files: &args.files, many: &many, all: args.all, local: false };
    let Subjects { list, errors, .. } = subjects(context, &wanted).await?;
    if list.len() > 1 && args.resource_version.is_some() {
        return Err(usage("cannot use --resource-version with multiple resources"));
    }
    if list.is_empty() {
        return Err(usage(nothing(&errors)));
    }
    for (said, subject) in list.iter().enumerate() {
        if !args.writing.stays_here() {
            scale(context, &args, subject, replicas).await?;
        }
        // As kubectl has it: the object as it was before.
        args.writing.say_after(said, &subject.target.resource, &subject.object, "scaled")?;
    }
    Error::from_all(errors)
}

/// What is said when there is nothing to scale, and why.
fn nothing(errors: &[Error]) -> String {
    let said = |error: &Error| error.refusal().map_or_else(|| error.to_string(), |refusal| refusal.message.clone());
    let why: Vec<String> = errors.iter().map(said).collect();
    match why.as_slice() {
        [] => "no objects passed to scale".to_owned(),
        [one] => format!("no objects passed to scale {one}"),
        _ => format!("no objects passed to scale [{}]", why.join(", ")),
    }
}

async fn scale(context: &Context, args: &Args, subject: &Subject, replicas: i64) -> Result<()> {
    let server = context.server().await?;
    let plain = format!("{}/scale", subject.target.path());
    let path = with_query(&plain, &[args.writing.dry_run.parameter()]);
    if args.current_replicas < 0 && args.resource_version.is_none() {
        let patch = json!({"spec": {"replicas": replicas}});
        server.call(Call { method: Method::PATCH, path: &path, content_type: MERGE, body: &patch }).await?;
    } else {
        let mut attempts = 1;
        loop {
            match scale_if(server, args, &path, replicas).await {
                // Somebody else, a controller writing its status, say, came in between.
                Err(error) if attempts < ATTEMPTS && error.is_conflict() => attempts += 1,
                outcome => break outcome?,
            }
        }
    }
    if args.writing.dry_run != DryRun::None {
        return Ok(());
    }
    if args.timeout > Duration::ZERO {
        until(server, &plain, replicas, args.timeout, &subject.target.name).await?;
    }
    let mut note = json!({});
    args.recording.note(context, &mut note);
    if note != json!({}) {
        server.call(Call { method: Method::PATCH, path: &subject.target.path(), content_type: MERGE, body: &note }).await?;
    }
    Ok(())
}

/// Waits until there are as many as there shall be.
async fn until(server: &Server, path: &str, replicas: i64, patience: Duration, name: &str) -> Result<()> {
    let deadline = Instant::now() + patience;
    let reached = |scale: &Value| int(&scale["spec"]["replicas"]) == replicas && int(&scale["status"]["replicas"]) == replicas;
    while !reached(&server.get(path).await?) {
        if Instant::now() + POLL > deadline {
            return Err(usage(format!("timed out waiting for {name:?} to be synced")));
        }
        sleep(POLL).await;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_scale_has_reasons() {
        assert_eq!(nothing(&[]), "no objects passed to scale");
        assert_eq!(nothing(&[usage("a")]), "no objects passed to scale error: a");
        let refused = |message: &str| Error::Refused(Box::new(crate::Refusal { message: message.into(), ..crate::Refusal::default() }));
        assert_eq!(nothing(&[refused("a"), refused("b")]), "no objects passed to scale [a, b]");
    }
}
