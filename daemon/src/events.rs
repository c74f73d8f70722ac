//! The recorder of Kubernetes Events: what a component says about an object, as `kubectl describe` shows it.
//!
//! Follows upstream's correlator: a repetition raises `count` on the Event that is there, similar ones (equal but for the
//! message) are combined after ten in ten minutes, and one source may say only so much about one object (25 at once, one more
//! every five minutes). Nothing waits for an Event: they are queued, sent in the background one after the other, so that remarks about
//! the work never crowd out the work, and dropped when the queue is full.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    Metadata, Resource,
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{
    Client, Resource as _,
    api::{Patch, PatchParams, PostParams},
    core::Request,
};
use tokio::sync::mpsc;

use crate::{clock, tasks::Tasks, write};

/// How many Events may wait to be sent.
const QUEUE: usize = 65_536;
/// How long to wait before an Event is tried again when the server is busy, at first.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// And at last.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Similar Events beyond this many within [`WINDOW`] are combined.
const SIMILAR: usize = 10;
/// How long similar Events count as the same story.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// What one source may say about one object at once.
const BURST: f64 = 25.0;
/// Seconds after which it may say one thing more.
const REFILL: f64 = 300.0;
/// How many objects the correlator remembers.
const REMEMBERED: usize = 4096;

/// Records Events of one component. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    source: Arc<EventSource>,
    queue: mpsc::Sender<Said>,
}

/// One remark, before correlation.
#[derive(Clone, Debug)]
struct Said {
    source: Arc<EventSource>,
    about: ObjectReference,
    kind: &'static str,
    reason: String,
    message: String,
    at: Timestamp,
}

impl Recorder {
    /// A recorder for `component`, on `host` where the component is one of a node. Its sender is a member of `tasks`.
    #[must_use]
    pub fn new(client: Client, component: &str, host: Option<&str>, tasks: &mut Tasks) -> Self {
        let (queue, said) = mpsc::channel(QUEUE);
        let source = Arc::new(EventSource { component: Some(component.to_owned()), host: host.map(str::to_owned) });
        let token = tasks.token();
        let sender = send(client, said);
        tasks.spawn(format!("events of {component}"), async move {
            tokio::select! { () = sender => {}, () = token.cancelled() => {} }
            Ok(())
        });
        Self { source, queue }
    }

    /// A recorder for the same component on another host. Both share one queue and one sender.
    #[must_use]
    pub fn on_host(&self, host: &str) -> Self {
        let source = EventSource { component: self.source.component.clone(), host: Some(host.to_owned()) };
        Self { source: Arc::new(source), queue: self.queue.clone() }
    }

    /// A recorder for another component on the same host. Both share one queue and one sender.
    #[must_use]
    pub fn of_component(&self, component: &str) -> Self {
        let source = EventSource { component: Some(component.to_owned()), host: self.source.host.clone() };
        Self { source: Arc::new(source), queue: self.queue.clone() }
    }

    /// The component this recorder speaks for.
    #[must_use]
    pub fn component(&self) -> &str {
        self.source.component.as_deref().unwrap_or_default()
    }

    /// Says something ordinary about an object, now.
    pub fn normal(&self, about: &ObjectReference, reason: &str, message: impl Into<String>) {
        self.normal_at(about, reason, message, clock::now());
    }

    /// Says something worrying about an object, now.
    pub fn warning(&self, about: &ObjectReference, reason: &str, message: impl Into<String>) {
        self.warning_at(about, reason, message, clock::now());
    }

    /// Says something ordinary that happened at `at`.
    pub fn normal_at(&self, about: &ObjectReference, reason: &str, message: impl Into<String>, at: Timestamp) {
        self.say(about, "Normal", reason, message.into(), at);
    }

    /// Says something worrying that happened at `at`.
    pub fn warning_at(&self, about: &ObjectReference, reason: &str, message: impl Into<String>, at: Timestamp) {
        self.say(about, "Warning", reason, message.into(), at);
    }

    fn say(&self, about: &ObjectReference, kind: &'static str, reason: &str, message: String, at: Timestamp) {
        let said = Said { source: self.source.clone(), about: about.clone(), kind, reason: reason.to_owned(), message, at };
        if let Err(error) = self.queue.try_send(said) {
            tracing::warn!(%error, reason, "an Event is dropped");
        }
    }
}

/// A reference to `object`, as Events carry it.
#[must_use]
pub fn reference<K: Resource + Metadata<Ty = ObjectMeta>>(object: &K) -> ObjectReference {
    let meta = object.metadata();
    ObjectReference {
        api_version: Some(K::API_VERSION.to_owned()),
        kind: Some(K::KIND.to_owned()),
        name: meta.name.clone(),
        namespace: meta.namespace.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        field_path: None,
    }
}

/// Sends what is said until every recorder is gone, one after the other.
async fn send(client: Client, mut queue: mpsc::Receiver<Said>) {
    let mut correlator = Correlator::default();
    while let Some(said) = queue.recv().await {
        if let Some(write) = correlator.correlate(said) {
            insist(&client, &write).await;
        }
    }
}

async fn insist(client: &Client, write: &Write) {
    let mut pause = FIRST_PAUSE;
    while let Err(error) = attempt(client, write).await {
        let busy = matches!(&error, kube::Error::Api(status) if status.code == 429 || status.code >= 500);
        if !busy || pause > LONGEST_PAUSE {
            tracing::debug!(%error, "an Event was not stored");
            return;
        }
        tokio::time::sleep(pause).await;
        pause *= 4;
    }
}

async fn attempt(client: &Client, write: &Write) -> kube::Result<()> {
    let (Write::Create(event) | Write::Repeat(event)) = write;
    let events = Request::new(Event::url_path(&(), Some(event.metadata.namespace.as_deref().unwrap_or("default"))));
    if let Write::Repeat(event) = write {
        let patch = serde_json::json!({ "count": event.count, "lastTimestamp": event.last_timestamp, "message": event.message });
        let name = event.metadata.name.as_deref().unwrap_or_default();
        let request = events.patch(name, &PatchParams::default(), &Patch::Merge(patch));
        match write::send(client, request).await {
            // It expired or was deleted meanwhile: say it afresh.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            other => return other.map(|_| ()),
        }
    }
    let body = serde_json::to_vec(event).map_err(kube::Error::SerdeError)?;
    write::send(client, events.create(&PostParams::default(), body)).await.map(|_| ())
}

/// What is to be written for a remark.
#[derive(Debug)]
enum Write {
    Create(Box<Event>),
    Repeat(Box<Event>),
}

/// Decides what a remark becomes; pure but for its memory.
#[derive(Default)]
struct Correlator {
    /// By object (its names, for some are spoken of without their UID, and the field path): what was said about it.
    objects: HashMap<String, Story>,
    /// The objects in the order they were first spoken of, to forget the oldest.
    order: VecDeque<String>,
}

#[derive(Default)]
struct Story {
    spent: f64,
    refilled: Option<Timestamp>,
    said: HashMap<(String, String), Box<Event>>,
    /// By reason: when similar remarks with differing messages began, and the messages seen.
    similar: HashMap<String, (Timestamp, Vec<String>)>,
}

impl Correlator {
    fn correlate(&mut self, mut said: Said) -> Option<Write> {
        let about = &said.about;
        let names = [&about.kind, &about.namespace, &about.name, &about.uid, &about.field_path];
        let object = names.map(|name| name.as_deref().unwrap_or_default()).join("/");
        if !self.objects.contains_key(&object) {
            self.order.push_back(object.clone());
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.objects.remove(&oldest);
            }
        }
        let story = self.objects.entry(object).or_default();
        let combined = story.combine(&mut said);
        if !story.may_speak(said.at) {
            return None;
        }
        let key = (said.reason.clone(), if combined { String::new() } else { said.message.clone() });
        if let Some(event) = story.said.get_mut(&key) {
            event.count = event.count.map(|count| count + 1);
            event.last_timestamp = Some(Time(said.at));
            event.message = Some(said.message);
            return Some(Write::Repeat(event.clone()));
        }
        let event = Box::new(event(said));
        story.said.insert(key, event.clone());
        Some(Write::Create(event))
    }
}

impl Story {
    /// Marks the message as combined when too many similar ones came; says whether it did.
    fn combine(&mut self, said: &mut Said) -> bool {
        let (since, messages) = self.similar.entry(format!("{}/{}", said.kind, said.reason)).or_insert_with(|| (said.at, Vec::new()));
        if said.at.duration_since(*since) > WINDOW {
            *since = said.at;
            messages.clear();
        }
        if !messages.contains(&said.message) {
            if messages.len() < SIMILAR {
                messages.push(said.message.clone());
                return false;
            }
            said.message = format!("(combined from similar events): {}", said.message);
            return true;
        }
        false
    }

    fn may_speak(&mut self, at: Timestamp) -> bool {
        if let Some(last) = self.refilled {
            self.spent = (self.spent - at.duration_since(last).as_secs_f64() / REFILL).max(0.0);
        }
        self.refilled = Some(at);
        if self.spent + 1.0 > BURST {
            return false;
        }
        self.spent += 1.0;
        true
    }
}

/// The nanosecond something was said in, or the next one after the last: no two of a process are the same.
fn moment(at: Timestamp) -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let after = |last: u64| (at.as_nanosecond() as u64).max(last + 1);
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
    last.map_or_else(after, after)
}

fn event(said: Said) -> Event {
    let source = &*said.source;
    let name = said.about.name.as_deref().unwrap_or_default();
    // Upstream's name: the object's and the moment in hexadecimal nanoseconds. So names stand in the order in which things were said.
    let moment = moment(said.at);
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{name}.{moment:016x}")),
            namespace: Some(said.about.namespace.clone().unwrap_or_else(|| "default".to_owned())),
            ..ObjectMeta::default()
        },
        involved_object: said.about,
        reason: Some(said.reason),
        message: Some(said.message),
        type_: Some(said.kind.to_owned()),
        source: Some(source.clone()),
        first_timestamp: Some(Time(said.at)),
        last_timestamp: Some(Time(said.at)),
        count: Some(1),
        reporting_component: source.component.clone(),
        reporting_instance: source.host.clone(),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str, second: i64) -> Said {
        Said {
            source: Arc::default(),
            about: ObjectReference { uid: Some("u".into()), name: Some("web".into()), ..ObjectReference::default() },
            kind: "Normal",
            reason: "Scaled".into(),
            message: message.into(),
            at: Timestamp::from_second(second).unwrap(),
        }
    }

    fn outcome(write: Option<Write>) -> String {
        match write {
            None => "dropped".into(),
            Some(Write::Create(event)) => format!("create {}", event.message.unwrap()),
            Some(Write::Repeat(event)) => {
                format!("x{} {}", event.count.unwrap(), event.message.unwrap())
            }
        }
    }

    #[test]
    fn a_repetition_counts() {
        let mut correlator = Correlator::default();
        assert_eq!(outcome(correlator.correlate(said("a", 0))), "create a");
        assert_eq!(outcome(correlator.correlate(said("a", 1))), "x2 a");
        assert_eq!(outcome(correlator.correlate(said("b", 1))), "create b");
    }

    #[test]
    fn similar_ones_are_combined_and_floods_are_cut() {
        let mut correlator = Correlator::default();
        let outcomes: Vec<_> = (0..30).map(|n| outcome(correlator.correlate(said(&n.to_string(), 0)))).collect();
        assert_eq!(outcomes[9], "create 9");
        assert_eq!(outcomes[10], "create (combined from similar events): 10");
        assert_eq!(outcomes[11], "x2 (combined from similar events): 11");
        assert_eq!(outcomes[25], "dropped");
    }

    #[test]
    fn objects_without_a_uid_are_told_apart() {
        let mut correlator = Correlator::default();
        for n in 0..30 {
            let mut one = said(&format!("about {n}"), 0);
            (one.about.uid, one.about.name) = (None, Some(format!("web-{n}")));
            assert_eq!(outcome(correlator.correlate(one)), format!("create about {n}"));
        }
    }

    #[test]
    fn the_right_to_speak_returns() {
        let mut correlator = Correlator::default();
        for _ in 0..26 {
            correlator.correlate(said("a", 0));
        }
        assert_eq!(outcome(correlator.correlate(said("a", 1))), "dropped");
        assert_eq!(outcome(correlator.correlate(said("a", 301))), "x26 a");
    }
}
