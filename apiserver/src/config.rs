//! The API server's flags.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

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
    /// The address the `kubernetes` Service leads to [default: the one to listen on, or 192.168.0.1 where that is a loopback].
    #[arg(long, value_name = "IP")]
    pub advertise_address: Option<IpAddr>,
    /// Where to keep data, unless --store says otherwise.
    #[arg(long, value_name = "DIR", default_value = "mini-data")]
    pub data_dir: PathBuf,
    /// The store: `memory:`, or `sled:DIR`.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
}

impl Config {
    /// A configuration for a port the system chooses, with a store.
    #[must_use]
    pub fn on_free_port(store: &str) -> Self {
        Self { listen: ([127, 0, 0, 1], 0).into(), advertise_address: None, data_dir: PathBuf::new(), store: Some(store.to_owned()) }
    }

    /// The address the `kubernetes` Service leads to. Endpoints may not be loopback addresses, so a server that listens only
    /// there has one in the network of the fake nodes.
    #[must_use]
    pub fn advertised(&self, listening: IpAddr) -> String {
        let own = Some(listening).filter(|ip| !ip.is_loopback() && !ip.is_unspecified());
        self.advertise_address.or(own).map_or_else(|| "192.168.0.1".to_owned(), |ip| ip.to_string())
    }

    /// The store's URL.
    #[must_use]
    pub fn store(&self) -> String {
        self.store.clone().unwrap_or_else(|| format!("sled:{}", self.data_dir.display()))
    }
}
