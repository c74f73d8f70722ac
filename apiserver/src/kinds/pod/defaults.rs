//! What a pod spec means where it says nothing, whether it stands in a pod or in a template.

use k8s_openapi::{
    api::core::v1::{
        AzureDiskVolumeSource, Container, DownwardAPIVolumeFile, EnvVar, EphemeralContainer, HTTPGetAction, LifecycleHandler,
        ObjectFieldSelector, Pod, PodSpec, PodStatus, Probe, ResourceFieldSelector, ResourceRequirements, Volume, VolumeProjection,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use super::{
    super::{
        persistent_volume_claim,
        unset::{default_number, default_text, flag, list_mut, text},
    },
    volume::has_source,
};

/// The mode of files that volumes make: `rw-r--r--`.
const FILE_MODE: i32 = 0o644;
/// Seconds that a service account token is good for.
const TOKEN_SECONDS: i64 = 3600;

/// Defaults of a pod: those of its spec, and what only pods have.
pub(super) fn pod(pod: &mut Pod) {
    let spec = pod.spec.get_or_insert_default();
    self::spec(spec);
    spec.enable_service_links.get_or_insert(true);
    if flag(spec.host_network) {
        for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
            for port in list_mut(&mut container.ports) {
                default_number(&mut port.host_port, port.container_port);
            }
        }
    }
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
        requests_from_limits(container.resources.get_or_insert_default());
    }
    pod_level_requests(spec);
    if let Some(status) = &mut pod.status {
        // It never changes, so who writes the status need not repeat it.
        default_text(&mut status.qos_class, mini_api::pod::qos(spec));
        addresses(status);
    }
}

/// Defaults of a pod spec.
pub(crate) fn spec(spec: &mut PodSpec) {
    default_text(&mut spec.dns_policy, "ClusterFirst");
    default_text(&mut spec.restart_policy, "Always");
    default_text(&mut spec.scheduler_name, "default-scheduler");
    spec.security_context.get_or_insert_default();
    spec.termination_grace_period_seconds.get_or_insert(30);
    service_account(spec);
    spec.containers.iter_mut().for_each(container);
    list_mut(&mut spec.init_containers).iter_mut().for_each(container);
    list_mut(&mut spec.ephemeral_containers).iter_mut().for_each(ephemeral_container);
    list_mut(&mut spec.volumes).iter_mut().for_each(volume);
}

/// The name of the service account stands in two fields; the one with the old name follows the other.
fn service_account(spec: &mut PodSpec) {
    if text(&spec.service_account_name).is_empty() {
        spec.service_account_name = spec.service_account.take().filter(|name| !name.is_empty());
    }
    spec.service_account.clone_from(&spec.service_account_name);
}

fn container(container: &mut Container) {
    let image = text(&container.image).to_owned();
    default_text(&mut container.image_pull_policy, pull_policy(&image));
    default_text(&mut container.termination_message_path, "/dev/termination-log");
    default_text(&mut container.termination_message_policy, "File");
    container.resources.get_or_insert_default();
    for port in list_mut(&mut container.ports) {
        default_text(&mut port.protocol, "TCP");
    }
    list_mut(&mut container.env).iter_mut().for_each(env);
    for probe in [&mut container.liveness_probe, &mut container.readiness_probe, &mut container.startup_probe].into_iter().flatten() {
        self::probe(probe);
    }
    if let Some(lifecycle) = &mut container.lifecycle {
        for handler in [&mut lifecycle.post_start, &mut lifecycle.pre_stop].into_iter().flatten() {
            self::handler(handler);
        }
    }
}

fn ephemeral_container(container: &mut EphemeralContainer) {
    let image = text(&container.image).to_owned();
    default_text(&mut container.image_pull_policy, pull_policy(&image));
    default_text(&mut container.termination_message_path, "/dev/termination-log");
    default_text(&mut container.termination_message_policy, "File");
    container.resources.get_or_insert_default();
    list_mut(&mut container.env).iter_mut().for_each(env);
}

/// Images that may change under their name are pulled always.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image.split_once('@').map_or((image, false), |(name, _)| (name, true));
    let last = name.rsplit('/').next().unwrap_or(name);
    match last.split_once(':') {
        Some((_, "latest")) => "Always",
        None if !digest => "Always",
        _ => "IfNotPresent",
    }
}

fn env(env: &mut EnvVar) {
    if let Some(source) = &mut env.value_from {
        source.field_ref.as_mut().map(field_ref);
        source.resource_field_ref.as_mut().map(resource_ref);
    }
}

fn field_ref(field: &mut ObjectFieldSelector) {
    default_text(&mut field.api_version, "v1");
}

fn resource_ref(resource: &mut ResourceFieldSelector) {
    resource.divisor.get_or_insert_with(|| Quantity("0".to_owned()));
}

fn probe(probe: &mut Probe) {
    default_number(&mut probe.timeout_seconds, 1);
    default_number(&mut probe.period_seconds, 10);
    default_number(&mut probe.success_threshold, 1);
    default_number(&mut probe.failure_threshold, 3);
    probe.http_get.as_mut().map(http_get);
    if let Some(grpc) = &mut probe.grpc {
        grpc.service.get_or_insert_default();
    }
}

fn handler(handler: &mut LifecycleHandler) {
    handler.http_get.as_mut().map(http_get);
}

fn http_get(action: &mut HTTPGetAction) {
    default_text(&mut action.path, "/");
    default_text(&mut action.scheme, "HTTP");
}

/// Who limits a resource but requests none of it requests as much as the limit.
fn requests_from_limits(resources: &mut ResourceRequirements) {
    let Some(limits) = resources.limits.as_ref().filter(|limits| !limits.is_empty()) else { return };
    let requests = resources.requests.get_or_insert_default();
    for (name, limit) in limits {
        requests.entry(name.clone()).or_insert_with(|| limit.clone());
    }
}

/// A pod that limits itself as a whole requests what its containers request, or else the limit.
fn pod_level_requests(spec: &mut PodSpec) {
    let Some(mut resources) = spec.resources.take() else { return };
    let of_containers = mini_api::pod::requests(spec);
    let requests = resources.requests.get_or_insert_default();
    for (name, quantity) in of_containers.iter().filter(|(name, _)| pod_level(name)) {
        requests.entry(name.clone()).or_insert_with(|| Quantity(quantity.to_string()));
    }
    for (name, limit) in resources.limits.iter().flatten().filter(|(name, _)| pod_level(name)) {
        requests.entry(name.clone()).or_insert_with(|| limit.clone());
    }
    if requests.is_empty() {
        resources.requests = None;
    }
    spec.resources = Some(resources);
}

/// Whether a resource can be given to a pod as a whole.
pub(super) fn pod_level(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory") || resource.starts_with("hugepages-")
}

fn volume(volume: &mut Volume) {
    if !has_source(volume) {
        volume.empty_dir = Some(Default::default());
    }
    if let Some(source) = &mut volume.secret {
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.config_map {
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.downward_api {
        source.default_mode.get_or_insert(FILE_MODE);
        list_mut(&mut source.items).iter_mut().for_each(downward_file);
    }
    if let Some(source) = &mut volume.projected {
        source.default_mode.get_or_insert(FILE_MODE);
        list_mut(&mut source.sources).iter_mut().for_each(projection);
    }
    if let Some(source) = &mut volume.host_path {
        source.type_.get_or_insert_default();
    }
    if let Some(template) = volume.ephemeral.as_mut().and_then(|source| source.volume_claim_template.as_mut()) {
        persistent_volume_claim::default_spec(&mut template.spec);
    }
    if let Some(source) = &mut volume.image {
        let reference = text(&source.reference).to_owned();
        default_text(&mut source.pull_policy, pull_policy(&reference));
    }
    network_storage(volume);
}

fn downward_file(file: &mut DownwardAPIVolumeFile) {
    file.field_ref.as_mut().map(field_ref);
    file.resource_field_ref.as_mut().map(resource_ref);
}

fn projection(projection: &mut VolumeProjection) {
    if let Some(token) = &mut projection.service_account_token {
        token.expiration_seconds.get_or_insert(TOKEN_SECONDS);
    }
    if let Some(source) = &mut projection.downward_api {
        list_mut(&mut source.items).iter_mut().for_each(downward_file);
    }
}

/// Sources of volumes that no fake node mounts but whose defaults clients see.
fn network_storage(volume: &mut Volume) {
    if let Some(source) = &mut volume.iscsi {
        default_text(&mut source.iscsi_interface, "default");
    }
    if let Some(source) = &mut volume.rbd {
        default_text(&mut source.pool, "rbd");
        default_text(&mut source.user, "admin");
        default_text(&mut source.keyring, "/etc/ceph/keyring");
    }
    if let Some(source) = &mut volume.azure_disk {
        azure_disk(source);
    }
    if let Some(source) = &mut volume.scale_io {
        default_text(&mut source.storage_mode, "ThinProvisioned");
        default_text(&mut source.fs_type, "xfs");
    }
}

/// A disk of Azure, which pods and PersistentVolumes describe alike.
pub(in super::super) fn azure_disk(source: &mut AzureDiskVolumeSource) {
    source.caching_mode.get_or_insert_with(|| "ReadWrite".to_owned());
    source.kind.get_or_insert_with(|| "Shared".to_owned());
    source.fs_type.get_or_insert_with(|| "ext4".to_owned());
    source.read_only.get_or_insert(false);
}

/// The first of a pod's addresses stands in two fields: old writers set the single one.
fn addresses(status: &mut PodStatus) {
    if let Some(ip) = status.pod_ip.clone().filter(|ip| !ip.is_empty()) {
        let ips = status.pod_ips.get_or_insert_default();
        if ips.first().is_none_or(|first| first.ip != ip) {
            *ips = vec![k8s_openapi::api::core::v1::PodIP { ip }];
        }
    } else if let Some(first) = status.pod_ips.as_ref().and_then(|ips| ips.first()) {
        status.pod_ip = Some(first.ip.clone());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn defaulted(json: Value) -> Value {
        let mut object: Pod = serde_json::from_value(json).unwrap();
        pod(&mut object);
        let once = object.clone();
        pod(&mut object);
        assert_eq!(object, once, "defaults are idempotent");
        serde_json::to_value(object).unwrap()
    }

    #[test]
    fn policies_by_image() {
        for (image, want) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("localhost:5000/nginx", "Always"),
            ("nginx:1.25", "IfNotPresent"),
            ("localhost:5000/a/nginx:1", "IfNotPresent"),
            ("nginx@sha256:abc", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), want, "{image}");
        }
    }

    #[test]
    fn a_minimal_pod() {
        let pod = defaulted(json!({"spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}));
        assert_eq!(
            pod["spec"],
            json!({
                "containers": [{
                    "name": "c", "image": "nginx:1", "imagePullPolicy": "IfNotPresent", "resources": {},
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                }],
                "dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "restartPolicy": "Always",
                "schedulerName": "default-scheduler", "securityContext": {}, "terminationGracePeriodSeconds": 30,
            })
        );
    }

    #[test]
    fn what_the_rest_implies() {
        let pod = defaulted(json!({"spec": {
            "hostNetwork": true,
            "serviceAccount": "robot",
            "containers": [{
                "name": "c", "image": "i",
                "ports": [{"containerPort": 80}],
                "resources": {"limits": {"cpu": "1"}},
                "readinessProbe": {"httpGet": {"port": 80}, "periodSeconds": 0},
            }],
            "volumes": [{"name": "v"}, {"name": "s", "secret": {"secretName": "x"}}],
        }}));
        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["ports"][0], json!({"containerPort": 80, "hostPort": 80, "protocol": "TCP"}));
        assert_eq!(container["resources"]["requests"], json!({"cpu": "1"}));
        assert_eq!(container["readinessProbe"]["httpGet"], json!({"path": "/", "port": 80, "scheme": "HTTP"}));
        assert_eq!(container["readinessProbe"]["periodSeconds"], 10);
        assert_eq!(pod["spec"]["serviceAccountName"], "robot");
        assert_eq!(pod["spec"]["volumes"][0], json!({"name": "v", "emptyDir": {}}));
        assert_eq!(pod["spec"]["volumes"][1]["secret"]["defaultMode"], 420);
    }
}
