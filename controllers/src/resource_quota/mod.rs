//! ResourceQuotas: tells what there may be, and counts what there is.
//!
//! The API server raises what is used before it stores an object; this controller is the one that brings it down, and that makes
//! up for raises whose objects came to nothing. It never does so while a quota is being raised: the objects raised for may not
//! have been seen here yet.

mod numbers;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota, ResourceQuotaSpec, Service},
    apimachinery::pkg::api::resource::Quantity as ApiQuantity,
};
use mini_api::{
    pod::Resources,
    quantity,
    quota::{self, Kind, Subject, counts_until},
};
use mini_daemon::clock;
use parking_lot::Mutex;
use tokio::time::Instant;

use self::numbers::Numbers;
use crate::{
    cache::{Cache, Change, Key, Object},
    controller::{Controller, Next, Setup},
    queue::Queue,
    writes::{Result, Writes},
};

/// How long a quota must not have been raised before it is brought down.
const SETTLED: Duration = Duration::from_millis(500);

/// Counts for quotas.
pub(crate) struct Reconciler {
    quotas: Arc<Cache<ResourceQuota>>,
    pods: Arc<Cache<Pod>>,
    services: Arc<Cache<Service>>,
    claims: Arc<Cache<PersistentVolumeClaim>>,
    numbers: Numbers,
    /// When more was used of a quota than before.
    raised: Arc<Mutex<HashMap<Key, Instant>>>,
    period: Duration,
}

impl Controller for Reconciler {
    const NAME: &'static str = "resourcequota-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let (queue, raised) = (setup.queue(), Arc::<Mutex<HashMap<Key, Instant>>>::default());
        let (later, noted) = (queue.clone(), raised.clone());
        let quotas = setup.watch(move |change: &Change<ResourceQuota>| {
            let key = change.key();
            if change.new.is_none() {
                noted.lock().remove(&key);
                return None;
            }
            if is_raised(change) {
                noted.lock().insert(key.clone(), Instant::now());
                later.add_after(key.clone(), SETTLED);
            }
            is_changed(change).then_some(key)
        });
        let recount = Recount { quotas: quotas.clone(), queue };
        let pods = setup.read::<Pod>();
        let services = setup.read::<Service>();
        let claims = setup.read::<PersistentVolumeClaim>();
        let tell = recount.clone();
        pods.listen(move |change| {
            let now = clock::now();
            tell.concerned(change, &Kind::Pod, |pod| Subject::pod(pod, now));
        });
        let tell = recount.clone();
        services.listen(move |change| tell.concerned(change, &Kind::Service, Subject::service));
        let tell = recount.clone();
        claims.listen(move |change| tell.concerned(change, &Kind::Claim, Subject::claim));
        let numbers = Numbers::new(setup.client(), setup.reflectors(), recount);
        Self { quotas, pods, services, claims, numbers, raised, period: setup.config().resource_quota_sync_period }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(quota) = self.quotas.get(key) else { return Ok(Next::Changed) };
        let unsettled = self.raised.lock().get(key).and_then(|raised| SETTLED.checked_sub(raised.elapsed()));
        if let Some(left) = unsettled.filter(|_| is_told(&quota)) {
            return Ok(Next::After(left));
        }
        let spec = quota.spec.clone().unwrap_or_default();
        let incomplete = self.numbers.follow(&spec).await?;
        let now = clock::now();
        let pods = self.pods.in_namespace(&key.namespace);
        let new = told(&quota, self.count(&spec, &key.namespace, &pods, now), unsettled.is_some());
        writes.update_status(&*quota, &new).await?;
        let ends = pods.iter().filter_map(|pod| counts_until(pod)).filter(|end| *end >= now);
        let ends = ends.map(|end| Duration::try_from(end.duration_since(now)).unwrap_or_default() + Duration::from_millis(1));
        Ok(Next::soonest(ends.chain([self.period]).chain(unsettled).chain(incomplete)))
    }
}

impl Reconciler {
    /// What is used of everything that is limited and known.
    fn count(&self, spec: &ResourceQuotaSpec, namespace: &str, pods: &[Arc<Pod>], now: Timestamp) -> Resources {
        let mut used = self.numbers.count(spec, namespace);
        if !Kind::Pod.tracked(spec).is_empty() {
            let pods: Vec<_> = pods.iter().map(|pod| Subject::pod(pod, now)).collect();
            used.extend(quota::used(&Kind::Pod, spec, &pods));
        }
        let services: Vec<_> = self.services.in_namespace(namespace).iter().map(|service| Subject::service(service)).collect();
        used.extend(quota::used(&Kind::Service, spec, &services));
        let claims: Vec<_> = self.claims.in_namespace(namespace).iter().map(|claim| Subject::claim(claim)).collect();
        used.extend(quota::used(&Kind::Claim, spec, &claims));
        used
    }
}

/// Has quotas counted again.
#[derive(Clone)]
struct Recount {
    quotas: Arc<Cache<ResourceQuota>>,
    queue: Arc<Queue<Key>>,
}

impl Recount {
    /// Those of a namespace that limit something of a kind, after a while.
    fn limited(&self, namespace: &str, kind: &Kind, after: Duration) {
        for quota in self.quotas.in_namespace(namespace).iter().filter(|quota| limits(quota, kind)) {
            self.queue.add_after(Key::of(&quota.metadata), after);
        }
    }

    /// Those for which an object counts differently than before.
    fn concerned<K: Object>(&self, change: &Change<K>, kind: &Kind, of: impl Fn(&K) -> Subject) {
        let namespace = change.key().namespace;
        if self.quotas.in_namespace(&namespace).is_empty() {
            return;
        }
        if let Some(after) = counts_again(change, of) {
            self.limited(&namespace, kind, after);
        }
    }
}

/// Whether what is used must be counted again after a change, and when: a new object has been counted by the API server, and is
/// only looked for again.
fn counts_again<K>(change: &Change<K>, of: impl Fn(&K) -> Subject) -> Option<Duration> {
    match (&change.old, &change.new) {
        (None, _) => Some(SETTLED),
        (Some(old), Some(new)) if of(old) == of(new) => None,
        _ => Some(Duration::ZERO),
    }
}

fn limits(quota: &ResourceQuota, kind: &Kind) -> bool {
    quota.spec.as_ref().is_some_and(|spec| !kind.tracked(spec).is_empty())
}

fn hard(quota: &ResourceQuota) -> BTreeMap<String, ApiQuantity> {
    quota.spec.as_ref().and_then(|spec| spec.hard.clone()).unwrap_or_default()
}

fn used(quota: &ResourceQuota) -> BTreeMap<String, ApiQuantity> {
    quota.status.as_ref().and_then(|status| status.used.clone()).unwrap_or_default()
}

/// Whether the status says what there may be, and something about the use of it all.
fn is_told(quota: &ResourceQuota) -> bool {
    let told = quota.status.as_ref().and_then(|status| status.hard.clone()).unwrap_or_default();
    let used = used(quota);
    told == hard(quota) && told.keys().all(|resource| used.contains_key(resource))
}

/// Whether more of a quota is used than before.
fn is_raised(change: &Change<ResourceQuota>) -> bool {
    let before = change.old.as_deref().map(used).unwrap_or_default();
    let now = change.new.as_deref().map(used).unwrap_or_default();
    now.iter().any(|(resource, now)| before.get(resource).is_none_or(|before| quantity::of(now) > quantity::of(before)))
}

/// Whether a quota is new, or says something else than before. Its status is ours and the API server's.
fn is_changed(change: &Change<ResourceQuota>) -> bool {
    let spec = |quota: &Arc<ResourceQuota>| quota.spec.clone();
    change.old.as_ref().map(spec) != change.new.as_ref().map(spec)
}

/// The quota with what was counted. While it is being raised, it only rises.
fn told(quota: &ResourceQuota, counted: Resources, unsettled: bool) -> ResourceQuota {
    let (hard, mut used) = (hard(quota), used(quota));
    for (resource, now) in counted {
        let before = used.get(&resource).map(quantity::of);
        // The same amount stays as it is written.
        if before.is_none_or(|before| now > before || now < before && !unsettled) {
            used.insert(resource, now.into());
        }
    }
    used.retain(|resource, _| hard.contains_key(resource));
    let mut new = quota.clone();
    let status = new.status.get_or_insert_default();
    (status.hard, status.used) = (Some(hard), Some(used));
    new
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn quota(spec: Value, status: Value) -> ResourceQuota {
        let metadata = json!({ "namespace": "n", "name": "q" });
        serde_json::from_value(json!({ "metadata": metadata, "spec": spec, "status": status })).unwrap()
    }

    fn counted(amounts: &[(&str, &str)]) -> Resources {
        amounts.iter().map(|(name, amount)| ((*name).to_owned(), quantity::Quantity::parse(amount).unwrap())).collect()
    }

    #[test]
    fn the_status_says_what_there_may_be_and_is() {
        let both = json!({ "pods": "5", "requests.cpu": "2" });
        for (status, now, unsettled, want) in [
            (json!({}), &[("pods", "1"), ("requests.cpu", "0")][..], false, json!({ "pods": "1", "requests.cpu": "0" })),
            (json!({ "used": { "pods": "3" } }), &[("pods", "1")], false, json!({ "pods": "1" })),
            (json!({ "used": { "pods": "3" } }), &[("pods", "1")], true, json!({ "pods": "3" })),
            (json!({ "used": { "pods": "3" } }), &[("pods", "4")], true, json!({ "pods": "4" })),
            (json!({ "used": { "requests.cpu": "1000m", "secrets": "1" } }), &[("requests.cpu", "1")], false, json!({ "requests.cpu": "1000m" })),
            // What nobody can count stays as it was told.
            (json!({ "used": { "requests.cpu": "1" } }), &[("pods", "0")], false, json!({ "pods": "0", "requests.cpu": "1" })),
        ] {
            let new = told(&quota(json!({ "hard": both }), status), counted(now), unsettled);
            assert_eq!(serde_json::to_value(new.status).unwrap(), json!({ "hard": both, "used": want }));
        }
    }

    #[test]
    fn a_quota_is_told_when_nothing_is_missing() {
        let spec = json!({ "hard": { "pods": "5" } });
        for (status, want) in [
            (json!({}), false),
            (json!({ "hard": { "pods": "5" } }), false),
            (json!({ "hard": { "pods": "4" }, "used": { "pods": "1" } }), false),
            (json!({ "hard": { "pods": "5" }, "used": { "pods": "1" } }), true),
        ] {
            assert_eq!(is_told(&quota(spec.clone(), status.clone())), want, "{status}");
        }
    }

    #[test]
    fn raises_are_told_from_other_changes() {
        let of = |hard: &str, used: &str| Some(Arc::new(quota(json!({ "hard": { "pods": hard } }), json!({ "used": { "pods": used } }))));
        for (old, new, raised, changed) in [
            (None, of("5", "1"), true, true),
            (of("5", "1"), of("5", "2"), true, false),
            (of("5", "2"), of("5", "1"), false, false),
            (of("5", "1"), of("6", "1"), false, true),
        ] {
            let change = Change { old, new };
            assert_eq!((is_raised(&change), is_changed(&change)), (raised, changed));
        }
    }

    #[test]
    fn only_what_counts_differently_is_counted_again() {
        let pod = |phase: &str| -> Option<Arc<Pod>> {
            Some(Arc::new(serde_json::from_value(json!({ "metadata": {}, "status": { "phase": phase } })).unwrap()))
        };
        for (old, new, want) in [
            (None, pod("Pending"), Some(SETTLED)),
            (pod("Pending"), pod("Running"), None),
            (pod("Running"), pod("Succeeded"), Some(Duration::ZERO)),
            (pod("Running"), None, Some(Duration::ZERO)),
        ] {
            assert_eq!(counts_again(&Change { old, new }, |pod| Subject::pod(pod, Timestamp::UNIX_EPOCH)), want);
        }
    }
}
