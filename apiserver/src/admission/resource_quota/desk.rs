//! Where the writes of one namespace are charged to its quotas: whoever has the turn decides for all who wait, and raises each
//! quota once for all of them.
//!
//! So many clients at once cost few writes of a quota, none of them loses a race to another, and nobody waits for more than
//! the turn under way and the next. Only the controller, and users who change a quota, can still be faster; then it is read again.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use k8s_openapi::api::core::v1::ResourceQuota;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{
    super::Cluster,
    QUOTAS,
    charge::{Account, Ask, charge},
};
use crate::{
    cache::{Range, item::Item, select::Select},
    error::{ApiError, Result},
};

/// How often quotas that others change meanwhile are read again.
const TRIES: usize = 16;

/// Why a write may not be.
#[derive(Debug)]
pub(super) enum Denied {
    /// The quotas say no, in these words.
    Refused(String),
    /// A quota could not be raised.
    Failed(ApiError),
}

type Verdict = Result<(), Denied>;

/// The desk of one namespace.
#[derive(Default)]
pub(super) struct Desk {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
    open: AtomicUsize,
}

struct Waiting {
    ask: Ask,
    answer: oneshot::Sender<Verdict>,
}

/// A charge whose object nobody can see yet.
pub(super) struct Open(Arc<Desk>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Desk {
    /// Announces a charge, until what is returned is dropped.
    pub(super) fn open(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::SeqCst);
        Open(self.clone())
    }

    /// Whether there are charges whose objects nobody can see yet.
    pub(super) fn is_busy(&self) -> bool {
        self.open.load(Ordering::SeqCst) > 0
    }

    /// Charges the quotas of the namespace for one write. What they say is durable when this returns.
    pub(super) async fn charge(&self, cluster: &Cluster<'_>, namespace: &str, ask: &Ask) -> Verdict {
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.waiting.lock().push(Waiting { ask: ask.clone(), answer });
            loop {
                tokio::select! {
                    biased;
                    verdict = &mut answered => match verdict {
                        Ok(verdict) => return verdict,
                        // Whoever had the turn was cut off by its client.
                        Err(_) => break,
                    },
                    turn = self.turn.lock() => {
                        let batch = std::mem::take(&mut *self.waiting.lock());
                        serve(cluster, namespace, batch).await;
                        drop(turn);
                    }
                }
            }
        }
    }
}

/// The quotas of a namespace as they are in the cache.
pub(super) fn quotas(cluster: &Cluster<'_>, namespace: &str) -> Vec<Arc<Item>> {
    let Some(index) = cluster.index(QUOTAS) else { return Vec::new() };
    let range = Range { namespace: Some(namespace.to_owned()), ..Range::default() };
    cluster.cache.list(index, &range, &Select::default()).items
}

/// The account of a quota.
pub(super) fn account(cluster: &Cluster<'_>, item: &Item) -> Option<Account> {
    cluster.decode::<ResourceQuota>(cluster.index(QUOTAS)?, item).map(Account::new)
}

/// Decides for all who wait.
async fn serve(cluster: &Cluster<'_>, namespace: &str, mut batch: Vec<Waiting>) {
    // Those that are still to be raised, once some are.
    let mut left: Option<BTreeSet<String>> = None;
    for _ in 0..TRIES {
        let items = quotas(cluster, namespace);
        let (mut accounts, items): (Vec<Account>, Vec<Arc<Item>>) = items
            .into_iter()
            .filter(|item| left.as_ref().is_none_or(|left| left.contains(item.name())))
            .filter_map(|item| Some((account(cluster, &item)?, item)))
            .unzip();
        batch = decide(&mut accounts, batch);
        let mut lost = BTreeSet::new();
        for (account, item) in accounts.iter().zip(&items) {
            let Some(raise) = account.raise() else { continue };
            match cluster.statuses.merge_status(QUOTAS, item, raise).await {
                Ok(()) => {}
                Err(error) if matches!(error.code(), 404 | 409) => drop(lost.insert(account.name().to_owned())),
                Err(error) => return tell(batch, || Err(Denied::Failed(error.clone()))),
            }
        }
        if lost.is_empty() {
            return tell(batch, || Ok(()));
        }
        left = Some(lost);
    }
    let busy = || ApiError::too_many_requests();
    tell(batch, || Err(Denied::Failed(busy())));
}

/// Tells those who are refused; returns the others, for whom the accounts are charged.
fn decide(accounts: &mut [Account], batch: Vec<Waiting>) -> Vec<Waiting> {
    let mut passed = Vec::with_capacity(batch.len());
    // Nothing is charged for clients that have gone.
    for waiting in batch.into_iter().filter(|waiting| !waiting.answer.is_closed()) {
        match charge(accounts, &waiting.ask) {
            Ok(_) => passed.push(waiting),
            Err(refusal) => drop(waiting.answer.send(Err(Denied::Refused(refusal)))),
        }
    }
    passed
}

fn tell(batch: Vec<Waiting>, verdict: impl Fn() -> Verdict) {
    for waiting in batch {
        // Whoever does not listen any more has been charged; the controller will count again.
        let _ = waiting.answer.send(verdict());
    }
}
