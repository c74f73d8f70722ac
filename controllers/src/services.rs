//! What a Service is about: which pods, at which addresses and ports. EndpointSlices and Endpoints are two ways to say it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ObjectReference, Pod, Service, ServicePort},
    apimachinery::pkg::util::intstr::IntOrString,
};
use mini_api::{condition, pod};

use crate::cache::{Cache, Change, Key};

/// The label of what belongs to a headless Service.
pub(crate) const HEADLESS: &str = "service.kubernetes.io/headless";
/// The annotation that says what moment a change answers to: from it the delay of programming a network is measured.
pub(crate) const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// The selector, if the Service has one whose pods are found for it.
pub(crate) fn selector(service: &Service) -> Option<&BTreeMap<String, String>> {
    let spec = service.spec.as_ref().filter(|spec| spec.type_.as_deref() != Some("ExternalName"))?;
    spec.selector.as_ref().filter(|selector| !selector.is_empty())
}

/// Whether the Service has no address of its own.
pub(crate) fn is_headless(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()) == Some("None")
}

/// Whether pods count as ready before they are.
pub(crate) fn publishes_not_ready(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.publish_not_ready_addresses) == Some(true)
}

fn matches(service: &Service, pod: &Pod) -> bool {
    let labels = pod.metadata.labels.as_ref();
    selector(service)
        .is_some_and(|selector| selector.iter().all(|(name, value)| labels.is_some_and(|labels| labels.get(name) == Some(value))))
}

/// The pods of a Service that have an address and may serve, in the order of their names.
pub(crate) fn pods(service: &Service, pods: &Cache<Pod>) -> Vec<Arc<Pod>> {
    let mut pods = pods.in_namespace(service.metadata.namespace.as_deref().unwrap_or_default());
    pods.retain(|pod| matches(service, pod) && !pod::is_terminal(pod) && address(pod, "IPv4").or(address(pod, "IPv6")).is_some());
    pods
}

/// The Services that a change of a pod concerns.
pub(crate) fn concerned(change: &Change<Pod>, services: &Cache<Service>) -> Vec<Key> {
    if let (Some(old), Some(new)) = (&change.old, &change.new)
        && facts(old) == facts(new)
    {
        return Vec::new();
    }
    let mut services = services.in_namespace(&change.key().namespace);
    services.retain(|service| change.sides().any(|pod| matches(service, pod)));
    services.iter().map(|service| Key::of(&service.metadata)).collect()
}

/// All of a pod that matters to Services.
fn facts(pod: &Pod) -> impl PartialEq + use<'_> {
    let meta = &pod.metadata;
    let status = pod.status.as_ref();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
    let addresses = status.map(|status| (&status.pod_ip, &status.pod_ips));
    let state = (pod::is_ready(pod), pod::is_terminal(pod), meta.deletion_timestamp.is_some());
    (&meta.uid, &meta.labels, node, addresses, state)
}

/// The pod's address of a family (`IPv4` or `IPv6`).
pub(crate) fn address<'a>(pod: &'a Pod, family: &str) -> Option<&'a str> {
    let status = pod.status.as_ref()?;
    let listed = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str());
    let mut all = listed.chain(status.pod_ip.as_deref()).filter(|ip| !ip.is_empty());
    all.find(|ip| ip.contains(':') == (family == "IPv6"))
}

/// The port of a pod that a Service's port leads to; none if it is a name the pod does not know.
fn target_port(pod: &Pod, port: &ServicePort) -> Option<i32> {
    let name = match &port.target_port {
        None | Some(IntOrString::Int(0)) => return Some(port.port),
        Some(IntOrString::Int(number)) => return Some(*number),
        Some(IntOrString::String(name)) => name,
    };
    let protocol = |protocol: &Option<String>| protocol.clone().unwrap_or_else(|| "TCP".to_owned());
    let spec = pod.spec.as_ref()?;
    let sidecars = spec.init_containers.iter().flatten().filter(|one| one.restart_policy.as_deref() == Some("Always"));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
    let mut named = ports.filter(|one| one.name.as_ref() == Some(name) && protocol(&one.protocol) == protocol(&port.protocol));
    named.next().map(|port| port.container_port)
}

/// One port of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    /// Empty where the Service's port has none.
    pub(crate) name: String,
    pub(crate) number: i32,
    pub(crate) protocol: String,
    pub(crate) app_protocol: Option<String>,
}

/// The ports of a pod that a Service leads to, in order.
pub(crate) fn ports(service: &Service, pod: &Pod) -> Vec<Port> {
    let declared = service.spec.as_ref().and_then(|spec| spec.ports.as_ref()).into_iter().flatten();
    let resolved = declared.filter_map(|port| {
        Some(Port {
            name: port.name.clone().unwrap_or_default(),
            number: target_port(pod, port)?,
            protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
            app_protocol: port.app_protocol.clone(),
        })
    });
    let mut ports: Vec<_> = resolved.collect();
    ports.sort();
    ports.dedup();
    ports
}

/// The host name a pod has under a headless Service.
pub(crate) fn hostname(pod: &Pod, service: &Service) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let ours = spec.subdomain.is_some() && spec.subdomain == service.metadata.name;
    spec.hostname.clone().filter(|hostname| ours && !hostname.is_empty())
}

/// The reference from an endpoint to its pod.
pub(crate) fn target(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: Some("Pod".to_owned()),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

/// The last moment something happened that the endpoints of a Service depend on.
pub(crate) fn trigger_time(service: &Service, pods: &[Arc<Pod>]) -> Option<Timestamp> {
    let of_pod = |pod: &Arc<Pod>| {
        let ready = pod.status.as_ref().and_then(|status| condition::pod(status, "Ready"));
        ready.and_then(|ready| ready.last_transition_time.as_ref()).map(|time| time.0)
    };
    let created = service.metadata.creation_timestamp.as_ref().map(|time| time.0);
    pods.iter().filter_map(of_pod).chain(created).max()
}

#[cfg(test)]
pub(crate) mod tests {
    use k8s_openapi::api::core::v1::{Container, ContainerPort, PodCondition, PodSpec, PodStatus, ServiceSpec};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::cache::tests::{filled, pod as named};

    /// A pod `app=web` on node `n1` whose container calls port 8080 `http`.
    pub(crate) fn pod(name: &str, ip: &str, ready: bool) -> Pod {
        let mut pod = named(name, 1, None);
        pod.metadata.labels = Some([("app".to_owned(), "web".to_owned())].into());
        let port = ContainerPort { name: Some("http".to_owned()), container_port: 8080, ..ContainerPort::default() };
        pod.spec = Some(PodSpec {
            node_name: Some("n1".to_owned()),
            containers: vec![Container { ports: Some(vec![port]), ..Container::default() }],
            ..PodSpec::default()
        });
        let condition = PodCondition {
            type_: "Ready".to_owned(),
            status: if ready { "True" } else { "False" }.to_owned(),
            last_transition_time: Some(Time(Timestamp::from_second(100).unwrap())),
            ..PodCondition::default()
        };
        pod.status = Some(PodStatus {
            pod_ip: Some(ip.to_owned()),
            conditions: Some(vec![condition]),
            phase: Some("Running".to_owned()),
            ..PodStatus::default()
        });
        pod
    }

    /// The Service `web` of pods `app=web`.
    pub(crate) fn service(ports: Vec<ServicePort>) -> Service {
        let mut service = Service {
            spec: Some(ServiceSpec {
                selector: Some([("app".to_owned(), "web".to_owned())].into()),
                ports: Some(ports),
                ip_families: Some(vec!["IPv4".to_owned()]),
                ..ServiceSpec::default()
            }),
            ..Service::default()
        };
        service.metadata.name = Some("web".to_owned());
        service.metadata.namespace = Some("default".to_owned());
        service.metadata.uid = Some("service".to_owned());
        service
    }

    pub(crate) fn port(name: &str, port: i32, target: IntOrString) -> ServicePort {
        ServicePort {
            name: (!name.is_empty()).then(|| name.to_owned()),
            port,
            protocol: Some("TCP".to_owned()),
            target_port: Some(target),
            ..ServicePort::default()
        }
    }

    #[test]
    fn ports_are_numbers_or_names() {
        let pod = pod("a", "10.0.0.1", true);
        let named = |name: &str| IntOrString::String(name.to_owned());
        for (target, expected) in
            [(IntOrString::Int(9090), Some(9090)), (named("http"), Some(8080)), (named("nope"), None), (IntOrString::Int(0), Some(80))]
        {
            assert_eq!(target_port(&pod, &port("", 80, target)), expected);
        }
        let udp = ServicePort { protocol: Some("UDP".to_owned()), ..port("", 80, named("http")) };
        assert_eq!(target_port(&pod, &udp), None);
    }

    #[test]
    fn only_changes_that_matter_concern_a_service() {
        let services = filled([service(vec![])]);
        let change = |old: Option<Pod>, new: Option<Pod>| Change { old: old.map(Arc::new), new: new.map(Arc::new) };
        let count = |change| concerned(&change, &services).len();
        let ready = pod("a", "10.0.0.1", true);
        let mut touched = ready.clone();
        touched.metadata.resource_version = Some("9".to_owned());
        touched.metadata.annotations = Some(BTreeMap::new());
        let mut moved = ready.clone();
        moved.metadata.labels = None;
        assert_eq!(count(change(None, Some(ready.clone()))), 1);
        assert_eq!(count(change(Some(ready.clone()), Some(touched))), 0);
        assert_eq!(count(change(Some(ready.clone()), Some(pod("a", "10.0.0.1", false)))), 1);
        assert_eq!(count(change(Some(ready.clone()), Some(moved))), 1, "it has to leave");
        assert_eq!(count(change(Some(ready), None)), 1);
    }
}
