//! Endpoints: the older way to say where the pods of a Service are, in one object of the Service's name.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::api::DeleteParams;
use mini_api::pod;

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    serviceaccount::created,
    services::{self, HEADLESS, Port, TRIGGER_TIME},
    writes::{Result, Writes},
};

const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const MANAGER: &str = "endpoint-controller";
/// Addresses beyond this many are left out, and the annotation says so.
const CAPACITY: usize = 1000;
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";

/// Writes Endpoints. Its keys are Services.
pub(crate) struct Reconciler {
    services: Arc<Cache<Service>>,
    pods: Arc<Cache<Pod>>,
    endpoints: Arc<Cache<Endpoints>>,
}

impl Controller for Reconciler {
    const NAME: &'static str = "endpoints-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let services = setup.watch(|change: &Change<Service>| [change.key()]);
        let all = services.clone();
        let pods = setup.watch(move |change: &Change<Pod>| services::concerned(change, &all));
        let endpoints = setup.watch(|change: &Change<Endpoints>| [change.key()]);
        Self { services, pods, endpoints }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let existing = self.endpoints.get(key);
        let Some(service) = self.services.get(key) else {
            // Nothing refers to their owner: what is ours goes by name.
            if let Some(endpoints) = existing.filter(|endpoints| is_ours(endpoints)) {
                writes.delete(&*endpoints, DeleteParams::default()).await?;
            }
            return Ok(Next::Changed);
        };
        if services::selector(&service).is_none() || service.metadata.deletion_timestamp.is_some() {
            return Ok(Next::Changed);
        }
        let pods = services::pods(&service, &self.pods);
        match (plan(&service, &pods, existing.as_deref()), existing) {
            (None, _) => Ok(Next::Changed),
            (Some(new), None) => created(writes.create(&new).await.map(|_| ())),
            (Some(new), Some(old)) => writes.update(&*old, &new).await.map(|()| Next::Changed),
        }
    }
}

fn is_ours(endpoints: &Endpoints) -> bool {
    let labels = endpoints.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(MANAGED_BY)).is_some_and(|manager| manager == MANAGER)
}

/// The Endpoints as they should be, if they are not.
fn plan(service: &Service, pods: &[Arc<Pod>], existing: Option<&Endpoints>) -> Option<Endpoints> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    if services::is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    let mut new = existing.cloned().unwrap_or_else(|| Endpoints {
        metadata: ObjectMeta {
            namespace: service.metadata.namespace.clone(),
            name: service.metadata.name.clone(),
            ..ObjectMeta::default()
        },
        subsets: None,
    });
    let (subsets, truncated) = subsets(service, pods);
    new.subsets = Some(subsets).filter(|subsets| !subsets.is_empty());
    new.metadata.labels = Some(labels);
    let annotations = new.metadata.annotations.get_or_insert_default();
    if truncated {
        annotations.insert(OVER_CAPACITY.to_owned(), "truncated".to_owned());
    } else {
        annotations.remove(OVER_CAPACITY);
    }
    if annotations.is_empty() {
        new.metadata.annotations = None;
    }
    let empty = |endpoints: &Endpoints| endpoints.subsets.as_ref().is_none_or(Vec::is_empty);
    let same = |old: &Endpoints| old.metadata == new.metadata && (old.subsets == new.subsets || empty(old) && empty(&new));
    if existing.is_some_and(same) {
        return None;
    }
    if let Some(trigger) = services::trigger_time(service, pods) {
        new.metadata.annotations.get_or_insert_default().insert(TRIGGER_TIME.to_owned(), trigger.to_string());
    }
    Some(new)
}

/// Addresses that lead to one set of ports, ready or not.
#[derive(Default)]
struct Group {
    ready: Vec<EndpointAddress>,
    not_ready: Vec<EndpointAddress>,
}

/// Packs the pods into as few subsets as their ports allow; says whether some did not fit.
fn subsets(service: &Service, pods: &[Arc<Pod>]) -> (Vec<EndpointSubset>, bool) {
    let publish = services::publishes_not_ready(service);
    let family = service.spec.as_ref().and_then(|spec| spec.ip_families.as_ref()?.first().cloned());
    let family = family.unwrap_or_else(|| "IPv4".to_owned());
    let has_ports = service.spec.as_ref().and_then(|spec| spec.ports.as_ref()).is_some_and(|ports| !ports.is_empty());
    let mut groups: BTreeMap<Vec<Port>, Group> = BTreeMap::new();
    let mut room = CAPACITY;
    // When not all fit, the ready ones come first.
    let mut pods: Vec<_> = pods.iter().filter(|pod| publish || !pod::is_terminating(pod)).collect();
    let truncated = pods.len() > room;
    if truncated {
        pods.sort_by_key(|pod| !pod::is_ready(pod));
    }
    for pod in pods {
        let Some(ip) = services::address(pod, &family).filter(|_| room > 0) else { continue };
        let ports = services::ports(service, pod);
        if ports.is_empty() && has_ports {
            continue;
        }
        room -= 1;
        let address = EndpointAddress {
            ip: ip.to_owned(),
            hostname: services::hostname(pod, service),
            node_name: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            target_ref: Some(services::target(pod)),
        };
        let group = groups.entry(ports).or_default();
        if publish || pod::is_ready(pod) { &mut group.ready } else { &mut group.not_ready }.push(address);
    }
    let subsets = groups.into_iter().map(|(ports, mut group)| {
        let port = |port: Port| EndpointPort {
            name: Some(port.name).filter(|name| !name.is_empty()),
            port: port.number,
            protocol: Some(port.protocol),
            app_protocol: port.app_protocol,
        };
        let sorted = |addresses: &mut Vec<EndpointAddress>| {
            addresses.sort_by(|a, b| a.ip.cmp(&b.ip));
            Some(std::mem::take(addresses)).filter(|addresses| !addresses.is_empty())
        };
        let ports: Vec<_> = ports.into_iter().map(port).collect();
        EndpointSubset {
            addresses: sorted(&mut group.ready),
            not_ready_addresses: sorted(&mut group.not_ready),
            ports: Some(ports).filter(|ports| !ports.is_empty()),
        }
    });
    (subsets.collect(), truncated)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::{apis::meta::v1::Time, util::intstr::IntOrString};

    use super::*;
    use crate::services::tests::{pod, port, service};

    fn summary(endpoints: &Endpoints) -> Vec<String> {
        let ips = |addresses: &Option<Vec<EndpointAddress>>| {
            addresses.iter().flatten().map(|address| address.ip.clone()).collect::<Vec<_>>().join(",")
        };
        let ports = |ports: &Option<Vec<EndpointPort>>| {
            ports.iter().flatten().map(|port| format!("{}{}", port.name.as_deref().unwrap_or("-"), port.port)).collect::<Vec<_>>().join(",")
        };
        let subsets = endpoints.subsets.iter().flatten();
        subsets.map(|s| format!("{}|{}|{}", ips(&s.addresses), ips(&s.not_ready_addresses), ports(&s.ports))).collect()
    }

    #[test]
    fn ready_and_not_ready_by_ports() {
        let ports = vec![port("", 80, IntOrString::String("http".to_owned())), port("metrics", 9, IntOrString::Int(9999))];
        let mut without_http = pod("c", "10.0.0.3", true);
        without_http.spec.as_mut().unwrap().containers[0].ports = None;
        let pods = [pod("a", "10.0.0.2", true), pod("b", "10.0.0.1", false), without_http].map(Arc::new);
        let web = service(ports);
        let new = plan(&web, &pods, None).unwrap();
        assert_eq!(summary(&new), ["10.0.0.2|10.0.0.1|-8080,metrics9999", "10.0.0.3||metrics9999"]);
        assert!(is_ours(&new));
        assert_eq!(plan(&web, &pods, Some(&new)), None);
        assert!(plan(&web, &pods[..1], Some(&new)).is_some());
    }

    #[test]
    fn who_is_leaving_is_left_out_unless_all_are_published() {
        let mut leaving = pod("b", "10.0.0.2", true);
        leaving.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        let pods = [pod("a", "10.0.0.1", true), leaving, pod("c", "10.0.0.3", false)].map(Arc::new);
        for (publish, want) in [(None, "10.0.0.1|10.0.0.3|-80"), (Some(true), "10.0.0.1,10.0.0.2,10.0.0.3||-80")] {
            let mut web = service(vec![port("", 80, IntOrString::Int(80))]);
            web.spec.as_mut().unwrap().publish_not_ready_addresses = publish;
            assert_eq!(summary(&plan(&web, &pods, None).unwrap()), [want], "{publish:?}");
        }
    }

    #[test]
    fn a_headless_service_without_ports_lists_addresses() {
        let mut headless = service(vec![]);
        headless.spec.as_mut().unwrap().cluster_ip = Some("None".to_owned());
        let new = plan(&headless, &[Arc::new(pod("a", "10.0.0.2", true))], None).unwrap();
        assert_eq!(summary(&new), ["10.0.0.2||"]);
        assert!(new.metadata.labels.unwrap().contains_key(HEADLESS));
    }

    #[test]
    fn too_many_are_cut_and_the_annotation_says_so() {
        let pods: Vec<_> =
            (0..CAPACITY + 5).map(|n| Arc::new(pod(&format!("p{n}"), &format!("10.0.{}.{}", n / 250, n % 250), n > 9))).collect();
        let web = service(vec![port("", 80, IntOrString::Int(80))]);
        let new = plan(&web, &pods, None).unwrap();
        let subset = &new.subsets.as_ref().unwrap()[0];
        let count = |addresses: &Option<Vec<EndpointAddress>>| addresses.as_ref().map_or(0, Vec::len);
        assert_eq!((count(&subset.addresses), count(&subset.not_ready_addresses)), (995, 5));
        assert_eq!(new.metadata.annotations.unwrap()[OVER_CAPACITY], "truncated");
    }
}
