//! VolumeBinding: a pod goes only where all its claims have, or would get, a volume that the node reaches.

use mini_api::{node_selector::Subject, volume};

use crate::{
    cluster::Kind,
    framework::{Case, Change, Filter, Plugin, Reason, Refusal},
    snapshot::NodeRef,
    storage::{Claims, Provision, provisions, reaches, volumes},
};

pub(super) const PLUGIN: &dyn Plugin = &VolumeBinding;

const CONFLICT: &str = "node(s) didn't match PersistentVolume's node affinity";
const NO_VOLUMES: &str = "node(s) didn't find available persistent volumes to bind";
const NO_ROOM: &str = "node(s) did not have enough free storage";
const GONE: &str = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";

struct VolumeBinding;

impl Plugin for VolumeBinding {
    fn name(&self) -> &'static str {
        "VolumeBinding"
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        if case.pod.wants.claims.is_empty() {
            return Filter::Nothing;
        }
        let claims = match Claims::of(case) {
            Ok(claims) => claims,
            Err(why) => return Filter::All(Refusal::unresolvable(why)),
        };
        let storage = &case.cluster.storage;
        let bound: Vec<_> = claims.bound.iter().map(|claim| storage.volumes.get("", volume::volume_name(claim))).collect();
        let free = if claims.waiting.is_empty() { Vec::new() } else { volumes(storage) };
        Filter::each(move |node: NodeRef<'_>| {
            let node = Subject { name: &node.info().name, labels: &node.info().labels };
            let mut reasons: Vec<Reason> = Vec::new();
            if bound.iter().flatten().any(|volume| !reaches(node, &volume.0)) {
                reasons.push(CONFLICT.into());
            }
            match provisions(&claims.waiting, &free, node) {
                None => reasons.push(NO_VOLUMES.into()),
                Some(chosen) => {
                    let mut made = claims.waiting.iter().zip(chosen).filter(|(_, provision)| *provision == Provision::Make);
                    if made.any(|((claim, class), _)| !storage.has_room(claim, class, node.labels)) {
                        reasons.push(NO_ROOM.into());
                    }
                }
            }
            if bound.iter().any(Option::is_none) {
                reasons.push(GONE.into());
            }
            if reasons.is_empty() { Ok(()) } else { Err(Refusal { reasons, resolvable: false }) }
        })
    }

    fn minds(&self, change: Change<'_>) -> bool {
        use Kind::{CSIDriver, CSIStorageCapacity, PersistentVolume, PersistentVolumeClaim, StorageClass};
        matches!(
            change,
            Change::Node(_) | Change::Other(PersistentVolumeClaim | PersistentVolume | StorageClass | CSIDriver | CSIStorageCapacity, _)
        )
    }

    /// Of its claims and their classes a pod has to be told even what does not help, such as that its claim is there and not bound.
    fn helped_by(&self, case: Case<'_>, change: Change<'_>) -> bool {
        match change {
            Change::Node(node) => self.filter(case).look(node).is_ok(),
            Change::Other(Kind::PersistentVolumeClaim, Some(claim)) => case.pod.uses_claim(claim),
            Change::Other(Kind::StorageClass, Some((_, class))) => is_of_class(case, class),
            _ => true,
        }
    }
}

/// Whether a claim of the pod is of this class.
fn is_of_class(Case { pod, cluster, .. }: Case<'_>, class: &str) -> bool {
    let mut claims = pod.wants.claims.iter().filter_map(|claim| cluster.storage.claims.get(&pod.namespace, &claim.name));
    claims.any(|claim| volume::claim_class(&claim.0) == class)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{
        core::v1::{PersistentVolume, PersistentVolumeClaim},
        storage::v1::StorageClass,
    };
    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        cluster::Cluster,
        framework::testing::{cluster, node, pod, refusal},
        storage::{DriverInfo, PodClaim, Stored, on_hostname},
    };

    fn claim(volume: &str, class: &str) -> Stored<PersistentVolumeClaim> {
        let annotations = if volume.is_empty() { json!({}) } else { json!({"pv.kubernetes.io/bind-completed": "yes"}) };
        let spec = json!({
            "volumeName": volume, "storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}
        });
        let metadata = json!({"name": "x", "namespace": "default", "uid": "u", "annotations": annotations});
        Stored(serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap())
    }

    fn volume(hostname: &str, class: &str) -> Stored<PersistentVolume> {
        let affinity = json!({"required": {"nodeSelectorTerms": on_hostname(hostname)}});
        let spec = json!({
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": class, "nodeAffinity": affinity
        });
        Stored(serde_json::from_value(json!({"metadata": {"name": "v"}, "spec": spec, "status": {"phase": "Available"}})).unwrap())
    }

    fn class(more: Value) -> Stored<StorageClass> {
        let mut whole = json!({"metadata": {"name": "c"}, "volumeBindingMode": "WaitForFirstConsumer", "provisioner": "p"});
        let Value::Object(more) = more else { unreachable!() };
        more.into_iter().for_each(|(field, value)| whole[field] = value);
        Stored(serde_json::from_value(whole).unwrap())
    }

    /// What is said of the node `n`, whose hostname is `n`.
    fn said(claim: Option<Stored<PersistentVolumeClaim>>, volume: Option<Stored<PersistentVolume>>, class: Option<Stored<StorageClass>>) -> String {
        let mut one = node("n");
        one.labels = [("kubernetes.io/hostname".to_owned(), "n".to_owned())].into();
        let mut cluster: Cluster = cluster(one, []);
        claim.map(|claim| cluster.storage.claims.apply(Event::Apply(claim)));
        volume.map(|volume| cluster.storage.volumes.apply(Event::Apply(volume)));
        class.map(|class| cluster.storage.classes.apply(Event::Apply(class)));
        let mut pod = pod("p");
        pod.wants.claims = vec![PodClaim { name: "x".to_owned(), ephemeral: false }];
        refusal(PLUGIN, &pod, &cluster)
    }

    #[test]
    fn what_stands_in_the_way() {
        let by_hand = || class(json!({"provisioner": "kubernetes.io/no-provisioner"}));
        let in_zone = || class(json!({"allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]}]}));
        let chosen = |node: &str| {
            let mut claim = claim("", "c");
            claim.0.metadata.annotations = Some([("volume.kubernetes.io/selected-node".to_owned(), node.to_owned())].into());
            claim
        };
        for (claim, volume, class, wanted) in [
            (None, None, None, "persistentvolumeclaim \"x\" not found"),
            (Some(claim("", "")), None, None, "pod has unbound immediate PersistentVolumeClaims"),
            (Some(claim("v", "")), Some(volume("n", "")), None, ""),
            (Some(claim("v", "")), Some(volume("other", "")), None, CONFLICT),
            (Some(claim("v", "")), None, None, GONE),
            (Some(claim("", "c")), None, Some(class(json!({}))), ""),
            (Some(claim("", "c")), None, Some(in_zone()), NO_VOLUMES),
            (Some(claim("", "c")), None, Some(by_hand()), NO_VOLUMES),
            (Some(claim("", "c")), Some(volume("n", "c")), Some(by_hand()), ""),
            (Some(claim("", "c")), Some(volume("other", "c")), Some(by_hand()), NO_VOLUMES),
            (Some(chosen("n")), None, Some(class(json!({}))), ""),
            (Some(chosen("other")), None, Some(class(json!({}))), NO_VOLUMES),
        ] {
            assert_eq!(said(claim.clone(), volume, class), wanted, "{claim:?}");
        }
    }

    #[test]
    fn a_claim_of_the_pods_own_must_be_its_own() {
        let owned = |uid: &str| {
            let mut claim = claim("", "c");
            let owner = json!([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid, "controller": true}]);
            claim.0.metadata.owner_references = serde_json::from_value(owner).unwrap();
            claim
        };
        let foreign = "PVC default/x was not created for pod default/p (pod is not owner)";
        for (claim, wanted) in [
            (None, "waiting for ephemeral volume controller to create the persistentvolumeclaim \"x\""),
            (Some(claim("", "c")), foreign),
            (Some(owned("another")), foreign),
            (Some(owned("p")), ""),
        ] {
            let mut cluster: Cluster = cluster(node("n"), []);
            cluster.storage.classes.apply(Event::Apply(class(json!({}))));
            claim.map(|claim| cluster.storage.claims.apply(Event::Apply(claim)));
            let mut pod = pod("p");
            pod.wants.claims = vec![PodClaim { name: "x".to_owned(), ephemeral: true }];
            assert_eq!(refusal(PLUGIN, &pod, &cluster), wanted);
        }
    }

    #[test]
    fn a_driver_may_have_no_room() {
        let mut cluster: Cluster = cluster(node("n"), []);
        cluster.storage.claims.apply(Event::Apply(claim("", "c")));
        cluster.storage.classes.apply(Event::Apply(class(json!({}))));
        let mut pod = pod("p");
        pod.wants.claims = vec![PodClaim { name: "x".to_owned(), ephemeral: false }];
        assert_eq!(refusal(PLUGIN, &pod, &cluster), "");
        cluster.storage.drivers.apply(Event::Apply(DriverInfo { name: "p".to_owned(), tells_room: true }));
        assert_eq!(refusal(PLUGIN, &pod, &cluster), NO_ROOM);
    }

    #[test]
    fn changes_that_help() {
        let mut cluster: Cluster = cluster(node("n"), []);
        cluster.storage.claims.apply(Event::Apply(claim("v", "c")));
        cluster.storage.volumes.apply(Event::Apply(volume("n", "c")));
        let mut pod = pod("p");
        pod.wants.claims = vec![PodClaim { name: "x".to_owned(), ephemeral: false }];
        for (kind, namespace, name, want) in [
            (Kind::PersistentVolumeClaim, "default", "x", true),
            (Kind::PersistentVolumeClaim, "default", "y", false),
            (Kind::PersistentVolumeClaim, "elsewhere", "x", false),
            (Kind::StorageClass, "", "c", true),
            (Kind::StorageClass, "", "d", false),
            (Kind::PersistentVolume, "", "v", true),
            (Kind::CSIDriver, "", "p", true),
            (Kind::CSIStorageCapacity, "default", "r", true),
        ] {
            let (key, case) = ((namespace.to_owned(), name.to_owned()), Case::new(&pod, &cluster));
            assert_eq!(PLUGIN.helped_by(case, Change::Other(kind, Some(&key))), want, "{kind:?} {namespace}/{name}");
            assert!(PLUGIN.minds(Change::Other(kind, None)) && PLUGIN.helped_by(case, Change::Other(kind, None)), "{kind:?}");
        }
        for (hostname, want) in [("n", true), ("other", false)] {
            let mut one = node("n");
            one.labels = [("kubernetes.io/hostname".to_owned(), hostname.to_owned())].into();
            cluster.nodes.apply_node(one);
            assert_eq!(PLUGIN.helped_by(Case::new(&pod, &cluster), Change::Node(cluster.nodes.node(0))), want, "{hostname}");
        }
    }
}
