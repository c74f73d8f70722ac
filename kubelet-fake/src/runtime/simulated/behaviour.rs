//! What the annotations of a pod ask of its simulated containers. The table of them is in the parent's header.
//!
//! Must not know: the runtime's table, time.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use mini_api::quantity::{self, Quantity};

use super::Usage;
use crate::config::duration;

/// What one container does besides running.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Behaviour {
    /// After how long it ends by itself, and with which code.
    pub(super) ends: Option<(Duration, i32)>,
    /// Whether SIGTERM means nothing to it.
    pub(super) ignores_sigterm: bool,
    /// The command and arguments its specification gives.
    pub(super) command: Vec<String>,
    /// The image its specification names.
    pub(super) image: String,
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
        let ignores_sigterm = annotation(pod, "ignore-sigterm", container) == Some("true");
        let spec = find(pod, container);
        let command = spec.map(command).unwrap_or_default();
        let ends = ends.or_else(|| runs_for(&command));
        let image = spec.and_then(|spec| spec.image.clone()).unwrap_or_default();
        Self { ends, ignores_sigterm, command, image }
    }
}

/// After how long a program that does its work and ends does so, and with which code. Of others it is not known that they end.
fn runs_for(command: &[String]) -> Option<(Duration, i32)> {
    let (program, arguments) = command.split_first()?;
    match (program.as_str(), arguments) {
        ("echo" | "date" | "true", _) => Some((Duration::ZERO, 0)),
        ("false", _) => Some((Duration::ZERO, 1)),
        ("sleep", [time]) => Some((duration(time).ok()?, 0)),
        _ => None,
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

/// What an idle container uses.
const IDLE: Usage = Usage { cpu: 1_000_000, memory: 8 << 20 };

/// What a running container uses, as its pod says now. Nobody uses more than the limit.
pub(super) fn usage(pod: &Pod, container: &str) -> Usage {
    let limits = find(pod, container).and_then(|found| found.resources.as_ref()?.limits.as_ref());
    let used = |resource: &str, unit: f64, idle: u64| {
        let general = || pod.metadata.annotations.as_ref()?.get(&format!("mini.dev/{resource}")).map(String::as_str);
        let wish = annotation(pod, resource, container).or_else(general).and_then(|text| Quantity::parse(text).ok());
        let count = |quantity: Quantity| (quantity.as_f64() * unit) as u64;
        let limit = limits.and_then(|limits| limits.get(resource)).map(|limit| count(quantity::of(limit)));
        wish.map_or(idle, count).min(limit.unwrap_or(u64::MAX))
    };
    Usage { cpu: used("cpu", 1e9, IDLE.cpu), memory: used("memory", 1.0, IDLE.memory) }
}

fn annotation<'a>(pod: &'a Pod, what: &str, container: &str) -> Option<&'a str> {
    // Most pods have none: no key is built for them.
    let annotations = pod.metadata.annotations.as_ref().filter(|annotations| !annotations.is_empty())?;
    annotations.get(&format!("mini.dev/{what}.{container}")).map(String::as_str)
}

fn find<'a>(pod: &'a Pod, container: &str) -> Option<&'a Container> {
    let spec = pod.spec.as_ref()?;
    spec.init_containers.iter().flatten().chain(&spec.containers).find(|found| found.name == container)
}

fn command(container: &Container) -> Vec<String> {
    container.command.iter().flatten().chain(container.args.iter().flatten()).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaviour(annotations: serde_json::Value) -> Behaviour {
        let pod = serde_json::from_value(serde_json::json!({
            "metadata": { "annotations": annotations },
            "spec": { "containers": [{ "name": "c", "command": ["sh"], "args": ["-c", "true"] }] },
        }));
        Behaviour::of(&pod.unwrap(), "c")
    }

    #[test]
    fn some_programs_end() {
        let ends = |words: &str| runs_for(&words.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for (words, want) in [
            ("echo hello k8s job!", Some((Duration::ZERO, 0))),
            ("false", Some((Duration::ZERO, 1))),
            ("sleep 60", Some((Duration::from_secs(60), 0))),
            ("sleep soon", None),
            ("nginx -g daemon", None),
        ] {
            assert_eq!(ends(words), want, "{words}");
        }
    }

    #[test]
    fn annotations_are_per_container() {
        let quiet = behaviour(serde_json::json!({ "mini.dev/exit-code.other": "1" }));
        assert_eq!(quiet, Behaviour { command: vec!["sh".into(), "-c".into(), "true".into()], ..Behaviour::default() });
        assert_eq!(behaviour(serde_json::json!({ "mini.dev/exit-code.c": "3" })).ends, Some((Duration::ZERO, 3)));
        assert_eq!(behaviour(serde_json::json!({ "mini.dev/exit-after.c": "2s" })).ends, Some((Duration::from_secs(2), 0)));
        assert_eq!(behaviour(serde_json::json!({ "mini.dev/exit-after.c": "soon" })).ends, None);
        assert!(behaviour(serde_json::json!({ "mini.dev/ignore-sigterm.c": "true" })).ignores_sigterm);
    }

    #[test]
    fn usage_is_what_the_pod_says_now() {
        let used = |annotations: serde_json::Value| {
            let pod = serde_json::from_value(serde_json::json!({
                "metadata": { "annotations": annotations },
                "spec": { "containers": [{ "name": "c", "resources": { "limits": { "cpu": "300m" } } }] },
            }));
            usage(&pod.unwrap(), "c")
        };
        assert_eq!(used(serde_json::json!({})), IDLE);
        assert_eq!(
            used(serde_json::json!({ "mini.dev/cpu": "250m", "mini.dev/memory": "64Mi" })),
            Usage { cpu: 250_000_000, memory: 64 << 20 }
        );
        assert_eq!(
            used(serde_json::json!({ "mini.dev/cpu": "1m", "mini.dev/cpu.c": "2" })).cpu,
            300_000_000,
            "its own, and no more than its limit"
        );
        assert_eq!(used(serde_json::json!({ "mini.dev/cpu": "much" })), IDLE);
    }
}
