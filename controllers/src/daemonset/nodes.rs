//! Which nodes a daemon belongs on. It asks what the scheduler will ask later, as far as that does not change from pod to pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, PodSpec};
use mini_api::{
    node_selector::{self, Subject},
    taint::{self, NO_EXECUTE, NO_SCHEDULE},
};

/// What becomes of a daemon on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// There is to be one.
    Run,
    /// One that is there may stay, and no new one comes: the node has a taint that only keeps pods away.
    Stay,
    /// There is to be none.
    Leave,
}

/// Judges a node for pods of `spec`, which has the tolerations of daemons.
pub(super) fn fit(spec: &PodSpec, node: &Node) -> Fit {
    let (name, none) = (node.metadata.name.as_deref().unwrap_or_default(), BTreeMap::new());
    let labels = node.metadata.labels.as_ref().unwrap_or(&none);
    let named = spec.node_name.as_deref().is_none_or(|wanted| wanted.is_empty() || wanted == name);
    if !named || !node_selector::allows(spec, Subject { name, labels }) {
        return Fit::Leave;
    }
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
    let tolerations = spec.tolerations.as_deref().unwrap_or_default();
    let repelled = |effects: &[&str]| taint::find_untolerated(taints, tolerations, effects).is_some();
    match (repelled(&[NO_EXECUTE]), repelled(&[NO_SCHEDULE])) {
        (true, _) => Fit::Leave,
        (false, true) => Fit::Stay,
        (false, false) => Fit::Run,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Taint, Toleration};

    use super::*;
    use crate::daemonset::{
        plan::tests::{node, set},
        template,
    };

    fn spec() -> PodSpec {
        template::of(&set(), "abc").spec.unwrap()
    }

    #[test]
    fn taints_keep_away_or_drive_out() {
        for (key, effect, want) in [
            ("gpu", NO_SCHEDULE, Fit::Stay),
            ("gpu", NO_EXECUTE, Fit::Leave),
            ("gpu", taint::PREFER_NO_SCHEDULE, Fit::Run),
            ("mine", NO_EXECUTE, Fit::Run),
            ("node.kubernetes.io/unschedulable", NO_SCHEDULE, Fit::Run),
            ("node.kubernetes.io/unreachable", NO_EXECUTE, Fit::Run),
            ("node.kubernetes.io/not-ready", NO_EXECUTE, Fit::Run),
            ("node.kubernetes.io/not-ready", NO_SCHEDULE, Fit::Stay),
            ("node.kubernetes.io/network-unavailable", NO_SCHEDULE, Fit::Stay),
        ] {
            let mut node = node("n1");
            let taint = Taint { key: key.to_owned(), effect: effect.to_owned(), ..Taint::default() };
            node.spec.get_or_insert_default().taints = Some(vec![taint]);
            let mut spec = spec();
            let mine = Toleration { key: Some("mine".to_owned()), operator: Some("Exists".to_owned()), ..Toleration::default() };
            spec.tolerations.as_mut().unwrap().push(mine);
            assert_eq!(fit(&spec, &node), want, "{key} {effect}");
        }
    }

    #[test]
    fn selectors_and_names_must_match() {
        let mut selecting = spec();
        selecting.node_selector = Some([("disktype".to_owned(), "ssd".to_owned())].into());
        assert_eq!(fit(&selecting, &node("n1")), Fit::Leave);
        let mut ssd = node("n1");
        ssd.metadata.labels = selecting.node_selector.clone();
        assert_eq!(fit(&selecting, &ssd), Fit::Run);
        let mut named = spec();
        named.node_name = Some("n2".to_owned());
        assert_eq!((fit(&named, &node("n1")), fit(&named, &node("n2"))), (Fit::Leave, Fit::Run));
    }
}
