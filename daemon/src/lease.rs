//! Leader election: of several copies of a program one works, and the others wait for its Lease to run out.
//!
//! The rules are client-go's. The clocks of the copies need not agree: a Lease has run out when *we* have seen it unchanged for as
//! long as it is for; the times written in it are for people. Who cannot renew in time stops its work before anybody else may
//! begin, and stands for election again; who finds another in its place ends, for something is wrong.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use clap::{ArgAction, Args};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::{
    clock, connect,
    events::{self, Recorder},
    flags::seconds,
    process::{self, Running},
    tasks::Tasks,
};

/// Pauses between attempts to become the leader are longer than asked for by up to this factor, so that the copies do not all
/// ask at once.
const JITTER: f64 = 1.2;
/// What giving the Lease back may take at the end.
const PARTING: Duration = Duration::from_secs(2);

/// The flags of whatever may run in several copies of which one works.
#[derive(Args, Clone, Debug)]
pub struct ElectionArgs {
    /// Works only while holding the Lease, so that several copies may run.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = ArgAction::Set)]
    pub leader_elect: bool,
    /// How long the others wait for a leader that does not renew its Lease.
    #[arg(long, value_name = "SECONDS", default_value = "15s", value_parser = seconds)]
    pub leader_elect_lease_duration: Duration,
    /// How long a leader that cannot renew its Lease goes on working.
    #[arg(long, value_name = "SECONDS", default_value = "10s", value_parser = seconds)]
    pub leader_elect_renew_deadline: Duration,
    /// How often the Lease is renewed, or looked at.
    #[arg(long, value_name = "SECONDS", default_value = "2s", value_parser = seconds)]
    pub leader_elect_retry_period: Duration,
    /// The Lease's name [default: upstream's name of the program].
    #[arg(long, value_name = "NAME")]
    pub leader_elect_resource_name: Option<String>,
    /// The Lease's namespace.
    #[arg(long, value_name = "NAME", default_value = "kube-system")]
    pub leader_elect_resource_namespace: String,
    /// What this copy is called in the Lease. No two copies may share it; one that is started in place of another that has ended
    /// may take its name, and so its Lease, over [default: HOST_UUID].
    #[arg(long, value_name = "NAME")]
    pub leader_elect_identity: Option<String>,
}

/// Which program is to be led.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The Lease's name, unless a flag names another.
    pub lease: &'static str,
    /// The source of its Events.
    pub component: &'static str,
}

impl ElectionArgs {
    /// Runs a program as often as it is, and while it is, the leader; until `tasks` is asked to stop. The Lease is then given back.
    pub fn lead(self, client: Client, candidate: Candidate, tasks: Tasks, run: impl Fn(Tasks) -> Running + Send + 'static) -> Running {
        Box::pin(self.stand(client, candidate, tasks, Box::new(run)))
    }

    async fn stand(self, client: Client, candidate: Candidate, mut tasks: Tasks, run: Box<dyn Fn(Tasks) -> Running + Send>) -> Result<()> {
        if !self.leader_elect {
            return run(tasks).await;
        }
        self.check()?;
        let token = tasks.token();
        let recorder = Recorder::new(client.clone(), candidate.component, None, &mut tasks);
        let mut elector = Elector::new(client.clone(), self, candidate.lease);
        token.run_until_cancelled(connect::wait_ready(&client)).await.transpose()?;
        let mut ended = Ok(());
        while ended.is_ok() && token.run_until_cancelled(elector.acquire()).await.is_some() {
            tracing::info!(lease = elector.name, identity = elector.me, "became the leader");
            elector.tell(&recorder, "became leader");
            let mut work = run(tasks.child());
            ended = tokio::select! {
                ended = &mut work => {
                    elector.release().await;
                    ended
                }
                lost = elector.hold() => lost.map_err(|holder| anyhow!("leaderelection lost: {} is held by {holder}", elector.name)),
            };
            // What is dropped is aborted: nothing is done any more by one who does not lead.
            drop(work);
            if token.is_cancelled() {
                break;
            }
            if ended.is_ok() {
                tracing::warn!(lease = elector.name, "the Lease could not be renewed in time: all work is stopped until it can");
                elector.tell(&recorder, "stopped leading");
            }
        }
        token.cancel();
        tasks.join().await.and(ended)
    }

    fn check(&self) -> Result<()> {
        let (lease, deadline) = (self.leader_elect_lease_duration, self.leader_elect_renew_deadline);
        ensure!(lease >= Duration::from_secs(1), "--leader-elect-lease-duration must be at least one second");
        ensure!(lease > deadline, "--leader-elect-lease-duration must be greater than --leader-elect-renew-deadline");
        let pause = self.leader_elect_retry_period.mul_f64(JITTER);
        ensure!(deadline > pause, "--leader-elect-renew-deadline must be greater than --leader-elect-retry-period*{JITTER}");
        ensure!(!pause.is_zero(), "--leader-elect-retry-period must be greater than zero");
        Ok(())
    }
}

/// `HOST_UUID`, as upstream's components call themselves.
fn identity() -> String {
    format!("{}_{}", process::host_name(), clock::uuid())
}

/// One who wants the Lease.
struct Elector {
    api: Api<Lease>,
    args: ElectionArgs,
    name: String,
    me: String,
    /// The Lease as it was seen last, and since when it is as it is.
    seen: Option<(Lease, Instant)>,
    /// When the Lease was last made ours: the moment before we asked.
    renewed: Instant,
}

impl Elector {
    fn new(client: Client, args: ElectionArgs, name: &str) -> Self {
        let api = Api::namespaced(client, &args.leader_elect_resource_namespace);
        let name = args.leader_elect_resource_name.clone().unwrap_or_else(|| name.to_owned());
        let me = args.leader_elect_identity.clone().unwrap_or_else(identity);
        Self { api, args, name, me, seen: None, renewed: Instant::now() }
    }

    /// Waits until the Lease is ours.
    async fn acquire(&mut self) {
        loop {
            match timeout(self.args.leader_elect_renew_deadline, self.attempt()).await {
                Ok(Ok(true)) => return,
                Ok(Ok(false)) => tracing::debug!(lease = self.name, holder = self.holder(), "another one leads"),
                Ok(Err(error)) => tracing::debug!(lease = self.name, %error, "the Lease cannot be had"),
                Err(_) => tracing::debug!(lease = self.name, "no answer about the Lease"),
            }
            #[expect(clippy::cast_precision_loss, reason = "a random fraction needs no 64 bits")]
            let fraction = clock::random() as f64 / u64::MAX as f64;
            sleep(self.args.leader_elect_retry_period.mul_f64(1.0 + JITTER * fraction)).await;
        }
    }

    /// Renews the Lease for as long as that is possible in time; then it is over (`Ok`), or another's (`Err`).
    async fn hold(&mut self) -> Result<(), String> {
        loop {
            sleep(self.args.leader_elect_retry_period).await;
            let deadline = self.renewed + self.args.leader_elect_renew_deadline;
            match timeout_at(deadline, self.attempt()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return Err(self.holder().to_owned()),
                Ok(Err(error)) if Instant::now() + self.args.leader_elect_retry_period < deadline => {
                    tracing::debug!(lease = self.name, %error, "the Lease is not renewed yet");
                }
                Ok(Err(_)) => {
                    sleep_until(deadline).await;
                    return Ok(());
                }
                Err(_) => return Ok(()),
            }
        }
    }

    /// Tries once to make the Lease ours, or ours for longer; says whether it is.
    async fn attempt(&mut self) -> kube::Result<bool> {
        if self.holder() == self.me {
            match self.write().await {
                // Someone touched it: look what it is now.
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
                other => return other,
            }
        }
        match self.api.get_opt(&self.name).await? {
            Some(lease) => {
                let since = self.seen.take().filter(|(old, _)| old.spec == lease.spec).map_or_else(Instant::now, |(_, since)| since);
                self.seen = Some((lease, since));
            }
            None => self.seen = None,
        }
        self.write().await
    }

    async fn write(&mut self) -> kube::Result<bool> {
        let (asked, there) = (Instant::now(), self.seen.as_ref());
        let spec = there.map(|(lease, _)| lease.spec.clone().unwrap_or_default());
        let unchanged = there.map_or(Duration::ZERO, |(_, since)| asked - *since);
        let duration = self.args.leader_elect_lease_duration;
        let Some(spec) = decide(&self.me, duration, spec, unchanged, clock::now()) else { return Ok(false) };
        let lease = self.replace(spec).await?;
        self.seen = Some((lease, asked));
        self.renewed = asked;
        Ok(true)
    }

    /// Makes the Lease, or makes the one that was seen last into this.
    async fn replace(&self, spec: LeaseSpec) -> kube::Result<Lease> {
        match &self.seen {
            Some((lease, _)) => {
                let new = Lease { spec: Some(spec), metadata: lease.metadata.clone() };
                self.api.replace(&self.name, &PostParams::default(), &new).await
            }
            None => {
                let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
                self.api.create(&PostParams::default(), &Lease { spec: Some(spec), metadata }).await
            }
        }
    }

    /// Gives the Lease back, so that another one need not wait.
    async fn release(&self) {
        let Some(spec) = self.seen.as_ref().and_then(|(lease, _)| lease.spec.as_ref()) else { return };
        match timeout(PARTING, self.replace(released(spec, clock::now()))).await {
            Ok(Ok(_)) => tracing::info!(lease = self.name, "the Lease is given back"),
            Ok(Err(error)) => tracing::debug!(lease = self.name, %error, "the Lease is not given back"),
            Err(_) => tracing::debug!(lease = self.name, "no answer about the Lease"),
        }
    }

    /// Who holds the Lease as far as we have seen.
    fn holder(&self) -> &str {
        self.seen.as_ref().and_then(|(lease, _)| lease.spec.as_ref()?.holder_identity.as_deref()).unwrap_or_default()
    }

    fn tell(&self, recorder: &Recorder, what: &str) {
        if let Some((lease, _)) = &self.seen {
            recorder.normal(&events::reference(lease), "LeaderElection", format!("{} {what}", self.me));
        }
    }
}

/// What `me` is to write into the Lease that has been as it is for so long; nothing while it is another's.
fn decide(me: &str, duration: Duration, there: Option<LeaseSpec>, unchanged: Duration, now: Timestamp) -> Option<LeaseSpec> {
    let seconds = i32::try_from(duration.as_secs()).unwrap_or(i32::MAX);
    let Some(there) = there else {
        return Some(LeaseSpec { lease_transitions: Some(0), ..held(LeaseSpec::default(), me, seconds, now) });
    };
    let holder = there.holder_identity.as_deref().unwrap_or_default();
    if holder == me {
        let since = there.acquire_time.clone();
        return Some(LeaseSpec { acquire_time: since, ..held(there, me, seconds, now) });
    }
    let lasts = Duration::from_secs(there.lease_duration_seconds.unwrap_or(0).try_into().unwrap_or(0));
    if !holder.is_empty() && unchanged < lasts {
        return None;
    }
    let transitions = there.lease_transitions.unwrap_or(0).saturating_add(1);
    Some(LeaseSpec { lease_transitions: Some(transitions), ..held(there, me, seconds, now) })
}

fn held(there: LeaseSpec, me: &str, seconds: i32, now: Timestamp) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: Some(seconds),
        acquire_time: Some(MicroTime(now)),
        renew_time: Some(MicroTime(now)),
        ..there
    }
}

/// The Lease nobody holds any more.
fn released(there: &LeaseSpec, now: Timestamp) -> LeaseSpec {
    LeaseSpec { holder_identity: None, ..held(there.clone(), "", 1, now) }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use axum::{
        Router,
        extract::State,
        http::{Method, StatusCode, Uri},
    };
    use clap::Parser;
    use parking_lot::Mutex;
    use serde_json::{Value, json};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn spec(holder: Option<&str>, acquired: i64, renewed: i64, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(15),
            acquire_time: Some(MicroTime(at(acquired))),
            renew_time: Some(MicroTime(at(renewed))),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn who_may_have_the_lease() {
        let mine = |acquired, transitions| Some(spec(Some("me"), acquired, 100, transitions));
        for (there, unchanged, expected) in [
            (None, 0, mine(100, 0)),
            (Some(spec(Some("me"), 50, 98, 3)), 2, mine(50, 3)),
            // Whatever the other's clock says.
            (Some(spec(Some("other"), 1, 1, 3)), 14, None),
            (Some(spec(Some("other"), 1, 999, 3)), 15, mine(100, 4)),
            (Some(spec(None, 50, 99, 3)), 0, mine(100, 4)),
            (Some(spec(Some(""), 50, 99, 3)), 0, mine(100, 4)),
            (Some(LeaseSpec { lease_duration_seconds: None, ..spec(Some("other"), 50, 99, 0) }), 0, mine(100, 1)),
        ] {
            let decided = decide("me", 15 * SECOND, there.clone(), unchanged * SECOND, at(100));
            assert_eq!(decided, expected, "{there:?} for {unchanged} s");
        }
        let free = released(&spec(Some("me"), 50, 98, 3), at(100));
        assert_eq!(free, LeaseSpec { lease_duration_seconds: Some(1), ..spec(None, 100, 100, 3) });
    }

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        election: ElectionArgs,
    }

    fn args(flags: &[&str]) -> ElectionArgs {
        Program::try_parse_from([&["program"], flags].concat()).unwrap().election
    }

    #[test]
    fn flags_are_as_upstream() {
        assert!(args(&[]).leader_elect && args(&["--leader-elect"]).leader_elect && args(&["--leader-elect=true"]).leader_elect);
        assert!(!args(&["--leader-elect=false"]).leader_elect);
        args(&[]).check().unwrap();
        let error = args(&["--leader-elect-renew-deadline", "20s"]).check().unwrap_err().to_string();
        assert_eq!(error, "--leader-elect-lease-duration must be greater than --leader-elect-renew-deadline");
        let error = args(&["--leader-elect-retry-period", "9s"]).check().unwrap_err().to_string();
        assert_eq!(error, "--leader-elect-renew-deadline must be greater than --leader-elect-retry-period*1.2");
    }

    /// As much of an API server as a Lease needs; it can be out of reach.
    #[derive(Default)]
    struct Server {
        lease: Option<Value>,
        revision: u64,
        down: bool,
    }

    type Shared = Arc<Mutex<Server>>;

    async fn answer(State(server): State<Shared>, method: Method, uri: Uri, body: String) -> (StatusCode, String) {
        let mut server = server.lock();
        let fail = |code: StatusCode, reason: &str| {
            let status = json!({"kind": "Status", "status": "Failure", "code": code.as_u16(), "reason": reason, "message": reason});
            (code, status.to_string())
        };
        if server.down {
            return fail(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable");
        }
        if !uri.path().contains("/leases") {
            return (StatusCode::OK, "{}".to_owned());
        }
        if method == Method::GET {
            let there = server.lease.as_ref().map(|lease| (StatusCode::OK, lease.to_string()));
            return there.unwrap_or_else(|| fail(StatusCode::NOT_FOUND, "NotFound"));
        }
        let mut lease: Value = serde_json::from_str(&body).unwrap();
        if server.lease.as_ref().is_some_and(|there| there["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"]) {
            return fail(StatusCode::CONFLICT, "Conflict");
        }
        server.revision += 1;
        lease["metadata"]["resourceVersion"] = json!(server.revision.to_string());
        server.lease = Some(lease.clone());
        (StatusCode::OK, lease.to_string())
    }

    /// A copy that counts itself while it works.
    fn copy(server: &Shared, name: &str, working: &Arc<AtomicUsize>, tasks: Tasks) -> Running {
        let service: Router = Router::new().fallback(answer).with_state(server.clone());
        let working = working.clone();
        args(&["--leader-elect-identity", name]).lead(
            Client::new(service, "default"),
            Candidate { lease: "program", component: "program" },
            tasks,
            move |mut tasks| {
                struct Working(Arc<AtomicUsize>);
                impl Drop for Working {
                    fn drop(&mut self) {
                        self.0.fetch_sub(1, Ordering::SeqCst);
                    }
                }
                let (token, working) = (tasks.token(), working.clone());
                tasks.spawn("work", async move {
                    assert_eq!(working.fetch_add(1, Ordering::SeqCst), 0, "two work at once");
                    let _guard = Working(working);
                    token.cancelled().await;
                    Ok(())
                });
                Box::pin(tasks.join())
            },
        )
    }

    fn holder(server: &Shared) -> Value {
        server.lock().lease.as_ref().map(|lease| lease["spec"]["holderIdentity"].clone()).unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn one_leads_and_the_other_follows_when_it_ends() {
        let (server, working) = (Shared::default(), Arc::default());
        let mut all = Tasks::new();
        let (first, second) = (Tasks::new(), Tasks::new());
        let stop = [first.token(), second.token()];
        all.spawn("first", copy(&server, "first", &working, first));
        sleep(SECOND).await;
        all.spawn("second", copy(&server, "second", &working, second));
        sleep(60 * SECOND).await;
        assert_eq!((holder(&server), working.load(Ordering::SeqCst)), (json!("first"), 1));

        stop[0].cancel();
        sleep(5 * SECOND).await;
        assert_eq!((holder(&server), working.load(Ordering::SeqCst)), (json!("second"), 1), "what is given back is not waited for");
        assert_eq!(server.lock().lease.as_ref().unwrap()["spec"]["leaseTransitions"], json!(1));
        stop[1].cancel();
        all.join().await.unwrap();
        assert_eq!((holder(&server), working.load(Ordering::SeqCst)), (Value::Null, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_without_server_stops_in_time_and_goes_on_later() {
        let (server, working) = (Shared::default(), Arc::default());
        let mut all = Tasks::new();
        let tasks = Tasks::new();
        let stop = tasks.token();
        all.spawn("first", copy(&server, "first", &working, tasks));
        sleep(SECOND).await;
        server.lock().down = true;
        sleep(8 * SECOND).await;
        assert_eq!(working.load(Ordering::SeqCst), 1, "a short outage is nothing");
        sleep(4 * SECOND).await;
        assert_eq!(working.load(Ordering::SeqCst), 0, "before another one may begin");
        server.lock().down = false;
        sleep(5 * SECOND).await;
        assert_eq!(working.load(Ordering::SeqCst), 1);
        stop.cancel();
        all.join().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_another_in_its_place_ends() {
        let (server, working) = (Shared::default(), Arc::default());
        let leading = copy(&server, "first", &working, Tasks::new());
        let usurped = async {
            sleep(SECOND).await;
            let mut server = server.lock();
            server.revision += 1;
            let revision = server.revision.to_string();
            let lease = server.lease.as_mut().unwrap();
            (lease["spec"]["holderIdentity"], lease["metadata"]["resourceVersion"]) = (json!("second"), json!(revision));
        };
        let (ended, ()) = tokio::join!(leading, usurped);
        assert_eq!(ended.unwrap_err().to_string(), "leaderelection lost: program is held by second");
        assert_eq!(working.load(Ordering::SeqCst), 0);
    }
}
