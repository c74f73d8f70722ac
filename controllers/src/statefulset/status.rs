//! The status of a StatefulSet, and what it means that a pod is well.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{StatefulSetSpec, StatefulSetStatus},
    core::v1::Pod,
};
use mini_api::pod;

use super::{identity, plan::World};

/// Whether a pod runs and can be sent requests.
pub(super) fn is_running_and_ready(pod: &Pod) -> bool {
    pod::phase(pod) == pod::RUNNING && pod::is_ready(pod)
}

/// Whether it has been ready for long enough.
pub(super) fn is_available(pod: &Pod, spec: &StatefulSetSpec, now: Timestamp) -> bool {
    pod::is_available(pod, spec.min_ready_seconds.unwrap_or(0), now)
}

/// Counts the pods. `outdated` are those that are about to be deleted for the update: they do not count as current any more.
pub(super) fn of(world: &World<'_>, outdated: &[Arc<Pod>]) -> StatefulSetStatus {
    let spec = world.set.spec.clone().unwrap_or_default();
    let count = |counts: &dyn Fn(&Pod) -> bool| i32::try_from(world.pods.iter().filter(|pod| counts(pod)).count()).unwrap_or(i32::MAX);
    let of_revision = |pod: &Pod, name: &str| !pod::is_terminating(pod) && identity::revision(pod) == Some(name);
    let leaving = |pod: &Pod| outdated.iter().any(|leaving| leaving.metadata.name == pod.metadata.name);

    let replicas = count(&|_| true);
    let ready = count(&is_running_and_ready);
    let updated = count(&|pod| of_revision(pod, world.update.name));
    let mut current = count(&|pod| of_revision(pod, world.current.name) && !leaving(pod));
    let mut current_revision = world.current.name;
    let strategy = spec.update_strategy.as_ref().and_then(|strategy| strategy.type_.as_deref());
    let rolls = strategy.is_none_or(|strategy| strategy == "RollingUpdate");
    if rolls && [updated, ready, replicas].iter().all(|count| *count == spec.replicas.unwrap_or(1)) {
        (current, current_revision) = (updated, world.update.name);
    }
    let some = |number: i32| Some(number).filter(|number| *number != 0);
    StatefulSetStatus {
        replicas,
        ready_replicas: some(ready),
        available_replicas: Some(count(&|pod| is_running_and_ready(pod) && is_available(pod, &spec, world.now))),
        current_replicas: some(current),
        updated_replicas: some(updated),
        current_revision: Some(current_revision.to_owned()),
        update_revision: Some(world.update.name.to_owned()),
        observed_generation: world.set.metadata.generation,
        collision_count: world.set.status.as_ref().and_then(|status| status.collision_count).or(Some(0)),
        conditions: None,
    }
}
