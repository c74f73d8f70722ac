//! VolumeZone: a volume whose labels name its zone or region is only for nodes there.

use std::collections::BTreeMap;

use mini_api::volume;

use crate::{
    cluster::Kind,
    framework::{Case, Change, Filter, Plugin, Refusal},
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &VolumeZone;

/// The labels, and what they were called before.
const TOPOLOGY: [(&str, &str); 2] = [
    ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"),
    ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"),
];

struct VolumeZone;

fn label<'l>(labels: &'l BTreeMap<String, String>, (now, before): (&str, &str)) -> Option<&'l str> {
    labels.get(now).or_else(|| labels.get(before)).map(String::as_str)
}

impl Plugin for VolumeZone {
    fn name(&self) -> &'static str {
        "VolumeZone"
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        let storage = &case.cluster.storage;
        let claims = case.pod.wants.claims.iter().filter_map(|claim| storage.claims.get(&case.pod.namespace, &claim.name));
        let volumes = claims.filter_map(|claim| storage.volumes.get("", volume::volume_name(&claim.0)));
        let labels = volumes.filter_map(|volume| volume.0.metadata.labels.as_ref());
        let wanted: Vec<_> = labels.flat_map(|labels| TOPOLOGY.iter().filter_map(|topology| Some((*topology, label(labels, *topology)?)))).collect();
        if wanted.is_empty() {
            return Filter::Nothing;
        }
        Filter::each(move |node: NodeRef<'_>| {
            let labels = &node.info().labels;
            let knows_where_it_is = TOPOLOGY.iter().any(|topology| label(labels, *topology).is_some());
            // A volume may be in several zones, whose names are then joined.
            let is_there = |(topology, zones): &((&str, &str), &str)| label(labels, *topology).is_some_and(|zone| zones.split("__").any(|one| one == zone));
            if !knows_where_it_is || wanted.iter().all(is_there) {
                return Ok(());
            }
            Err(Refusal::unresolvable("node(s) had no available volume zone"))
        })
    }

    fn minds(&self, change: Change<'_>) -> bool {
        matches!(change, Change::Node(_) | Change::Other(Kind::PersistentVolumeClaim | Kind::PersistentVolume, _))
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;
    use crate::{
        framework::testing::{cluster, node, pod, refusal},
        storage::{PodClaim, Stored},
    };

    #[test]
    fn a_volume_stays_in_its_zone() {
        let (zone, old) = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone");
        let (region, old_region) = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region");
        let refused = "node(s) had no available volume zone";
        for (of_volume, of_node, wanted) in [
            ((zone, "a"), (zone, "a"), ""),
            ((zone, "a"), (zone, "b"), refused),
            ((zone, "a__b"), (zone, "b"), ""),
            ((old, "a"), (zone, "b"), refused),
            ((zone, "a"), ("disk", "ssd"), ""),
            ((zone, "a"), (region, "r"), refused),
            ((region, "r"), (region, "r"), ""),
            ((region, "r"), (region, "s"), refused),
            ((region, "r"), (zone, "r"), refused),
            ((old_region, "r"), (region, "r"), ""),
            ((old_region, "r"), (region, "s"), refused),
        ] {
            let mut one = node("n");
            one.labels = [(of_node.0.to_owned(), of_node.1.to_owned())].into();
            let mut cluster = cluster(one, []);
            let claim = json!({"metadata": {"name": "x", "namespace": "default"}, "spec": {"volumeName": "v"}});
            cluster.storage.claims.apply(Event::Apply(Stored(serde_json::from_value(claim).unwrap())));
            let volume = json!({"metadata": {"name": "v", "labels": {of_volume.0: of_volume.1}}});
            cluster.storage.volumes.apply(Event::Apply(Stored(serde_json::from_value(volume).unwrap())));
            let mut pod = pod("p");
            pod.wants.claims = vec![PodClaim { name: "x".to_owned(), ephemeral: false }];
            assert_eq!(refusal(PLUGIN, &pod, &cluster), wanted, "{of_volume:?} {of_node:?}");
        }
    }

    #[test]
    fn changes_that_help() {
        let mut cluster = cluster(node("n"), []);
        let claim = json!({"metadata": {"name": "x", "namespace": "default"}, "spec": {"volumeName": "v"}});
        cluster.storage.claims.apply(Event::Apply(Stored(serde_json::from_value(claim).unwrap())));
        let volume = json!({"metadata": {"name": "v", "labels": {"topology.kubernetes.io/zone": "a"}}});
        cluster.storage.volumes.apply(Event::Apply(Stored(serde_json::from_value(volume).unwrap())));
        let mut pod = pod("p");
        pod.wants.claims = vec![PodClaim { name: "x".to_owned(), ephemeral: false }];
        for (namespace, name, want) in [("default", "x", true), ("default", "y", false), ("elsewhere", "x", false)] {
            let key = (namespace.to_owned(), name.to_owned());
            let change = Change::Other(Kind::PersistentVolumeClaim, Some(&key));
            assert!(PLUGIN.minds(change), "{change}");
            assert_eq!(PLUGIN.helped_by(Case::new(&pod, &cluster), change), want, "{change}");
        }
        for (zone, want) in [("a", true), ("b", false)] {
            let mut one = node("n");
            one.labels = [("topology.kubernetes.io/zone".to_owned(), zone.to_owned())].into();
            cluster.nodes.apply_node(one);
            assert_eq!(PLUGIN.helped_by(Case::new(&pod, &cluster), Change::Node(cluster.nodes.node(0))), want, "{zone}");
        }
    }
}
