//! What kubelets count: what their node, its pods and their containers use, asked over HTTP when somebody wants to know, and never
//! remembered.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::timeout;

use crate::components::fetch;

/// How long a kubelet may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where it answers.
const PATH: &str = "/stats/summary";
/// The longest answer that is read, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;

/// What a kubelet says of one node.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// The node.
    pub node: Usage,
    /// Its pods.
    pub pods: Vec<PodStats>,
}

/// What is said of one pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodStats {
    /// Which.
    pub pod_ref: PodRef,
    /// Its containers that run.
    pub containers: Vec<ContainerStats>,
}

/// Names a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PodRef {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Tells it from its namesakes.
    pub uid: String,
}

/// What is said of one container.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ContainerStats {
    /// Which.
    pub name: String,
    /// What it uses.
    #[serde(flatten)]
    pub usage: Usage,
}

/// What is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Of the CPU.
    pub cpu: Cpu,
    /// Of the memory.
    pub memory: Memory,
}

/// What is used of the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Cpu {
    /// In billionths of a core.
    pub usage_nano_cores: u64,
}

/// What is used of the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memory {
    /// In bytes.
    pub working_set_bytes: u64,
}

/// What the kubelet at `address` says of `node`.
///
/// # Errors
/// Why it says nothing.
pub(crate) async fn ask(address: &str, node: &str) -> Result<Summary, String> {
    let late = || format!("it took longer than {PATIENCE:?}");
    let (code, body) = timeout(PATIENCE, fetch(address, node, PATH, LONGEST)).await.unwrap_or_else(|_| Err(late()))?;
    if code != 200 {
        return Err(format!("{code}: {}", String::from_utf8_lossy(&body).trim()));
    }
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}
