//! The worker with the simulated runtime, tokio's clock paused, and no API server: its words and Events are caught.

use std::fmt::Write as _;

use http::{Request, Response};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, PodStatus};
use kube::{Client, client::Body};
use mini_daemon::tasks::Tasks;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;
use crate::{config::Config, network::Network, node, runtime::simulated::Simulated};

struct World {
    messages: mpsc::Sender<Message>,
    words: mpsc::UnboundedReceiver<Word>,
    events: Arc<Mutex<Vec<Event>>>,
    runtime: Simulated,
    node: Node,
    _tasks: Tasks,
}

/// One node `n`, whose clock starts at 0 and follows tokio's.
fn world() -> World {
    let origin = tokio::time::Instant::now();
    let now: Now = Arc::new(move || Timestamp::UNIX_EPOCH + origin.elapsed());
    let mut tasks = Tasks::new();
    let events: Arc<Mutex<Vec<Event>>> = Arc::default();
    let sink = events.clone();
    let client = Client::new(
        tower::service_fn(move |request: Request<Body>| {
            let sink = sink.clone();
            async move {
                let bytes = request.into_body().collect_bytes().await?;
                let event: Event = serde_json::from_slice(&bytes).map_err(std::io::Error::other)?;
                sink.lock().push(event);
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Response::new(Body::from(bytes)))
            }
        }),
        "default",
    );
    let (hints, hinted) = mpsc::unbounded_channel();
    let (words, said) = mpsc::unbounded_channel();
    let (messages, inbox) = mpsc::channel(64);
    let network = Network::new(Arc::default(), None);
    let runtime = Simulated::new(hints, now.clone(), network, Duration::from_millis(200), Duration::ZERO);
    let kubelet = ([127, 0, 0, 1], 10250).into();
    let config = Config { cpu: "2".into(), ..Config::single("n") };
    let facts = Arc::new(Facts::new("n", &config, None, &mut Default::default(), kubelet, "boot"));
    let node = node::object(&facts, now());
    let recorder = Recorder::new(client, "kubelet", None, &mut tasks);
    let (objects, _) = crate::objects::objects(nowhere());
    objects.known();
    let dns = Arc::new((config.cluster_dns, config.cluster_domain.clone()));
    let links = Links { runtime: Arc::new(runtime.clone()), objects, dns, words, recorder, now };
    let token = tasks.token();
    tasks.spawn("worker", Worker::new(links, [(facts, node.clone())]).run(inbox, hinted, token));
    World { messages, words: said, events, runtime, node, _tasks: tasks }
}

/// The client of an API server that is not there.
pub(crate) fn nowhere() -> Client {
    let service = tower::service_fn(|_: Request<Body>| async { Err::<Response<Body>, _>(std::io::Error::other("nobody is there")) });
    Client::new(service, "default")
}

fn pod(name: &str, more: Value) -> Pod {
    let mut pod = json!({
        "metadata": { "name": name, "namespace": "default", "uid": format!("uid-{name}"), "generation": 1 },
        "spec": { "nodeName": "n", "restartPolicy": "Always", "containers": [{ "name": "c", "image": "nginx:1.7.9" }] },
        "status": { "phase": "Pending" },
    });
    json_patch::merge(&mut pod, &more);
    serde_json::from_value(pod).unwrap()
}

impl World {
    async fn tell(&self, message: Message) {
        self.messages.send(message).await.unwrap();
    }

    async fn apply(&self, pod: &Pod) {
        self.tell(Message::Pod(Box::new(pod.clone()))).await;
    }

    /// Lets virtual time pass.
    async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// The words so far, in short.
    fn words(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Ok(word) = self.words.try_recv() {
            all.push(match word {
                Word::Seen(_) | Word::Rest(..) => continue,
                Word::Status { pod, status } => format!("{} {}", pod.metadata.name.as_deref().unwrap_or_default(), show(&status)),
                Word::Release(pod) => format!("{} release", pod.metadata.name.as_deref().unwrap_or_default()),
                Word::Forget(uid) => format!("{uid} forget"),
            });
        }
        all
    }

    fn reasons(&self) -> Vec<String> {
        let events = self.events.lock();
        events.iter().map(|event| event.reason.clone().unwrap_or_default()).collect()
    }

    async fn containers(&self) -> usize {
        self.runtime.list("n", None).await.unwrap().containers.len()
    }
}

fn show(status: &PodStatus) -> String {
    let mut text = status.phase.clone().unwrap_or_default();
    if let Some(reason) = &status.reason {
        let _ = write!(text, " {reason}");
    }
    for container in status.container_statuses.iter().flatten() {
        let state = container.state.clone().unwrap_or_default();
        let word = match (state.running, state.terminated, state.waiting) {
            (Some(_), ..) => "Running".to_owned(),
            (_, Some(end), _) => end.reason.unwrap_or_default(),
            (.., Some(wait)) => wait.reason.unwrap_or_default(),
            _ => "?".to_owned(),
        };
        let _ = write!(text, " {word} x{}", container.restart_count);
    }
    text
}

#[tokio::test(start_paused = true)]
async fn a_pod_starts_is_deleted_and_leaves_nothing() {
    let mut world = world();
    let mut web = pod("web", json!({}));
    world.apply(&web).await;
    world.pass(1).await;
    assert_eq!(world.words(), ["web Pending ContainerCreating x0", "web Running Running x0"]);
    assert_eq!(world.reasons(), ["Pulling", "Pulled", "Created", "Started"]);
    let started = world.events.lock()[3].clone();
    assert_eq!(started.involved_object.field_path.as_deref(), Some("spec.containers{c}"));
    assert_eq!(started.source.and_then(|source| source.host).as_deref(), Some("n"));

    web.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH));
    world.apply(&web).await;
    world.pass(1).await;
    assert_eq!(world.words(), ["web Succeeded Completed x0", "web release"]);
    assert_eq!(world.reasons().last().map(String::as_str), Some("Killing"));
    world.tell(Message::Gone("uid-web".into())).await;
    world.pass(1).await;
    assert_eq!(world.containers().await, 0);
}

#[tokio::test(start_paused = true)]
async fn the_second_pod_with_the_image_does_not_pull() {
    let world = world();
    world.apply(&pod("a", json!({}))).await;
    world.pass(1).await;
    world.events.lock().clear();
    world.apply(&pod("b", json!({}))).await;
    world.pass(1).await;
    assert_eq!(world.reasons(), ["Pulled", "Created", "Started"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_runs_on_virtual_time() {
    let mut world = world();
    let crash = json!({ "metadata": { "annotations": { "mini.dev/exit-code.c": "1" } } });
    world.apply(&pod("crash", crash)).await;
    world.pass(35).await;
    let words = world.words();
    assert_eq!(words.last().map(String::as_str), Some("crash Running CrashLoopBackOff x3"), "{words:?}");
    assert_eq!(world.containers().await, 2, "the one that ended last and the one before");
}

#[tokio::test(start_paused = true)]
async fn news_of_a_node_may_come_after_the_pod_that_wants_it() {
    let mut world = world();
    let wants = |disk: &str| json!({ "spec": { "nodeSelector": { "disktype": disk } } });
    world.apply(&pod("early", wants("ssd"))).await;
    world.apply(&pod("never", wants("tape"))).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(world.words().is_empty());
    let mut node: Node = serde_json::from_value(json!({ "metadata": { "name": "n", "labels": { "disktype": "ssd" } } })).unwrap();
    node.status = Some(world.node.status.clone().unwrap());
    world.tell(Message::Node(Box::new(node))).await;
    world.pass(2).await;
    let words = world.words();
    assert!(words.contains(&"early Running Running x0".to_owned()), "{words:?}");
    assert!(words.contains(&"never Failed NodeAffinity".to_owned()), "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn pods_of_other_nodes_are_not_touched() {
    let mut world = world();
    world.apply(&pod("web", json!({ "spec": { "nodeName": "other" } }))).await;
    world.pass(1).await;
    assert!(world.words().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_listed_any_more_is_stopped() {
    let mut world = world();
    world.tell(Message::Listing).await;
    world.apply(&pod("web", json!({}))).await;
    world.tell(Message::Listed).await;
    world.pass(1).await;
    assert_eq!(world.containers().await, 1);
    world.tell(Message::Listing).await;
    world.tell(Message::Listed).await;
    world.pass(1).await;
    assert_eq!(world.containers().await, 0);
    assert_eq!(world.words().last().map(String::as_str), Some("uid-web forget"));
}

#[tokio::test(start_paused = true)]
async fn a_pod_too_big_for_its_node_is_rejected() {
    let mut world = world();
    let big =
        |cpu: &str| json!({ "spec": { "containers": [{ "name": "c", "image": "nginx", "resources": { "requests": { "cpu": cpu } } }] } });
    world.apply(&pod("one", big("1500m"))).await;
    world.apply(&pod("two", big("600m"))).await;
    world.pass(1).await;
    assert!(world.words().contains(&"two Failed OutOfcpu".to_owned()));
    assert_eq!(world.containers().await, 1);
    world.tell(Message::Gone("uid-one".into())).await;
    world.apply(&pod("three", big("600m"))).await;
    world.pass(1).await;
    assert_eq!(world.words().last().map(String::as_str), Some("three Running Running x0"), "the room was given back");
}

#[tokio::test(start_paused = true)]
async fn deletion_interrupts_a_long_pull() {
    let mut world = world();
    let mut slow = pod("slow", json!({ "metadata": { "annotations": { "mini.dev/pull-seconds": "3600" } } }));
    world.apply(&slow).await;
    world.pass(1).await;
    slow.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH));
    world.apply(&slow).await;
    world.pass(1).await;
    assert_eq!(world.words().last().map(String::as_str), Some("slow release"));
}

#[tokio::test(start_paused = true)]
async fn a_container_nobody_knows_is_removed_by_the_sweep() {
    let world = world();
    world.tell(Message::Listing).await;
    world.tell(Message::Listed).await;
    let stray = Arc::new(pod("stray", json!({})));
    let image = world.runtime.pull("n", "nginx", &stray).await.unwrap();
    let request = crate::runtime::StartRequest::bare("n".into(), stray, "c".into(), 0, image);
    world.runtime.start(request).await.unwrap();
    world.pass(70).await;
    assert_eq!(world.containers().await, 0);
}

#[tokio::test(start_paused = true)]
async fn the_server_can_ask() {
    let world = world();
    world.apply(&pod("web", json!({}))).await;
    let (reply, answer) = oneshot::channel();
    world.tell(Message::Find("default".into(), "web".into(), reply)).await;
    assert!(answer.await.unwrap().is_some_and(|(_, node)| &*node == "n"));
    let (reply, answer) = oneshot::channel();
    world.tell(Message::All(None, reply)).await;
    assert_eq!(answer.await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_was_given_to_another_meanwhile_is_not_kept() {
    let mut world = world();
    let address = |world: &mut World, name: &str| {
        let mut last = String::new();
        while let Ok(word) = world.words.try_recv() {
            if let Word::Status { pod, status } = word
                && pod.metadata.name.as_deref() == Some(name)
            {
                last = status.pod_ip.clone().unwrap_or_default();
            }
        }
        last
    };
    world.apply(&pod("new", json!({}))).await;
    world.pass(1).await;
    let given = address(&mut world, "new");
    // The kubelet was started again, and hears of this pod, which was there before, only now.
    let ran = |name: &str, ip: &str| {
        let state = json!({ "running": { "startedAt": "1970-01-01T00:00:00Z" } });
        let container = json!({ "name": "c", "image": "i", "imageID": "i", "ready": true, "restartCount": 0, "state": state });
        let times = json!({ "phase": "Running", "startTime": "1970-01-01T00:00:00Z", "podIP": ip, "containerStatuses": [container] });
        pod(name, json!({ "status": times }))
    };
    world.apply(&ran("before", &given)).await;
    world.pass(1).await;
    let moved = address(&mut world, "before");
    assert!(!given.is_empty() && !moved.is_empty() && moved != given, "{given:?} {moved:?}");
    let free = format!("{}.77", given.rsplit_once('.').unwrap().0);
    world.apply(&ran("other", &free)).await;
    world.pass(1).await;
    assert_eq!(address(&mut world, "other"), free, "what nobody has is kept");
}
