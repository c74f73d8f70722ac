//! `up`: starts every program of a cluster as a process of its own, waits until the cluster can be used, and says what to
//! type next.

use std::{fmt, process::Child, time::Duration};

use jiff::Timestamp;
use mini_daemon::clock;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    context::Context,
    error::{Result, usage},
    home::{AdminPorts, Doors, Home, Settings, component::Component, extra::Extra, free_port, process::Process},
    print::{notice, print},
    server::{Server, Source},
    value::{list, name, text},
};

/// The API server's port, unless another is asked for.
const PORT: u16 = 6443;
pub(super) const POLL: Duration = Duration::from_millis(10);
/// When the user begins to wonder.
const PATIENCE: Duration = Duration::from_secs(1);
/// What a component that is asked to stop is given.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How much of a dead component's log is shown.
const LAST_WORDS: usize = 10;

/// Start a cluster: the API server, the scheduler, the controllers and a kubelet for each node.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// How many nodes: k8s-node-1, k8s-node-2, … [default: as many as last time, else 3].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1000))]
    nodes: Option<u32>,
    /// The API server's port; 0 takes a free one [default: that of last time, else 6443].
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Really listen on this machine at the node ports of Services, so that `curl 127.0.0.1:30000` reaches a pod; `--node-ports=false` ends
    /// it [default: as last time, else no].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    node_ports: Option<bool>,
    /// Also listen at this port for requests that Ingresses route; goes with --node-ports [default: that of last time, else none].
    #[arg(long, value_name = "PORT")]
    ingress_port: Option<u16>,
    /// A flag for a component, which may be apiserver, scheduler, controller-manager or kubelet (all of them), as in
    /// controller-manager.node-monitor-grace-period=4s; may be given again [default: those of last time].
    #[arg(long, value_name = "COMPONENT.FLAG=VALUE")]
    extra_config: Vec<Extra>,
    /// How many seconds it may take until the cluster is ready.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let home = context.home()?;
    home.create()?;
    let _guard = home.lock()?;
    refuse_if_running(&home, &context.program())?;
    let last = home.settings()?;
    let port = free_port(args.port.or(last.as_ref().map(|last| last.port)).unwrap_or(PORT))?;
    // Only the usual cluster takes the usual ports, or two that come up at once would both find them free.
    let usual = if port == PORT { AdminPorts::USUAL } else { AdminPorts::default() };
    let settings = Settings {
        port,
        nodes: args.nodes.or(last.as_ref().map(|last| last.nodes)).unwrap_or(3),
        admin: last.as_ref().map_or(usual, |last| last.admin).or_free()?,
        doors: doors(&args, last.as_ref().map(|last| last.doors).unwrap_or_default())?,
        extra: if args.extra_config.is_empty() { last.map_or_else(Vec::new, |last| last.extra) } else { args.extra_config },
    };
    // Before anything is started: a program that is missing is missing for all.
    settings.components().try_for_each(|component| component.program().map(drop))?;
    home.remember(&settings)?;
    let mut startup = Startup::new(&home, &settings, Duration::from_secs(args.timeout)).await?;
    let begun = tokio::select! {
        begun = startup.run() => begun,
        _ = tokio::signal::ctrl_c() => Err(usage("interrupted; what had been started is stopped again")),
    };
    if let Err(error) = begun {
        startup.undo().await;
        return Err(error);
    }
    print(&next_steps(&home, &settings, &context.program()))
}

/// Where kubelets listen on this machine: as asked for, or as last time.
fn doors(args: &Args, last: Doors) -> Result<Doors> {
    let node_ports = args.node_ports.unwrap_or(last.node_ports);
    if args.ingress_port.is_some() && !node_ports {
        return Err(usage("--ingress-port is of no use without --node-ports"));
    }
    Ok(Doors { node_ports, ingress_port: args.ingress_port.or(last.ingress_port) })
}

fn refuse_if_running(home: &Home, program: &str) -> Result<()> {
    let running = home.all_running();
    if running.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = running.iter().map(|(component, _)| component.to_string()).collect();
    Err(usage(format!(
        "a cluster is already running in {} ({}): use it, look at it with `{program} status`, end it with `{program} down`, \
         or start another one with --data-dir DIR --port 0",
        home.folder().display(),
        names.join(", ")
    )))
}

/// A cluster on its way up.
struct Startup<'a> {
    home: &'a Home,
    settings: &'a Settings,
    server: Server,
    started: Vec<(Component, Process, Child)>,
    begun: Instant,
    /// The same as a time of day.
    since: Timestamp,
    limit: Duration,
    said: Option<String>,
}

/// What there is to wait for, in this order.
enum Stage {
    Apiserver,
    Nodes { ready: usize, wanted: usize },
    ServiceAccount,
    Done,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apiserver => f.write_str("waiting for the API server"),
            Self::Nodes { ready, wanted } => write!(f, "waiting for the nodes: {ready} of {wanted} are ready"),
            Self::ServiceAccount => f.write_str("waiting for the service account \"default\""),
            Self::Done => f.write_str("done"),
        }
    }
}

impl<'a> Startup<'a> {
    async fn new(home: &'a Home, settings: &'a Settings, limit: Duration) -> Result<Self> {
        let (server, _) = Server::new(Source::File(home.kubeconfig(), None), None).await?;
        Ok(Self { home, settings, server, started: Vec::new(), begun: Instant::now(), since: clock::now(), limit, said: None })
    }

    async fn run(&mut self) -> Result<()> {
        // The others would only ask in vain until the API server answers.
        self.spawn(&Component::Apiserver)?;
        while !self.server.is_ready().await {
            self.pause(&Stage::Apiserver).await?;
        }
        for component in self.settings.components().skip(1) {
            self.spawn(&component)?;
        }
        loop {
            match self.stage().await {
                Stage::Done => return Ok(()),
                stage => self.pause(&stage).await?,
            }
        }
    }

    fn spawn(&mut self, component: &Component) -> Result<()> {
        let spawned = self.home.spawn(component, self.settings)?;
        self.started.push((component.clone(), spawned.process, spawned.child));
        Ok(())
    }

    /// How far the cluster is. Errors on the way are what waiting is for.
    async fn stage(&self) -> Stage {
        let leases = self.server.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases").await.unwrap_or_default();
        let nodes = self.server.get("/api/v1/nodes").await.unwrap_or_default();
        let wanted: Vec<String> = self.settings.components().filter(Component::is_kubelet).map(|component| component.to_string()).collect();
        let find = |list: &Value, wanted: &str| crate::value::list(&list["items"]).iter().find(|object| name(object) == wanted).cloned();
        // A node of an earlier life is still marked ready; its kubelet is back only once the lease is renewed.
        let is_back = |wanted: &&String| find(&nodes, wanted).is_some_and(|node| is_ready(&node)) && find(&leases, wanted).is_some_and(|lease| is_renewed(&lease, self.since));
        let ready = wanted.iter().filter(is_back).count();
        if ready < wanted.len() {
            return Stage::Nodes { ready, wanted: wanted.len() };
        }
        match self.server.get("/api/v1/namespaces/default/serviceaccounts/default").await {
            Ok(_) => Stage::Done,
            Err(_) => Stage::ServiceAccount,
        }
    }

    /// Waits a little; complains if a component has died or the time is over; tells how far it is if that takes long.
    async fn pause(&mut self, stage: &Stage) -> Result<()> {
        for (component, _, child) in &mut self.started {
            still_runs(self.home, component, child)?;
        }
        let taken = self.begun.elapsed();
        if taken > self.limit {
            let logs = self.home.log(&Component::Apiserver);
            let folder = logs.parent().unwrap_or(self.home.folder()).display().to_string();
            return Err(usage(format!("the cluster was not ready after {} s ({stage}); see the logs in {folder}", self.limit.as_secs())));
        }
        let text = stage.to_string();
        if taken > PATIENCE && self.said.as_ref() != Some(&text) {
            notice(&format!("{text} ..."));
            self.said = Some(text);
        }
        sleep(POLL).await;
        Ok(())
    }

    /// Stops what was started, so that the next try finds the folder as it was.
    async fn undo(&mut self) {
        for (_, process, _) in &self.started {
            // The error that led here is the one to tell.
            let _ = process.terminate();
        }
        for (component, process, child) in &mut self.started {
            let _ = process.wait_or_kill(STOP_PATIENCE).await;
            let _ = child.try_wait();
            self.home.forget(component);
        }
    }
}

/// Complains, with the last lines of its log, if a component that was just started has ended.
pub(super) fn still_runs(home: &Home, component: &Component, child: &mut Child) -> Result<()> {
    let Ok(Some(status)) = child.try_wait() else { return Ok(()) };
    let words = home.last_words(component, LAST_WORDS);
    Err(usage(format!("{component} ended while starting ({status}); the end of {}:\n{words}", home.log(component).display())))
}

fn is_ready(node: &Value) -> bool {
    list(&node["status"]["conditions"]).iter().any(|condition| text(&condition["type"]) == "Ready" && text(&condition["status"]) == "True")
}

fn is_renewed(lease: &Value, since: Timestamp) -> bool {
    text(&lease["spec"]["renewTime"]).parse::<Timestamp>().is_ok_and(|renewed| renewed >= since)
}

fn next_steps(home: &Home, settings: &Settings, program: &str) -> String {
    let nodes = if settings.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", settings.nodes) };
    format!(
        "The cluster is up: {nodes}, API server at http://127.0.0.1:{}, everything is kept in {}\n\n\
         Try:\n  {program} get nodes\n  {program} apply -f FILE\n  {program} get deploy,rs,pod -o wide\n\
         or, with the real kubectl:\n  kubectl --kubeconfig {} get nodes\n\
         and in the end:\n  {program} down\n",
        settings.port,
        home.folder().display(),
        home.kubeconfig().display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_is_ready_when_its_condition_says_so() {
        let node = |status: &str| json!({"status": {"conditions": [{"type": "Ready", "status": status}]}});
        assert!(is_ready(&node("True")));
        assert!(!is_ready(&node("Unknown")));
        assert!(!is_ready(&json!({})));
    }

    #[test]
    fn a_lease_of_an_earlier_life_does_not_count() {
        let lease = json!({"spec": {"renewTime": "2026-11-20T22:39:41.123456Z"}});
        assert!(is_renewed(&lease, "2026-11-20T22:39:41Z".parse().unwrap()));
        assert!(!is_renewed(&lease, "2026-11-20T22:39:42Z".parse().unwrap()));
        assert!(!is_renewed(&json!({}), "2026-11-20T22:39:42Z".parse().unwrap()));
    }

    #[test]
    fn doors_stay_as_they_were() {
        #[derive(clap::Parser)]
        struct Program {
            #[command(flatten)]
            args: Args,
        }
        let last = Doors { node_ports: true, ingress_port: Some(8080) };
        for (flags, last, expected) in [
            ("", Doors::default(), Some((false, None))),
            ("--node-ports", Doors::default(), Some((true, None))),
            ("", last, Some((true, Some(8080)))),
            ("--ingress-port=9090", last, Some((true, Some(9090)))),
            ("--node-ports=false", last, Some((false, Some(8080)))),
            ("--ingress-port=9090", Doors::default(), None),
        ] {
            let flags = ["up"].into_iter().chain(flags.split(' ').filter(|flag| !flag.is_empty()));
            let args = <Program as clap::Parser>::try_parse_from(flags).unwrap_or_else(|error| panic!("{error}")).args;
            let seen = doors(&args, last).ok().map(|doors| (doors.node_ports, doors.ingress_port));
            assert_eq!(seen, expected, "{args:?}");
        }
    }

    #[test]
    fn a_running_cluster_is_refused_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().to_owned());
        home.create().unwrap();
        refuse_if_running(&home, "mini-ctl").unwrap();
        let myself = serde_json::to_string(&Process::of(std::process::id()).unwrap()).unwrap();
        std::fs::write(folder.path().join("run/scheduler.pid"), myself).unwrap();
        let said = refuse_if_running(&home, "mini-ctl").unwrap_err().to_string();
        assert!(said.contains("(scheduler)") && said.contains("`mini-ctl down`"), "{said}");
    }

    #[test]
    fn the_next_steps_name_the_program_as_it_was_called() {
        let text = next_steps(&Home::new("/h".into()), &Settings { port: 6443, nodes: 1, admin: AdminPorts::USUAL, doors: Doors::default(), extra: Vec::new() }, "target/release/mini-ctl");
        assert!(text.starts_with("The cluster is up: 1 node, API server at http://127.0.0.1:6443, everything is kept in /h\n"), "{text}");
        assert!(text.contains("\n  target/release/mini-ctl get nodes\n"));
        assert!(text.contains("\n  kubectl --kubeconfig /h/kubeconfig get nodes\n"));
    }
}
