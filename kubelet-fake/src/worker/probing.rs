//! Probes under way: they run beside a pod's job, and what they answer is a reason to look at the pod again.
//!
//! Must not know: when a probe is asked, what its answer means.

use std::sync::Arc;

use super::{Uid, Worker};
use crate::{
    ask::Subject,
    pod::prober::{Answer, Due},
    probe,
};

/// What a probe answered.
pub(super) struct Probed {
    uid: Uid,
    due: Due,
    answer: Answer,
}

impl Worker {
    /// Asks what is due of a pod.
    pub(super) fn ask(&mut self, uid: &Uid, probes: Vec<Due>) {
        let Some(entry) = self.pods.get(uid).filter(|_| !probes.is_empty()) else { return };
        let (ip, pod) = (entry.ip(), entry.pod.get());
        for due in probes {
            let subject = Subject::of(&self.links.runtime, &pod, ip, &due.container, &due.id);
            let uid = Arc::clone(uid);
            self.probes.push(Box::pin(async move {
                let answer = match subject {
                    Some(subject) => probe::ask(&subject, &due).await,
                    None => Answer::Success,
                };
                Probed { uid, due, answer }
            }));
        }
    }

    /// A probe has answered.
    pub(super) fn probed(&mut self, Probed { uid, due, answer }: Probed) {
        let Some(entry) = self.pods.get_mut(&uid) else { return };
        let pod = entry.pod.get();
        let Some((memory, _)) = entry.known.as_deref_mut() else { return };
        let Some(container) = pod.spec.as_ref().and_then(|spec| crate::runtime::find(spec, &due.container)) else { return };
        let now = (self.links.now)();
        let remarks = memory.probed(&container, &due, &answer, now);
        self.say(&uid, &remarks);
        self.step(&uid);
    }
}
