//! Objects that rest: a decoded pod takes six times the memory of its JSON, which can be squeezed to less than
//! half of it, and most pods of a fleet have nothing to do.
//!
//! Must not know: when something rests.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, LazyLock},
};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Pod, PodStatus},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
    serde::{Serialize, de::DeserializeOwned},
};
use parking_lot::Mutex;

/// What is squeezed may be longer than it was by no more than this, and so many bytes say how long it was.
const SLACK: usize = 64 + size_of::<u32>();

/// A pod, awake or at rest. Its status is not kept unless somebody asks for it.
#[derive(Debug)]
pub(crate) struct PodCell(Mutex<State>);

#[derive(Debug)]
enum State {
    Awake(Arc<Pod>),
    Resting(Box<[u8]>),
}

impl PodCell {
    /// A pod that is awake.
    pub(crate) fn new(pod: Arc<Pod>) -> Self {
        Self(Mutex::new(State::Awake(pod)))
    }

    /// The pod, which rests on if it does.
    pub(crate) fn get(&self) -> Arc<Pod> {
        match &*self.0.lock() {
            State::Awake(pod) => pod.clone(),
            State::Resting(bytes) => Arc::new(unpack(bytes)),
        }
    }

    /// The pod, which is awake from now on.
    pub(crate) fn wake(&self) -> Arc<Pod> {
        let mut state = self.0.lock();
        if let State::Resting(bytes) = &*state {
            *state = State::Awake(Arc::new(unpack(bytes)));
        }
        match &*state {
            State::Awake(pod) => pod.clone(),
            State::Resting(_) => Arc::default(),
        }
    }

    /// The pod has changed.
    pub(crate) fn set(&self, pod: Arc<Pod>) {
        *self.0.lock() = State::Awake(pod);
    }

    /// Lets the pod rest. What others wait for in its status is kept, all else of it is told from memory.
    pub(crate) fn rest(&self) {
        let mut state = self.0.lock();
        if let State::Awake(pod) = &*state {
            let mut pod = Pod::clone(pod);
            if pod.spec.as_ref().is_none_or(|spec| spec.readiness_gates.is_none()) {
                pod.status = None;
            }
            *state = State::Resting(pack(&pod));
        }
    }
}

/// An object as JSON, squeezed: pods and statuses repeat themselves.
pub(crate) fn pack(object: &impl Serialize) -> Box<[u8]> {
    static PRESS: LazyLock<Mutex<Compress>> = LazyLock::new(|| Mutex::new(Compress::new(Compression::fast(), false)));
    // Objects of the API have only strings as keys, so this cannot fail.
    let json = serde_json::to_vec(object).unwrap_or_default();
    let mut packed = Vec::with_capacity(json.len() + SLACK);
    packed.extend(u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes());
    let mut press = PRESS.lock();
    press.reset();
    // There is room for all of it, so it ends at once.
    let _ = press.compress_vec(&json, &mut packed, FlushCompress::Finish);
    packed.into()
}

/// What [`pack`] has packed.
pub(crate) fn unpack<T: DeserializeOwned + Default>(packed: &[u8]) -> T {
    static PRESS: LazyLock<Mutex<Decompress>> = LazyLock::new(|| Mutex::new(Decompress::new(false)));
    let Some((length, squeezed)) = packed.split_first_chunk() else { return T::default() };
    let mut json = Vec::with_capacity(u32::from_le_bytes(*length) as usize);
    {
        let mut press = PRESS.lock();
        press.reset(false);
        let _ = press.decompress_vec(squeezed, &mut json, FlushDecompress::Finish);
    }
    serde_json::from_slice(&json).unwrap_or_default()
}

/// The part of a pod's metadata whose change is a reason to act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    generation: Option<i64>,
    deleted: Option<Timestamp>,
    grace: Option<i64>,
    annotations: u64,
    gated: bool,
}

impl Stamp {
    /// The stamp of a pod.
    pub(crate) fn of(pod: &Pod) -> Self {
        let ObjectMeta { generation, deletion_timestamp, deletion_grace_period_seconds, annotations, .. } = &pod.metadata;
        let mut hasher = DefaultHasher::new();
        annotations.hash(&mut hasher);
        Self {
            generation: *generation,
            deleted: deletion_timestamp.as_ref().map(|time| time.0),
            grace: *deletion_grace_period_seconds,
            annotations: hasher.finish(),
            gated: pod.spec.as_ref().is_some_and(|spec| spec.readiness_gates.is_some()),
        }
    }

    /// Whether a pod with this stamp is to be looked at that had the `old` one. The generation moves with the spec; who has none is not
    /// trusted to. Gates look at the status, which any change may concern.
    pub(crate) fn is_news(&self, old: &Self) -> bool {
        self.generation.is_none() || self.gated || self != old
    }

    /// Whether the pod is to end sooner than the `old` stamp said.
    pub(crate) fn ends_sooner(&self, old: &Self) -> bool {
        self.deleted.is_some() && (old.deleted.is_none() || self.grace < old.grace)
    }
}

/// What was told of a pod, to be put beside it when it rests.
pub(crate) fn empty() -> Arc<PodStatus> {
    static EMPTY: LazyLock<Arc<PodStatus>> = LazyLock::new(Arc::default);
    EMPTY.clone()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_that_rests_is_the_same_pod() {
        let spec = json!({ "containers": [{ "name": "c", "image": "nginx" }] });
        let mut pod = json!({ "metadata": { "name": "web", "labels": { "a": "b" } }, "spec": spec, "status": { "phase": "Running" } });
        let cell = PodCell::new(Arc::new(serde_json::from_value(pod.clone()).unwrap()));
        cell.rest();
        pod["status"].take();
        let plain: Pod = serde_json::from_value(pod.clone()).unwrap();
        assert_eq!(*cell.get(), plain);
        assert_eq!(*cell.wake(), plain);
        assert!(Arc::ptr_eq(&cell.wake(), &cell.get()), "decoded once");
        pod["spec"]["readinessGates"] = json!([{ "conditionType": "x" }]);
        pod["status"] = json!({ "phase": "Running" });
        let gated: Arc<Pod> = Arc::new(serde_json::from_value(pod).unwrap());
        cell.set(gated.clone());
        cell.rest();
        assert_eq!(cell.get(), gated, "somebody else's conditions are waited for");
    }

    #[test]
    fn only_some_changes_are_news() {
        let stamp = |meta: serde_json::Value| {
            let pod: Pod = serde_json::from_value(json!({ "metadata": meta })).unwrap();
            Stamp::of(&pod)
        };
        let old = stamp(json!({ "generation": 1, "resourceVersion": "1" }));
        assert!(!stamp(json!({ "generation": 1, "resourceVersion": "2" })).is_news(&old), "an echo");
        assert!(stamp(json!({ "generation": 2 })).is_news(&old));
        assert!(stamp(json!({ "generation": 1, "annotations": { "a": "b" } })).is_news(&old));
        let dying = |grace: i64| {
            stamp(json!({ "generation": 1, "deletionTimestamp": "2026-11-20T12:00:00Z", "deletionGracePeriodSeconds": grace }))
        };
        assert!(dying(30).ends_sooner(&old) && dying(5).ends_sooner(&dying(30)) && !dying(30).ends_sooner(&dying(30)));
    }
}
