//! Claims and volumes: none is lost, none is left over, and what becomes of a volume is what its policy says.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, rngs::SmallRng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{
    Churn, Wanted,
    dump::{Dump, Id, folder, items, path, text},
};

/// What becomes of the claims of a StatefulSet: whether they go with a pod that is scaled away, and with the set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    pub(super) scaled: bool,
    pub(super) deleted: bool,
}

impl Retention {
    pub(super) fn any(dice: &mut SmallRng) -> Self {
        Self { scaled: dice.random_bool(0.3), deleted: dice.random_bool(0.3) }
    }
}

/// What is wanted of claims and volumes.
#[derive(Default)]
pub(super) struct Claims {
    /// The sets that ever had claims, and their policies.
    sets: BTreeMap<Id, Retention>,
    /// Sets that were deleted and made anew while their pods and claims stayed. A claim finds its new owner only together with its
    /// pod, here as upstream; so it may outlive a set that goes again before that.
    orphaned: BTreeSet<Id>,
    /// Claims that nobody may delete, with their UIDs.
    kept: BTreeMap<Id, String>,
    /// Volumes that are to be released and kept.
    released: BTreeSet<String>,
}

impl Claims {
    /// A set with claims begins.
    pub(super) fn begin(&mut self, set: &Id, retention: Retention) {
        self.sets.insert(set.clone(), retention);
    }

    /// A set leaves its claims alone, for another one of the same name.
    pub(super) fn orphan(&mut self, set: &Id) {
        self.orphaned.insert(set.clone());
    }

    pub(super) fn forget(&mut self, namespace: &str) {
        self.sets.retain(|id, _| id.namespace != namespace);
        self.kept.retain(|id, _| id.namespace != namespace);
    }
}

/// Two classes, one of which deletes what is released.
pub(super) fn classes() -> [Value; 2] {
    ["Delete", "Retain"].map(|policy| {
        json!({
            "metadata": { "name": policy.to_lowercase() }, "provisioner": "mini.dev/hostpath",
            "reclaimPolicy": policy, "volumeBindingMode": if policy == "Delete" { "WaitForFirstConsumer" } else { "Immediate" },
        })
    })
}

/// Gives the pods of a StatefulSet a claim each.
pub(super) fn mount(spec: &mut Value, retention: Retention, deleting: bool) {
    let policy = |deletes: bool| if deletes { "Delete" } else { "Retain" };
    let class = if deleting { "delete" } else { "retain" };
    spec["persistentVolumeClaimRetentionPolicy"] =
        json!({ "whenScaled": policy(retention.scaled), "whenDeleted": policy(retention.deleted) });
    let wish = json!({ "accessModes": ["ReadWriteOnce"], "storageClassName": class, "resources": { "requests": { "storage": "1Gi" } } });
    spec["volumeClaimTemplates"] = json!([{ "metadata": { "name": "data" }, "spec": wish }]);
    spec["template"]["spec"]["containers"][0]["volumeMounts"] = json!([{ "name": "data", "mountPath": "/data" }]);
}

/// The set whose claim it would be, by its name.
fn set_of(claim: &Id) -> Option<(Id, u64)> {
    let (set, ordinal) = claim.name.strip_prefix("data-")?.rsplit_once('-')?;
    Some((Id::new(&claim.namespace, set), ordinal.parse().ok()?))
}

/// Whether a claim that nobody controls may be there.
pub(super) fn may_be(claim: &Id, wanted: &Wanted) -> bool {
    let Some((set, ordinal)) = set_of(claim) else { return false };
    let Some(retention) = wanted.claims.sets.get(&set) else { return false };
    match wanted.workloads.get(&set) {
        Some(workload) => ordinal < workload.replicas || !retention.scaled,
        None => !retention.deleted || wanted.claims.orphaned.contains(&set),
    }
}

impl Churn {
    /// Remembers the claims of a set that is about to give up pods: they must not be lost, where the policy says so.
    pub(super) async fn keep_claims(&mut self, set: &Id) {
        let policy = self.wanted.claims.sets[set];
        if policy.scaled || policy.deleted {
            return;
        }
        let list = self.http.get(&folder("persistentvolumeclaims", &set.namespace)).await.json();
        let of_set = items(&list["items"]).iter().filter(|claim| set_of(&Id::of(claim)).is_some_and(|(of, _)| of == *set));
        let kept = of_set.map(|claim| (Id::of(claim), text(&claim["metadata"]["uid"]).to_owned()));
        self.wanted.claims.kept.extend(kept);
    }

    /// Deletes a claim that was kept and that no pod uses any more.
    pub(super) async fn delete_claim(&mut self) {
        let unused = |id: &&Id| set_of(id).is_some_and(|(set, _)| !self.wanted.workloads.contains_key(&set));
        let unused: Vec<_> = self.wanted.claims.kept.keys().filter(unused).cloned().collect();
        let Some(id) = unused.choose(&mut self.dice) else { return };
        let there = self.http.get(&path("persistentvolumeclaims", id)).await.json();
        self.gone(&path("persistentvolumeclaims", id)).await;
        self.wanted.claims.kept.remove(id);
        let volume = text(&there["spec"]["volumeName"]);
        if there["spec"]["storageClassName"] == "retain" && there["status"]["phase"] == "Bound" {
            self.wanted.claims.released.insert(volume.to_owned());
        }
        self.log(format!("delete claim {id} of volume {volume}"));
    }
}

pub(super) fn wrong(dump: &Dump, wanted: &Wanted) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, uid) in &wanted.claims.kept {
        if dump.find("persistentvolumeclaims", id).is_none_or(|claim| claim["metadata"]["uid"] != uid.as_str()) {
            wrong.push(format!("claim {id} was lost"));
        }
    }
    for (set, workload) in wanted.workloads.iter().filter(|(_, workload)| workload.claims.is_some()) {
        for ordinal in 0..workload.replicas {
            let id = Id::new(&set.namespace, &format!("data-{}-{ordinal}", set.name));
            match dump.find("persistentvolumeclaims", &id) {
                Some(claim) if claim["status"]["phase"] == "Bound" => {}
                other => wrong.push(format!("claim {id} is not bound: {:?}", other.map(|claim| &claim["status"]))),
            }
        }
    }
    wrong.extend(dump.all("persistentvolumes").iter().filter_map(|volume| volume_amiss(dump, volume)));
    for name in &wanted.claims.released {
        let volume = dump.find("persistentvolumes", &Id::new("", name));
        if volume.is_none_or(|volume| volume["status"]["phase"] != "Released") {
            wrong.push(format!("volume {name} was to be released and kept"));
        }
    }
    for claim in dump.all("persistentvolumeclaims").iter().filter(|claim| claim["status"]["phase"] == "Bound") {
        let volume = dump.find("persistentvolumes", &Id::new("", text(&claim["spec"]["volumeName"])));
        if volume.is_none_or(|volume| volume["spec"]["claimRef"]["uid"] != claim["metadata"]["uid"]) {
            wrong.push(format!("claim {} is bound to no volume of its own", Id::of(claim)));
        }
    }
    wrong
}

fn volume_amiss(dump: &Dump, volume: &Value) -> Option<String> {
    let (name, of) = (text(&volume["metadata"]["name"]), &volume["spec"]["claimRef"]);
    let claim = dump.find("persistentvolumeclaims", &Id::new(text(&of["namespace"]), text(&of["name"])));
    let claim = claim.filter(|claim| claim["metadata"]["uid"] == of["uid"]);
    let phase = text(&volume["status"]["phase"]);
    let wanted = match (claim, text(&volume["spec"]["persistentVolumeReclaimPolicy"])) {
        (Some(claim), _) if claim["spec"]["volumeName"] == name => "Bound",
        (Some(_), _) => return Some(format!("volume {name} was made for a claim that has another")),
        (None, "Retain") => "Released",
        (None, _) => return Some(format!("volume {name} outlives its claim, {phase}")),
    };
    (phase != wanted).then(|| format!("volume {name} is {phase}, not {wanted}"))
}
