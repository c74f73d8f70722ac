//! ReplicationControllers: ReplicaSets of an older form, with a map of labels for a selector.

use std::borrow::Cow;

use k8s_openapi::{
    api::{
        apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus},
        core::v1::{ReplicationController, ReplicationControllerCondition, ReplicationControllerStatus},
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use crate::replicaset::{Replicated, Replication};

/// Makes the pods of ReplicationControllers come and go.
pub(crate) type Reconciler = Replication<ReplicationController>;

impl Replicated for ReplicationController {
    const CONTROLLER: &'static str = "replicationcontroller-controller";
    const SOURCE: &'static str = "replication-controller";

    fn selector(&self) -> Option<Cow<'_, LabelSelector>> {
        let labels = self.spec.as_ref()?.selector.clone();
        Some(Cow::Owned(LabelSelector { match_labels: labels, match_expressions: None }))
    }

    fn replica_set(&self) -> Cow<'_, ReplicaSet> {
        let spec = self.spec.as_ref().map(|spec| ReplicaSetSpec {
            min_ready_seconds: spec.min_ready_seconds,
            replicas: spec.replicas,
            selector: self.selector().unwrap_or_default().into_owned(),
            template: spec.template.clone(),
        });
        let conditions = self.status.as_ref().and_then(|status| status.conditions.as_ref());
        let conditions = conditions.map(|conditions| conditions.iter().map(newer).collect());
        let status = ReplicaSetStatus { conditions, ..ReplicaSetStatus::default() };
        Cow::Owned(ReplicaSet { metadata: self.metadata.clone(), spec, status: Some(status) })
    }

    fn with_status(&self, status: ReplicaSetStatus) -> Self {
        let status = ReplicationControllerStatus {
            available_replicas: status.available_replicas,
            conditions: status.conditions.map(|conditions| conditions.into_iter().map(older).collect()),
            fully_labeled_replicas: status.fully_labeled_replicas,
            observed_generation: status.observed_generation,
            ready_replicas: status.ready_replicas,
            replicas: status.replicas,
        };
        Self { status: Some(status), ..self.clone() }
    }
}

fn newer(condition: &ReplicationControllerCondition) -> ReplicaSetCondition {
    let ReplicationControllerCondition { last_transition_time, message, reason, status, type_ } = condition.clone();
    ReplicaSetCondition { last_transition_time, message, reason, status, type_ }
}

fn older(condition: ReplicaSetCondition) -> ReplicationControllerCondition {
    let ReplicaSetCondition { last_transition_time, message, reason, status, type_ } = condition;
    ReplicationControllerCondition { last_transition_time, message, reason, status, type_ }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_a_replica_set_and_back() {
        let condition = json!({ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no" });
        let controller: ReplicationController = serde_json::from_value(json!({
            "metadata": { "name": "web", "generation": 2 },
            "spec": { "replicas": 3, "minReadySeconds": 5, "selector": { "app": "web" }, "template": { "metadata": { "labels": { "app": "web" } } } },
            "status": { "replicas": 1, "conditions": [condition] },
        }))
        .unwrap();
        let set = controller.replica_set();
        expect_test::expect![[
            r#"{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"generation":2,"name":"web"},"spec":{"minReadySeconds":5,"replicas":3,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}}}},"status":{"conditions":[{"message":"no","reason":"FailedCreate","status":"True","type":"ReplicaFailure"}],"replicas":0}}"#
        ]]
        .assert_eq(&serde_json::to_string(&*set).unwrap());
        let mut status = set.status.clone().unwrap();
        (status.replicas, status.ready_replicas, status.terminating_replicas) = (3, Some(2), Some(1));
        expect_test::expect![[
            r#"{"conditions":[{"message":"no","reason":"FailedCreate","status":"True","type":"ReplicaFailure"}],"readyReplicas":2,"replicas":3}"#
        ]]
        .assert_eq(&serde_json::to_string(&controller.with_status(status).status).unwrap());
    }
}
