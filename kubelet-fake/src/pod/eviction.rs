//! Whom a node that runs out of something sends away, in upstream's order and words, and when it takes nobody in for that reason.
//!
//! A simulated node runs out of nothing by itself: the annotation `mini.dev/pressure` of its Node says that it has, as a list of `memory`,
//! `disk` and `pid`.
//!
//! Must not know: the runtime, how pods are ended.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{Node, Pod};
use mini_api::{
    pod::{BEST_EFFORT, qos, requests},
    taint,
};

use super::Verdict;
use crate::runtime::Usage;

/// What a node has to be asked for with.
const ANNOTATION: &str = "mini.dev/pressure";
/// Pods of at least this priority stay: upstream's critical ones.
const CRITICAL: i32 = 2_000_000_000;
/// How long the containers of an evicted pod may take to stop: upstream gives them no time.
const GRACE: Duration = Duration::from_secs(1);

/// What a node can run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pressure {
    /// Memory.
    Memory,
    /// Space for files.
    Disk,
    /// Process ids.
    Pid,
}

impl Pressure {
    /// All of them, in the order they are relieved.
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::Disk, Self::Pid];

    /// The node's condition.
    pub(crate) fn condition(self) -> &'static str {
        match self {
            Self::Memory => "MemoryPressure",
            Self::Disk => "DiskPressure",
            Self::Pid => "PIDPressure",
        }
    }

    /// The reason and message of the condition while it holds.
    pub(crate) fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Memory => ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
            Self::Disk => ("KubeletHasDiskPressure", "kubelet has disk pressure"),
            Self::Pid => ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
        }
    }

    /// The reasons of the Events about the node: when the condition begins to hold, and when it ends.
    pub(crate) fn events(self) -> [&'static str; 2] {
        match self {
            Self::Memory => ["NodeHasInsufficientMemory", "NodeHasSufficientMemory"],
            Self::Disk => ["NodeHasDiskPressure", "NodeHasNoDiskPressure"],
            Self::Pid => ["NodeHasInsufficientPID", "NodeHasSufficientPID"],
        }
    }

    /// The resource, as messages name it.
    pub(crate) fn resource(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "ephemeral-storage",
            Self::Pid => "pids",
        }
    }

    /// Upstream's default threshold, and what a node has that is a little beyond it.
    fn threshold(self) -> (&'static str, &'static str) {
        match self {
            Self::Memory => ("100Mi", "64Mi"),
            Self::Disk => ("10Gi", "8Gi"),
            Self::Pid => ("3276", "2048"),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Pid => "pid",
        }
    }
}

/// What a node is to run out of.
pub(crate) fn wanted(node: &Node) -> Vec<Pressure> {
    let text = node.metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION));
    let words = || text.map_or("", String::as_str).split([',', ' ', '|']);
    Pressure::ALL.into_iter().filter(|pressure| words().any(|word| word == pressure.word())).collect()
}

/// A pod that may have to go, and what it uses.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The pod.
    pub(crate) pod: Arc<Pod>,
    /// What each of its containers uses.
    pub(crate) usage: Vec<(String, Usage)>,
}

/// The pod that goes first: of those that use more than they asked for, the least important, of these the one that uses most beyond
/// that. Critical ones stay.
pub(crate) fn first(pressure: Pressure, candidates: Vec<Candidate>) -> Option<(Arc<Pod>, Verdict)> {
    let rank = |candidate: &Candidate| {
        let spec = candidate.pod.spec.as_ref();
        let used: i128 = candidate.usage.iter().map(|(_, usage)| i128::from(usage.memory)).sum();
        let requested = spec.map(requests).and_then(|all| all.get("memory").map(|amount| i128::from(amount.value()))).unwrap_or_default();
        let beyond = if pressure == Pressure::Memory { used - requested } else { 0 };
        (Reverse(beyond > 0), priority(&candidate.pod), Reverse(beyond), candidate.pod.metadata.uid.clone())
    };
    let chosen = candidates.into_iter().filter(|candidate| priority(&candidate.pod) < CRITICAL).min_by_key(rank)?;
    let message = message(pressure, &chosen);
    Some((chosen.pod, Verdict { reason: "Evicted".to_owned(), message, rejected: false, disrupted: true, grace: Some(GRACE) }))
}

fn priority(pod: &Pod) -> i32 {
    pod.spec.as_ref().and_then(|spec| spec.priority).unwrap_or_default()
}

fn message(pressure: Pressure, candidate: &Candidate) -> String {
    let resource = pressure.resource();
    let (threshold, available) = pressure.threshold();
    let mut text = format!("The node was low on resource: {resource}. Threshold quantity: {threshold}, available: {available}. ");
    if pressure != Pressure::Memory {
        return text;
    }
    let containers = candidate.pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    for container in containers {
        let Some((_, usage)) = candidate.usage.iter().find(|(name, _)| *name == container.name) else { continue };
        let request = container.resources.as_ref().and_then(|resources| resources.requests.as_ref()?.get("memory"));
        let requested = request.map_or(0, |request| mini_api::quantity::of(request).value());
        if i128::from(usage.memory) > i128::from(requested) {
            let (name, used, request) = (&container.name, usage.memory >> 10, request.map_or("0", |request| request.0.as_str()));
            text += &format!("Container {name} was using {used}Ki, request is {request}, has larger consumption of {resource}. ");
        }
    }
    text
}

/// Whether a node that runs out of something takes a pod all the same.
///
/// # Errors
/// The verdict that makes the pod fail.
pub(super) fn admit(pod: &Pod, node: &Node) -> Result<(), Verdict> {
    let pressures = wanted(node);
    let Some(spec) = pod.spec.as_ref().filter(|_| !pressures.is_empty() && priority(pod) < CRITICAL) else { return Ok(()) };
    if pressures == [Pressure::Memory] {
        let taint = serde_json::from_value(serde_json::json!({ "key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule" }));
        let taints: Vec<_> = taint.into_iter().collect();
        let tolerations = spec.tolerations.as_deref().unwrap_or_default();
        if qos(spec) != BEST_EFFORT || taint::find_untolerated(&taints, tolerations, &["NoSchedule"]).is_none() {
            return Ok(());
        }
    }
    let names: Vec<_> = pressures.iter().map(|pressure| pressure.condition()).collect();
    let message = format!("The node had condition: [{}]. ", names.join(" "));
    Err(Verdict { reason: "Evicted".to_owned(), message, rejected: true, ..Verdict::default() })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn candidate(name: &str, memory: u64, spec: Value) -> Candidate {
        let mut pod = json!({ "metadata": { "name": name, "uid": name }, "spec": { "containers": [{ "name": "c" }] } });
        json_patch::merge(&mut pod["spec"], &spec);
        Candidate {
            pod: Arc::new(serde_json::from_value(pod).unwrap()),
            usage: vec![("c".to_owned(), Usage { cpu: 0, memory: memory << 20 })],
        }
    }

    fn asks(memory: &str) -> Value {
        json!({ "containers": [{ "name": "c", "resources": { "requests": { "memory": memory } } }] })
    }

    #[test]
    fn the_order_is_upstreams() {
        let mut all = vec![
            candidate("critical", 900, json!({ "priority": CRITICAL })),
            candidate("modest", 10, asks("100Mi")),
            candidate("important", 50, json!({ "priority": 1000 })),
            candidate("small", 10, json!({})),
            candidate("greedy", 150, asks("100Mi")),
        ];
        let mut order = Vec::new();
        while let Some((pod, _)) = first(Pressure::Memory, all.clone()) {
            all.retain(|candidate| candidate.pod != pod);
            order.push(pod.metadata.name.clone().unwrap());
        }
        assert_eq!(order, ["greedy", "small", "important", "modest"]);
    }

    #[test]
    fn the_words_are_upstreams() {
        let (_, verdict) = first(Pressure::Memory, vec![candidate("web", 150, asks("100Mi"))]).unwrap();
        assert_eq!(
            verdict.message,
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 64Mi. \
             Container c was using 153600Ki, request is 100Mi, has larger consumption of memory. "
        );
    }

    #[test]
    fn a_node_without_memory_takes_only_who_asked_for_some() {
        let node = |what: &str| serde_json::from_value(json!({ "metadata": { "annotations": { ANNOTATION: what } } })).unwrap();
        let taken = |what: &str, spec: Value| admit(&candidate("p", 1, spec).pod, &node(what)).map_err(|verdict| verdict.message);
        let tolerant =
            json!({ "tolerations": [{ "key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule" }] });
        assert_eq!(taken("memory", json!({})), Err("The node had condition: [MemoryPressure]. ".to_owned()));
        assert_eq!(taken("memory", asks("1Mi")), Ok(()));
        assert_eq!(taken("memory", tolerant.clone()), Ok(()));
        assert_eq!(taken("disk", tolerant), Err("The node had condition: [DiskPressure]. ".to_owned()));
        assert_eq!(taken("none", json!({})), Ok(()));
        assert_eq!(taken("disk,memory", json!({ "priority": CRITICAL })), Ok(()));
    }
}
