//! Whether a node takes a pod that was bound to it: upstream's predicates of a kubelet and their words.
//!
//! The scheduler has asked the same; this matters for pods whose node was chosen by hand or has changed.
//!
//! Must not know: the pods of the node one by one, the runtime.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec};
use mini_api::{
    quantity::{self, Quantity},
    taint,
};

use super::{Verdict, eviction};

/// Amounts of resources by name, `pods` among them. CPU counts in thousandths, all else in units.
pub(crate) type Amounts = BTreeMap<String, i64>;

/// The predicate of a pod's node selector and affinity.
pub(crate) const NODE_AFFINITY: &str = "NodeAffinity";

/// What a pod takes from its node.
pub(crate) fn requests(pod: &Pod) -> Amounts {
    let mut amounts: Amounts = pod
        .spec
        .as_ref()
        .map(mini_api::pod::requests)
        .unwrap_or_default()
        .into_iter()
        .map(|(name, quantity)| (name.to_string(), amount(&name, &quantity)))
        .collect();
    amounts.insert("pods".to_owned(), 1);
    amounts
}

/// Whether `node`, of which `used` is taken by other pods, takes the pod.
///
/// # Errors
/// The verdict that makes the pod fail.
pub(crate) fn admit(pod: &Pod, node: &Node, used: &Amounts) -> Result<(), Verdict> {
    let Some(spec) = &pod.spec else { return Ok(()) };
    eviction::admit(pod, node)?;
    let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
    for (name, requested) in requests(pod).into_iter().filter(|(_, requested)| *requested > 0) {
        let capacity = allocatable.and_then(|all| all.get(&name)).map_or(0, |capacity| amount(&name, &quantity::of(capacity)));
        let used = used.get(&name).copied().unwrap_or_default();
        if used + requested > capacity {
            let message = format!("Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}");
            return Err(rejection(&format!("OutOf{name}"), &message));
        }
    }
    if !selected(spec, node) {
        return Err(predicate(NODE_AFFINITY, "node(s) didn't match Pod's node affinity/selector"));
    }
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
    let tolerations = spec.tolerations.as_deref().unwrap_or_default();
    if taint::find_untolerated(taints, tolerations, &["NoExecute"]).is_some() {
        return Err(predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate"));
    }
    Ok(())
}

fn predicate(name: &str, why: &str) -> Verdict {
    rejection(name, &format!("Predicate {name} failed: {why}"))
}

fn rejection(reason: &str, message: &str) -> Verdict {
    Verdict { reason: reason.to_owned(), message: message.to_owned(), rejected: true, ..Verdict::default() }
}

fn amount(name: &str, quantity: &Quantity) -> i64 {
    if name == "cpu" { quantity.milli().try_into().unwrap_or(i64::MAX) } else { quantity.value() }
}

/// Whether the node is one the pod's node selector and required node affinity allow.
fn selected(spec: &PodSpec, node: &Node) -> bool {
    let labels = |key: &str| node.metadata.labels.as_ref()?.get(key).map(String::as_str);
    let fields = |key: &str| if key == "metadata.name" { node.metadata.name.as_deref() } else { None };
    let wanted = spec.node_selector.iter().flatten().all(|(key, value)| labels(key) == Some(value));
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    let matches = |term: &NodeSelectorTerm| {
        let (expressions, names) = (term.match_expressions.as_deref(), term.match_fields.as_deref());
        let (expressions, names) = (expressions.unwrap_or_default(), names.unwrap_or_default());
        // A term without requirements matches nothing.
        !(expressions.is_empty() && names.is_empty())
            && expressions.iter().all(|requirement| holds(requirement, labels(&requirement.key)))
            && names.iter().all(|requirement| holds(requirement, fields(&requirement.key)))
    };
    wanted && required.is_none_or(|required| required.node_selector_terms.iter().any(matches))
}

fn holds(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = || value.is_some_and(|value| values.iter().any(|other| other == value));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let both = || Some((number(value)?, number(values.first().map(String::as_str))?));
    match requirement.operator.as_str() {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => both().is_some_and(|(value, limit)| value > limit),
        "Lt" => both().is_some_and(|(value, limit)| value < limit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn verdict(spec: Value, used: &[(&str, i64)]) -> String {
        let node = serde_json::from_value(json!({
            "metadata": { "name": "n", "labels": { "zone": "a", "size": "4" } },
            "spec": { "taints": [{ "key": "soft", "effect": "NoSchedule" }] },
            "status": { "allocatable": { "cpu": "8", "memory": "16Gi", "pods": "110" } },
        }));
        let pod = serde_json::from_value(json!({ "spec": spec }));
        let used = used.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect();
        match admit(&pod.unwrap(), &node.unwrap(), &used) {
            Ok(()) => "yes".to_owned(),
            Err(verdict) => format!("{}: {}", verdict.reason, verdict.message),
        }
    }

    #[test]
    fn resources() {
        let cpu = json!({ "containers": [{ "name": "c", "resources": { "requests": { "cpu": "500m" } } }] });
        assert_eq!(verdict(cpu.clone(), &[]), "yes");
        assert_eq!(
            verdict(cpu, &[("cpu", 7600)]),
            "OutOfcpu: Node didn't have enough resource: cpu, requested: 500, used: 7600, capacity: 8000"
        );
        assert_eq!(
            verdict(json!({ "containers": [] }), &[("pods", 110)]),
            "OutOfpods: Node didn't have enough resource: pods, requested: 1, used: 110, capacity: 110"
        );
    }

    #[test]
    fn affinity() {
        let refused = "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
        assert_eq!(verdict(json!({ "containers": [], "nodeSelector": { "zone": "a" } }), &[]), "yes");
        assert_eq!(verdict(json!({ "containers": [], "nodeSelector": { "zone": "b" } }), &[]), refused);
        for (key, operator, values, fits) in [
            ("zone", "In", vec!["a", "b"], true),
            ("zone", "NotIn", vec!["a"], false),
            ("absent", "NotIn", vec!["a"], true),
            ("zone", "Exists", vec![], true),
            ("zone", "DoesNotExist", vec![], false),
            ("size", "Gt", vec!["3"], true),
            ("size", "Lt", vec!["3"], false),
            ("zone", "Gt", vec!["3"], false),
        ] {
            let requirement = json!({ "key": key, "operator": operator, "values": values });
            let terms = json!({ "nodeSelectorTerms": [{ "matchExpressions": [requirement] }] });
            let affinity = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": terms } });
            let spec = json!({ "containers": [], "affinity": affinity });
            assert_eq!(verdict(spec, &[]) == "yes", fits, "{key} {operator} {values:?}");
        }
    }
}
