//! Going back at the user's word, by the annotation that `spec.rollbackTo` of the first versions of Deployment has become.
//! `kubectl rollout undo` of today puts the old template into the Deployment itself, and comes by nothing of this.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};

use super::revision;

/// What `spec.rollbackTo.revision` became: the revision to go back to; 0 is the last one before the present.
pub(super) const ROLLBACK_TO: &str = "deprecated.deployment.rollback.to";

/// The end of a wish to go back.
#[derive(Debug, PartialEq)]
pub(super) struct Rollback {
    /// The Deployment as it is to become: without the wish, and with the old template if there is one.
    pub(super) deployment: Deployment,
    /// Whether it was fulfilled.
    pub(super) done: bool,
    /// The reason of the event about it.
    pub(super) reason: &'static str,
    /// And its message.
    pub(super) message: String,
}

/// The revision that is wished for, if one is. What is no number is no wish.
pub(super) fn wish(deployment: &Deployment) -> Option<i64> {
    revision::annotation(&deployment.metadata, ROLLBACK_TO)
}

/// Goes back to this revision of the ReplicaSets, or says why not. Either way nobody has to wish for it again.
pub(super) fn roll_back<'a>(deployment: &Deployment, to: i64, sets: impl Iterator<Item = &'a ReplicaSet>) -> Rollback {
    const NOT_FOUND: &str = "DeploymentRollbackRevisionNotFound";
    let sets: Vec<_> = sets.collect();
    let mut new = deployment.clone();
    if let Some(annotations) = &mut new.metadata.annotations {
        annotations.remove(ROLLBACK_TO);
    }
    let refused = |deployment, reason, message: &str| Rollback { deployment, done: false, reason, message: message.to_owned() };
    let to = if to == 0 { last(&sets) } else { to };
    if to == 0 {
        return refused(new, NOT_FOUND, "Unable to find last revision.");
    }
    let Some(set) = sets.into_iter().find(|set| revision::of(&set.metadata) == to) else {
        return refused(new, NOT_FOUND, "Unable to find the revision to rollback to.");
    };
    let name = deployment.metadata.name.as_deref().unwrap_or_default();
    if revision::same_template(set, deployment) {
        let message = format!("The rollback revision contains the same template as current deployment {name:?}");
        return refused(new, "DeploymentRollbackTemplateUnchanged", &message);
    }
    revision::take_back(&mut new, set);
    let message = format!("Rolled back deployment {name:?} to revision {to}");
    Rollback { deployment: new, done: true, reason: "DeploymentRollback", message }
}

/// The revision before the newest; 0 when there is none.
fn last(sets: &[&ReplicaSet]) -> i64 {
    let mut revisions: Vec<i64> = sets.iter().map(|set| revision::of(&set.metadata)).collect();
    revisions.sort_unstable();
    revisions.iter().rev().nth(1).copied().unwrap_or(0)
}
