//! What is wrong with a pod, or with the pod spec of a template.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{HostAlias, Pod, PodDNSConfig, PodReadinessGate, PodResourceClaim, PodSchedulingGate, PodSpec};
use mini_api::name;

use super::{
    super::{
        address,
        field::{Errors, Path},
        selector,
        unset::{flag, list, text},
    },
    Context, affinity, container, resources, security,
    security::one_of,
    volume,
};

/// What is wrong with a pod.
pub(super) fn pod(pod: &Pod, errors: &mut Errors) {
    let Some(spec) = &pod.spec else { return errors.required(&Path::new("spec"), "") };
    let path = Path::new("spec");
    let metadata = Path::new("metadata");
    annotations(pod.metadata.annotations.as_ref(), spec, &metadata.child("annotations"), errors);
    self::spec(spec, pod.metadata.name.as_deref().or(Some("")), &path, errors);
    if text(&spec.service_account_name).is_empty() {
        tokens_need_an_account(spec, &path, errors);
    }
    container::only_in_pods(spec, &path, errors);
    if !text(&spec.node_name).is_empty() && !list(&spec.scheduling_gates).is_empty() {
        errors.forbidden(&path.child("nodeName"), "cannot be set until all schedulingGates have been cleared");
    }
}

/// What is wrong with a new pod besides.
pub(super) fn new_pod(pod: &Pod, errors: &mut Errors) {
    if pod.spec.as_ref().is_some_and(|spec| !list(&spec.ephemeral_containers).is_empty()) {
        // Only their own subresource adds them.
        errors.forbidden(&Path::new("spec").child("ephemeralContainers"), "cannot be set on create");
    }
}

fn annotations(annotations: Option<&BTreeMap<String, String>>, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let mirror = super::update::MIRROR;
    if let Some(value) = annotations.and_then(|annotations| annotations.get(mirror))
        && text(&spec.node_name).is_empty()
    {
        errors.invalid(&path.key(mirror), value, "must set spec.nodeName if mirror pod annotation is set");
    }
    let cost = "controller.kubernetes.io/pod-deletion-cost";
    if let Some(value) = annotations.and_then(|annotations| annotations.get(cost))
        && (value.parse::<i32>().is_err() || value.starts_with('+') || (value.len() > 1 && value.starts_with('0')))
    {
        errors.invalid(&path.key(cost), value, "must be a 32bit integer");
    }
}

fn tokens_need_an_account(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let volumes = path.child("volumes");
    for (index, volume) in list(&spec.volumes).iter().enumerate() {
        let volume_path = volumes.index(index);
        let projected = volume_path.child("projected");
        let sources = projected.child("sources");
        for (index, source) in volume.projected.iter().flat_map(|projected| list(&projected.sources)).enumerate() {
            if source.service_account_token.is_some() {
                let path = sources.index(index);
                errors.forbidden(&path.child("serviceAccountToken"), "must not be specified when serviceAccountName is not set");
            }
        }
    }
}

/// What is wrong with a pod spec. `pod` is the name of the pod, absent for the spec of a template.
pub(in super::super) fn spec(spec: &PodSpec, pod: Option<&str>, path: &Path<'_>, errors: &mut Errors) {
    if spec.termination_grace_period_seconds.is_none() {
        errors.required(&path.child("terminationGracePeriodSeconds"), "");
    }
    let context = Context::new(spec, pod);
    let volumes = volume::volumes(list(&spec.volumes), &context, &path.child("volumes"), errors);
    resource_claims(list(&spec.resource_claims), &path.child("resourceClaims"), errors);
    container::regular(&spec.containers, &volumes, &context, &path.child("containers"), errors);
    container::init(spec, &volumes, &context, &path.child("initContainers"), errors);
    container::ephemeral(spec, &volumes, &context, &path.child("ephemeralContainers"), errors);
    resources::of_pod(spec, &path.child("resources"), errors);
    container::host_network(spec, &context, &path.child("containers"), errors);
    policy(&spec.restart_policy, &["Always", "OnFailure", "Never"], &path.child("restartPolicy"), errors);
    policy(&spec.dns_policy, &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], &path.child("dnsPolicy"), errors);
    selector::labels(spec.node_selector.as_ref(), &path.child("nodeSelector"), errors);
    if let Some(context) = &spec.security_context {
        security::of_pod(context, spec, &path.child("securityContext"), errors);
    }
    namespaces(spec, path, errors);
    if let Some(affinity) = &spec.affinity {
        affinity::affinity(affinity, &path.child("affinity"), errors);
    }
    dns(spec, &path.child("dnsConfig"), errors);
    readiness_gates(list(&spec.readiness_gates), &path.child("readinessGates"), errors);
    scheduling_gates(list(&spec.scheduling_gates), &path.child("schedulingGates"), errors);
    affinity::spread(list(&spec.topology_spread_constraints), &path.child("topologySpreadConstraints"), errors);
    names(spec, path, errors);
    if let Some(seconds) = spec.active_deadline_seconds.filter(|seconds| !(1..=i64::from(i32::MAX)).contains(seconds)) {
        errors.invalid(&path.child("activeDeadlineSeconds"), seconds, "must be between 1 and 2147483647, inclusive");
    }
    affinity::tolerations(list(&spec.tolerations), &path.child("tolerations"), errors);
    host_aliases(list(&spec.host_aliases), &path.child("hostAliases"), errors);
    one_of(&spec.preemption_policy, &["PreemptLowerPriority", "Never"], &path.child("preemptionPolicy"), errors);
    if let Some(overhead) = &spec.overhead {
        resources::overhead(overhead, &path.child("overhead"), errors);
    }
    if let Some(os) = &spec.os {
        match os.name.as_str() {
            "linux" | "windows" => {}
            "" => errors.required(&path.child("os").child("name"), ""),
            name => errors.unsupported(&path.child("os"), name, &["linux", "windows"]),
        }
    }
}

/// A policy must be there and known.
fn policy(value: &Option<String>, known: &[&str], path: &Path<'_>, errors: &mut Errors) {
    match text(value) {
        "" => errors.required(path, ""),
        value if known.contains(&value) => {}
        value => errors.unsupported(path, value, known),
    }
}

fn resource_claims(claims: &[PodResourceClaim], path: &Path<'_>, errors: &mut Errors) {
    let mut names = BTreeSet::new();
    for (index, claim) in claims.iter().enumerate() {
        let path = path.index(index);
        let name_path = path.child("name");
        if claim.name.is_empty() {
            errors.required(&name_path, "");
        } else if !names.insert(claim.name.as_str()) {
            errors.duplicate(&name_path, &claim.name);
        } else {
            errors.invalid_all(&name_path, &claim.name, name::dns1123_label(&claim.name));
        }
        match (&claim.resource_claim_name, &claim.resource_claim_template_name) {
            (Some(_), Some(_)) => {
                errors.invalid(&path, claim, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified");
            }
            (None, None) => errors.invalid(&path, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"),
            (Some(claim), None) => errors.invalid_all(&path.child("resourceClaimName"), claim, name::dns1123_subdomain(claim)),
            (None, Some(template)) => {
                errors.invalid_all(&path.child("resourceClaimTemplateName"), template, name::dns1123_subdomain(template));
            }
        }
    }
}

/// Which namespaces of the node a pod shares.
fn namespaces(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    if flag(spec.host_pid) && flag(spec.share_process_namespace) {
        let security = path.child("securityContext");
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.invalid(&security.child("shareProcessNamespace"), true, detail);
    }
    if spec.host_users == Some(false) {
        // The capitals are upstream's.
        for (field, shared) in [("hostNetwork", spec.host_network), ("HostPID", spec.host_pid), ("HostIPC", spec.host_ipc)] {
            if flag(shared) {
                errors.forbidden(&path.child(field), "when `hostUsers` is false");
            }
        }
    }
    if let Some(name) = &spec.hostname_override {
        let path = path.child("hostnameOverride");
        if flag(spec.set_hostname_as_fqdn) {
            errors.forbidden(&path, "may not be specified when setHostnameAsFQDN is true");
        }
        if flag(spec.host_network) {
            errors.forbidden(&path, "may not be specified when hostNetwork is true");
        }
        if name.len() > 64 {
            errors.too_long(&path, 64);
        }
        errors.invalid_all(&path, name, name::dns1123_subdomain(name));
    }
}

/// The names a pod has or refers to.
fn names(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    type Rule = fn(&str) -> Vec<String>;
    let rules: [(&str, &Option<String>, Rule); 6] = [
        ("serviceAccountName", &spec.service_account_name, name::dns1123_subdomain),
        ("nodeName", &spec.node_name, name::dns1123_subdomain),
        ("hostname", &spec.hostname, name::dns1123_label),
        ("subdomain", &spec.subdomain, name::dns1123_label),
        ("priorityClassName", &spec.priority_class_name, name::dns1123_subdomain),
        ("runtimeClassName", &spec.runtime_class_name, name::dns1123_subdomain),
    ];
    for (field, value, rule) in rules {
        let value = text(value);
        if !value.is_empty() {
            errors.invalid_all(&path.child(field), value, rule(value));
        }
    }
}

fn dns(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let is_none = spec.dns_policy.as_deref() == Some("None");
    let Some(config) = &spec.dns_config else {
        if is_none {
            errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        return;
    };
    let servers = path.child("nameservers");
    if is_none && list(&config.nameservers).is_empty() {
        return errors.required(&servers, "must provide at least one DNS nameserver when `dnsPolicy` is None");
    }
    if list(&config.nameservers).len() > 3 {
        errors.invalid(&servers, &config.nameservers, "must not have more than 3 nameservers");
    }
    for (index, server) in list(&config.nameservers).iter().enumerate() {
        address::ip(server, &servers.index(index), errors);
    }
    dns_searches(config, path, errors);
    let options = path.child("options");
    for (index, option) in list(&config.options).iter().enumerate() {
        if text(&option.name).is_empty() {
            errors.required(&options.index(index), "must not be empty");
        }
    }
}

fn dns_searches(config: &PodDNSConfig, path: &Path<'_>, errors: &mut Errors) {
    let searches = list(&config.searches);
    let path = path.child("searches");
    if searches.len() > 32 {
        errors.invalid(&path, searches, "must not have more than 32 search paths");
    }
    if searches.join(" ").len() > 2048 {
        errors.invalid(&path, searches, "must not have more than 2048 characters (including spaces) in the search list");
    }
    for (index, search) in searches.iter().enumerate().filter(|(_, search)| *search != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        // Unlike elsewhere, labels may hold underscores.
        errors.invalid_all(&path.index(index), search, name::dns1123_subdomain(&search.replace('_', "x")));
    }
}

fn readiness_gates(gates: &[PodReadinessGate], path: &Path<'_>, errors: &mut Errors) {
    for (index, gate) in gates.iter().enumerate() {
        let path = path.index(index);
        errors.invalid_all(&path.child("conditionType"), &gate.condition_type, name::qualified_name(&gate.condition_type));
    }
}

fn scheduling_gates(gates: &[PodSchedulingGate], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, gate) in gates.iter().enumerate() {
        let path = path.index(index);
        errors.invalid_all(&path, &gate.name, name::qualified_name(&gate.name));
        if !seen.insert(gate.name.as_str()) {
            errors.duplicate(&path, &gate.name);
        }
    }
}

fn host_aliases(aliases: &[HostAlias], path: &Path<'_>, errors: &mut Errors) {
    for (index, alias) in aliases.iter().enumerate() {
        let path = path.index(index);
        address::ip(&alias.ip, &path.child("ip"), errors);
        let hostnames = path.child("hostnames");
        for (index, hostname) in list(&alias.hostnames).iter().enumerate() {
            errors.invalid_all(&hostnames.index(index), hostname, name::dns1123_subdomain(hostname));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(extra: Value) -> String {
        let mut json = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let spec = json["spec"].as_object_mut().unwrap();
        spec.extend(extra.as_object().unwrap().clone());
        let mut pod: Pod = serde_json::from_value(json).unwrap();
        super::super::defaults::pod(&mut pod);
        let mut errors = Errors::new();
        self::pod(&pod, &mut errors);
        if errors.is_empty() { String::new() } else { errors.to_string() }
    }

    #[test]
    fn specs() {
        for (extra, want) in [
            (json!({}), ""),
            (json!({"containers": []}), "spec.containers: Required value"),
            (json!({"containers": [{"image": "i"}]}), "spec.containers[0].name: Required value"),
            (
                json!({"containers": [{"name": "c", "image": " i"}]}),
                "spec.containers[0].image: Invalid value: \" i\": must not have leading or trailing whitespace",
            ),
            (
                json!({"restartPolicy": "Maybe"}),
                "spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"OnFailure\", \"Never\"",
            ),
            (json!({"dnsPolicy": "None"}), "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"),
            (
                json!({"activeDeadlineSeconds": 0}),
                "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
            ),
            (
                json!({"nodeName": "n", "schedulingGates": [{"name": "a.b/c"}]}),
                "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
            ),
            (
                json!({"hostPID": true, "shareProcessNamespace": true}),
                "spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled",
            ),
            (
                json!({"initContainers": [{"name": "i", "image": "x", "readinessProbe": {"tcpSocket": {"port": 1}}}]}),
                "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
            ),
            (json!({"initContainers": [{"name": "c", "image": "x"}]}), "spec.initContainers[0].name: Duplicate value: \"c\""),
            (
                json!({"hostAliases": [{"ip": "1.2.3"}]}),
                "spec.hostAliases[0].ip: Invalid value: \"1.2.3\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            ),
        ] {
            assert_eq!(said(extra), want);
        }
    }
}
