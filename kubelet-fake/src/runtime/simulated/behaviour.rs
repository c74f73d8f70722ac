//! What the annotations of a pod ask of its simulated containers. The table of them is in the parent's header.
//!
//! Must not know: the runtime's table, time.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use mini_api::quantity::{self, Quantity};

use super::super::{Usage, find};
use crate::config::duration;

/// What one container does besides what its program does.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Behaviour {
    /// After how long it ends, whatever its program does, and with which code.
    pub(super) ends: Option<(Duration, i32)>,
    /// Whether SIGTERM means nothing to it.
    pub(super) ignores_sigterm: bool,
}

impl Behaviour {
    /// The behaviour of `container` in `pod`. Values that cannot be read count as absent.
    pub(super) fn of(pod: &Pod, container: &str) -> Self {
        let after = annotation(pod, "exit-after", container).and_then(|text| duration(text).ok());
        let code = annotation(pod, "exit-code", container).and_then(|text| text.parse::<i32>().ok());
        let ends = match (after, code) {
            (None, None) => None,
            (after, code) => Some((after.unwrap_or_default(), code.unwrap_or_default())),
        };
        Self { ends, ignores_sigterm: annotation(pod, "ignore-sigterm", container) == Some("true") }
    }
}

/// How a pull of the pod's images goes.
pub(super) struct PullWish {
    /// What it takes, when the pod says so.
    pub(super) takes: Option<Duration>,
    /// Whether it shall fail.
    pub(super) missing: bool,
}

/// How a pull of the pod's images goes.
pub(super) fn pull(pod: &Pod) -> PullWish {
    let get = |name: &str| pod.metadata.annotations.as_ref()?.get(name).map(String::as_str);
    PullWish {
        takes: get("mini.dev/pull-seconds").and_then(|text| duration(text).ok()),
        missing: get("mini.dev/image-missing") == Some("true"),
    }
}

/// What a running container uses, as its pod says now; otherwise what it really does. Nobody uses more than the limit.
pub(super) fn usage(pod: &Pod, container: &str, really: Usage) -> Usage {
    let spec = pod.spec.as_ref().and_then(|spec| find(spec, container));
    let used = |resource: &str, unit: f64, really: u64| {
        let general = || pod.metadata.annotations.as_ref()?.get(&format!("mini.dev/{resource}")).map(String::as_str);
        let wish = annotation(pod, resource, container).or_else(general).and_then(|text| Quantity::parse(text).ok());
        let count = |quantity: Quantity| (quantity.as_f64() * unit) as u64;
        wish.map_or(really, count).min(spec.as_deref().and_then(|spec| limit(spec, resource)).map_or(u64::MAX, count))
    };
    Usage { cpu: used("cpu", 1e9, really.cpu), memory: used("memory", 1.0, really.memory) }
}

/// How much of a resource a container may use.
pub(super) fn limit(container: &Container, resource: &str) -> Option<Quantity> {
    container.resources.as_ref()?.limits.as_ref()?.get(resource).map(quantity::of)
}

fn annotation<'a>(pod: &'a Pod, what: &str, container: &str) -> Option<&'a str> {
    // Most pods have none: no key is built for them.
    let annotations = pod.metadata.annotations.as_ref().filter(|annotations| !annotations.is_empty())?;
    annotations.get(&format!("mini.dev/{what}.{container}")).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(annotations: serde_json::Value) -> Pod {
        let container = serde_json::json!({ "name": "c", "resources": { "limits": { "cpu": "300m" } } });
        let pod = serde_json::json!({ "metadata": { "annotations": annotations }, "spec": { "containers": [container] } });
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn annotations_are_per_container() {
        let behaviour = |annotations| Behaviour::of(&pod(annotations), "c");
        assert_eq!(behaviour(serde_json::json!({ "mini.dev/exit-code.other": "1" })), Behaviour::default());
        assert_eq!(behaviour(serde_json::json!({ "mini.dev/exit-code.c": "3" })).ends, Some((Duration::ZERO, 3)));
        assert_eq!(behaviour(serde_json::json!({ "mini.dev/exit-after.c": "2s" })).ends, Some((Duration::from_secs(2), 0)));
        assert_eq!(behaviour(serde_json::json!({ "mini.dev/exit-after.c": "soon" })).ends, None);
        assert!(behaviour(serde_json::json!({ "mini.dev/ignore-sigterm.c": "true" })).ignores_sigterm);
    }

    #[test]
    fn usage_is_what_the_pod_says_now() {
        let really = Usage { cpu: 5_000_000, memory: 1 << 20 };
        let used = |annotations: serde_json::Value| usage(&pod(annotations), "c", really);
        assert_eq!(used(serde_json::json!({})), really);
        let told = used(serde_json::json!({ "mini.dev/cpu": "250m", "mini.dev/memory": "64Mi" }));
        assert_eq!(told, Usage { cpu: 250_000_000, memory: 64 << 20 });
        let own = used(serde_json::json!({ "mini.dev/cpu": "1m", "mini.dev/cpu.c": "2" }));
        assert_eq!(own.cpu, 300_000_000, "its own, and no more than its limit");
        assert_eq!(used(serde_json::json!({ "mini.dev/cpu": "much" })), really);
    }
}
