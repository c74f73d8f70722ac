//! `run`: makes a pod of one container, and may stay with it until it has ended.

use std::time::Duration;

use http::Method;
use serde_json::{Map, Value, json};

use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    making::{self, Kind, Making, placed},
    output::Output,
    overriding::Overriding,
    pods,
    print::print,
    server::{Call, JSON, Server},
    value::{int, list, name, namespace, text},
    verbs::{
        attach::Session,
        exec::Keys,
        expose::SERVICE,
        wait::duration,
    },
    writing::DryRun,
};

/// Who sets the fields, unless the user says otherwise.
const MANAGER: &str = "kubectl-run";

const POD: Kind = Kind { group: "", version: "v1", kind: "Pod", plural: "pods", namespaced: true };

/// Create and run a particular image in a pod.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// NAME, and arguments of the container
    words: Vec<String>,
    /// More arguments, or the command with --command.
    #[arg(last = true)]
    after: Vec<String>,
    /// The image.
    #[arg(long)]
    image: Option<String>,
    /// When it is pulled.
    #[arg(long, value_name = "POLICY")]
    image_pull_policy: Option<String>,
    /// A variable, NAME=VALUE.
    #[arg(long)]
    env: Vec<String>,
    /// The port the container listens on.
    #[arg(long, value_name = "PORT", default_value = "")]
    port: String,
    /// Also create a service for the port.
    #[arg(long)]
    expose: bool,
    /// Labels of the pod, a=b,c=d.
    #[arg(long, short = 'l')]
    labels: Option<String>,
    /// Annotations of the pod, a=b.
    #[arg(long)]
    annotations: Vec<String>,
    /// When it is started again: Always, OnFailure or Never.
    #[arg(long, value_name = "POLICY", default_value = "Always")]
    restart: String,
    /// The arguments are the command.
    #[arg(long)]
    command: bool,
    /// In privileged mode.
    #[arg(long)]
    privileged: bool,
    #[command(flatten)]
    keys: Keys,
    /// Attach to it once it runs; so does --stdin.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    attach: Option<bool>,
    /// Leave its stdin open when that ends here.
    #[arg(long)]
    leave_stdin_open: bool,
    /// Delete the pod once it has ended.
    #[arg(long)]
    rm: bool,
    /// Only print what comes from the container.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    making: Making,
    #[command(flatten)]
    overriding: Overriding,
    /// How long to wait until it runs.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1m")]
    pod_running_timeout: Duration,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let making = &args.making;
    let form = making.writing.form()?;
    args.overriding.warn();
    let pod = pod(&args)?;
    let attach = args.attach.unwrap_or(args.keys.stdin);
    if !attach && args.rm {
        return Err(see("--rm should only be used for attached containers"));
    }
    if attach && making.writing.dry_run != DryRun::None {
        return Err(see("--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)"));
    }
    let service = args.expose.then(|| service(&pod)).transpose()?;
    let pod = args.overriding.apply(context, &POD, placed(context, pod)).await?;
    let made = making.send(context, &POD, pod, MANAGER, &[]).await?;
    let mut created = vec![(POD.resource(), made)];
    let mut errors = Vec::new();
    if let Some(service) = service {
        match making.send(context, &SERVICE, placed(context, service), MANAGER, &[]).await {
            Ok(service) => {
                making.say(&SERVICE.resource(), &service, "created")?;
                created.push((SERVICE.resource(), service));
                // One more than there need be: kubectl's.
                if matches!(form, Some(Output::Yaml)) {
                    print("---\n")?;
                }
            }
            Err(error) => errors.push(error),
        }
    }
    let pod = &created[0].1;
    if !attach {
        making.say(&POD.resource(), pod, "created")?;
        return Error::from_all(errors);
    }
    let server = context.server().await?;
    let ended = stay(&args, server, pod).await;
    if args.rm {
        for (resource, object) in &created {
            errors.extend(remove(&args, server, resource, object).await.err());
        }
    }
    // How the container ended is what matters most: it becomes our exit code.
    ended.and(Error::from_all(errors))
}

/// Deletes what was made, if it is still there.
async fn remove(args: &Args, server: &Server, resource: &Resource, object: &Value) -> Result<()> {
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
    let path = resource.object_path(namespace(object).unwrap_or_default(), name(object));
    match server.call(Call { method: Method::DELETE, path: &path, content_type: JSON, body: &options }).await {
        Ok(_) if args.quiet => Ok(()),
        Ok(_) => print(&format!("{} {:?} deleted\n", resource.qualified_singular(), name(object))),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

/// A complaint that points at the help.
fn see(complaint: &str) -> Error {
    usage(format!("{complaint}\nSee 'mini-ctl run -h' for help and examples"))
}

/// The service for a pod and its one port.
fn service(pod: &Value) -> Result<Value> {
    let port = &pod["spec"]["containers"][0]["ports"][0]["containerPort"];
    if port.is_null() {
        return Err(see("--port must be set when exposing a service"));
    }
    let labels = &pod["metadata"]["labels"];
    let mut service = SERVICE.named(name(pod));
    if *labels != json!({"run": name(pod)}) {
        service["metadata"]["labels"] = labels.clone();
    }
    service["spec"] = json!({"selector": labels, "ports": [{"port": port, "protocol": "TCP", "targetPort": port}]});
    service["status"] = json!({"loadBalancer": {}});
    Ok(service)
}

/// The pod as it is asked for.
fn pod(args: &Args) -> Result<Value> {
    let [name, rest @ ..] = &args.words[..] else { return Err(see("NAME is required for run")) };
    let image = args.image.as_deref().ok_or_else(|| usage("required flag(s) \"image\" not set"))?;
    if image.is_empty() {
        return Err(usage("--image is required"));
    }
    if image.contains(char::is_whitespace) || image.ends_with([':', '@', '/']) {
        return Err(usage(format!("Invalid image name {image:?}: invalid reference format")));
    }
    if args.keys.tty && !args.keys.stdin {
        return Err(see("-i/--stdin is required for containers with -t/--tty=true"));
    }
    if !matches!(args.restart.as_str(), "Always" | "OnFailure" | "Never") {
        return Err(see(&format!("invalid restart policy: {}", args.restart)));
    }
    let policy = args.image_pull_policy.as_deref().unwrap_or_default();
    if !matches!(policy, "" | "Always" | "IfNotPresent" | "Never") {
        return Err(see(&format!("invalid image pull policy: {policy}")));
    }
    let port = match args.port.as_str() {
        "" => None,
        port => Some(port.parse::<i32>().map_err(|_| usage(format!("strconv.Atoi: parsing {port:?}: invalid syntax")))?),
    };
    let mut container = json!({"name": name, "image": image, "resources": {}});
    let arguments = [rest, &args.after].concat();
    let once = args.keys.stdin && !args.leave_stdin_open;
    let fields = [
        ("imagePullPolicy", (!policy.is_empty()).then(|| policy.into())),
        (if args.command { "command" } else { "args" }, (!arguments.is_empty()).then(|| arguments.into())),
        ("env", (!args.env.is_empty()).then(|| variables(&args.env)).transpose()?),
        ("ports", port.map(|port| json!([{"containerPort": port}]))),
        ("stdin", args.keys.stdin.then(|| true.into())),
        ("stdinOnce", once.then(|| true.into())),
        ("tty", args.keys.tty.then(|| true.into())),
        ("securityContext", args.privileged.then(|| json!({"privileged": true}))),
    ];
    for (field, value) in fields {
        if let Some(value) = value {
            container[field] = value;
        }
    }
    let labels = match args.labels.as_deref() {
        None | Some("") => json!({"run": name}),
        Some(text) => making::labels(text)?,
    };
    let mut pod = POD.named(name);
    pod["metadata"]["labels"] = labels;
    if !args.annotations.is_empty() {
        pod["metadata"]["annotations"] = annotations(&args.annotations)?;
    }
    pod["spec"] = json!({"containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": args.restart});
    pod["status"] = json!({});
    Ok(pod)
}

/// Variables of a container, NAME=VALUE each.
pub(super) fn variables(words: &[String]) -> Result<Value> {
    let variable = |word: &String| match word.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(json!({"name": name, "value": value})),
        _ => Err(usage(format!("invalid env: {word}"))),
    };
    words.iter().map(variable).collect::<Result<Vec<_>>>().map(Value::Array)
}

/// Annotations, NAME=VALUE each; NAME- takes one away, and there is none yet.
fn annotations(words: &[String]) -> Result<Value> {
    let pair = |word: &String| match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.into())),
        _ => Err(usage(format!("invalid annotations format: {word}"))),
    };
    words.iter().map(pair).collect::<Result<Map<_, _>>>().map(Value::Object)
}

/// Attaches to the pod, and tells how it ended if it is not to be started again.
async fn stay(args: &Args, server: &Server, made: &Value) -> Result<()> {
    let patience = args.pod_running_timeout;
    let is_ready = |pod: &Value| {
        let mut conditions = list(&pod["status"]["conditions"]).iter();
        Ok(pods::is_over(pod) || conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True"))
    };
    let pod = pods::until(server, made, patience, is_ready).await?;
    let container = text(&pod["spec"]["containers"][0]["name"]);
    Session { pod: &pod, container, keys: args.keys, quiet: args.quiet }.meet(server, pods::is_over(&pod)).await?;
    if args.leave_stdin_open || args.restart == "Always" {
        return Ok(());
    }
    let never = args.restart == "Never";
    let ended = |pod: &Value| Ok(if never { pods::is_over(pod) } else { text(&pod["status"]["phase"]) == "Succeeded" });
    let pod = pods::until(server, &pod, patience, ended).await?;
    how_it_ended(&pod)
}

/// An error that says with which code a pod of one container failed.
fn how_it_ended(pod: &Value) -> Result<()> {
    if text(&pod["status"]["phase"]) == "Succeeded" {
        return Ok(());
    }
    let of = format!("{}/{}", namespace(pod).unwrap_or_default(), name(pod));
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    match int(&ended["exitCode"]) {
        0 => Err(usage(format!("pod {of} failed with unknown exit code"))),
        code => Err(Error::Exit {
            code: u8::try_from(code & 0xff).unwrap_or(1),
            message: format!("pod {of} terminated ({})\n{}", text(&ended["reason"]), text(&ended["message"])).trim_end().to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches};

    use super::*;
    use crate::yaml;

    fn asked(line: &str) -> Result<Value, String> {
        let matches = Args::augment_args(Command::new("run")).try_get_matches_from(line.split(' ')).unwrap();
        pod(&Args::from_arg_matches(&matches).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_pod_is_made_as_kubectl_makes_it() {
        let simple = "apiVersion: v1\nkind: Pod\nmetadata:\n  creationTimestamp: null\n  labels:\n    run: web\n  name: web\nspec:\n  containers:\n  - image: nginx\n    name: web\n    resources: {}\n  dnsPolicy: ClusterFirst\n  restartPolicy: Always\nstatus: {}\n";
        assert_eq!(yaml::to_string(&asked("run web --image=nginx").unwrap()), simple);
        let container = |line: &str| asked(line).unwrap()["spec"]["containers"][0].clone();
        let shell = json!({"name": "b", "image": "busybox", "resources": {}, "args": ["/bin/sh"], "stdin": true, "stdinOnce": true, "tty": true});
        assert_eq!(container("run b --rm -it --image=busybox /bin/sh"), shell);
        let told = container("run b --image=busybox --env A=b=c --port=80 --command -- sleep 9");
        assert_eq!(told["command"], json!(["sleep", "9"]));
        assert_eq!((&told["env"], &told["ports"]), (&json!([{"name": "A", "value": "b=c"}]), &json!([{"containerPort": 80}])));
        assert_eq!(asked("run b --image=x -l a=b,c=d").unwrap()["metadata"]["labels"], json!({"a": "b", "c": "d"}));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, why) in [
            ("run", "NAME is required for run"),
            ("run b", "required flag(s) \"image\" not set"),
            ("run b --image=x -t", "-i/--stdin is required for containers with -t/--tty=true"),
            ("run b --image=x --restart=Sometimes", "invalid restart policy: Sometimes"),
            ("run b --image=x --image-pull-policy=No", "invalid image pull policy: No"),
            ("run b --image=x --env A", "invalid env: A"),
        ] {
            let error = asked(line).unwrap_err();
            assert_eq!(error.lines().next(), Some(format!("error: {why}").as_str()), "{line}");
        }
    }

    #[test]
    fn the_code_of_a_pod_is_ours() {
        let pod = |phase: &str, code: i64| {
            let ended = json!({"exitCode": code, "reason": "Error"});
            json!({"metadata": {"name": "p", "namespace": "n"}, "status": {"phase": phase, "containerStatuses": [{"state": {"terminated": ended}}]}})
        };
        assert!(how_it_ended(&pod("Succeeded", 0)).is_ok());
        let error = how_it_ended(&pod("Failed", 3)).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (3, "pod n/p terminated (Error)"));
        assert_eq!(how_it_ended(&pod("Failed", 0)).unwrap_err().to_string(), "error: pod n/p failed with unknown exit code");
    }
}
