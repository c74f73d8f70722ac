//! Objects that rest: a decoded pod takes six times the memory of its JSON, which can be squeezed to less than
//! a third of it, and most pods of a fleet have nothing to do.
//!
//! Must not know: when something rests.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, LazyLock},
};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Pod, PodStatus},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
    serde::{Serialize, de::DeserializeOwned},
};
use lz4_flex::block;
use parking_lot::Mutex;

/// What most pods and statuses say; of what stands here only the place is kept. Any text would do, and it never leaves this process.
const USUAL: &str = concat!(
    r#"{"containerStatuses":[{"allocatedResources":{"cpu":"100m","memory":"128Mi"},"containerID":"containerd://"#,
    r#""lastState":{},"name":"","ready":true,"resources":{},"restartCount":0,"started":true,"state":{"running":{"startedAt":"20"#,
    r#""volumeMounts":[{"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount","name":"kube-api-access-","readOnly":true,"recursiveReadOnly":"Disabled"}]}],"#,
    r#""hostIP":"172.18.0.","hostIPs":[{"ip":"172.18.0."}],"phase":"Running","podIP":"10.244.","podIPs":[{"ip":"10.244."}],"qosClass":"BestEffort","startTime":"20"#,
    r#""conditions":[{"lastTransitionTime":"20","observedGeneration":1,"status":"True","type":"PodReadyToStartContainers"},"#,
    r#"{"lastTransitionTime":"20","observedGeneration":1,"status":"True","type":"Initialized"},{"lastTransitionTime":"20","observedGeneration":1,"#,
    r#""status":"True","type":"Ready"},{"lastTransitionTime":"20","observedGeneration":1,"status":"True","type":"ContainersReady"},"#,
    r#"{"lastTransitionTime":"20","observedGeneration":1,"status":"True","type":"PodScheduled"}],"#,
    r#"{"apiVersion":"v1","kind":"Pod","metadata":{"creationTimestamp":"20","generateName":"","generation":1,"labels":{"app":"","pod-template-hash":""},"#,
    r#""name":"","namespace":"default","ownerReferences":[{"apiVersion":"apps/v1","blockOwnerDeletion":true,"controller":true,"kind":"ReplicaSet","name":"","uid":""}],"#,
    r#""resourceVersion":"","uid":""},"spec":{"containers":[{"image":"nginx","imagePullPolicy":"IfNotPresent","name":"","ports":[{"containerPort":80,"protocol":"TCP"}],"#,
    r#""resources":{"limits":{"cpu":"","memory":""},"requests":{"cpu":"","memory":""}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","#,
    r#""volumeMounts":[{"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount","name":"kube-api-access-","readOnly":true}]}],"#,
    r#""dnsPolicy":"ClusterFirst","enableServiceLinks":true,"nodeName":"","preemptionPolicy":"PreemptLowerPriority","priority":0,"restartPolicy":"Always","#,
    r#""schedulerName":"default-scheduler","securityContext":{},"serviceAccount":"default","serviceAccountName":"default","terminationGracePeriodSeconds":30,"#,
    r#""tolerations":[{"effect":"NoExecute","key":"node.kubernetes.io/not-ready","operator":"Exists","tolerationSeconds":300},"#,
    r#"{"effect":"NoExecute","key":"node.kubernetes.io/unreachable","operator":"Exists","tolerationSeconds":300}],"volumes":[{"name":"kube-api-access-","#,
    r#""projected":{"defaultMode":420,"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},"#,
    r#"{"configMap":{"items":[{"key":"ca.crt","path":"ca.crt"}],"name":"kube-root-ca.crt"}},"#,
    r#"{"downwardAPI":{"items":[{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"},"path":"namespace"}]}}]}}]}}"#,
);

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
        if let State::Awake(pod) = &mut *state {
            // Usually nobody else has it any more.
            let mut pod = Arc::unwrap_or_clone(std::mem::take(pod));
            if pod.spec.as_ref().is_none_or(|spec| spec.readiness_gates.is_none()) {
                pod.status = None;
            }
            *state = State::Resting(pack(&pod));
        }
    }
}

/// An object as JSON, squeezed: pods and statuses repeat themselves, and what all of them say.
pub(crate) fn pack(object: &impl Serialize) -> Box<[u8]> {
    // Objects of the API have only strings as keys, so this cannot fail.
    let json = serde_json::to_vec(object).unwrap_or_default();
    block::compress_prepend_size_with_dict(&json, USUAL.as_bytes()).into()
}

/// What [`pack`] has packed.
pub(crate) fn unpack<T: DeserializeOwned + Default>(packed: &[u8]) -> T {
    serde_json::from_slice(&json(packed)).unwrap_or_default()
}

/// The JSON of what [`pack`] has packed.
pub(crate) fn json(packed: &[u8]) -> Vec<u8> {
    block::decompress_size_prepended_with_dict(packed, USUAL.as_bytes()).unwrap_or_default()
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
    fn what_rests_is_small() {
        let status = json!({
            "conditions": [
                { "lastTransitionTime": "2026-11-30T10:00:00Z", "observedGeneration": 1, "status": "True", "type": "Ready" },
                { "lastTransitionTime": "2026-11-30T10:00:01Z", "observedGeneration": 1, "status": "True", "type": "PodScheduled" },
            ],
            "containerStatuses": [{
                "containerID": "containerd://0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0", "image": "nginx", "imageID": "",
                "name": "nginx", "ready": true, "restartCount": 0, "started": true, "state": { "running": { "startedAt": "2026-11-30T10:00:01Z" } },
            }],
            "phase": "Running", "podIP": "10.244.3.7", "podIPs": [{ "ip": "10.244.3.7" }], "qosClass": "BestEffort",
        });
        let status: PodStatus = serde_json::from_value(status).unwrap();
        let (length, packed) = (serde_json::to_vec(&status).unwrap().len(), pack(&status));
        assert!(packed.len() * 3 < length, "{} of {length} bytes", packed.len());
        assert_eq!(unpack::<PodStatus>(&packed), status);
        assert_eq!(unpack::<PodStatus>(b"none"), PodStatus::default());
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
