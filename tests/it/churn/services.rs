//! Services: their Endpoints and EndpointSlices hold exactly the ready pods, and no address is given twice.

use std::collections::BTreeSet;

use rand::{Rng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{
    Churn, Wanted,
    dump::{Dump, Id, folder, is_ready, items, number, path, text},
};

/// How many there may be at once.
const MOST: usize = 8;
const TYPES: [&str; 3] = ["ClusterIP", "NodePort", "LoadBalancer"];

/// What is wanted of a Service.
#[derive(Clone, Debug)]
pub(super) struct Service {
    /// The workload whose pods it leads to.
    app: String,
    pub(super) kind: &'static str,
    port: u64,
}

impl Churn {
    pub(super) async fn create_service(&mut self) {
        if self.wanted.services.len() >= MOST {
            return;
        }
        let apps: Vec<_> = self.wanted.workloads.keys().cloned().collect();
        let Some(app) = apps.choose(&mut self.dice) else { return };
        let id = Id::new(&app.namespace, &self.new_name("s"));
        let kind = *TYPES.choose(&mut self.dice).expect("there are types");
        let ports = json!([{ "port": 80, "targetPort": 8080 }]);
        let mut spec = json!({ "selector": { "app": app.name }, "type": kind, "ports": ports });
        if kind == "ClusterIP" && self.dice.random_bool(0.3) {
            spec["clusterIP"] = json!("None");
        }
        self.made(&folder("services", &id.namespace), &json!({ "metadata": { "name": id.name }, "spec": spec })).await;
        self.log(format!("create service {id} of {app}: {kind}"));
        self.wanted.services.insert(id, Service { app: app.name.clone(), kind, port: 8080 });
    }

    fn pick_service(&mut self) -> Option<Id> {
        let ids: Vec<_> = self.wanted.services.keys().cloned().collect();
        ids.choose(&mut self.dice).cloned()
    }

    /// Leads somewhere else, to another port, or is reached in another way.
    pub(super) async fn change_service(&mut self) {
        let Some(id) = self.pick_service() else { return };
        let mut service = self.wanted.services[&id].clone();
        let here: Vec<_> = self.wanted.workloads.keys().filter(|app| app.namespace == id.namespace).cloned().collect();
        let patch = match (self.dice.random_range(0..3), here.choose(&mut self.dice)) {
            (0, Some(app)) => {
                service.app.clone_from(&app.name);
                json!({ "spec": { "selector": { "app": app.name } } })
            }
            // What has no address of its own stays as it is.
            (1, _) if service.kind != "ClusterIP" => {
                service.kind = TYPES.choose(&mut self.dice).expect("there are types");
                json!({ "spec": { "type": service.kind } })
            }
            _ => {
                service.port = self.dice.random_range(8080..8090);
                json!({ "spec": { "ports": [{ "port": 80, "targetPort": service.port }] } })
            }
        };
        self.changed(&path("services", &id), "strategic-merge", &patch).await;
        self.log(format!("service {id}: {patch}"));
        self.wanted.services.insert(id, service);
    }

    pub(super) async fn delete_service(&mut self) {
        let Some(id) = self.pick_service() else { return };
        self.gone(&path("services", &id)).await;
        self.wanted.services.remove(&id);
        self.log(format!("delete service {id}"));
    }
}

pub(super) fn wrong(dump: &Dump, wanted: &Wanted) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut taken = BTreeSet::new();
    for service in dump.all("services") {
        let outside = items(&service["status"]["loadBalancer"]["ingress"]).iter().map(|one| text(&one["ip"]).to_owned());
        let ports = items(&service["spec"]["ports"]).iter().map(|port| number(&port["nodePort"])).filter(|port| *port > 0);
        let own = Some(text(&service["spec"]["clusterIP"]).to_owned()).filter(|ip| ip != "None" && !ip.is_empty());
        let given = outside.chain(own).chain(ports.map(|port| port.to_string()));
        wrong.extend(given.filter(|given| !taken.insert(given.clone())).map(|given| format!("two Services have {given}")));
    }
    for (id, service) in &wanted.services {
        let Some(object) = dump.find("services", id) else {
            wrong.push(format!("service {id} is not there"));
            continue;
        };
        let outside = items(&object["status"]["loadBalancer"]["ingress"]).len();
        if object["spec"]["type"] != service.kind || outside != usize::from(service.kind == "LoadBalancer") {
            wrong.push(format!("service {id}: {}, {}; wanted {service:?}", object["spec"], object["status"]));
        }
        wrong.extend(ends_amiss(dump, id, service, object));
    }
    for endpoints in dump.all("endpoints") {
        let id = Id::of(endpoints);
        if dump.find("services", &id).is_none() {
            wrong.push(format!("endpoints {id} outlive their service"));
        }
    }
    wrong
}

/// What is wrong with the two ways in which it is said where the pods of a Service are.
fn ends_amiss(dump: &Dump, id: &Id, service: &Service, object: &Value) -> Vec<String> {
    let pods = dump.pods(&Id::new(&id.namespace, &service.app));
    let address = |pod: &&Value| (text(&pod["status"]["podIP"]).to_owned(), text(&pod["metadata"]["name"]).to_owned());
    let want: BTreeSet<_> = pods.iter().filter(|pod| is_ready(pod)).map(address).collect();
    let mut amiss = Vec::new();

    let slices = dump.owned("endpointslices", object);
    let ends: Vec<_> = slices.iter().flat_map(|slice| items(&slice["endpoints"])).collect();
    let ready = ends.iter().filter(|end| end["conditions"]["ready"] == true);
    let have: BTreeSet<_> = ready.map(|end| (text(&end["addresses"][0]).to_owned(), text(&end["targetRef"]["name"]).to_owned())).collect();
    if have != want || ends.len() != want.len() {
        amiss.push(format!("service {id}: slices say {ends:?}, ready are {want:?}"));
    }
    let ports = slices.iter().filter(|slice| !items(&slice["endpoints"]).is_empty()).map(|slice| &slice["ports"][0]["port"]);
    amiss.extend(ports.filter(|port| number(port) != service.port).map(|port| format!("service {id}: a slice has port {port}")));

    let Some(endpoints) = dump.find("endpoints", id) else {
        amiss.push(format!("service {id} has no endpoints"));
        return amiss;
    };
    let subsets = items(&endpoints["subsets"]);
    let ready = subsets.iter().flat_map(|subset| items(&subset["addresses"]));
    let have: BTreeSet<_> = ready.map(|end| (text(&end["ip"]).to_owned(), text(&end["targetRef"]["name"]).to_owned())).collect();
    let unready = subsets.iter().flat_map(|subset| items(&subset["notReadyAddresses"])).count();
    let ports = subsets.iter().all(|subset| number(&subset["ports"][0]["port"]) == service.port);
    if have != want || unready > 0 || !ports {
        amiss.push(format!("service {id}: endpoints say {}, ready are {want:?}, port {}", endpoints["subsets"], service.port));
    }
    amiss
}
