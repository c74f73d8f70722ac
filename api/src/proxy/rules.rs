//! What kube-proxy programs on a node, as `iptables-save` prints it: the chains and rules of its iptables mode, which detects pods by
//! the node's own range of addresses. Chains that only watch whether somebody flushed the tables are left out.
//!
//! Must not know: that nothing of it is ever programmed here.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    net::IpAddr,
};

use super::{Endpoint, ServicePort, Usable, chain, usable};

/// The mark of packets whose source is to be hidden.
const MASQUERADE: &str = "KUBE-MARK-MASQ";
const SERVICES: &str = "KUBE-SERVICES";
const EXTERNAL_SERVICES: &str = "KUBE-EXTERNAL-SERVICES";
const NODE_PORTS: &str = "KUBE-NODEPORTS";
const FIREWALL: &str = "KUBE-PROXY-FIREWALL";
/// What is there whatever the Services are: table, chain, rule.
const FRAME: &[(&str, &str, &str)] = &[
    ("filter", "INPUT", r#"-m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL"#),
    ("filter", "INPUT", r#"-m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS"#),
    (
        "filter",
        "INPUT",
        r#"-m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES"#,
    ),
    ("filter", "INPUT", "-j KUBE-FIREWALL"),
    ("filter", "FORWARD", r#"-m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL"#),
    ("filter", "FORWARD", r#"-m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD"#),
    ("filter", "FORWARD", r#"-m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES"#),
    (
        "filter",
        "FORWARD",
        r#"-m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES"#,
    ),
    ("filter", "OUTPUT", r#"-m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL"#),
    ("filter", "OUTPUT", r#"-m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES"#),
    ("filter", "OUTPUT", "-j KUBE-FIREWALL"),
    (
        "filter",
        "KUBE-FIREWALL",
        r#"! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"#,
    ),
    ("filter", "KUBE-FORWARD", "-m conntrack --ctstate INVALID -j DROP"),
    ("filter", "KUBE-FORWARD", r#"-m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT"#),
    (
        "filter",
        "KUBE-FORWARD",
        r#"-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"#,
    ),
    ("nat", "PREROUTING", r#"-m comment --comment "kubernetes service portals" -j KUBE-SERVICES"#),
    ("nat", "OUTPUT", r#"-m comment --comment "kubernetes service portals" -j KUBE-SERVICES"#),
    ("nat", "POSTROUTING", r#"-m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING"#),
    ("nat", MASQUERADE, "-j MARK --set-xmark 0x4000/0x4000"),
    ("nat", "KUBE-POSTROUTING", "-m mark ! --mark 0x4000/0x4000 -j RETURN"),
    ("nat", "KUBE-POSTROUTING", "-j MARK --set-xmark 0x4000/0x0"),
    ("nat", "KUBE-POSTROUTING", r#"-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully"#),
];
/// The chains the kernel has, in its order.
const BUILT_IN: &[(&str, &[&str])] =
    &[("filter", &["INPUT", "FORWARD", "OUTPUT"]), ("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"])];
/// The last rule of the services' chain.
const LAST: &str = r#"-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"#;

/// The node whose rules they are.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// Its name, which tells whose endpoints are its own.
    pub name: &'a str,
    /// Its address.
    pub ip: Option<IpAddr>,
    /// The range of its pods' addresses.
    pub pod_range: Option<&'a str>,
}

/// The rules of one table, by chain.
type Table = BTreeMap<String, Vec<String>>;

/// What a node's proxy programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    filter: Table,
    nat: Table,
}

impl Rules {
    /// The rules for these ports and their endpoints, which are given in order.
    #[must_use]
    pub fn new(node: Node<'_>, ports: &[(ServicePort, Vec<Endpoint>)]) -> Self {
        let mut rules = Self::default();
        for chain in [SERVICES, EXTERNAL_SERVICES, NODE_PORTS, FIREWALL] {
            rules.filter.entry(chain.to_owned()).or_default();
        }
        for chain in [SERVICES, NODE_PORTS] {
            rules.nat.entry(chain.to_owned()).or_default();
        }
        for (port, endpoints) in ports {
            let endpoints: Vec<Endpoint> = endpoints.iter().filter(|endpoint| endpoint.ip.is_ipv4()).cloned().collect();
            Programming::new(&mut rules, node, port, &endpoints).write();
        }
        rules
    }

    fn nat(&mut self, chain: &str, rule: String) {
        self.nat.entry(chain.to_owned()).or_default().push(rule);
    }

    fn filter(&mut self, chain: &str, rule: String) {
        self.filter.entry(chain.to_owned()).or_default().push(rule);
    }

    /// Only what is about the ports, in the order in which a packet meets it; what is there anyway is left out, but for the way in.
    #[must_use]
    pub fn excerpt(&self) -> String {
        let mut text = String::from("*nat\n");
        let rank = |chain: &str| {
            ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-FW-", "KUBE-EXT-", "KUBE-SVC-", "KUBE-SVL-"]
                .iter()
                .position(|prefix| chain.starts_with(prefix))
                .unwrap_or(6)
        };
        let mut chains: Vec<(&String, &Vec<String>)> = self.nat.iter().filter(|(_, rules)| !rules.is_empty()).collect();
        chains.sort_by_key(|(chain, _)| rank(chain));
        chains.iter().for_each(|(chain, _)| declare(&mut text, chain, "-"));
        for (_, chain, rule) in FRAME.iter().filter(|(table, _, rule)| *table == "nat" && rule.ends_with(SERVICES)) {
            say(&mut text, chain, rule);
        }
        let leads_to_node_ports = self.nat.get(NODE_PORTS).is_some_and(|rules| !rules.is_empty());
        let mut last = None;
        for (chain, rules) in chains {
            if last.replace(rank(chain)) != Some(rank(chain)) {
                text.push('\n');
            }
            rules.iter().for_each(|rule| say(&mut text, chain, rule));
            if chain == SERVICES && leads_to_node_ports {
                say(&mut text, SERVICES, LAST);
            }
        }
        if self.filter.values().any(|rules| !rules.is_empty()) {
            text.push_str("\n*filter\n");
            for (chain, rules) in &self.filter {
                rules.iter().for_each(|rule| say(&mut text, chain, rule));
            }
        }
        text
    }
}

impl fmt::Display for Rules {
    /// Both tables in full. Chains are in the order of their names, those of the kernel first, as `iptables-save` has them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, built_in) in BUILT_IN {
            let mut table = if *name == "nat" { self.nat.clone() } else { self.filter.clone() };
            for (_, chain, rule) in FRAME.iter().filter(|(table, ..)| table == name) {
                table.entry((*chain).to_owned()).or_default().push((*rule).to_owned());
            }
            if *name == "nat" {
                table.entry(SERVICES.to_owned()).or_default().push(LAST.to_owned());
            }
            let mut text = format!("*{name}\n");
            built_in.iter().for_each(|chain| declare(&mut text, chain, "ACCEPT"));
            let ours = || table.iter().filter(|(chain, _)| !built_in.contains(&chain.as_str()));
            ours().for_each(|(chain, _)| declare(&mut text, chain, "-"));
            let kernels = built_in.iter().filter_map(|chain| table.get_key_value(*chain));
            for (chain, rules) in kernels.chain(ours()) {
                rules.iter().for_each(|rule| say(&mut text, chain, rule));
            }
            writeln!(f, "{text}COMMIT")?;
        }
        Ok(())
    }
}

fn declare(text: &mut String, chain: &str, policy: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, ":{chain} {policy} [0:0]");
}

fn say(text: &mut String, chain: &str, rule: &str) {
    let _ = writeln!(text, "-A {chain} {rule}");
}

/// One port on its way into the tables.
struct Programming<'a> {
    rules: &'a mut Rules,
    node: Node<'a>,
    port: &'a ServicePort,
    usable: Usable<'a>,
    /// As it is told in comments.
    name: String,
    /// As iptables calls it.
    protocol: String,
    /// The chains for endpoints of all nodes, for those of this one, and for who comes from outside.
    cluster: String,
    local: String,
    external: String,
}

impl<'a> Programming<'a> {
    fn new(rules: &'a mut Rules, node: Node<'a>, port: &'a ServicePort, endpoints: &'a [Endpoint]) -> Self {
        let usable = usable(port, endpoints, |name| name == node.name);
        let chain = |prefix| chain::of_port(prefix, &port.name);
        Self {
            usable,
            name: port.name.to_string(),
            protocol: port.name.protocol.to_lowercase(),
            cluster: chain("KUBE-SVC-"),
            local: chain("KUBE-SVL-"),
            external: chain("KUBE-EXT-"),
            rules,
            node,
            port,
        }
    }

    /// A match of packets to an address and a port.
    fn to(&self, ip: IpAddr, comment: &str, port: u16) -> String {
        format!("-d {ip}/32 -p {0} -m comment --comment {comment:?} -m {0} --dport {port}", self.protocol)
    }

    /// What becomes of packets that find no endpoint, and what is said about it.
    fn turned_away(&self) -> (String, &'static str) {
        if self.usable.any {
            (format!("{} has no local endpoints", self.name), "DROP")
        } else {
            (format!("{} has no endpoints", self.name), "REJECT --reject-with icmp-port-unreachable")
        }
    }

    fn write(mut self) {
        self.own_addresses();
        self.external_addresses();
        self.node_port();
        self.outsiders();
        if !self.usable.cluster.is_empty() {
            self.spread(&self.cluster.clone(), &self.usable.cluster.clone());
        }
        if !self.usable.local.is_empty() {
            self.spread(&self.local.clone(), &self.usable.local.clone());
        }
        let mut reached = self.usable.cluster.clone();
        reached.extend(self.usable.local.iter().filter(|local| !self.usable.cluster.contains(local)));
        reached.into_iter().for_each(|endpoint| self.endpoint(endpoint));
    }

    /// Who comes to the Service's own address.
    fn own_addresses(&mut self) {
        let (chain, endpoints) =
            if self.port.internal_local { (&self.local, &self.usable.local) } else { (&self.cluster, &self.usable.cluster) };
        let (chain, served) = (chain.clone(), !endpoints.is_empty());
        for ip in self.port.cluster_ips.iter().copied().filter(IpAddr::is_ipv4) {
            if served {
                let to = self.to(ip, &format!("{} cluster IP", self.name), self.port.port);
                self.rules.nat(SERVICES, format!("{to} -j {chain}"));
                if let Some(range) = self.node.pod_range {
                    self.rules.nat(&chain, format!("! -s {range} {to} -j {MASQUERADE}"));
                }
            } else {
                let (comment, target) = self.turned_away();
                let to = self.to(ip, &comment, self.port.port);
                self.rules.filter(SERVICES, format!("{to} -j {target}"));
            }
        }
    }

    fn serves_outsiders(&self) -> bool {
        if self.port.external_local { !self.usable.local.is_empty() } else { self.usable.any }
    }

    /// Who comes to an address that leads here from outside.
    fn external_addresses(&mut self) {
        let firewall = chain::of_port("KUBE-FW-", &self.port.name);
        let guarded = !self.port.balancer_ips.is_empty() && !self.port.source_ranges.is_empty();
        let (name, external) = (self.name.clone(), self.external.clone());
        let ips = self.port.external_ips.iter().map(|ip| (ip, "external IP", &external));
        let balanced = self.port.balancer_ips.iter().map(|ip| (ip, "loadbalancer IP", if guarded { &firewall } else { &external }));
        for (ip, what, chain) in ips.chain(balanced).filter(|(ip, ..)| ip.is_ipv4()) {
            if self.usable.any {
                let to = self.to(*ip, &format!("{name} {what}"), self.port.port);
                self.rules.nat(SERVICES, format!("{to} -j {chain}"));
            }
            if *chain == firewall {
                let to = self.to(*ip, &format!("{name} traffic not accepted by {firewall}"), self.port.port);
                self.rules.filter(FIREWALL, format!("{to} -j DROP"));
            }
            if !self.serves_outsiders() {
                let (comment, target) = self.turned_away();
                let to = self.to(*ip, &comment, self.port.port);
                self.rules.filter(EXTERNAL_SERVICES, format!("{to} -j {target}"));
            }
        }
        if !guarded || !self.usable.any {
            return;
        }
        let comment = format!("-m comment --comment \"{name} loadbalancer IP\" -j {external}");
        for range in &self.port.source_ranges {
            self.rules.nat(&firewall, format!("-s {range} {comment}"));
        }
        let from_node = |ip: IpAddr| matches!(ip, IpAddr::V4(ip) if self.port.source_ranges.iter().any(|range| range.contains(ip)));
        if self.node.ip.is_some_and(from_node) {
            for ip in &self.port.balancer_ips {
                self.rules.nat(&firewall, format!("-s {ip}/32 {comment}"));
            }
        }
        self.rules.nat(&firewall, format!("-m comment --comment \"other traffic to {name} will be dropped by {FIREWALL}\""));
    }

    fn node_port(&mut self) {
        let (number, health) = (self.port.node_port, self.port.health_check_node_port);
        let (name, protocol) = (self.name.clone(), self.protocol.clone());
        if number != 0 && self.usable.any {
            let rule = format!("-p {protocol} -m comment --comment \"{name}\" -m {protocol} --dport {number} -j {}", self.external);
            self.rules.nat(NODE_PORTS, rule);
        }
        if number != 0 && !self.serves_outsiders() {
            let (comment, target) = self.turned_away();
            let at = format!("-m addrtype --dst-type LOCAL -m {protocol} --dport {number}");
            self.rules.filter(EXTERNAL_SERVICES, format!("-p {protocol} -m comment --comment {comment:?} {at} -j {target}"));
        }
        if health != 0 {
            let comment = format!("-m comment --comment \"{name} health check node port\"");
            self.rules.filter(NODE_PORTS, format!("-p tcp {comment} -m tcp --dport {health} -j ACCEPT"));
        }
    }

    /// What becomes of those who came from outside.
    fn outsiders(&mut self) {
        if !self.usable.any || !self.port.is_external() {
            return;
        }
        let (name, cluster, external) = (self.name.clone(), self.cluster.clone(), self.external.clone());
        let comment = |text: &str| format!("-m comment --comment \"{text} for {name} external destinations\"");
        if self.port.external_local {
            if let Some(range) = self.node.pod_range {
                self.rules.nat(&external, format!("-s {range} {} -j {cluster}", comment("pod traffic")));
            }
            let local = "-m addrtype --src-type LOCAL";
            self.rules.nat(&external, format!("{} {local} -j {MASQUERADE}", comment("masquerade LOCAL traffic")));
            self.rules.nat(&external, format!("{} {local} -j {cluster}", comment("route LOCAL traffic")));
        } else {
            self.rules.nat(&external, format!("{} -j {MASQUERADE}", comment("masquerade traffic")));
        }
        if self.serves_outsiders() {
            let chain = if self.port.external_local { &self.local } else { &cluster };
            self.rules.nat(&external, format!("-j {chain}"));
        }
    }

    /// Spreads connections evenly: each rule takes its share of what the ones before it left.
    fn spread(&mut self, chain: &str, endpoints: &[&Endpoint]) {
        let target = |endpoint: &Endpoint| chain::of_endpoint(&self.port.name, endpoint);
        let mut rules = Vec::new();
        let comment = |endpoint: &Endpoint| format!("-m comment --comment \"{} -> {endpoint}\"", self.name);
        if let Some(seconds) = self.port.affinity {
            for endpoint in endpoints {
                let there = target(endpoint);
                let recent = format!("--rcheck --seconds {seconds} --reap --name {there} --mask 255.255.255.255 --rsource");
                rules.push(format!("{} -m recent {recent} -j {there}", comment(endpoint)));
            }
        }
        for (before, endpoint) in endpoints.iter().enumerate() {
            let left = endpoints.len() - before;
            let share = if left > 1 { format!(" -m statistic --mode random --probability {}", probability(left)) } else { String::new() };
            rules.push(format!("{}{share} -j {}", comment(endpoint), target(endpoint)));
        }
        rules.into_iter().for_each(|rule| self.rules.nat(chain, rule));
    }

    fn endpoint(&mut self, endpoint: &Endpoint) {
        let chain = chain::of_endpoint(&self.port.name, endpoint);
        let comment = format!("-m comment --comment \"{}\"", self.name);
        self.rules.nat(&chain, format!("-s {}/32 {comment} -j {MASQUERADE}", endpoint.ip));
        let recent = format!(" -m recent --set --name {chain} --mask 255.255.255.255 --rsource");
        let recent = self.port.affinity.map(|_| recent).unwrap_or_default();
        let protocol = &self.protocol;
        self.rules.nat(&chain, format!("-p {protocol} {comment}{recent} -m {protocol} -j DNAT --to-destination {endpoint}"));
    }
}

/// One of so many, as the kernel keeps it: kube-proxy says ten digits of it, the kernel counts in 2^-31.
fn probability(of: usize) -> String {
    const ONE: u128 = 1 << 31;
    const DIGITS: u128 = 10_000_000_000;
    let rounded = |number: u128, by: u128| (2 * number + by) / (2 * by);
    let of = u128::try_from(of).unwrap_or(1).max(1);
    let kept = rounded(rounded(DIGITS, of) * ONE, DIGITS);
    let shown = rounded(kept * DIGITS * 10, ONE);
    format!("{}.{:011}", shown / (DIGITS * 10), shown % (DIGITS * 10))
}

#[cfg(test)]
mod tests;
