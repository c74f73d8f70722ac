//! `delete`: removes objects, and by default waits until they are really gone (finalizers, graceful ends of pods).

use std::time::Duration;

use clap::ValueEnum;
use futures::StreamExt;
use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    context::Context,
    error::{Error, Result, usage},
    print::{notice, print},
    selection::{Files, Many, Selection, Target, expand, select},
    server::{Call, JSON, Server, warn, with_query},
    value::text,
    verbs::wait::{A_WEEK, POLL, patience},
    writing::DryRun,
};

/// Delete resources by file names, stdin, resources and names, or by resources and label selector.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE[,TYPE…] [NAME…], or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    many: Many,
    /// Every object of the type.
    #[arg(long)]
    all: bool,
    /// Seconds the object is given to end well; negative: what the object says.
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_hyphen_values = true)]
    grace_period: i64,
    /// Remove it from the API at once, whether or not it has ended.
    #[arg(long)]
    force: bool,
    /// Give it one second.
    #[arg(long)]
    now: bool,
    /// What happens to the objects it owns: background, orphan or foreground.
    #[arg(long, value_name = "HOW", default_value = "background", num_args = 0..=1, require_equals = true, default_missing_value = "background")]
    cascade: String,
    /// Wait until it is gone.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    wait: bool,
    /// How long to wait; 0 is for ever.
    #[arg(long, value_name = "DURATION", default_value = "0s", allow_hyphen_values = true, value_parser = patience)]
    timeout: Duration,
    /// Say nothing about objects that are not there [default: only if they are not named].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ignore_not_found: Option<bool>,
    /// Ask first.
    #[arg(long, short)]
    interactive: bool,
    /// Do not delete; ask the server (or, with "client", only look) what would happen.
    #[arg(long, value_name = "WHERE", default_value = "none", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: DryRun,
    /// "name" for names only.
    #[arg(long, short, value_name = "FORM", default_value = "")]
    output: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Cascade {
    #[value(alias = "true")]
    Background,
    #[value(alias = "false")]
    Orphan,
    Foreground,
}

impl Cascade {
    /// The word for it in a request.
    pub(super) fn policy(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Orphan => "Orphan",
            Self::Foreground => "Foreground",
        }
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let options = options(&args)?;
    if let (old @ "true", new) | (old @ "false", new) = (args.cascade.as_str(), if args.cascade == "true" { "background" } else { "orphan" }) {
        notice(&format!("warning: --cascade={old} is deprecated (boolean value) and can be replaced with --cascade={new}."));
    }
    args.many.check(&args.words, args.all)?;
    let selection = select(context, &args.words, &args.files).await?;
    let server = context.server().await?;
    let by_name = matches!(selection, Selection::Named(_));
    let targets = expand(context, selection, &args.many, args.all).await?;
    if args.force {
        warn("Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.");
    }
    if targets.is_empty() {
        return print("No resources found\n");
    }
    if args.interactive && !confirmed(&targets)? {
        return print("deletion is cancelled\n");
    }
    if context.demanded_namespace().is_some() && targets.iter().any(|target| !target.resource.namespaced) {
        warn("deleting cluster-scoped resources, not scoped to the provided namespace");
    }
    let may_be_gone = args.ignore_not_found.unwrap_or(!by_name);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for target in targets {
        match delete(server, &args, &target, &options).await {
            Ok(answer) => deleted.push((target, uid(&answer))),
            Err(error) if may_be_gone && error.is_not_found() => {}
            Err(error) if target.source.is_empty() => errors.push(error),
            Err(error) => errors.push(error.while_doing("deleting", &target.source)),
        }
    }
    // Who hears of a failure does not wait for the rest.
    Error::from_all(errors)?;
    if !args.wait || args.dry_run != DryRun::None {
        return Ok(());
    }
    let patience = if args.timeout.is_zero() { A_WEEK } else { args.timeout };
    let deadline = Instant::now() + patience;
    for (target, uid) in &deleted {
        let late = |_| usage(format!("timed out waiting for the condition on {}", target.plural_slashed()));
        timeout_at(deadline, until_gone(server, target, uid)).await.map_err(late)??;
    }
    Ok(())
}

/// Shows what would be deleted, and asks.
fn confirmed(targets: &[Target]) -> Result<bool> {
    print(&format!("You are about to delete the following {} resource(s):\n", targets.len()))?;
    for target in targets {
        print(&format!("{}\n", target.slashed()))?;
    }
    print("Do you want to continue? (y/n): ")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| usage(format!("read the answer: {error}")))?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

/// The body of the request.
///
/// # Errors
/// Flags that do not go together.
fn options(args: &Args) -> Result<Value> {
    if !matches!(args.output.as_str(), "" | "name") {
        return Err(usage(format!("unexpected -o output mode: {}. We only support '-o name'", args.output)));
    }
    let cascade = Cascade::from_str(&args.cascade, false).map_err(|_| {
        usage(format!("invalid cascade value ({}). Must be \"background\", \"foreground\", or \"orphan\"", args.cascade))
    })?;
    let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": cascade.policy()});
    let grace = match (args.now, args.force, args.grace_period) {
        (true, _, 0..) => return Err(usage("--now and --grace-period cannot be specified together")),
        (_, true, 1..) | (true, true, _) => return Err(usage("--force and --grace-period greater than 0 cannot be specified together")),
        (true, ..) => Some(1),
        (false, true, _) => Some(0),
        // Zero would remove the object before it has ended; that is what --force is for.
        (_, false, 0) => Some(1),
        (_, false, seconds) => u32::try_from(seconds).ok(),
    };
    if let Some(grace) = grace {
        options["gracePeriodSeconds"] = grace.into();
    }
    if args.dry_run == DryRun::Server {
        options["dryRun"] = json!(["All"]);
    }
    Ok(options)
}

async fn delete(server: &Server, args: &Args, target: &Target, options: &Value) -> Result<Value> {
    let path = target.path();
    let answer = match args.dry_run {
        DryRun::Client => Value::Null,
        _ => server.call(Call { method: Method::DELETE, path: &path, content_type: JSON, body: options }).await?,
    };
    if args.output == "name" {
        print(&format!("{}\n", target.slashed()))?;
    } else {
        let how = if args.force { "force deleted" } else { "deleted" };
        print(&format!("{} {:?} {how}{}\n", target.resource.qualified_singular(), target.name, args.dry_run.told()))?;
    }
    Ok(answer)
}

/// The UID of what was deleted: the answer is the object, or a Status that tells.
fn uid(answer: &Value) -> String {
    let of_status = text(&answer["details"]["uid"]);
    if of_status.is_empty() { text(&answer["metadata"]["uid"]).to_owned() } else { of_status.to_owned() }
}

/// Waits until this very object is gone; a new one of the same name does not count.
pub(super) async fn until_gone(server: &Server, target: &Target, uid: &str) -> Result<()> {
    loop {
        let object = match server.get(&target.path()).await {
            Ok(object) => object,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        if !uid.is_empty() && object["metadata"]["uid"] != *uid {
            return Ok(());
        }
        let fields = format!("metadata.name={}", target.name);
        let version = text(&object["metadata"]["resourceVersion"]);
        let path = with_query(
            &target.resource.path(Some(&target.namespace)),
            &[("fieldSelector", &fields), ("watch", "true"), ("resourceVersion", version)],
        );
        let mut events = server.watch(&path, JSON).await?;
        while let Some(Ok(event)) = events.next().await {
            if event["type"] == "DELETED" {
                return Ok(());
            }
        }
        sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches};

    fn sent(line: &str) -> Result<Value> {
        let command = <Args as clap::Args>::augment_args(Command::new("delete"));
        let matches = command.try_get_matches_from(line.split(' ')).unwrap();
        options(&Args::from_arg_matches(&matches).unwrap())
    }

    #[test]
    fn grace_periods_are_what_kubectl_makes_of_them() {
        let seconds = |line: &str| sent(line).unwrap()["gracePeriodSeconds"].clone();
        assert_eq!(seconds("delete pod x"), Value::Null);
        assert_eq!(seconds("delete pod x --grace-period=30"), 30);
        assert_eq!(seconds("delete pod x --grace-period=0"), 1);
        assert_eq!(seconds("delete pod x --grace-period=0 --force"), 0);
        assert_eq!(seconds("delete pod x --force"), 0);
        assert_eq!(seconds("delete pod x --now"), 1);
        for wrong in ["--force --grace-period=5", "--force --now", "--now --grace-period=5", "--cascade=no", "-o yaml"] {
            assert!(sent(&format!("delete pod x {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_policy_is_sent() {
        assert_eq!(sent("delete pod x").unwrap()["propagationPolicy"], "Background");
        assert_eq!(sent("delete pod x --cascade=orphan").unwrap()["propagationPolicy"], "Orphan");
        assert_eq!(sent("delete pod x --cascade=false").unwrap()["propagationPolicy"], "Orphan");
    }

    #[test]
    fn the_uid_is_in_the_object_or_in_the_status() {
        assert_eq!(uid(&json!({"kind": "Status", "details": {"uid": "a"}})), "a");
        assert_eq!(uid(&json!({"kind": "Pod", "metadata": {"uid": "b"}})), "b");
    }
}
