//! The subresources whose requests leave the API server: where each leads, as pure functions.
//!
//! Must not know: how a request travels there.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::{
    core::v1::{Container, Node, Pod, PodSpec, Service},
    discovery::v1::EndpointSlice,
};

use super::{
    field::{Errors, Path},
    rules::{Object, cast},
    subresource::{Action, Subresource},
};
use crate::error::{ApiError, Result};

/// How an [`Action::Connect`] leaves the API server.
#[derive(Clone, Copy)]
pub struct Connect {
    /// How its requests are carried.
    pub carry: Carry,
    /// What else must be known to find the way.
    pub beside: Option<Beside>,
    /// Finds the way. `None` where there is nobody to ask yet, and nothing to tell.
    pub lead: fn(&Asked<'_>) -> Result<Option<Route>>,
}

/// How requests are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carry {
    /// GET; what comes back is text.
    Text,
    /// GET or POST; the connection becomes a stream of bytes both ways, of which the API server understands nothing.
    Tunnel,
    /// Any method, with any path below; what comes back is passed on as it is.
    Whole,
}

/// Objects that a way depends on: all in the namespace whose label `label` is the object's name.
#[derive(Clone, Copy)]
pub struct Beside {
    /// Their resource.
    pub plural: &'static str,
    /// The label.
    pub label: &'static str,
}

/// What is asked for.
pub struct Asked<'a> {
    /// The object.
    pub object: &'a dyn Object,
    /// What its row wants to be known beside it.
    pub beside: &'a [Box<dyn Object>],
    /// How the path names it.
    pub place: Place<'a>,
    /// The query, undecoded.
    pub query: &'a str,
    /// A random number, to choose with.
    pub dice: u64,
}

/// An object as a proxy path names it: `name`, `name:port` or `scheme:name:port`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// `http`, `https` or empty.
    pub scheme: &'a str,
    /// The object.
    pub name: &'a str,
    /// A number, a name or empty.
    pub port: &'a str,
}

/// Where a request leads.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// The node.
    pub node: String,
    /// What there.
    pub to: To,
}

/// What a request leads to on a node.
#[derive(Debug, PartialEq, Eq)]
pub enum To {
    /// Its kubelet: path and query on the kubelet's port.
    Kubelet(String),
    /// Whoever listens there: `IP:PORT`.
    Listener(String),
}

/// The verbs of a proxy.
const ALL: &[&str] = &["create", "delete", "get", "patch", "update"];

const fn row(name: &'static str, kind: &'static str, verbs: &'static [&'static str], connect: Connect) -> Subresource {
    Subresource { name, kind: ("", "", kind), body: None, verbs, action: Action::Connect(connect) }
}

/// `pods/log`: what a container printed.
pub const LOG: Subresource = row("log", "Pod", &["get"], Connect { carry: Carry::Text, beside: None, lead: log });
/// `pods/exec`: a command in a container.
pub const EXEC: Subresource = row("exec", "PodExecOptions", &["create", "get"], tunnel(exec));
/// `pods/attach`: the process of a container.
pub const ATTACH: Subresource = row("attach", "PodAttachOptions", &["create", "get"], tunnel(attach));
/// `pods/portforward`: ports of a pod.
pub const PORT_FORWARD: Subresource = row("portforward", "PodPortForwardOptions", &["create", "get"], tunnel(port_forward));
/// `pods/proxy`: HTTP to a pod.
pub const POD_PROXY: Subresource = row("proxy", "PodProxyOptions", ALL, Connect { carry: Carry::Whole, beside: None, lead: to_pod });
/// `nodes/proxy`: HTTP to a node, which is its kubelet unless a port is named.
pub const NODE_PROXY: Subresource = row("proxy", "NodeProxyOptions", ALL, Connect { carry: Carry::Whole, beside: None, lead: to_node });
/// `services/proxy`: HTTP to one of the pods behind a service.
pub const SERVICE_PROXY: Subresource = row(
    "proxy",
    "ServiceProxyOptions",
    ALL,
    Connect {
        carry: Carry::Whole,
        beside: Some(Beside { plural: "endpointslices", label: "kubernetes.io/service-name" }),
        lead: to_service,
    },
);

const fn tunnel(lead: fn(&Asked<'_>) -> Result<Option<Route>>) -> Connect {
    Connect { carry: Carry::Tunnel, beside: None, lead }
}

impl<'a> Place<'a> {
    /// Reads it; `None` where it makes no sense.
    #[must_use]
    pub fn parse(id: &'a str) -> Option<Self> {
        let parts: Vec<&str> = id.split(':').collect();
        let (scheme, name, port) = match parts[..] {
            [name] => ("", name, ""),
            [name, port] => ("", name, port),
            [scheme, name, port] => (scheme, name, port),
            _ => return None,
        };
        (!name.is_empty() && matches!(scheme, "" | "http" | "https")).then_some(Self { scheme, name, port })
    }
}

fn log(asked: &Asked<'_>) -> Result<Option<Route>> {
    let pod: &Pod = cast(asked.object);
    check_log_options(pod, asked.query)?;
    let container = container(pod, asked.query)?;
    let path = format!("/containerLogs/{}/{container}?{}", path(pod), asked.query);
    Ok(node(pod).map(|node| Route { node, to: To::Kubelet(path) }))
}

/// The numbers that say which part of a log is wanted.
fn check_log_options(pod: &Pod, query: &str) -> Result<()> {
    let mut errors = Errors::new();
    let asked = |name: &str| parameters(query, name).next().filter(|value| !value.is_empty());
    for (name, least, detail) in [
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
    ] {
        let Some(text) = asked(name) else { continue };
        let number: i64 = text.parse().map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))?;
        if number < least {
            errors.invalid(&Path::new(name), number, detail);
        }
    }
    if asked("sinceSeconds").is_some() && asked("sinceTime").is_some() {
        errors.forbidden(&Path::new(""), "at most one of `sinceTime` or `sinceSeconds` may be specified");
    }
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid("PodLogOptions", "", name, &errors)) }
}

fn exec(asked: &Asked<'_>) -> Result<Option<Route>> {
    stream(asked, "exec")
}

fn attach(asked: &Asked<'_>) -> Result<Option<Route>> {
    stream(asked, "attach")
}

/// The kubelet has parameters of its own for what is to be carried.
fn stream(asked: &Asked<'_>, what: &str) -> Result<Option<Route>> {
    let pod: &Pod = cast(asked.object);
    let container = container(pod, asked.query)?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (flag, parameter, otherwise) in
        [("stdin", "input", false), ("stdout", "output", true), ("stderr", "error", true), ("tty", "tty", false)]
    {
        if parameters(asked.query, flag).next().map_or(otherwise, |value| is_true(&value)) {
            query.append_pair(parameter, "1");
        }
    }
    if what == "exec" {
        for word in parameters(asked.query, "command") {
            query.append_pair("command", &word);
        }
    }
    let path = format!("/{what}/{}/{container}?{}", path(pod), query.finish());
    Ok(Some(Route { node: host(pod)?, to: To::Kubelet(path) }))
}

fn port_forward(asked: &Asked<'_>) -> Result<Option<Route>> {
    let pod: &Pod = cast(asked.object);
    let node = host(pod)?;
    let ports: Vec<String> = parameters(asked.query, "ports").collect();
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !ports.is_empty() {
        query.append_pair("port", &ports.join(","));
    }
    Ok(Some(Route { node, to: To::Kubelet(format!("/portForward/{}?{}", path(pod), query.finish())) }))
}

fn to_pod(asked: &Asked<'_>) -> Result<Option<Route>> {
    let pod: &Pod = cast(asked.object);
    plain(asked.place)?;
    let first = || specification(pod).containers.iter().find_map(|container| container.ports.as_ref()?.first());
    let port = match asked.place.port {
        "" => first().map_or_else(|| "80".to_owned(), |port| port.container_port.to_string()),
        given => given.to_owned(),
    };
    let status = pod.status.as_ref();
    let ip = status.and_then(|status| status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str()).next().or(status.pod_ip.as_deref()));
    let ip = ip.and_then(|ip| ip.parse().ok()).filter(is_global).ok_or_else(|| ApiError::bad_request("address not allowed"))?;
    Ok(Some(Route { node: host(pod)?, to: To::Listener(address(ip, &port)?) }))
}

fn to_node(asked: &Asked<'_>) -> Result<Option<Route>> {
    let node: &Node = cast(asked.object);
    let status = node.status.as_ref();
    let name = asked.place.name.to_owned();
    let own = status.and_then(|status| Some(status.daemon_endpoints.as_ref()?.kubelet_endpoint.as_ref()?.port.to_string()));
    if asked.place.port.is_empty() || own.is_some_and(|own| own == asked.place.port) {
        return Ok(Some(Route { node: name, to: To::Kubelet(String::new()) }));
    }
    plain(asked.place)?;
    let internal = |status: &k8s_openapi::api::core::v1::NodeStatus| {
        let mut addresses = status.addresses.iter().flatten();
        addresses.find(|address| address.type_ == "InternalIP").and_then(|address| address.address.parse().ok())
    };
    let ip = status.and_then(internal).filter(is_global).ok_or_else(|| ApiError::bad_request("address not allowed"))?;
    Ok(Some(Route { node: name, to: To::Listener(address(ip, asked.place.port)?) }))
}

fn to_service(asked: &Asked<'_>) -> Result<Option<Route>> {
    let service: &Service = cast(asked.object);
    let Place { name, port, .. } = asked.place;
    plain(asked.place)?;
    let port = match port.parse::<i32>() {
        Err(_) => port,
        Ok(number) => {
            let mut ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
            let found = ports.find(|port| port.port == number).map(|port| port.name.as_deref().unwrap_or_default());
            found.ok_or_else(|| ApiError::unavailable(format!("no service port {number} found for service {name:?}")))?
        }
    };
    let ends = ends(asked.beside.iter().map(|object| cast(&**object)), port);
    let Ok(count) = u64::try_from(ends.len()) else { return Ok(None) };
    let chosen = asked.dice.checked_rem(count).and_then(|index| ends.into_iter().nth(usize::try_from(index).ok()?));
    let (node, address) = chosen.ok_or_else(|| ApiError::unavailable(format!("no endpoints available for service {name:?}")))?;
    Ok(Some(Route { node: node.to_owned(), to: To::Listener(address.to_string()) }))
}

/// The ready pods behind a port of a service: node and address. Only what is known to be a pod is led to.
fn ends<'a>(slices: impl Iterator<Item = &'a EndpointSlice>, port: &str) -> Vec<(&'a str, SocketAddr)> {
    let of_slice = |slice: &'a EndpointSlice| {
        let number = slice.ports.iter().flatten().find(|known| known.name.as_deref().unwrap_or_default() == port)?.port?;
        let number = u16::try_from(number).ok()?;
        let is_pod = |end: &&k8s_openapi::api::discovery::v1::Endpoint| {
            let ready = end.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true);
            ready && end.target_ref.as_ref().is_some_and(|target| target.kind.as_deref() == Some("Pod"))
        };
        let address = move |end: &'a k8s_openapi::api::discovery::v1::Endpoint| {
            Some((end.node_name.as_deref()?, SocketAddr::new(end.addresses.first()?.parse().ok()?, number)))
        };
        Some(slice.endpoints.iter().flatten().filter(is_pod).filter_map(address).collect::<Vec<_>>())
    };
    slices.filter_map(of_slice).flatten().collect()
}

/// Nothing behind a proxy speaks TLS.
fn plain(place: Place<'_>) -> Result<()> {
    if place.scheme == "https" { Err(ApiError::not_implemented("proxying to https")) } else { Ok(()) }
}

fn address(ip: IpAddr, port: &str) -> Result<String> {
    let number = port
        .parse()
        .map_err(|_| ApiError::unavailable(format!("error trying to reach service: dial tcp: lookup tcp/{port}: unknown port")))?;
    Ok(SocketAddr::new(ip, number).to_string())
}

/// What Go calls a global unicast address.
fn is_global(ip: &IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !(link_local || ip.is_unspecified() || ip.is_loopback() || ip.is_multicast())
}

/// The container that is meant: the one that is named, or else the only one.
fn container(pod: &Pod, query: &str) -> Result<String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let spec = specification(pod);
    let ephemeral = spec.ephemeral_containers.iter().flatten().map(|container| container.name.as_str());
    let regular = spec.init_containers.iter().flatten().chain(&spec.containers).map(|container: &Container| container.name.as_str());
    let all: Vec<&str> = regular.chain(ephemeral).collect();
    let asked = parameters(query, "container").find(|name| !name.is_empty());
    match (asked, &spec.containers[..]) {
        (Some(asked), _) if all.contains(&asked.as_str()) => Ok(asked),
        (Some(asked), _) => Err(ApiError::bad_request(format!("container {asked} is not valid for pod {name}"))),
        (None, [only]) => Ok(only.name.clone()),
        (None, []) => Err(ApiError::bad_request(format!("a container name must be specified for pod {name}"))),
        (None, _) => {
            let list = all.join(" ");
            Err(ApiError::bad_request(format!("a container name must be specified for pod {name}, choose one of: [{list}]")))
        }
    }
}

fn specification(pod: &Pod) -> &PodSpec {
    static NOTHING: std::sync::LazyLock<PodSpec> = std::sync::LazyLock::new(PodSpec::default);
    pod.spec.as_ref().unwrap_or(&NOTHING)
}

/// Namespace and name, as the kubelet's paths have them.
fn path(pod: &Pod) -> String {
    format!("{}/{}", pod.metadata.namespace.as_deref().unwrap_or_default(), pod.metadata.name.as_deref().unwrap_or_default())
}

fn node(pod: &Pod) -> Option<String> {
    specification(pod).node_name.clone().filter(|node| !node.is_empty())
}

fn host(pod: &Pod) -> Result<String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    node(pod).ok_or_else(|| ApiError::bad_request(format!("pod {name} does not have a host assigned")))
}

/// The values of a parameter.
fn parameters(query: &str, wanted: &str) -> impl Iterator<Item = String> {
    form_urlencoded::parse(query.as_bytes()).filter(move |(key, _)| key == wanted).map(|(_, value)| value.into_owned())
}

/// What Kubernetes reads from a parameter that is a truth value: what is there is true unless it says otherwise.
fn is_true(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}

/// Where a node's kubelet really listens: the addresses in a fake node's status lead nowhere.
#[must_use]
pub fn kubelet_address(object: &dyn Object) -> Option<&str> {
    let node: &Node = cast(object);
    node.metadata.annotations.as_ref()?.get("mini.dev/kubelet-address").map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(spec: serde_json::Value) -> Pod {
        let metadata = json!({ "name": "p", "namespace": "n" });
        serde_json::from_value(json!({ "metadata": metadata, "spec": spec, "status": { "podIP": "10.244.1.2" } })).unwrap()
    }

    fn led(row: &Subresource, object: &dyn Object, place: &str, query: &str) -> Result<Option<Route>, String> {
        let Action::Connect(connect) = row.action else { panic!("{} leads nowhere", row.name) };
        let place = Place::parse(place).unwrap();
        (connect.lead)(&Asked { object, beside: &[], place, query, dice: 0 }).map_err(|error| error.to_string())
    }

    fn kubelet(path: &str) -> Result<Option<Route>, String> {
        Ok(Some(Route { node: "k".to_owned(), to: To::Kubelet(path.to_owned()) }))
    }

    #[test]
    fn names_in_proxy_paths_are_read() {
        assert_eq!(Place::parse("web"), Some(Place { scheme: "", name: "web", port: "" }));
        assert_eq!(Place::parse("web:80"), Some(Place { scheme: "", name: "web", port: "80" }));
        assert_eq!(Place::parse("https:web:"), Some(Place { scheme: "https", name: "web", port: "" }));
        for wrong in ["", ":80", "ftp:web:80", "a:b:c:d"] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_stream_is_asked_for_in_the_kubelets_words() {
        let pod = pod(json!({ "nodeName": "k", "containers": [{ "name": "c" }] }));
        let exec = "stdin=true&tty=1&stderr=false&command=sh&command=-c&command=echo+%26";
        assert_eq!(led(&EXEC, &pod, "p", exec), kubelet("/exec/n/p/c?input=1&output=1&tty=1&command=sh&command=-c&command=echo+%26"));
        assert_eq!(led(&ATTACH, &pod, "p", "container=c"), kubelet("/attach/n/p/c?output=1&error=1"));
        assert_eq!(led(&PORT_FORWARD, &pod, "p", "ports=80&ports=443,8080"), kubelet("/portForward/n/p?port=80%2C443%2C8080"));
    }

    #[test]
    fn the_container_is_the_named_or_the_only_one() {
        let one = pod(json!({ "nodeName": "k", "initContainers": [{ "name": "i" }], "containers": [{ "name": "c" }] }));
        assert_eq!(led(&LOG, &one, "p", ""), kubelet("/containerLogs/n/p/c?"));
        assert_eq!(led(&LOG, &one, "p", "container=i"), kubelet("/containerLogs/n/p/i?container=i"));
        assert_eq!(led(&LOG, &one, "p", "container=x"), Err("container x is not valid for pod p".to_owned()));
        let two = pod(json!({ "initContainers": [{ "name": "i" }], "containers": [{ "name": "a" }, { "name": "b" }] }));
        let choose = "a container name must be specified for pod p, choose one of: [i a b]";
        assert_eq!(led(&EXEC, &two, "p", ""), Err(choose.to_owned()));
        assert_eq!(led(&LOG, &two, "p", "container=a"), Ok(None), "there is no log before there is a node");
        assert_eq!(led(&EXEC, &two, "p", "container=a"), Err("pod p does not have a host assigned".to_owned()));
    }

    #[test]
    fn parts_of_a_log_that_make_no_sense_are_refused() {
        let pod = pod(json!({ "nodeName": "k", "containers": [{ "name": "c" }] }));
        let asked = |query: &str| led(&LOG, &pod, "p", query).map(drop);
        assert_eq!(asked("tailLines=0&limitBytes=1&sinceSeconds=1&follow=true"), Ok(()));
        let told = |why: &str| Err(format!("PodLogOptions \"p\" is invalid: {why}"));
        assert_eq!(asked("tailLines=-1"), told("tailLines: Invalid value: -1: must be greater than or equal to 0"));
        assert_eq!(asked("limitBytes=0"), told("limitBytes: Invalid value: 0: must be greater than 0"));
        assert_eq!(asked("sinceSeconds=0"), told("sinceSeconds: Invalid value: 0: must be greater than 0"));
        assert_eq!(asked("tailLines=x"), Err("strconv.ParseInt: parsing \"x\": invalid syntax".to_owned()));
        assert!(asked("sinceSeconds=5&sinceTime=2026-11-20T12:00:00Z").is_err());
    }

    #[test]
    fn a_proxy_to_a_pod_leads_to_its_first_port_unless_one_is_named() {
        let listener = |address: &str| Ok(Some(Route { node: "k".to_owned(), to: To::Listener(address.to_owned()) }));
        let bare = pod(json!({ "nodeName": "k", "containers": [{ "name": "c" }] }));
        assert_eq!(led(&POD_PROXY, &bare, "p", ""), listener("10.244.1.2:80"));
        let ports = json!([{ "name": "c", "ports": [{ "containerPort": 8080 }] }]);
        let open = pod(json!({ "nodeName": "k", "containers": ports }));
        assert_eq!(led(&POD_PROXY, &open, "p", ""), listener("10.244.1.2:8080"));
        assert_eq!(led(&POD_PROXY, &open, "p:9", ""), listener("10.244.1.2:9"));
        let mut homeless = open.clone();
        homeless.status = None;
        assert_eq!(led(&POD_PROXY, &homeless, "p", ""), Err("address not allowed".to_owned()));
    }

    #[test]
    fn behind_a_service_are_the_ready_pods_of_a_port() {
        let end = |ip: &str, ready: bool, kind: &str| json!({ "addresses": [ip], "nodeName": "k", "conditions": { "ready": ready }, "targetRef": { "kind": kind, "name": "p" } });
        let slice: EndpointSlice = serde_json::from_value(json!({
            "metadata": {}, "addressType": "IPv4", "ports": [{ "name": "web", "port": 80 }, { "name": "", "port": 9 }],
            "endpoints": [end("10.244.1.2", true, "Pod"), end("10.244.1.3", false, "Pod"), end("10.244.1.4", true, "Node")],
        }))
        .unwrap();
        let found =
            |port: &str| ends(std::iter::once(&slice), port).into_iter().map(|(_, address)| address.to_string()).collect::<Vec<_>>();
        assert_eq!((found("web"), found(""), found("x")), (vec!["10.244.1.2:80".to_owned()], vec!["10.244.1.2:9".to_owned()], vec![]));
    }
}
