//! LimitRanges: what single containers, pods and claims of a namespace may ask for, and what they get if they do not.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::core::v1::{LimitRange, LimitRangeItem},
    apimachinery::pkg::api::resource::Quantity as ApiQuantity,
};
use mini_api::{
    name,
    quantity::{self, Format, Quantity},
};

use super::{
    field::{Errors, Path},
    pod::resources::{container_resource, is_overcommittable, resource_name},
    rules::Rules,
};

/// What is special about a LimitRange.
pub(super) const RULES: Rules<LimitRange> = Rules { defaults, validate, ..Rules::NONE };

fn defaults(range: &mut LimitRange) {
    for item in range.spec.get_or_insert_default().limits.iter_mut().filter(|item| item.type_ == "Container") {
        // The most is the limit, the limit is the request, and else the least is.
        fill(&mut item.default, item.max.clone());
        fill(&mut item.default_request, item.default.clone());
        fill(&mut item.default_request, item.min.clone());
    }
}

type Amounts = Option<BTreeMap<String, ApiQuantity>>;

fn fill(amounts: &mut Amounts, from: Amounts) {
    for (resource, quantity) in from.unwrap_or_default() {
        amounts.get_or_insert_default().entry(resource).or_insert(quantity);
    }
}

fn validate(range: &LimitRange, errors: &mut Errors) {
    let Some(spec) = &range.spec else { return };
    let path = Path::new("spec");
    let path = path.child("limits");
    let mut seen = BTreeSet::new();
    for (index, item) in spec.limits.iter().enumerate() {
        let path = path.index(index);
        limit_type(&item.type_, &path.child("type"), errors);
        if !seen.insert(item.type_.as_str()) {
            errors.duplicate(&path.child("type"), &item.type_);
        }
        validate_item(item, &path, errors);
    }
}

fn limit_type(kind: &str, path: &Path<'_>, errors: &mut Errors) {
    let wrong = name::qualified_name(kind);
    if wrong.is_empty() && !kind.contains('/') && !matches!(kind, "Pod" | "Container" | "PersistentVolumeClaim") {
        errors.invalid(path, kind, "must be a standard limit type or fully qualified");
    }
    errors.invalid_all(path, kind, wrong);
}

fn validate_item(item: &LimitRangeItem, path: &Path<'_>, errors: &mut Errors) {
    let is_pod = item.type_ == "Pod";
    let check = |amounts: &Amounts, field: &str, errors: &mut Errors| {
        let path = path.child(field);
        for resource in amounts.iter().flat_map(BTreeMap::keys) {
            if is_pod || item.type_ == "Container" {
                container_resource(resource, &path.key(resource), errors);
            } else {
                resource_name(resource, &path.key(resource), errors);
            }
        }
    };
    check(&item.max, "max", errors);
    check(&item.min, "min", errors);
    let defaults = [("default", &item.default), ("defaultRequest", &item.default_request)];
    for (field, amounts) in defaults {
        if !is_pod {
            check(amounts, field, errors);
        } else if amounts.as_ref().is_some_and(|amounts| !amounts.is_empty()) {
            errors.forbidden(&path.child(field), "may not be specified when `type` is 'Pod'");
        }
    }
    let has_storage = |amounts: &Amounts| amounts.as_ref().is_some_and(|amounts| amounts.contains_key("storage"));
    if item.type_ == "PersistentVolumeClaim" && !has_storage(&item.min) && !has_storage(&item.max) {
        errors.required(&path.child("limits"), "either minimum or maximum storage value is required, but neither was provided");
    }
    check(&item.max_limit_request_ratio, "maxLimitRequestRatio", errors);
    let all = [&item.max, &item.min, &item.max_limit_request_ratio].into_iter();
    let all = all.chain(defaults.into_iter().filter(|_| !is_pod).map(|(_, amounts)| amounts));
    let resources: BTreeSet<&String> = all.flat_map(|amounts| amounts.iter().flat_map(BTreeMap::keys)).collect();
    for resource in resources {
        validate_amounts(item, resource, path, errors);
    }
}

/// What is wrong with the amounts of one resource as compared with each other.
fn validate_amounts(item: &LimitRangeItem, resource: &str, path: &Path<'_>, errors: &mut Errors) {
    let of = |amounts: &Amounts| amounts.as_ref().and_then(|amounts| amounts.get(resource)).map(quantity::of);
    let (min, max, ratio) = (of(&item.min), of(&item.max), of(&item.max_limit_request_ratio));
    let (limit, request) = if item.type_ == "Pod" { (None, None) } else { (of(&item.default), of(&item.default_request)) };
    let mut exceeds = |field: &str, less: (&str, Option<Quantity>), more: (&str, Option<Quantity>), shown: Option<Quantity>| {
        if let (Some(a), Some(b), Some(shown)) = (less.1, more.1, shown)
            && a > b
        {
            let detail = format!("{} value {a} is greater than {} value {b}", less.0, more.0);
            errors.invalid(&path.child(field).key(resource), shown.to_string(), &detail);
        }
    };
    exceeds("min", ("min", min), ("max", max), min);
    exceeds("defaultRequest", ("min", min), ("default request", request), request);
    exceeds("defaultRequest", ("default request", request), ("max", max), request);
    exceeds("defaultRequest", ("default request", request), ("default limit", limit), request);
    exceeds("default", ("min", min), ("default", limit), min);
    exceeds("default", ("default", limit), ("max", max), max);
    if let Some(ratio) = ratio {
        validate_ratio(ratio, min, max, &path.child("maxLimitRequestRatio").key(resource), errors);
    }
    if let (Some(limit), Some(request)) = (limit, request)
        && limit != request
        && !is_overcommittable(resource)
    {
        let detail = format!("default value {limit} must equal to defaultRequest value {request} in {resource}");
        errors.invalid(&path.child("defaultRequest").key(resource), request.to_string(), &detail);
    }
}

fn validate_ratio(ratio: Quantity, min: Option<Quantity>, max: Option<Quantity>, path: &Path<'_>, errors: &mut Errors) {
    if ratio < Quantity::from_value(1, Format::DecimalSi) {
        errors.invalid(path, ratio.to_string(), &format!("ratio {ratio} is less than 1"));
    }
    if let (Some(min), Some(max)) = (min, max) {
        let most = max.as_f64() / min.as_f64();
        if ratio.as_f64() > most {
            errors.invalid(path, ratio.to_string(), &format!("ratio {ratio} is greater than max/min = {most:.6}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn range(limit: Value) -> LimitRange {
        let mut range: LimitRange = serde_json::from_value(json!({"spec": {"limits": [limit]}})).unwrap();
        defaults(&mut range);
        range
    }

    #[test]
    fn what_is_left_out_follows_from_what_is_not() {
        let range = range(json!({"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}}));
        let item = &range.spec.as_ref().unwrap().limits[0];
        assert_eq!(serde_json::to_value(&item.default).unwrap(), json!({"cpu": "2"}));
        assert_eq!(serde_json::to_value(&item.default_request).unwrap(), json!({"cpu": "2", "memory": "1Mi"}));
    }

    #[test]
    fn what_is_wrong() {
        for (limit, want) in [
            (json!({"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1"}}), "[]"),
            (json!({"type": "Odd"}), "spec.limits[0].type: Invalid value: \"Odd\": must be a standard limit type or fully qualified"),
            (
                json!({"type": "Pod", "default": {"cpu": "1"}}),
                "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
            ),
            (
                json!({"type": "PersistentVolumeClaim"}),
                "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided",
            ),
            (
                json!({"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "4"}}),
                "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"4\": ratio 4 is greater than max/min = 2.000000",
            ),
        ] {
            let mut errors = Errors::new();
            validate(&range(limit), &mut errors);
            assert_eq!(errors.to_string(), want);
        }
    }
}
