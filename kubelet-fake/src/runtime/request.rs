//! What a container is started from: everything the API says about it, resolved, so that a runtime asks nobody.
//!
//! What is large or changes is not handed over but can be looked at: [`Files`] are made when somebody looks, from the objects as
//! they are then, and a [`Token`] is asked for only when it is read.
//!
//! Must not know: where it comes from, what a runtime does with it.

use std::{
    borrow::Cow,
    fmt::{Debug, Write as _},
    net::IpAddr,
    sync::Arc,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Container, EphemeralContainer, Pod, PodDNSConfig, PodSpec};

use super::Image;
use crate::resting::PodCell;

/// The longest name of a host that Linux takes.
const LONGEST_HOSTNAME: usize = 63;

/// A container to create and start.
#[derive(Clone, Debug)]
pub struct StartRequest {
    /// The node it shall run on.
    pub node: Arc<str>,
    /// The pod, which holds the container's specification; see [`StartRequest::spec`].
    pub pod: Arc<Pod>,
    /// Where the pod is kept, which may rest; for who starts the container later.
    pub(crate) cell: Arc<PodCell>,
    /// The container's name.
    pub container: String,
    /// How many containers of this name the pod had before.
    pub attempt: u32,
    /// An image that is present on the node.
    pub image: Image,
    /// What is run instead of the image's entrypoint, if anything. `$(NAME)` is replaced already.
    pub command: Vec<String>,
    /// The arguments instead of the image's, if any. `$(NAME)` is replaced already.
    pub args: Vec<String>,
    /// The variables that the pod gives it, besides the image's.
    pub environment: Environment,
    /// What is mounted where, in the pod's order.
    pub mounts: Vec<Mount>,
    /// The network the pod is in.
    pub network: Network,
}

/// How a pod is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The pod's IP; the node's for pods in its network.
    pub ip: Option<IpAddr>,
    /// The node's IP.
    pub host_ip: Option<IpAddr>,
    /// The server of the cluster's DNS and the domain it serves, such as `cluster.local`.
    pub dns: Option<Arc<(IpAddr, String)>>,
}

impl StartRequest {
    /// A container of which nothing but its specification is known: no variables, no mounts, no network.
    #[must_use]
    pub fn bare(node: Arc<str>, pod: Arc<Pod>, container: String, attempt: u32, image: Image) -> Self {
        let cell = Arc::new(PodCell::new(pod.clone()));
        let mut request = Self {
            node,
            pod,
            cell,
            container,
            attempt,
            image,
            command: Vec::new(),
            args: Vec::new(),
            environment: Environment::default(),
            mounts: Vec::new(),
            network: Network::default(),
        };
        if let Some(spec) = request.spec().map(Cow::into_owned) {
            (request.command, request.args) = (spec.command.unwrap_or_default(), spec.args.unwrap_or_default());
        }
        request
    }

    /// The container's specification, whichever list of the pod it is in.
    #[must_use]
    pub fn spec(&self) -> Option<Cow<'_, Container>> {
        self.pod.spec.as_ref().and_then(|spec| find(spec, &self.container))
    }

    /// The container whose processes an ephemeral one is to see.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        let all = self.pod.spec.as_ref()?.ephemeral_containers.as_ref()?;
        let own = all.iter().find(|ephemeral| ephemeral.name == self.container)?;
        own.target_container_name.as_deref().filter(|name| !name.is_empty())
    }

    /// The pod's name as its own containers know it, and the fully qualified one where there is one.
    #[must_use]
    pub fn hostname(&self) -> (String, Option<String>) {
        hostname(&self.pod, self.network.dns.as_deref().map(|(_, domain)| domain.as_str()))
    }

    /// The text of `/etc/hosts`.
    #[must_use]
    pub fn hosts(&self) -> String {
        hosts(&self.pod, &self.network)
    }

    /// The text of `/etc/resolv.conf`.
    #[must_use]
    pub fn resolv_conf(&self) -> String {
        resolv_conf(&self.pod, &self.network)
    }
}

/// The container of this name. Ephemeral ones are looked at as if they were ordinary.
#[must_use]
pub fn find<'a>(spec: &'a PodSpec, name: &str) -> Option<Cow<'a, Container>> {
    let ordinary = || spec.containers.iter().chain(spec.init_containers.iter().flatten()).find(|container| container.name == name);
    let ephemeral = || spec.ephemeral_containers.iter().flatten().find(|container| container.name == name);
    ordinary().map(Cow::Borrowed).or_else(|| ephemeral().map(|container| Cow::Owned(ordinary_form(container))))
}

/// An ephemeral container in the form of an ordinary one; only its target has no place there.
#[must_use]
pub fn ordinary_form(container: &EphemeralContainer) -> Container {
    let own = container.clone();
    Container {
        args: own.args,
        command: own.command,
        env: own.env,
        env_from: own.env_from,
        image: own.image,
        image_pull_policy: own.image_pull_policy,
        name: own.name,
        resources: own.resources,
        security_context: own.security_context,
        stdin: own.stdin,
        stdin_once: own.stdin_once,
        termination_message_path: own.termination_message_path,
        termination_message_policy: own.termination_message_policy,
        tty: own.tty,
        volume_devices: own.volume_devices,
        volume_mounts: own.volume_mounts,
        working_dir: own.working_dir,
        ..Container::default()
    }
}

/// The variables a pod gives a container. Those of Services are the same for all pods of a namespace and shared by them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Those of Services, sorted by name.
    pub services: Arc<[(String, String)]>,
    /// All others, in the pod's order, each name once. They win.
    pub own: Vec<(String, String)>,
}

impl Environment {
    /// Every variable once.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let services = self.services.iter().filter(|(name, _)| self.own(name).is_none());
        services.chain(&self.own).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let service = || {
            let place = self.services.binary_search_by(|(other, _)| other.as_str().cmp(name)).ok()?;
            self.services.get(place).map(|(_, value)| value.as_str())
        };
        self.own(name).or_else(service)
    }

    fn own(&self, name: &str) -> Option<&str> {
        self.own.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// A volume, or a part of one, in a container's file system.
#[derive(Clone, Debug)]
pub struct Mount {
    /// The volume's name in the pod.
    pub volume: String,
    /// Where it is mounted.
    pub path: String,
    /// The part of the volume that is mounted; empty for all of it. Such a part does not follow changes of its [`Files`].
    pub sub_path: String,
    /// Whether the container may only read it.
    pub read_only: bool,
    /// What is in it.
    pub source: Source,
}

/// What a volume is made of.
#[derive(Clone, Debug)]
pub enum Source {
    /// Files made from objects of the API. They are read-only and follow their objects.
    Files(Arc<dyn Files>),
    /// Empty at first, shared by the containers of the pod, gone with it.
    Empty {
        /// In memory.
        memory: bool,
        /// How many bytes it may hold.
        limit: Option<u64>,
    },
    /// A path of the node's make-believe file system.
    Host {
        /// Which.
        path: String,
        /// What must be there or is made, in the API's word, such as `DirectoryOrCreate`; may be empty.
        kind: String,
    },
    /// A disk that outlives pods, known by this name to the whole cluster.
    Disk {
        /// The name of its PersistentVolume.
        name: String,
    },
}

/// The files of a volume, made whenever somebody looks.
pub trait Files: Debug + Send + Sync {
    /// What is there now. Paths are relative and have no `..`.
    fn list(&self) -> Vec<File>;
}

/// One file of a volume.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is in the volume.
    pub path: String,
    /// Its permissions.
    pub mode: u32,
    /// What is in it.
    pub content: Content,
}

/// What is in a file.
#[derive(Clone, Debug)]
pub enum Content {
    /// These bytes.
    Bytes(Bytes),
    /// A token, which is asked for when it is read.
    Token(Arc<dyn Token>),
}

/// A token of the pod's service account. Reading it again is cheap: it is asked for anew only when it gets old.
pub trait Token: Debug + Send + Sync {
    /// The token as it is now.
    ///
    /// # Errors
    /// A sentence, when the API server does not give one.
    fn read(&self) -> BoxFuture<'static, Result<Bytes, String>>;
}

/// The name of a pod as its containers know it, and the fully qualified one where there is one.
fn hostname(pod: &Pod, domain: Option<&str>) -> (String, Option<String>) {
    let spec = pod.spec.as_ref();
    if let Some(name) = spec.and_then(|spec| spec.hostname_override.clone()) {
        return (name, None);
    }
    let own = spec.and_then(|spec| spec.hostname.as_deref()).filter(|name| !name.is_empty());
    let mut name = own.or(pod.metadata.name.as_deref()).unwrap_or_default();
    if name.len() > LONGEST_HOSTNAME {
        name = name[..LONGEST_HOSTNAME].trim_end_matches(['-', '.']);
    }
    let subdomain = spec.and_then(|spec| spec.subdomain.as_deref()).filter(|name| !name.is_empty());
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let full = subdomain.zip(domain).map(|(subdomain, domain)| format!("{name}.{subdomain}.{namespace}.svc.{domain}"));
    match full {
        Some(full) if spec.is_some_and(|spec| spec.set_hostname_as_fqdn == Some(true)) => (full.clone(), Some(full)),
        full => (name.to_owned(), full),
    }
}

/// The text of `/etc/hosts`, as a kubelet manages it.
fn hosts(pod: &Pod, network: &Network) -> String {
    let spec = pod.spec.as_ref();
    let shared = spec.is_some_and(|spec| spec.host_network == Some(true));
    let mut text = String::from("# Kubernetes-managed hosts file");
    text.push_str(if shared { " (host network).\n" } else { ".\n" });
    text.push_str("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    if shared {
        text.push_str("fe00::0 ip6-localnet\nfe00::0 ip6-mcastprefix\nfe00::1 ip6-allnodes\nfe00::2 ip6-allrouters\n");
    } else {
        text.push_str("fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
        let (name, full) = hostname(pod, network.dns.as_deref().map(|(_, domain)| domain.as_str()));
        let short = name.split('.').next().unwrap_or_default();
        let names = full.map_or_else(|| name.clone(), |full| format!("{full}\t{short}"));
        if let Some(ip) = network.ip {
            let _ = writeln!(text, "{ip}\t{names}");
        }
    }
    let aliases = spec.and_then(|spec| spec.host_aliases.as_deref()).unwrap_or_default();
    if !aliases.is_empty() {
        text.push_str("\n# Entries added by HostAliases.\n");
    }
    for alias in aliases {
        let _ = writeln!(text, "{}\t{}", alias.ip, alias.hostnames.as_deref().unwrap_or_default().join("\t"));
    }
    text
}

/// The text of `/etc/resolv.conf`. A node by itself has the cluster's server and searches nothing.
fn resolv_conf(pod: &Pod, network: &Network) -> String {
    let spec = pod.spec.as_ref();
    let policy = spec.and_then(|spec| spec.dns_policy.as_deref()).unwrap_or("ClusterFirst");
    let shared = spec.is_some_and(|spec| spec.host_network == Some(true));
    let (mut servers, mut search, mut options) = (Vec::new(), Vec::new(), Vec::new());
    if let Some((server, domain)) = network.dns.as_deref().filter(|_| policy != "None") {
        servers.push(server.to_string());
        if policy == "ClusterFirstWithHostNet" || (policy == "ClusterFirst" && !shared) {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            search.extend([format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.clone()]);
            options.push(("ndots".to_owned(), Some("5".to_owned())));
        }
    }
    if let Some(PodDNSConfig { nameservers, options: more, searches }) = spec.and_then(|spec| spec.dns_config.as_ref()) {
        add(&mut servers, nameservers);
        add(&mut search, searches);
        for option in more.iter().flatten() {
            let name = option.name.clone().unwrap_or_default();
            options.retain(|(other, _)| *other != name);
            options.push((name, option.value.clone()));
        }
    }
    let mut text = String::new();
    if !search.is_empty() {
        let _ = writeln!(text, "search {}", search.join(" "));
    }
    for server in servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    if !options.is_empty() {
        let written = options.into_iter().map(|(name, value)| value.map_or(name.clone(), |value| format!("{name}:{value}")));
        let _ = writeln!(text, "options {}", written.collect::<Vec<_>>().join(" "));
    }
    text
}

/// Appends what is not there yet.
fn add(to: &mut Vec<String>, more: &Option<Vec<String>>) {
    for one in more.iter().flatten() {
        if !to.contains(one) {
            to.push(one.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::*;

    fn request(spec: Value) -> StartRequest {
        let mut pod = json!({ "metadata": { "name": "web-0", "namespace": "shop" }, "spec": { "containers": [] } });
        json_patch::merge(&mut pod["spec"], &spec);
        let pod = Arc::new(serde_json::from_value(pod).unwrap());
        let image = Image { reference: String::new(), id: String::new(), size: 0 };
        let dns = Some(Arc::new(("10.254.0.10".parse().unwrap(), "cluster.local".to_owned())));
        let network = Network { ip: "10.244.1.5".parse().ok(), host_ip: None, dns };
        StartRequest { network, ..StartRequest::bare("n".into(), pod, "c".into(), 0, image) }
    }

    fn check(spec: Value, expected: Expect) {
        let request = request(spec);
        let (name, full) = request.hostname();
        let (hosts, resolv) = (request.hosts(), request.resolv_conf());
        let hosts = hosts.lines().filter(|line| !line.contains("ip6-")).collect::<Vec<_>>().join("\n");
        expected.assert_eq(&format!("{name} {full:?}\n{hosts}\n{resolv}"));
    }

    #[test]
    fn an_ordinary_pod() {
        check(
            json!({ "hostAliases": [{ "ip": "127.0.0.1", "hostnames": ["foo.local", "bar.local"] }] }),
            expect![[r#"
                web-0 None
                # Kubernetes-managed hosts file.
                127.0.0.1	localhost
                10.244.1.5	web-0

                # Entries added by HostAliases.
                127.0.0.1	foo.local	bar.local
                search shop.svc.cluster.local svc.cluster.local cluster.local
                nameserver 10.254.0.10
                options ndots:5
            "#]],
        );
    }

    #[test]
    fn a_pod_of_a_headless_service() {
        check(
            json!({ "hostname": "db", "subdomain": "sql", "setHostnameAsFQDN": true, "dnsPolicy": "None",
                "dnsConfig": { "nameservers": ["1.1.1.1"], "searches": ["example.org"], "options": [{ "name": "edns0" }, { "name": "ndots", "value": "2" }] } }),
            expect![[r#"
                db.sql.shop.svc.cluster.local Some("db.sql.shop.svc.cluster.local")
                # Kubernetes-managed hosts file.
                127.0.0.1	localhost
                10.244.1.5	db.sql.shop.svc.cluster.local	db
                search example.org
                nameserver 1.1.1.1
                options edns0 ndots:2
            "#]],
        );
    }

    #[test]
    fn a_pod_in_the_network_of_its_node() {
        check(
            json!({ "hostNetwork": true }),
            expect![[r#"
                web-0 None
                # Kubernetes-managed hosts file (host network).
                127.0.0.1	localhost
                nameserver 10.254.0.10
            "#]],
        );
    }

    #[test]
    fn own_variables_win_over_those_of_services() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let services = [pair("A_SERVICE_HOST", "1"), pair("B_SERVICE_HOST", "2")];
        let environment = Environment { services: Arc::new(services), own: vec![pair("B_SERVICE_HOST", "mine"), pair("C", "3")] };
        assert_eq!(environment.iter().collect::<Vec<_>>(), [("A_SERVICE_HOST", "1"), ("B_SERVICE_HOST", "mine"), ("C", "3")]);
        assert_eq!(
            (environment.get("A_SERVICE_HOST"), environment.get("B_SERVICE_HOST"), environment.get("D")),
            (Some("1"), Some("mine"), None)
        );
    }

    #[test]
    fn ephemeral_containers_are_found_too() {
        let request =
            request(json!({ "ephemeralContainers": [{ "name": "c", "image": "busybox", "command": ["sh"], "targetContainerName": "x" }] }));
        assert_eq!(request.spec().map(|spec| spec.image.clone()), Some(Some("busybox".to_owned())));
        assert_eq!(request.command, ["sh"]);
    }
}
