//! What the containers of a pod share: a name, a network, and if they want the processes.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{
    Group, Limits, Machine,
    budget::Budget,
    core::Core,
    descriptor::Descriptors,
    process::{Birth, Own, Start},
    resident::React,
    table::Namespace,
};
use crate::{
    Errno, Signal,
    files::{Credentials, Image, Space, Tree, view::View},
    net::{Connection, Network, Ports},
};

/// What a sandbox is made of.
pub struct SandboxSpec {
    /// What it belongs to.
    pub machine: Arc<Machine>,
    /// Its name.
    pub hostname: String,
    /// Its network.
    pub network: Arc<dyn Network>,
    /// What random bits follow from.
    pub seed: u64,
}

/// What the containers of a pod share.
pub struct Sandbox {
    pub(crate) machine: Arc<Machine>,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) ports: Ports,
    hostname: Mutex<String>,
    random: Mutex<u64>,
    shared: Mutex<Option<Arc<Namespace>>>,
}

impl Sandbox {
    /// A sandbox whose containers have their own processes each, unless [`share_processes`](Self::share_processes) is called.
    pub fn new(spec: SandboxSpec) -> Arc<Self> {
        Arc::new(Self {
            machine: spec.machine,
            network: spec.network,
            ports: Ports::default(),
            hostname: Mutex::new(spec.hostname),
            random: Mutex::new(spec.seed),
            shared: Mutex::default(),
        })
    }

    /// From now on new containers share one process namespace, whose first process is `/pause`.
    pub fn share_processes(self: &Arc<Self>) {
        let mut shared = self.shared.lock();
        if shared.is_some() {
            return;
        }
        let namespace = Arc::<Namespace>::default();
        let root = Tree::new(Image::empty(), Space { bytes: 0, inodes: 0 }, self.machine.now.clone());
        let core = Arc::new(Core::new(self.clone(), namespace.clone(), Arc::new(View::new(root, true)), Budget::new(Limits::default())));
        let start = Start { args: vec!["/pause".into()], env: Arc::default(), name: "pause".into() };
        let who = Credentials { uid: 65535, gid: 65535, groups: Vec::new() };
        let own = Own { cwd: "/".into(), umask: 0o022, who: Arc::new(who), start: Arc::new(start) };
        let birth = Birth { core, is_main: false, terminal: None, own, descriptors: Descriptors::default() };
        // There is room for the first process of a namespace.
        if let Ok(pause) = namespace.add(0, Group::New, birth) {
            let reacts = |signal| if matches!(signal, Signal::INT | Signal::TERM) { React::Exit(0) } else { React::Default };
            namespace.reside(pause.pid, Arc::new(reacts));
        }
        *shared = Some(namespace);
    }

    /// The process namespace of a new container.
    pub(crate) fn namespace(&self) -> Arc<Namespace> {
        self.shared.lock().clone().unwrap_or_default()
    }

    /// Whether somebody listens on a port for connections from outside.
    pub fn listens(&self, port: u16) -> bool {
        self.ports.listens(port, false)
    }

    /// Gives a connection from outside to who listens on a port. ECONNREFUSED: nobody does.
    pub fn accept(&self, port: u16, connection: Connection) -> Result<(), Errno> {
        self.ports.accept(port, connection)
    }

    /// Its name.
    pub fn hostname(&self) -> String {
        self.hostname.lock().clone()
    }

    /// Ends all of its processes, also `/pause`.
    pub fn end(&self) {
        if let Some(namespace) = self.shared.lock().take() {
            namespace.end_everybody();
        }
    }

    /// Random bits: splitmix64, which is enough for what must only look random.
    pub(crate) fn random(&self) -> u64 {
        let mut state = self.random.lock();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = *state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}
