//! What the containers of a pod share: volumes, a sandbox, an address, and the files that say who they are.
//!
//! Must not know: containers.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

use bytes::Bytes;
use mini_machine::{
    files::{Image, Item, Space, Tree},
    kernel::{self, Sandbox, SandboxSpec},
};
use parking_lot::Mutex;

use super::{
    super::{Now, RuntimeError, StartRequest},
    Shared,
    volumes::PodVolumes,
    wires::{Door, PodNetwork},
};
use crate::network::{Registration, Source};

/// How much shared memory a pod has, as containerd gives it.
const SHARED_MEMORY: Space = Space { bytes: 64 << 20, inodes: 10_000 };

/// A pod that has containers.
pub(super) struct Pod {
    pub(super) uid: Arc<str>,
    pub(super) ip: Option<IpAddr>,
    pub(super) volumes: PodVolumes,
    alive: Mutex<Alive>,
    /// Keeps it at its address.
    _registration: Option<Registration>,
}

/// What a pod has only once one of its containers has come to life.
#[derive(Default)]
struct Alive {
    sandbox: Option<Arc<Sandbox>>,
    common: Option<Arc<[kernel::Mount]>>,
}

impl Drop for Pod {
    fn drop(&mut self) {
        if let Some(sandbox) = self.alive.get_mut().sandbox.take() {
            sandbox.end();
        }
    }
}

impl Pod {
    /// The pod of this UID, one of whose containers is to be started.
    pub(super) fn new(uid: &Arc<str>, request: &StartRequest, shared: &Arc<Shared>) -> Arc<Self> {
        let (weak, ip) = (Arc::downgrade(shared), request.network.ip);
        let door = |ip| shared.network.register(ip, Arc::new(Door { shared: weak.clone(), pod: uid.clone() }));
        let registration = ip.map(door);
        Arc::new(Self { uid: uid.clone(), ip, volumes: PodVolumes::default(), alive: Mutex::default(), _registration: registration })
    }

    /// Its sandbox, if there is one yet.
    pub(super) fn awake(&self) -> Option<Arc<Sandbox>> {
        self.alive.lock().sandbox.clone()
    }

    /// Its sandbox, made now if there was none.
    pub(super) fn sandbox(&self, request: &StartRequest, shared: &Shared) -> Arc<Sandbox> {
        let make = || {
            let mut hasher = DefaultHasher::new();
            self.uid.hash(&mut hasher);
            let source = Source { ip: self.ip.unwrap_or(IpAddr::from([127, 0, 0, 1])), node: request.node.clone() };
            let dns = request.network.dns.as_ref().map(|dns| dns.0);
            let network = Arc::new(PodNetwork { network: shared.network.clone(), source, dns });
            let (hostname, _) = request.hostname();
            let sandbox = Sandbox::new(SandboxSpec { machine: shared.machine.clone(), hostname, network, seed: hasher.finish() });
            if request.pod.spec.as_ref().and_then(|spec| spec.share_process_namespace) == Some(true) {
                sandbox.share_processes();
            }
            sandbox
        };
        self.alive.lock().sandbox.get_or_insert_with(make).clone()
    }

    /// What all its containers have mounted: `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf`, `/dev/shm`.
    pub(super) fn common(&self, request: &StartRequest, now: &Now) -> Result<Arc<[kernel::Mount]>, RuntimeError> {
        let mut alive = self.alive.lock();
        if let Some(common) = &alive.common {
            return Ok(common.clone());
        }
        let etc = Tree::new(Image::empty(), Space { bytes: 1 << 20, inodes: 16 }, now.clone());
        let texts =
            [("hosts", request.hosts()), ("hostname", format!("{}\n", request.hostname().0)), ("resolv.conf", request.resolv_conf())];
        let names = texts.each_ref().map(|(name, _)| *name);
        etc.files().put(texts.map(|(name, text)| Item::file(name, 0o644, Bytes::from(text))))?;
        let memory = Tree::new(Image::empty(), SHARED_MEMORY, now.clone());
        memory.files().put([Item::directory("/", 0o1777)])?;
        let file = |name: &str| kernel::Mount {
            path: format!("/etc/{name}"),
            tree: etc.clone(),
            inner: format!("/{name}"),
            read_only: false,
            kind: "ext4",
            device: "/dev/vda1".to_owned(),
        };
        let shm = kernel::Mount {
            path: "/dev/shm".to_owned(),
            tree: memory,
            inner: "/".to_owned(),
            read_only: false,
            kind: "tmpfs",
            device: "shm".to_owned(),
        };
        let common: Arc<[kernel::Mount]> = names.into_iter().map(file).chain([shm]).collect();
        alive.common = Some(common.clone());
        Ok(common)
    }
}
