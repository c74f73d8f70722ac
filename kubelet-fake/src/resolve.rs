//! What a pod says by reference, looked up: variables, commands, volumes, tokens. The runtime is handed the result.
//!
//! Must not know: when a container is started, how it is run.

mod downward;
mod environment;
mod expand;
mod token;
mod volumes;

use std::{borrow::Cow, sync::Arc};

use k8s_openapi::api::core::v1::{Container, Pod};

pub(crate) use self::volumes::Volumes;
use crate::{
    node::Facts,
    objects::Objects,
    runtime::{Environment, Mount, Network, StartRequest},
};

/// A pod and all that its references lead to.
#[derive(Clone)]
pub(crate) struct Context {
    /// The pod.
    pub(crate) pod: Arc<Pod>,
    /// Its node.
    pub(crate) facts: Arc<Facts>,
    /// Its network.
    pub(crate) network: Network,
    /// The objects it may refer to.
    pub(crate) objects: Arc<Objects>,
}

impl Context {
    fn namespace(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Completes a request with what the container's specification refers to.
    ///
    /// # Errors
    /// The sentence about what is missing.
    pub(crate) async fn complete(&self, request: &mut StartRequest, volumes: Option<&Arc<Volumes>>) -> Result<(), String> {
        let container = request.spec().map(Cow::into_owned).ok_or_else(|| "the pod has no such container".to_owned())?;
        let environment = environment::of(self, &container).await?;
        let expand = |words: &Option<Vec<String>>| -> Vec<String> {
            words.iter().flatten().map(|word| expand::expand(word, |name| environment.get(name))).collect()
        };
        (request.command, request.args) = (expand(&container.command), expand(&container.args));
        request.mounts = mounts(&container, volumes, &environment);
        request.environment = environment;
        request.network = self.network.clone();
        Ok(())
    }
}

fn mounts(container: &Container, volumes: Option<&Arc<Volumes>>, environment: &Environment) -> Vec<Mount> {
    let Some(volumes) = volumes else { return Vec::new() };
    let mount = |mount: &k8s_openapi::api::core::v1::VolumeMount| {
        let expression = mount.sub_path_expr.as_deref().filter(|expression| !expression.is_empty());
        let sub_path = match expression {
            Some(expression) => expand::expand(expression, |name| environment.get(name)),
            None => mount.sub_path.clone().unwrap_or_default(),
        };
        Some(Mount {
            source: volumes.source(&mount.name)?,
            volume: mount.name.clone(),
            path: mount.mount_path.clone(),
            sub_path,
            read_only: mount.read_only == Some(true),
        })
    };
    container.volume_mounts.iter().flatten().filter_map(mount).collect()
}

#[cfg(test)]
mod tests;
