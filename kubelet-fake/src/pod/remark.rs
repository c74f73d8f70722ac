//! What a kubelet says about a pod, in upstream's words. The worker turns remarks into Events.
//!
//! Must not know: how Events are sent.

use std::{borrow::Cow, time::Duration};

use mini_api::duration;

/// One thing to say about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    /// The container it is about, if one.
    pub(crate) container: Option<String>,
    /// Something is wrong.
    pub(crate) warning: bool,
    /// One word.
    pub(crate) reason: Cow<'static, str>,
    /// The sentence.
    pub(crate) message: String,
}

impl Remark {
    pub(super) fn normal(container: &str, reason: &'static str, message: String) -> Self {
        Self { container: Some(container.to_owned()), warning: false, reason: Cow::Borrowed(reason), message }
    }

    pub(super) fn warning(container: &str, reason: &'static str, message: String) -> Self {
        Self { warning: true, ..Self::normal(container, reason, message) }
    }

    /// About the pod as a whole.
    pub(crate) fn pod(warning: bool, reason: impl Into<Cow<'static, str>>, message: &str) -> Self {
        Self { container: None, warning, reason: reason.into(), message: message.to_owned() }
    }

    pub(super) fn pulling(container: &str, image: &str) -> Self {
        Self::normal(container, "Pulling", format!("Pulling image {image:?}"))
    }

    pub(super) fn pulled(container: &str, image: &str, size: u64, took: Duration) -> Self {
        let took = go_duration(took);
        let message = format!("Successfully pulled image {image:?} in {took} ({took} including waiting). Image size: {size} bytes.");
        Self::normal(container, "Pulled", message)
    }

    pub(super) fn present(container: &str, image: &str) -> Self {
        Self::normal(container, "Pulled", format!("Container image {image:?} already present on machine and can be accessed by the pod"))
    }

    pub(super) fn pull_failed(container: &str, image: &str, message: &str) -> Vec<Self> {
        vec![
            Self::warning(container, "Failed", format!("Failed to pull image {image:?}: {message}")),
            Self::warning(container, "Failed", "Error: ErrImagePull".to_owned()),
        ]
    }

    pub(super) fn pull_backoff(container: &str, image: &str) -> Vec<Self> {
        vec![
            Self::normal(container, "BackOff", format!("Back-off pulling image {image:?}")),
            Self::warning(container, "Failed", "Error: ImagePullBackOff".to_owned()),
        ]
    }

    pub(super) fn never_pull(container: &str, message: &str) -> Vec<Self> {
        vec![
            Self::warning(container, "ErrImageNeverPull", message.to_owned()),
            Self::warning(container, "Failed", "Error: ErrImageNeverPull".to_owned()),
        ]
    }

    pub(super) fn created(container: &str) -> Self {
        Self::normal(container, "Created", "Container created".to_owned())
    }

    pub(super) fn started(container: &str) -> Vec<Self> {
        vec![Self::created(container), Self::normal(container, "Started", "Container started".to_owned())]
    }

    pub(crate) fn pre_stop_failed(container: &str) -> Self {
        Self::warning(container, "FailedPreStopHook", "PreStopHook failed".to_owned())
    }

    pub(super) fn killing(container: &str) -> Self {
        Self::normal(container, "Killing", format!("Stopping container {container}"))
    }
}

/// A duration as Go prints it, to the millisecond: `0s`, `203ms`, `1.2s`, `1m30.5s`.
fn go_duration(took: Duration) -> String {
    duration::text(Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_prints_them() {
        let shown: Vec<_> = [0, 203, 1000, 1200, 90_500].map(|n| go_duration(Duration::from_millis(n))).into();
        assert_eq!(shown, ["0s", "203ms", "1s", "1.2s", "1m30.5s"]);
    }
}
