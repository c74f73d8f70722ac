//! The cluster's DNS: what CoreDNS answers with the configuration that kubeadm gives it (`pods insecure`, names of endpoints by
//! hostname). A name that is not there is NXDOMAIN; one that is there without such a record is an empty answer.
//!
//! Nobody is asked about names outside of the cluster, where nothing is: none of them exists.
//!
//! Must not know: who asks, how names are written in packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::index::{Index, Means, Name, Place};

/// The zone of the cluster.
pub const ZONE: &str = "cluster.local";
/// Where pods ask: the tenth address of the Services' range, as kubeadm has it. Nothing is sent there; it is what they are told.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 254, 0, 10);
/// For how many seconds an answer holds.
pub const TTL: u32 = 30;
/// A name with fewer dots is tried with every suffix first.
const DOTS: usize = 5;
/// How many names may follow from one another.
const ALIASES: usize = 8;
/// The version of the schema of names, as it is asked for by `dns-version`.
const SCHEMA: &str = "1.1.0";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The name it stands for.
    Cname,
    /// Hosts and ports.
    Srv,
    /// The name of an address.
    Ptr,
    /// A text.
    Txt,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// It stands for this name.
    Cname(String),
    /// A host and a port.
    Srv {
        /// Its share among those there are, of 100.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        target: String,
    },
    /// The name of an address.
    Ptr(String),
    /// A text.
    Txt(String),
}

/// One answer about a name. Names are whole, and without the last dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The name it is about.
    pub name: String,
    /// What is said about it.
    pub data: Data,
}

/// All that is answered to a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// There is no such name.
    pub nxdomain: bool,
    /// What was asked for.
    pub records: Vec<Record>,
    /// What will be asked next: the addresses of hosts that were named.
    pub additional: Vec<Record>,
}

impl Answer {
    fn nothing() -> Self {
        Self { nxdomain: true, ..Self::default() }
    }

    /// The addresses among the records.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.records.iter().filter_map(|record| match record.data {
            Data::A(ip) => Some(ip.into()),
            Data::Aaaa(ip) => Some(ip.into()),
            _ => None,
        })
    }
}

/// The names that are asked for in turn, until one is there, when a pod of a namespace looks for a name.
#[must_use]
pub fn search(name: &str, namespace: &str) -> Vec<String> {
    let whole = name.trim_end_matches('.').to_owned();
    if name.ends_with('.') {
        return vec![whole];
    }
    let suffixes = [format!("{namespace}.svc.{ZONE}"), format!("svc.{ZONE}"), ZONE.to_owned()];
    let tried = suffixes.map(|suffix| format!("{whole}.{suffix}"));
    let few = name.matches('.').count() < DOTS;
    if few { tried.into_iter().chain([whole]).collect() } else { [whole].into_iter().chain(tried).collect() }
}

/// What is under a name.
struct Found {
    host: Host,
    /// The name of just this one.
    key: String,
    port: u16,
}

enum Host {
    Address(IpAddr),
    Alias(String),
}

/// Answers a question.
pub(crate) fn answer(index: &Index, question: &str, kind: Kind) -> Answer {
    let name = question.trim_end_matches('.').to_ascii_lowercase();
    if let Some(ip) = reversed(&name) {
        return reverse(index, &name, ip, kind);
    }
    let Some(base) = inside(&name) else { return Answer::nothing() };
    if base == "dns-version" {
        let records = if kind == Kind::Txt { vec![Record { name, data: Data::Txt(SCHEMA.to_owned()) }] } else { Vec::new() };
        return Answer { records, ..Answer::default() };
    }
    let Some(found) = find(index, base) else { return Answer::nothing() };
    match kind {
        Kind::A | Kind::Aaaa | Kind::Cname => Answer { records: hosts(index, &name, found, kind, ALIASES), ..Answer::default() },
        Kind::Srv => services(&name, found),
        Kind::Ptr | Kind::Txt => Answer::default(),
    }
}

/// What is before the zone, if the name is in it.
fn inside(name: &str) -> Option<&str> {
    if name == ZONE { Some("") } else { name.strip_suffix(ZONE)?.strip_suffix('.') }
}

/// All that is under a name of the zone; none if there is no such name.
fn find(index: &Index, base: &str) -> Option<Vec<Found>> {
    let mut labels: Vec<&str> = base.split('.').filter(|label| !label.is_empty()).collect();
    let Some(sort) = labels.pop() else { return Some(Vec::new()) };
    if sort != "svc" && sort != "pod" {
        return None;
    }
    let Some(namespace) = labels.pop() else { return Some(Vec::new()) };
    if !index.has_namespace(namespace) {
        return None;
    }
    let Some(name) = labels.pop() else { return Some(Vec::new()) };
    let bare = |label: &str| label.strip_prefix('_').unwrap_or(label).to_owned();
    let wanted = match labels[..] {
        [] => Wanted::default(),
        [endpoint] => Wanted { endpoint: Some(endpoint.to_owned()), ..Wanted::default() },
        [port, protocol] => Wanted { port: Some(bare(port)), protocol: Some(bare(protocol)), ..Wanted::default() },
        _ => return None,
    };
    if sort == "pod" { pod(namespace, name) } else { service(index, namespace, name, &wanted) }
}

/// What of a Service is asked for; all of it where nothing is said.
#[derive(Default)]
struct Wanted {
    endpoint: Option<String>,
    port: Option<String>,
    protocol: Option<String>,
}

impl Wanted {
    fn fits(&self, port: &str, protocol: &str) -> bool {
        let same = |wanted: &Option<String>, there: &str| wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(there));
        same(&self.port, port) && same(&self.protocol, protocol)
    }
}

/// Whatever looks like an address is one: nobody asks whether there is such a pod.
fn pod(namespace: &str, name: &str) -> Option<Vec<Found>> {
    let is_v4 = name.matches('-').count() == 3 && !name.contains("--");
    let ip = name.replace('-', if is_v4 { "." } else { ":" }).parse().ok()?;
    Some(vec![Found { host: Host::Address(ip), key: format!("{name}.{namespace}.pod.{ZONE}"), port: 0 }])
}

fn service(index: &Index, namespace: &str, name: &str, wanted: &Wanted) -> Option<Vec<Found>> {
    let service = Name::new(namespace, name);
    let known = index.service(&service)?;
    let key = format!("{name}.{namespace}.svc.{ZONE}");
    let found: Vec<Found> = match &known.means {
        Means::Alias(alias) => {
            let plain = wanted.endpoint.is_none() && wanted.port.is_none();
            let alias = alias.trim_end_matches('.').to_ascii_lowercase();
            // An address is no name that another could stand for.
            let one = (plain && alias.parse::<IpAddr>().is_err()).then_some(Found { host: Host::Alias(alias), key, port: 0 });
            one.into_iter().collect()
        }
        Means::Addresses(ips) if wanted.endpoint.is_none() => {
            let ports = known.ports.iter().filter(|port| wanted.fits(&port.name.port, &port.name.protocol));
            let each = |port: u16| ips.iter().map(move |ip| (*ip, port));
            ports.flat_map(|port| each(port.port)).map(|(ip, port)| Found { host: Host::Address(ip), key: key.clone(), port }).collect()
        }
        Means::Addresses(_) | Means::Headless => {
            let is_wanted = |place: &&Place| wanted.endpoint.as_ref().is_none_or(|wanted| *wanted == hostname(place));
            let places = index.places(&service).filter(is_wanted);
            let ports = places.flat_map(|place| {
                let fitting = place.ports.iter().filter(|(port, protocol, _)| wanted.fits(port, protocol)).map(|(.., number)| *number);
                // A Service without ports has addresses all the same.
                let bare = (place.ports.is_empty() && wanted.port.is_none()).then_some(0);
                fitting.chain(bare).map(move |port| (place, port))
            });
            ports.map(|(place, port)| Found { host: Host::Address(place.ip), key: format!("{}.{key}", hostname(place)), port }).collect()
        }
    };
    (!found.is_empty()).then_some(found)
}

/// The name of an endpoint under its Service.
fn hostname(place: &Place) -> String {
    place.hostname.as_ref().map_or_else(|| place.ip.to_string().replace(['.', ':'], "-"), |name| name.to_ascii_lowercase())
}

fn data(ip: IpAddr) -> Data {
    match ip {
        IpAddr::V4(ip) => Data::A(ip),
        IpAddr::V6(ip) => Data::Aaaa(ip),
    }
}

/// The addresses of a kind among what was found, each once, and what other names lead to them.
fn hosts(index: &Index, name: &str, found: Vec<Found>, kind: Kind, aliases: usize) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for found in found {
        let new = match found.host {
            Host::Address(ip) if (kind == Kind::A && ip.is_ipv4()) || (kind == Kind::Aaaa && ip.is_ipv6()) => vec![data(ip)],
            Host::Alias(alias) if alias != name && aliases > 0 => {
                let next = match inside(&alias).filter(|_| kind != Kind::Cname) {
                    Some(base) => find(index, base).map(|found| hosts(index, &alias, found, kind, aliases - 1)).unwrap_or_default(),
                    None => Vec::new(),
                };
                // Within the zone it is only worth telling with what it leads to.
                if kind == Kind::Cname || inside(&alias).is_none() || !next.is_empty() {
                    records.push(Record { name: name.to_owned(), data: Data::Cname(alias) });
                    records.extend(next);
                }
                continue;
            }
            _ => continue,
        };
        for data in new {
            let record = Record { name: name.to_owned(), data };
            if !records.contains(&record) {
                records.push(record);
            }
        }
    }
    records
}

/// Hosts and ports, and the addresses of the hosts.
fn services(name: &str, found: Vec<Found>) -> Answer {
    let mut answer = Answer::default();
    let hosts: Vec<(IpAddr, String, u16)> = found
        .into_iter()
        .filter_map(|found| match found.host {
            Host::Address(ip) => Some((ip, found.key, found.port)),
            Host::Alias(_) => None,
        })
        .collect();
    let weight = u16::try_from(100 / hosts.len().max(1)).unwrap_or_default();
    for (ip, target, port) in hosts {
        let one = Record { name: name.to_owned(), data: Data::Srv { weight, port, target: target.clone() } };
        let host = Record { name: target, data: data(ip) };
        if !answer.records.contains(&one) {
            answer.records.push(one);
        }
        if !answer.additional.contains(&host) {
            answer.additional.push(host);
        }
    }
    answer
}

/// The address that a name of the reverse zones spells.
fn reversed(name: &str) -> Option<IpAddr> {
    if let Some(v4) = name.strip_suffix(".in-addr.arpa") {
        let octets: Vec<&str> = v4.rsplit('.').collect();
        return octets.join(".").parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    let digits: String = name.strip_suffix(".ip6.arpa")?.rsplit('.').collect();
    let groups: Vec<&str> = (0..8).map(|group| digits.get(group * 4..group * 4 + 4)).collect::<Option<_>>()?;
    groups.join(":").parse::<Ipv6Addr>().ok().filter(|_| digits.len() == 32).map(IpAddr::V6)
}

/// The name of a Service's own address, or else those of endpoints that have a hostname.
fn reverse(index: &Index, name: &str, ip: IpAddr, kind: Kind) -> Answer {
    let own = |known: &super::index::Known| matches!(&known.means, Means::Addresses(ips) if ips.contains(&ip));
    let mut names: Vec<String> = index
        .met_at(ip)
        .filter(|(_, known)| own(known))
        .map(|(service, _)| format!("{}.{}.svc.{ZONE}", service.name, service.namespace))
        .take(1)
        .collect();
    if names.is_empty() {
        names = index.named_at(ip).map(|(service, host)| format!("{host}.{}.{}.svc.{ZONE}", service.name, service.namespace)).collect();
        names.sort();
        names.dedup();
    }
    if names.is_empty() {
        return Answer::nothing();
    }
    let record = |target| Record { name: name.to_owned(), data: Data::Ptr(target) };
    let records = names.into_iter().filter(|_| kind == Kind::Ptr).map(record).collect();
    Answer { records, ..Answer::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::network::index::tests::{put, service, slice};

    fn index() -> Index {
        let mut index = Index::default();
        for name in ["default", "other"] {
            put::<k8s_openapi::api::core::v1::Namespace>(&mut index, json!({ "metadata": { "name": name } }));
        }
        let ports = json!([{ "name": "http", "port": 8080 }, { "name": "dns", "port": 53, "protocol": "UDP" }]);
        service(&mut index, "default", "web", json!({ "clusterIP": "10.254.0.10", "ports": ports }));
        service(&mut index, "default", "db", json!({ "clusterIP": "None", "ports": [{ "name": "http", "port": 80 }] }));
        service(&mut index, "default", "empty", json!({ "clusterIP": "None", "ports": [{ "name": "http", "port": 80 }] }));
        for (name, alias) in [
            ("out", "example.com"),
            ("near", "web.default.svc.cluster.local"),
            ("loop", "loop.other.svc.cluster.local"),
            ("ip", "1.2.3.4"),
            ("lost", "x.default.svc.cluster.local"),
        ] {
            service(&mut index, "other", name, json!({ "type": "ExternalName", "externalName": alias }));
        }
        slice(&mut index, "default", "web", "web", "http", &["10.244.1.2 n1 ready"]);
        slice(
            &mut index,
            "default",
            "db",
            "db",
            "http",
            &["10.244.1.3 n1 ready db-0", "10.244.2.3 n2 ready db-1", "10.244.2.4 n2 unready db-2", "10.244.2.5 n2 ready"],
        );
        index
    }

    fn show(answer: &Answer) -> String {
        if answer.nxdomain {
            return "NXDOMAIN".to_owned();
        }
        let one = |record: &Record| match &record.data {
            Data::A(ip) => ip.to_string(),
            Data::Aaaa(ip) => ip.to_string(),
            Data::Cname(name) => format!("={name}"),
            Data::Srv { weight, port, target } => format!("{weight} {port} {target}"),
            Data::Ptr(name) => name.clone(),
            Data::Txt(text) => format!("{text:?}"),
        };
        answer.records.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn names_lead_to_what_coredns_says() {
        let index = index();
        let (a, aaaa, srv, ptr) = (Kind::A, Kind::Aaaa, Kind::Srv, Kind::Ptr);
        for (name, kind, expected) in [
            ("web.default.svc.cluster.local", a, "10.254.0.10"),
            ("WEB.default.svc.cluster.local.", a, "10.254.0.10"),
            ("web.default.svc.cluster.local", aaaa, ""),
            ("web.other.svc.cluster.local", a, "NXDOMAIN"),
            ("web.nowhere.svc.cluster.local", a, "NXDOMAIN"),
            ("default.svc.cluster.local", a, ""),
            ("nowhere.svc.cluster.local", a, "NXDOMAIN"),
            ("svc.cluster.local", a, ""),
            ("cluster.local", a, ""),
            ("x.cluster.local", a, "NXDOMAIN"),
            ("a.b.c.web.default.svc.cluster.local", a, "NXDOMAIN"),
            // Endpoints by name.
            ("db.default.svc.cluster.local", a, "10.244.1.3, 10.244.2.3, 10.244.2.5"),
            ("db-0.db.default.svc.cluster.local", a, "10.244.1.3"),
            ("db-2.db.default.svc.cluster.local", a, "NXDOMAIN"),
            ("10-244-2-5.db.default.svc.cluster.local", a, "10.244.2.5"),
            ("10-244-1-3.db.default.svc.cluster.local", a, "NXDOMAIN"),
            ("10-244-1-2.web.default.svc.cluster.local", a, "10.244.1.2"),
            ("empty.default.svc.cluster.local", a, "NXDOMAIN"),
            // Named ports.
            ("_http._tcp.web.default.svc.cluster.local", srv, "100 8080 web.default.svc.cluster.local"),
            ("_dns._udp.web.default.svc.cluster.local", srv, "100 53 web.default.svc.cluster.local"),
            ("_dns._tcp.web.default.svc.cluster.local", srv, "NXDOMAIN"),
            (
                "_http._tcp.db.default.svc.cluster.local",
                srv,
                "33 80 db-0.db.default.svc.cluster.local, 33 80 db-1.db.default.svc.cluster.local, 33 80 10-244-2-5.db.default.svc.cluster.local",
            ),
            // Pods by address.
            ("10-244-1-2.default.pod.cluster.local", a, "10.244.1.2"),
            ("9-9-9-9.default.pod.cluster.local", a, "9.9.9.9"),
            ("10-244-1.default.pod.cluster.local", a, "NXDOMAIN"),
            ("10-244-1-2.nowhere.pod.cluster.local", a, "NXDOMAIN"),
            // Other names for things.
            ("out.other.svc.cluster.local", a, "=example.com"),
            ("out.other.svc.cluster.local", Kind::Cname, "=example.com"),
            ("near.other.svc.cluster.local", a, "=web.default.svc.cluster.local, 10.254.0.10"),
            ("loop.other.svc.cluster.local", a, ""),
            ("lost.other.svc.cluster.local", a, ""),
            ("ip.other.svc.cluster.local", a, "NXDOMAIN"),
            ("out.other.svc.cluster.local", srv, ""),
            // Addresses.
            ("10.0.254.10.in-addr.arpa", ptr, "web.default.svc.cluster.local"),
            ("3.1.244.10.in-addr.arpa", ptr, "db-0.db.default.svc.cluster.local"),
            ("5.2.244.10.in-addr.arpa", ptr, "NXDOMAIN"),
            ("10.0.254.10.in-addr.arpa", a, ""),
            ("dns-version.cluster.local", Kind::Txt, "\"1.1.0\""),
            ("example.com", a, "NXDOMAIN"),
        ] {
            assert_eq!(show(&answer(&index, name, kind)), expected, "{name} {kind:?}");
        }
        let hosts = answer(&index, "_http._tcp.db.default.svc.cluster.local", srv).additional;
        assert_eq!(hosts[0], Record { name: "db-0.db.default.svc.cluster.local".into(), data: Data::A(Ipv4Addr::new(10, 244, 1, 3)) });
    }

    #[test]
    fn short_names_are_tried_with_suffixes() {
        assert_eq!(
            search("web.other", "default"),
            ["web.other.default.svc.cluster.local", "web.other.svc.cluster.local", "web.other.cluster.local", "web.other"]
        );
        assert_eq!(search("web.", "default"), ["web"]);
        assert_eq!(search("a.b.c.d.e.f", "default")[0], "a.b.c.d.e.f");
        assert_eq!(search("web.default.svc.cluster.local", "default").last().unwrap(), "web.default.svc.cluster.local");
    }

    #[test]
    fn addresses_are_spelled_backwards() {
        assert_eq!(reversed("1.0.254.10.in-addr.arpa"), Some([10, 254, 0, 1].into()));
        let ones = format!("1.{}ip6.arpa", "0.".repeat(31));
        assert_eq!(reversed(&ones), Some(Ipv6Addr::LOCALHOST.into()));
        for none in ["254.10.in-addr.arpa", "x.0.254.10.in-addr.arpa", "1.0.ip6.arpa", "cluster.local"] {
            assert_eq!(reversed(none), None, "{none}");
        }
    }
}
