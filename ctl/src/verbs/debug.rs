//! `debug`: one more container in a pod that runs, to look around in it.

use std::time::Duration;

use clap::ValueEnum;
use http::Method;
use mini_daemon::clock;
use serde_json::{Value, json};

use crate::{
    context::Context,
    error::{Result, usage},
    pods,
    print::{notice, print},
    server::{Call, Server},
    value::list,
    verbs::{
        attach::Session,
        exec::Keys,
        run::variables,
    },
};

/// As good as for ever.
const PATIENCE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Debug a pod with one more container.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// POD
    words: Vec<String>,
    /// The command of the new container.
    #[arg(last = true)]
    command: Vec<String>,
    /// Its image.
    #[arg(long)]
    image: Option<String>,
    /// When that is pulled.
    #[arg(long, value_name = "POLICY")]
    image_pull_policy: Option<String>,
    /// Its name [default: debugger-, and something random].
    #[arg(long, short, value_name = "NAME")]
    container: Option<String>,
    /// The container whose processes it shall see.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// A variable, NAME=VALUE.
    #[arg(long, value_delimiter = ',')]
    env: Vec<String>,
    /// What follows -- are arguments, not the command.
    #[arg(long)]
    arguments_only: bool,
    /// What it may do.
    #[arg(long, value_name = "NAME", default_value = "legacy")]
    profile: Profile,
    #[command(flatten)]
    keys: Keys,
    /// Attach to it once it runs; so does --stdin.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    attach: Option<bool>,
    /// Only print what comes from the container.
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    Legacy,
    General,
    Baseline,
    Netadmin,
    Restricted,
    Sysadmin,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    check(&args)?;
    if let Some(target) = args.target.as_deref().filter(|_| !args.quiet) {
        print(&format!(
            "Targeting container {target:?}. If you don't see processes from this container it may be because the container runtime doesn't support this feature.\n"
        ))?;
    }
    if args.profile == Profile::Legacy {
        notice(
            "--profile=legacy is deprecated and will be removed in the future. It is recommended to explicitly specify a profile, for example \"--profile=general\".",
        );
    }
    let server = context.server().await?;
    for word in &args.words {
        let (resource, pod) = pods::named(context, word).await?;
        if !pods::is_pod(&resource) {
            return Err(usage(format!("{:?} not supported by debug", resource.qualified_singular())));
        }
        debug(&args, server, &pod).await?;
    }
    Ok(())
}

fn check(args: &Args) -> Result<()> {
    let policy = args.image_pull_policy.as_deref().unwrap_or_default();
    let wrong = match args.image.as_deref() {
        None | Some("") => "you must specify --image when not using --copy-to.".to_owned(),
        Some(image) if image.contains(char::is_whitespace) => format!("invalid image name {image:?}: invalid reference format"),
        _ if args.words.is_empty() => "NAME or filename is required for debug".to_owned(),
        _ if !matches!(policy, "" | "Always" | "IfNotPresent" | "Never") => format!("invalid image pull policy: {policy}"),
        _ if args.keys.tty && !args.keys.stdin => "-i/--stdin is required for containers with -t/--tty=true".to_owned(),
        _ => return Ok(()),
    };
    Err(usage(wrong))
}

/// Adds the container, and attaches to it if that is wanted.
async fn debug(args: &Args, server: &Server, pod: &Value) -> Result<()> {
    let name = match &args.container {
        Some(name) => name.clone(),
        None => {
            let name = format!("debugger-{}", clock::suffix(5));
            if !args.quiet {
                print(&format!("Defaulting debug container name to {name}.\n"))?;
            }
            name
        }
    };
    let patch = json!({"spec": {"ephemeralContainers": [container(args, &name)?]}});
    let path = pods::path(pod, "/ephemeralcontainers");
    let content_type = "application/strategic-merge-patch+json";
    let pod = server.call(Call { method: Method::PATCH, path: &path, content_type, body: &patch }).await?;
    if !args.attach.unwrap_or(args.keys.stdin) {
        return Ok(());
    }
    let has_begun = |pod: &Value| Ok(state(pod, &name).is_some_and(|state| state["running"].is_object() || state["terminated"].is_object()));
    let pod = pods::until(server, &pod, PATIENCE, has_begun).await?;
    let is_over = state(&pod, &name).is_some_and(|state| state["terminated"].is_object());
    Session { pod: &pod, container: &name, keys: args.keys, quiet: args.quiet }.meet(server, is_over).await
}

fn state<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    let statuses = list(&pod["status"]["ephemeralContainerStatuses"]);
    statuses.iter().find(|status| status["name"] == container).map(|status| &status["state"])
}

/// The container that is added.
fn container(args: &Args, name: &str) -> Result<Value> {
    let mut container = json!({"name": name, "image": args.image, "terminationMessagePolicy": "File", "resources": {}});
    let command = if args.arguments_only { "args" } else { "command" };
    let fields = [
        ("imagePullPolicy", args.image_pull_policy.as_deref().map(Value::from)),
        (command, (!args.command.is_empty()).then(|| args.command.clone().into())),
        ("env", (!args.env.is_empty()).then(|| variables(&args.env)).transpose()?),
        ("stdin", args.keys.stdin.then(|| true.into())),
        ("tty", args.keys.tty.then(|| true.into())),
        ("targetContainerName", args.target.as_deref().map(Value::from)),
        ("securityContext", args.profile.allows()),
    ];
    for (field, value) in fields {
        if let Some(value) = value {
            container[field] = value;
        }
    }
    Ok(container)
}

impl Profile {
    /// What the container may do more, or less, than others.
    fn allows(self) -> Option<Value> {
        let more = |capabilities: &[&str]| Some(json!({"capabilities": {"add": capabilities}}));
        match self {
            Self::Legacy | Self::Baseline => None,
            Self::General => more(&["SYS_PTRACE"]),
            Self::Netadmin => more(&["NET_ADMIN", "NET_RAW"]),
            Self::Sysadmin => Some(json!({"privileged": true})),
            Self::Restricted => Some(json!({
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
                "runAsNonRoot": true,
                "seccompProfile": {"type": "RuntimeDefault"},
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches};

    use super::*;

    fn asked(line: &str) -> Result<Value, String> {
        let matches = Args::augment_args(Command::new("debug")).try_get_matches_from(line.split(' ')).unwrap();
        let args = Args::from_arg_matches(&matches).unwrap();
        check(&args).and_then(|()| container(&args, "d")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_container_is_added() {
        let common = json!({"name": "d", "image": "busybox", "terminationMessagePolicy": "File", "resources": {}});
        let with = |more: Value| {
            let mut all = common.clone();
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Ok(all)
        };
        assert_eq!(asked("debug p --image=busybox"), with(json!({})));
        let shell = json!({"stdin": true, "tty": true, "targetContainerName": "c", "command": ["sh", "-c", "x"]});
        assert_eq!(asked("debug -it p --image=busybox --target=c -- sh -c x"), with(shell));
        let general = json!({"securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}, "args": ["x"]});
        assert_eq!(asked("debug p --image=busybox --profile=general --arguments-only -- x"), with(general));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, why) in [
            ("debug p", "you must specify --image when not using --copy-to."),
            ("debug --image=x", "NAME or filename is required for debug"),
            ("debug p --image=x -t", "-i/--stdin is required for containers with -t/--tty=true"),
            ("debug p --image=x --image-pull-policy=No", "invalid image pull policy: No"),
        ] {
            assert_eq!(asked(line), Err(format!("error: {why}")), "{line}");
        }
    }
}
