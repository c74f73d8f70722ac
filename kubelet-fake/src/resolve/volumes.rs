//! The volumes of a pod: whether what they are made of is there, and what is in them whenever somebody looks.
//!
//! Files made from objects are made at each look, from the objects as they are then, so that changes reach running containers and a pod
//! whose files nobody looks at costs nothing. Objects that have gone leave what was there last.
//!
//! Must not know: how a runtime mounts.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
    sync::Arc,
};

use bytes::Bytes;
use k8s_openapi::api::core::v1::{ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret, Volume, VolumeProjection};
use mini_api::quantity;
use parking_lot::Mutex;

use super::{Context, downward, token::Minted};
use crate::{
    node::Facts,
    objects::Objects,
    pod::Unmounted,
    resting::PodCell,
    runtime::{Content, File, Files, Network, Source, Token},
};

/// The permissions of files that say none.
const MODE: i32 = 0o644;

/// The volumes of one pod.
pub(crate) struct Volumes {
    objects: Arc<Objects>,
    facts: Arc<Facts>,
    /// The pod as it is now.
    pod: Arc<PodCell>,
    /// The objects as they were last seen.
    kept: Mutex<Vec<Kept>>,
    /// The tokens somebody looked for, by volume and place in it.
    tokens: Mutex<BTreeMap<(usize, usize), Arc<Minted>>>,
}

#[derive(Clone)]
enum Kept {
    Config(Arc<ConfigMap>),
    Secret(Arc<Secret>),
}

/// One of the volumes, for the runtime.
struct View {
    volumes: Arc<Volumes>,
    place: usize,
}

/// Something that files are made from, the same for volumes of one kind and for parts of a projected one.
enum Part<'a> {
    Config { name: &'a str, items: &'a Option<Vec<KeyToPath>>, optional: bool },
    Secret { name: &'a str, items: &'a Option<Vec<KeyToPath>>, optional: bool },
    Downward(&'a Option<Vec<DownwardAPIVolumeFile>>),
    Token(&'a k8s_openapi::api::core::v1::ServiceAccountTokenProjection),
    Unknown,
}

impl Volumes {
    /// The volumes of a pod, if it has any. Nothing is looked up yet.
    pub(crate) fn of(pod: &Arc<PodCell>, facts: &Arc<Facts>, objects: &Arc<Objects>) -> Option<Arc<Self>> {
        pod.get().spec.as_ref()?.volumes.as_ref().filter(|volumes| !volumes.is_empty())?;
        let (objects, facts, pod) = (objects.clone(), facts.clone(), pod.clone());
        Some(Arc::new(Self { objects, facts, pod, kept: Mutex::default(), tokens: Mutex::default() }))
    }

    fn pod(&self) -> Arc<Pod> {
        self.pod.get()
    }

    /// Which of the volumes that some container mounts are not there, and why.
    pub(crate) async fn missing(&self) -> Vec<Unmounted> {
        let pod = self.pod();
        let mut missing = Vec::new();
        for volume in all(&pod).iter().filter(|volume| is_mounted(&pod, &volume.name)) {
            let failed = |why: String| Unmounted { volume: volume.name.clone(), why, unknown: false };
            if let Some(claim) = claim(&pod, volume) {
                if let Err(why) = self.bound(namespace(&pod), &claim).await {
                    missing.push(Unmounted { unknown: true, ..failed(why) });
                }
                continue;
            }
            let mut wrong = Vec::new();
            for part in parts(volume) {
                if let Err(why) = self.check(namespace(&pod), &part).await {
                    wrong.push(why);
                }
            }
            match wrong.len() {
                0 => {}
                1 => missing.extend(wrong.pop().map(failed)),
                _ => missing.push(failed(format!("[{}]", wrong.join(", ")))),
            }
        }
        missing
    }

    /// The name of the volume that a claim is bound to.
    async fn bound(&self, namespace: &str, claim: &str) -> Result<String, String> {
        let processing = |why: String| format!("error processing PVC {namespace}/{claim}: {why}");
        match self.objects.claim(namespace, claim).await {
            None => Err(processing(format!("failed to fetch PVC from API server: persistentvolumeclaims {claim:?} not found"))),
            Some(found) => found.volume.ok_or_else(|| processing("PVC is not bound".to_owned())),
        }
    }

    async fn check(&self, namespace: &str, part: &Part<'_>) -> Result<(), String> {
        match part {
            Part::Config { name, items, optional } => match self.objects.config(namespace, name).await {
                Some(found) => {
                    let known = |key: &str| {
                        found.data.as_ref().is_some_and(|data| data.contains_key(key))
                            || found.binary_data.as_ref().is_some_and(|data| data.contains_key(key))
                    };
                    let absent = items.iter().flatten().find(|item| !known(&item.key)).filter(|_| !optional);
                    self.keep(Kept::Config(found.clone()));
                    absent.map_or(Ok(()), |item| Err(format!("configmap references non-existent config key: {}", item.key)))
                }
                None if *optional => Ok(()),
                None => Err(format!("configmap {name:?} not found")),
            },
            Part::Secret { name, items, optional } => match self.objects.secret(namespace, name).await {
                Some(found) => {
                    let known = |key: &str| found.data.as_ref().is_some_and(|data| data.contains_key(key));
                    let absent = items.iter().flatten().find(|item| !known(&item.key)).filter(|_| !optional);
                    self.keep(Kept::Secret(found.clone()));
                    absent.map_or(Ok(()), |item| Err(format!("references non-existent secret key: {}", item.key)))
                }
                None if *optional => Ok(()),
                None => Err(format!("secret {name:?} not found")),
            },
            Part::Downward(_) | Part::Token(_) => Ok(()),
            Part::Unknown => Err("no volume plugin matched".to_owned()),
        }
    }

    fn keep(&self, new: Kept) {
        let mut kept = self.kept.lock();
        match kept.iter_mut().find(|old| old.same(&new)) {
            Some(old) => *old = new,
            None => kept.push(new),
        }
    }

    /// A ConfigMap as it is, or as it was last seen.
    fn config(&self, namespace: &str, name: &str) -> Option<Arc<ConfigMap>> {
        if let Some(found) = self.objects.known_config(namespace, name) {
            self.keep(Kept::Config(found.clone()));
            return Some(found);
        }
        let kept = self.kept.lock();
        kept.iter().find_map(|kept| match kept {
            Kept::Config(map) if map.metadata.name.as_deref() == Some(name) => Some(map.clone()),
            _ => None,
        })
    }

    /// A Secret as it is, or as it was last seen.
    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<Secret>> {
        if let Some(found) = self.objects.known_secret(namespace, name) {
            self.keep(Kept::Secret(found.clone()));
            return Some(found);
        }
        let kept = self.kept.lock();
        kept.iter().find_map(|kept| match kept {
            Kept::Secret(secret) if secret.metadata.name.as_deref() == Some(name) => Some(secret.clone()),
            _ => None,
        })
    }

    /// What a volume is made of; `None` if the pod has no such volume.
    pub(super) fn source(self: &Arc<Self>, name: &str) -> Option<Source> {
        let pod = self.pod();
        let (place, volume) = all(&pod).iter().enumerate().find(|(_, volume)| volume.name == name)?;
        if let Some(claim) = claim(&pod, volume) {
            let bound = self.objects.known_claim(namespace(&pod), &claim).and_then(|claim| claim.volume);
            return Some(Source::Disk { name: bound.unwrap_or(claim) });
        }
        if let Some(empty) = &volume.empty_dir {
            let limit = empty.size_limit.as_ref().and_then(|limit| u64::try_from(quantity::of(limit).value()).ok());
            return Some(Source::Empty { memory: empty.medium.as_deref() == Some("Memory"), limit: limit.filter(|limit| *limit > 0) });
        }
        if let Some(host) = &volume.host_path {
            return Some(Source::Host { path: host.path.clone(), kind: host.type_.clone().unwrap_or_default() });
        }
        if let Some(nfs) = &volume.nfs {
            return Some(Source::Disk { name: format!("nfs://{}{}", nfs.server, nfs.path) });
        }
        Some(Source::Files(Arc::new(View { volumes: self.clone(), place })))
    }

    fn token(&self, volume: usize, place: usize, projection: &k8s_openapi::api::core::v1::ServiceAccountTokenProjection) -> Arc<dyn Token> {
        let make = || Arc::new(Minted::new(self.objects.clone(), &self.pod(), projection));
        self.tokens.lock().entry((volume, place)).or_insert_with(make).clone()
    }

    /// What a pod says about itself, as it is now.
    fn downward(&self, file: &DownwardAPIVolumeFile) -> String {
        let (facts, objects) = (self.facts.clone(), self.objects.clone());
        let context = Context { pod: self.pod(), facts, network: Network::default(), objects };
        let field = file.field_ref.as_ref().map(|field| downward::field(&context, field));
        let resource = || file.resource_field_ref.as_ref().map(|resource| downward::resource(&context, None, resource));
        field.or_else(resource).and_then(Result::ok).unwrap_or_default()
    }
}

impl Kept {
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Config(one), Self::Config(two)) => one.metadata.name == two.metadata.name,
            (Self::Secret(one), Self::Secret(two)) => one.metadata.name == two.metadata.name,
            _ => false,
        }
    }
}

fn all(pod: &Pod) -> &[Volume] {
    pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default()
}

fn namespace(pod: &Pod) -> &str {
    pod.metadata.namespace.as_deref().unwrap_or_default()
}

/// Whether some container mounts a volume: others are left alone.
fn is_mounted(pod: &Pod, volume: &str) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let own = containers.flat_map(|container| container.volume_mounts.iter().flatten());
    let ephemeral = spec.ephemeral_containers.iter().flatten().flat_map(|container| container.volume_mounts.iter().flatten());
    own.chain(ephemeral).any(|mount| mount.name == volume)
}

/// The claim that a volume is, if it is one.
fn claim(pod: &Pod, volume: &Volume) -> Option<String> {
    let named = volume.persistent_volume_claim.as_ref().map(|claim| claim.claim_name.clone());
    let own = || format!("{}-{}", pod.metadata.name.as_deref().unwrap_or_default(), volume.name);
    named.or_else(|| volume.ephemeral.as_ref().map(|_| own()))
}

/// What the files of a volume are made from.
fn parts(volume: &Volume) -> Vec<Part<'_>> {
    if let Some(config) = &volume.config_map {
        vec![Part::Config { name: &config.name, items: &config.items, optional: config.optional == Some(true) }]
    } else if let Some(secret) = &volume.secret {
        let name = secret.secret_name.as_deref().unwrap_or_default();
        vec![Part::Secret { name, items: &secret.items, optional: secret.optional == Some(true) }]
    } else if let Some(downward) = &volume.downward_api {
        vec![Part::Downward(&downward.items)]
    } else if let Some(projected) = &volume.projected {
        projected.sources.iter().flatten().map(projection).collect()
    } else if volume.empty_dir.is_some() || volume.host_path.is_some() || volume.nfs.is_some() {
        Vec::new()
    } else {
        vec![Part::Unknown]
    }
}

fn projection(source: &VolumeProjection) -> Part<'_> {
    if let Some(config) = &source.config_map {
        Part::Config { name: &config.name, items: &config.items, optional: config.optional == Some(true) }
    } else if let Some(secret) = &source.secret {
        Part::Secret { name: &secret.name, items: &secret.items, optional: secret.optional == Some(true) }
    } else if let Some(downward) = &source.downward_api {
        Part::Downward(&downward.items)
    } else if let Some(token) = &source.service_account_token {
        Part::Token(token)
    } else {
        Part::Unknown
    }
}

/// The permissions of the files of a volume.
fn mode(volume: &Volume) -> i32 {
    let config = || volume.config_map.as_ref().and_then(|source| source.default_mode);
    let secret = || volume.secret.as_ref().and_then(|source| source.default_mode);
    let downward = || volume.downward_api.as_ref().and_then(|source| source.default_mode);
    let projected = || volume.projected.as_ref().and_then(|source| source.default_mode);
    config().or_else(secret).or_else(downward).or_else(projected).unwrap_or(MODE)
}

/// The chosen entries of an object as files, or all of them.
fn chosen(items: &Option<Vec<KeyToPath>>, mode: i32, all: BTreeMap<&String, Bytes>) -> Vec<File> {
    let file = |path: &str, mode: i32, bytes: &Bytes| File {
        path: path.to_owned(),
        mode: mode.try_into().unwrap_or_default(),
        content: Content::Bytes(bytes.clone()),
    };
    match items {
        None => all.iter().map(|(key, bytes)| file(key, mode, bytes)).collect(),
        Some(items) => {
            let one = |item: &KeyToPath| Some(file(&item.path, item.mode.unwrap_or(mode), all.get(&item.key)?));
            items.iter().filter_map(one).collect()
        }
    }
}

impl Files for View {
    fn list(&self) -> Vec<File> {
        let pod = self.volumes.pod();
        let Some(volume) = all(&pod).get(self.place) else { return Vec::new() };
        let mode = mode(volume);
        let mut files = Vec::new();
        for (place, part) in parts(volume).into_iter().enumerate() {
            match part {
                Part::Config { name, items, .. } => {
                    let Some(found) = self.volumes.config(namespace(&pod), name) else { continue };
                    let text = found.data.iter().flatten().map(|(key, value)| (key, Bytes::copy_from_slice(value.as_bytes())));
                    let binary = found.binary_data.iter().flatten().map(|(key, value)| (key, Bytes::copy_from_slice(&value.0)));
                    files.extend(chosen(items, mode, text.chain(binary).collect()));
                }
                Part::Secret { name, items, .. } => {
                    let Some(found) = self.volumes.secret(namespace(&pod), name) else { continue };
                    let all = found.data.iter().flatten().map(|(key, value)| (key, Bytes::copy_from_slice(&value.0)));
                    files.extend(chosen(items, mode, all.collect()));
                }
                Part::Downward(items) => files.extend(items.iter().flatten().map(|item| File {
                    path: item.path.clone(),
                    mode: item.mode.unwrap_or(mode).try_into().unwrap_or_default(),
                    content: Content::Bytes(self.volumes.downward(item).into()),
                })),
                Part::Token(token) => files.push(File {
                    path: token.path.clone(),
                    mode: mode.try_into().unwrap_or_default(),
                    content: Content::Token(self.volumes.token(self.place, place, token)),
                }),
                Part::Unknown => {}
            }
        }
        files
    }
}

impl Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pod = self.volumes.pod();
        let name = all(&pod).get(self.place).map(|volume| volume.name.as_str());
        f.debug_struct("View").field("volume", &name).finish_non_exhaustive()
    }
}
