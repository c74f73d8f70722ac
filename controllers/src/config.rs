//! The flags of this room.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use mini_daemon::{connect::ConnectArgs, flags::seconds, lease::ElectionArgs, process::ProcessArgs};

use crate::zones::Limits;

use crate::AddressPool;

/// Makes spec true: Deployments, ReplicaSets, EndpointSlices, nodes, namespaces and garbage.
#[derive(clap::Parser, Debug)]
#[command(name = "mini-controllers", version)]
pub struct Args {
    /// What every program can be told.
    #[command(flatten)]
    pub process: ProcessArgs,
    /// Where the API server is.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// Which of several copies works.
    #[command(flatten)]
    pub election: ElectionArgs,
    /// What only this one can.
    #[command(flatten)]
    pub config: Config,
}

/// What can be set about the controllers.
#[derive(clap::Args, Clone, Debug)]
pub struct Config {
    /// The controllers to run: `*` is all of them, `name` is one, `-name` is none of that name.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "*", allow_hyphen_values = true)]
    pub controllers: Vec<String>,

    /// How many objects each controller works on at a time.
    #[arg(long, value_name = "N", default_value = "10")]
    pub concurrent_syncs: NonZeroUsize,

    /// How long a node may be silent before it counts as lost.
    #[arg(long, value_name = "SECONDS", default_value = "40", value_parser = seconds)]
    pub node_monitor_grace_period: Duration,

    /// How long a node that has never been heard of may take to speak.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub node_startup_grace_period: Duration,

    /// How often lost nodes are looked at again.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub node_monitor_period: Duration,

    /// How many nodes a second may be emptied in a zone that is well.
    #[arg(long, value_name = "RATE", default_value_t = 0.1, value_parser = rate)]
    pub node_eviction_rate: f64,

    /// How many nodes a second may be emptied in a zone that is not well, if it is large.
    #[arg(long, value_name = "RATE", default_value_t = 0.01, value_parser = rate)]
    pub secondary_node_eviction_rate: f64,

    /// The share of a zone's nodes, at least three, that are not ready when it is not well.
    #[arg(long, value_name = "SHARE", default_value_t = 0.55, value_parser = rate)]
    pub unhealthy_zone_threshold: f64,

    /// More nodes than this are a large zone; in a smaller one that is not well no node is emptied.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub large_cluster_size_threshold: usize,

    /// How many finished pods may stay before the oldest are deleted.
    #[arg(long, value_name = "N", default_value_t = 12_500)]
    pub terminated_pod_gc_threshold: usize,

    /// How many endpoints one EndpointSlice may hold.
    #[arg(long, value_name = "N", default_value = "100")]
    pub max_endpoints_per_slice: NonZeroUsize,

    /// Where the addresses of load balancers come from, as far as no cloud is at hand. The default is nobody's: it is set aside for
    /// examples. Without a pool (`""`) Services of type LoadBalancer stay pending. The last one is that of all Ingresses.
    #[arg(long, value_name = "CIDR", default_value = "203.0.113.0/24")]
    pub load_balancer_pool: AddressPool,

    /// How often quotas are counted although nothing seems to have changed.
    #[arg(long, value_name = "SECONDS", default_value = "5m", value_parser = seconds)]
    pub resource_quota_sync_period: Duration,

    /// How HorizontalPodAutoscalers behave.
    #[command(flatten)]
    pub autoscaling: Autoscaling,

    /// The certificate authority every namespace is told of in its ConfigMap kube-root-ca.crt.
    #[arg(long, value_name = "FILE")]
    pub root_ca_file: Option<PathBuf>,
}

/// What can be set about HorizontalPodAutoscalers.
#[derive(clap::Args, Clone, Debug)]
pub struct Autoscaling {
    /// How often each is looked at.
    #[arg(long, value_name = "SECONDS", default_value = "15s", value_parser = seconds)]
    pub horizontal_pod_autoscaler_sync_period: Duration,

    /// How far from its target a metric may be before anything is done: a share of it.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub horizontal_pod_autoscaler_tolerance: f64,

    /// For how long no fewer pods are kept than was recommended, where the behavior says nothing else.
    #[arg(long, value_name = "SECONDS", default_value = "5m", value_parser = seconds)]
    pub horizontal_pod_autoscaler_downscale_stabilization: Duration,

    /// For how long after its start the CPU an unready pod uses says nothing.
    #[arg(long, value_name = "SECONDS", default_value = "5m", value_parser = seconds)]
    pub horizontal_pod_autoscaler_cpu_initialization_period: Duration,

    /// A pod that is unready from so soon after its start counts as never having been ready.
    #[arg(long, value_name = "SECONDS", default_value = "30s", value_parser = seconds)]
    pub horizontal_pod_autoscaler_initial_readiness_delay: Duration,
}

impl Default for Config {
    /// What the flags are when none is given.
    fn default() -> Self {
        <Args as clap::Parser>::parse_from(["mini-controllers"]).config
    }
}

impl Config {
    /// How fast nodes may be emptied.
    pub(crate) fn zone_limits(&self) -> Limits {
        Limits {
            rate: self.node_eviction_rate,
            secondary_rate: self.secondary_node_eviction_rate,
            unhealthy: self.unhealthy_zone_threshold,
            large: self.large_cluster_size_threshold,
        }
    }

    /// Whether the controller of this name is to run.
    pub(crate) fn enables(&self, name: &str) -> bool {
        let mut enabled = false;
        for entry in &self.controllers {
            match entry.strip_prefix('-') {
                Some(without) if without == name => return false,
                None if entry == name => return true,
                None if entry == "*" => enabled = true,
                _ => {}
            }
        }
        enabled
    }
}

/// Reads a number that is not negative.
fn rate(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if number.is_finite() && number >= 0.0 { Ok(number) } else { Err(format!("{text} is negative or endless")) }
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

    fn config(arguments: &[&str]) -> Config {
        Program::try_parse_from([&["program"], arguments].concat()).unwrap().config
    }

    #[test]
    fn controllers_are_chosen_as_upstream_chooses() {
        let chosen = |list: &str| ["a", "b"].map(|name| config(&["--controllers", list]).enables(name));
        assert_eq!(chosen("*"), [true, true]);
        assert_eq!(chosen("*,-a"), [false, true]);
        assert_eq!(chosen("a"), [true, false]);
        assert_eq!(chosen("-a"), [false, false]);
        assert_eq!(config(&[]).controllers, ["*"]);
    }

    #[test]
    fn a_node_may_be_silent_for_as_long_as_upstream() {
        assert_eq!(config(&[]).node_monitor_grace_period, Duration::from_secs(40));
    }
}
