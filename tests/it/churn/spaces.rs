//! Namespaces, which come and go with all that is in them, and what their quotas say is used.

use std::collections::{BTreeMap, BTreeSet};

use mini_api::quantity::Quantity;
use rand::{Rng, seq::IteratorRandom};
use serde_json::{Value, json};

use super::{
    Churn, Wanted,
    dump::{Dump, Id, folder, is_terminal, items, number, text},
};

/// How many there may be at once, besides the default one.
const MOST: usize = 3;
/// Those that are always there.
const SYSTEM: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];
/// What is counted, each with the plural of what it counts, or none.
const COUNTED: [(&str, &str); 10] = [
    ("count/pods", "pods"),
    ("count/deployments.apps", "deployments"),
    ("count/replicasets.apps", "replicasets"),
    ("count/statefulsets.apps", "statefulsets"),
    ("count/jobs.batch", "jobs"),
    ("services", "services"),
    ("persistentvolumeclaims", "persistentvolumeclaims"),
    ("configmaps", "configmaps"),
    ("replicationcontrollers", "replicationcontrollers"),
    ("resourcequotas", "resourcequotas"),
];
const MEASURED: [&str; 5] = ["pods", "requests.cpu", "requests.storage", "services.nodeports", "services.loadbalancers"];

impl Churn {
    /// Counts all there is in a namespace; it is enough for everybody.
    pub(super) async fn count(&mut self, namespace: &str) {
        let all = COUNTED.iter().map(|(name, _)| *name).chain(MEASURED);
        let hard: BTreeMap<_, _> = all.map(|name| (name, if name == "requests.storage" { "1Pi" } else { "100k" })).collect();
        self.made(&folder("resourcequotas", namespace), &json!({ "metadata": { "name": "all" }, "spec": { "hard": hard } })).await;
    }

    pub(super) async fn create_space(&mut self) {
        if self.wanted.spaces.len() >= MOST {
            return;
        }
        let name = self.new_name("space");
        self.made("/api/v1/namespaces", &json!({ "metadata": { "name": name } })).await;
        self.log(format!("create namespace {name}"));
        if self.dice.random_bool(0.7) {
            self.count(&name).await;
        }
        self.wanted.spaces.insert(name);
    }

    pub(super) async fn delete_space(&mut self) {
        let Some(name) = self.wanted.spaces.iter().choose(&mut self.dice).cloned() else { return };
        self.gone(&format!("/api/v1/namespaces/{name}")).await;
        self.log(format!("delete namespace {name}"));
        self.wanted.forget(&name);
    }
}

pub(super) fn wrong(dump: &Dump, wanted: &Wanted) -> Vec<String> {
    let there: BTreeSet<_> = dump.all("namespaces").iter().map(|space| text(&space["metadata"]["name"])).collect();
    let want: BTreeSet<_> = wanted.spaces.iter().map(String::as_str).chain(SYSTEM).collect();
    let mut wrong = Vec::new();
    if there != want {
        wrong.push(format!("the namespaces are {there:?}, wanted are {want:?}"));
    }
    for space in there.iter().filter(|space| dump.find("serviceaccounts", &Id::new(space, "default")).is_none()) {
        wrong.push(format!("namespace {space} has no service account"));
    }
    for space in there.iter().filter(|space| dump.find("configmaps", &Id::new(space, "kube-root-ca.crt")).is_none()) {
        wrong.push(format!("namespace {space} has no root CA"));
    }
    for quota in dump.all("resourcequotas") {
        let (used, hard) = (&quota["status"]["used"], &quota["spec"]["hard"]);
        for name in hard.as_object().into_iter().flatten().map(|(name, _)| name) {
            let told = Quantity::parse(text(&used[name])).map(Quantity::as_f64).unwrap_or(-1.0);
            let real = usage(dump, text(&quota["metadata"]["namespace"]), name);
            if (told - real).abs() > 1e-6 {
                wrong.push(format!("quota {}: {name} is {}, really {real}", Id::of(quota), used[name]));
            }
        }
    }
    wrong
}

/// How much of what a quota counts is used in a namespace.
fn usage(dump: &Dump, namespace: &str, name: &str) -> f64 {
    let here = |kind: &str| {
        let all: Vec<&Value> = dump.all(kind).iter().filter(|object| object["metadata"]["namespace"] == namespace).collect();
        all
    };
    let sum = |objects: Vec<&Value>, amount: &str| {
        let of = |object: &&Value| Quantity::parse(text(object.pointer(amount).unwrap_or(&Value::Null))).map_or(0.0, Quantity::as_f64);
        objects.iter().map(of).sum()
    };
    let mut pods = here("pods");
    pods.retain(|pod| !is_terminal(pod));
    let of_kind = |kinds: &[&str]| {
        let mut services = here("services");
        services.retain(|service| kinds.contains(&text(&service["spec"]["type"])));
        services
    };
    match (name, COUNTED.iter().find(|(counted, _)| *counted == name)) {
        (_, Some((_, kind))) => here(kind).len() as f64,
        ("pods", _) => pods.len() as f64,
        ("requests.cpu", _) => sum(pods, "/spec/containers/0/resources/requests/cpu"),
        ("requests.storage", _) => sum(here("persistentvolumeclaims"), "/spec/resources/requests/storage"),
        ("services.loadbalancers", _) => of_kind(&["LoadBalancer"]).len() as f64,
        _ => {
            let ports = of_kind(&["NodePort", "LoadBalancer"]).into_iter().flat_map(|service| items(&service["spec"]["ports"]));
            ports.filter(|port| number(&port["nodePort"]) > 0).count() as f64
        }
    }
}
