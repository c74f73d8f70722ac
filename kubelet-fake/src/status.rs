//! Telling the API server what has become of pods: only what changed, at most one write in flight per pod, the
//! latest word wins. At the end of a deleted pod's life its object is released.
//!
//! Must not know: why a status is what it is.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use k8s_openapi::{
    api::core::v1::{Pod, PodStatus},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Client, Resource as _,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
    core::Request,
};
use mini_api::pod::PENDING;
use mini_daemon::write::{self, AT_ONCE};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::patch::patch;
use crate::resting;

mod patch;

/// While so many requests are under way, what is said first of a pod waits: more is known of it soon, and the last word is enough.
const FEW: usize = AT_ONCE / 4;
/// But no longer than so many others have their turn.
const OTHERS: usize = 8;
/// The first pause after a request that failed; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Something to tell about a pod.
#[derive(Debug)]
pub(crate) enum Word {
    /// This is the pod's status now.
    Status {
        /// Which pod.
        pod: Arc<Pod>,
        /// What it is.
        status: Arc<PodStatus>,
    },
    /// The pod has nothing to do, and this is what was told of it, as [`resting::pack`] has it.
    Rest(Arc<str>, Arc<[u8]>),
    /// This is how the API server has the pod now. Whoever else changed our part of the status is corrected.
    Seen(Arc<Pod>),
    /// Nothing runs any more: once the status is told, the object may go.
    Release(Arc<Pod>),
    /// The object is gone.
    Forget(Arc<str>),
}

/// What is being told about one pod.
struct Slot {
    namespace: String,
    name: String,
    stored: Stored,
    /// The resource version it got with that.
    version: u64,
    /// What it shall have.
    wanted: Option<Arc<PodStatus>>,
    /// The last of that at rest, if it came while a request was under way.
    rest: Option<Arc<[u8]>>,
    /// The pod as it came while a request was under way.
    seen: Option<Arc<Pod>>,
    release: bool,
    busy: bool,
    queued: Option<Queue>,
}

/// Where a pod waits for its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Queue {
    /// Something else was said of it before.
    Main,
    /// All that is known of it is that it begins.
    First,
}

/// What the API server has of a pod's status.
enum Stored {
    /// What it had before we said anything, as JSON.
    Found(Box<[u8]>),
    /// What we sent last.
    Told(Arc<PodStatus>),
    /// The same, at rest.
    Resting(Arc<[u8]>),
}

impl Stored {
    fn told(&self) -> Option<Arc<PodStatus>> {
        match self {
            Self::Found(_) => None,
            Self::Told(status) => Some(status.clone()),
            Self::Resting(bytes) => Some(Arc::new(resting::unpack(bytes))),
        }
    }

    fn json(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Found(json) => Cow::Borrowed(json),
            Self::Told(status) => Cow::Owned(json(status)),
            Self::Resting(bytes) => Cow::Owned(resting::json(bytes)),
        }
    }
}

/// A request that ended.
struct Done {
    uid: Arc<str>,
    sent: Sent,
    answer: Answer,
}

enum Sent {
    Status(Arc<PodStatus>),
    Release,
}

/// What the API server said in the end.
enum Answer {
    /// Done; the pod has this resource version now.
    Done(u64),
    /// It will never do that.
    Refused,
    /// There is no such pod any more.
    Gone,
}

/// Tells everything that comes through `words` until the token is cancelled.
///
/// # Errors
/// Never: requests that fail are repeated, those that never can succeed are logged.
pub(crate) async fn write(client: Client, mut words: mpsc::UnboundedReceiver<Word>, token: CancellationToken) -> Result<()> {
    let mut desk = Desk::default();
    let mut flying: FuturesUnordered<BoxFuture<'static, Done>> = FuturesUnordered::new();
    loop {
        while flying.len() < AT_ONCE
            && let Some(request) = desk.next(&client, flying.len())
        {
            flying.push(request);
        }
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            Some(done) = flying.next(), if !flying.is_empty() => desk.done(done),
            word = words.recv() => match word {
                Some(word) => desk.take(word),
                None => return Ok(()),
            },
        }
    }
}

impl Slot {
    /// Whether nothing was said of the pod yet, and what is to be said now is that it begins.
    fn begins(&self) -> bool {
        let is_new = self.queued.is_none() && self.version == 0 && matches!(self.stored, Stored::Found(_));
        is_new && self.wanted.as_ref().is_some_and(|status| status.phase.as_deref() == Some(PENDING))
    }

    /// The API server has this now, or never will.
    fn told(&mut self, status: Arc<PodStatus>) {
        let rest = self.rest.take().filter(|_| self.wanted.is_none());
        self.stored = rest.map_or(Stored::Told(status), Stored::Resting);
    }
}

/// Who waits for what: no I/O here.
#[derive(Default)]
struct Desk {
    slots: HashMap<Arc<str>, Slot>,
    main: VecDeque<Arc<str>>,
    /// Those that have gone over to the other queue stay here until it is their turn.
    first: VecDeque<Arc<str>>,
    /// How many of the main queue had their turn since one of the other had.
    passed: usize,
}

impl Desk {
    fn take(&mut self, word: Word) {
        match word {
            Word::Status { pod, status } => self.slot(&pod, |slot| (slot.wanted, slot.rest) = (Some(status), None)),
            Word::Rest(uid, told) => match self.slots.get_mut(&uid) {
                Some(slot) if slot.busy || slot.wanted.is_some() => slot.rest = Some(told),
                Some(slot) if matches!(slot.stored, Stored::Told(_)) => slot.stored = Stored::Resting(told),
                _ => {}
            },
            Word::Release(pod) => self.slot(&pod, |slot| slot.release = true),
            Word::Seen(pod) => self.seen(pod),
            Word::Forget(uid) => {
                // One that is busy is taken away when its request ends.
                if let Some(slot) = self.slots.get_mut(&uid) {
                    (slot.wanted, slot.seen, slot.release) = (None, None, false);
                    if !slot.busy {
                        self.slots.remove(&uid);
                    }
                }
            }
        }
    }

    /// Compares what came from the API server with what was told, unless it is older.
    fn seen(&mut self, pod: Arc<Pod>) {
        let Some(uid) = pod.metadata.uid.as_deref() else { return };
        let Some(slot) = self.slots.get_mut(uid) else { return };
        if slot.busy {
            slot.seen = Some(pod);
            return;
        }
        // Our own writes come back too. What was never told by us cannot have been spoilt.
        if slot.wanted.is_some() || slot.version == 0 || version(&pod.metadata) <= slot.version {
            return;
        }
        let live = known(&pod);
        if !matches!(slot.stored, Stored::Found(_))
            && patch(uid, &live, &slot.stored.json()).is_some()
            && let Some(told) = slot.stored.told()
        {
            slot.stored = Stored::Found(live);
            self.slot(&pod, |slot| slot.wanted = Some(told));
        }
    }

    fn slot(&mut self, pod: &Pod, change: impl FnOnce(&mut Slot)) {
        let uid: Arc<str> = pod.metadata.uid.as_deref().unwrap_or_default().into();
        let slot = self.slots.entry(uid.clone()).or_insert_with(|| Slot {
            stored: Stored::Found(known(pod)),
            version: 0,
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            wanted: None,
            rest: None,
            seen: None,
            release: false,
            busy: false,
            queued: None,
        });
        change(slot);
        if slot.busy || slot.queued == Some(Queue::Main) {
            return;
        }
        let queue = if slot.begins() { Queue::First } else { Queue::Main };
        slot.queued = Some(queue);
        match queue {
            Queue::Main => self.main.push_back(uid),
            Queue::First => self.first.push_back(uid),
        }
    }

    /// Whose turn it is, while so many requests are `flying`.
    fn turn(&mut self, flying: usize) -> Option<Arc<str>> {
        let waits = |uid: &str| self.slots.get(uid).is_some_and(|slot| slot.queued == Some(Queue::First));
        while self.first.pop_front_if(|uid| !waits(uid)).is_some() {}
        let overdue = self.passed >= OTHERS && !self.first.is_empty();
        if !overdue && let Some(uid) = self.main.pop_front() {
            self.passed += 1;
            return Some(uid);
        }
        let uid = self.first.pop_front_if(|_| overdue || flying < FEW)?;
        self.passed = 0;
        Some(uid)
    }

    /// The next request to send.
    fn next(&mut self, client: &Client, flying: usize) -> Option<BoxFuture<'static, Done>> {
        loop {
            let uid = self.turn(flying)?;
            let Some(slot) = self.slots.get_mut(&uid) else { continue };
            slot.queued = None;
            let call =
                Call { client: client.clone(), url: Pod::url_path(&(), Some(&slot.namespace)), name: slot.name.clone(), uid: uid.clone() };
            if let Some(wanted) = slot.wanted.take() {
                if let Some(patch) = patch(&uid, &slot.stored.json(), &json(&wanted)) {
                    slot.busy = true;
                    return Some(call.status(patch, wanted).boxed());
                }
                slot.told(wanted);
            }
            if slot.release {
                (slot.busy, slot.release) = (true, false);
                return Some(call.release().boxed());
            }
        }
    }

    fn done(&mut self, done: Done) {
        let Done { uid, sent, answer } = done;
        let Some(slot) = self.slots.get_mut(&uid) else { return };
        slot.busy = false;
        match (answer, sent) {
            (Answer::Gone, _) => {
                self.slots.remove(&uid);
                return;
            }
            (Answer::Done(version), Sent::Status(status)) => {
                slot.told(status);
                slot.version = version;
            }
            (Answer::Refused, Sent::Status(status)) => slot.told(status),
            (_, Sent::Release) => {}
        }
        if slot.wanted.is_some() || slot.release {
            slot.queued = Some(Queue::Main);
            self.main.push_back(uid);
        } else if let Some(pod) = slot.seen.take() {
            self.seen(pod);
        }
    }
}

/// The resource version, as the number it is.
fn version(meta: &ObjectMeta) -> u64 {
    meta.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or_default()
}

/// What the API server has of a pod's status.
fn known(pod: &Pod) -> Box<[u8]> {
    pod.status.as_ref().map_or_else(|| b"{}".to_vec(), json).into()
}

fn json(status: &PodStatus) -> Vec<u8> {
    // Has only strings as keys, so this cannot fail.
    serde_json::to_vec(status).unwrap_or_default()
}

/// Whom a request is about.
struct Call {
    client: Client,
    url: String,
    name: String,
    uid: Arc<str>,
}

impl Call {
    async fn status(self, patch: Box<RawValue>, status: Arc<PodStatus>) -> Done {
        let (patch, how) = (Patch::Strategic(patch), PatchParams::default());
        let pods = Request::new(self.url);
        let answer = insist(&self.client, &self.name, || pods.patch_subresource("status", &self.name, &how, &patch)).await;
        tracing::debug!(pod = %self.name, phase = status.phase, "status told");
        Done { uid: self.uid, sent: Sent::Status(status), answer }
    }

    async fn release(self) -> Done {
        let preconditions = Preconditions { uid: Some(self.uid.to_string()), resource_version: None };
        let how = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }.grace_period(0);
        let pods = Request::new(self.url);
        let answer = insist(&self.client, &self.name, || pods.delete(&self.name, &how)).await;
        Done { uid: self.uid, sent: Sent::Release, answer }
    }
}

/// Repeats a request until the server has answered it for good.
async fn insist(client: &Client, pod: &str, request: impl Fn() -> write::Request) -> Answer {
    let mut pause = FIRST_PAUSE;
    loop {
        match write::send(client, request()).await {
            Ok(written) => return Answer::Done(written.revision()),
            // There is no pod of the name, or another one by now.
            Err(kube::Error::Api(status)) if status.code == 404 || (status.code == 409 && status.message.contains("UID")) => {
                return Answer::Gone;
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 405 | 413 | 415 | 422) => {
                tracing::error!(pod, error = status.message, "the API server refuses a pod's status");
                return Answer::Refused;
            }
            Err(error) => {
                if pause < LONGEST_PAUSE {
                    tracing::debug!(pod, %error, "a pod's status is told again soon");
                } else {
                    tracing::warn!(pod, %error, "a pod's status has not been told for a while");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use kube::client::Body;
    use mini_daemon::tasks::Tasks;
    use serde_json::{Value, json};

    use super::*;

    fn pod() -> Arc<Pod> {
        let pod = json!({ "metadata": { "name": "web", "namespace": "default", "uid": "u" }, "status": { "phase": "Pending" } });
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    fn status(phase: &str, more: Value) -> PodStatus {
        let mut status = json!({ "phase": phase });
        json_patch::merge(&mut status, &more);
        serde_json::from_value(status).unwrap()
    }

    /// Requests in short, from a server that answers each after a second of virtual time.
    async fn told(words: Vec<Word>) -> Vec<String> {
        let (requests, mut seen) = mpsc::unbounded_channel();
        let service = tower::service_fn(move |request: Request<Body>| {
            let requests = requests.clone();
            async move {
                let (method, path) = (request.method().clone(), request.uri().path().to_owned());
                let body: Value = serde_json::from_slice(&request.into_body().collect_bytes().await?).unwrap_or_default();
                let what = if method == "DELETE" { &body["gracePeriodSeconds"] } else { &body["status"]["phase"] };
                requests.send(format!("{method} {path} {what}"))?;
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Response::new(Body::from(
                    b"{\"metadata\":{\"resourceVersion\":\"7\"}}".to_vec(),
                )))
            }
        });
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut tasks = Tasks::new();
        tasks.spawn("writer", write(Client::new(service, "default"), receiver, tasks.token()));
        for word in words {
            sender.send(word).unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        tasks.token().cancel();
        tasks.join().await.unwrap();
        std::iter::from_fn(|| seen.try_recv().ok()).collect()
    }

    fn say(phase: &str) -> Word {
        Word::Status { pod: pod(), status: Arc::new(status(phase, json!({}))) }
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_at_a_time_and_the_latest_word_wins() {
        let requests = told(vec![say("Running"), say("Failed"), say("Succeeded"), Word::Release(pod())]).await;
        let path = "/api/v1/namespaces/default/pods/web";
        let expected =
            [format!("PATCH {path}/status \"Running\""), format!("PATCH {path}/status \"Succeeded\""), format!("DELETE {path} 0")];
        assert_eq!(requests, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_is_not_told() {
        assert!(told(vec![say("Pending")]).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_more_is_told_about_a_pod_that_is_gone() {
        let requests = told(vec![say("Running"), say("Failed"), Word::Forget("u".into())]).await;
        assert_eq!(requests.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_spoil_is_corrected_and_echoes_are_not() {
        let seen = |version: &str, phase: &str| {
            let mut pod = Pod::clone(&pod());
            pod.metadata.resource_version = Some(version.to_owned());
            pod.status = Some(status(phase, json!({})));
            Word::Seen(Arc::new(pod))
        };
        // The echo comes before the answer, the spoilt one after it.
        let words = vec![say("Running"), seen("7", "Running"), seen("6", "Pending"), seen("9", "Unknown")];
        let requests = told(words).await;
        assert_eq!(requests.len(), 2, "{requests:?}");
        assert!(requests[1].ends_with("\"Running\""));
        assert_eq!(told(vec![say("Running"), seen("6", "Pending"), seen("7", "Running")]).await.len(), 1);
        // It is known as well of a pod that rests.
        let rest = || Word::Rest("u".into(), resting::pack(&status("Running", json!({}))).into());
        let requests = told(vec![say("Running"), rest(), seen("9", "Unknown")]).await;
        assert_eq!((requests.len(), requests[1].ends_with("\"Running\"")), (2, true), "{requests:?}");
        assert_eq!(told(vec![say("Running"), rest(), seen("9", "Running")]).await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_rests_takes_no_more_than_that() {
        let (client, mut desk) =
            (Client::new(tower::service_fn(|_| async { Ok::<_, Infallible>(Response::new(Body::empty())) }), "default"), Desk::default());
        let told = Arc::new(status("Running", json!({})));
        let rest = || Word::Rest("u".into(), resting::pack(&*told).into());
        let rests = |desk: &Desk| matches!(desk.slots["u"].stored, Stored::Resting(_));
        let done = || Done { uid: "u".into(), sent: Sent::Status(told.clone()), answer: Answer::Done(7) };
        for early in [true, false] {
            desk.take(Word::Status { pod: pod(), status: Arc::new(status(if early { "Running" } else { "Failed" }, json!({}))) });
            assert!(desk.next(&client, 0).is_some());
            if early {
                desk.take(rest());
                assert!(!rests(&desk), "what is under way is not known yet");
            }
            desk.done(done());
            if !early {
                assert!(!rests(&desk));
                desk.take(rest());
            }
            assert!(rests(&desk));
            assert_eq!(desk.slots["u"].stored.told().as_deref(), Some(&*told));
        }
    }

    #[tokio::test]
    async fn where_many_wait_the_first_word_waits_for_the_next() {
        let client = Client::new(tower::service_fn(|_| async { Ok::<_, Infallible>(Response::new(Body::empty())) }), "default");
        let mut desk = Desk::default();
        let pod = |name: &str| {
            let mut pod = Pod::clone(&pod());
            (pod.metadata.name, pod.metadata.uid, pod.status) = (Some(name.to_owned()), Some(name.to_owned()), None);
            Arc::new(pod)
        };
        let say = |desk: &mut Desk, name: &str, phase: &str| {
            desk.take(Word::Status { pod: pod(name), status: Arc::new(status(phase, json!({}))) });
        };
        for name in ["a", "b", "c"] {
            say(&mut desk, name, "Pending");
        }
        assert!(desk.next(&client, FEW).is_none());
        say(&mut desk, "b", "Running");
        assert!(desk.next(&client, FEW).is_some() && desk.slots["b"].busy, "more is known of it");
        assert!(desk.next(&client, FEW).is_none());
        assert!(desk.next(&client, FEW - 1).is_some() && desk.slots["a"].busy, "few are under way");
        for number in 0..OTHERS {
            let name = format!("d{number}");
            say(&mut desk, &name, "Running");
            assert!(desk.next(&client, AT_ONCE - 1).is_some() && desk.slots[&*name].busy);
        }
        say(&mut desk, "e", "Running");
        assert!(desk.next(&client, AT_ONCE - 1).is_some() && desk.slots["c"].busy, "it has waited long enough");
        assert!(desk.next(&client, AT_ONCE - 1).is_some() && desk.slots["e"].busy);
        assert!(desk.next(&client, 0).is_none());
    }
}
