//! What a profile tells its plugins: `pluginConfig`, whose `args` have another form for each plugin.

use std::time::Duration;

use k8s_openapi::api::core::v1::{NodeAffinity, NodeSelectorTerm, TopologySpreadConstraint};
use mini_api::name;
use serde::Deserialize;
use serde_json::Value;

use super::{API_VERSION, Invalid, decode};
use crate::profile::{
    DefaultConstraints, FitArgs, InterPodAffinityArgs, PluginArgs, PreemptionArgs, Resources, Strategy, VolumeBindingArgs,
};

/// An entry of `pluginConfig`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginConfig {
    name: String,
    #[serde(default)]
    args: Option<Value>,
}

/// Reads all entries. `path` is where they stand in the file.
pub(super) fn compile(path: &str, configs: Vec<PluginConfig>) -> Result<PluginArgs, Invalid> {
    let mut all = PluginArgs::default();
    let mut seen: Vec<String> = Vec::new();
    for (index, PluginConfig { name, args }) in configs.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        if seen.contains(&name) {
            return Err(Invalid::new(path, format!("Duplicate value: {name:?}")));
        }
        let place = format!("{path}.args");
        let args = untyped(&name, &place, args)?;
        match name.as_str() {
            "DefaultPreemption" => all.preemption = preemption(&place, args)?,
            "InterPodAffinity" => all.inter_pod_affinity = inter_pod_affinity(&place, args)?,
            "NodeAffinity" => all.added_affinity = added_affinity(&place, args)?,
            "NodeResourcesFit" => all.fit = fit(&place, args)?,
            "NodeResourcesBalancedAllocation" => all.balanced = balanced(&place, args)?,
            "PodTopologySpread" => all.default_constraints = default_constraints(&place, args)?,
            "VolumeBinding" => all.volume_binding = volume_binding(&place, args)?,
            // Nothing is asked for that it would give.
            "DynamicResources" => drop(decode::<DynamicResourcesSpec>(&place, args)?),
            _ => return Err(Invalid::new(format!("{path}.name"), format!("plugin {name:?} takes no args"))),
        }
        seen.push(name);
    }
    Ok(all)
}

/// The args without their type, which may be left out.
fn untyped(name: &str, path: &str, args: Option<Value>) -> Result<Value, Invalid> {
    let mut args = args.filter(|args| !args.is_null()).unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let Some(fields) = args.as_object_mut() else { return Err(Invalid::new(path, "must be an object")) };
    for (field, wanted) in [("apiVersion", API_VERSION.to_owned()), ("kind", format!("{name}Args"))] {
        if let Some(found) = fields.remove(field)
            && found != wanted
        {
            return Err(Invalid::new(format!("{path}.{field}"), format!("Invalid value: {found}: must be {wanted:?}")));
        }
    }
    Ok(args)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PreemptionSpec {
    min_candidate_nodes_percentage: Option<i32>,
    min_candidate_nodes_absolute: Option<i32>,
}

fn preemption(path: &str, args: Value) -> Result<PreemptionArgs, Invalid> {
    let spec: PreemptionSpec = decode(path, args)?;
    let (percentage, absolute) = (spec.min_candidate_nodes_percentage.unwrap_or(10), spec.min_candidate_nodes_absolute.unwrap_or(100));
    let (of_percentage, of_absolute) = (format!("{path}.minCandidateNodesPercentage"), format!("{path}.minCandidateNodesAbsolute"));
    if !(0..=100).contains(&percentage) {
        return Err(Invalid::value(of_percentage, percentage, "not in valid range [0, 100]"));
    }
    if absolute < 0 {
        return Err(Invalid::value(of_absolute, absolute, "not in valid range [0, inf)"));
    }
    if percentage == 0 && absolute == 0 {
        return Err(Invalid::value(of_percentage, 0, "cannot be zero at the same time as minCandidateNodesAbsolute"));
    }
    Ok(PreemptionArgs { min_candidate_nodes_percentage: percentage as usize, min_candidate_nodes_absolute: absolute as usize })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InterPodAffinitySpec {
    hard_pod_affinity_weight: Option<i32>,
    #[serde(default)]
    ignore_preferred_terms_of_existing_pods: bool,
}

fn inter_pod_affinity(path: &str, args: Value) -> Result<InterPodAffinityArgs, Invalid> {
    let spec: InterPodAffinitySpec = decode(path, args)?;
    let weight = spec.hard_pod_affinity_weight.unwrap_or(InterPodAffinityArgs::default().hard_pod_affinity_weight);
    if !(0..=100).contains(&weight) {
        return Err(Invalid::value(format!("{path}.hardPodAffinityWeight"), weight, "not in valid range [0, 100]"));
    }
    Ok(InterPodAffinityArgs {
        hard_pod_affinity_weight: weight,
        ignore_preferred_terms_of_existing_pods: spec.ignore_preferred_terms_of_existing_pods,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NodeAffinitySpec {
    added_affinity: Option<NodeAffinity>,
}

fn added_affinity(path: &str, args: Value) -> Result<Option<NodeAffinity>, Invalid> {
    let added = decode::<NodeAffinitySpec>(path, args)?.added_affinity;
    let path = format!("{path}.addedAffinity");
    let required = added.iter().flat_map(|added| &added.required_during_scheduling_ignored_during_execution);
    for (index, term) in required.flat_map(|required| &required.node_selector_terms).enumerate() {
        check_term(&format!("{path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[{index}]"), term)?;
    }
    let preferred = added.iter().flat_map(|added| added.preferred_during_scheduling_ignored_during_execution.iter().flatten());
    for (index, preferred) in preferred.enumerate() {
        check_term(&format!("{path}.preferredDuringSchedulingIgnoredDuringExecution[{index}].preference"), &preferred.preference)?;
    }
    Ok(added)
}

fn check_term(path: &str, term: &NodeSelectorTerm) -> Result<(), Invalid> {
    for (list, requirements) in [("matchExpressions", &term.match_expressions), ("matchFields", &term.match_fields)] {
        for (index, requirement) in requirements.iter().flatten().enumerate() {
            let path = format!("{path}.{list}[{index}]");
            if list == "matchFields" && requirement.key != "metadata.name" {
                return Err(Invalid::value(format!("{path}.key"), &requirement.key, "not a valid field selector key"));
            }
            let values = requirement.values.as_deref().unwrap_or_default().len();
            let enough = match requirement.operator.as_str() {
                "In" | "NotIn" => values > 0,
                "Exists" | "DoesNotExist" => values == 0,
                "Gt" | "Lt" => values == 1,
                other => return Err(Invalid::value(format!("{path}.operator"), other, "not a valid selector operator")),
            };
            if !enough {
                return Err(Invalid::new(
                    format!("{path}.values"),
                    format!("not the number of values that {} takes", requirement.operator),
                ));
            }
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FitSpec {
    #[serde(default)]
    ignored_resources: Vec<String>,
    #[serde(default)]
    ignored_resource_groups: Vec<String>,
    scoring_strategy: Option<StrategySpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StrategySpec {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    resources: Vec<ResourceSpec>,
    requested_to_capacity_ratio: Option<RatioSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RatioSpec {
    #[serde(default)]
    shape: Vec<PointSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PointSpec {
    utilization: i64,
    score: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceSpec {
    name: String,
    #[serde(default)]
    weight: i64,
}

fn fit(path: &str, args: Value) -> Result<FitArgs, Invalid> {
    let spec: FitSpec = decode(path, args)?;
    for (list, names) in [("ignoredResources", &spec.ignored_resources), ("ignoredResourceGroups", &spec.ignored_resource_groups)] {
        for (index, resource) in names.iter().enumerate() {
            let path = format!("{path}.{list}[{index}]");
            if list == "ignoredResourceGroups" && resource.contains('/') {
                return Err(Invalid::value(path, resource, "resource group name can't contain '/'"));
            }
            if let Some(wrong) = name::qualified_name(resource).into_iter().next() {
                return Err(Invalid::value(path, resource, &wrong));
            }
        }
    }
    let (strategy, resources) = match spec.scoring_strategy {
        Some(strategy) => self::strategy(&format!("{path}.scoringStrategy"), strategy)?,
        None => (Strategy::default(), Resources::default()),
    };
    Ok(FitArgs { ignored_resources: spec.ignored_resources, ignored_resource_groups: spec.ignored_resource_groups, strategy, resources })
}

fn strategy(path: &str, spec: StrategySpec) -> Result<(Strategy, Resources), Invalid> {
    let resources = resources(&format!("{path}.resources"), spec.resources)?;
    let of_ratio = format!("{path}.requestedToCapacityRatio");
    let strategy = match (spec.kind.as_str(), spec.requested_to_capacity_ratio) {
        ("RequestedToCapacityRatio", None) => {
            return Err(Invalid::new(of_ratio, "Required value: must be specified when type is RequestedToCapacityRatio"));
        }
        ("RequestedToCapacityRatio", Some(ratio)) => Strategy::RequestedToCapacityRatio(shape(&format!("{of_ratio}.shape"), ratio.shape)?),
        (_, Some(_)) => return Err(Invalid::new(of_ratio, "Forbidden: must be nil when type is not RequestedToCapacityRatio")),
        ("" | "LeastAllocated", None) => Strategy::LeastAllocated,
        ("MostAllocated", None) => Strategy::MostAllocated,
        (other, None) => {
            let supported = r#"supported values: "LeastAllocated", "MostAllocated", "RequestedToCapacityRatio""#;
            return Err(Invalid::new(format!("{path}.type"), format!("Unsupported value: {other:?}: {supported}")));
        }
    };
    Ok((strategy, resources))
}

fn resources(path: &str, specs: Vec<ResourceSpec>) -> Result<Resources, Invalid> {
    let mut resources = Vec::with_capacity(specs.len());
    for (index, ResourceSpec { name, weight }) in specs.into_iter().enumerate() {
        let weight = if weight == 0 { 1 } else { weight };
        if !(1..=100).contains(&weight) {
            let message = format!("resource weight of {name} not in valid range (0, 100]");
            return Err(Invalid::value(format!("{path}[{index}].weight"), weight, &message));
        }
        resources.push((name, weight));
    }
    Ok(if resources.is_empty() { Resources::default() } else { Resources(resources) })
}

fn shape(path: &str, points: Vec<PointSpec>) -> Result<Vec<(i64, i64)>, Invalid> {
    if points.is_empty() {
        return Err(Invalid::new(path, "Required value: at least one point must be specified"));
    }
    let mut before = None;
    for (index, point) in points.iter().enumerate() {
        for (name, value, most) in [("utilization", point.utilization, 100), ("score", point.score, 10)] {
            if !(0..=most).contains(&value) {
                return Err(Invalid::value(format!("{path}[{index}].{name}"), value, &format!("not in valid range [0, {most}]")));
            }
        }
        if before >= Some(point.utilization) {
            let message = "values must be sorted in increasing order";
            return Err(Invalid::value(format!("{path}[{index}].utilization"), point.utilization, message));
        }
        before = Some(point.utilization);
    }
    Ok(points.into_iter().map(|point| (point.utilization, point.score)).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BalancedSpec {
    #[serde(default)]
    resources: Vec<ResourceSpec>,
}

fn balanced(path: &str, args: Value) -> Result<Resources, Invalid> {
    let path = format!("{path}.resources");
    let resources = resources(&path, decode::<BalancedSpec>(path.trim_end_matches(".resources"), args)?.resources)?;
    for (index, (name, weight)) in resources.0.iter().enumerate() {
        if *weight != 1 {
            return Err(Invalid::value(format!("{path}[{index}].weight"), weight, "must be 1"));
        }
        if resources.0[..index].iter().any(|(before, _)| before == name) {
            return Err(Invalid::new(format!("{path}[{index}].name"), format!("Duplicate value: {name:?}")));
        }
    }
    Ok(resources)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SpreadSpec {
    #[serde(default)]
    default_constraints: Vec<TopologySpreadConstraint>,
    defaulting_type: Option<String>,
}

fn default_constraints(path: &str, args: Value) -> Result<DefaultConstraints, Invalid> {
    let SpreadSpec { default_constraints: constraints, defaulting_type } = decode(path, args)?;
    let of_type = format!("{path}.defaultingType");
    match defaulting_type.as_deref().unwrap_or("System") {
        "System" if constraints.is_empty() => return Ok(DefaultConstraints::System),
        "System" => return Err(Invalid::value(of_type, "System", "when .defaultConstraints are not empty")),
        "List" => {}
        other => {
            let message = format!(r#"Unsupported value: {other:?}: supported values: "System", "List""#);
            return Err(Invalid::new(of_type, message));
        }
    }
    for (index, constraint) in constraints.iter().enumerate() {
        let path = format!("{path}.defaultConstraints[{index}]");
        if constraint.max_skew <= 0 {
            return Err(Invalid::value(format!("{path}.maxSkew"), constraint.max_skew, "not in valid range (0, inf)"));
        }
        if constraint.topology_key.is_empty() {
            return Err(Invalid::new(format!("{path}.topologyKey"), "Required value: can not be empty"));
        }
        if !["DoNotSchedule", "ScheduleAnyway"].contains(&constraint.when_unsatisfiable.as_str()) {
            let message =
                format!(r#"Unsupported value: {:?}: supported values: "DoNotSchedule", "ScheduleAnyway""#, constraint.when_unsatisfiable);
            return Err(Invalid::new(format!("{path}.whenUnsatisfiable"), message));
        }
        if constraint.label_selector.is_some() {
            let message = "Forbidden: constraint must not define a selector, as they deduced for each pod";
            return Err(Invalid::new(format!("{path}.labelSelector"), message));
        }
        let same = |before: &&TopologySpreadConstraint| {
            before.topology_key == constraint.topology_key && before.when_unsatisfiable == constraint.when_unsatisfiable
        };
        if constraints[..index].iter().any(|before| same(&before)) {
            let message = format!("Duplicate value: \"{{{}, {}}}\"", constraint.topology_key, constraint.when_unsatisfiable);
            return Err(Invalid::new(path, message));
        }
    }
    Ok(DefaultConstraints::List(constraints))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VolumeBindingSpec {
    bind_timeout_seconds: Option<i64>,
}

fn volume_binding(path: &str, args: Value) -> Result<VolumeBindingArgs, Invalid> {
    let Some(timeout) = decode::<VolumeBindingSpec>(path, args)?.bind_timeout_seconds else { return Ok(VolumeBindingArgs::default()) };
    let Ok(seconds) = u64::try_from(timeout) else {
        let message = "invalid BindTimeoutSeconds, should not be a negative value";
        return Err(Invalid::value(format!("{path}.bindTimeoutSeconds"), timeout, message));
    };
    Ok(VolumeBindingArgs { bind_timeout: Duration::from_secs(seconds) })
}

/// `args` of DynamicResources.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DynamicResourcesSpec {
    #[serde(rename = "filterTimeout")]
    _filter_timeout: Option<String>,
    #[serde(rename = "bindingTimeout")]
    _binding_timeout: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compile(configs: Value) -> Result<PluginArgs, String> {
        super::compile("c", serde_json::from_value(configs).unwrap()).map_err(|invalid| invalid.to_string())
    }

    fn one(name: &str, args: &Value) -> Result<PluginArgs, String> {
        compile(json!([{"name": name, "args": args}]))
    }

    #[test]
    fn what_is_not_said_is_upstreams_default() {
        assert_eq!(compile(json!([])), Ok(PluginArgs::default()));
        for name in ["DefaultPreemption", "InterPodAffinity", "NodeAffinity", "NodeResourcesFit", "PodTopologySpread", "VolumeBinding"] {
            let typed = json!({"apiVersion": API_VERSION, "kind": format!("{name}Args")});
            for args in [json!(null), json!({}), typed] {
                assert_eq!(one(name, &args), Ok(PluginArgs::default()), "{name} {args}");
            }
        }
    }

    #[test]
    fn what_is_said_is_taken() {
        let args = compile(json!([
            {"name": "NodeResourcesFit", "args": {"ignoredResources": ["a.com/x"], "scoringStrategy": {
                "type": "RequestedToCapacityRatio", "resources": [{"name": "cpu", "weight": 3}, {"name": "a.com/gpu"}],
                "requestedToCapacityRatio": {"shape": [{"utilization": 0, "score": 0}, {"utilization": 100, "score": 10}]}}}},
            {"name": "NodeResourcesBalancedAllocation", "args": {"resources": [{"name": "cpu", "weight": 1}]}},
            {"name": "DefaultPreemption", "args": {"minCandidateNodesPercentage": 50}},
            {"name": "InterPodAffinity", "args": {"hardPodAffinityWeight": 7}},
            {"name": "VolumeBinding", "args": {"bindTimeoutSeconds": 30}},
            {"name": "DynamicResources", "args": {"bindingTimeout": "10m"}},
            {"name": "PodTopologySpread", "args": {"defaultingType": "List", "defaultConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]}}
        ]))
        .unwrap();
        assert_eq!(args.fit.strategy, Strategy::RequestedToCapacityRatio(vec![(0, 0), (100, 10)]));
        assert_eq!(args.fit.resources, Resources(vec![("cpu".into(), 3), ("a.com/gpu".into(), 1)]));
        assert_eq!(args.fit.ignored_resources, ["a.com/x"]);
        assert_eq!(args.balanced, Resources(vec![("cpu".into(), 1)]));
        assert_eq!((args.preemption.min_candidate_nodes_percentage, args.preemption.min_candidate_nodes_absolute), (50, 100));
        assert_eq!(args.inter_pod_affinity.hard_pod_affinity_weight, 7);
        assert_eq!(args.volume_binding.bind_timeout, Duration::from_secs(30));
        assert!(matches!(args.default_constraints, DefaultConstraints::List(list) if list.len() == 1));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let point = |utilization, score| json!({"utilization": utilization, "score": score});
        let ratio =
            |shape: Value| json!({"scoringStrategy": {"type": "RequestedToCapacityRatio", "requestedToCapacityRatio": {"shape": shape}}});
        let term = |requirement: Value| {
            let terms = json!([{"matchExpressions": [requirement]}]);
            json!({"addedAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}})
        };
        let of_term = "c[0].args.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0]";
        for (name, args, want) in [
            ("Magic", json!({}), r#"c[0].name: plugin "Magic" takes no args"#.to_owned()),
            ("NodeAffinity", json!({"kind": "Pod"}), r#"c[0].args.kind: Invalid value: "Pod": must be "NodeAffinityArgs""#.into()),
            ("NodeAffinity", json!(7), "c[0].args: must be an object".into()),
            (
                "DefaultPreemption",
                json!({"minCandidateNodesPercentage": 101}),
                "c[0].args.minCandidateNodesPercentage: Invalid value: 101: not in valid range [0, 100]".into(),
            ),
            (
                "InterPodAffinity",
                json!({"hardPodAffinityWeight": -1}),
                "c[0].args.hardPodAffinityWeight: Invalid value: -1: not in valid range [0, 100]".into(),
            ),
            (
                "NodeResourcesFit",
                json!({"scoringStrategy": {"type": "Best"}}),
                r#"c[0].args.scoringStrategy.type: Unsupported value: "Best": supported values: "LeastAllocated", "MostAllocated", "RequestedToCapacityRatio""#.into(),
            ),
            (
                "NodeResourcesFit",
                ratio(json!([point(50, 1), point(50, 2)])),
                "c[0].args.scoringStrategy.requestedToCapacityRatio.shape[1].utilization: Invalid value: 50: values must be sorted in increasing order".into(),
            ),
            (
                "NodeResourcesFit",
                ratio(json!([])),
                "c[0].args.scoringStrategy.requestedToCapacityRatio.shape: Required value: at least one point must be specified".into(),
            ),
            (
                "NodeResourcesFit",
                json!({"ignoredResourceGroups": ["a/b"]}),
                r#"c[0].args.ignoredResourceGroups[0]: Invalid value: "a/b": resource group name can't contain '/'"#.into(),
            ),
            (
                "NodeResourcesBalancedAllocation",
                json!({"resources": [{"name": "cpu", "weight": 2}]}),
                "c[0].args.resources[0].weight: Invalid value: 2: must be 1".into(),
            ),
            (
                "PodTopologySpread",
                json!({"defaultConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]}),
                r#"c[0].args.defaultingType: Invalid value: "System": when .defaultConstraints are not empty"#.into(),
            ),
            (
                "NodeAffinity",
                term(json!({"key": "a", "operator": "Is"})),
                format!(r#"{of_term}.operator: Invalid value: "Is": not a valid selector operator"#),
            ),
            (
                "NodeAffinity",
                term(json!({"key": "a", "operator": "In"})),
                format!("{of_term}.values: not the number of values that In takes"),
            ),
            ("DynamicResources", json!({"bindingTimeout": 5}), "c[0].args.bindingTimeout: invalid type: integer `5`, expected a string".into()),
            (
                "VolumeBinding",
                json!({"bindTimeoutSeconds": -1}),
                "c[0].args.bindTimeoutSeconds: Invalid value: -1: invalid BindTimeoutSeconds, should not be a negative value".into(),
            ),
        ] {
            assert_eq!(one(name, &args).unwrap_err(), want, "{name} {args}");
        }
        let twice = json!([{"name": "NodeAffinity"}, {"name": "NodeAffinity"}]);
        assert_eq!(compile(twice).unwrap_err(), r#"c[1]: Duplicate value: "NodeAffinity""#);
    }
}
