//! PodDisruptionBudgets: how many pods of a set may be evicted now, counted from those that are healthy.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet, StatefulSet},
        core::v1::{Pod, ReplicationController},
        policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus},
    },
    apimachinery::pkg::{
        apis::meta::v1::{Condition, LabelSelector, ObjectMeta, OwnerReference, Time},
        util::intstr::IntOrString,
    },
};
use mini_api::{condition, owner, percent, pod, selector::Selector};
use mini_daemon::{clock, events, events::Recorder};

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    writes::{Result, Writes},
};

/// How long an eviction that was allowed may take until the pod is being deleted. After that it counts as not having happened.
const DELETION_PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// The kinds that make pods but have no number to be asked for: group, kind, and what they are called.
const WITHOUT_SCALE: [(&str, &str, &str); 4] = [
    ("apps", "DaemonSet", "daemonsets.apps"),
    ("batch", "Job", "jobs.batch"),
    ("batch", "CronJob", "cronjobs.batch"),
    ("v1", "Node", "nodes"),
];

/// Which object decides about a number of pods, by UID, and the number; none if there is no such object. Or why it cannot be asked.
type Scale = std::result::Result<Option<(String, i32)>, String>;

/// Counts.
pub(crate) struct Reconciler {
    budgets: Arc<Cache<PodDisruptionBudget>>,
    pods: Arc<Cache<Pod>>,
    scales: Scales,
    recorder: Recorder,
}

/// Where the wanted number of a pod's siblings is found.
struct Scales {
    deployments: Arc<Cache<Deployment>>,
    replica_sets: Arc<Cache<ReplicaSet>>,
    stateful_sets: Arc<Cache<StatefulSet>>,
    replication_controllers: Arc<Cache<ReplicationController>>,
}

impl Controller for Reconciler {
    const NAME: &'static str = "disruption-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let budgets = setup.watch(|change: &Change<PodDisruptionBudget>| [change.key()]);
        let known = budgets.clone();
        let pods = setup.watch(move |change: &Change<Pod>| concerned(change, &known));
        let scales = Scales {
            deployments: setup.read(),
            replica_sets: setup.read(),
            stateful_sets: setup.read(),
            replication_controllers: setup.read(),
        };
        Self { budgets, pods, scales, recorder: setup.recorder("controllermanager") }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(budget) = self.budgets.get(key) else { return Ok(Next::Changed) };
        let selector = selector(&budget);
        let pods: Vec<_> = self.pods.in_namespace(&key.namespace);
        let pods: Vec<_> = pods.into_iter().filter(|pod| selector.matches_labels(pod.metadata.labels.as_ref())).collect();
        let about = events::reference(&*budget);
        if pods.is_empty() {
            self.recorder.normal(&about, "NoPods", "No matching pods found");
        }
        let now = clock::now();
        let plan = plan(&budget, &pods, |owner, namespace| self.scales.of(owner, namespace), now);
        if let Err(why) = &plan.counted {
            self.recorder.warning(&about, "CalculateExpectedPodCountFailed", format!("Failed to calculate the number of expected pods: {why}"));
        } else if has_unmanaged(&budget, &pods) {
            let selector = printed(budget.spec.as_ref().and_then(|spec| spec.selector.as_ref()));
            let message = format!(
                "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a result, the status of the PDB \
                 cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set \
                 \".spec.minAvailable\" field of the PDB to an integer value."
            );
            self.recorder.warning(&about, "UnmanagedPods", message);
        }
        for pod in &plan.not_deleted {
            let message = format!("Pod was expected by PDB {}/{} to be deleted but it wasn't", key.namespace, key.name);
            self.recorder.warning(&events::reference(&**pod), "NotDeleted", message);
        }
        let mut new = (*budget).clone();
        new.status = Some(status(&budget, plan.counted, plan.disrupted, now));
        writes.update_status(&*budget, &new).await?;
        Ok(Next::soonest(plan.next))
    }
}

/// The budgets that a change of a pod concerns.
fn concerned(change: &Change<Pod>, budgets: &Cache<PodDisruptionBudget>) -> Vec<Key> {
    let mut keys = Vec::new();
    for pod in change.sides() {
        for budget in budgets.in_namespace(pod.metadata.namespace.as_deref().unwrap_or_default()) {
            let key = Key::of(&budget.metadata);
            if !keys.contains(&key) && selector(&budget).matches_labels(pod.metadata.labels.as_ref()) {
                keys.push(key);
            }
        }
    }
    keys
}

/// What the budget selects; nothing if it says nothing or cannot be read.
fn selector(budget: &PodDisruptionBudget) -> Selector {
    let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    selector.and_then(|selector| Selector::from_label_selector(selector).ok()).unwrap_or_else(Selector::nothing)
}

/// The group of an API version, or the version where the group has no name.
fn group(api_version: &str) -> &str {
    api_version.split('/').next().unwrap_or_default()
}

/// Whether pods are selected that nobody makes again, though the budget is about what their makers want.
fn has_unmanaged(budget: &PodDisruptionBudget, pods: &[Arc<Pod>]) -> bool {
    let Some(spec) = &budget.spec else { return false };
    let asks = spec.max_unavailable.is_some() || matches!(spec.min_available, Some(IntOrString::String(_)));
    asks && pods.iter().any(|pod| owner::controller_of(&pod.metadata).is_none())
}

/// A selector as upstream's messages show it.
fn printed(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else { return "nil".to_owned() };
    let labels = selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}: {value},"));
    let expressions = selector.match_expressions.iter().flatten().map(|one| {
        let values = one.values.clone().unwrap_or_default().join(" ");
        format!("LabelSelectorRequirement{{Key:{},Operator:{},Values:[{values}],}},", one.key, one.operator)
    });
    let (labels, expressions) = (labels.collect::<Vec<_>>().concat(), expressions.collect::<Vec<_>>().concat());
    format!("&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}")
}

impl Scales {
    /// Who decides about the number of the owner's pods.
    fn of(&self, owner: &OwnerReference, namespace: &str) -> Scale {
        let is_it = |(of, kind, _): &&(&str, &str, &str)| (*of, *kind) == (group(&owner.api_version), owner.kind.as_str());
        match WITHOUT_SCALE.iter().find(is_it) {
            Some((_, _, resource)) => Err(format!("{resource} does not implement the scale subresource")),
            None => Ok(self.find(owner, namespace)),
        }
    }

    /// The same, of an owner that has a number, if it is there and no namesake.
    fn find(&self, owner: &OwnerReference, namespace: &str) -> Option<(String, i32)> {
        let key = Key::new(namespace, &owner.name);
        let is_it = |meta: &ObjectMeta, uid: &str| meta.uid.as_deref() == Some(uid);
        let (uid, replicas) = match (group(&owner.api_version), owner.kind.as_str()) {
            ("v1", "ReplicationController") => {
                let found = self.replication_controllers.get(&key).filter(|found| is_it(&found.metadata, &owner.uid))?;
                (found.metadata.uid.clone(), found.spec.as_ref()?.replicas)
            }
            ("apps" | "extensions", "ReplicaSet") => {
                let found = self.replica_sets.get(&key).filter(|found| is_it(&found.metadata, &owner.uid))?;
                let above = owner::controller_of(&found.metadata).filter(|above| above.kind == "Deployment");
                let above = above.and_then(|above| {
                    self.deployments.get(&Key::new(namespace, &above.name)).filter(|found| is_it(&found.metadata, &above.uid))
                });
                match above {
                    Some(above) => (above.metadata.uid.clone(), above.spec.as_ref()?.replicas),
                    None => (found.metadata.uid.clone(), found.spec.as_ref()?.replicas),
                }
            }
            ("apps", "StatefulSet") => {
                let found = self.stateful_sets.get(&key).filter(|found| is_it(&found.metadata, &owner.uid))?;
                (found.metadata.uid.clone(), found.spec.as_ref()?.replicas)
            }
            _ => return None,
        };
        Some((uid?, replicas.unwrap_or(1)))
    }
}

/// How many pods there are to be, and how many healthy ones are needed and there.
#[derive(Debug, PartialEq, Eq)]
struct Count {
    expected: i32,
    desired: i32,
    healthy: i32,
}

/// What is known of one budget.
struct Plan {
    /// Why it cannot be counted, where it cannot.
    counted: std::result::Result<Count, String>,
    /// Evictions that were allowed and have not been seen yet.
    disrupted: BTreeMap<String, Time>,
    /// Pods whose allowed eviction did not come.
    not_deleted: Vec<Arc<Pod>>,
    /// When the next of the allowed evictions has had its time.
    next: Option<Duration>,
}

/// Counts. `scale` finds the wanted number behind an owner.
fn plan(budget: &PodDisruptionBudget, pods: &[Arc<Pod>], scale: impl Fn(&OwnerReference, &str) -> Scale, now: Timestamp) -> Plan {
    let before = budget.status.as_ref().and_then(|status| status.disrupted_pods.as_ref());
    let mut plan = Plan { counted: Err(String::new()), disrupted: BTreeMap::new(), not_deleted: Vec::new(), next: None };
    let mut healthy = 0;
    for pod in pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        if let Some(since) = before.and_then(|before| before.get(name)) {
            let left = DELETION_PATIENCE - now.duration_since(since.0);
            match Duration::try_from(left) {
                Ok(left) if !left.is_zero() => {
                    plan.next = Some(plan.next.map_or(left, |next| next.min(left)));
                    plan.disrupted.insert(name.to_owned(), since.clone());
                    continue;
                }
                _ => plan.not_deleted.push(pod.clone()),
            }
        }
        healthy += i32::from(pod::is_ready(pod));
    }
    plan.counted = wanted(budget, pods, scale).map(|(expected, desired)| Count { expected, desired, healthy });
    plan
}

/// How many pods there are to be, and how many of them healthy.
fn wanted(
    budget: &PodDisruptionBudget,
    pods: &[Arc<Pod>],
    scale: impl Fn(&OwnerReference, &str) -> Scale,
) -> std::result::Result<(i32, i32), String> {
    let spec = budget.spec.clone().unwrap_or_default();
    let scaled = |value: &IntOrString, total| percent::scaled(value, total, true).map_err(|error| error.to_string());
    match (&spec.max_unavailable, &spec.min_available) {
        (Some(most), _) => {
            let expected = expected(pods, scale)?;
            Ok((expected, (expected - scaled(most, expected)?).max(0)))
        }
        // A number is what it is, whoever made the pods.
        (None, Some(IntOrString::Int(least))) => Ok((i32::try_from(pods.len()).unwrap_or(i32::MAX), *least)),
        (None, Some(least)) => {
            let expected = expected(pods, scale)?;
            Ok((expected, scaled(least, expected)?))
        }
        (None, None) => Ok((0, 0)),
    }
}

/// The sum of what the controllers of the pods want.
fn expected(pods: &[Arc<Pod>], scale: impl Fn(&OwnerReference, &str) -> Scale) -> std::result::Result<i32, String> {
    let mut wanted = BTreeMap::new();
    for pod in pods {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        // Pods that nobody makes again do not count.
        let Some(owner) = owner::controller_of(&pod.metadata) else { continue };
        let (uid, replicas) = scale(owner, namespace)?
            .ok_or_else(|| format!("found no controllers for pod {:?}", pod.metadata.name.as_deref().unwrap_or_default()))?;
        wanted.insert(uid, replicas);
    }
    Ok(wanted.values().sum())
}

fn status(
    budget: &PodDisruptionBudget,
    counted: std::result::Result<Count, String>,
    disrupted: BTreeMap<String, Time>,
    now: Timestamp,
) -> PodDisruptionBudgetStatus {
    let mut status = budget.status.clone().unwrap_or_default();
    let (allowed, reason, message) = match counted {
        Ok(Count { expected, desired, healthy }) => {
            let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
            status.current_healthy = Some(healthy);
            status.desired_healthy = Some(desired);
            status.expected_pods = Some(expected);
            status.disrupted_pods = Some(disrupted).filter(|disrupted| !disrupted.is_empty());
            (allowed, if allowed > 0 { "SufficientPods" } else { "InsufficientPods" }, String::new())
        }
        // What cannot be counted allows nothing.
        Err(why) => (0, "SyncFailed", why),
    };
    status.disruptions_allowed = Some(allowed);
    status.observed_generation = budget.metadata.generation;
    let new = Condition {
        type_: "DisruptionAllowed".to_owned(),
        status: if allowed > 0 { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: budget.metadata.generation,
        last_transition_time: Time(now),
    };
    condition::set(&mut status.conditions, new);
    status
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::cache::{Object, tests::filled};

    fn budget(spec: Value, status: Value) -> PodDisruptionBudget {
        serde_json::from_value(json!({ "metadata": { "name": "b", "namespace": "n", "generation": 4 }, "spec": spec, "status": status })).unwrap()
    }

    /// A letter a pod: r(eady), u(nready), t(erminating and ready), a(lone and ready).
    fn pods(states: &str) -> Vec<Arc<Pod>> {
        let make = |(index, state)| {
            let mut pod = crate::cache::tests::pod(&format!("p{index}"), 1, (state != 'a').then_some("rs"));
            pod.metadata.deletion_timestamp = (state == 't').then_some(Time(Timestamp::UNIX_EPOCH));
            let ready = json!({ "conditions": [{ "type": "Ready", "status": if state == 'u' { "False" } else { "True" } }] });
            pod.status = serde_json::from_value(ready).unwrap();
            Arc::new(pod)
        };
        states.chars().enumerate().map(make).collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn counted(spec: Value, states: &str, replicas: i32) -> (i32, &'static str) {
        let budget = budget(spec, Value::Null);
        let plan = plan(&budget, &pods(states), |_, _| Ok(Some(("d".to_owned(), replicas))), at(0));
        let status = status(&budget, plan.counted, plan.disrupted, at(0));
        let reason = status.conditions.as_ref().unwrap()[0].reason.clone();
        let known = ["SufficientPods", "InsufficientPods", "SyncFailed"].into_iter().find(|known| *known == reason).unwrap();
        assert_eq!(status.observed_generation, Some(4));
        (status.disruptions_allowed.unwrap(), known)
    }

    #[test]
    fn as_many_as_there_are_too_many() {
        const ENOUGH: &str = "SufficientPods";
        const FEW: &str = "InsufficientPods";
        for (spec, states, replicas, want) in [
            (json!({ "minAvailable": 2 }), "rrr", 3, (1, ENOUGH)),
            (json!({ "minAvailable": 2 }), "rru", 3, (0, FEW)),
            (json!({ "minAvailable": 2 }), "rrtr", 3, (1, ENOUGH)),
            (json!({ "minAvailable": 1 }), "aa", 0, (1, ENOUGH)),
            (json!({ "minAvailable": "50%" }), "rrr", 3, (1, ENOUGH)),
            (json!({ "minAvailable": "50%" }), "rrr", 6, (0, FEW)),
            (json!({ "maxUnavailable": 1 }), "rrr", 3, (1, ENOUGH)),
            (json!({ "maxUnavailable": 1 }), "rru", 3, (0, FEW)),
            (json!({ "maxUnavailable": "34%" }), "rrr", 3, (2, ENOUGH)),
            (json!({ "maxUnavailable": 9 }), "rrr", 3, (3, ENOUGH)),
            (json!({ "maxUnavailable": 1 }), "", 3, (0, FEW)),
        ] {
            assert_eq!(counted(spec.clone(), states, replicas), want, "{spec} of {states}");
        }
    }

    #[test]
    fn what_cannot_be_counted_allows_nothing() {
        let budget = budget(json!({ "maxUnavailable": 1 }), json!({ "disruptionsAllowed": 3 }));
        for (scale, message) in [(Ok(None), "found no controllers for pod \"p0\""), (Err("no number"), "no number")] {
            let plan = plan(&budget, &pods("r"), |_, _| scale.clone().map_err(str::to_owned), at(0));
            let status = status(&budget, plan.counted, plan.disrupted, at(0));
            let condition = &status.conditions.as_ref().unwrap()[0];
            assert_eq!((status.disruptions_allowed, condition.reason.as_str()), (Some(0), "SyncFailed"));
            assert_eq!(condition.message, message);
        }
    }

    #[test]
    fn who_decides_about_the_number() {
        fn cache<K: Object + DeserializeOwned>(objects: Vec<Value>) -> Arc<Cache<K>> {
            filled(objects.into_iter().map(|object| serde_json::from_value(object).unwrap()))
        }
        let object = |name: &str, replicas: Value, above: &str| {
            let owner = json!([{ "apiVersion": "apps/v1", "kind": "Deployment", "name": above, "uid": format!("uid-{above}"), "controller": true }]);
            let owners = if above.is_empty() { Value::Null } else { owner };
            let metadata = json!({ "name": name, "namespace": "n", "uid": format!("uid-{name}"), "ownerReferences": owners });
            json!({ "metadata": metadata, "spec": { "replicas": replicas, "selector": {}, "template": {}, "serviceName": "s" } })
        };
        let scales = Scales {
            deployments: cache(vec![object("d", json!(4), "")]),
            replica_sets: cache(vec![object("new", json!(3), "d"), object("alone", json!(2), ""), object("left", json!(1), "gone")]),
            stateful_sets: cache(vec![object("db", Value::Null, "")]),
            replication_controllers: cache(vec![object("rc", json!(5), "")]),
        };
        for (api_version, kind, name, want) in [
            ("apps/v1", "ReplicaSet", "new", Ok(Some(("uid-d", 4)))),
            ("extensions/v1beta1", "ReplicaSet", "new", Ok(Some(("uid-d", 4)))),
            ("apps/v1", "ReplicaSet", "alone", Ok(Some(("uid-alone", 2)))),
            ("apps/v1", "ReplicaSet", "left", Ok(Some(("uid-left", 1)))),
            ("apps/v1", "ReplicaSet", "gone", Ok(None)),
            ("apps/v1", "StatefulSet", "db", Ok(Some(("uid-db", 1)))),
            ("v1", "ReplicationController", "rc", Ok(Some(("uid-rc", 5)))),
            ("other/v1", "ReplicaSet", "new", Ok(None)),
            ("apps/v1", "DaemonSet", "any", Err("daemonsets.apps does not implement the scale subresource")),
            ("batch/v1", "Job", "any", Err("jobs.batch does not implement the scale subresource")),
            ("v1", "Node", "any", Err("nodes does not implement the scale subresource")),
        ] {
            let owner = |uid: String| OwnerReference {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                name: name.to_owned(),
                uid,
                ..OwnerReference::default()
            };
            let want = want.map(|found| found.map(|(uid, replicas)| (uid.to_owned(), replicas))).map_err(str::to_owned);
            let of_namesake = want.clone().map(|_| None);
            assert_eq!(scales.of(&owner(format!("uid-{name}")), "n"), want, "{api_version} {kind} {name}");
            assert_eq!(scales.of(&owner("another".to_owned()), "n"), of_namesake, "{api_version} {kind} {name}");
        }
    }

    #[test]
    fn pods_that_nobody_makes_are_told_of_where_their_makers_matter() {
        for (spec, states, want) in [
            (json!({ "maxUnavailable": 1 }), "ra", true),
            (json!({ "maxUnavailable": "50%" }), "a", true),
            (json!({ "minAvailable": "50%" }), "ra", true),
            (json!({ "minAvailable": 1 }), "ra", false),
            (json!({ "maxUnavailable": 1 }), "rr", false),
            (json!({}), "a", false),
        ] {
            assert_eq!(has_unmanaged(&budget(spec.clone(), Value::Null), &pods(states)), want, "{spec} of {states}");
        }
        for (selector, want) in [
            (json!({}), "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{},}"),
            (
                json!({ "matchLabels": { "app": "web", "tier": "x" } }),
                "&LabelSelector{MatchLabels:map[string]string{app: web,tier: x,},MatchExpressions:[]LabelSelectorRequirement{},}",
            ),
            (
                json!({ "matchExpressions": [{ "key": "app", "operator": "In", "values": ["a", "b"] }] }),
                "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:app,\
                 Operator:In,Values:[a b],},},}",
            ),
        ] {
            let selector: LabelSelector = serde_json::from_value(selector).unwrap();
            assert_eq!(printed(Some(&selector)), want);
        }
    }

    #[test]
    fn an_allowed_eviction_counts_until_it_is_overdue() {
        let budget = budget(json!({ "minAvailable": 1 }), json!({ "disruptedPods": { "p0": "1970-01-01T00:00:00Z", "gone": "1970-01-01T00:00:00Z" } }));
        let soon = plan(&budget, &pods("rr"), |_, _| Ok(None), at(60));
        assert_eq!(soon.counted, Ok(Count { expected: 2, desired: 1, healthy: 1 }));
        assert_eq!((soon.disrupted.keys().map(String::as_str).collect::<Vec<_>>(), soon.next), (vec!["p0"], Some(Duration::from_mins(1))));
        let late = plan(&budget, &pods("rr"), |_, _| Ok(None), at(120));
        assert_eq!(late.counted, Ok(Count { expected: 2, desired: 1, healthy: 2 }));
        assert_eq!((late.disrupted.len(), late.not_deleted.len(), late.next), (0, 1, None));
    }
}
