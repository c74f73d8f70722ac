//! Nodes that run out of something: every ten seconds one pod of each has to go.
//!
//! Must not know: who goes first.

use super::Worker;
use crate::{
    node,
    pod::{
        self, Remark,
        eviction::{self, Candidate},
    },
    runtime::State,
};

impl Worker {
    /// Whether any node runs out of something.
    pub(super) fn is_pressed(&self) -> bool {
        self.nodes.values().any(|slot| !slot.pressure.is_empty())
    }

    /// Sends one pod of each such node away.
    pub(super) async fn relieve(&mut self) {
        let pressed: Vec<_> = self.nodes.iter().filter_map(|(name, slot)| Some((name.clone(), *slot.pressure.first()?))).collect();
        for (name, pressure) in pressed {
            if let Some(slot) = self.nodes.get(&name) {
                let message = format!("Attempting to reclaim {}", pressure.resource());
                slot.recorder.warning(&node::reference(&name), "EvictionThresholdMet", message);
            }
            let (mut candidates, now) = (Vec::new(), (self.links.now)());
            for (uid, entry) in self.pods.iter_mut().filter(|(_, entry)| entry.node == name && !entry.gone) {
                let pod = entry.wake();
                (entry.idle, _) = (Some(now), self.idle.push_back((now, uid.clone())));
                let Some((memory, observed)) = entry.known.as_deref() else { continue };
                let leaving = pod.metadata.deletion_timestamp.is_some() || memory.verdict.is_some();
                if leaving || pod::is_over(&memory.told) {
                    continue;
                }
                let mut usage = Vec::new();
                for container in observed.containers.iter().filter(|container| matches!(container.state, State::Running { .. })) {
                    // One that has ended meanwhile uses nothing.
                    if let Ok(used) = self.links.runtime.usage(container, &pod).await {
                        usage.push((container.name.clone(), used));
                    }
                }
                candidates.push(Candidate { pod, usage });
            }
            let Some((chosen, verdict)) = eviction::first(pressure, candidates) else { continue };
            let Some(uid) = chosen.metadata.uid.as_deref().map(super::Uid::from) else { continue };
            self.say(&uid, &[Remark::pod(true, "Evicted", &verdict.message)]);
            if let Some((memory, _)) = self.pods.get_mut(&uid).and_then(|entry| entry.known.as_deref_mut()) {
                memory.verdict = Some(verdict);
            }
            self.step(&uid);
        }
    }
}
