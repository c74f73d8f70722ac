//! How many objects there are of the kinds of which nothing but the number is limited. Discovery tells which there are; only those
//! are watched that a quota limits, and of them only the metadata.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::core::v1::ResourceQuotaSpec;
use kube::Client;
use mini_api::{
    pod::Resources,
    quantity::{Format, Quantity},
    quota::{Kind, Subject},
};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Recount;
use crate::{
    cache::Source,
    reflectors::Reflectors,
    resources::{Found, collectable},
    writes::{Error, Result},
};

/// How often discovery is asked for a kind that a quota limits and nobody knows.
const DISCOVERY_PERIOD: Duration = Duration::from_secs(30);
/// How long a quota waits for a kind whose first list is on its way.
const SYNC_RETRY: Duration = Duration::from_millis(50);

/// The numbers of objects.
pub(super) struct Numbers {
    client: Client,
    reflectors: Arc<Reflectors>,
    recount: Recount,
    kinds: Mutex<Kinds>,
}

#[derive(Default)]
struct Kinds {
    known: Vec<Found>,
    asked: Option<Instant>,
    /// By `count/…`.
    followed: BTreeMap<String, Followed>,
}

struct Followed {
    kind: Kind,
    source: Arc<dyn Source>,
    by_namespace: Arc<Mutex<HashMap<String, i64>>>,
}

impl Kinds {
    fn must_ask(&self, limits: &[&String]) -> bool {
        self.lacks(limits) && self.asked.is_none_or(|asked| asked.elapsed() >= DISCOVERY_PERIOD)
    }

    fn lacks(&self, limits: &[&String]) -> bool {
        limits.iter().any(|limit| !self.known.iter().any(|found| kind(found).tracks(limit)))
    }
}

impl Numbers {
    pub(super) fn new(client: Client, reflectors: Arc<Reflectors>, recount: Recount) -> Self {
        Self { client, reflectors, recount, kinds: Mutex::default() }
    }

    /// Follows the kinds of which a quota limits the number; says when to look again for those that are not there yet.
    pub(super) async fn follow(&self, spec: &ResourceQuotaSpec) -> Result<Option<Duration>> {
        let typed = [Kind::Pod, Kind::Service, Kind::Claim];
        let limits = spec.hard.iter().flat_map(BTreeMap::keys).filter(|resource| !typed.iter().any(|kind| kind.tracks(resource)));
        let limits: Vec<&String> = limits.collect();
        if self.kinds.lock().must_ask(&limits) {
            let found = collectable(&self.client).await;
            let found = found.map_err(|error| Error::Request { doing: "discover kinds".to_owned(), source: Box::new(error) })?;
            let mut kinds = self.kinds.lock();
            (kinds.known, kinds.asked) = (found.into_iter().filter(|found| found.namespaced).collect(), Some(Instant::now()));
        }
        let mut kinds = self.kinds.lock();
        let wanted = kinds.known.iter().filter(|found| limits.iter().any(|limit| kind(found).tracks(limit)));
        for found in wanted.cloned().collect::<Vec<_>>() {
            let kind = kind(&found);
            let Kind::Other { count, .. } = &kind else { continue };
            kinds.followed.entry(count.clone()).or_insert_with(|| self.open(&found, &kind));
        }
        let listing = kinds.followed.values().any(|followed| !followed.source.synced()).then_some(SYNC_RETRY);
        Ok(listing.or_else(|| kinds.lacks(&limits).then_some(DISCOVERY_PERIOD)))
    }

    fn open(&self, found: &Found, kind: &Kind) -> Followed {
        let source = self.reflectors.metadata(&found.resource);
        let by_namespace = Arc::<Mutex<HashMap<String, i64>>>::default();
        let (counting, recount, counted) = (by_namespace.clone(), self.recount.clone(), kind.clone());
        source.listen_metadata(Box::new(move |old, new| {
            let (meta, more) = match (old, new) {
                (None, Some(meta)) => (meta, 1),
                (Some(meta), None) => (meta, -1),
                _ => return,
            };
            let namespace = meta.namespace.as_deref().unwrap_or_default();
            {
                let mut counts = counting.lock();
                let count = counts.entry(namespace.to_owned()).or_default();
                *count += more;
                if *count == 0 {
                    counts.remove(namespace);
                }
            }
            recount.limited(namespace, &counted, if more > 0 { super::SETTLED } else { Duration::ZERO });
        }));
        Followed { kind: kind.clone(), source, by_namespace }
    }

    /// What is used of the numbers that a quota limits and that are known.
    pub(super) fn count(&self, spec: &ResourceQuotaSpec, namespace: &str) -> Resources {
        let kinds = self.kinds.lock();
        let known = kinds.followed.values().filter(|followed| followed.source.synced());
        known
            .flat_map(|followed| {
                let is_within = Subject::other(followed.kind.clone()).is_within(spec);
                let count = followed.by_namespace.lock().get(namespace).copied().filter(|_| is_within).unwrap_or_default();
                followed.kind.tracked(spec).into_keys().map(move |name| (name, Quantity::from_value(count, Format::DecimalSi)))
            })
            .collect()
    }
}

fn kind(found: &Found) -> Kind {
    Kind::of(&found.resource.group, &found.resource.plural)
}
