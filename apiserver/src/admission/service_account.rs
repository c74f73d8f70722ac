//! Every pod runs as a service account that exists, and finds that account's token, the cluster's CA and its namespace in a
//! volume.

use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{
    ConfigMapProjection, Container, DownwardAPIProjection, DownwardAPIVolumeFile, KeyToPath, ObjectFieldSelector, Pod, PodSpec,
    ProjectedVolumeSource, ServiceAccountTokenProjection, Volume, VolumeMount, VolumeProjection,
};
use mini_daemon::clock;

use super::{Attempt, Cluster, Step};
use crate::error::{ApiError, Result};

/// Where containers find the volume.
const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Seconds a token lives.
const TOKEN_SECONDS: i64 = 3607;
/// How long the account a new namespace will get may take to appear, as upstream has it.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Plugin;

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, cluster: &Cluster<'_>) -> Result<()> {
        let (plural, name, namespace) = (attempt.kind.plural, attempt.name, attempt.namespace);
        let Some(pod) = attempt.created::<Pod>() else { return Ok(()) };
        // A static pod of a kubelet has no account.
        if pod.metadata.annotations.iter().flatten().any(|(key, _)| key == "kubernetes.io/config.mirror") {
            return Ok(());
        }
        let Some(spec) = pod.spec.as_mut() else { return Ok(()) };
        let account = match spec.service_account_name.as_deref().filter(|account| !account.is_empty()) {
            Some(account) => account.to_owned(),
            None => "default".to_owned(),
        };
        let key = format!("{namespace}/{account}");
        if !exists(cluster, &key, account == "default").await {
            let why = format!("error looking up service account {key}: serviceaccount {account:?} not found");
            return Err(ApiError::forbidden(plural, "", name, &why));
        }
        spec.service_account = Some(account.clone());
        spec.service_account_name = Some(account);
        if spec.automount_service_account_token.unwrap_or(true) {
            mount(spec);
        }
        Ok(())
    }
}

/// Whether the account is there; the default one may still be on its way into a new namespace.
async fn exists(cluster: &Cluster<'_>, key: &str, patient: bool) -> bool {
    let appears = async {
        loop {
            let seen = cluster.cache.revision();
            if cluster.item("serviceaccounts", key).is_some() {
                return;
            }
            cluster.cache.moved(seen).await;
        }
    };
    let patience = if patient { PATIENCE } else { Duration::ZERO };
    tokio::time::timeout(patience, appears).await.is_ok()
}

fn mount(spec: &mut PodSpec) {
    let mounted = |container: &Container| container.volume_mounts.iter().flatten().any(|mount| mount.mount_path == MOUNT);
    let containers = || spec.init_containers.iter().flatten().chain(&spec.containers);
    if containers().all(mounted) {
        return;
    }
    let name = format!("kube-api-access-{}", clock::suffix(5));
    for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        if !mounted(container) {
            container.volume_mounts.get_or_insert_default().push(VolumeMount {
                name: name.clone(),
                read_only: Some(true),
                mount_path: MOUNT.to_owned(),
                ..VolumeMount::default()
            });
        }
    }
    spec.volumes.get_or_insert_default().push(volume(name));
}

fn volume(name: String) -> Volume {
    let token = ServiceAccountTokenProjection { expiration_seconds: Some(TOKEN_SECONDS), path: "token".to_owned(), ..Default::default() };
    let item = KeyToPath { key: "ca.crt".to_owned(), path: "ca.crt".to_owned(), ..KeyToPath::default() };
    let ca = ConfigMapProjection { name: "kube-root-ca.crt".to_owned(), items: Some(vec![item]), ..ConfigMapProjection::default() };
    let field = ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: "metadata.namespace".to_owned() };
    let file = DownwardAPIVolumeFile { path: "namespace".to_owned(), field_ref: Some(field), ..DownwardAPIVolumeFile::default() };
    let sources = vec![
        VolumeProjection { service_account_token: Some(token), ..VolumeProjection::default() },
        VolumeProjection { config_map: Some(ca), ..VolumeProjection::default() },
        VolumeProjection { downward_api: Some(DownwardAPIProjection { items: Some(vec![file]) }), ..VolumeProjection::default() },
    ];
    let projected = ProjectedVolumeSource { sources: Some(sources), default_mode: Some(0o644) };
    Volume { name, projected: Some(projected), ..Volume::default() }
}
