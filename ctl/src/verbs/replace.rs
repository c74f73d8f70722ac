//! `replace`: makes an object be what the file says and nothing more, or, by force, makes it anew.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    context::Context,
    error::{Error, Result, usage},
    patch::{last_applied, with_last_applied},
    print::print,
    selection::{Files, Placed, Target, place},
    server::{Call, JSON, Server},
    value::text,
    verbs::{
        delete::{Cascade, until_gone},
        wait::duration,
    },
    writing::{DryRun, Validation, Writing},
};

const MANAGER: &str = "kubectl-replace";

/// How long an object may take to go if nothing else is said.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Replace a resource by file name or stdin.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    files: Files,
    /// Delete the object and make it anew.
    #[arg(long)]
    force: bool,
    /// With --force: seconds the object is given to end well; negative: what the object says.
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_hyphen_values = true)]
    grace_period: i64,
    /// With --force: how long to wait until it is gone.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    timeout: Duration,
    /// With --force: what happens to the objects it owns.
    #[arg(long, value_name = "HOW", default_value = "background", num_args = 0..=1, require_equals = true, default_missing_value = "background", ignore_case = true)]
    cascade: Cascade,
    /// With --force: accepted; there is always a wait until the object is gone.
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    wait: bool,
    /// Keep the file in the object, for `apply` to compare with later.
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    save_config: bool,
    /// Replace the subresource of this name instead.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    subresource: String,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    validation: Validation,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    check(&args)?;
    let documents = args.files.documents()?;
    let mut errors = Vec::new();
    let mut placed = Vec::new();
    for document in documents {
        match place(context, document).await {
            Ok(object) => placed.push(object),
            Err(error) => errors.push(error),
        }
    }
    let server = context.server().await?;
    if args.force {
        Error::from_all(errors)?;
        return by_force(&args, server, placed).await;
    }
    let mut said = 0;
    for Placed { target, mut object } in placed {
        keep_file(&args, &mut object);
        match replace(&args, server, &target, object).await {
            Ok(answer) => {
                args.writing.say_after(said, &target.resource, &answer, "replaced")?;
                said += 1;
            }
            Err(error) => errors.push(error.while_doing("replacing", &target.source)),
        }
    }
    Error::from_all(errors)
}

fn check(args: &Args) -> Result<()> {
    args.writing.form()?;
    args.files.required()?;
    if args.grace_period >= 0 && !args.force {
        return Err(usage("--grace-period must have --force specified"));
    }
    if !args.timeout.is_zero() && !args.force {
        return Err(usage("--timeout must have --force specified"));
    }
    if args.force && args.writing.dry_run != DryRun::None {
        return Err(usage("--dry-run can not be used when --force is set"));
    }
    Ok(())
}

/// Keeps the file in the object if that is wanted, or if the object says already that it is kept.
fn keep_file(args: &Args, object: &mut Value) {
    if args.save_config || last_applied(object).is_some() {
        *object = with_last_applied(object);
    }
}

async fn replace(args: &Args, server: &Server, target: &Target, mut object: Value) -> Result<Value> {
    target.named()?;
    if args.writing.stays_here() {
        return Ok(object);
    }
    let path = match args.subresource.as_str() {
        "" => target.path(),
        subresource => format!("{}/{subresource}", target.path()),
    };
    if text(&object["metadata"]["resourceVersion"]).is_empty() {
        // A file that does not say what it was made from replaces whatever is there.
        match server.get(&path).await {
            Ok(live) => object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone(),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    let path = args.writing.query(&path, MANAGER, &[args.validation.parameter()]);
    server.call(Call { method: Method::PUT, path: &path, content_type: JSON, body: &object }).await
}

async fn by_force(args: &Args, server: &Server, placed: Vec<Placed>) -> Result<()> {
    let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": args.cascade.policy()});
    if args.grace_period >= 0 {
        // Zero would remove the object before it has ended.
        options["gracePeriodSeconds"] = args.grace_period.max(1).into();
    }
    for Placed { target, .. } in &placed {
        target.named().map_err(|error| error.while_doing("deleting", &target.source))?;
    }
    for Placed { target, .. } in &placed {
        let deleted = server.call(Call { method: Method::DELETE, path: &target.path(), content_type: JSON, body: &options }).await;
        match deleted {
            Ok(_) if args.writing.output.as_deref() == Some("name") => print(&format!("{}\n", target.slashed()))?,
            Ok(_) => print(&format!("{} {:?} deleted\n", target.resource.qualified_singular(), target.name))?,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.while_doing("deleting", &target.source)),
        }
    }
    let patience = if args.timeout.is_zero() { PATIENCE } else { args.timeout };
    for Placed { target, .. } in &placed {
        timeout(patience, until_gone(server, target, "")).await.map_err(|_| usage("timed out waiting for the condition"))??;
    }
    for (said, Placed { target, mut object }) in placed.into_iter().enumerate() {
        keep_file(args, &mut object);
        let path = target.resource.path(Some(&target.namespace));
        let path = args.writing.query(&path, MANAGER, &[args.validation.parameter()]);
        let answer = server.call(Call { method: Method::POST, path: &path, content_type: JSON, body: &object }).await?;
        args.writing.say_after(said, &target.resource, &answer, "replaced")?;
    }
    Ok(())
}
