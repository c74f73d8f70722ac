//! What a write costs, and whether the quotas of its namespace can bear it. Pure: accounts in, accounts or a refusal out.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::core::v1::{ResourceQuota, ResourceQuotaSpec},
    apimachinery::pkg::api::resource::Quantity as ApiQuantity,
};
use mini_api::{
    pod::Resources,
    quantity::{self, Quantity},
    quota::Subject,
};
use serde_json::{Value, json};

/// What a write is about, as quotas see it.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// The object as it is to become.
    pub(super) subject: Subject,
    /// The object as it is, if it is there.
    pub(super) old: Option<Subject>,
    /// Which containers do not state which compute resource.
    pub(super) unstated: BTreeMap<&'static str, BTreeSet<String>>,
    /// Whether it is counted beyond the limit, because it has happened already.
    pub(super) unlimited: bool,
    /// Whether it is to be counted, and not only judged.
    pub(super) counts: bool,
}

/// One quota while it is being charged.
#[derive(Clone, Debug)]
pub(super) struct Account {
    name: String,
    spec: ResourceQuotaSpec,
    /// What the controller has told that there may be: only this counts.
    hard: Resources,
    before: Resources,
    used: Resources,
}

impl Account {
    pub(super) fn new(quota: ResourceQuota) -> Self {
        let amounts = |amounts: Option<BTreeMap<String, ApiQuantity>>| -> Resources {
            amounts.into_iter().flatten().map(|(name, amount)| (name, quantity::of(&amount))).collect()
        };
        let status = quota.status.unwrap_or_default();
        let used = amounts(status.used);
        Self {
            name: quota.metadata.name.unwrap_or_default(),
            spec: quota.spec.unwrap_or_default(),
            hard: amounts(status.hard),
            before: used.clone(),
            used,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The part of a status that says what more is used than before; nothing if nothing is.
    pub(super) fn raise(&self) -> Option<Value> {
        let raised = self.used.iter().filter(|(resource, amount)| self.before.get(*resource) != Some(*amount));
        let raised: BTreeMap<&String, String> = raised.map(|(resource, amount)| (resource, amount.to_string())).collect();
        (!raised.is_empty()).then(|| json!({ "used": raised }))
    }

    /// The resources of the quota that such an object can use, if the quota is about it at all.
    fn limits(&self, subject: &Subject) -> Option<Vec<&str>> {
        let limits: Vec<&str> = self.hard.keys().map(String::as_str).filter(|resource| subject.kind().tracks(resource)).collect();
        (!limits.is_empty() && subject.is_within(&self.spec)).then_some(limits)
    }

    /// Why the quota cannot be charged for this object, whatever is left of it.
    fn objection(&self, limits: &[&str], ask: &Ask) -> Option<String> {
        let missing = ask.unstated.iter().filter(|(resource, _)| limits.contains(*resource));
        let missing: Vec<String> = missing.map(|(resource, containers)| format!("{resource} for: {}", join(containers))).collect();
        if !missing.is_empty() {
            return Some(format!("failed quota: {}: must specify {}", self.name, missing.join("; ")));
        }
        let unknown = limits.iter().any(|resource| !self.used.contains_key(*resource));
        unknown.then(|| format!("status unknown for quota: {}, resources: {}", self.name, join(limits)))
    }

    /// What the write adds to what is used.
    fn cost(&self, ask: &Ask) -> Resources {
        let old = ask.old.as_ref().filter(|old| self.limits(old).is_some());
        let paid = |resource: &String| old.and_then(|old| old.usage().get(resource)).copied().unwrap_or_default();
        let usage = ask.subject.usage().iter().filter(|(resource, _)| self.hard.contains_key(*resource));
        usage.map(|(resource, amount)| (resource.clone(), *amount - paid(resource))).filter(|(_, more)| more.signum() > 0).collect()
    }

    fn add(&mut self, cost: &Resources) {
        for (resource, more) in cost {
            *self.used.entry(resource.clone()).or_default() += *more;
        }
    }

    /// The refusal of a cost that is more than what is left.
    fn exceeded(&self, cost: &Resources) -> Option<String> {
        let used = |resource: &String| self.used.get(resource).copied().unwrap_or_default();
        let over: Vec<_> = cost
            .iter()
            .filter_map(|(resource, more)| {
                let (used, hard) = (used(resource), *self.hard.get(resource)?);
                (used + *more > hard).then_some((resource, [*more, used, hard]))
            })
            .collect();
        let list = |which: usize| {
            let amounts = over.iter().map(|(resource, amounts): &(&String, [Quantity; 3])| format!("{resource}={}", amounts[which]));
            amounts.collect::<Vec<_>>().join(",")
        };
        let text = || format!("exceeded quota: {}, requested: {}, used: {}, limited: {}", self.name, list(0), list(1), list(2));
        (!over.is_empty()).then(text)
    }
}

/// Charges all accounts a write concerns, or none; says whether it costs anything.
///
/// # Errors
/// The refusal, in upstream's words.
pub(super) fn charge(accounts: &mut [Account], ask: &Ask) -> Result<bool, String> {
    let mut costs = Vec::new();
    for (index, account) in accounts.iter().enumerate() {
        let Some(limits) = account.limits(&ask.subject) else { continue };
        if let Some(objection) = account.objection(&limits, ask) {
            return Err(objection);
        }
        let cost = account.cost(ask);
        if !cost.is_empty() {
            costs.push((index, cost));
        }
    }
    if !ask.unlimited
        && let Some(refusal) = costs.iter().find_map(|(index, cost)| accounts[*index].exceeded(cost))
    {
        return Err(refusal);
    }
    if ask.counts {
        costs.iter().for_each(|(index, cost)| accounts[*index].add(cost));
    }
    Ok(!costs.is_empty())
}

/// Whether what is used of anything becomes less by a change of a quota.
pub(super) fn lowers(new: &ResourceQuota, old: &ResourceQuota) -> bool {
    let used = |quota: &ResourceQuota| quota.status.as_ref().and_then(|status| status.used.clone()).unwrap_or_default();
    let new = used(new);
    used(old).iter().any(|(resource, before)| new.get(resource).is_none_or(|now| quantity::of(now) < quantity::of(before)))
}

fn join<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| name.as_ref().to_owned()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use mini_api::quota::{Kind, unstated};

    use super::*;

    fn account(name: &str, spec: Value, used: Value) -> Account {
        let hard = spec["hard"].clone();
        let status = json!({ "hard": hard, "used": used });
        Account::new(serde_json::from_value(json!({ "metadata": { "name": name }, "spec": spec, "status": status })).unwrap())
    }

    fn pod(resources: Value) -> Ask {
        let containers = json!([{ "name": "c1", "resources": resources }, { "name": "c0", "resources": resources }]);
        let pod = serde_json::from_value(json!({ "spec": { "containers": containers } })).unwrap();
        let subject = Subject::pod(&pod, Timestamp::UNIX_EPOCH);
        Ask { subject, old: None, unstated: unstated(&pod), unlimited: false, counts: true }
    }

    fn secret() -> Ask {
        let subject = Subject::other(Kind::of("", "secrets"));
        Ask { subject, old: None, unstated: BTreeMap::new(), unlimited: false, counts: true }
    }

    fn claim(storage: &str, old: Option<&str>) -> Ask {
        let of = |storage: &str| {
            let claim = json!({ "spec": { "resources": { "requests": { "storage": storage } } } });
            Subject::claim(&serde_json::from_value(claim).unwrap())
        };
        Ask { subject: of(storage), old: old.map(of), ..secret() }
    }

    #[test]
    fn refusals_are_upstreams() {
        let half = json!({ "requests": { "cpu": "500m", "memory": "1Gi" } });
        for (spec, used, ask, want) in [
            (
                json!({ "hard": { "pods": "2" } }),
                json!({ "pods": "2" }),
                pod(json!({})),
                "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2",
            ),
            (
                json!({ "hard": { "requests.cpu": "1", "pods": "5", "requests.memory": "1Gi" } }),
                json!({ "requests.cpu": "500m", "pods": "1", "requests.memory": "0" }),
                pod(half),
                "exceeded quota: q, requested: requests.cpu=1,requests.memory=2Gi, used: requests.cpu=500m,requests.memory=0, limited: requests.cpu=1,requests.memory=1Gi",
            ),
            (
                json!({ "hard": { "limits.cpu": "1", "cpu": "1" } }),
                json!({ "limits.cpu": "0", "cpu": "0" }),
                pod(json!({})),
                "failed quota: q: must specify cpu for: c0,c1; limits.cpu for: c0,c1",
            ),
            (json!({ "hard": { "pods": "1" } }), json!({}), pod(json!({})), "status unknown for quota: q, resources: pods"),
            (
                json!({ "hard": { "secrets": "1", "count/secrets": "9" } }),
                json!({ "secrets": "1", "count/secrets": "1" }),
                secret(),
                "exceeded quota: q, requested: secrets=1, used: secrets=1, limited: secrets=1",
            ),
            (
                json!({ "hard": { "requests.storage": "10Gi" } }),
                json!({ "requests.storage": "9Gi" }),
                claim("4Gi", Some("2Gi")),
                "exceeded quota: q, requested: requests.storage=2Gi, used: requests.storage=9Gi, limited: requests.storage=10Gi",
            ),
        ] {
            let mut accounts = [account("q", spec, used)];
            assert_eq!(charge(&mut accounts, &ask), Err(want.to_owned()));
            assert_eq!(accounts[0].raise(), None);
        }
    }

    #[test]
    fn what_fits_is_added_to_all_or_none() {
        let roomy = || account("a", json!({ "hard": { "pods": "9", "count/pods": "9" } }), json!({ "pods": "1", "count/pods": "2" }));
        let tight = || account("b", json!({ "hard": { "pods": "2" } }), json!({ "pods": "1" }));
        let scoped = || account("c", json!({ "hard": { "pods": "0" }, "scopes": ["Terminating"] }), json!({ "pods": "0" }));
        let mut accounts = [roomy(), tight(), scoped()];
        assert_eq!(charge(&mut accounts, &pod(json!({}))), Ok(true));
        let raises = || [Some(json!({ "used": { "count/pods": "3", "pods": "2" } })), Some(json!({ "used": { "pods": "2" } })), None];
        assert_eq!(accounts.each_ref().map(Account::raise), raises());
        assert!(charge(&mut accounts, &pod(json!({}))).is_err());
        assert_eq!(accounts.each_ref().map(Account::raise), raises());
    }

    #[test]
    fn what_costs_nothing_passes_a_full_quota() {
        let full = || [account("q", json!({ "hard": { "requests.storage": "1Gi" } }), json!({ "requests.storage": "2Gi" }))];
        assert_eq!(charge(&mut full(), &claim("1Gi", Some("1Gi"))), Ok(false));
        assert_eq!(charge(&mut full(), &claim("1Gi", Some("2Gi"))), Ok(false));
        assert_eq!(charge(&mut full(), &secret()), Ok(false));
        let observed = Ask { unlimited: true, ..claim("3Gi", Some("1Gi")) };
        let mut accounts = full();
        assert_eq!(charge(&mut accounts, &observed), Ok(true));
        assert_eq!(accounts[0].raise(), Some(json!({ "used": { "requests.storage": "4Gi" } })));
        let mut accounts = [account("q", json!({ "hard": { "secrets": "1" } }), json!({ "secrets": "0" }))];
        assert_eq!(charge(&mut accounts, &Ask { counts: false, ..secret() }), Ok(true));
        assert_eq!(accounts[0].raise(), None);
    }

    #[test]
    fn an_object_that_comes_into_scope_pays_in_full() {
        let at = |seconds: Value| {
            let pod = serde_json::from_value(json!({ "spec": { "containers": [], "activeDeadlineSeconds": seconds } })).unwrap();
            Subject::pod(&pod, Timestamp::UNIX_EPOCH)
        };
        let ask = Ask { subject: at(json!(5)), old: Some(at(Value::Null)), ..secret() };
        let quota = |scope: &str| account("q", json!({ "hard": { "pods": "1" }, "scopes": [scope] }), json!({ "pods": "1" }));
        let full = "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1";
        assert_eq!(charge(&mut [quota("Terminating")], &ask), Err(full.to_owned()));
        assert_eq!(charge(&mut [quota("NotTerminating")], &ask), Ok(false));
    }

    #[test]
    fn lowering_is_told_from_raising() {
        let used = |used: Value| -> ResourceQuota { serde_json::from_value(json!({ "status": { "used": used } })).unwrap() };
        for (new, old, want) in [
            (json!({ "pods": "2" }), json!({ "pods": "1" }), false),
            (json!({ "pods": "1" }), json!({ "pods": "1000m" }), false),
            (json!({ "pods": "1" }), json!({ "pods": "2" }), true),
            (json!({}), json!({ "pods": "0" }), true),
            (json!({ "pods": "1" }), json!({}), false),
        ] {
            assert_eq!(lowers(&used(new.clone()), &used(old.clone())), want, "{old} to {new}");
        }
    }
}
