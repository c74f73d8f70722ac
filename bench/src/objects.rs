//! The objects that suites write, as JSON bytes, and the names by which they are found again.

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, StatusCode};
use mini_daemon::clock;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    connection::Connection,
    target::{Outgoing, Target},
};

/// The label by which everything that a suite wrote is found again; its value is the run.
pub(crate) const LABEL: &str = "mini-bench";
/// The length of a ConfigMap as it is sent.
const CONFIG_MAP_BYTES: usize = 1024;
/// The image of all pods: the course's own.
const IMAGE: &str = "nginx:1.7.9";

/// A name for everything one run of a suite writes, so that runs do not meet.
pub(crate) fn run() -> String {
    clock::suffix(6)
}

/// ConfigMaps of 1,024 bytes that differ in their names only.
#[derive(Clone, Debug)]
pub(crate) struct ConfigMaps {
    prefix: String,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl ConfigMaps {
    /// Those of one run.
    pub(crate) fn new(run: &str) -> Self {
        let prefix = format!("bench-{run}-");
        let head = format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"labels":{{"{LABEL}":"{run}"}},"name":"{prefix}"#);
        let (middle, end) = (r#""},"data":{"key":""#, r#""}}"#);
        let filling = CONFIG_MAP_BYTES.saturating_sub(head.len() + digits(0).len() + middle.len() + end.len());
        let tail = format!("{middle}{}{end}", "x".repeat(filling));
        Self { prefix, head: head.into_bytes(), tail: tail.into_bytes() }
    }

    /// What comes before the number in every name.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name of the one of this number.
    pub(crate) fn name(&self, index: u64) -> String {
        format!("{}{}", self.prefix, digits(index))
    }

    /// The number in a name, given what follows the prefix.
    pub(crate) fn number(after_prefix: &[u8]) -> Option<u64> {
        std::str::from_utf8(after_prefix.get(..digits(0).len())?).ok()?.parse().ok()
    }

    /// The object of this number.
    pub(crate) fn body(&self, index: u64) -> Bytes {
        [&self.head, digits(index).as_bytes(), &self.tail].concat().into()
    }
}

/// Numbers of one width, so that all bodies have one length.
fn digits(index: u64) -> String {
    format!("{index:09}")
}

/// The path of all ConfigMaps of a namespace.
pub(crate) fn config_maps(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

/// The path of all pods of a namespace.
pub(crate) fn pods(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

/// The path of all Deployments of a namespace.
pub(crate) fn deployments(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/deployments")
}

/// A pod that no scheduler looks after, so that it needs no node and stays as it is.
pub(crate) fn idle_pod(index: u64) -> Bytes {
    let mut spec = pod_spec();
    spec["schedulerName"] = LABEL.into();
    let name = format!("bench-{}", digits(index));
    let metadata = json!({ "name": name, "labels": { "app": "nginx", LABEL: "list" } });
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec }).to_string().into()
}

/// A Deployment of so many pods, which carry the run's label as it does.
pub(crate) fn deployment(name: &str, run: &str, replicas: u32) -> Bytes {
    let labels = json!({ LABEL: run });
    let spec = json!({
        "replicas": replicas,
        "selector": { "matchLabels": labels },
        "template": { "metadata": { "labels": labels }, "spec": pod_spec() },
    });
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name, "labels": labels }, "spec": spec })
        .to_string()
        .into()
}

/// What all pods want: one container.
pub(crate) fn pod_spec() -> Value {
    json!({ "containers": [{ "name": "nginx", "image": IMAGE, "ports": [{ "containerPort": 80 }] }] })
}

/// Creates a namespace with the ServiceAccount that pods in it need, unless they are there.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn ensure_namespace(connection: &mut Connection, target: &Target, name: &str) -> Result<()> {
    let there = [StatusCode::CONFLICT];
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    connection.fetch(target.post("/api/v1/namespaces", namespace.to_string().into())?, &there).await?;
    // Where no controllers run, nobody else does it.
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
    let accounts = format!("/api/v1/namespaces/{name}/serviceaccounts");
    connection.fetch(target.post(&accounts, account.to_string().into())?, &there).await?;
    Ok(())
}

/// A request that deletes all of a run at `path`.
///
/// # Errors
/// When the path is none.
pub(crate) fn deletion(target: &Target, path: &str, run: &str) -> Result<Outgoing> {
    let body = json!({ "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background" });
    let path = format!("{path}?labelSelector={LABEL}%3D{run}").parse()?;
    Ok(target.request(Method::DELETE, path, body.to_string().into()))
}

/// What is read of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct ListHead {
    /// The list's own metadata.
    pub(crate) metadata: ListMeta,
    items: Vec<serde::de::IgnoredAny>,
}

/// The metadata of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListMeta {
    /// Where a watch goes on.
    pub(crate) resource_version: String,
    remaining_item_count: Option<u64>,
}

impl ListHead {
    /// Asks for the first of the objects at `path`.
    ///
    /// # Errors
    /// When the server refuses, or answers no list.
    pub(crate) async fn fetch(connection: &mut Connection, target: &Target, path: &str) -> Result<Self> {
        let body = connection.fetch(target.get(&format!("{path}?limit=1"))?, &[]).await?;
        serde_json::from_slice(&body).with_context(|| format!("read the list {path}"))
    }

    /// How many objects there are.
    pub(crate) fn total(&self) -> u64 {
        self.items.len() as u64 + self.metadata.remaining_item_count.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_maps_are_json_of_one_length() {
        let maps = ConfigMaps::new("abcdef");
        for index in [0, 7, 123_456_789] {
            let body = maps.body(index);
            assert_eq!(body.len(), CONFIG_MAP_BYTES);
            let value: Value = serde_json::from_slice(&body).unwrap();
            let name = value["metadata"]["name"].as_str().unwrap();
            assert_eq!(name, maps.name(index));
            assert_eq!(ConfigMaps::number(name.strip_prefix(maps.prefix()).unwrap().as_bytes()), Some(index));
            assert_eq!(value["metadata"]["labels"][LABEL], "abcdef");
        }
        assert_eq!(ConfigMaps::number(b"12"), None);
    }

    #[test]
    fn a_list_tells_how_many_there_are() {
        let head = |text: &str| serde_json::from_str::<ListHead>(text).unwrap().total();
        assert_eq!(head(r#"{"metadata":{"resourceVersion":"5","remainingItemCount":9},"items":[{}]}"#), 10);
        assert_eq!(head(r#"{"metadata":{"resourceVersion":"5"},"items":[]}"#), 0);
    }
}
