//! Nobody is left over: each object has the owners it names, or somebody wanted it, and none is kept from its end.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Wanted, claims,
    dump::{Dump, Id, items, text},
};

/// What may keep an object of a kind from its end while it lives.
fn finalizers(kind: &str) -> &'static [&'static str] {
    match kind {
        "persistentvolumeclaims" => &["kubernetes.io/pvc-protection"],
        "persistentvolumes" => &["kubernetes.io/pv-protection"],
        "services" => &["service.kubernetes.io/load-balancer-cleanup"],
        _ => &[],
    }
}

/// Whether an object that nobody controls is to be there.
fn is_wanted(kind: &str, object: &Value, wanted: &Wanted) -> bool {
    let id = Id::of(object);
    match kind {
        "deployments" | "replicasets" | "statefulsets" | "daemonsets" | "replicationcontrollers" => {
            wanted.workloads.get(&id).is_some_and(|workload| workload.kind == kind)
        }
        "jobs" => wanted.jobs.contains_key(&id),
        "cronjobs" => wanted.schedules.contains_key(&id),
        "services" => wanted.services.contains_key(&id) || id == Id::new("default", "kubernetes"),
        "poddisruptionbudgets" => wanted.budgets.contains_key(&id),
        "persistentvolumeclaims" => claims::may_be(&id, wanted),
        "pods" => text(&object["metadata"]["labels"]["app"]).starts_with("loose-"),
        "configmaps" => id.name == "kube-root-ca.crt",
        "serviceaccounts" => id.name == "default",
        "resourcequotas" => id.name == "all",
        "controllerrevisions" | "horizontalpodautoscalers" | "secrets" => false,
        "endpointslices" => id == Id::new("default", "kubernetes"),
        _ => true,
    }
}

pub(super) fn wrong(dump: &Dump, wanted: &Wanted) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut known = BTreeMap::new();
    for (kind, object) in dump.0.iter().flat_map(|(kind, objects)| objects.iter().map(move |object| (kind, object))) {
        let uid = text(&object["metadata"]["uid"]);
        if kind != "componentstatuses" && known.insert(uid, object).is_some() {
            wrong.push(format!("{kind} {} has the UID of another", Id::of(object)));
        }
    }
    for (kind, object) in dump.0.iter().flat_map(|(kind, objects)| objects.iter().map(move |object| (kind.as_str(), object))) {
        let (id, meta) = (Id::of(object), &object["metadata"]);
        if !meta["deletionTimestamp"].is_null() {
            wrong.push(format!("{kind} {id} is still being deleted, finalizers {}", meta["finalizers"]));
        }
        if !id.namespace.is_empty() && dump.find("namespaces", &Id::new("", &id.namespace)).is_none() {
            wrong.push(format!("{kind} {id} is in no namespace"));
        }
        let held = items(&meta["finalizers"]).iter().filter(|held| !finalizers(kind).contains(&text(held)));
        wrong.extend(held.map(|held| format!("{kind} {id} has the finalizer {held}")));
        let owners = items(&meta["ownerReferences"]);
        for owner in owners {
            match known.get(text(&owner["uid"])) {
                None => wrong.push(format!("{kind} {id} is an orphan of {} {}", owner["kind"], owner["name"])),
                Some(found) if found["metadata"]["name"] != owner["name"] => {
                    wrong.push(format!("{kind} {id} calls its owner {}, who is {}", owner["name"], Id::of(found)));
                }
                Some(found) if !["", &id.namespace].contains(&text(&found["metadata"]["namespace"])) => {
                    wrong.push(format!("{kind} {id} has an owner elsewhere, {}", Id::of(found)));
                }
                Some(_) => {}
            }
        }
        match owners.iter().filter(|owner| owner["controller"] == true).count() {
            0 if !is_wanted(kind, object, wanted) => wrong.push(format!("nobody wanted {kind} {id}, labels {}", meta["labels"])),
            0 | 1 => {}
            many => wrong.push(format!("{kind} {id} has {many} controllers")),
        }
    }
    wrong
}
