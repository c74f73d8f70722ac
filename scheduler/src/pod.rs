//! What scheduling knows of a pod: the few fields it watches, and their compiled form, computed once when the pod arrives.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{
        Container, NodeSelectorTerm, ObjectReference, PodAffinity, PodAntiAffinity, PodSpec, PreferredSchedulingTerm, ResourceRequirements,
        Toleration, TopologySpreadConstraint,
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{ObjectMeta, OwnerReference, Time},
    },
};
use mini_api::pod;
use serde::Deserialize;

use crate::{
    amounts::{Amounts, DEFAULT_CPU, DEFAULT_MEMORY, Load},
    census::Bond,
    cluster::Key,
    meta,
    relations::Relations,
    storage::{self, Disk, PodClaim, VolumeView},
};

/// The part of a Pod that is decoded.
#[derive(Clone, Debug, Deserialize)]
pub struct PodView {
    #[serde(deserialize_with = "meta::slim")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    node_name: Option<String>,
    scheduler_name: Option<String>,
    priority: Option<i32>,
    preemption_policy: Option<String>,
    #[serde(default)]
    containers: Vec<ContainerView>,
    init_containers: Option<Vec<ContainerView>>,
    resources: Option<ResourceRequirements>,
    overhead: Option<BTreeMap<String, Quantity>>,
    node_selector: Option<BTreeMap<String, String>>,
    affinity: Option<AffinityView>,
    tolerations: Option<Vec<Toleration>>,
    topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,
    scheduling_gates: Option<Vec<serde::de::IgnoredAny>>,
    volumes: Option<Vec<VolumeView>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerView {
    image: Option<String>,
    resources: Option<ResourceRequirements>,
    ports: Option<Vec<PortView>>,
    restart_policy: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortView {
    host_port: Option<u16>,
    #[serde(rename = "hostIP")]
    host_ip: Option<String>,
    protocol: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AffinityView {
    node_affinity: Option<NodeAffinityView>,
    pod_affinity: Option<PodAffinity>,
    pod_anti_affinity: Option<PodAntiAffinity>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeAffinityView {
    required_during_scheduling_ignored_during_execution: Option<RequiredView>,
    preferred_during_scheduling_ignored_during_execution: Option<Vec<PreferredSchedulingTerm>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequiredView {
    node_selector_terms: Vec<NodeSelectorTerm>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    nominated_node_name: Option<String>,
    start_time: Option<Time>,
    conditions: Option<Vec<Condition>>,
}

/// The condition of a pod that has to leave for no fault of its own.
pub const DISRUPTION_TARGET: &str = "DisruptionTarget";
/// The reason of that condition when it leaves for a more important pod.
pub const PREEMPTION_BY_SCHEDULER: &str = "PreemptionByScheduler";

/// A condition of a pod, without its times.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Condition {
    #[serde(rename = "type")]
    kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    #[serde(default)]
    pub reason: String,
    /// Why, for people.
    #[serde(default)]
    pub message: String,
}

meta::view_of!(PodView, "Pod", "pods", NamespaceResourceScope);

/// `metadata.uid`: what tells a pod from its namesakes before and after it.
pub type Uid = Arc<str>;

/// A pod as the queue and the node table keep it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodInfo {
    /// `metadata.uid`.
    pub uid: Uid,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.resourceVersion` of the state this was read from.
    pub resource_version: String,
    /// `metadata.generation` of that state.
    pub generation: Option<i64>,
    /// `spec.nodeName`, once it is set.
    pub node: Option<Arc<str>>,
    /// `spec.schedulerName`: who is to schedule it.
    pub scheduler: String,
    /// It has scheduling gates and is not to be looked at.
    pub gated: bool,
    /// It is being deleted.
    pub terminating: bool,
    /// It is being deleted to make room for a more important pod.
    pub preempted: bool,
    /// It has run to its end and holds nothing.
    pub finished: bool,
    /// `status.startTime`.
    pub started: Option<Timestamp>,
    /// `status.nominatedNodeName`: where room is being made for it.
    pub nominated: Option<Arc<str>>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.uid` of the ReplicaSet, StatefulSet or ReplicationController that made it.
    pub made_by: Option<Uid>,
    /// What it wants of a node.
    pub wants: Wants,
    /// Its PodScheduled condition.
    pub condition: Option<Condition>,
}

/// What a pod wants of a node: all that filters and scores look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wants {
    /// The effective requests, one pod included.
    pub amounts: Amounts,
    /// What it weighs when nodes are scored.
    pub load: Load,
    /// Ports it takes on the node.
    pub ports: Vec<HostPort>,
    /// `spec.nodeSelector`.
    pub selector: BTreeMap<String, String>,
    /// Required node affinity: one of these terms must match.
    pub required: Option<Vec<NodeSelectorTerm>>,
    /// Preferred node affinity.
    pub preferred: Vec<PreferredSchedulingTerm>,
    /// `spec.tolerations`.
    pub tolerations: Vec<Toleration>,
    /// What it wants of the pods near it; nothing for most pods.
    pub relations: Option<Box<Relations>>,
    /// The images of its containers, with their tags.
    pub images: Box<[Arc<str>]>,
    /// The claims its volumes name.
    pub claims: Vec<PodClaim>,
    /// The disks its volumes name themselves.
    pub disks: Box<[Disk]>,
    /// `spec.priority`.
    pub priority: i32,
    /// `spec.preemptionPolicy` is `Never`.
    pub never_preempts: bool,
}

/// A port taken on a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// The address; `0.0.0.0` is all of them.
    pub ip: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// The number.
    pub port: u16,
}

impl HostPort {
    /// Whether the two cannot be taken on one node.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        const ANY: &str = "0.0.0.0";
        self.port == other.port && self.protocol == other.protocol && (self.ip == other.ip || self.ip == ANY || other.ip == ANY)
    }
}

impl Wants {
    /// What it demands of the pods near it, and they of it once it is there.
    #[must_use]
    pub fn bonds(&self) -> &[Bond] {
        self.relations.as_ref().map_or(&[], |relations| &relations.bonds)
    }
}

impl PodInfo {
    /// All of it that the node table counts.
    pub(crate) fn as_counted(&self) -> impl PartialEq + '_ {
        (&self.wants, &self.labels, &self.made_by, self.terminating)
    }

    /// Whether it uses the claim of this name.
    #[must_use]
    pub fn uses(&self, namespace: &str, claim: &str) -> bool {
        self.namespace == namespace && self.wants.claims.iter().any(|used| used.name == claim)
    }

    /// Whether it uses this claim.
    #[must_use]
    pub fn uses_claim(&self, (namespace, name): &Key) -> bool {
        self.uses(namespace, name)
    }

    /// A reference to the pod, for Events.
    #[must_use]
    pub fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            namespace: Some(self.namespace.clone()),
            name: Some(self.name.clone()),
            uid: Some(self.uid.to_string()),
            resource_version: Some(self.resource_version.clone()),
            field_path: None,
        }
    }
}

impl std::fmt::Display for PodInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl From<PodView> for PodInfo {
    fn from(view: PodView) -> Self {
        let PodView { metadata, mut spec, status } = view;
        let (claims, disks) = storage::volumes_of(metadata.name.as_deref().unwrap_or_default(), spec.volumes.take());
        let terminating = metadata.deletion_timestamp.is_some();
        let conditions = status.conditions.unwrap_or_default();
        let preempted = |condition: &Condition| {
            condition.kind == DISRUPTION_TARGET && condition.status == "True" && condition.reason == PREEMPTION_BY_SCHEDULER
        };
        let namespace = metadata.namespace.unwrap_or_default();
        Self {
            uid: metadata.uid.unwrap_or_default().into(),
            name: metadata.name.unwrap_or_default(),
            resource_version: metadata.resource_version.unwrap_or_default(),
            generation: metadata.generation,
            node: spec.node_name.take().filter(|name| !name.is_empty()).map(Into::into),
            scheduler: spec.scheduler_name.take().unwrap_or_else(|| "default-scheduler".to_owned()),
            gated: spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()),
            terminating,
            preempted: terminating && conditions.iter().any(preempted),
            started: status.start_time.map(|time| time.0),
            nominated: status.nominated_node_name.filter(|name| !name.is_empty()).map(Into::into),
            finished: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
            made_by: metadata.owner_references.into_iter().flatten().find_map(maker),
            wants: Wants { claims, disks, ..spec.wants(&namespace) },
            namespace,
            labels: metadata.labels.unwrap_or_default(),
            condition: conditions.into_iter().find(|condition| condition.kind == "PodScheduled"),
        }
    }
}

/// The uid of an owner that makes pods of one sort: upstream spreads those by default, and no others.
fn maker(owner: OwnerReference) -> Option<Uid> {
    let makes = match owner.kind.as_str() {
        "ReplicationController" => owner.api_version == "v1",
        "ReplicaSet" | "StatefulSet" => owner.api_version.starts_with("apps/"),
        _ => false,
    };
    (makes && owner.controller == Some(true)).then(|| owner.uid.into())
}

/// As container runtimes name an image: without a tag or digest, the latest is meant.
fn with_tag(image: &str) -> Arc<str> {
    let name = image.rsplit('/').next().unwrap_or(image);
    if name.contains(':') { image.into() } else { format!("{image}:latest").into() }
}

impl From<PodView> for Arc<PodInfo> {
    fn from(view: PodView) -> Self {
        Self::new(view.into())
    }
}

impl Spec {
    fn wants(mut self, namespace: &str) -> Wants {
        let (ports, images) = (self.host_ports(), self.images());
        let (nodes, near, apart) =
            self.affinity.take().map_or((None, None, None), |all| (all.node_affinity, all.pod_affinity, all.pod_anti_affinity));
        let relations = Relations::new(namespace, near, apart, self.topology_spread_constraints.take().unwrap_or_default());
        let (required, preferred) = nodes.map_or((None, None), |affinity| {
            (
                affinity.required_during_scheduling_ignored_during_execution.map(|required| required.node_selector_terms),
                affinity.preferred_during_scheduling_ignored_during_execution,
            )
        });
        let (selector, tolerations) = (self.node_selector.take(), self.tolerations.take());
        let (priority, never_preempts) = (self.priority.unwrap_or(0), self.preemption_policy.as_deref() == Some("Never"));
        let (amounts, load) = self.requests();
        Wants {
            amounts,
            load,
            ports,
            selector: selector.unwrap_or_default(),
            required,
            preferred: preferred.unwrap_or_default(),
            tolerations: tolerations.unwrap_or_default(),
            relations,
            images,
            claims: Vec::new(),
            disks: Box::default(),
            priority,
            never_preempts,
        }
    }

    fn images(&self) -> Box<[Arc<str>]> {
        let containers = self.init_containers.iter().flatten().chain(&self.containers);
        containers.filter_map(|container| container.image.as_deref()).map(with_tag).collect()
    }

    /// Of the containers that run as long as the pod does: the main ones and the restartable init ones.
    fn host_ports(&self) -> Vec<HostPort> {
        let sidecars = self.init_containers.iter().flatten().filter(|init| init.restart_policy.as_deref() == Some("Always"));
        let ports = self.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
        ports
            .filter_map(|port| {
                Some(HostPort {
                    port: port.host_port.filter(|port| *port != 0)?,
                    ip: port.host_ip.clone().filter(|ip| !ip.is_empty()).unwrap_or_else(|| "0.0.0.0".to_owned()),
                    protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
                })
            })
            .collect()
    }

    /// The effective requests, and what the pod weighs: the same sum with upstream's defaults for containers without requests.
    fn requests(self) -> (Amounts, Load) {
        let mut spec = PodSpec {
            containers: self.containers.into_iter().map(Container::from).collect(),
            init_containers: self.init_containers.map(|init| init.into_iter().map(Container::from).collect()),
            resources: self.resources,
            overhead: self.overhead,
            ..PodSpec::default()
        };
        let mut amounts = effective(&spec);
        amounts.pods = 1;
        let containers = spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten());
        let filled = containers.map(fill).fold(false, |any, one| any | one);
        let weighed = if filled { effective(&spec) } else { amounts.clone() };
        (amounts, Load { cpu: weighed.cpu, memory: weighed.memory })
    }
}

fn effective(spec: &PodSpec) -> Amounts {
    pod::requests(spec).iter().map(|(name, quantity)| (name.as_str(), *quantity)).collect()
}

/// Gives a container the default requests where it has none; says whether it did.
fn fill(container: &mut Container) -> bool {
    let requests = container.resources.get_or_insert_default().requests.get_or_insert_default();
    let before = requests.len();
    requests.entry("cpu".to_owned()).or_insert_with(|| Quantity(format!("{DEFAULT_CPU}m")));
    requests.entry("memory".to_owned()).or_insert_with(|| Quantity(DEFAULT_MEMORY.to_string()));
    requests.len() > before
}

impl From<ContainerView> for Container {
    fn from(view: ContainerView) -> Self {
        Self { resources: view.resources, restart_policy: view.restart_policy, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(spec: Value) -> PodInfo {
        let object = json!({"metadata": {"name": "web", "namespace": "default", "uid": "u", "resourceVersion": "7"}, "spec": spec});
        serde_json::from_value::<PodView>(object).unwrap().into()
    }

    #[test]
    fn requests_are_summed_and_missing_ones_weighed() {
        let wants = pod(json!({"containers": [
            {"name": "a", "resources": {"requests": {"cpu": "250m"}}},
            {"name": "b", "resources": {"requests": {"memory": "1Gi", "nvidia.com/gpu": "1"}}}]}))
        .wants;
        assert_eq!((wants.amounts.cpu, wants.amounts.memory, wants.amounts.pods), (250, 1 << 30, 1));
        assert_eq!(wants.amounts.of_extended("nvidia.com/gpu"), 1);
        assert_eq!(wants.load, Load { cpu: 250 + DEFAULT_CPU, memory: (1 << 30) + DEFAULT_MEMORY });
    }

    #[test]
    fn host_ports_of_containers_and_sidecars_count() {
        let wants = pod(json!({
            "containers": [{"name": "a", "ports": [{"containerPort": 80}, {"containerPort": 80, "hostPort": 8080, "protocol": "UDP"}]}],
            "initContainers": [
                {"name": "once", "ports": [{"containerPort": 1, "hostPort": 1}]},
                {"name": "sidecar", "restartPolicy": "Always", "ports": [{"containerPort": 2, "hostPort": 2, "hostIP": "10.0.0.1"}]}]
        }))
        .wants;
        let ports: Vec<_> = wants.ports.iter().map(|port| format!("{} {} {}", port.ip, port.protocol, port.port)).collect();
        assert_eq!(ports, ["0.0.0.0 UDP 8080", "10.0.0.1 TCP 2"]);
    }

    #[test]
    fn images_have_tags() {
        let containers = json!([{"image": "nginx"}, {"image": "nginx:1.7.9"}, {"image": "host:5000/web"}, {"image": "web@sha256:1"}]);
        let wants = pod(json!({"containers": containers, "initContainers": [{"image": "host:5000/init:2"}]})).wants;
        let images: Vec<_> = wants.images.iter().map(|image| &**image).collect();
        assert_eq!(images, ["host:5000/init:2", "nginx:latest", "nginx:1.7.9", "host:5000/web:latest", "web@sha256:1"]);
    }

    #[test]
    fn makers_of_one_sort_of_pods_are_known() {
        for (api_version, kind, controller, want) in [
            ("apps/v1", "ReplicaSet", true, Some("o")),
            ("v1", "ReplicationController", true, Some("o")),
            ("apps/v1", "StatefulSet", false, None),
            ("apps/v1", "DaemonSet", true, None),
            ("batch/v1", "Job", true, None),
            ("example.com/v1", "ReplicaSet", true, None),
        ] {
            let owner = json!({"apiVersion": api_version, "kind": kind, "name": "o", "uid": "o", "controller": controller});
            let view = json!({"metadata": {"name": "p", "ownerReferences": [owner]}});
            let pod = PodInfo::from(serde_json::from_value::<PodView>(view).unwrap());
            assert_eq!(pod.made_by.as_deref(), want, "{kind}");
        }
    }

    #[test]
    fn the_state_is_read() {
        let view = json!({
            "metadata": {"name": "web", "namespace": "default", "uid": "u", "deletionTimestamp": "2026-11-20T10:00:00Z"},
            "spec": {"nodeName": "n1", "schedulerName": "mine", "priority": 7, "preemptionPolicy": "Never", "schedulingGates": [{"name": "g"}]},
            "status": {"phase": "Failed", "startTime": "2026-11-20T09:00:00Z", "nominatedNodeName": "n2", "conditions": [{"type": "Ready", "status": "True"},
                {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"},
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "m", "lastProbeTime": null}]}
        });
        let pod = PodInfo::from(serde_json::from_value::<PodView>(view).unwrap());
        assert_eq!((pod.node.as_deref(), pod.scheduler.as_str()), (Some("n1"), "mine"));
        assert!(pod.started.is_some() && pod.preempted && pod.nominated.as_deref() == Some("n2"));
        assert!(pod.gated && pod.terminating && pod.finished && pod.wants.never_preempts);
        assert_eq!((pod.wants.priority, pod.condition.unwrap().message.as_str()), (7, "m"));
    }

    #[test]
    fn ports_conflict_on_one_address_or_on_all() {
        let port = |ip: &str, protocol: &str, port| HostPort { ip: ip.into(), protocol: protocol.into(), port };
        let one = port("10.0.0.1", "TCP", 80);
        for (other, want) in [
            (port("10.0.0.1", "TCP", 80), true),
            (port("0.0.0.0", "TCP", 80), true),
            (port("10.0.0.2", "TCP", 80), false),
            (port("10.0.0.1", "UDP", 80), false),
            (port("10.0.0.1", "TCP", 81), false),
        ] {
            assert_eq!((one.conflicts(&other), other.conflicts(&one)), (want, want), "{other:?}");
        }
    }
}
