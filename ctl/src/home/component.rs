//! The programs a cluster consists of: their names, their executables, their command lines.

use std::{ffi::OsString, fmt, path::PathBuf};

use super::{Doors, Home, Settings};
use crate::error::{Result, usage};

/// One process of the cluster. They are ordered as they start; they stop in the opposite order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Component {
    /// The API server; everything else needs it.
    Apiserver,
    /// The scheduler.
    Scheduler,
    /// All controllers.
    Controllers,
    /// The kubelet of the node of that name.
    Kubelet(String),
}

impl Component {
    /// Reads a component's name as users write it; what is no other component's name is a node's.
    pub(crate) fn parse(name: &str) -> Self {
        match name {
            "apiserver" | "kube-apiserver" | "mini-apiserver" => Self::Apiserver,
            "scheduler" | "kube-scheduler" | "mini-scheduler" => Self::Scheduler,
            "controllers" | "controller-manager" | "kube-controller-manager" | "mini-controllers" => Self::Controllers,
            node => Self::Kubelet(node.to_owned()),
        }
    }

    /// Whether it is a node's.
    pub(crate) fn is_kubelet(&self) -> bool {
        matches!(self, Self::Kubelet(_))
    }

    fn executable(&self) -> &'static str {
        match self {
            Self::Apiserver => "mini-apiserver",
            Self::Scheduler => "mini-scheduler",
            Self::Controllers => "mini-controllers",
            Self::Kubelet(_) => "mini-kubelet",
        }
    }

    /// The component's executable, which lies beside our own.
    ///
    /// # Errors
    /// When it does not; says how to build it.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        let own = std::env::current_exe().map_err(|error| usage(format!("find my own executable: {error}")))?;
        let program = own.with_file_name(format!("{}{}", self.executable(), std::env::consts::EXE_SUFFIX));
        if program.is_file() {
            Ok(program)
        } else {
            Err(usage(format!("{} is missing: build all programs with `cargo build --release`", program.display())))
        }
    }

    /// What the component is started with.
    pub(crate) fn arguments(&self, home: &Home, settings: &Settings) -> Vec<OsString> {
        let mut arguments = self.own_arguments(home, settings);
        arguments.extend(settings.extra.iter().filter_map(|extra| extra.argument(self)));
        arguments
    }

    fn own_arguments(&self, home: &Home, settings: &Settings) -> Vec<OsString> {
        let socket = || home.socket().into_iter().flat_map(|path| ["--socket".into(), path.into_os_string()]);
        let connect = || [OsString::from("--kubeconfig"), home.kubeconfig().into()].into_iter().chain(socket());
        match self {
            Self::Apiserver => {
                let listen = format!("127.0.0.1:{}", settings.port);
                let watched = [("controller-manager", settings.admin.controllers), ("scheduler", settings.admin.scheduler)];
                let watched = watched.into_iter().filter(|(_, port)| *port != 0);
                let flags = watched.flat_map(|(name, port)| ["--component".into(), format!("{name}=127.0.0.1:{port}").into()]);
                ["--listen".into(), listen.into(), "--data-dir".into(), home.data().into()]
                    .into_iter()
                    .chain(socket())
                    .chain(flags)
                    .collect()
            }
            Self::Scheduler => connect().chain(candidate()).chain(admin(settings.admin.scheduler)).collect(),
            Self::Controllers => connect().chain(candidate()).chain(admin(settings.admin.controllers)).collect(),
            Self::Kubelet(node) => connect().chain(["--node-name".into(), node.into()]).chain(doors(settings.doors)).collect(),
        }
    }
}

/// What a component calls itself when it stands for election. There is one of each in a home, so the name is its successor's as
/// well: one that was killed and is started again takes its own Lease back at once.
fn candidate() -> [OsString; 2] {
    ["--leader-elect-identity".into(), "mini-ctl".into()]
}

/// Where a component is to say how it is; nowhere if the port is 0.
fn admin(port: u16) -> Vec<OsString> {
    if port == 0 { Vec::new() } else { vec!["--admin-listen".into(), format!("127.0.0.1:{port}").into()] }
}

/// Where kubelets are to listen for who comes into the cluster. All are told the same: one of them has each port.
fn doors(doors: Doors) -> Vec<OsString> {
    let node_ports = doors.node_ports.then(|| "--node-ports".into());
    let ingress = doors.ingress_port.filter(|_| doors.node_ports).map(|port| format!("--ingress-port={port}").into());
    node_ports.into_iter().chain(ingress).collect()
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apiserver => f.pad("apiserver"),
            Self::Scheduler => f.pad("scheduler"),
            Self::Controllers => f.pad("controllers"),
            Self::Kubelet(node) => f.pad(node),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::AdminPorts;

    #[test]
    fn names_read_back() {
        for component in [Component::Apiserver, Component::Scheduler, Component::Controllers, Component::Kubelet("k8s-node-2".into())] {
            assert_eq!(Component::parse(&component.to_string()), component);
        }
    }

    #[test]
    fn command_lines() {
        let home = Home::new("/h".into());
        let settings = Settings { port: 6443, nodes: 1, admin: AdminPorts::USUAL, doors: Doors::default(), extra: Vec::new() };
        let old = Settings { admin: AdminPorts::default(), extra: vec!["scheduler.v=2".parse().unwrap()], ..settings.clone() };
        let line_of =
            |component: Component, settings: &Settings| component.arguments(&home, settings).join(" ".as_ref()).into_string().unwrap();
        let line = |component: Component| line_of(component, &settings);
        let listen = "--listen 127.0.0.1:6443 --data-dir /h/data --socket /h/run/apiserver.sock";
        let connect = "--kubeconfig /h/kubeconfig --socket /h/run/apiserver.sock";
        let watched = "--component controller-manager=127.0.0.1:10257 --component scheduler=127.0.0.1:10259";
        assert_eq!(line(Component::Apiserver), format!("{listen} {watched}"));
        let candidate = format!("{connect} --leader-elect-identity mini-ctl");
        assert_eq!(line(Component::Scheduler), format!("{candidate} --admin-listen 127.0.0.1:10259"));
        assert_eq!(line(Component::Controllers), format!("{candidate} --admin-listen 127.0.0.1:10257"));
        assert_eq!(line_of(Component::Apiserver, &old), listen);
        assert_eq!(line_of(Component::Scheduler, &old), format!("{candidate} --v=2"));
        assert_eq!(line(Component::Kubelet("n1".into())), format!("{connect} --node-name n1"));
        for (doors, flags) in [
            (Doors { node_ports: true, ingress_port: None }, " --node-ports"),
            (Doors { node_ports: true, ingress_port: Some(8080) }, " --node-ports --ingress-port=8080"),
            (Doors { node_ports: false, ingress_port: Some(8080) }, ""),
        ] {
            let settings = Settings { doors, ..settings.clone() };
            assert_eq!(line_of(Component::Kubelet("n1".into()), &settings), format!("{connect} --node-name n1{flags}"));
        }
    }

    #[test]
    fn a_home_too_deep_for_a_socket_goes_without() {
        let deep = Home::new(format!("/{}", "h".repeat(100)).into());
        let settings = Settings { port: 6443, nodes: 1, admin: AdminPorts::default(), doors: Doors::default(), extra: Vec::new() };
        for component in settings.components() {
            assert!(!component.arguments(&deep, &settings).contains(&"--socket".into()), "{component}");
        }
    }
}
