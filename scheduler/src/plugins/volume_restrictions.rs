//! VolumeRestrictions: what only one pod may use has only one pod that uses it, and a disk has one pod of a node that writes to it.

use crate::{
    cluster::Kind,
    framework::{Case, Change, Filter, Plugin, Refusal},
    pod::PodInfo,
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &VolumeRestrictions;

const NO_DISK: &str = "node(s) had no available disk";
const CONFLICT: &str = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode";

struct VolumeRestrictions;

/// Whether two pods name disks that they cannot both have on one node.
fn compete(pod: &PodInfo, other: &PodInfo) -> bool {
    other.wants.disks.iter().any(|disk| pod.wants.disks.iter().any(|mine| mine.conflicts(disk)))
}

impl Plugin for VolumeRestrictions {
    fn name(&self) -> &'static str {
        "VolumeRestrictions"
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        let (pod, cluster) = (case.pod, case.cluster);
        let for_one = |name: &str| {
            let claim = cluster.storage.claims.get(&pod.namespace, name);
            let modes = claim.and_then(|claim| claim.0.spec.as_ref()?.access_modes.as_ref());
            modes.is_some_and(|modes| modes.iter().any(|mode| mode == "ReadWriteOncePod"))
        };
        let mine: Vec<&str> = pod.wants.claims.iter().map(|claim| claim.name.as_str()).filter(|name| for_one(name)).collect();
        let others = || (0..cluster.nodes.len()).flat_map(|row| cluster.nodes.node(row).pods());
        let is_used = !mine.is_empty() && others().any(|other| mine.iter().any(|claim| other.uses(&pod.namespace, claim)));
        if !is_used && pod.wants.disks.is_empty() {
            return Filter::Nothing;
        }
        Filter::each(move |node: NodeRef<'_>| {
            if !pod.wants.disks.is_empty() && node.pods().iter().any(|other| compete(pod, other)) {
                return Err(Refusal::resolvable(NO_DISK));
            }
            if is_used { Err(Refusal::resolvable(CONFLICT)) } else { Ok(()) }
        })
    }

    fn minds(&self, change: Change<'_>) -> bool {
        matches!(change, Change::Node(_) | Change::PodGone(..) | Change::Other(Kind::PersistentVolumeClaim, _))
    }

    fn helped_by(&self, case: Case<'_>, change: Change<'_>) -> bool {
        match change {
            Change::PodGone(_, gone) => {
                compete(case.pod, gone) || case.pod.wants.claims.iter().any(|claim| gone.uses(&case.pod.namespace, &claim.name))
            }
            Change::Node(node) => self.filter(case).look(node).is_ok(),
            Change::Other(_, Some(claim)) => case.pod.uses_claim(claim),
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
        storage::{Disk, PodClaim, Stored},
    };

    #[test]
    fn one_pod_alone() {
        let claiming = |name: &str| {
            let mut pod = pod(name);
            pod.wants.claims = vec![PodClaim { name: "x".to_owned(), ephemeral: false }];
            pod
        };
        for (mode, other, wanted) in [
            ("ReadWriteOncePod", claiming("other"), CONFLICT),
            ("ReadWriteOncePod", pod("other"), ""),
            ("ReadWriteOnce", claiming("other"), ""),
            ("ReadWriteOncePod", PodInfo { namespace: "elsewhere".to_owned(), ..claiming("other") }, ""),
        ] {
            let mut cluster = cluster(node("n"), [other]);
            let claim = json!({"metadata": {"name": "x", "namespace": "default"}, "spec": {"accessModes": [mode]}});
            cluster.storage.claims.apply(Event::Apply(Stored(serde_json::from_value(claim).unwrap())));
            assert_eq!(refusal(PLUGIN, &claiming("p"), &cluster), wanted, "{mode}");
        }
    }

    #[test]
    fn a_disk_has_one_writer_on_a_node() {
        let disk = |name: &str, read_only: bool| {
            let mut pod = pod(name);
            pod.wants.disks = [Disk::PersistentDisk { name: "d".to_owned(), read_only }].into();
            pod
        };
        for (mine, other, wanted) in [(false, false, NO_DISK), (false, true, NO_DISK), (true, true, "")] {
            let cluster = cluster(node("n"), [disk("other", other)]);
            assert_eq!(refusal(PLUGIN, &disk("p", mine), &cluster), wanted, "{mine} {other}");
        }
        let (free, busy) = (cluster(node("n"), [pod("other")]), cluster(node("n"), [disk("other", false)]));
        assert_eq!(refusal(PLUGIN, &disk("p", false), &free), "");
        let (waiting, gone) = (disk("p", false), disk("other", false));
        let helped = |gone: &PodInfo| PLUGIN.helped_by(Case::new(&waiting, &busy), Change::PodGone(busy.nodes.node(0), gone));
        assert!(helped(&gone) && !helped(&pod("another")));
    }

    #[test]
    fn changes_that_help() {
        let claiming = |name: &str, claim: &str| {
            let mut pod = pod(name);
            pod.wants.claims = vec![PodClaim { name: claim.to_owned(), ephemeral: false }];
            pod
        };
        let disk = |name: &str| {
            let mut pod = pod(name);
            pod.wants.disks = [Disk::BlockStore { volume: "d".to_owned() }].into();
            pod
        };
        let (waiting, user, other_user) = (claiming("p", "x"), claiming("a", "x"), claiming("b", "y"));
        let stranger = PodInfo { namespace: "elsewhere".to_owned(), ..claiming("c", "x") };
        let (free, busy) = (cluster(node("n"), []), cluster(node("n"), [disk("a")]));
        let at = free.nodes.node(0);
        let key = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
        let (own, other, elsewhere) = (key("default", "x"), key("default", "y"), key("elsewhere", "x"));
        for (change, want) in [
            (Change::PodGone(at, &user), true),
            (Change::PodGone(at, &other_user), false),
            (Change::PodGone(at, &stranger), false),
            (Change::Other(Kind::PersistentVolumeClaim, Some(&own)), true),
            (Change::Other(Kind::PersistentVolumeClaim, Some(&other)), false),
            (Change::Other(Kind::PersistentVolumeClaim, Some(&elsewhere)), false),
            (Change::Other(Kind::PersistentVolumeClaim, None), true),
        ] {
            assert!(PLUGIN.minds(change), "{change}");
            assert_eq!(PLUGIN.helped_by(Case::new(&waiting, &free), change), want, "{change}");
        }
        for (cluster, want) in [(&free, true), (&busy, false)] {
            let change = Change::Node(cluster.nodes.node(0));
            assert_eq!(PLUGIN.helped_by(Case::new(&disk("p"), cluster), change), want);
        }
    }
}
