//! EndpointSlices: the addresses of a Service's pods, in slices of limited size.
//!
//! An endpoint stays in the slice it is in: moving it would be a change for everyone who follows either slice.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::{
        core::v1::{Node, Pod, Service},
        discovery::v1::{Endpoint, EndpointConditions, EndpointHints, EndpointPort, EndpointSlice, ForNode, ForZone},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::api::DeleteParams;
use mini_api::{owner, pod};

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    services::{self, HEADLESS, Port, TRIGGER_TIME},
    writes::{Result, Writes},
};

/// The label by which a slice says whose endpoints it holds.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label by which a slice says who writes it: everyone leaves alone what others write.
pub(crate) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const ZONE: &str = "topology.kubernetes.io/zone";
/// The index of slices by `namespace/service`, those of this controller only.
const BY_SERVICE: &str = "service";

/// Writes slices. Its keys are Services.
pub(crate) struct Reconciler {
    services: Arc<Cache<Service>>,
    pods: Arc<Cache<Pod>>,
    nodes: Arc<Cache<Node>>,
    slices: Arc<Cache<EndpointSlice>>,
    limit: usize,
}

impl Controller for Reconciler {
    const NAME: &'static str = "endpointslice-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let services = setup.watch(|change: &Change<Service>| [change.key()]);
        let all = services.clone();
        let pods = setup.watch(move |change: &Change<Pod>| services::concerned(change, &all));
        let nodes = setup.read::<Node>();
        let slices =
            setup.watch(|change: &Change<EndpointSlice>| change.sides().filter_map(|slice| service_of(slice, MANAGER)).collect::<Vec<_>>());
        slices.index(BY_SERVICE, |slice| service_of(slice, MANAGER).iter().map(Key::to_string).collect());
        let limit = setup.config().max_endpoints_per_slice.get();
        Self { services, pods, nodes, slices, limit }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        // The slices of a Service that is gone go with it: they are its dependents.
        let service = self.services.get(key).filter(|service| service.metadata.deletion_timestamp.is_none());
        let Some(service) = service.filter(|service| services::selector(service).is_some()) else { return Ok(Next::Changed) };
        let pods = services::pods(&service, &self.pods);
        let zone = |node: &str| self.nodes.get(&Key::cluster(node))?.metadata.labels.as_ref()?.get(ZONE).cloned();
        let existing = self.slices.indexed(BY_SERVICE, &key.to_string());
        let plan = plan(&service, &pods, zone, &existing, self.limit);
        plan.carry_out(writes).await
    }
}

/// The Service whose slice this is, if this manager made it.
pub(crate) fn service_of(slice: &EndpointSlice, manager: &str) -> Option<Key> {
    let labels = slice.metadata.labels.as_ref()?;
    let namespace = slice.metadata.namespace.as_deref()?;
    labels.get(MANAGED_BY).filter(|made_by| *made_by == manager)?;
    labels.get(SERVICE_NAME).map(|service| Key::new(namespace, service))
}

/// The writes that make the slices right.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) create: Vec<EndpointSlice>,
    pub(crate) update: Vec<(Arc<EndpointSlice>, EndpointSlice)>,
    pub(crate) delete: Vec<Arc<EndpointSlice>>,
}

impl Plan {
    /// Writes it, as far as anything can be created: a namespace that is being deleted takes its slices with it.
    pub(crate) async fn carry_out(&self, writes: &Writes) -> Result<Next> {
        for slice in &self.create {
            match writes.create(slice).await {
                Err(error) if error.is_namespace_terminating() => return Ok(Next::Changed),
                result => result?,
            };
        }
        for (old, new) in &self.update {
            writes.update(&**old, new).await?;
        }
        for slice in &self.delete {
            writes.delete(&**slice, DeleteParams::default()).await?;
        }
        Ok(Next::Changed)
    }
}

/// What makes two endpoints fit in one slice: all their ports.
pub(crate) type Ports = Vec<Port>;

/// Decides from the Service, its pods and the slices there are.
fn plan(
    service: &Service,
    pods: &[Arc<Pod>],
    zone: impl Fn(&str) -> Option<String>,
    existing: &[Arc<EndpointSlice>],
    limit: usize,
) -> Plan {
    let form = Form::of(service, pods);
    let families = service.spec.as_ref().and_then(|spec| spec.ip_families.clone()).filter(|families| !families.is_empty());
    let families = families.unwrap_or_else(|| vec!["IPv4".to_owned()]);
    let mut plan = Plan::default();
    for family in &families {
        let mut groups: BTreeMap<Ports, Vec<Endpoint>> = BTreeMap::new();
        for pod in pods {
            if let Some(address) = services::address(pod, family) {
                groups.entry(services::ports(service, pod)).or_default().push(endpoint(service, pod, address, &zone));
            }
        }
        let of_family = existing.iter().filter(|slice| slice.address_type == *family);
        let mut one = Plan::default();
        let (kept, surplus): (Vec<_>, Vec<_>) = of_family.cloned().partition(|slice| groups.contains_key(&ports_of(slice)));
        one.delete = surplus;
        for (ports, endpoints) in groups {
            let slices = kept.iter().filter(|slice| ports_of(slice) == ports).cloned().collect();
            form.pack(family, &ports, endpoints, slices, limit, &mut one);
        }
        if one.create.is_empty() && kept.len() == one.delete.iter().filter(|slice| kept.contains(slice)).count() {
            // A Service without endpoints has one empty slice: that there are none is known, not missing.
            one.create.push(form.slice(family, &Ports::new(), Vec::new()));
        }
        form.reuse(&mut one);
        plan.create.append(&mut one.create);
        plan.update.append(&mut one.update);
        plan.delete.append(&mut one.delete);
    }
    plan.delete.extend(existing.iter().filter(|slice| !families.contains(&slice.address_type)).cloned());
    plan
}

/// What all slices of a Service have in common.
struct Form {
    metadata: ObjectMeta,
    /// Written when something else is, and no reason to write.
    trigger: Option<String>,
}

impl Form {
    fn of(service: &Service, pods: &[Arc<Pod>]) -> Self {
        let name = service.metadata.name.clone().unwrap_or_default();
        let mut labels = service.metadata.labels.clone().unwrap_or_default();
        labels.insert(SERVICE_NAME.to_owned(), name.clone());
        labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
        if services::is_headless(service) {
            labels.insert(HEADLESS.to_owned(), String::new());
        }
        let metadata = ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels),
            owner_references: Some(vec![owner::controller_ref(service)]),
            ..ObjectMeta::default()
        };
        Self { metadata, trigger: services::trigger_time(service, pods).map(|time| time.to_string()) }
    }

    fn slice(&self, family: &str, ports: &Ports, endpoints: Vec<Endpoint>) -> EndpointSlice {
        let mut slice = EndpointSlice {
            metadata: self.metadata.clone(),
            address_type: family.to_owned(),
            endpoints: Some(endpoints),
            ports: Some(ports.iter().map(port).collect()),
        };
        self.stamp(&mut slice);
        slice
    }

    fn stamp(&self, slice: &mut EndpointSlice) {
        if let Some(trigger) = &self.trigger {
            slice.metadata.annotations.get_or_insert_default().insert(TRIGGER_TIME.to_owned(), trigger.clone());
        }
    }

    /// The slice with other endpoints and the labels it should have, if that is a change.
    fn changed(&self, old: &EndpointSlice, endpoints: Vec<Endpoint>) -> Option<EndpointSlice> {
        let mut new = old.clone();
        new.endpoints = Some(endpoints);
        new.metadata.labels.clone_from(&self.metadata.labels);
        new.metadata.owner_references.clone_from(&self.metadata.owner_references);
        let same = new.metadata == old.metadata && new.endpoints == Some(old.endpoints.clone().unwrap_or_default());
        (!same).then(|| {
            self.stamp(&mut new);
            new
        })
    }

    /// Puts the endpoints of one set of ports into its slices, and into new ones when these are full.
    fn pack(&self, family: &str, ports: &Ports, endpoints: Vec<Endpoint>, slices: Vec<Arc<EndpointSlice>>, limit: usize, plan: &mut Plan) {
        let mut missing: BTreeMap<_, _> = endpoints.into_iter().map(|endpoint| (identity(&endpoint), endpoint)).collect();
        let mut drafts: Vec<(Arc<EndpointSlice>, Vec<Endpoint>, bool)> = Vec::new();
        for slice in slices {
            let old = slice.endpoints.clone().unwrap_or_default();
            let kept: Vec<_> = old.iter().filter_map(|endpoint| missing.remove(&identity(endpoint))).collect();
            let changes = kept != old;
            drafts.push((slice, kept, changes));
        }
        let mut missing = missing.into_values();
        // Slices that change anyway are filled first.
        drafts.sort_by_key(|(_, _, changes)| !changes);
        for (_, endpoints, _) in &mut drafts {
            let room = limit.saturating_sub(endpoints.len());
            endpoints.extend(missing.by_ref().take(room));
        }
        for (slice, endpoints, _) in drafts {
            if endpoints.is_empty() {
                plan.delete.push(slice);
            } else if let Some(new) = self.changed(&slice, endpoints) {
                plan.update.push((slice, new));
            }
        }
        let missing: Vec<_> = missing.collect();
        plan.create.extend(missing.chunks(limit).map(|chunk| self.slice(family, ports, chunk.to_vec())));
    }

    /// Rather than deleting one slice and creating another, makes the one into the other.
    fn reuse(&self, plan: &mut Plan) {
        while !plan.create.is_empty()
            && let Some(old) = plan.delete.pop()
        {
            let made = plan.create.remove(0);
            let mut new = (*old).clone();
            new.ports = made.ports;
            let same_ports = ports_of(&new) == ports_of(&old);
            match self.changed(&new, made.endpoints.unwrap_or_default()) {
                Some(new) => plan.update.push((old, new)),
                None if same_ports => {}
                None => plan.update.push((old, new)),
            }
        }
    }
}

/// What tells whether two endpoints are the same one at different times.
fn identity(endpoint: &Endpoint) -> (Option<String>, Vec<String>) {
    (endpoint.target_ref.as_ref().and_then(|target| target.uid.clone()), endpoint.addresses.clone())
}

/// The ports of a slice, in order.
pub(crate) fn ports_of(slice: &EndpointSlice) -> Ports {
    let port = |port: &EndpointPort| Port {
        name: port.name.clone().unwrap_or_default(),
        number: port.port.unwrap_or(0),
        protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
        app_protocol: port.app_protocol.clone(),
    };
    let mut ports: Ports = slice.ports.iter().flatten().map(port).collect();
    ports.sort();
    ports
}

/// A port as slices say it.
pub(crate) fn port(port: &Port) -> EndpointPort {
    EndpointPort {
        name: Some(port.name.clone()),
        protocol: Some(port.protocol.clone()),
        port: Some(port.number),
        app_protocol: port.app_protocol.clone(),
    }
}

fn endpoint(service: &Service, pod: &Pod, address: &str, zone: impl Fn(&str) -> Option<String>) -> Endpoint {
    let (ready, terminating) = (pod::is_ready(pod), pod::is_terminating(pod));
    let node_name = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let conditions = EndpointConditions {
        ready: Some(services::publishes_not_ready(service) || ready && !terminating),
        serving: Some(ready),
        terminating: Some(terminating),
    };
    let zone = node_name.as_deref().and_then(zone);
    Endpoint {
        addresses: vec![address.to_owned()],
        hints: (conditions.ready == Some(true)).then(|| hints(service, zone.as_deref(), node_name.as_deref())).flatten(),
        conditions: Some(conditions),
        hostname: services::hostname(pod, service),
        zone,
        node_name,
        target_ref: Some(services::target(pod)),
        ..Endpoint::default()
    }
}

/// Who is to use an endpoint first: those in its zone, or on its node, where the Service prefers what is close.
fn hints(service: &Service, zone: Option<&str>, node: Option<&str>) -> Option<EndpointHints> {
    let preference = service.spec.as_ref()?.traffic_distribution.as_deref()?;
    let on_node = preference == "PreferSameNode";
    if !on_node && !matches!(preference, "PreferClose" | "PreferSameZone") {
        return None;
    }
    let for_zones = zone.map(|zone| vec![ForZone { name: zone.to_owned() }]);
    let for_nodes = node.filter(|_| on_node).map(|node| vec![ForNode { name: node.to_owned() }]);
    (for_zones.is_some() || for_nodes.is_some()).then_some(EndpointHints { for_zones, for_nodes })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::core::v1::ServicePort,
        apimachinery::pkg::{apis::meta::v1::Time, util::intstr::IntOrString},
    };

    use super::*;
    use crate::services::tests::{pod, port as service_port, service};

    fn pods(count: usize) -> Vec<Arc<Pod>> {
        (0..count).map(|n| Arc::new(pod(&format!("p{n:03}"), &format!("10.0.0.{n}"), true))).collect()
    }

    fn http() -> Vec<ServicePort> {
        vec![service_port("", 80, IntOrString::String("http".to_owned()))]
    }

    fn named(mut slice: EndpointSlice, name: &str) -> Arc<EndpointSlice> {
        slice.metadata.name = Some(name.to_owned());
        Arc::new(slice)
    }

    fn sizes(slices: &[EndpointSlice]) -> Vec<usize> {
        slices.iter().map(|slice| slice.endpoints.as_ref().unwrap().len()).collect()
    }

    #[test]
    fn a_slice_says_where_the_pods_are() {
        let mut leaving = pod("b", "10.0.0.2", true);
        leaving.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        let pods = [Arc::new(pod("a", "10.0.0.1", false)), Arc::new(leaving)];
        let plan = plan(&service(http()), &pods, |_| None, &[], 100);
        expect_test::expect![[r#"
            {
              "addressType": "IPv4",
              "apiVersion": "discovery.k8s.io/v1",
              "endpoints": [
                {
                  "addresses": [
                    "10.0.0.1"
                  ],
                  "conditions": {
                    "ready": false,
                    "serving": false,
                    "terminating": false
                  },
                  "nodeName": "n1",
                  "targetRef": {
                    "kind": "Pod",
                    "name": "a",
                    "namespace": "default",
                    "uid": "uid-a"
                  }
                },
                {
                  "addresses": [
                    "10.0.0.2"
                  ],
                  "conditions": {
                    "ready": false,
                    "serving": true,
                    "terminating": true
                  },
                  "nodeName": "n1",
                  "targetRef": {
                    "kind": "Pod",
                    "name": "b",
                    "namespace": "default",
                    "uid": "uid-b"
                  }
                }
              ],
              "kind": "EndpointSlice",
              "metadata": {
                "annotations": {
                  "endpoints.kubernetes.io/last-change-trigger-time": "1970-01-01T00:01:40Z"
                },
                "generateName": "web-",
                "labels": {
                  "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                  "kubernetes.io/service-name": "web"
                },
                "namespace": "default",
                "ownerReferences": [
                  {
                    "apiVersion": "v1",
                    "blockOwnerDeletion": true,
                    "controller": true,
                    "kind": "Service",
                    "name": "web",
                    "uid": "service"
                  }
                ]
              },
              "ports": [
                {
                  "name": "",
                  "port": 8080,
                  "protocol": "TCP"
                }
              ]
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&serde_json::to_value(&plan.create[0]).unwrap()).unwrap());
    }

    #[test]
    fn slices_are_filled_and_endpoints_stay_where_they_are() {
        let (web, all) = (service(http()), pods(25));
        let first = plan(&web, &all[..20], |_| None, &[], 10);
        assert_eq!(sizes(&first.create), [10, 10]);
        let existing: Vec<_> = first.create.into_iter().zip(["s1", "s2"]).map(|(slice, name)| named(slice, name)).collect();
        let same = plan(&web, &all[..20], |_| None, &existing, 10);
        assert!(same.create.is_empty() && same.update.is_empty() && same.delete.is_empty(), "{same:?}");

        let fewer = plan(&web, &all[1..20], |_| None, &existing, 10);
        assert_eq!(fewer.update.len(), 1, "only the slice it was in");
        let swapped = plan(&web, &all[1..22], |_| None, &existing, 10);
        assert_eq!((swapped.update.len(), sizes(&swapped.create)), (1, vec![1]));
        let half = plan(&web, &all[..10], |_| None, &existing, 10);
        assert_eq!((half.update.len(), half.delete.len()), (0, 1));
    }

    #[test]
    fn a_service_without_endpoints_has_an_empty_slice() {
        let web = service(http());
        let empty = plan(&web, &[], |_| None, &[], 10);
        assert_eq!(sizes(&empty.create), [0]);
        assert_eq!(empty.create[0].ports.as_deref(), Some(&[][..]));
        let placeholder = named(empty.create[0].clone(), "s1");
        let same = plan(&web, &[], |_| None, std::slice::from_ref(&placeholder), 10);
        assert!(same.create.is_empty() && same.update.is_empty() && same.delete.is_empty(), "{same:?}");

        let filled = plan(&web, &pods(2), |_| None, &[placeholder], 10);
        assert!(filled.create.is_empty() && filled.delete.is_empty());
        let (old, new) = &filled.update[0];
        assert_eq!((old.metadata.name.as_deref(), sizes(std::slice::from_ref(new))), (Some("s1"), vec![2]));
        let emptied = plan(&web, &[], |_| None, &[Arc::new(new.clone())], 10);
        assert_eq!((emptied.update.len(), emptied.create.len(), emptied.delete.len()), (1, 0, 0));
    }

    #[test]
    fn pods_with_other_ports_are_in_other_slices() {
        let mut other = pod("z", "10.0.0.99", true);
        other.spec.as_mut().unwrap().containers[0].ports.as_mut().unwrap()[0].container_port = 9090;
        let mut all = pods(2);
        all.push(Arc::new(other));
        let plan = plan(&service(http()), &all, |_| None, &[], 10);
        assert_eq!(sizes(&plan.create), [2, 1]);
    }

    #[test]
    fn close_endpoints_are_hinted_at_as_the_service_prefers() {
        for (preference, ready, zone, want) in [
            (None, true, Some("a"), serde_json::Value::Null),
            (Some("PreferClose"), true, Some("a"), serde_json::json!({ "forZones": [{ "name": "a" }] })),
            (Some("PreferSameZone"), true, Some("a"), serde_json::json!({ "forZones": [{ "name": "a" }] })),
            (Some("PreferSameZone"), true, None, serde_json::Value::Null),
            (Some("PreferSameNode"), true, None, serde_json::json!({ "forNodes": [{ "name": "n1" }] })),
            (Some("PreferSameNode"), true, Some("a"), serde_json::json!({ "forNodes": [{ "name": "n1" }], "forZones": [{ "name": "a" }] })),
            (Some("PreferSameNode"), false, Some("a"), serde_json::Value::Null),
            (Some("PreferFar"), true, Some("a"), serde_json::Value::Null),
        ] {
            let mut web = service(http());
            web.spec.as_mut().unwrap().traffic_distribution = preference.map(str::to_owned);
            let plan = plan(&web, &[Arc::new(pod("a", "10.0.0.1", ready))], |_| zone.map(str::to_owned), &[], 100);
            let hints = &plan.create[0].endpoints.as_ref().unwrap()[0].hints;
            assert_eq!(serde_json::to_value(hints).unwrap(), want, "{preference:?} {ready} {zone:?}");
        }
    }

    #[test]
    fn what_is_not_ready_may_be_published_as_if_it_were() {
        let mut web = service(http());
        web.spec.as_mut().unwrap().publish_not_ready_addresses = Some(true);
        let plan = plan(&web, &[Arc::new(pod("a", "10.0.0.1", false))], |_| None, &[], 100);
        let conditions = plan.create[0].endpoints.as_ref().unwrap()[0].conditions.clone().unwrap();
        assert_eq!((conditions.ready, conditions.serving, conditions.terminating), (Some(true), Some(false), Some(false)));
    }
}
