//! Disruption budgets: their status counts right.

use rand::{Rng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{
    Churn, Wanted,
    dump::{Dump, folder, is_ready, number, path},
};

/// How many there may be at once.
const MOST: usize = 6;

/// What is wanted of a budget. It has the name of its workload.
#[derive(Clone, Debug)]
pub(super) enum Budget {
    /// So many pods, whoever made them.
    Least(u64),
    /// So much of a hundred of those that are wanted.
    LeastShare(u64),
    /// So many of those that are wanted may be missing.
    Most(u64),
}

impl Churn {
    pub(super) async fn create_budget(&mut self) {
        if self.wanted.budgets.len() >= MOST {
            return;
        }
        let free = self.wanted.workloads.iter().filter(|(id, _)| !self.wanted.budgets.contains_key(id));
        let free: Vec<_> = free.map(|(id, workload)| (id.clone(), workload.kind)).collect();
        let Some((id, kind)) = free.choose(&mut self.dice).cloned() else { return };
        // The others have no scale to ask for.
        let budget = match self.dice.random_range(0..3) {
            1 if kind != "daemonsets" => Budget::LeastShare(self.dice.random_range(0..=100)),
            2 if kind != "daemonsets" => Budget::Most(self.dice.random_range(0..4)),
            _ => Budget::Least(self.dice.random_range(0..4)),
        };
        let (field, value) = match budget {
            Budget::Least(least) => ("minAvailable", json!(least)),
            Budget::LeastShare(share) => ("minAvailable", json!(format!("{share}%"))),
            Budget::Most(most) => ("maxUnavailable", json!(most)),
        };
        let spec = json!({ "selector": { "matchLabels": { "app": id.name } }, "unhealthyPodEvictionPolicy": "AlwaysAllow", field: value });
        self.made(&folder("poddisruptionbudgets", &id.namespace), &json!({ "metadata": { "name": id.name }, "spec": spec })).await;
        self.log(format!("create budget {id}: {budget:?}"));
        self.wanted.budgets.insert(id, budget);
    }

    pub(super) async fn delete_budget(&mut self) {
        let ids: Vec<_> = self.wanted.budgets.keys().cloned().collect();
        let Some(id) = ids.choose(&mut self.dice) else { return };
        self.gone(&path("poddisruptionbudgets", id)).await;
        self.wanted.budgets.remove(id);
        self.log(format!("delete budget {id}"));
    }
}

pub(super) fn wrong(dump: &Dump, wanted: &Wanted) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, budget) in &wanted.budgets {
        let Some(object) = dump.find("poddisruptionbudgets", id) else {
            wrong.push(format!("budget {id} is not there"));
            continue;
        };
        let pods = dump.pods(id);
        let healthy = pods.iter().filter(|pod| is_ready(pod)).count() as u64;
        // A workload that is gone has no pods, and then nothing is wanted of it.
        let scale = wanted.workloads.get(id).filter(|_| !pods.is_empty()).map_or(0, |workload| workload.replicas);
        let (expected, desired) = match budget {
            Budget::Least(least) => (pods.len() as u64, *least),
            Budget::LeastShare(share) => (scale, (scale * share).div_ceil(100)),
            Budget::Most(most) => (scale, scale.saturating_sub(*most)),
        };
        let allowed = if expected > 0 { healthy.saturating_sub(desired) } else { 0 };
        let status = &object["status"];
        let told = ["expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed"].map(|field| number(&status[field]));
        let on_its_way = status["disruptedPods"] != Value::Null;
        let observed = status["observedGeneration"] == object["metadata"]["generation"];
        if told != [expected, desired, healthy, allowed] || on_its_way || !observed {
            wrong.push(format!("budget {id}, {budget:?}: wanted {:?}, status {status}", [expected, desired, healthy, allowed]));
        }
    }
    wrong
}
