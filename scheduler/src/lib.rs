//! The choice of a node for every pod that has none.
//!
//! Two watches (nodes, pods) feed one loop, which owns all state: the [`queue`] of pods that wait and the [`snapshot`] of what
//! the nodes have left. For each pod whose turn it is, the pure [`cycle`] asks the [`plugins`] and decides; the decision is
//! assumed at once, and stored by many bindings in flight while the loop goes on. Nothing is kept on disk: after a restart
//! everything is read from the API again, and a pod can be bound only once because the API server refuses a second binding.
//!
//! This room must not know how objects are stored, what controllers want, or what a kubelet does with a bound pod.

use std::path::PathBuf;

use kube::{Api, Client};
use mini_daemon::{
    clock, connect,
    events::Recorder,
    lease::{Candidate, ElectionArgs},
    process::Running,
    tasks::Tasks,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    bind::{Binding, Hands, Report},
    configuration::Configuration,
    desk::Questions,
    node::NodeView,
    pod::PodView,
    profile::Profile,
    scheduler::{Input, Moment, Scheduler, Work},
};

pub use crate::desk::Desk;

pub mod account;
pub mod amounts;
mod bind;
pub mod budget;
pub mod census;
pub mod cluster;
pub mod configuration;
pub mod cycle;
mod desk;
pub mod diagnosis;
mod evict;
pub mod explain;
pub mod extension;
pub mod framework;
pub mod memo;
mod meta;
pub mod namespace;
pub mod node;
pub mod nomination;
pub mod plugins;
pub mod pod;
mod prebind;
pub mod preempt;
pub mod profile;
pub mod queue;
mod record;
pub mod relations;
mod scheduler;
pub mod service;
mod slots;
pub mod snapshot;
pub mod storage;
mod utilization;
mod watch;

/// How many watch events may wait for the loop before the watches are slowed down.
const INPUTS: usize = 4096;

/// The flags of `mini-scheduler`.
#[derive(clap::Parser, Debug)]
#[command(name = "mini-scheduler", version, about = "Chooses a node for every pod that has none")]
pub struct Args {
    /// What every program can be told.
    #[command(flatten)]
    pub process: mini_daemon::process::ProcessArgs,
    /// Where the API server is.
    #[command(flatten)]
    pub connect: mini_daemon::connect::ConnectArgs,
    /// Which of several copies works.
    #[command(flatten)]
    pub election: ElectionArgs,
    /// What only this one can.
    #[command(flatten)]
    pub config: Config,
}

/// The flags of the scheduler.
#[derive(clap::Args, Clone, Debug)]
pub struct Config {
    /// The pods to look after are those with this `spec.schedulerName`; also the source of their Events.
    #[arg(long, value_name = "NAME", default_value = Profile::DEFAULT_NAME, conflicts_with = "config")]
    pub scheduler_name: String,
    /// A KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1): profiles, their plugins and what those are told. How to reach
    /// the API server is said by flags.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How many bindings may be on their way at once.
    #[arg(long, value_name = "N", default_value_t = Config::BIND_WORKERS, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub bind_workers: usize,
}

impl Config {
    const BIND_WORKERS: usize = 128;

    /// What the file says; without one, upstream's defaults for one scheduler name.
    fn configuration(&self) -> Result<Configuration, configuration::Error> {
        match &self.config {
            Some(file) => Configuration::load(file),
            None => Ok(Configuration { profiles: vec![Profile::named(&self.scheduler_name)], ..Configuration::default() }),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self { scheduler_name: Profile::DEFAULT_NAME.to_owned(), config: None, bind_workers: Self::BIND_WORKERS }
    }
}

/// What it calls itself to the API server: upstream's name, for it is the manager of the fields it writes.
pub const AGENT: &str = "kube-scheduler";

/// Schedules pods while this copy is the leader, until the token of `tasks` is cancelled.
///
/// # Errors
/// As [`run`], and when another copy works in this one's place.
pub fn lead(client: Client, election: ElectionArgs, config: Config, desk: Desk, tasks: Tasks) -> Running {
    // A wrong configuration is told at once, not when this copy's turn comes.
    if let Err(error) = config.configuration() {
        return Box::pin(async { Err(error.into()) });
    }
    // Upstream speaks of the election, too, as the scheduler its pods name.
    let candidate = Candidate { lease: AGENT, component: Profile::DEFAULT_NAME };
    election.lead(client.clone(), candidate, tasks, move |tasks| run(client.clone(), config.clone(), desk.clone(), tasks))
}

/// Schedules pods, and answers what is asked at the desk, until the token of `tasks` is cancelled. Outages of the API server are waited
/// out.
///
/// # Errors
/// When the configuration file is wrong, or a task dies, which would be a defect.
pub fn run(client: Client, config: Config, desk: Desk, tasks: Tasks) -> Running {
    Box::pin(start(client, config, desk, tasks))
}

async fn start(client: Client, config: Config, desk: Desk, mut tasks: Tasks) -> anyhow::Result<()> {
    let configuration = config.configuration()?;
    let token = tasks.token();
    token.run_until_cancelled(connect::wait_ready(&client)).await.transpose()?;
    let (inputs, received) = mpsc::channel(INPUTS);
    // A short queue before the bindings in flight: what is not yet sent can still wait for more urgent pods.
    let (binds, bind_jobs) = mpsc::channel(config.bind_workers);
    let (reports, report_jobs) = mpsc::unbounded_channel();
    let recorder = Recorder::new(client.clone(), &config.scheduler_name, None, &mut tasks);
    let hands = Hands { client: client.clone(), recorder, inputs: inputs.clone() };

    let watch_nodes = watch::watch(Api::<NodeView>::all(client.clone()), Input::Node, inputs.clone());
    let watch_pods = watch::watch(Api::<PodView>::all(client.clone()), Input::Pod, inputs.clone());
    for (name, mirror) in watch::mirrors(&client, &inputs) {
        tasks.spawn(format!("watch of {name}"), until(token.clone(), mirror));
    }
    tasks.spawn("watch of nodes", until(token.clone(), watch_nodes));
    tasks.spawn("watch of pods", until(token.clone(), watch_pods));
    tasks.spawn("binding", until(token.clone(), hands.clone().bind_all(bind_jobs, config.bind_workers)));
    tasks.spawn("reporting", until(token.clone(), hands.report_all(report_jobs)));
    tasks.spawn("scheduling", until(token, drive(Scheduler::new(configuration), received, desk.open(), binds, reports)));
    tasks.join().await
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) -> anyhow::Result<()> {
    stop.run_until_cancelled(work).await;
    Ok(())
}

async fn wake_at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// The loop: news first, then questions, then one pod at a time, for as long as bindings can be taken.
async fn drive(
    mut scheduler: Scheduler,
    mut inputs: mpsc::Receiver<Input>,
    mut questions: Questions,
    binds: mpsc::Sender<Binding>,
    reports: mpsc::UnboundedSender<Report>,
) {
    let started = Instant::now();
    let mut batch = Vec::with_capacity(INPUTS);
    loop {
        let due = scheduler.next_due().map(|due| started + due);
        tokio::select! {
            biased;
            received = inputs.recv_many(&mut batch, INPUTS) => {
                if received == 0 {
                    return;
                }
                let now = started.elapsed();
                batch.drain(..).for_each(|input| scheduler.apply(input, now));
            }
            () = wake_at(due) => scheduler.tick(started.elapsed()),
            (question, answer) = questions.next() => {
                let now = Moment { elapsed: started.elapsed(), time: clock::now() };
                // Whoever asked may have gone.
                let _ = answer.send(scheduler.explain(question, now));
            }
            slot = binds.reserve(), if scheduler.is_ready() => {
                let Ok(slot) = slot else { return };
                let reported = match scheduler.schedule_one(started.elapsed(), clock::random()) {
                    Some(Work::Bind(binding)) => { slot.send(binding); Ok(()) },
                    Some(Work::Report(report)) => reports.send(report),
                    None => Ok(()),
                };
                if reported.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use axum::{
        Router,
        body::Body,
        extract::{Request, State},
        response::{IntoResponse, Response},
    };
    use serde_json::{Value, json};

    use super::*;

    type Written = mpsc::UnboundedSender<(String, Value)>;

    /// An API server that has one node and two pods, of which one fits; it notes what is written and changes nothing.
    async fn api_server(State(written): State<Written>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        if parts.method != "GET" {
            let body = serde_json::from_slice(&axum::body::to_bytes(body, usize::MAX).await.unwrap()).unwrap();
            let answer = if path.ends_with("/status") { pod("huge", "100") } else { json!({"kind": "Status", "status": "Success"}) };
            written.send((format!("{} {path}", parts.method), body)).unwrap();
            return answer.to_string().into_response();
        }
        if parts.uri.query().is_some_and(|query| query.contains("watch=true")) {
            return Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>()).into_response();
        }
        let items = match path.as_str() {
            "/api/v1/nodes" => {
                let allocatable = json!({"cpu": "4", "memory": "8Gi", "pods": "110"});
                json!([{"metadata": {"name": "n1", "resourceVersion": "1"}, "status": {"allocatable": allocatable}}])
            }
            "/api/v1/pods" => json!([pod("web", "1"), pod("huge", "100")]),
            path if path.starts_with("/api") => json!([]),
            _ => return "ok".into_response(),
        };
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "9"}, "items": items}).to_string().into_response()
    }

    fn pod(name: &str, cpu: &str) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}"), "resourceVersion": "7"},
            "spec": {"schedulerName": "default-scheduler", "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]},
            "status": {"phase": "Pending"}
        })
    }

    #[tokio::test]
    async fn pods_are_bound_or_told_why_not_over_http() {
        let (written, mut seen) = mpsc::unbounded_channel();
        let client = Client::new(Router::new().fallback(api_server).with_state(written), "default");
        let tasks = Tasks::new();
        let token = tasks.token();
        let collect = async {
            let mut all = HashMap::new();
            while all.len() < 4 {
                let (what, body): (String, Value) = seen.recv().await.unwrap();
                let about = body["involvedObject"]["name"].as_str().map(|name| format!(" about {name}"));
                all.insert(what + &about.unwrap_or_default(), body);
            }
            token.cancel();
            all
        };
        let both = async { tokio::join!(run(client, Config::default(), Desk::default(), tasks), collect) };
        let (ended, all) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
        ended.unwrap();

        let bound = &all["POST /api/v1/namespaces/default/pods/web/binding"];
        assert_eq!((&bound["kind"], &bound["metadata"]["uid"]), (&json!("Binding"), &json!("uid-web")));
        assert_eq!(bound["target"], json!({"kind": "Node", "name": "n1"}));
        let scheduled = &all["POST /api/v1/namespaces/default/events about web"];
        assert_eq!((&scheduled["reason"], &scheduled["source"]["component"]), (&json!("Scheduled"), &json!("default-scheduler")));
        assert_eq!(scheduled["message"], "Successfully assigned default/web to n1");
        let why = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
        let failed = &all["POST /api/v1/namespaces/default/events about huge"];
        assert_eq!((&failed["reason"], &failed["type"], &failed["message"]), (&json!("FailedScheduling"), &json!("Warning"), &json!(why)));
        let condition = &all["PATCH /api/v1/namespaces/default/pods/huge/status"]["status"]["conditions"][0];
        assert_eq!(
            (&condition["status"], &condition["reason"], &condition["message"]),
            (&json!("False"), &json!("Unschedulable"), &json!(why))
        );
    }
}
