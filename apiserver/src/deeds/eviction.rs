//! `pods/eviction`: a deletion that asks the disruption budgets first.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        core::v1::{Pod, PodCondition},
        policy::v1::{Eviction, PodDisruptionBudget},
    },
    apimachinery::pkg::apis::meta::v1::{Condition, DeleteOptions, Preconditions, Time},
};
use mini_api::{condition, pod::is_ready, selector::Selector};
use serde_json::Value;
use tokio::time::sleep;

use super::{Deed, read};
use crate::{
    cache::{Range, select::Select},
    error::{ApiError, Result},
    kinds::{
        rules::{Object, cast, cast_mut},
        subresource::Moment,
    },
    registry::{Call, Registry, codec, delete::preconditions},
};

const BUDGETS: &str = "poddisruptionbudgets";
/// More pods than this under eviction that the budget's controller has not taken note of are too many.
const UNCONFIRMED_MAX: usize = 2000;
/// Seconds after which a budget that is still being worked on is worth asking again.
const PATIENCE: i32 = 10;

/// How often a pod is looked at that changes while it is evicted, and how long that rests in between.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Plan;

/// What the pod's own state says about its eviction.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It disrupts nothing, whatever the pod may become.
    Go,
    /// It disrupts nothing while the pod is as it is.
    GoAsSeen,
    /// The budget has to be asked.
    Ask,
}

#[async_trait]
impl Deed for Plan {
    async fn run(&self, registry: &Registry, call: &mut Call, name: &str, body: &[u8]) -> Result<Option<Value>> {
        let eviction: Eviction = read(body, "Eviction", &["policy/v1", "policy/v1beta1"])?;
        if eviction.metadata.name.as_deref() != Some(name) {
            return Err(ApiError::bad_request("name in URL does not match name in Eviction object"));
        }
        let mut options = eviction.delete_options.unwrap_or_default();
        call.dry_run |= options.dry_run.as_ref().is_some_and(|all| !all.is_empty());
        let mut attempts = ATTEMPTS;
        let (pod, revision, budget) = loop {
            let item = registry.get(call.kind, &call.namespace, name).await?;
            let object = registry.object(call.kind, &item)?;
            let pod: &Pod = cast(&*object);
            match disrupts(pod) {
                Verdict::Go => return evict(registry, call, name, &options).await,
                Verdict::GoAsSeen => {
                    let mut as_seen = options.clone();
                    let pinned = pin(&mut as_seen, item.revision);
                    attempts -= 1;
                    match evict(registry, call, name, &as_seen).await {
                        // It is not as it was seen: it is looked at once more.
                        Err(error) if error.code() == 409 && pinned && attempts > 0 => sleep(PAUSE).await,
                        done => return done,
                    }
                }
                Verdict::Ask => break (pod.clone(), item.revision, one(budgets(registry, &call.namespace, pod)?)?),
            }
        };
        let Some(budget) = budget else { return evict(registry, call, name, &options).await };
        let budget_name = budget.metadata.name.clone().unwrap_or_default();
        if !is_ready(&pod) && unhealthy_may_go(&budget) {
            let pinned = pin(&mut options, revision);
            let result = evict(registry, call, name, &options).await;
            return result.map_err(|error| if pinned && error.code() == 409 { busy(&budget_name) } else { error });
        }
        spend(registry, call, &budget_name, name).await?;
        evict(registry, call, name, &options).await
    }
}

/// What the eviction of a pod in this state means.
fn disrupts(pod: &Pod) -> Verdict {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
    match phase {
        "Succeeded" | "Failed" => Verdict::Go,
        _ if pod.metadata.deletion_timestamp.is_some() => Verdict::Go,
        // It may become ready meanwhile, and would count then.
        "Pending" => Verdict::GoAsSeen,
        _ => Verdict::Ask,
    }
}

/// The budgets that are about the pod.
fn budgets(registry: &Registry, namespace: &str, pod: &Pod) -> Result<Vec<PodDisruptionBudget>> {
    let kind = registry.find(BUDGETS).ok_or_else(ApiError::no_resource)?;
    let range = Range { namespace: Some(namespace.to_owned()), ..Range::default() };
    let mut found = Vec::new();
    for item in registry.cache().list(kind, &range, &Select::default()).items {
        let object = registry.object(kind, &item)?;
        let budget: &PodDisruptionBudget = cast(&*object);
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        // An unreadable selector selects nothing.
        let selector = selector.and_then(|selector| Selector::from_label_selector(selector).ok());
        if selector.is_some_and(|selector| selector.matches_labels(pod.metadata.labels.as_ref())) {
            found.push(budget.clone());
        }
    }
    Ok(found)
}

fn one(mut budgets: Vec<PodDisruptionBudget>) -> Result<Option<PodDisruptionBudget>> {
    if budgets.len() > 1 {
        let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        return Err(ApiError::internal(why));
    }
    Ok(budgets.pop())
}

/// Whether the budget lets a pod go that is not healthy anyway.
fn unhealthy_may_go(budget: &PodDisruptionBudget) -> bool {
    let always = budget.spec.as_ref().and_then(|spec| spec.unhealthy_pod_eviction_policy.as_deref()) == Some("AlwaysAllow");
    let enough = budget.status.as_ref().is_some_and(|status| status.desired_healthy > Some(0) && status.current_healthy >= status.desired_healthy);
    always || enough
}

/// Takes one disruption off the budget, or finds that there is none to be had.
async fn spend(registry: &Registry, call: &Call, budget: &str, pod: &str) -> Result<()> {
    let kind = registry.find(BUDGETS).ok_or_else(ApiError::no_resource)?;
    let mut own = Call::own(kind, &call.namespace);
    own.dry_run = call.dry_run;
    own.now = call.now;
    registry.act(&own, budget, "status", &|object, moment| decrement(cast_mut(object), pod, moment.now)).await.map(|_| ())
}

/// Counts one more disruption against the budget.
fn decrement(budget: &mut PodDisruptionBudget, pod: &str, now: Timestamp) -> Result<()> {
    const KIND: &str = "poddisruptionbudget";
    let name = budget.metadata.name.clone().unwrap_or_default();
    let generation = budget.metadata.generation.unwrap_or(0);
    let status = budget.status.get_or_insert_default();
    if status.observed_generation.unwrap_or(0) < generation {
        return Err(busy(&name));
    }
    let allowed = status.disruptions_allowed.unwrap_or(0);
    if allowed < 0 {
        return Err(ApiError::forbidden(KIND, "policy", &name, "pdb disruptions allowed is negative"));
    }
    if status.disrupted_pods.as_ref().is_some_and(|pods| pods.len() > UNCONFIRMED_MAX) {
        let why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller";
        return Err(ApiError::forbidden(KIND, "policy", &name, why));
    }
    if allowed == 0 {
        let (wanted, healthy) = (status.desired_healthy.unwrap_or(0), status.current_healthy.unwrap_or(0));
        return Err(ApiError::disruption(&format!("The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently"), 0));
    }
    status.disruptions_allowed = Some(allowed - 1);
    if allowed == 1 {
        let exhausted = Condition {
            type_: "DisruptionAllowed".to_owned(),
            status: "False".to_owned(),
            reason: "InsufficientPods".to_owned(),
            message: String::new(),
            observed_generation: status.observed_generation,
            last_transition_time: Time(now),
        };
        condition::set(&mut status.conditions, exhausted);
    }
    status.disrupted_pods.get_or_insert_default().insert(pod.to_owned(), Time(now));
    Ok(())
}

fn busy(budget: &str) -> ApiError {
    ApiError::disruption(&format!("The disruption budget {budget} is still being processed by the server."), PATIENCE)
}

/// Ties the deletion to this revision of the pod, unless it names one itself. Says whether it did.
fn pin(options: &mut DeleteOptions, revision: u64) -> bool {
    let preconditions = options.preconditions.get_or_insert_with(Preconditions::default);
    let free = preconditions.resource_version.is_none();
    if free {
        preconditions.resource_version = Some(revision.to_string());
    }
    free
}

/// Tells in the pod's status why it goes, and deletes it.
async fn evict(registry: &Registry, call: &mut Call, name: &str, options: &DeleteOptions) -> Result<Option<Value>> {
    let mut options = options.clone();
    if !call.dry_run {
        let wanted = options.preconditions.clone();
        let tell_why = |object: &mut dyn Object, moment: &Moment<'_>| {
            if let Some(wanted) = &wanted {
                preconditions("Pod", "", name, wanted, object.meta())?;
            }
            tell(cast_mut(object), moment.now);
            Ok(())
        };
        let written = registry.act(call, name, "eviction", &tell_why).await?;
        // The deletion is about what this write made of the pod.
        if let Some(wanted) = options.preconditions.as_mut().filter(|wanted| wanted.resource_version.is_some()) {
            wanted.resource_version = Some(codec::revision(&written.json).to_owned());
        }
    }
    registry.delete(call, name, &options).await.map(|_| None)
}

fn tell(pod: &mut Pod, now: Timestamp) {
    let generation = pod.metadata.generation;
    let target = PodCondition {
        type_: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
        reason: Some("EvictionByEvictionAPI".to_owned()),
        message: Some("Eviction API: evicting".to_owned()),
        last_transition_time: Some(Time(now)),
        observed_generation: generation,
        ..PodCondition::default()
    };
    condition::set_pod(pod.status.get_or_insert_default(), target);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(json: Value) -> Pod {
        serde_json::from_value(json).unwrap()
    }

    fn budget(status: Value) -> PodDisruptionBudget {
        let mut budget: PodDisruptionBudget =
            serde_json::from_value(json!({ "metadata": { "name": "b", "generation": 2 }, "spec": {} })).unwrap();
        let mut full = json!({ "observedGeneration": 2, "currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 3, "disruptionsAllowed": 1 });
        full.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
        budget.status = serde_json::from_value(full).unwrap();
        budget
    }

    #[test]
    fn only_pods_that_run_disrupt() {
        for (json, verdict) in [
            (json!({ "status": { "phase": "Running" } }), Verdict::Ask),
            (json!({ "status": { "phase": "Pending" } }), Verdict::GoAsSeen),
            (json!({ "status": { "phase": "Failed" } }), Verdict::Go),
            (json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" }, "status": { "phase": "Running" } }), Verdict::Go),
        ] {
            assert_eq!(disrupts(&pod(json)), verdict);
        }
    }

    #[test]
    fn a_budget_is_spent_and_then_refuses() {
        let mut budget = budget(json!({}));
        assert!(decrement(&mut budget, "p", Timestamp::UNIX_EPOCH).is_ok());
        let status = budget.status.as_ref().unwrap();
        assert_eq!(status.disruptions_allowed, Some(0));
        assert!(status.disrupted_pods.as_ref().unwrap().contains_key("p"));
        assert_eq!(status.conditions.as_ref().unwrap()[0].reason, "InsufficientPods");
        let refusal = decrement(&mut budget, "q", Timestamp::UNIX_EPOCH).unwrap_err().status();
        assert_eq!(refusal["code"], 429);
        assert_eq!(refusal["message"], "Cannot evict pod as it would violate the pod's disruption budget.");
        let cause = json!([{ "reason": "DisruptionBudget", "message": "The disruption budget b needs 2 healthy pods and has 3 currently" }]);
        assert_eq!(refusal["details"]["causes"], cause);
        assert!(refusal["details"].get("retryAfterSeconds").is_none());
    }

    #[test]
    fn what_the_controller_has_not_seen_is_not_spent() {
        for (status, message, retry) in [
            (json!({ "observedGeneration": 1 }), "Cannot evict pod as it would violate the pod's disruption budget.", json!(10)),
            (
                json!({ "disruptionsAllowed": -1 }),
                "poddisruptionbudget.policy \"b\" is forbidden: pdb disruptions allowed is negative",
                Value::Null,
            ),
        ] {
            let refusal = decrement(&mut budget(status), "p", Timestamp::UNIX_EPOCH).unwrap_err().status();
            assert_eq!((&refusal["message"], &refusal["details"]["retryAfterSeconds"]), (&json!(message), &retry));
        }
    }

    #[test]
    fn unhealthy_pods_go_when_enough_are_healthy_or_always() {
        assert!(unhealthy_may_go(&budget(json!({}))));
        assert!(!unhealthy_may_go(&budget(json!({ "currentHealthy": 1 }))));
        let mut always = budget(json!({ "currentHealthy": 1 }));
        always.spec.as_mut().unwrap().unhealthy_pod_eviction_policy = Some("AlwaysAllow".to_owned());
        assert!(unhealthy_may_go(&always));
    }
}
