//! The pods of a DaemonSet: each is for one node, which it names in its affinity, and bears what befalls nodes.

use k8s_openapi::api::{
    apps::v1::DaemonSet,
    core::v1::{
        Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec, PodTemplateSpec, Toleration,
    },
};
use mini_api::{
    node_selector::{self, NAME_FIELD},
    owner, pod, taint,
};

use crate::{history::REVISION_LABEL, pods};

/// Counts the templates the set has had; the API server keeps it.
const GENERATION_ANNOTATION: &str = "deprecated.daemonset.template.generation";
/// The same on its pods.
const GENERATION_LABEL: &str = "pod-template-generation";

/// The taints all daemons bear: nodes that do not answer keep them, and nodes in need or being emptied get them.
const BORNE: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", taint::NO_EXECUTE),
    ("node.kubernetes.io/unreachable", taint::NO_EXECUTE),
    ("node.kubernetes.io/disk-pressure", taint::NO_SCHEDULE),
    ("node.kubernetes.io/memory-pressure", taint::NO_SCHEDULE),
    ("node.kubernetes.io/pid-pressure", taint::NO_SCHEDULE),
    ("node.kubernetes.io/unschedulable", taint::NO_SCHEDULE),
];
/// The taint that those bear which use the network of the node.
const NO_NETWORK: (&str, &str) = ("node.kubernetes.io/network-unavailable", taint::NO_SCHEDULE);

/// The revision a pod was made from.
pub(super) fn hash(pod: &Pod) -> Option<&str> {
    pod.metadata.labels.as_ref()?.get(REVISION_LABEL).map(String::as_str)
}

/// The template of all pods of one revision.
pub(super) fn of(set: &DaemonSet, hash: &str) -> PodTemplateSpec {
    let mut template = set.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default();
    tolerate(template.spec.get_or_insert_default());
    let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
    let generation = set.metadata.annotations.as_ref().and_then(|all| all.get(GENERATION_ANNOTATION)?.parse::<i64>().ok());
    labels.extend(generation.map(|generation| (GENERATION_LABEL.to_owned(), generation.to_string())));
    labels.insert(REVISION_LABEL.to_owned(), hash.to_owned());
    template
}

/// Adds the tolerations of daemons, in the place of the user's for the same taints.
fn tolerate(spec: &mut PodSpec) {
    let network = spec.host_network == Some(true);
    let tolerations = spec.tolerations.get_or_insert_default();
    for (key, effect) in BORNE.into_iter().chain(network.then_some(NO_NETWORK)) {
        let toleration = Toleration {
            key: Some(key.to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some(effect.to_owned()),
            ..Toleration::default()
        };
        let unlimited = |there: &Toleration| Toleration { toleration_seconds: None, ..there.clone() };
        match tolerations.iter_mut().find(|there| unlimited(there) == toleration) {
            Some(there) => *there = toleration,
            None => tolerations.push(toleration),
        }
    }
}

/// The pod for a node, as it is to be created.
pub(super) fn make(set: &DaemonSet, template: &PodTemplateSpec, node: &str) -> Pod {
    let mut pod = pods::from_template(template, owner::controller_ref(set), set.metadata.namespace.as_deref().unwrap_or_default());
    let name = NodeSelectorRequirement { key: NAME_FIELD.to_owned(), operator: "In".to_owned(), values: Some(vec![node.to_owned()]) };
    let term = NodeSelectorTerm { match_fields: Some(vec![name]), match_expressions: None };
    let affinity: &mut Affinity = pod.spec.get_or_insert_default().affinity.get_or_insert_default();
    let affinity: &mut NodeAffinity = affinity.node_affinity.get_or_insert_default();
    // What the user required has been asked of the node already.
    affinity.required_during_scheduling_ignored_during_execution = Some(NodeSelector { node_selector_terms: vec![term] });
    pod
}

/// The node a pod is on, or is for.
pub(super) fn node_of(pod: &Pod) -> Option<&str> {
    let target = || {
        let fields = node_selector::required_terms(pod.spec.as_ref()?)?.iter().flat_map(|term| term.match_fields.iter().flatten());
        let named = fields.into_iter().find(|field| field.key == NAME_FIELD && field.operator == "In")?;
        match named.values.as_deref()? {
            [name] => Some(name.as_str()),
            _ => None,
        }
    };
    pod::node_name(pod).or_else(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{daemonset::plan::tests::set, history::tests::pod_template};

    #[test]
    fn a_pod_names_its_node_and_bears_what_befalls_it() {
        let mut set = set();
        set.metadata.annotations = Some([(GENERATION_ANNOTATION.to_owned(), "3".to_owned())].into());
        let spec = set.spec.as_mut().unwrap().template.spec.as_mut().unwrap();
        spec.tolerations = Some(vec![Toleration {
            key: Some("node.kubernetes.io/unreachable".to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some("NoExecute".to_owned()),
            toleration_seconds: Some(5),
            ..Toleration::default()
        }]);
        let pod = make(&set, &of(&set, "abc"), "n1");
        assert_eq!((node_of(&pod), hash(&pod)), (Some("n1"), Some("abc")));
        assert_eq!(pod.metadata.labels.as_ref().unwrap()[GENERATION_LABEL], "3");
        let spec = pod.spec.unwrap();
        let tolerations = spec.tolerations.unwrap();
        let words: Vec<_> = tolerations.iter().map(|one| format!("{}:{}", one.key.as_deref().unwrap(), one.effect.as_deref().unwrap())).collect();
        expect_test::expect![[r#"
            node.kubernetes.io/unreachable:NoExecute
            node.kubernetes.io/not-ready:NoExecute
            node.kubernetes.io/disk-pressure:NoSchedule
            node.kubernetes.io/memory-pressure:NoSchedule
            node.kubernetes.io/pid-pressure:NoSchedule
            node.kubernetes.io/unschedulable:NoSchedule"#]]
        .assert_eq(&words.join("\n"));
        assert!(tolerations.iter().all(|one| one.toleration_seconds.is_none()), "for ever");
    }

    #[test]
    fn only_who_uses_the_network_of_the_node_bears_to_be_without() {
        let mut spec = pod_template("nginx:1").spec.unwrap();
        spec.host_network = Some(true);
        tolerate(&mut spec);
        assert_eq!(spec.tolerations.unwrap().last().unwrap().key.as_deref(), Some(NO_NETWORK.0));
    }
}
