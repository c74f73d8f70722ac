//! `logs`: what the containers of a pod, or of the pods behind a workload, have written.

use std::{cmp::Reverse, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use crate::{
    context::Context,
    error::{Result, usage},
    print::{notice, print, print_bytes},
    server::{Server, escape, with_query},
    value::{int, list, name, namespace, strings, text},
    verbs::wait::duration,
};

/// The annotation that says which container is meant when nobody says.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// Print the logs for a container in a pod or specified resource.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// POD [CONTAINER], or TYPE/NAME
    #[arg(num_args = 0..=2)]
    words: Vec<String>,
    /// Of the pods with these labels.
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<String>,
    /// Go on with what is written from now on.
    #[arg(long, short)]
    follow: bool,
    /// Of the instance before the last restart.
    #[arg(long, short)]
    previous: bool,
    /// Of this container.
    #[arg(long, short, value_name = "NAME")]
    container: Option<String>,
    /// Of all containers.
    #[arg(long, conflicts_with = "container")]
    all_containers: bool,
    /// Only the last lines; -1 is all of them [default: all, or 10 with a selector].
    #[arg(long, value_name = "LINES", allow_hyphen_values = true)]
    tail: Option<i64>,
    /// Only what is newer than this, such as 5s, 2m, 3h.
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "since_time")]
    since: Option<Duration>,
    /// Only what is newer than this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since_time: Option<String>,
    /// No more than this many bytes.
    #[arg(long, value_name = "BYTES")]
    limit_bytes: Option<u64>,
    /// The time in front of each line.
    #[arg(long)]
    timestamps: bool,
    /// Pod and container in front of each line.
    #[arg(long)]
    prefix: bool,
}

/// One container's log.
struct Log {
    path: String,
    prefix: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let server = context.server().await?;
    let pods = pods(&args, context, server).await?;
    let container = args.container.as_deref().or_else(|| args.words.get(1).map(String::as_str));
    let mut logs = Vec::new();
    for pod in &pods {
        for container in containers(pod, container, args.all_containers)? {
            let base = format!("/api/v1/namespaces/{}/pods/{}/log", escape(namespace(pod).unwrap_or_default()), escape(name(pod)));
            let prefix = if args.prefix { format!("[pod/{}/{container}] ", name(pod)) } else { String::new() };
            logs.push(Log { path: query(&args, &base, &container), prefix });
        }
    }
    if args.follow && logs.len() > 1 {
        let all = logs.iter().map(|log| copy(server, log));
        return stream::iter(all.map(Ok)).try_for_each_concurrent(None, |copying| copying).await;
    }
    for log in &logs {
        copy(server, log).await?;
    }
    Ok(())
}

fn query(args: &Args, base: &str, container: &str) -> String {
    let flag = |set: bool| if set { "true" } else { "" };
    let tail = args.tail.or(args.selector.is_some().then_some(10)).filter(|lines| *lines >= 0).map(|lines| lines.to_string());
    let since = args.since.map(|since| since.as_millis().div_ceil(1000).max(1).to_string());
    with_query(
        base,
        &[
            ("container", container),
            ("follow", flag(args.follow)),
            ("previous", flag(args.previous)),
            ("timestamps", flag(args.timestamps)),
            ("tailLines", tail.as_deref().unwrap_or_default()),
            ("sinceSeconds", since.as_deref().unwrap_or_default()),
            ("sinceTime", args.since_time.as_deref().unwrap_or_default()),
            ("limitBytes", &args.limit_bytes.map(|limit| limit.to_string()).unwrap_or_default()),
        ],
    )
}

/// The pods that are meant: the one named, those with the labels, or the best one behind a workload.
async fn pods(args: &Args, context: &Context, server: &Server) -> Result<Vec<Value>> {
    let namespace = context.namespace().await?;
    let list_of = async |selector: &str| {
        let path = with_query(&format!("/api/v1/namespaces/{}/pods", escape(namespace)), &[("labelSelector", selector)]);
        server.get(&path).await.map(|answer| list(&answer["items"]).to_vec())
    };
    if let Some(selector) = &args.selector {
        if !args.words.is_empty() {
            return Err(usage("only a selector (-l) or a POD name is allowed"));
        }
        let pods = list_of(selector).await?;
        if pods.is_empty() {
            notice(&format!("No resources found in {namespace} namespace."));
        }
        return Ok(pods);
    }
    let Some(word) = args.words.first() else {
        return Err(usage("expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'. POD or TYPE/NAME is a required argument for the logs command"));
    };
    let (kind, name) = word.split_once('/').unwrap_or(("pods", word));
    let resource = context.catalog().await?.find(kind)?;
    let object = server.get(&resource.object_path(namespace, name)).await.map_err(|error| match error.refusal() {
        Some(refusal) if refusal.code == 404 => {
            usage(format!("error from server (NotFound): {} in namespace {namespace:?}", refusal.message))
        }
        _ => error,
    })?;
    if resource.group.is_empty() && resource.plural == "pods" {
        return Ok(vec![object]);
    }
    let Some(selector) = selector_of(&object) else {
        return Err(usage(format!("cannot get the logs from {}/{name}: it selects no pods", resource.qualified_singular())));
    };
    let mut pods = list_of(&selector).await?;
    pods.sort_by_key(rank);
    match pods.len() {
        0 => Err(usage(format!("no pods found for {}/{name}", resource.qualified_singular()))),
        1 => Ok(pods),
        count => {
            notice(&format!("Found {count} pods, using pod/{}", self::name(&pods[0])));
            pods.truncate(1);
            Ok(pods)
        }
    }
}

/// The labels by which a workload (or a Service) finds its pods, as the server's selector syntax.
pub(super) fn selector_of(object: &Value) -> Option<String> {
    let selector = &object["spec"]["selector"];
    let labels = if selector["matchLabels"].is_object() { &selector["matchLabels"] } else { selector };
    let mut parts: Vec<String> = strings(labels).filter(|(_, value)| !value.is_empty()).map(|(key, value)| format!("{key}={value}")).collect();
    for requirement in list(&selector["matchExpressions"]) {
        let key = text(&requirement["key"]);
        let values = list(&requirement["values"]).iter().map(text).collect::<Vec<_>>().join(",");
        parts.push(match text(&requirement["operator"]) {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    (!parts.is_empty()).then(|| parts.join(","))
}

/// Which pod's log is most worth reading: on a node, running, ready, ready for long, restarted often, old. Smaller is better.
/// Source: kubectl's `podutils.ByLogging`.
fn rank(pod: &Value) -> (bool, u8, bool, String, Reverse<i64>, String) {
    let status = &pod["status"];
    let phase = match text(&status["phase"]) {
        "Running" => 0,
        "Unknown" => 1,
        "Pending" => 2,
        _ => 3,
    };
    let ready = list(&status["conditions"]).iter().find(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    let since = ready.map(|condition| text(&condition["lastTransitionTime"]).to_owned()).unwrap_or_default();
    let restarts = list(&status["containerStatuses"]).iter().map(|status| int(&status["restartCount"])).max().unwrap_or_default();
    let created = text(&pod["metadata"]["creationTimestamp"]).to_owned();
    (text(&pod["spec"]["nodeName"]).is_empty(), phase, ready.is_none(), since, Reverse(restarts), created)
}

/// Which containers of the pod are meant. Says so when it had to choose.
fn containers(pod: &Value, wanted: Option<&str>, all: bool) -> Result<Vec<String>> {
    let spec = &pod["spec"];
    let names = |field: &str| list(&spec[field]).iter().map(|container| text(&container["name"]).to_owned()).collect::<Vec<_>>();
    let (init, main, ephemeral) = (names("initContainers"), names("containers"), names("ephemeralContainers"));
    let every = || init.iter().chain(&main).chain(&ephemeral);
    if all {
        return Ok(every().cloned().collect());
    }
    if let Some(wanted) = wanted {
        return match every().find(|name| *name == wanted) {
            Some(name) => Ok(vec![name.clone()]),
            None => Err(usage(format!("container {wanted} is not valid for pod {}", name(pod)))),
        };
    }
    let annotated = text(&pod["metadata"]["annotations"][DEFAULT_CONTAINER]);
    if main.iter().any(|name| name == annotated) {
        return Ok(vec![annotated.to_owned()]);
    }
    let Some(first) = main.first() else {
        return Err(usage(format!("pod {} has no containers", name(pod))));
    };
    if every().count() > 1 {
        let mut labelled = main.clone();
        labelled.extend(ephemeral.iter().map(|name| format!("{name} (ephem)")));
        labelled.extend(init.iter().map(|name| format!("{name} (init)")));
        notice(&format!("Defaulted container {first:?} out of: {}", labelled.join(", ")));
    }
    Ok(vec![first.clone()])
}

async fn copy(server: &Server, log: &Log) -> Result<()> {
    let mut pieces = server.stream(&log.path, "*/*").await?;
    let mut line_start = true;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        if log.prefix.is_empty() {
            print_bytes(&piece)?;
            continue;
        }
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            if line_start {
                print(&log.prefix)?;
            }
            print_bytes(line)?;
            line_start = line.ends_with(b"\n");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_is_chosen() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "a"}, {"name": "b"}]}});
        assert_eq!(containers(&pod, None, false).unwrap(), ["a"]);
        assert_eq!(containers(&pod, Some("i"), false).unwrap(), ["i"]);
        assert_eq!(containers(&pod, None, true).unwrap(), ["i", "a", "b"]);
        assert_eq!(containers(&pod, Some("x"), false).unwrap_err().to_string(), "error: container x is not valid for pod p");
        let mut annotated = pod;
        annotated["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/default-container": "b"});
        assert_eq!(containers(&annotated, None, false).unwrap(), ["b"]);
    }

    #[test]
    fn selectors_of_workloads_and_services() {
        let deployment = json!({"spec": {"selector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["d", "e"]}]}}});
        assert_eq!(selector_of(&deployment).as_deref(), Some("a=b,c in (d,e)"));
        assert_eq!(selector_of(&json!({"spec": {"selector": {"app": "web"}}})).as_deref(), Some("app=web"));
        assert_eq!(selector_of(&json!({"spec": {}})), None);
    }

    #[test]
    fn a_ready_pod_is_read_before_a_pending_one() {
        let pending = json!({"metadata": {"name": "a"}, "spec": {}, "status": {"phase": "Pending"}});
        let ready = json!({"metadata": {"name": "b"}, "spec": {"nodeName": "n"}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        assert!(rank(&ready) < rank(&pending));
    }
}
