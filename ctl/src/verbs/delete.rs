//! `delete`: removes objects, and by default waits until they are really gone (finalizers, graceful ends of pods).

use std::time::Duration;

use clap::ValueEnum;
use futures::StreamExt;
use http::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    context::Context,
    error::{Error, Result, usage},
    print::{notice, print},
    selection::{Files, Many, Selection, Target, expand, select},
    server::{Call, JSON, Server, warn, with_query},
    value::text,
    verbs::wait::{POLL, duration},
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
    #[arg(long, conflicts_with = "grace_period")]
    now: bool,
    /// What happens to the objects it owns.
    #[arg(long, value_name = "HOW", default_value = "background", num_args = 0..=1, require_equals = true, default_missing_value = "background", ignore_case = true)]
    cascade: Cascade,
    /// Wait until it is gone.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    wait: bool,
    /// How long to wait; 0 is for ever.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    timeout: Duration,
    /// Say nothing about objects that are not there.
    #[arg(long)]
    ignore_not_found: bool,
    /// Do not delete; ask the server (or, with "client", only look) what would happen.
    #[arg(long, value_name = "WHERE", default_value = "none", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: DryRun,
    /// "name" for names only.
    #[arg(long, short, value_name = "FORM", value_parser = ["name"])]
    output: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Cascade {
    #[value(alias = "true")]
    Background,
    #[value(alias = "false")]
    Orphan,
    Foreground,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DryRun {
    None,
    Client,
    Server,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let selection = select(context, &args.words, &args.files).await?;
    let server = context.server().await?;
    let by_name = matches!(selection, Selection::Named(_));
    let targets = expand(context, selection, &args.many, args.all).await?;
    if targets.is_empty() && !by_name {
        notice("No resources found");
    }
    if args.force {
        warn("Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.");
    }
    let options = options(&args)?;
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for target in targets {
        match delete(server, &args, &target, &options).await {
            Ok(answer) => deleted.push((target, uid(&answer))),
            Err(error) if args.ignore_not_found && error.is_not_found() => {}
            Err(error) if target.source.is_empty() => errors.push(error),
            Err(error) => errors.push(error.while_doing("deleting", &target.source)),
        }
    }
    if args.wait && args.dry_run == DryRun::None {
        let all_gone = async {
            for (target, uid) in &deleted {
                until_gone(server, target, uid).await?;
            }
            Ok(())
        };
        match args.timeout {
            Duration::ZERO => all_gone.await?,
            patience => tokio::time::timeout(patience, all_gone).await.map_err(|_| usage("timed out waiting for the condition"))??,
        }
    }
    Error::from_all(errors)
}

/// The body of the request.
fn options(args: &Args) -> Result<Value> {
    let policy = match args.cascade {
        Cascade::Background => "Background",
        Cascade::Orphan => "Orphan",
        Cascade::Foreground => "Foreground",
    };
    let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy});
    let grace = match (args.now, args.force, args.grace_period) {
        (true, ..) => Some(1),
        (_, true, ..=0) => Some(0),
        (_, true, 1..) => return Err(usage("--force and --grace-period greater than 0 cannot be specified together")),
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
        DryRun::Client => server.get(&path).await?,
        _ => server.call(Call { method: Method::DELETE, path: &path, content_type: JSON, body: options }).await?,
    };
    let singular = target.resource.qualified_singular();
    if args.output.is_some() {
        print(&format!("{}\n", target.slashed()))?;
    } else {
        let how = if args.force { "force deleted" } else { "deleted" };
        let dry = match args.dry_run {
            DryRun::None => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        };
        print(&format!("{singular} {:?} {how}{dry}\n", target.name))?;
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
        assert!(sent("delete pod x --force --grace-period=5").is_err());
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
