//! ResourceQuotas: no namespace gets more than it may have.
//!
//! Before an object is stored, the quotas of its namespace are raised by what it uses, durably. So they may say too much, when
//! the object then is not stored after all, and never too little; the controller, which counts, brings them down again.

mod charge;
mod desk;

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota, Service};
use mini_api::quota::{Kind, Subject, is_terminating_scope, unstated};
use mini_daemon::clock;
use parking_lot::Mutex;

use self::{
    charge::Ask,
    desk::{Denied, Desk},
};
use super::{Attempt, Cluster, Step, Verb};
use crate::{
    error::{ApiError, Result},
    kinds::rules::Object,
};

/// The resource of quotas themselves.
const QUOTAS: &str = "resourcequotas";
/// What is never counted: there are many, and they go by themselves.
const UNCOUNTED: &str = "events";

/// A desk for each namespace in which something is being charged.
#[derive(Default)]
pub(super) struct Plugin {
    desks: Mutex<HashMap<String, Weak<Desk>>>,
}

#[async_trait]
impl Step for Plugin {
    async fn validate(&self, attempt: &mut Attempt<'_>, cluster: &Cluster<'_>) -> Result<()> {
        let namespace = attempt.namespace;
        if namespace.is_empty() || attempt.verb == Verb::Delete {
            return Ok(());
        }
        if self.loses_charges(attempt) {
            return Err(ApiError::stale(attempt.kind, attempt.name));
        }
        let quotas = desk::quotas(cluster, namespace);
        if quotas.is_empty() {
            return Ok(());
        }
        let Some(ask) = ask(attempt, cluster) else { return Ok(()) };
        let mut accounts: Vec<_> = quotas.iter().filter_map(|item| desk::account(cluster, item)).collect();
        // Most writes cost no quota anything, and need not wait for those that do.
        if charge::charge(&mut accounts, &ask) == Ok(false) {
            return Ok(());
        }
        let desk = self.desk(namespace);
        let open = desk.open();
        match desk.charge(cluster, namespace, &ask).await {
            Ok(()) => {
                attempt.holds.push(Box::new(open));
                Ok(())
            }
            Err(Denied::Refused(why)) => Err(ApiError::forbidden(attempt.kind.plural, attempt.kind.group(), attempt.name, &why)),
            Err(Denied::Failed(error)) => Err(error),
        }
    }
}

impl Plugin {
    fn desk(&self, namespace: &str) -> Arc<Desk> {
        let mut desks = self.desks.lock();
        if let Some(desk) = desks.get(namespace).and_then(Weak::upgrade) {
            return desk;
        }
        desks.retain(|_, desk| desk.strong_count() > 0);
        let desk = Arc::<Desk>::default();
        desks.insert(namespace.to_owned(), Arc::downgrade(&desk));
        desk
    }

    /// Whether the write says that less of a quota is used, while something is charged to it that its writer cannot have counted.
    fn loses_charges(&self, attempt: &Attempt<'_>) -> bool {
        if !attempt.is_core(QUOTAS) || attempt.subresource != Some("status") {
            return false;
        }
        let (Some(new), Some(old)) = (cast::<ResourceQuota>(attempt.object), attempt.old().and_then(cast::<ResourceQuota>)) else {
            return false;
        };
        let is_busy = || self.desks.lock().get(attempt.namespace).and_then(Weak::upgrade).is_some_and(|desk| desk.is_busy());
        charge::lowers(new, old) && is_busy()
    }
}

fn cast<K: 'static>(object: &dyn Object) -> Option<&K> {
    object.any().downcast_ref()
}

/// What the attempt asks of quotas, if it is of a sort that they count.
fn ask(attempt: &Attempt<'_>, cluster: &Cluster<'_>) -> Option<Ask> {
    let (object, create, part) = (attempt.object.any(), attempt.verb == Verb::Create, attempt.subresource);
    let is_counted = if let Some(pod) = object.downcast_ref::<Pod>() {
        let moves = || attempt.old().and_then(cast::<Pod>).is_some_and(|old| is_terminating_scope(old) != is_terminating_scope(pod));
        match part {
            None => create || moves(),
            Some("resize") => !create,
            Some(_) => false,
        }
    } else if object.is::<Service>() {
        part.is_none()
    } else if object.is::<PersistentVolumeClaim>() {
        matches!(part, None | Some("status"))
    } else {
        create && part.is_none() && attempt.kind.plural != UNCOUNTED
    };
    let key = || format!("{}/{}", attempt.namespace, attempt.name);
    is_counted.then(|| Ask {
        subject: subject(attempt, attempt.object),
        old: attempt.old().map(|old| subject(attempt, old)),
        unstated: object.downcast_ref().map(unstated).unwrap_or_default(),
        unlimited: part == Some("status"),
        // One that is there already will be refused for that.
        counts: !attempt.dry_run && (!create || cluster.item(attempt.kind.plural, &key()).is_none()),
    })
}

fn subject(attempt: &Attempt<'_>, object: &dyn Object) -> Subject {
    if let Some(pod) = cast::<Pod>(object) {
        Subject::pod(pod, clock::now())
    } else if let Some(service) = cast::<Service>(object) {
        Subject::service(service)
    } else if let Some(claim) = cast::<PersistentVolumeClaim>(object) {
        Subject::claim(claim)
    } else {
        Subject::other(Kind::of(attempt.kind.group(), attempt.kind.plural))
    }
}
