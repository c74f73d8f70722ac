//! Containers of a pod: those that run, those that run before them, and those added to look around.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, ContainerResizePolicy, ContainerRestartRule, EphemeralContainer, PodSpec, Volume,
};
use mini_api::name;

use super::{
    super::{
        address,
        field::{Errors, Path},
        unset::{flag, list, text},
    },
    Context, env, mount, probe, resources, security,
};

/// What is wrong with the containers that run.
pub(super) fn regular(containers: &[Container], volumes: &[&Volume], context: &Context<'_>, path: &Path<'_>, errors: &mut Errors) {
    if containers.is_empty() {
        return errors.required(path, "");
    }
    let mut names = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let path = path.index(index);
        any(container, volumes, context, &path, errors);
        if !names.insert(container.name.as_str()) {
            errors.duplicate(&path.child("name"), &container.name);
        }
        life(container, context, &path, errors);
        restart_rules(container, &path, errors);
    }
    host_ports(containers, path, errors);
}

/// What is wrong with the containers that run before the others, or beside them if they restart always.
pub(super) fn init(spec: &PodSpec, volumes: &[&Volume], context: &Context<'_>, path: &Path<'_>, errors: &mut Errors) {
    let mut names: BTreeSet<&str> = spec.containers.iter().map(|container| container.name.as_str()).collect();
    for (index, container) in list(&spec.init_containers).iter().enumerate() {
        let path_of_list = path;
        let path = path.index(index);
        any(container, volumes, context, &path, errors);
        restart_rules(container, &path, errors);
        if !names.insert(container.name.as_str()) && !container.name.is_empty() {
            errors.duplicate(&path.child("name"), &container.name);
        }
        host_ports(std::slice::from_ref(container), path_of_list, errors);
        let is_sidecar = container.restart_policy.as_deref() == Some("Always");
        if is_sidecar {
            life(container, context, &path, errors);
        } else {
            only_sidecars(container, &path, errors);
        }
    }
}

/// What init containers that end may not have.
fn only_sidecars(container: &Container, path: &Path<'_>, errors: &mut Errors) {
    for (field, there) in [
        ("lifecycle", container.lifecycle.is_some()),
        ("livenessProbe", container.liveness_probe.is_some()),
        ("readinessProbe", container.readiness_probe.is_some()),
        ("startupProbe", container.startup_probe.is_some()),
    ] {
        if there {
            errors.forbidden(&path.child(field), "may not be set for init containers without restartPolicy=Always");
        }
    }
}

/// What is wrong with containers added to a pod to look around.
pub(super) fn ephemeral(spec: &PodSpec, volumes: &[&Volume], context: &Context<'_>, path: &Path<'_>, errors: &mut Errors) {
    let others: Vec<&str> = spec.containers.iter().chain(list(&spec.init_containers)).map(|container| container.name.as_str()).collect();
    let mut names: BTreeSet<&str> = others.iter().copied().collect();
    for (index, container) in list(&spec.ephemeral_containers).iter().enumerate() {
        let path = path.index(index);
        any(&as_container(container), volumes, context, &path, errors);
        if !names.insert(container.name.as_str()) {
            errors.duplicate(&path.child("name"), &container.name);
        }
        let target = text(&container.target_container_name);
        if !target.is_empty() && !others.contains(&target) {
            errors.not_found(&path.child("targetContainerName"), target);
        }
        for (field, there) in [
            ("ports", !list(&container.ports).is_empty()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
            ("lifecycle", container.lifecycle.is_some()),
        ] {
            if there {
                errors.forbidden(&path.child(field), "cannot be set for an Ephemeral Container");
            }
        }
    }
}

/// The container an ephemeral one would be, to apply what holds for all.
fn as_container(container: &EphemeralContainer) -> Container {
    Container {
        name: container.name.clone(),
        image: container.image.clone(),
        image_pull_policy: container.image_pull_policy.clone(),
        termination_message_policy: container.termination_message_policy.clone(),
        ports: container.ports.clone(),
        env: container.env.clone(),
        env_from: container.env_from.clone(),
        volume_mounts: container.volume_mounts.clone(),
        volume_devices: container.volume_devices.clone(),
        resources: container.resources.clone(),
        security_context: container.security_context.clone(),
        ..Container::default()
    }
}

/// What is wrong with a container of any sort.
fn any(container: &Container, volumes: &[&Volume], context: &Context<'_>, path: &Path<'_>, errors: &mut Errors) {
    let name_path = path.child("name");
    if container.name.is_empty() {
        errors.required(&name_path, "");
    } else {
        errors.invalid_all(&name_path, &container.name, name::dns1123_label(&container.name));
    }
    if text(&container.image).is_empty() {
        errors.required(&path.child("image"), "");
    }
    let message_policy = path.child("terminationMessagePolicy");
    match text(&container.termination_message_policy) {
        "File" | "FallbackToLogsOnError" => {}
        "" => errors.required(&message_policy, ""),
        policy => errors.unsupported(&message_policy, policy, &["File", "FallbackToLogsOnError"]),
    }
    ports(list(&container.ports), &path.child("ports"), errors);
    env::variables(list(&container.env), &path.child("env"), errors);
    env::sources(list(&container.env_from), &path.child("envFrom"), errors);
    mount::mounts(container, volumes, &path.child("volumeMounts"), errors);
    mount::devices(container, volumes, &path.child("volumeDevices"), errors);
    pull_policy(text(&container.image_pull_policy), &path.child("imagePullPolicy"), errors);
    if let Some(resources) = &container.resources {
        resources::of_container(resources, &context.claims, &path.child("resources"), errors);
    }
    resize_policy(list(&container.resize_policy), context, &path.child("resizePolicy"), errors);
    if let Some(security) = &container.security_context {
        security::of_container(security, context.host_users, &path.child("securityContext"), errors);
    }
}

/// Hooks and probes.
fn life(container: &Container, context: &Context<'_>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(lifecycle) = &container.lifecycle {
        probe::lifecycle(lifecycle, context, &path.child("lifecycle"), errors);
    }
    if let Some(liveness) = &container.liveness_probe {
        probe::restarting(liveness, &path.child("livenessProbe"), errors);
    }
    if let Some(readiness) = &container.readiness_probe {
        probe::readiness(readiness, &path.child("readinessProbe"), errors);
    }
    if let Some(startup) = &container.startup_probe {
        probe::restarting(startup, &path.child("startupProbe"), errors);
    }
}

/// When an image is pulled.
pub(super) fn pull_policy(policy: &str, path: &Path<'_>, errors: &mut Errors) {
    match policy {
        "Always" | "IfNotPresent" | "Never" => {}
        "" => errors.required(path, ""),
        policy => errors.unsupported(path, policy, &["Always", "IfNotPresent", "Never"]),
    }
}

fn ports(ports: &[ContainerPort], path: &Path<'_>, errors: &mut Errors) {
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let port_name = text(&port.name);
        if !port_name.is_empty() {
            let wrong = name::port_name(port_name);
            if !wrong.is_empty() {
                errors.invalid_all(&path.child("name"), port_name, wrong);
            } else if !names.insert(port_name) {
                errors.duplicate(&path.child("name"), port_name);
            }
        }
        if port.container_port == 0 {
            errors.required(&path.child("containerPort"), "");
        } else {
            address::port(port.container_port, &path.child("containerPort"), errors);
        }
        if let Some(host_port) = port.host_port.filter(|port| *port != 0) {
            address::port(host_port, &path.child("hostPort"), errors);
        }
        address::protocol(text(&port.protocol), &path.child("protocol"), errors);
    }
}

/// No two ports may want the same port of the node.
fn host_ports(containers: &[Container], path: &Path<'_>, errors: &mut Errors) {
    let mut taken = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let container_path = path.index(index);
        let ports = container_path.child("ports");
        for (index, port) in list(&container.ports).iter().enumerate() {
            let Some(host_port) = port.host_port.filter(|port| *port != 0) else { continue };
            let claim = format!("{}/{}/{host_port}", text(&port.protocol), text(&port.host_ip));
            if taken.contains(&claim) {
                errors.duplicate(&ports.index(index).child("hostPort"), claim);
            } else {
                taken.insert(claim);
            }
        }
    }
}

/// On the network of the node a container listens where the node does.
pub(super) fn host_network(spec: &PodSpec, context: &Context<'_>, path: &Path<'_>, errors: &mut Errors) {
    if !flag(spec.host_network) {
        return;
    }
    for (index, container) in spec.containers.iter().enumerate() {
        let container_path = path.index(index);
        let ports = container_path.child("ports");
        for (index, port) in list(&container.ports).iter().enumerate() {
            let host_port = port.host_port.unwrap_or_default();
            if (context.pod.is_some() || host_port != 0) && host_port != port.container_port {
                errors.invalid(&ports.index(index).child("hostPort"), host_port, "must match `containerPort` when `hostNetwork` is true");
            }
        }
    }
}

fn resize_policy(policies: &[ContainerResizePolicy], context: &Context<'_>, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, policy) in policies.iter().enumerate() {
        let resource = policy.resource_name.as_str();
        if !seen.insert(resource) {
            errors.duplicate(&path.index(index), resource);
        }
        match resource {
            "cpu" | "memory" => {}
            "" => errors.required(path, ""),
            resource => errors.unsupported(path, resource, &["cpu", "memory"]),
        }
        match policy.restart_policy.as_str() {
            "NotRequired" | "RestartContainer" => {}
            "" => errors.required(path, ""),
            policy => errors.unsupported(path, policy, &["NotRequired", "RestartContainer"]),
        }
        if context.restart_policy == "Never" && policy.restart_policy != "NotRequired" {
            errors.invalid(path, &policy.restart_policy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
        }
    }
}

fn restart_rules(container: &Container, path: &Path<'_>, errors: &mut Errors) {
    let rules = list(&container.restart_policy_rules);
    let policies = ["Always", "Never", "OnFailure"];
    match container.restart_policy.as_deref() {
        None if rules.is_empty() => return,
        None => errors.required(&path.child("restartPolicy"), "must specify restartPolicy when restart rules are used"),
        Some(policy) if !policies.contains(&policy) => errors.unsupported(&path.child("restartPolicy"), policy, &policies),
        Some(_) => {}
    }
    let path = path.child("restartPolicyRules");
    if rules.len() > 20 {
        errors.too_many(&path, rules.len(), 20);
    }
    for (index, rule) in rules.iter().enumerate() {
        restart_rule(rule, &path.index(index), errors);
    }
}

fn restart_rule(rule: &ContainerRestartRule, path: &Path<'_>, errors: &mut Errors) {
    if rule.action != "Restart" {
        errors.unsupported(&path.child("action"), &rule.action, &["Restart"]);
    }
    let path = path.child("exitCodes");
    let Some(codes) = &rule.exit_codes else { return errors.required(&path, "must be specified") };
    if !matches!(codes.operator.as_str(), "In" | "NotIn") {
        errors.unsupported(&path.child("operator"), &codes.operator, &["In", "NotIn"]);
    }
    if list(&codes.values).len() > 255 {
        errors.too_many(&path.child("values"), list(&codes.values).len(), 255);
    }
}

/// What holds for containers of pods but, as ever, not for those of templates.
pub(super) fn only_in_pods(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    for (field, containers) in [("containers", spec.containers.as_slice()), ("initContainers", list(&spec.init_containers))] {
        let path = path.child(field);
        for (index, container) in containers.iter().enumerate() {
            image_is_trimmed(text(&container.image), &path.index(index).child("image"), errors);
        }
    }
}

/// An image may not be padded with spaces.
pub(super) fn image_is_trimmed(image: &str, path: &Path<'_>, errors: &mut Errors) {
    if image.trim() != image {
        errors.invalid(path, image, "must not have leading or trailing whitespace");
    }
}
