//! Which backend an Ingress sends a request to: by host and path, as the API's documentation says it.
//!
//! Where that leaves the choice to a controller, this one does what the usual ones do. A host's rules come from all Ingresses, and those
//! without a host are for hosts that have none; the longest path wins, `Exact` before `Prefix`, and of two that are the same the older
//! Ingress' one. `ImplementationSpecific` is `Prefix`. TLS is not spoken: such hosts are served without.
//!
//! Must not know: HTTP, where backends are.

use std::{cmp::Reverse, net::IpAddr};

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend};
use mini_api::ingress;

use super::index::Name;

/// A port of a Service. Both parts may be empty, for a backend that is no Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    /// Whose.
    pub(crate) service: Name,
    port: String,
}

impl Backend {
    fn read(backend: &IngressBackend, namespace: &str) -> Self {
        let service = backend.service.as_ref();
        let port = service.and_then(|service| service.port.as_ref());
        let name = port.and_then(|port| port.name.clone()).filter(|name| !name.is_empty());
        let number = port.and_then(|port| port.number).map(|number| number.to_string());
        Self {
            service: Name::new(namespace, service.map(|service| service.name.as_str()).unwrap_or_default()),
            port: name.or(number).unwrap_or_default(),
        }
    }

    /// Whether it is this port of its Service.
    pub(crate) fn means(&self, name: &str, number: u16) -> bool {
        (!name.is_empty() && self.port == name) || self.port == number.to_string()
    }
}

#[derive(Clone, Debug)]
struct Path {
    path: String,
    exact: bool,
    backend: Backend,
}

impl Path {
    fn read(path: &HTTPIngressPath, namespace: &str) -> Self {
        let text = path.path.clone().filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned());
        Self { path: text, exact: path.path_type == "Exact", backend: Backend::read(&path.backend, namespace) }
    }

    fn matches(&self, path: &str) -> bool {
        if self.exact {
            return self.path == path;
        }
        let mut wanted = self.path.split('/').filter(|part| !part.is_empty());
        let mut there = path.split('/').filter(|part| !part.is_empty());
        wanted.all(|part| there.next() == Some(part))
    }
}

/// What one Ingress says.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Since when, and what it is called: the older one is right.
    age: (Option<jiff::Timestamp>, Name),
    class: Option<String>,
    addresses: Vec<IpAddr>,
    default: Option<Backend>,
    /// By host, which is empty for all.
    hosts: Vec<(String, Vec<Path>)>,
}

impl Rules {
    /// What an Ingress says.
    pub(crate) fn read(ingress: &Ingress) -> Self {
        let name = Name::of(&ingress.metadata);
        let spec = ingress.spec.clone().unwrap_or_default();
        let points = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
        let read = |path: &HTTPIngressPath| Path::read(path, &name.namespace);
        let hosts = spec.rules.iter().flatten().map(|rule| {
            let paths = rule.http.iter().flat_map(|http| &http.paths).map(read).collect();
            (rule.host.clone().unwrap_or_default().to_ascii_lowercase(), paths)
        });
        Self {
            class: ingress::class(ingress).map(str::to_owned),
            addresses: points.into_iter().flatten().filter_map(|point| point.ip.as_deref()?.parse().ok()).collect(),
            default: spec.default_backend.as_ref().map(|backend| Backend::read(backend, &name.namespace)),
            hosts: hosts.collect(),
            age: (ingress.metadata.creation_timestamp.as_ref().map(|time| time.0), name),
        }
    }

    /// Whether it is for us. `known` says of a class that was made whether it is ours.
    pub(crate) fn is_ours(&self, known: impl Fn(&str) -> Option<bool>) -> bool {
        ingress::is_served(self.class.as_deref(), known)
    }

    /// Its addresses.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}

/// How well a rule's host fits: an equal one best, then `*.` in place of one label, then any. None if it does not.
fn fit(rule: &str, host: &str) -> Option<u8> {
    match rule.strip_prefix('*') {
        _ if rule.is_empty() => Some(0),
        Some(rest) => host.strip_suffix(rest).filter(|label| !label.is_empty() && !label.contains('.')).map(|_| 1),
        None => (rule == host).then_some(2),
    }
}

/// The backend for a request; none if nobody wants it. `host` may have a port.
pub(crate) fn choose<'a>(ingresses: impl Iterator<Item = &'a Rules>, host: &str, path: &str) -> Option<&'a Backend> {
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host).to_ascii_lowercase();
    let host = host.as_str();
    let mut ingresses: Vec<&Rules> = ingresses.collect();
    ingresses.sort_by(|one, other| one.age.cmp(&other.age));
    let rules = || ingresses.iter().flat_map(|ingress| ingress.hosts.iter().map(move |(rule, paths)| (fit(rule, host), *ingress, paths)));
    let best = rules().filter_map(|(fit, ..)| fit).max();
    let of_host = || rules().filter(|(fit, ..)| fit.is_some() && *fit == best);
    let matching = of_host().flat_map(|(.., paths)| paths).filter(|one| one.matches(path));
    // The first of the best, which is the oldest.
    if let Some(found) = matching.min_by_key(|path| Reverse((path.path.trim_end_matches('/').len(), path.exact))) {
        return Some(&found.backend);
    }
    let of_these = of_host().find_map(|(_, ingress, _)| ingress.default.as_ref());
    let of_all = || ingresses.iter().filter(|ingress| ingress.hosts.is_empty()).find_map(|ingress| ingress.default.as_ref());
    of_these.or_else(of_all).or_else(|| ingresses.iter().find_map(|ingress| ingress.default.as_ref()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rules(name: &str, created: &str, spec: Value) -> Rules {
        let metadata = json!({ "namespace": "default", "name": name, "creationTimestamp": created });
        Rules::read(&serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).unwrap())
    }

    fn path(path: &str, kind: &str, service: &str) -> Value {
        json!({ "path": path, "pathType": kind, "backend": { "service": { "name": service, "port": { "number": 80 } } } })
    }

    fn rule(host: &str, paths: &[Value]) -> Value {
        let mut rule = json!({ "http": { "paths": paths } });
        if !host.is_empty() {
            rule["host"] = host.into();
        }
        rule
    }

    fn chosen(all: &[Rules], host: &str, path: &str) -> String {
        choose(all.iter(), host, path).map_or("-".to_owned(), |backend| backend.service.name.clone())
    }

    #[test]
    fn paths_match_as_documented() {
        for (kind, rule, asked, matches) in [
            ("Prefix", "/", "/any/path", true),
            ("Exact", "/foo", "/foo", true),
            ("Exact", "/foo", "/bar", false),
            ("Exact", "/foo", "/foo/", false),
            ("Exact", "/foo/", "/foo", false),
            ("Prefix", "/foo", "/foo", true),
            ("Prefix", "/foo", "/foo/", true),
            ("Prefix", "/foo/", "/foo", true),
            ("Prefix", "/foo/", "/foo/", true),
            ("Prefix", "/aaa/bb", "/aaa/bbb", false),
            ("Prefix", "/aaa/bbb", "/aaa/bbb", true),
            ("Prefix", "/aaa/bbb/", "/aaa/bbb", true),
            ("Prefix", "/aaa/bbb", "/aaa/bbb/ccc", true),
            ("Prefix", "/aaa/bbb", "/aaa/bbbxyz", false),
            ("ImplementationSpecific", "/foo", "/foo/bar", true),
        ] {
            let all = [rules("i", "2026-01-01T00:00:00Z", json!({ "rules": [self::rule("", &[path(rule, kind, "web")])] }))];
            assert_eq!(chosen(&all, "a", asked) == "web", matches, "{kind} {rule} {asked}");
        }
    }

    #[test]
    fn the_best_host_and_the_longest_path_win() {
        let all = [
            rules(
                "young",
                "2026-01-02T00:00:00Z",
                json!({ "rules": [
                    rule("foo.bar.com", &[path("/", "Prefix", "young"), path("/a", "Prefix", "a"), path("/a/b", "Prefix", "ab"), path("/a", "Exact", "a-exact")]),
                    rule("*.bar.com", &[path("/", "Prefix", "wild")]),
                    rule("", &[path("/any", "Prefix", "any")]),
                ] }),
            ),
            rules("old", "2026-01-01T00:00:00Z", json!({ "rules": [rule("foo.bar.com", &[path("/", "Prefix", "old")])] })),
        ];
        for (host, path, expected) in [
            ("foo.bar.com", "/", "old"),
            ("FOO.bar.com:8080", "/x", "old"),
            ("foo.bar.com", "/a", "a-exact"),
            ("foo.bar.com", "/a/", "a"),
            ("foo.bar.com", "/a/b/c", "ab"),
            ("foo.bar.com", "/any", "old"),
            ("x.bar.com", "/any", "wild"),
            ("x.y.bar.com", "/any", "any"),
            ("bar.com", "/any", "any"),
            ("other", "/", "-"),
        ] {
            assert_eq!(chosen(&all, host, path), expected, "{host} {path}");
        }
    }

    #[test]
    fn default_backends_take_the_rest() {
        let to = |service: &str| json!({ "service": { "name": service, "port": { "name": "http" } } });
        let with = |host: &str, service: &str| json!({ "defaultBackend": to(service), "rules": [rule(host, &[path("/a", "Exact", "a")])] });
        let all = [
            rules("a", "2026-01-01T00:00:00Z", with("a.com", "of-a")),
            rules("b", "2026-01-02T00:00:00Z", json!({ "rules": [rule("b.com", &[path("/b", "Exact", "b")])] })),
            rules("c", "2026-01-03T00:00:00Z", json!({ "defaultBackend": to("of-all") })),
        ];
        for (host, path, expected) in
            [("a.com", "/a", "a"), ("a.com", "/x", "of-a"), ("b.com", "/x", "of-all"), ("c.com", "/a", "of-all"), ("b.com", "/b", "b")]
        {
            assert_eq!(chosen(&all, host, path), expected, "{host} {path}");
        }
        assert_eq!(chosen(&all[..2], "c.com", "/"), "of-a");
        let backend = choose(all.iter(), "c.com", "/").unwrap();
        assert!(backend.means("http", 1) && !backend.means("https", 80) && !backend.means("", 80));
    }
}
