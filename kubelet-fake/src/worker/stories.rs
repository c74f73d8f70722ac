//! Stories of pods: what a pod says, what happens at which second, and all that a kubelet says and tells about it, in upstream's order and
//! words. Lines that begin with `>` are what the runtime was asked to do.

mod containers;
mod hooks;
mod probes;
mod references;
mod scripted;

use std::{sync::Arc, time::Duration};

use expect_test::Expect;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ContainerState, Node, Pod, PodStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};
use mini_daemon::{events::Recorder, tasks::Tasks};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};

use self::scripted::{Do, Log, Scripted, clock};
use super::{Links, Message, Word, Worker};
use crate::{
    config::Config,
    node::{self, Facts},
};

/// Plays a story for so many seconds.
async fn story(spec: Value, script: &[(u64, Do)], seconds: u64, expected: Expect) {
    expected.assert_eq(&play(spec, script, seconds).await);
}

async fn play(spec: Value, script: &[(u64, Do)], seconds: u64) -> String {
    let (log, now, began) = (Log::new(), clock(), Instant::now());
    let mut tasks = Tasks::new();
    let (hints, hinted) = mpsc::unbounded_channel();
    let (words, mut said) = mpsc::unbounded_channel();
    let (messages, inbox) = mpsc::channel(64);
    let runtime = Scripted::new(hints, now.clone(), log.clone());
    let config = Config { cpu: "2".into(), ..Config::single("n") };
    let facts = Arc::new(Facts::new("n", &config, None, &mut Default::default(), ([127, 0, 0, 1], 10250).into(), "boot"));
    let mut node = node::object(&facts, now());
    let recorder = Recorder::new(log.client(), "kubelet", None, &mut tasks);
    let (objects, _wishes) = crate::objects::objects(super::nowhere());
    objects.known();
    let dns = Arc::new((config.cluster_dns, config.cluster_domain.clone()));
    let links = Links { runtime: Arc::new(runtime.clone()), objects: objects.clone(), dns, words, recorder, now };
    tasks.spawn("worker", Worker::new(links, [(facts, node.clone())]).run(inbox, hinted, tasks.token()));
    let (written, back) = (log.clone(), messages.clone());
    tasks.spawn("reader", async move {
        while let Some(word) = said.recv().await {
            match word {
                Word::Status { status, .. } => written.write(&format!("= {}", show(&status))),
                Word::Release(_) => {
                    written.write("= released");
                    let _ = back.send(Message::Gone("u1".into())).await;
                }
                Word::Seen(_) | Word::Rest(..) | Word::Forget(_) => {}
            }
        }
        Ok(())
    });
    let mut pod = json!({
        "metadata": { "name": "web", "namespace": "default", "uid": "u1", "generation": 1 },
        "spec": { "nodeName": "n", "restartPolicy": "Always", "terminationGracePeriodSeconds": 30 },
        "status": { "phase": "Pending" },
    });
    json_patch::merge(&mut pod["spec"], &spec);
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            let policy = container["imagePullPolicy"].take();
            container["imagePullPolicy"] = if policy.is_null() { "IfNotPresent".into() } else { policy };
            if container["image"].is_null() {
                container["image"] = "busybox:1".into();
            }
        }
    }
    let typed = |pod: &Value| Box::new(serde_json::from_value::<Pod>(pod.clone()).unwrap());
    let mut applied = false;
    for (second, what) in script.iter().map(|(second, what)| (*second, Some(what))).chain([(seconds, None)]) {
        if second > 0 && !applied {
            messages.send(Message::Pod(typed(&pod))).await.unwrap();
            applied = true;
        }
        tokio::time::sleep_until(began + Duration::from_secs(second)).await;
        let Some(what) = what else { break };
        runtime.follow(what);
        match what {
            Do::Object(object) => objects.set(object),
            Do::Pressure(word) => {
                node.metadata.annotations.get_or_insert_default().insert("mini.dev/pressure".into(), (*word).into());
                messages.send(Message::Node(Box::new(Node::clone(&node)))).await.unwrap();
            }
            Do::Delete(grace) => {
                let now = Timestamp::UNIX_EPOCH + began.elapsed();
                pod["metadata"]["deletionTimestamp"] = serde_json::to_value(Time(now)).unwrap();
                pod["metadata"]["deletionGracePeriodSeconds"] = (*grace).into();
            }
            Do::Change(patch) => json_patch::merge(&mut pod, patch),
            _ => continue,
        }
        pod["metadata"]["generation"] = (pod["metadata"]["generation"].as_i64().unwrap() + 1).into();
        if applied && matches!(what, Do::Delete(_) | Do::Change(_)) {
            messages.send(Message::Pod(typed(&pod))).await.unwrap();
        }
    }
    log.take()
}

/// A status in one line: phase, reason, containers with readiness, restarts and states, and the conditions that hold.
fn show(status: &PodStatus) -> String {
    let state = |state: &ContainerState| match (&state.running, &state.terminated, &state.waiting) {
        (Some(_), ..) => "Running".to_owned(),
        (_, Some(end), _) => {
            let message = end.message.as_ref().map(|message| format!(" {message:?}")).unwrap_or_default();
            format!("{}({}{message})", end.reason.as_deref().unwrap_or_default(), end.exit_code)
        }
        (.., Some(wait)) => {
            let message = wait.message.as_ref().map(|message| format!("({message})")).unwrap_or_default();
            format!("{}{message}", wait.reason.as_deref().unwrap_or_default())
        }
        _ => "?".to_owned(),
    };
    let lists = [&status.init_container_statuses, &status.container_statuses, &status.ephemeral_container_statuses];
    let containers = lists.into_iter().flatten().flatten().map(|container| {
        let now = container.state.as_ref().map(state).unwrap_or_default();
        let last = container.last_state.as_ref().map(|last| format!(" last {}", state(last))).unwrap_or_default();
        let restarts = if container.restart_count > 0 { format!(" x{}", container.restart_count) } else { String::new() };
        let flags = match (container.ready, container.started) {
            (true, _) => "+",
            (false, Some(true)) => "~",
            _ => "-",
        };
        format!("[{flags}{} {now}{last}{restarts}]", container.name)
    });
    let containers: Vec<_> = containers.collect();
    let word = |kind: &str| match kind {
        "PodReadyToStartContainers" => "net".to_owned(),
        "Initialized" => "init".to_owned(),
        "ContainersReady" => "containers".to_owned(),
        "Ready" => "ready".to_owned(),
        other => other.to_owned(),
    };
    let holding = status.conditions.iter().flatten().filter(|condition| condition.status == "True");
    let holding: Vec<_> = holding.map(|condition| word(&condition.type_)).collect();
    let why = status.reason.as_ref().map(|reason| format!(" {reason}: {}", status.message.as_deref().unwrap_or_default()));
    format!("{}{} {} {}", status.phase.as_deref().unwrap_or_default(), why.unwrap_or_default(), containers.join(""), holding.join(","))
}

/// One container named `c`, with this in its specification and this in its pod's.
fn one(container: Value, pod: Value) -> Value {
    let mut whole = json!({ "containers": [{ "name": "c" }] });
    json_patch::merge(&mut whole["containers"][0], &container);
    json_patch::merge(&mut whole, &pod);
    whole
}
