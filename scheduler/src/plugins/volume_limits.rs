//! NodeVolumeLimits: a node takes no more volumes of a CSI driver than the driver says in the node's CSINode.

use std::collections::{BTreeMap, BTreeSet};

use mini_api::volume;

use crate::{
    cluster::Kind,
    framework::{Case, Change, Filter, Plugin, Refusal},
    pod::PodInfo,
    snapshot::NodeRef,
    storage::Storage,
};

pub(super) const PLUGIN: &dyn Plugin = &NodeVolumeLimits;

struct NodeVolumeLimits;

/// A driver, and what it calls a volume.
type Attached = (String, String);

/// The volumes of CSI drivers that a pod has, or will get.
fn volumes(pod: &PodInfo, storage: &Storage) -> BTreeSet<Attached> {
    let volume_of = |claim: &str| {
        let claim = &storage.claims.get(&pod.namespace, claim)?.0;
        if let Some(volume) = storage.volumes.get("", volume::volume_name(claim)) {
            let csi = volume.0.spec.as_ref()?.csi.as_ref()?;
            return Some((csi.driver.clone(), csi.volume_handle.clone()));
        }
        // What it will be called is not known; it is one of its own.
        let name = claim.metadata.name.as_deref().unwrap_or_default();
        Some((storage.class(claim)?.provisioner.clone(), format!("{}/{name}", pod.namespace)))
    };
    pod.wants.claims.iter().filter_map(|claim| volume_of(&claim.name)).collect()
}

impl Plugin for NodeVolumeLimits {
    fn name(&self) -> &'static str {
        "NodeVolumeLimits"
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        let storage = &case.cluster.storage;
        let wanted = volumes(case.pod, storage);
        if wanted.is_empty() {
            return Filter::Nothing;
        }
        Filter::each(move |node: NodeRef<'_>| {
            let Some(limits) = storage.limits.get("", &node.info().name) else { return Ok(()) };
            let of_limited = |(driver, _): &&Attached| limits.most.contains_key(driver);
            if !wanted.iter().any(|volume| of_limited(&volume)) {
                return Ok(());
            }
            let there: BTreeSet<Attached> = node.pods().iter().flat_map(|other| volumes(other, storage)).collect();
            let mut more: BTreeMap<&str, usize> = BTreeMap::new();
            for (driver, _) in wanted.difference(&there).filter(of_limited) {
                *more.entry(driver).or_default() += 1;
            }
            let has = |driver: &str| there.iter().filter(|(other, _)| other == driver).count();
            let too_many = |(driver, more): (&&str, &usize)| limits.most.get(*driver).is_some_and(|most| has(driver) + more > *most);
            if more.iter().any(too_many) { Err(Refusal::resolvable("node(s) exceed max volume count")) } else { Ok(()) }
        })
    }

    fn minds(&self, change: Change<'_>) -> bool {
        matches!(change, Change::Node(_) | Change::PodGone(..) | Change::Other(Kind::PersistentVolumeClaim | Kind::PersistentVolume | Kind::CSINode, _))
    }

    fn helped_by(&self, case: Case<'_>, change: Change<'_>) -> bool {
        match change {
            Change::PodGone(_, gone) => !gone.wants.claims.is_empty(),
            Change::Node(node) => self.filter(case).look(node).is_ok(),
            Change::Other(Kind::PersistentVolumeClaim, Some(claim)) => case.pod.uses_claim(claim),
            Change::Other(Kind::CSINode, Some((_, name))) => {
                case.cluster.nodes.named(name).is_some_and(|node| self.filter(case).look(node).is_ok())
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;
    use crate::{
        framework::testing::{cluster, node, pod, refusal},
        storage::{LimitsInfo, LimitsView, PodClaim, Stored},
    };

    #[test]
    fn a_node_takes_so_many_volumes() {
        let claiming = |name: &str, claims: &[&str]| {
            let mut pod = pod(name);
            pod.wants.claims = claims.iter().map(|name| PodClaim { name: (*name).to_owned(), ephemeral: false }).collect();
            pod
        };
        let refused = "node(s) exceed max volume count";
        // Claims called by a digit are bound to the volume of this handle, of driver `d`; `w` and `x` wait for one; `n` is no driver's.
        for (most, there, wants, wanted) in [
            (Some(1), &[][..], &["1"][..], ""),
            (Some(1), &[], &["1", "2"], refused),
            (Some(1), &["1"], &["2"], refused),
            (Some(1), &["1"], &["1"], ""),
            (Some(2), &["1", "2"], &["2"], ""),
            (Some(2), &["1", "2"], &["n"], ""),
            (Some(1), &["n"], &["1"], ""),
            (Some(2), &["1", "w"], &["x"], refused),
            (Some(2), &["1", "w"], &["w"], ""),
            (Some(0), &[], &["1"], refused),
            (Some(0), &[], &["gone"], ""),
            (None, &["1", "2", "3"], &["4"], ""),
        ] {
            let mut cluster = cluster(node("n"), [claiming("a", there), claiming("b", there)]);
            let storage = &mut cluster.storage;
            let class = json!({"metadata": {"name": "c"}, "provisioner": "d", "volumeBindingMode": "WaitForFirstConsumer"});
            storage.classes.apply(Event::Apply(Stored(serde_json::from_value(class).unwrap())));
            for name in ["1", "2", "3", "4", "w", "x", "n"] {
                let bound = !["w", "x"].contains(&name);
                let spec = json!({"storageClassName": "c", "volumeName": if bound { name } else { "" }});
                let claim = json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec});
                storage.claims.apply(Event::Apply(Stored(serde_json::from_value(claim).unwrap())));
                let source = if name == "n" { json!({"hostPath": {"path": "/"}}) } else { json!({"csi": {"driver": "d", "volumeHandle": name}}) };
                let volume = json!({"metadata": {"name": name}, "spec": source});
                let volume = bound.then(|| Stored(serde_json::from_value(volume).unwrap()));
                volume.map(|volume| storage.volumes.apply(Event::Apply(volume)));
            }
            let driver = most.map(|most: u8| json!([{"name": "d", "nodeID": "n", "allocatable": {"count": most}}]));
            let limits: LimitsView = serde_json::from_value(json!({"metadata": {"name": "n"}, "spec": {"drivers": driver}})).unwrap();
            storage.limits.apply(Event::Apply(limits.into()));
            assert_eq!(refusal(PLUGIN, &claiming("p", wants), &cluster), wanted, "{most:?} {there:?} {wants:?}");
        }
    }

    #[test]
    fn changes_that_help() {
        let claiming = |name: &str| {
            let mut pod = pod(name);
            pod.wants.claims = vec![PodClaim { name: "x".to_owned(), ephemeral: false }];
            pod
        };
        let (waiting, user, idler) = (claiming("p"), claiming("user"), pod("idler"));
        let mut cluster = cluster(node("n"), []);
        let class = json!({"metadata": {"name": "c"}, "provisioner": "d", "volumeBindingMode": "WaitForFirstConsumer"});
        cluster.storage.classes.apply(Event::Apply(Stored(serde_json::from_value(class).unwrap())));
        let claim = json!({"metadata": {"name": "x", "namespace": "default"}, "spec": {"storageClassName": "c"}});
        cluster.storage.claims.apply(Event::Apply(Stored(serde_json::from_value(claim).unwrap())));
        let key = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
        let (own, other, elsewhere) = (key("default", "x"), key("default", "y"), key("elsewhere", "x"));
        let (here, unknown) = (key("", "n"), key("", "gone"));
        for (most, room) in [(0, false), (1, true)] {
            cluster.storage.limits.apply(Event::Apply(LimitsInfo { node: "n".to_owned(), most: [("d".to_owned(), most)].into() }));
            let at = cluster.nodes.node(0);
            for (change, want) in [
                (Change::Node(at), room),
                (Change::Other(Kind::CSINode, Some(&here)), room),
                (Change::Other(Kind::CSINode, Some(&unknown)), false),
                (Change::Other(Kind::PersistentVolumeClaim, Some(&own)), true),
                (Change::Other(Kind::PersistentVolumeClaim, Some(&other)), false),
                (Change::Other(Kind::PersistentVolumeClaim, Some(&elsewhere)), false),
                (Change::PodGone(at, &user), true),
                (Change::PodGone(at, &idler), false),
            ] {
                assert!(PLUGIN.minds(change), "{change}");
                assert_eq!(PLUGIN.helped_by(Case::new(&waiting, &cluster), change), want, "{most} {change}");
            }
        }
    }
}
