//! ServiceCIDRs: from which networks Services get their addresses.

use k8s_openapi::api::networking::v1::{ServiceCIDR, ServiceCIDRStatus};
use serde::Serialize;
use serde_json::Value;

use super::{
    address::{self, Network},
    field::{Errors, Path},
    rules::{Column, Rules, column, parts},
    unset::list,
};

/// What is special about a ServiceCIDR.
pub(super) const RULES: Rules<ServiceCIDR> = Rules {
    defaults: |service_cidr| {
        service_cidr.spec.get_or_insert_default();
        service_cidr.status.get_or_insert_default();
    },
    on_create: |service_cidr| service_cidr.status = Some(ServiceCIDRStatus::default()),
    validate: |service_cidr, errors| validate(cidrs(service_cidr), errors),
    validate_update: |new, old, errors| validate_update(cidrs(new), cidrs(old), errors),
    columns: &[Column::name(), column("CIDRs", |service_cidr: &ServiceCIDR, _| Value::from(cidrs(service_cidr).join(","))), Column::age()],
    parts: parts![status],
    ..Rules::NONE
};

fn cidrs(service_cidr: &ServiceCIDR) -> &[String] {
    service_cidr.spec.as_ref().map(|spec| list(&spec.cidrs)).unwrap_or_default()
}

fn validate(cidrs: &[String], errors: &mut Errors) {
    /// The spec as messages show it.
    #[derive(Serialize)]
    struct Shown<'a> {
        #[serde(rename = "CIDRs")]
        cidrs: &'a [String],
    }
    let path = Path::new("spec");
    let path = path.child("cidrs");
    if cidrs.is_empty() {
        return errors.required(&path, "at least one CIDR required");
    }
    if cidrs.len() > 2 {
        return errors.invalid(&path, Shown { cidrs }, "may only hold up to 2 values");
    }
    for (index, cidr) in cidrs.iter().enumerate() {
        let mut wrong = Errors::new();
        address::cidr(cidr, &path.index(index), &mut wrong);
        if let Some(canonical) = Network::parse(cidr).map(Network::canonical).filter(|canonical| canonical != cidr && wrong.is_empty()) {
            wrong.invalid(&path.index(index), cidr, &format!("must be in canonical form ({canonical:?})"));
        }
        errors.extend(wrong);
    }
    let all: Vec<&str> = cidrs.iter().map(String::as_str).collect();
    if all.len() == 2 && all.iter().all(|cidr| Network::parse(cidr).is_some()) && !address::is_dual_stack(&all) {
        errors.invalid(&path, cidrs, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64");
    }
}

/// The networks stay, but a second family may be added.
fn validate_update(new: &[String], old: &[String], errors: &mut Errors) {
    let path = Path::new("spec");
    let path = path.child("cidrs");
    let is_grown = old.len() == 1 && new.len() == 2;
    if new.len() != old.len() && !is_grown {
        return errors.invalid(&path, new, "field is immutable");
    }
    for (index, (new, _)) in new.iter().zip(old).enumerate().filter(|(_, (new, old))| new != old) {
        errors.invalid(&path.index(index), new, "field is immutable");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(check: impl FnOnce(&mut Errors)) -> String {
        let mut errors = Errors::new();
        check(&mut errors);
        if errors.is_empty() { String::new() } else { errors.to_string() }
    }

    fn strings(all: &[&str]) -> Vec<String> {
        all.iter().map(|&one| one.to_owned()).collect()
    }

    #[test]
    fn at_most_one_of_each_family() {
        for (cidrs, want) in [
            (&["10.0.0.0/8", "fd00::/64"][..], ""),
            (&[][..], "spec.cidrs: Required value: at least one CIDR required"),
            (&["FD00::/64"][..], "spec.cidrs[0]: Invalid value: \"FD00::/64\": must be in canonical form (\"fd00::/64\")"),
            (
                &["10.0.0.0/8", "11.0.0.0/8"][..],
                "spec.cidrs: Invalid value: [\"10.0.0.0/8\",\"11.0.0.0/8\"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
            ),
            (
                &["10.0.0.0/8", "fd00::/64", "fd01::/64"][..],
                "spec.cidrs: Invalid value: {\"CIDRs\":[\"10.0.0.0/8\",\"fd00::/64\",\"fd01::/64\"]}: may only hold up to 2 values",
            ),
        ] {
            assert_eq!(said(|errors| validate(&strings(cidrs), errors)), want);
        }
    }

    #[test]
    fn networks_stay() {
        let one = strings(&["10.0.0.0/8"]);
        assert_eq!(said(|errors| validate_update(&strings(&["10.0.0.0/8", "fd00::/64"]), &one, errors)), "");
        assert_eq!(
            said(|errors| validate_update(&strings(&["11.0.0.0/8"]), &one, errors)),
            "spec.cidrs[0]: Invalid value: \"11.0.0.0/8\": field is immutable"
        );
    }
}
