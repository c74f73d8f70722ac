//! `rollout status`: waits until a workload is what its template says, telling how far it is.

use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{Choice, Workload, kind, revisions::current};
use crate::{
    changing::{Subject, Subjects},
    context::Context,
    error::{Error, Result, usage},
    print::print,
    server::{JSON, Server, with_query},
    value::{int, list, text},
    verbs::wait::{POLL, duration},
};

/// Show the status of the rollout.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Give up when the deployment has another revision than this.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_hyphen_values = true)]
    revision: i64,
    /// How long to wait; 0 is for ever.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    timeout: Duration,
    /// Wait until it is done.
    #[arg(long, short, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    watch: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    args.choice.required()?;
    if args.revision < 0 {
        return Err(usage(format!("revision must be a positive integer: {}", args.revision)));
    }
    let Subjects { list, mut errors, .. } = args.choice.some_subjects(context).await?;
    let server = context.server().await?;
    for subject in &list {
        let Some(workload) = Workload::of(&subject.target.resource) else {
            errors.push(usage(format!("no status viewer has been implemented for {}", kind(&subject.target.resource))));
            continue;
        };
        let done = follow(server, &args, subject, workload);
        let outcome = match args.timeout {
            Duration::ZERO => done.await,
            patience => timeout(patience, done).await.unwrap_or_else(|_| Err(usage("timed out waiting for the condition"))),
        };
        errors.extend(outcome.err());
    }
    Error::from_all(errors)
}

/// Tells every state until the last one.
async fn follow(server: &Server, args: &Args, subject: &Subject, workload: Workload) -> Result<()> {
    let told = |object: &Value| {
        let (line, done) = progress(workload, object, args.revision)?;
        print(&line)?;
        Ok::<_, Error>(done || !args.watch)
    };
    let mut object = subject.object.clone();
    let mut seen = Value::Null;
    loop {
        // What was told before the server ended the watch is not told again.
        if object["metadata"]["resourceVersion"] != seen && told(&object)? {
            return Ok(());
        }
        seen = object["metadata"]["resourceVersion"].clone();
        let fields = format!("metadata.name={}", subject.target.name);
        let path = subject.target.resource.path(Some(&subject.target.namespace));
        let path = with_query(&path, &[("fieldSelector", &fields), ("watch", "true"), ("resourceVersion", text(&seen))]);
        let mut events = server.watch(&path, JSON).await?;
        while let Some(Ok(event)) = events.next().await {
            match text(&event["type"]) {
                "DELETED" => return Err(gone()),
                "ADDED" | "MODIFIED" => {
                    seen = event["object"]["metadata"]["resourceVersion"].clone();
                    if told(&event["object"])? {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
        sleep(POLL).await;
        object = subject.target.fetch(server, JSON).await.map_err(|error| if error.is_not_found() { gone() } else { error })?;
    }
}

fn gone() -> Error {
    usage("object has been deleted")
}

/// How far it is, and whether that is far enough.
fn progress(workload: Workload, object: &Value, revision: i64) -> Result<(String, bool)> {
    match workload {
        Workload::Deployment => deployment(object, revision),
        Workload::DaemonSet => daemon_set(object),
        Workload::StatefulSet => stateful_set(object),
    }
}

/// Whether the controller has seen the object as it is now.
fn observed(object: &Value) -> bool {
    int(&object["metadata"]["generation"]) <= int(&object["status"]["observedGeneration"])
}

fn only_rolling(object: &Value) -> Result<()> {
    match object["spec"]["updateStrategy"]["type"] == "RollingUpdate" {
        true => Ok(()),
        false => Err(usage("rollout status is only available for RollingUpdate strategy type")),
    }
}

fn deployment(object: &Value, revision: i64) -> Result<(String, bool)> {
    let (spec, status, name) = (&object["spec"], &object["status"], text(&object["metadata"]["name"]));
    if revision > 0 {
        let running = current(object)?;
        if revision != running {
            return Err(usage(format!("desired revision ({revision}) is different from the running revision ({running})")));
        }
    }
    if !observed(object) {
        return Ok(("Waiting for deployment spec update to be observed...\n".into(), false));
    }
    let progressing = list(&status["conditions"]).iter().find(|condition| condition["type"] == "Progressing");
    if progressing.is_some_and(|condition| condition["reason"] == "ProgressDeadlineExceeded") {
        return Err(usage(format!("deployment {name:?} exceeded its progress deadline")));
    }
    let [wanted, all] = [&spec["replicas"], &status["replicas"]].map(int);
    let [updated, available] = [&status["updatedReplicas"], &status["availableReplicas"]].map(int);
    let waiting = |what: String| Ok((format!("Waiting for deployment {name:?} rollout to finish: {what}...\n"), false));
    if updated < wanted {
        return waiting(format!("{updated} out of {wanted} new replicas have been updated"));
    }
    if all > updated {
        return waiting(format!("{} old replicas are pending termination", all - updated));
    }
    if available < updated {
        return waiting(format!("{available} of {updated} updated replicas are available"));
    }
    Ok((format!("deployment {name:?} successfully rolled out\n"), true))
}

fn daemon_set(object: &Value) -> Result<(String, bool)> {
    only_rolling(object)?;
    if !observed(object) {
        return Ok(("Waiting for daemon set spec update to be observed...\n".into(), false));
    }
    let (status, name) = (&object["status"], text(&object["metadata"]["name"]));
    let wanted = int(&status["desiredNumberScheduled"]);
    let waiting = |what: String| Ok((format!("Waiting for daemon set {name:?} rollout to finish: {what}...\n"), false));
    let updated = int(&status["updatedNumberScheduled"]);
    if updated < wanted {
        return waiting(format!("{updated} out of {wanted} new pods have been updated"));
    }
    let available = int(&status["numberAvailable"]);
    if available < wanted {
        return waiting(format!("{available} of {wanted} updated pods are available"));
    }
    Ok((format!("daemon set {name:?} successfully rolled out\n"), true))
}

fn stateful_set(object: &Value) -> Result<(String, bool)> {
    only_rolling(object)?;
    let (spec, status) = (&object["spec"], &object["status"]);
    if int(&status["observedGeneration"]) == 0 || !observed(object) {
        return Ok(("Waiting for statefulset spec update to be observed...\n".into(), false));
    }
    let [wanted, ready, updated] = [&spec["replicas"], &status["readyReplicas"], &status["updatedReplicas"]].map(int);
    if ready < wanted {
        return Ok((format!("Waiting for {} pods to be ready...\n", wanted - ready), false));
    }
    let rolling = &spec["updateStrategy"]["rollingUpdate"];
    if rolling.is_object() {
        let new = wanted - int(&rolling["partition"]);
        if updated < new {
            return Ok((format!("Waiting for partitioned roll out to finish: {updated} out of {new} new pods have been updated...\n"), false));
        }
        return Ok((format!("partitioned roll out complete: {updated} new pods have been updated...\n"), true));
    }
    let [old, new] = [&status["currentRevision"], &status["updateRevision"]].map(text);
    if old != new {
        return Ok((format!("waiting for statefulset rolling update to complete {updated} pods at revision {new}...\n"), false));
    }
    Ok((format!("statefulset rolling update complete {} pods at revision {old}...\n", int(&status["currentReplicas"])), true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(workload: Workload, spec: Value, mut status: Value) -> (String, bool) {
        status["observedGeneration"] = 2.into();
        let object = json!({"metadata": {"name": "web", "generation": 2}, "spec": spec, "status": status});
        progress(workload, &object, 0).unwrap_or_else(|error| (format!("{error}\n"), true))
    }

    #[test]
    fn a_deployment_tells_what_it_waits_for() {
        for (status, line, done) in [
            (json!({"updatedReplicas": 1}), "Waiting for deployment \"web\" rollout to finish: 1 out of 3 new replicas have been updated...", false),
            (json!({"updatedReplicas": 3, "replicas": 4}), "Waiting for deployment \"web\" rollout to finish: 1 old replicas are pending termination...", false),
            (
                json!({"updatedReplicas": 3, "replicas": 3, "availableReplicas": 2}),
                "Waiting for deployment \"web\" rollout to finish: 2 of 3 updated replicas are available...",
                false,
            ),
            (json!({"updatedReplicas": 3, "replicas": 3, "availableReplicas": 3}), "deployment \"web\" successfully rolled out", true),
            (
                json!({"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}),
                "error: deployment \"web\" exceeded its progress deadline",
                true,
            ),
        ] {
            assert_eq!(said(Workload::Deployment, json!({"replicas": 3}), status), (format!("{line}\n"), done));
        }
        let unseen = json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1}});
        assert_eq!(deployment(&unseen, 0).unwrap(), ("Waiting for deployment spec update to be observed...\n".into(), false));
        let other = json!({"metadata": {"annotations": {"deployment.kubernetes.io/revision": "4"}}});
        assert_eq!(deployment(&other, 1).unwrap_err().to_string(), "error: desired revision (1) is different from the running revision (4)");
    }

    #[test]
    fn daemon_sets_and_stateful_sets_tell_other_things() {
        let rolling = |partition: Value| json!({"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": partition}});
        let daemon = |status| said(Workload::DaemonSet, rolling(json!({})), status);
        assert_eq!(
            daemon(json!({"desiredNumberScheduled": 3, "updatedNumberScheduled": 1})),
            ("Waiting for daemon set \"web\" rollout to finish: 1 out of 3 new pods have been updated...\n".into(), false)
        );
        assert_eq!(
            daemon(json!({"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3})),
            ("daemon set \"web\" successfully rolled out\n".into(), true)
        );
        let set = |partition, status| said(Workload::StatefulSet, rolling(partition), status).0;
        assert_eq!(set(json!({"partition": 0}), json!({"readyReplicas": 1})), "Waiting for 2 pods to be ready...\n");
        assert_eq!(
            set(json!({"partition": 1}), json!({"readyReplicas": 3, "updatedReplicas": 1})),
            "Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...\n"
        );
        assert_eq!(
            set(json!({"partition": 1}), json!({"readyReplicas": 3, "updatedReplicas": 2})),
            "partitioned roll out complete: 2 new pods have been updated...\n"
        );
        assert_eq!(
            set(Value::Null, json!({"readyReplicas": 3, "currentReplicas": 3, "currentRevision": "a", "updateRevision": "a"})),
            "statefulset rolling update complete 3 pods at revision a...\n"
        );
        let deleted = json!({"updateStrategy": {"type": "OnDelete"}});
        assert_eq!(
            said(Workload::DaemonSet, deleted, json!({})).0,
            "error: rollout status is only available for RollingUpdate strategy type\n"
        );
    }
}
