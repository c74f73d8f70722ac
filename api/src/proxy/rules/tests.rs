//! The rules of Services of each sort, whole.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::proxy::{ports, tests as samples};

const NODE: Node<'static> =
    Node { name: "a", ip: Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 2))), pod_range: Some("10.244.1.0/24") };

/// The rules of `default/httpd-service` of this spec with these endpoints.
fn rules(node: Node<'_>, spec: Value, endpoints: &[&str]) -> Rules {
    let status = json!({ "loadBalancer": { "ingress": [{ "ip": "203.0.113.1" }] } });
    let endpoints: Vec<Endpoint> = endpoints.iter().map(|text| samples::endpoint(text)).collect();
    let ports = ports(&samples::service("httpd-service", spec, status));
    Rules::new(node, &ports.into_iter().map(|port| (port, endpoints.clone())).collect::<Vec<_>>())
}

fn spec(more: Value) -> Value {
    let mut spec = json!({ "clusterIP": "10.254.182.36", "ports": [{ "port": 8080, "protocol": "TCP" }] });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

fn check(more: Value, endpoints: &[&str], expected: &Expect) {
    expected.assert_eq(&rules(NODE, spec(more), endpoints).excerpt());
}

#[test]
fn shares_are_the_kernels() {
    for (of, shown) in [(2, "0.50000000000"), (3, "0.33333333349"), (4, "0.25000000000"), (5, "0.20000000019"), (7, "0.14285714272")] {
        assert_eq!(probability(of), shown, "1/{of}");
    }
}

#[test]
fn a_service_of_two_pods() {
    check(
        json!({}),
        &["10.0.32.3 a ready", "10.0.32.4 b ready"],
        &expect![[r#"
        *nat
        :KUBE-SERVICES - [0:0]
        :KUBE-SVC-EHNHZY2AA2RZYURI - [0:0]
        :KUBE-SEP-BLMU4OWLL2V54FYS - [0:0]
        :KUBE-SEP-S2OHPZ7PY5RM6ERW - [0:0]
        -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES

        -A KUBE-SERVICES -d 10.254.182.36/32 -p tcp -m comment --comment "default/httpd-service cluster IP" -m tcp --dport 8080 -j KUBE-SVC-EHNHZY2AA2RZYURI

        -A KUBE-SVC-EHNHZY2AA2RZYURI ! -s 10.244.1.0/24 -d 10.254.182.36/32 -p tcp -m comment --comment "default/httpd-service cluster IP" -m tcp --dport 8080 -j KUBE-MARK-MASQ
        -A KUBE-SVC-EHNHZY2AA2RZYURI -m comment --comment "default/httpd-service -> 10.0.32.3:80" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-S2OHPZ7PY5RM6ERW
        -A KUBE-SVC-EHNHZY2AA2RZYURI -m comment --comment "default/httpd-service -> 10.0.32.4:80" -j KUBE-SEP-BLMU4OWLL2V54FYS

        -A KUBE-SEP-BLMU4OWLL2V54FYS -s 10.0.32.4/32 -m comment --comment "default/httpd-service" -j KUBE-MARK-MASQ
        -A KUBE-SEP-BLMU4OWLL2V54FYS -p tcp -m comment --comment "default/httpd-service" -m tcp -j DNAT --to-destination 10.0.32.4:80
        -A KUBE-SEP-S2OHPZ7PY5RM6ERW -s 10.0.32.3/32 -m comment --comment "default/httpd-service" -j KUBE-MARK-MASQ
        -A KUBE-SEP-S2OHPZ7PY5RM6ERW -p tcp -m comment --comment "default/httpd-service" -m tcp -j DNAT --to-destination 10.0.32.3:80
    "#]],
    );
}

#[test]
fn nobody_is_there() {
    check(
        json!({ "externalIPs": ["1.2.3.4"] }),
        &["10.0.32.3 a unready"],
        &expect![[r#"
        *nat
        -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES

        *filter
        -A KUBE-EXTERNAL-SERVICES -d 1.2.3.4/32 -p tcp -m comment --comment "default/httpd-service has no endpoints" -m tcp --dport 8080 -j REJECT --reject-with icmp-port-unreachable
        -A KUBE-SERVICES -d 10.254.182.36/32 -p tcp -m comment --comment "default/httpd-service has no endpoints" -m tcp --dport 8080 -j REJECT --reject-with icmp-port-unreachable
    "#]],
    );
}

#[test]
fn a_node_port_with_affinity() {
    let ports = json!([{ "port": 8080, "nodePort": 30000 }]);
    let affinity = json!({ "type": "NodePort", "sessionAffinity": "ClientIP", "ports": ports });
    check(
        affinity,
        &["10.0.32.3 a ready", "10.0.32.4 b ready"],
        &expect![[r#"
        *nat
        :KUBE-SERVICES - [0:0]
        :KUBE-NODEPORTS - [0:0]
        :KUBE-EXT-EHNHZY2AA2RZYURI - [0:0]
        :KUBE-SVC-EHNHZY2AA2RZYURI - [0:0]
        :KUBE-SEP-BLMU4OWLL2V54FYS - [0:0]
        :KUBE-SEP-S2OHPZ7PY5RM6ERW - [0:0]
        -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES

        -A KUBE-SERVICES -d 10.254.182.36/32 -p tcp -m comment --comment "default/httpd-service cluster IP" -m tcp --dport 8080 -j KUBE-SVC-EHNHZY2AA2RZYURI
        -A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS

        -A KUBE-NODEPORTS -p tcp -m comment --comment "default/httpd-service" -m tcp --dport 30000 -j KUBE-EXT-EHNHZY2AA2RZYURI

        -A KUBE-EXT-EHNHZY2AA2RZYURI -m comment --comment "masquerade traffic for default/httpd-service external destinations" -j KUBE-MARK-MASQ
        -A KUBE-EXT-EHNHZY2AA2RZYURI -j KUBE-SVC-EHNHZY2AA2RZYURI

        -A KUBE-SVC-EHNHZY2AA2RZYURI ! -s 10.244.1.0/24 -d 10.254.182.36/32 -p tcp -m comment --comment "default/httpd-service cluster IP" -m tcp --dport 8080 -j KUBE-MARK-MASQ
        -A KUBE-SVC-EHNHZY2AA2RZYURI -m comment --comment "default/httpd-service -> 10.0.32.3:80" -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-S2OHPZ7PY5RM6ERW --mask 255.255.255.255 --rsource -j KUBE-SEP-S2OHPZ7PY5RM6ERW
        -A KUBE-SVC-EHNHZY2AA2RZYURI -m comment --comment "default/httpd-service -> 10.0.32.4:80" -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-BLMU4OWLL2V54FYS --mask 255.255.255.255 --rsource -j KUBE-SEP-BLMU4OWLL2V54FYS
        -A KUBE-SVC-EHNHZY2AA2RZYURI -m comment --comment "default/httpd-service -> 10.0.32.3:80" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-S2OHPZ7PY5RM6ERW
        -A KUBE-SVC-EHNHZY2AA2RZYURI -m comment --comment "default/httpd-service -> 10.0.32.4:80" -j KUBE-SEP-BLMU4OWLL2V54FYS

        -A KUBE-SEP-BLMU4OWLL2V54FYS -s 10.0.32.4/32 -m comment --comment "default/httpd-service" -j KUBE-MARK-MASQ
        -A KUBE-SEP-BLMU4OWLL2V54FYS -p tcp -m comment --comment "default/httpd-service" -m recent --set --name KUBE-SEP-BLMU4OWLL2V54FYS --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.0.32.4:80
        -A KUBE-SEP-S2OHPZ7PY5RM6ERW -s 10.0.32.3/32 -m comment --comment "default/httpd-service" -j KUBE-MARK-MASQ
        -A KUBE-SEP-S2OHPZ7PY5RM6ERW -p tcp -m comment --comment "default/httpd-service" -m recent --set --name KUBE-SEP-S2OHPZ7PY5RM6ERW --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.0.32.3:80
    "#]],
    );
}

#[test]
fn a_load_balancer_for_some_that_serves_on_the_spot() {
    let more = json!({
        "type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000, "loadBalancerSourceRanges": ["192.168.0.0/16"],
        "ports": [{ "name": "http", "port": 8080, "nodePort": 30000 }],
    });
    check(
        more.clone(),
        &["10.0.32.3 a ready", "10.0.32.4 b ready"],
        &expect![[r#"
        *nat
        :KUBE-SERVICES - [0:0]
        :KUBE-NODEPORTS - [0:0]
        :KUBE-FW-FIWDGMAQHZK7WOAS - [0:0]
        :KUBE-EXT-FIWDGMAQHZK7WOAS - [0:0]
        :KUBE-SVC-FIWDGMAQHZK7WOAS - [0:0]
        :KUBE-SVL-FIWDGMAQHZK7WOAS - [0:0]
        :KUBE-SEP-3GQVW7VCM365QKST - [0:0]
        :KUBE-SEP-MZBN46W3ISG7EUJH - [0:0]
        -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES

        -A KUBE-SERVICES -d 10.254.182.36/32 -p tcp -m comment --comment "default/httpd-service:http cluster IP" -m tcp --dport 8080 -j KUBE-SVC-FIWDGMAQHZK7WOAS
        -A KUBE-SERVICES -d 203.0.113.1/32 -p tcp -m comment --comment "default/httpd-service:http loadbalancer IP" -m tcp --dport 8080 -j KUBE-FW-FIWDGMAQHZK7WOAS
        -A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS

        -A KUBE-NODEPORTS -p tcp -m comment --comment "default/httpd-service:http" -m tcp --dport 30000 -j KUBE-EXT-FIWDGMAQHZK7WOAS

        -A KUBE-FW-FIWDGMAQHZK7WOAS -s 192.168.0.0/16 -m comment --comment "default/httpd-service:http loadbalancer IP" -j KUBE-EXT-FIWDGMAQHZK7WOAS
        -A KUBE-FW-FIWDGMAQHZK7WOAS -s 203.0.113.1/32 -m comment --comment "default/httpd-service:http loadbalancer IP" -j KUBE-EXT-FIWDGMAQHZK7WOAS
        -A KUBE-FW-FIWDGMAQHZK7WOAS -m comment --comment "other traffic to default/httpd-service:http will be dropped by KUBE-PROXY-FIREWALL"

        -A KUBE-EXT-FIWDGMAQHZK7WOAS -s 10.244.1.0/24 -m comment --comment "pod traffic for default/httpd-service:http external destinations" -j KUBE-SVC-FIWDGMAQHZK7WOAS
        -A KUBE-EXT-FIWDGMAQHZK7WOAS -m comment --comment "masquerade LOCAL traffic for default/httpd-service:http external destinations" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ
        -A KUBE-EXT-FIWDGMAQHZK7WOAS -m comment --comment "route LOCAL traffic for default/httpd-service:http external destinations" -m addrtype --src-type LOCAL -j KUBE-SVC-FIWDGMAQHZK7WOAS
        -A KUBE-EXT-FIWDGMAQHZK7WOAS -j KUBE-SVL-FIWDGMAQHZK7WOAS

        -A KUBE-SVC-FIWDGMAQHZK7WOAS ! -s 10.244.1.0/24 -d 10.254.182.36/32 -p tcp -m comment --comment "default/httpd-service:http cluster IP" -m tcp --dport 8080 -j KUBE-MARK-MASQ
        -A KUBE-SVC-FIWDGMAQHZK7WOAS -m comment --comment "default/httpd-service:http -> 10.0.32.3:80" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-MZBN46W3ISG7EUJH
        -A KUBE-SVC-FIWDGMAQHZK7WOAS -m comment --comment "default/httpd-service:http -> 10.0.32.4:80" -j KUBE-SEP-3GQVW7VCM365QKST

        -A KUBE-SVL-FIWDGMAQHZK7WOAS -m comment --comment "default/httpd-service:http -> 10.0.32.3:80" -j KUBE-SEP-MZBN46W3ISG7EUJH

        -A KUBE-SEP-3GQVW7VCM365QKST -s 10.0.32.4/32 -m comment --comment "default/httpd-service:http" -j KUBE-MARK-MASQ
        -A KUBE-SEP-3GQVW7VCM365QKST -p tcp -m comment --comment "default/httpd-service:http" -m tcp -j DNAT --to-destination 10.0.32.4:80
        -A KUBE-SEP-MZBN46W3ISG7EUJH -s 10.0.32.3/32 -m comment --comment "default/httpd-service:http" -j KUBE-MARK-MASQ
        -A KUBE-SEP-MZBN46W3ISG7EUJH -p tcp -m comment --comment "default/httpd-service:http" -m tcp -j DNAT --to-destination 10.0.32.3:80

        *filter
        -A KUBE-NODEPORTS -p tcp -m comment --comment "default/httpd-service:http health check node port" -m tcp --dport 31000 -j ACCEPT
        -A KUBE-PROXY-FIREWALL -d 203.0.113.1/32 -p tcp -m comment --comment "default/httpd-service:http traffic not accepted by KUBE-FW-FIWDGMAQHZK7WOAS" -m tcp --dport 8080 -j DROP
    "#]],
    );
    let elsewhere = rules(Node { name: "c", ip: None, pod_range: None }, spec(more), &["10.0.32.3 a ready"]);
    expect![[r#"
        *nat
        :KUBE-SERVICES - [0:0]
        :KUBE-NODEPORTS - [0:0]
        :KUBE-FW-FIWDGMAQHZK7WOAS - [0:0]
        :KUBE-EXT-FIWDGMAQHZK7WOAS - [0:0]
        :KUBE-SVC-FIWDGMAQHZK7WOAS - [0:0]
        :KUBE-SEP-MZBN46W3ISG7EUJH - [0:0]
        -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES

        -A KUBE-SERVICES -d 10.254.182.36/32 -p tcp -m comment --comment "default/httpd-service:http cluster IP" -m tcp --dport 8080 -j KUBE-SVC-FIWDGMAQHZK7WOAS
        -A KUBE-SERVICES -d 203.0.113.1/32 -p tcp -m comment --comment "default/httpd-service:http loadbalancer IP" -m tcp --dport 8080 -j KUBE-FW-FIWDGMAQHZK7WOAS
        -A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS

        -A KUBE-NODEPORTS -p tcp -m comment --comment "default/httpd-service:http" -m tcp --dport 30000 -j KUBE-EXT-FIWDGMAQHZK7WOAS

        -A KUBE-FW-FIWDGMAQHZK7WOAS -s 192.168.0.0/16 -m comment --comment "default/httpd-service:http loadbalancer IP" -j KUBE-EXT-FIWDGMAQHZK7WOAS
        -A KUBE-FW-FIWDGMAQHZK7WOAS -m comment --comment "other traffic to default/httpd-service:http will be dropped by KUBE-PROXY-FIREWALL"

        -A KUBE-EXT-FIWDGMAQHZK7WOAS -m comment --comment "masquerade LOCAL traffic for default/httpd-service:http external destinations" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ
        -A KUBE-EXT-FIWDGMAQHZK7WOAS -m comment --comment "route LOCAL traffic for default/httpd-service:http external destinations" -m addrtype --src-type LOCAL -j KUBE-SVC-FIWDGMAQHZK7WOAS

        -A KUBE-SVC-FIWDGMAQHZK7WOAS -m comment --comment "default/httpd-service:http -> 10.0.32.3:80" -j KUBE-SEP-MZBN46W3ISG7EUJH

        -A KUBE-SEP-MZBN46W3ISG7EUJH -s 10.0.32.3/32 -m comment --comment "default/httpd-service:http" -j KUBE-MARK-MASQ
        -A KUBE-SEP-MZBN46W3ISG7EUJH -p tcp -m comment --comment "default/httpd-service:http" -m tcp -j DNAT --to-destination 10.0.32.3:80

        *filter
        -A KUBE-EXTERNAL-SERVICES -d 203.0.113.1/32 -p tcp -m comment --comment "default/httpd-service:http has no local endpoints" -m tcp --dport 8080 -j DROP
        -A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "default/httpd-service:http has no local endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30000 -j DROP
        -A KUBE-NODEPORTS -p tcp -m comment --comment "default/httpd-service:http health check node port" -m tcp --dport 31000 -j ACCEPT
        -A KUBE-PROXY-FIREWALL -d 203.0.113.1/32 -p tcp -m comment --comment "default/httpd-service:http traffic not accepted by KUBE-FW-FIWDGMAQHZK7WOAS" -m tcp --dport 8080 -j DROP
    "#]].assert_eq(&elsewhere.excerpt());
}

#[test]
fn the_node_only() {
    check(
        json!({ "internalTrafficPolicy": "Local" }),
        &["10.0.32.3 a ready", "10.0.32.4 b ready"],
        &expect![[r#"
        *nat
        :KUBE-SERVICES - [0:0]
        :KUBE-SVL-EHNHZY2AA2RZYURI - [0:0]
        :KUBE-SEP-S2OHPZ7PY5RM6ERW - [0:0]
        -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES

        -A KUBE-SERVICES -d 10.254.182.36/32 -p tcp -m comment --comment "default/httpd-service cluster IP" -m tcp --dport 8080 -j KUBE-SVL-EHNHZY2AA2RZYURI

        -A KUBE-SVL-EHNHZY2AA2RZYURI ! -s 10.244.1.0/24 -d 10.254.182.36/32 -p tcp -m comment --comment "default/httpd-service cluster IP" -m tcp --dport 8080 -j KUBE-MARK-MASQ
        -A KUBE-SVL-EHNHZY2AA2RZYURI -m comment --comment "default/httpd-service -> 10.0.32.3:80" -j KUBE-SEP-S2OHPZ7PY5RM6ERW

        -A KUBE-SEP-S2OHPZ7PY5RM6ERW -s 10.0.32.3/32 -m comment --comment "default/httpd-service" -j KUBE-MARK-MASQ
        -A KUBE-SEP-S2OHPZ7PY5RM6ERW -p tcp -m comment --comment "default/httpd-service" -m tcp -j DNAT --to-destination 10.0.32.3:80
    "#]],
    );
    let elsewhere = rules(Node { name: "c", ..NODE }, spec(json!({ "internalTrafficPolicy": "Local" })), &["10.0.32.3 a ready"]);
    expect![[r#"
        *nat
        -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES

        *filter
        -A KUBE-SERVICES -d 10.254.182.36/32 -p tcp -m comment --comment "default/httpd-service has no local endpoints" -m tcp --dport 8080 -j DROP
    "#]].assert_eq(&elsewhere.excerpt());
}

#[test]
fn a_datagram_service_whole() {
    let more = json!({ "ports": [{ "name": "dns", "port": 53, "protocol": "UDP" }] });
    expect![[r#"
        *filter
        :INPUT ACCEPT [0:0]
        :FORWARD ACCEPT [0:0]
        :OUTPUT ACCEPT [0:0]
        :KUBE-EXTERNAL-SERVICES - [0:0]
        :KUBE-FIREWALL - [0:0]
        :KUBE-FORWARD - [0:0]
        :KUBE-NODEPORTS - [0:0]
        :KUBE-PROXY-FIREWALL - [0:0]
        :KUBE-SERVICES - [0:0]
        -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
        -A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
        -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
        -A INPUT -j KUBE-FIREWALL
        -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
        -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
        -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
        -A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
        -A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -j KUBE-FIREWALL
        -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
        -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
        -A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
        -A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        COMMIT
        *nat
        :PREROUTING ACCEPT [0:0]
        :INPUT ACCEPT [0:0]
        :OUTPUT ACCEPT [0:0]
        :POSTROUTING ACCEPT [0:0]
        :KUBE-MARK-MASQ - [0:0]
        :KUBE-NODEPORTS - [0:0]
        :KUBE-POSTROUTING - [0:0]
        :KUBE-SEP-NC6XTS5CNG6SJV4X - [0:0]
        :KUBE-SERVICES - [0:0]
        :KUBE-SVC-VVW5LXUJZYZE6CSA - [0:0]
        -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
        -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
        -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
        -A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
        -A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
        -A KUBE-SEP-NC6XTS5CNG6SJV4X -s 10.0.32.3/32 -m comment --comment "default/httpd-service:dns" -j KUBE-MARK-MASQ
        -A KUBE-SEP-NC6XTS5CNG6SJV4X -p udp -m comment --comment "default/httpd-service:dns" -m udp -j DNAT --to-destination 10.0.32.3:80
        -A KUBE-SERVICES -d 10.254.182.36/32 -p udp -m comment --comment "default/httpd-service:dns cluster IP" -m udp --dport 53 -j KUBE-SVC-VVW5LXUJZYZE6CSA
        -A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
        -A KUBE-SVC-VVW5LXUJZYZE6CSA ! -s 10.244.1.0/24 -d 10.254.182.36/32 -p udp -m comment --comment "default/httpd-service:dns cluster IP" -m udp --dport 53 -j KUBE-MARK-MASQ
        -A KUBE-SVC-VVW5LXUJZYZE6CSA -m comment --comment "default/httpd-service:dns -> 10.0.32.3:80" -j KUBE-SEP-NC6XTS5CNG6SJV4X
        COMMIT
    "#]].assert_eq(&rules(NODE, spec(more), &["10.0.32.3 a ready"]).to_string());
}
