//! PersistentVolumes and the claims on them, brought together.
//!
//! Binding is four writes to two objects, and anything may happen between them. So each run makes the first write that is
//! missing ([`binding`]) and the next run begins when the cache shows it; who was told of the other first does not matter.
//! A volume is taken by naming the claim in it: two claims cannot both write that.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim, Pod},
    storage::v1::StorageClass,
};
use kube::api::DeleteParams;
use mini_api::volume;
use mini_daemon::{events, events::Recorder};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    cache::{self, Cache, Change},
    controller::{Controller, Next, Setup},
    pvc_protection::BY_CLAIM,
    writes::{Result, Writes},
};

mod binding;
mod claim;
mod released;

/// How often a claim that waits is looked at and spoken of again.
const RESYNC: Duration = Duration::from_secs(15);
/// The index of claims by the volume they name, and of those that name none by their class.
const WAITING: &str = "waiting";
/// The index of volumes by the claim they are for, and of those that are for none by their class.
const CLAIMED: &str = "claimed";

/// A claim, or the volume of that name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Claim(cache::Key),
    Volume(String),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(key) => write!(f, "claim {key}"),
            Self::Volume(name) => write!(f, "volume {name}"),
        }
    }
}

/// Something to be said about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Remark {
    warning: bool,
    reason: &'static str,
    message: String,
}

impl Remark {
    fn normal(reason: &'static str, message: impl Into<String>) -> Self {
        Self { warning: false, reason, message: message.into() }
    }

    fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self { warning: true, reason, message: message.into() }
    }
}

/// Brings claims and volumes together.
pub(crate) struct Reconciler {
    claims: Arc<Cache<PersistentVolumeClaim>>,
    volumes: Arc<Cache<PersistentVolume>>,
    classes: Arc<Cache<StorageClass>>,
    pods: Arc<Cache<Pod>>,
    recorder: Recorder,
    /// What was said last of an object that waits, and when: a run too many is not to be heard.
    said: Mutex<HashMap<Key, (Remark, Instant)>>,
}

fn waiting_terms(claim: &PersistentVolumeClaim) -> Vec<String> {
    match volume::volume_name(claim) {
        "" => vec![format!("class {}", volume::claim_class(claim))],
        name => vec![format!("volume {name}")],
    }
}

fn claimed_terms(volume: &PersistentVolume) -> Vec<String> {
    match claim_key(volume) {
        Some(key) => vec![format!("claim {key}")],
        None => vec![format!("class {}", volume::volume_class(volume))],
    }
}

/// The claim a volume is for.
fn claim_key(volume: &PersistentVolume) -> Option<cache::Key> {
    let claimed = volume.spec.as_ref()?.claim_ref.as_ref()?;
    Some(cache::Key::new(claimed.namespace.as_deref().unwrap_or_default(), claimed.name.as_deref().unwrap_or_default()))
}

fn keys(claims: &[Arc<PersistentVolumeClaim>]) -> impl Iterator<Item = Key> {
    claims.iter().map(|claim| Key::Claim(cache::Key::of(&claim.metadata)))
}

impl Controller for Reconciler {
    const NAME: &'static str = "persistentvolume-binder-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let volumes = setup.read::<PersistentVolume>();
        volumes.index(CLAIMED, claimed_terms);
        let by_claim = volumes.clone();
        let claims = setup.watch(move |change: &Change<PersistentVolumeClaim>| {
            let named = change.sides().map(|claim| volume::volume_name(claim).to_owned()).filter(|name| !name.is_empty());
            let mut keys: Vec<_> = named.map(Key::Volume).collect();
            let reserved = by_claim.indexed(CLAIMED, &format!("claim {}", change.key()));
            keys.extend(reserved.iter().filter_map(|volume| volume.metadata.name.clone()).map(Key::Volume));
            keys.push(Key::Claim(change.key()));
            keys
        });
        claims.index(WAITING, waiting_terms);
        let waiting = claims.clone();
        setup.watch(move |change: &Change<PersistentVolume>| {
            let name = change.key().name;
            let mut all: Vec<Key> = keys(&waiting.indexed(WAITING, &format!("volume {name}"))).collect();
            all.extend(change.sides().filter_map(|volume| claim_key(volume)).map(Key::Claim));
            if let Some(free) = change.new.as_ref().filter(|volume| claim_key(volume).is_none() && volume::phase(volume) == "Available") {
                all.extend(keys(&waiting.indexed(WAITING, &claimed_terms(free)[0])));
            }
            all.push(Key::Volume(name));
            all
        });
        let waiting = claims.clone();
        let classes = setup.watch(move |change: &Change<StorageClass>| {
            let name = change.key().name;
            // One that becomes the default is also for those that have none.
            [name.as_str(), ""].into_iter().flat_map(|class| keys(&waiting.indexed(WAITING, &format!("class {class}"))).collect::<Vec<_>>()).collect::<Vec<_>>()
        });
        let pods = setup.read::<Pod>();
        pods.index(BY_CLAIM, crate::pvc_protection::claim_terms);
        let recorder = setup.recorder("persistentvolume-controller");
        Self { claims, volumes, classes, pods, recorder, said: Mutex::default() }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        match key {
            Key::Claim(name) => match self.claims.get(name).filter(|claim| claim.metadata.deletion_timestamp.is_none() || volume::is_fully_bound(claim)) {
                Some(claim) => return self.claim(key, &claim, writes).await,
                None => self.said.lock().remove(key).map_or((), drop),
            },
            Key::Volume(name) => match self.volumes.get(&cache::Key::cluster(name)) {
                Some(volume) => self.volume(key, &volume, writes).await?,
                None => self.said.lock().remove(key).map_or((), drop),
            },
        }
        Ok(Next::Changed)
    }
}

impl Reconciler {
    async fn claim(&self, key: &Key, claim: &Arc<PersistentVolumeClaim>, writes: &Writes) -> Result<Next> {
        let named = volume::volume_name(claim);
        let own = cache::Key::of(&claim.metadata);
        let (class, default) = (volume::claim_class(claim), volume::named_class(claim).is_none().then(|| self.default_class()).flatten());
        let mut candidates = self.volumes.indexed(CLAIMED, &format!("claim {own}"));
        candidates.extend(self.volumes.indexed(CLAIMED, &format!("class {class}")));
        let pods = self.pods.indexed(BY_CLAIM, &own.to_string());
        let step = claim::plan(claim, &claim::Around {
            named: (!named.is_empty()).then(|| self.volumes.get(&cache::Key::cluster(named))).flatten(),
            candidates,
            class: (!class.is_empty()).then(|| self.classes.get(&cache::Key::cluster(class))).flatten(),
            default,
            pods,
        });
        match step {
            claim::Step::Bind(volume) => {
                self.said.lock().remove(key);
                binding::advance(&volume, claim, writes).await?;
                return Ok(Next::Changed);
            }
            claim::Step::Write { new, remark } => {
                writes.update(&**claim, &*new).await?;
                self.say(key, &**claim, remark);
            }
            claim::Step::Status { phase, remark } => {
                writes.update_status(&**claim, &binding::unbound(claim, phase)).await?;
                self.say(key, &**claim, remark);
                if phase == "Lost" {
                    return Ok(Next::Changed);
                }
            }
        }
        Ok(Next::After(RESYNC))
    }

    async fn volume(&self, key: &Key, volume: &Arc<PersistentVolume>, writes: &Writes) -> Result<()> {
        let step = match released::plan(volume, self.claim_of(volume, writes).await?.as_deref()) {
            released::Step::Reclaim => released::reclaim(volume),
            step => step,
        };
        match step {
            released::Step::Nothing | released::Step::Reclaim => {}
            released::Step::Phase(phase) => writes.update_status(&**volume, &released::with_phase(volume, phase, None)).await?,
            released::Step::Say { volume: remark, claim } => {
                self.say(key, &**volume, Some(remark));
                if let Some((claim, remark)) = claim {
                    self.say(&Key::Claim(cache::Key::of(&claim.metadata)), &*claim, Some(remark));
                }
            }
            released::Step::Fail(remark) => {
                writes.update_status(&**volume, &released::with_phase(volume, "Failed", Some(&remark.message))).await?;
                self.say(key, &**volume, Some(remark));
            }
            released::Step::Unbind(remark) => {
                writes.update(&**volume, &released::unbound(volume)).await?;
                self.say(key, &**volume, remark);
            }
            released::Step::Delete => writes.delete(&**volume, DeleteParams::default()).await?,
        }
        Ok(())
    }

    /// The claim a volume is bound to, if that very claim still exists. That it does not, the API server must say itself: the
    /// volume may be news of a claim that is not here yet.
    async fn claim_of(&self, volume: &PersistentVolume, writes: &Writes) -> Result<Option<Arc<PersistentVolumeClaim>>> {
        let Some(key) = claim_key(volume) else { return Ok(None) };
        let uid = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref()?.uid.clone());
        let is_it = |claim: &PersistentVolumeClaim| claim.metadata.uid == uid;
        let cached = self.claims.get(&key).filter(|claim| is_it(claim));
        if cached.is_some() || uid.is_none() || matches!(volume::phase(volume), "Released" | "Failed") {
            return Ok(cached);
        }
        Ok(writes.live::<PersistentVolumeClaim>(&key).await?.filter(is_it).map(Arc::new))
    }

    /// The class for claims that name none: the newest of those that say they are, and of these the first by name.
    fn default_class(&self) -> Option<String> {
        let marked = self.classes.all().into_iter().filter(|class| volume::is_default_class(class));
        let newest = marked.min_by_key(|class| (std::cmp::Reverse(class.metadata.creation_timestamp.clone()), class.metadata.name.clone()));
        newest.and_then(|class| class.metadata.name.clone())
    }

    /// Says something of an object, unless that was just said.
    fn say<K>(&self, key: &Key, about: &K, remark: Option<Remark>)
    where
        K: k8s_openapi::Resource + k8s_openapi::Metadata<Ty = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta>,
    {
        let (mut said, now) = (self.said.lock(), Instant::now());
        let Some(remark) = remark else { return said.remove(key).map_or((), drop) };
        if said.get(key).is_some_and(|(last, when)| *last == remark && now - *when < RESYNC) {
            return;
        }
        let about = events::reference(about);
        if remark.warning {
            self.recorder.warning(&about, remark.reason, remark.message.as_str());
        } else {
            self.recorder.normal(&about, remark.reason, remark.message.as_str());
        }
        said.insert(key.clone(), (remark, now));
    }
}
