//! What was applied before and is in the files no more: `apply` deletes it, and `diff` shows that it would.

use std::collections::BTreeSet;

use crate::{
    discover::{Catalog, Resource},
    error::{Result, usage},
    patch::LAST_APPLIED,
    selection::{Placed, Target},
    server::{Server, with_query},
    value::{list, name, text},
};

/// The kinds that are looked through if none are named: those that people make. Source: kubectl's `prune`.
const USUAL: &[&str] = &[
    "core/v1/ConfigMap",
    "core/v1/Endpoints",
    "core/v1/PersistentVolumeClaim",
    "core/v1/Pod",
    "core/v1/ReplicationController",
    "core/v1/Secret",
    "core/v1/Service",
    "batch/v1/Job",
    "batch/v1/CronJob",
    "networking.k8s.io/v1/Ingress",
    "apps/v1/DaemonSet",
    "apps/v1/Deployment",
    "apps/v1/ReplicaSet",
    "apps/v1/StatefulSet",
    "core/v1/Namespace",
    "core/v1/PersistentVolume",
];

/// The kinds to be looked through.
///
/// # Errors
/// When one that was named does not exist.
pub(crate) fn kinds(catalog: &Catalog, named: &[String]) -> Result<Vec<Resource>> {
    let find = |kind: &str| {
        let [group, version, kind] = kind.split('/').collect::<Vec<_>>()[..] else {
            return Err(usage(format!("invalid GroupVersionKind format: {kind}, please follow <group/version/kind>")));
        };
        let group_version = if matches!(group, "core" | "") { version.to_owned() } else { format!("{group}/{version}") };
        catalog
            .of_kind(&group_version, kind)
            .cloned()
            .ok_or_else(|| usage(format!("no matches for kind {kind:?} in version {group_version:?}")))
    };
    match named {
        [] => USUAL.iter().map(|kind| find(kind)).collect(),
        named => named.iter().map(|kind| find(kind)).collect(),
    }
}

/// Finds, among these kinds and in these namespaces, what was applied and is not kept.
///
/// # Errors
/// What the server says.
pub(crate) async fn doomed(
    server: &Server,
    kinds: &[Resource],
    namespaces: &BTreeSet<String>,
    selector: &str,
    kept: &BTreeSet<String>,
) -> Result<Vec<Placed>> {
    let (inside, outside): (Vec<&Resource>, Vec<&Resource>) = kinds.iter().partition(|kind| kind.namespaced);
    let places = namespaces.iter().flat_map(|namespace| inside.iter().map(move |kind| (*kind, namespace.as_str())));
    let mut doomed = Vec::new();
    for (kind, place) in places.chain(outside.iter().map(|kind| (*kind, ""))) {
        let answer = server.get(&with_query(&kind.path(Some(place)), &[("labelSelector", selector)])).await?;
        for object in list(&answer["items"]) {
            if object["metadata"]["annotations"][LAST_APPLIED].is_null() || kept.contains(text(&object["metadata"]["uid"])) {
                continue;
            }
            let mut object = object.clone();
            // In a list, nobody says what the objects are.
            object["apiVersion"] = kind.group_version().into();
            object["kind"] = kind.kind.clone().into();
            let target =
                Target { resource: kind.clone(), namespace: place.to_owned(), name: name(&object).to_owned(), source: String::new() };
            doomed.push(Placed { target, object });
        }
    }
    Ok(doomed)
}
