//! `logs`: what the containers of a pod, or of the pods behind a workload, have written.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    context::Context,
    error::{Error, Result, usage},
    pods,
    print::{notice, print_bytes},
    server::{Server, escape, with_query},
    value::{list, name},
    verbs::wait::{POLL, duration},
};

/// How to call this verb.
const FORM: &str = "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'. POD or TYPE/NAME is a required argument for the logs command";

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
    #[arg(long)]
    all_containers: bool,
    /// Only the last lines; -1 is all of them [default: all, or 10 with a selector].
    #[arg(long, value_name = "LINES", allow_hyphen_values = true)]
    tail: Option<i64>,
    /// Only what is newer than this, such as 5s, 2m, 3h.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
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
    /// Of all pods behind a workload, with --prefix.
    #[arg(long)]
    all_pods: bool,
    /// Go on with the others when one cannot be read.
    #[arg(long)]
    ignore_errors: bool,
    /// Follow no more than this many at once.
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    max_log_requests: usize,
    /// How long to wait for a pod.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "20s")]
    pod_running_timeout: Duration,
}

/// One container's log.
struct Log {
    path: String,
    prefix: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    check(&args)?;
    let server = context.server().await?;
    let wanted = args.container.as_deref().or_else(|| args.words.get(1).map(String::as_str));
    let mut logs = Vec::new();
    for pod in &meant(&args, context, server).await? {
        for container in containers(pod, wanted, args.all_containers)? {
            let prefix = if args.prefix || args.all_pods { format!("[pod/{}/{container}] ", name(pod)) } else { String::new() };
            logs.push(Log { path: query(&args, &pods::path(pod, "/log"), &container), prefix });
        }
    }
    let forgive = |copied: Result<()>| match copied {
        Err(error @ Error::Refused(_)) if args.ignore_errors => print_bytes(format!("error: {}\n", told(&error)).as_bytes()),
        copied => copied,
    };
    if args.follow && logs.len() > 1 {
        let (count, most) = (logs.len(), args.max_log_requests);
        if count > most {
            return Err(usage(format!(
                "you are attempting to follow {count} log streams, but maximum allowed concurrency is {most}, use --max-log-requests to increase the limit"
            )));
        }
        let all = logs.iter().map(|log| async move { forgive(copy(server, log).await) });
        return stream::iter(all.map(Ok)).try_for_each_concurrent(None, |copying| copying).await;
    }
    for log in &logs {
        forgive(copy(server, log).await)?;
    }
    Ok(())
}

/// What the server said, without the words in front of it.
fn told(error: &Error) -> String {
    error.refusal().map_or_else(|| error.to_string(), |refusal| refusal.message.clone())
}

/// Flags that do not go together.
fn check(args: &Args) -> Result<()> {
    let wrong = match (&args.container, &args.words[..]) {
        (_, []) if args.selector.is_none() => FORM.to_owned(),
        (_, [_, ..]) if args.selector.is_some() => "only a selector (-l) or a POD name is allowed".to_owned(),
        (Some(_), [_, _]) => "only one of -c or an inline [CONTAINER] arg is allowed".to_owned(),
        (None, [_, container]) if args.all_containers => {
            format!("--all-containers=true should not be specified with container name {container}")
        }
        (Some(container), _) if args.all_containers => {
            format!("--all-containers=true should not be specified with container name {container}")
        }
        _ if args.since.is_some() && args.since_time.is_some() => {
            "at most one of `sinceTime` or `sinceSeconds` may be specified".to_owned()
        }
        _ if args.tail.is_some_and(|lines| lines < -1) => "--tail must be greater than or equal to -1".to_owned(),
        _ => return Ok(()),
    };
    Err(usage(wrong))
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
async fn meant(args: &Args, context: &Context, server: &Server) -> Result<Vec<Value>> {
    let namespace = context.namespace().await?;
    let list_of = async |selector: &str| {
        let path = with_query(&format!("/api/v1/namespaces/{}/pods", escape(namespace)), &[("labelSelector", selector)]);
        server.get(&path).await.map(|answer| list(&answer["items"]).to_vec())
    };
    if let Some(selector) = &args.selector {
        let pods = list_of(selector).await?;
        if pods.is_empty() {
            notice(&format!("No resources found in {namespace} namespace."));
        }
        return Ok(pods);
    }
    let word = args.words.first().ok_or_else(|| usage(FORM))?;
    let (resource, object) = pods::named(context, word).await.map_err(|error| match error.refusal() {
        Some(refusal) if refusal.code == 404 => {
            usage(format!("error from server (NotFound): {} in namespace {namespace:?}", refusal.message))
        }
        _ => error,
    })?;
    if pods::is_pod(&resource) {
        return Ok(vec![object]);
    }
    let Some(selector) = pods::selector_of(&object) else {
        let what = resource.qualified_singular();
        return Err(usage(format!("cannot get the logs from {what}/{}: it selects no pods", name(&object))));
    };
    let found = async {
        loop {
            let pods = list_of(&selector).await?;
            if !pods.is_empty() {
                return Ok(pods);
            }
            sleep(POLL).await;
        }
    };
    let found = timeout(args.pod_running_timeout, found).await;
    let mut pods: Vec<Value> = found.unwrap_or_else(|_| Err(usage("timed out waiting for the condition")))?;
    pods.sort_by_cached_key(pods::rank_by_logs);
    if pods.len() > 1 && !args.all_pods {
        notice(&format!("Found {} pods, using pod/{}", pods.len(), name(&pods[0])));
        pods.truncate(1);
    }
    Ok(pods)
}

/// Which containers of the pod are meant. Says so when it had to choose.
fn containers(pod: &Value, wanted: Option<&str>, all: bool) -> Result<Vec<String>> {
    match wanted {
        _ if all => Ok(pods::names(pod).concat()),
        Some(wanted) if pods::container(pod, wanted).is_some() => Ok(vec![wanted.to_owned()]),
        Some(wanted) => Err(usage(format!("container {wanted} is not valid for pod {}", name(pod)))),
        None => Ok(vec![pods::default_container(pod, false)?]),
    }
}

/// Copies a log line by line, so that those of several are not mixed within a line.
async fn copy(server: &Server, log: &Log) -> Result<()> {
    let mut pieces = server.stream(&log.path, "*/*").await?;
    let mut rest = Vec::new();
    while let Some(piece) = pieces.next().await {
        rest.extend(piece?);
        if let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') {
            let begun = rest.split_off(end + 1);
            tell(log, &rest)?;
            rest = begun;
        }
    }
    tell(log, &rest)
}

fn tell(log: &Log, lines: &[u8]) -> Result<()> {
    if log.prefix.is_empty() {
        return if lines.is_empty() { Ok(()) } else { print_bytes(lines) };
    }
    let prefixed: Vec<u8> =
        lines.split_inclusive(|byte| *byte == b'\n').flat_map(|line| [log.prefix.as_bytes(), line].concat()).collect();
    print_bytes(&prefixed)
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches};
    use serde_json::json;

    use super::*;

    fn checked(line: &str) -> Result<(), String> {
        let matches = Args::augment_args(Command::new("logs")).try_get_matches_from(line.split(' ')).unwrap();
        check(&Args::from_arg_matches(&matches).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_that_do_not_go_together() {
        for well in ["logs p", "logs p c", "logs -l a=b --all-containers", "logs deploy/d --tail=-1 --since=5s", "logs -f p --max-log-requests=9"] {
            assert_eq!(checked(well), Ok(()), "{well}");
        }
        for (badly, why) in [
            ("logs", FORM),
            ("logs p -l a=b", "only a selector (-l) or a POD name is allowed"),
            ("logs p c -c d", "only one of -c or an inline [CONTAINER] arg is allowed"),
            ("logs p -c d --all-containers", "--all-containers=true should not be specified with container name d"),
            ("logs p --since=5s --since-time=2026-11-20T12:00:00Z", "at most one of `sinceTime` or `sinceSeconds` may be specified"),
            ("logs p --tail=-2", "--tail must be greater than or equal to -1"),
        ] {
            assert_eq!(checked(badly), Err(format!("error: {why}")), "{badly}");
        }
    }

    #[test]
    fn a_container_is_meant() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "a"}, {"name": "b"}]}});
        assert_eq!(containers(&pod, None, false).unwrap(), ["a"]);
        assert_eq!(containers(&pod, Some("i"), false).unwrap(), ["i"]);
        assert_eq!(containers(&pod, None, true).unwrap(), ["i", "a", "b"]);
        assert_eq!(containers(&pod, Some("x"), false).unwrap_err().to_string(), "error: container x is not valid for pod p");
    }
}
