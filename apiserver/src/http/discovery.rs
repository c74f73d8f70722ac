//! Discovery: what is served, derived from the table, in the classic and the aggregated form.

use serde_json::{Value, json};

use crate::kinds::{Kind, Version};

/// Upstream's order of groups; others follow by name.
const GROUPS: &[&str] = &[
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
];

/// One entry of a resource list: a resource or a part of one.
struct Entry<'a> {
    name: String,
    subresource: Option<&'a str>,
    row: &'a Kind,
    kind: (&'a str, &'a str, &'a str),
    verbs: Vec<&'a str>,
    /// Whether short names and categories lead here. Those of a version upstream has removed would make clients choose between
    /// it and the present one.
    preferred: bool,
}

/// The verbs of `status` and `scale`.
const PART: [&str; 3] = ["get", "patch", "update"];

fn entries<'a>(table: &[&'a Kind], api_version: &str) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    for row in table {
        let Some(place) = row.versions.iter().position(|version| version.api_version == api_version) else { continue };
        let preferred = place == 0 || row.versions[place].conversion.warning.is_none();
        let own = ("", "", row.name);
        let mut add = |subresource: Option<&'a str>, kind, verbs: Vec<&'a str>| {
            let name = subresource.map_or_else(|| row.plural.to_owned(), |sub| format!("{}/{sub}", row.plural));
            entries.push(Entry { name, subresource, row, kind, verbs, preferred });
        };
        add(None, own, row.verbs.to_vec());
        if row.status {
            add(Some("status"), own, PART.to_vec());
        }
        if row.scale.is_some() {
            add(Some("scale"), ("autoscaling", "v1", "Scale"), PART.to_vec());
        }
        for sub in row.subresources {
            add(Some(sub.name), sub.kind, sub.verbs.to_vec());
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// `/apis/apps/v1`: the resources of one group-version.
#[must_use]
pub fn resources(table: &[&Kind], api_version: &str) -> Value {
    let resource = |entry: &Entry<'_>| {
        let (group, version, kind) = entry.kind;
        let singular = if entry.subresource.is_none() { entry.row.singular.as_str() } else { "" };
        let mut resource = json!({ "name": entry.name, "singularName": singular, "namespaced": entry.row.namespaced });
        if !group.is_empty() {
            resource["group"] = group.into();
            resource["version"] = version.into();
        }
        resource["kind"] = kind.into();
        resource["verbs"] = json!(entry.verbs);
        if entry.subresource.is_none() && entry.preferred {
            if !entry.row.short.is_empty() {
                resource["shortNames"] = json!(entry.row.short);
            }
            if !entry.row.categories.is_empty() {
                resource["categories"] = json!(entry.row.categories);
            }
        }
        resource
    };
    let resources: Vec<Value> = entries(table, api_version).iter().map(resource).collect();
    let mut list = json!({ "kind": "APIResourceList", "groupVersion": api_version, "resources": resources });
    // Upstream's core group is older than this field.
    if api_version.contains('/') {
        list["apiVersion"] = "v1".into();
    }
    list
}

/// A group and its versions, the preferred one first.
struct Group<'a> {
    name: &'a str,
    versions: Vec<&'a Version>,
}

fn groups<'a>(table: &[&'a Kind]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for version in table.iter().flat_map(|kind| &kind.versions).filter(|version| version.conversion.shown) {
        match groups.iter_mut().find(|group| group.name == version.group) {
            Some(group) if group.versions.iter().any(|known| known.version == version.version) => {}
            Some(group) => group.versions.push(version),
            None => groups.push(Group { name: version.group, versions: vec![version] }),
        }
    }
    for group in &mut groups {
        group.versions.sort_by_key(|version| std::cmp::Reverse(stability(version.version)));
    }
    groups.sort_by_key(|group| (GROUPS.iter().position(|name| *name == group.name).unwrap_or(GROUPS.len()), group.name));
    groups
}

/// Orders versions as Kubernetes does: v2, v1, v1beta2, v1beta1, v1alpha1.
fn stability(version: &str) -> (u8, u32, u32) {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let major = digits(version.trim_start_matches('v'));
    let rest = &version[1 + major.len()..];
    let level = if rest.is_empty() { 3 } else { u8::from(rest.starts_with("beta")) + 1 };
    let minor = digits(rest.trim_start_matches(char::is_alphabetic));
    (level, major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
}

fn group_json(group: &Group<'_>) -> Value {
    let version = |version: &&Version| json!({ "groupVersion": version.api_version, "version": version.version });
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    json!({ "name": group.name, "versions": versions, "preferredVersion": versions[0] })
}

/// `/api`: the versions of the core group.
#[must_use]
pub fn core(address: &str) -> Value {
    let address = json!([{ "clientCIDR": "0.0.0.0/0", "serverAddress": address }]);
    json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": address })
}

/// `/apis`: all named groups.
#[must_use]
pub fn named(table: &[&Kind]) -> Value {
    let groups: Vec<Value> = groups(table).iter().filter(|group| !group.name.is_empty()).map(group_json).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/apps`: one group.
#[must_use]
pub fn group(table: &[&Kind], name: &str) -> Option<Value> {
    let groups = groups(table);
    let found = groups.iter().find(|group| group.name == name && !name.is_empty())?;
    let mut body = json!({ "kind": "APIGroup", "apiVersion": "v1" });
    let fields = body.as_object_mut()?;
    fields.extend(group_json(found).as_object()?.clone());
    Some(body)
}

/// `/api` (core) or `/apis` (the named groups), aggregated: everything in one answer.
#[must_use]
pub fn aggregated(table: &[&Kind], core: bool) -> Value {
    let items: Vec<Value> = groups(table).iter().filter(|group| group.name.is_empty() == core).map(|group| item(table, group)).collect();
    json!({ "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items })
}

fn item(table: &[&Kind], group: &Group<'_>) -> Value {
    let version = |version: &&Version| {
        let resources = aggregated_resources(table, &version.api_version);
        json!({ "version": version.version, "resources": resources, "freshness": "Current" })
    };
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    let metadata = if group.name.is_empty() { json!({}) } else { json!({ "name": group.name }) };
    json!({ "metadata": metadata, "versions": versions })
}

fn aggregated_resources(table: &[&Kind], api_version: &str) -> Vec<Value> {
    let kind = |kind: (&str, &str, &str)| json!({ "group": kind.0, "version": kind.1, "kind": kind.2 });
    let mut resources: Vec<Value> = Vec::new();
    for entry in entries(table, api_version) {
        if let Some(subresource) = entry.subresource {
            let part = json!({ "subresource": subresource, "responseKind": kind(entry.kind), "verbs": entry.verbs });
            let parent = resources.iter_mut().rfind(|resource| resource["resource"] == entry.row.plural);
            if let Some(list) = parent.and_then(|parent| parent.as_object_mut()) {
                let list = list.entry("subresources").or_insert_with(|| json!([]));
                list.as_array_mut().into_iter().for_each(|list| list.push(part.clone()));
            }
            continue;
        }
        let mut resource = json!({
            "resource": entry.row.plural,
            "responseKind": kind(entry.kind),
            "scope": if entry.row.namespaced { "Namespaced" } else { "Cluster" },
            "singularResource": entry.row.singular,
            "verbs": entry.verbs,
        });
        if entry.preferred && !entry.row.short.is_empty() {
            resource["shortNames"] = json!(entry.row.short);
        }
        if entry.preferred && !entry.row.categories.is_empty() {
            resource["categories"] = json!(entry.row.categories);
        }
        resources.push(resource);
    }
    resources
}

/// `/version`.
#[must_use]
pub fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1", "minCompatibilityMinor": "35",
        "gitVersion": "v1.36.0", "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc", "platform": format!("{}/{}", std::env::consts::OS, arch()),
    })
}

/// The machine's architecture under Go's name.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_stability() {
        let mut versions = ["v1beta1", "v1", "v1alpha1", "v2", "v1beta2"];
        versions.sort_by_key(|version| std::cmp::Reverse(stability(version)));
        assert_eq!(versions, ["v2", "v1", "v1beta2", "v1beta1", "v1alpha1"]);
    }
}
