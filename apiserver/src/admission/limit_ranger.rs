//! LimitRanges: what a new pod's containers ask for and may use when they do not say, and how much or little they, the pod and
//! a claim may ask for at all.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use k8s_openapi::{
    api::core::v1::{Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod, PodSpec},
    apimachinery::pkg::api::resource::Quantity as ApiQuantity,
};
use mini_api::{
    pod::{self, Resources},
    quantity,
};

use super::{Attempt, Cluster, Step, Verb};
use crate::error::{ApiError, Result};

/// Where it is noted what was filled in.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

type ApiAmounts = Option<BTreeMap<String, ApiQuantity>>;

#[derive(Default)]
pub(super) struct Plugin;

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, cluster: &Cluster<'_>) -> Result<()> {
        if attempt.subresource.is_some() || attempt.verb == Verb::Delete {
            return Ok(());
        }
        let (plural, name) = (attempt.kind.plural, attempt.name.to_owned());
        let ranges = || cluster.in_namespace::<LimitRange>("limitranges", attempt.namespace);
        let mut wrong = Vec::new();
        if attempt.object.any().is::<PersistentVolumeClaim>() {
            let items = items(&ranges());
            if let Some(claim) = attempt.object.any_mut().downcast_mut::<PersistentVolumeClaim>() {
                let asked = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()).map(|all| amounts(&all.requests)).unwrap_or_default();
                for item in items.iter().filter(|item| item.type_ == "PersistentVolumeClaim") {
                    bounds(item, &asked, None, &mut wrong);
                }
            }
        } else if attempt.object.any().is::<Pod>() && attempt.verb == Verb::Create {
            let items = items(&ranges());
            if let Some(pod) = attempt.created::<Pod>().filter(|_| !items.is_empty()) {
                fill_in(pod, &items);
                check(pod.spec.as_ref(), &items, &mut wrong);
            }
        }
        match &wrong[..] {
            [] => Ok(()),
            [one] => Err(ApiError::forbidden(plural, "", &name, one)),
            many => Err(ApiError::forbidden(plural, "", &name, &format!("[{}]", many.join(", ")))),
        }
    }
}

fn items(ranges: &[LimitRange]) -> Vec<LimitRangeItem> {
    ranges.iter().flat_map(|range| range.spec.iter().flat_map(|spec| spec.limits.iter().cloned())).collect()
}

fn amounts(all: &ApiAmounts) -> Resources {
    all.iter().flatten().map(|(name, amount)| (name.clone(), quantity::of(amount))).collect()
}

/// Gives containers the defaults they lack, and notes which.
fn fill_in(pod: &mut Pod, items: &[LimitRangeItem]) {
    let Some(spec) = pod.spec.as_mut() else { return };
    let mut noted = Vec::new();
    for item in items.iter().filter(|item| item.type_ == "Container") {
        let containers = spec.containers.iter_mut().map(|container| ("container", container));
        for (what, container) in containers.chain(spec.init_containers.iter_mut().flatten().map(|container| ("init container", container))) {
            let resources = container.resources.get_or_insert_default();
            for (kind, defaults, has) in
                [("request", &item.default_request, &mut resources.requests), ("limit", &item.default, &mut resources.limits)]
            {
                let missing: Vec<_> =
                    defaults.iter().flatten().filter(|(name, _)| has.as_ref().is_none_or(|has| !has.contains_key(*name))).collect();
                if !missing.is_empty() {
                    let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
                    noted.push(format!("{} {kind} for {what} {}", names.join(", "), container.name));
                    has.get_or_insert_default().extend(missing.into_iter().map(|(name, amount)| (name.clone(), amount.clone())));
                }
            }
        }
    }
    if !noted.is_empty() {
        let note = format!("LimitRanger plugin set: {}", noted.join("; "));
        pod.metadata.annotations.get_or_insert_default().insert(ANNOTATION.to_owned(), note);
    }
}

fn check(spec: Option<&PodSpec>, items: &[LimitRangeItem], wrong: &mut Vec<String>) {
    let Some(spec) = spec else { return };
    for item in items {
        match item.type_.as_str() {
            "Container" => spec.containers.iter().chain(spec.init_containers.iter().flatten()).for_each(|container| {
                let (requests, limits) = of(container);
                bounds(item, &requests, Some(&limits), wrong);
            }),
            "Pod" => bounds(item, &pod::requests(spec), Some(&pod::limits(spec)), wrong),
            _ => {}
        }
    }
}

fn of(container: &Container) -> (Resources, Resources) {
    container.resources.as_ref().map(|resources| (amounts(&resources.requests), amounts(&resources.limits))).unwrap_or_default()
}

/// Holds requests and limits against one rule. What has no limits, such as a claim, is judged by its requests alone.
fn bounds(item: &LimitRangeItem, requests: &Resources, limits: Option<&Resources>, wrong: &mut Vec<String>) {
    let is_claim = limits.is_none();
    let limit = |name: &str| limits.and_then(|limits| limits.get(name));
    for (name, least) in item.min.iter().flatten() {
        let bound = Bound { what: "minimum", name, of: &item.type_, written: &least.0 };
        let least = quantity::of(least);
        match (requests.get(name), limit(name)) {
            (None, _) => wrong.push(format!("{bound}.  No request is specified")),
            (Some(request), _) if *request < least => wrong.push(format!("{bound}, but request is {request}")),
            (_, Some(limit)) if *limit < least => wrong.push(format!("{bound}, but limit is {limit}")),
            _ => {}
        }
    }
    for (name, most) in item.max.iter().flatten() {
        let bound = Bound { what: "maximum", name, of: &item.type_, written: &most.0 };
        let most = quantity::of(most);
        match (requests.get(name), limit(name)) {
            (None, _) if is_claim => wrong.push(format!("{bound}.  No request is specified")),
            (_, None) if !is_claim => wrong.push(format!("{bound}.  No limit is specified")),
            (_, Some(limit)) if *limit > most => wrong.push(format!("{bound}, but limit is {limit}")),
            (Some(request), _) if *request > most => wrong.push(format!("{bound}, but request is {request}")),
            _ => {}
        }
    }
    for (name, most) in item.max_limit_request_ratio.iter().flatten().filter(|_| !is_claim) {
        let start = format!("{name} max limit to request ratio per {} is {}, but", item.type_, most.0);
        match (requests.get(name).filter(|amount| !amount.is_zero()), limit(name).filter(|amount| !amount.is_zero())) {
            (None, _) => wrong.push(format!("{start} no request is specified or request is 0")),
            (_, None) => wrong.push(format!("{start} no limit is specified or limit is 0")),
            (Some(request), Some(limit)) => {
                let ratio = limit.as_f64() / request.as_f64();
                if ratio > quantity::of(most).as_f64() {
                    wrong.push(format!("{start} provided ratio is {ratio:.6}"));
                }
            }
        }
    }
}

/// How a bound begins in a refusal.
struct Bound<'a> {
    what: &'static str,
    name: &'a str,
    of: &'a str,
    written: &'a str,
}

impl fmt::Display for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} usage per {} is {}", self.what, self.name, self.of, self.written)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn item(rule: &Value) -> LimitRangeItem {
        serde_json::from_value(rule.clone()).unwrap()
    }

    fn pod(resources: &Value) -> Pod {
        let containers = json!([{ "name": "c", "resources": resources }, { "name": "d", "resources": { "requests": { "cpu": "1" } } }]);
        serde_json::from_value(json!({ "metadata": { "name": "p" }, "spec": { "containers": containers } })).unwrap()
    }

    #[test]
    fn what_is_missing_is_filled_in_and_noted() {
        let rule = item(&json!({ "type": "Container", "default": { "cpu": "2", "memory": "1Gi" }, "defaultRequest": { "cpu": "500m" } }));
        let mut pod = pod(&json!({ "limits": { "cpu": "3" } }));
        fill_in(&mut pod, &[rule]);
        let note = &pod.metadata.annotations.as_ref().unwrap()[ANNOTATION];
        assert_eq!(
            note,
            "LimitRanger plugin set: cpu request for container c; memory limit for container c; cpu, memory limit for container d"
        );
        let first = pod.spec.unwrap().containers[0].resources.clone().unwrap();
        assert_eq!(serde_json::to_value(first).unwrap(), json!({ "limits": { "cpu": "3", "memory": "1Gi" }, "requests": { "cpu": "500m" } }));
    }

    #[test]
    fn bounds_are_told_in_upstreams_words() {
        let refused = |rule: Value, resources: Value| {
            let mut wrong = Vec::new();
            check(pod(&resources).spec.as_ref(), &[item(&rule)], &mut wrong);
            wrong
        };
        let given = json!({ "requests": { "cpu": "100m" }, "limits": { "cpu": "4" } });
        assert_eq!(
            refused(json!({ "type": "Container", "min": { "cpu": "200m" } }), given.clone()),
            ["minimum cpu usage per Container is 200m, but request is 100m"]
        );
        assert_eq!(
            refused(json!({ "type": "Container", "max": { "cpu": "2" } }), given.clone()),
            ["maximum cpu usage per Container is 2, but limit is 4", "maximum cpu usage per Container is 2.  No limit is specified"]
        );
        assert_eq!(
            refused(json!({ "type": "Pod", "max": { "cpu": "1" } }), given.clone()),
            ["maximum cpu usage per Pod is 1, but limit is 4"]
        );
        assert_eq!(
            refused(json!({ "type": "Container", "maxLimitRequestRatio": { "cpu": "10" } }), given),
            [
                "cpu max limit to request ratio per Container is 10, but provided ratio is 40.000000",
                "cpu max limit to request ratio per Container is 10, but no limit is specified or limit is 0",
            ]
        );
        assert_eq!(
            refused(json!({ "type": "Container", "min": { "memory": "1Mi" } }), json!({ "requests": { "memory": "2Mi" } })),
            ["minimum memory usage per Container is 1Mi.  No request is specified"]
        );
    }
}
