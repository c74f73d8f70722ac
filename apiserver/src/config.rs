//! The API server's flags.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use mini_api::duration;

use crate::components::Component;

/// The flags of `mini-apiserver`.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "mini-apiserver", version, about = "The Kubernetes API over a store of its own")]
pub struct Args {
    /// What every program can be told.
    #[command(flatten)]
    pub process: mini_daemon::process::ProcessArgs,
    /// What only this one can.
    #[command(flatten)]
    pub config: Config,
}

/// What the API server is told on its command line.
#[derive(clap::Args, Clone, Debug)]
pub struct Config {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6443")]
    pub listen: SocketAddr,
    /// A Unix socket to listen on as well, for programs on this machine that were told it [default: none].
    #[arg(long, value_name = "FILE")]
    pub socket: Option<PathBuf>,
    /// The address the `kubernetes` Service leads to [default: the one to listen on, or 192.168.0.1 where that is a loopback].
    #[arg(long, value_name = "IP")]
    pub advertise_address: Option<IpAddr>,
    /// Where to keep data, unless --store says otherwise.
    #[arg(long, value_name = "DIR", default_value = "mini-data")]
    pub data_dir: PathBuf,
    /// The store: `memory:`, or `sled:DIR`.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// How much of the server a client may use.
    #[command(flatten)]
    pub limits: Limits,
    /// What is added to objects that do not say it themselves.
    #[command(flatten)]
    pub admission: Admission,
    /// How long to go on as if nothing were after being asked to stop, but for /readyz.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    pub shutdown_delay_duration: Duration,
    /// Where to write audit events, at level Metadata; `-` is standard output [default: nowhere].
    #[arg(long, value_name = "FILE")]
    pub audit_log_path: Option<PathBuf>,
    /// The components, and where the admin port of each is: they are asked how they are when somebody reads ComponentStatuses, and
    /// `/components/NAME/PATH` leads there. Copies of one component have one name.
    #[arg(long = "component", value_name = "NAME=ADDRESS", default_values = ["controller-manager=127.0.0.1:10257", "scheduler=127.0.0.1:10259"])]
    pub components: Vec<Component>,
}

/// How much of the server a client may use.
#[derive(clap::Args, Clone, Debug)]
pub struct Limits {
    /// How long a request may take that is not meant to last. A client may ask for less with `?timeout=`.
    #[arg(long, value_name = "DURATION", default_value = "1m0s", value_parser = duration::parse)]
    pub request_timeout: Duration,
    /// How many requests that only read may be under way at once; 0 means any number.
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub max_requests_inflight: usize,
    /// How many requests that write may be under way at once; 0 means any number.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub max_mutating_requests_inflight: usize,
}

/// What admission adds to objects, where that can be set.
#[derive(clap::Args, Clone, Debug)]
pub struct Admission {
    /// How long a pod that does not say so itself stays on a node that is not ready.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub default_not_ready_toleration_seconds: i64,
    /// How long a pod that does not say so itself stays on a node that cannot be reached.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub default_unreachable_toleration_seconds: i64,
}

impl Default for Admission {
    /// Upstream's.
    fn default() -> Self {
        Self { default_not_ready_toleration_seconds: 300, default_unreachable_toleration_seconds: 300 }
    }
}

impl Default for Limits {
    /// Upstream's.
    fn default() -> Self {
        Self { request_timeout: Duration::from_secs(60), max_requests_inflight: 400, max_mutating_requests_inflight: 200 }
    }
}

impl Config {
    /// A configuration for a port the system chooses, with a store, and without other components.
    #[must_use]
    pub fn on_free_port(store: &str) -> Self {
        Self {
            listen: ([127, 0, 0, 1], 0).into(),
            socket: None,
            advertise_address: None,
            data_dir: PathBuf::new(),
            store: Some(store.to_owned()),
            limits: Limits::default(),
            admission: Admission::default(),
            shutdown_delay_duration: Duration::ZERO,
            audit_log_path: None,
            components: Vec::new(),
        }
    }

    /// The address the `kubernetes` Service leads to. Endpoints may not be loopback addresses, so a server that listens only
    /// there has one in the network of the fake nodes. `usual` is the address from which this machine calls others.
    #[must_use]
    pub fn advertised(&self, listening: IpAddr, usual: Option<IpAddr>) -> String {
        let own = if listening.is_unspecified() { usual } else { Some(listening) }.filter(|ip| !ip.is_loopback());
        self.advertise_address.or(own).map_or_else(|| "192.168.0.1".to_owned(), |ip| ip.to_string())
    }

    /// The store's URL.
    #[must_use]
    pub fn store(&self) -> String {
        self.store.clone().unwrap_or_else(|| format!("sled:{}", self.data_dir.display()))
    }
}
