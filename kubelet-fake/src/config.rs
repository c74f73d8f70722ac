//! The flags of `mini-kubelet`.
//!
//! Must not know: what is done with them.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use mini_api::quantity::Quantity;
use mini_daemon::{
    connect::ConnectArgs,
    process::{self, ProcessArgs},
};

use crate::network::NetworkArgs;

/// The command line of `mini-kubelet`.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "mini-kubelet", version, about = "Nodes that behave like nodes; their containers are simulated")]
pub struct Args {
    /// Logs, seed, admin port.
    #[command(flatten)]
    pub process: ProcessArgs,
    /// Where the API server is.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// The nodes.
    #[command(flatten)]
    pub config: Config,
}

/// What to run and how big it is.
#[derive(clap::Args, Clone, Debug)]
pub struct Config {
    /// Run one node of this name.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["nodes", "node_prefix"])]
    pub node_name: Option<String>,
    /// Run one node, named as this machine is.
    #[arg(long, conflicts_with_all = ["node_name", "nodes", "node_prefix"])]
    pub host_name: bool,
    /// Run so many nodes in this process.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub nodes: u32,
    /// Names of many nodes: this and a number from 1.
    #[arg(long, default_value = "k8s-node-", value_name = "TEXT")]
    pub node_prefix: String,
    /// The InternalIP of a single node; otherwise taken from 192.168.0.0/16, or this machine's where others may call.
    #[arg(long, value_name = "IP", conflicts_with_all = ["nodes", "node_prefix"])]
    pub node_ip: Option<Ipv4Addr>,
    /// CPUs of each node.
    #[arg(long, default_value = "8", value_name = "QUANTITY", value_parser = quantity)]
    pub cpu: String,
    /// Memory of each node.
    #[arg(long, default_value = "16Gi", value_name = "QUANTITY", value_parser = quantity)]
    pub memory: String,
    /// How many pods each node takes. The pods of a node share a /24, which has room for 253.
    #[arg(long, default_value_t = 110, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=253))]
    pub pods: u32,
    /// Where to serve logs for the API server, and other kubelets; at 0.0.0.0 they are told the address from which this machine calls the
    /// API server.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// The server of the cluster's DNS, for the pods' /etc/resolv.conf.
    #[arg(long, default_value = "10.254.0.10", value_name = "IP")]
    pub cluster_dns: IpAddr,
    /// The domain of the cluster's DNS.
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    pub cluster_domain: String,
    /// How long the first pull of an image on a node takes.
    #[arg(long, default_value = "200ms", value_name = "DURATION", value_parser = duration)]
    pub pull_time: Duration,
    /// How long a container takes to start.
    #[arg(long, default_value = "0s", value_name = "DURATION", value_parser = duration)]
    pub start_time: Duration,
    /// How the cluster can be reached from this machine.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// The API server's host and port, where pods are led that ask for it.
    #[arg(skip)]
    pub api_server: Option<String>,
}

impl Config {
    /// The defaults, for one node of this name.
    #[must_use]
    pub fn single(name: &str) -> Self {
        Self { node_name: Some(name.to_owned()), ..Self::fleet(1) }
    }

    /// The defaults, for so many nodes in one process.
    #[must_use]
    pub fn fleet(nodes: u32) -> Self {
        Self {
            node_name: None,
            host_name: false,
            nodes,
            node_prefix: "k8s-node-".to_owned(),
            node_ip: None,
            cpu: "8".to_owned(),
            memory: "16Gi".to_owned(),
            pods: 110,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            cluster_dns: IpAddr::from([10, 254, 0, 10]),
            cluster_domain: "cluster.local".to_owned(),
            pull_time: Duration::from_millis(200),
            start_time: Duration::ZERO,
            network: NetworkArgs::default(),
            api_server: None,
        }
    }

    /// The names of the nodes to run.
    pub(crate) fn names(&self) -> Vec<String> {
        match &self.node_name {
            Some(name) => vec![name.clone()],
            None if self.host_name => vec![process::host_name()],
            None => (1..=self.nodes).map(|number| format!("{}{number}", self.node_prefix)).collect(),
        }
    }
}

/// Reads `5s`, `200ms`, `1.5m`, `2h`, or a bare number of seconds.
///
/// # Errors
/// A sentence that shows the accepted forms.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("{text:?} is no duration; write one like 200ms, 5s, 2m or 1h")),
    };
    number
        .parse::<f64>()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number * scale).ok())
        .ok_or_else(|| format!("{text:?} is no duration; write one like 200ms, 5s, 2m or 1h"))
}

fn quantity(text: &str) -> Result<String, String> {
    Quantity::parse(text).map(|quantity| quantity.to_string()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn durations() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert!(duration("soon").is_err());
        assert!(duration("5 s").is_err());
        assert!(duration("").is_err());
    }

    #[test]
    fn defaults_in_code_are_the_defaults_of_the_flags() {
        let parsed = Program::try_parse_from(["x"]).ok().map(|program| program.config);
        assert_eq!(format!("{:?}", parsed.unwrap()), format!("{:?}", Config::fleet(1)));
    }

    #[test]
    fn names() {
        assert_eq!(Config::single("a").names(), ["a"]);
        assert_eq!(Config::fleet(2).names(), ["k8s-node-1", "k8s-node-2"]);
        assert!(Program::try_parse_from(["x", "--node-name", "a", "--nodes", "3"]).is_err());
        assert!(Program::try_parse_from(["x", "--pods", "1000"]).is_err());
        assert!(Program::try_parse_from(["x", "--memory", "much"]).is_err());
    }
}
