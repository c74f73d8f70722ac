//! How pods are sent away: all at once, each asked again while a disruption budget says no, and waited for until it is gone.

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use mini_api::duration;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Args, Trouble,
    pods::{is_old_ending, slashed},
    said,
};
use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    print::{notice, print},
    server::{Call, JSON, Server, with_query},
    value::{name, namespace},
    writing::DryRun,
};

/// The pause before a pod is asked to go again.
const AGAIN: Duration = Duration::from_secs(5);
/// The pause between two looks whether it is gone.
const POLL: Duration = Duration::from_secs(1);

/// One emptying of a node.
pub(super) struct Eviction<'a> {
    args: &'a Args,
    server: &'a Server,
    pods: Resource,
    /// When it is given up, if ever.
    deadline: Option<Instant>,
}

impl<'a> Eviction<'a> {
    pub(super) async fn new(args: &'a Args, context: &'a Context) -> Result<Self> {
        let deadline = (args.timeout > Duration::ZERO).then(|| Instant::now() + args.timeout);
        Ok(Self { args, server: context.server().await?, pods: context.catalog().await?.find("pods")?.clone(), deadline })
    }

    /// Sends all pods away, or says what went wrong.
    pub(super) async fn all(&self, pods: &[Value]) -> Result<(), Trouble> {
        if self.args.disable_eviction {
            return self.delete(pods).await.map_err(|error| Trouble::One(said(&error)));
        }
        let mut errors = Vec::new();
        for outcome in join_all(pods.iter().map(|pod| self.evict(pod))).await {
            if let Err(error) = outcome
                && !errors.contains(&error)
            {
                errors.push(error);
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(Trouble::Several(errors)) }
    }

    async fn evict(&self, pod: &Value) -> Result<(), String> {
        let asked = format!("pods/{:?} -n {:?}", name(pod), namespace(pod).unwrap_or_default());
        let dry_run = self.args.choice.dry_run;
        loop {
            print(&format!("evicting pod {}{}\n", slashed(pod), dry_run.told())).map_err(|error| said(&error))?;
            if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(format!("error when evicting {asked}: global timeout reached: {}", duration::text(self.args.timeout)));
            }
            let error = match self.ask(pod).await {
                Ok(()) => break,
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => error,
            };
            match error.refusal() {
                Some(refusal) if refusal.code == 429 => {
                    notice(&format!("error when evicting {asked} (will retry after 5s): {}", refusal.message));
                }
                _ => return Err(format!("error when evicting {asked}: {}", said(&error))),
            }
            sleep(AGAIN).await;
        }
        if dry_run == DryRun::Server {
            return Ok(());
        }
        let waited = format!("error when waiting for pod {:?} in namespace {:?} to terminate: ", name(pod), namespace(pod).unwrap_or_default());
        self.in_time(self.until_gone(vec![pod.clone()], "evicted")).await.map_err(|error| format!("{waited}{}", said(&error)))
    }

    /// Waits no longer than the user does.
    async fn in_time(&self, gone: impl Future<Output = Result<()>>) -> Result<()> {
        match self.deadline {
            Some(deadline) => timeout_at(deadline, gone).await.unwrap_or_else(|_| Err(usage("context deadline exceeded"))),
            None => gone.await,
        }
    }

    /// Asks the server to let a pod go.
    async fn ask(&self, pod: &Value) -> Result<()> {
        let metadata = json!({"name": name(pod), "namespace": namespace(pod)});
        let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata, "deleteOptions": self.options()});
        let path = format!("{}/eviction", self.path(pod));
        self.server.call(Call { method: Method::POST, path: &path, content_type: JSON, body: &body }).await.map(|_| ())
    }

    async fn delete(&self, pods: &[Value]) -> Result<()> {
        for pod in pods {
            let path = with_query(&self.path(pod), &[self.args.choice.dry_run.parameter()]);
            let call = Call { method: Method::DELETE, path: &path, content_type: JSON, body: &self.options() };
            match self.server.call(call).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        if self.args.choice.dry_run == DryRun::Server {
            return Ok(());
        }
        self.in_time(self.until_gone(pods.to_vec(), "deleted")).await
    }

    fn options(&self) -> Value {
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
        if self.args.grace_period >= 0 {
            options["gracePeriodSeconds"] = self.args.grace_period.into();
        }
        if self.args.choice.dry_run == DryRun::Server {
            options["dryRun"] = json!(["All"]);
        }
        options
    }

    fn path(&self, pod: &Value) -> String {
        self.pods.object_path(namespace(pod).unwrap_or_default(), name(pod))
    }

    /// Waits for these very pods; new ones of the same names do not count.
    async fn until_gone(&self, mut pods: Vec<Value>, how: &str) -> Result<()> {
        loop {
            let mut pending = Vec::new();
            for pod in pods {
                let now = match self.server.get(&self.path(&pod)).await {
                    Ok(now) if now["metadata"]["uid"] == pod["metadata"]["uid"] => Some(now),
                    Err(error) if !error.is_not_found() => return Err(error),
                    _ => None,
                };
                let seconds = self.args.skip_wait_for_delete_timeout;
                match now {
                    None => print(&format!("pod/{} {how}\n", name(&pod)))?,
                    Some(now) if is_old_ending(&now, seconds, mini_daemon::clock::now()) => {
                        print(&format!("pod {:?} has DeletionTimestamp older than {seconds} seconds, skipping\n", name(&pod)))?;
                    }
                    Some(_) => pending.push(pod),
                }
            }
            if pending.is_empty() {
                return Ok::<(), Error>(());
            }
            pods = pending;
            sleep(POLL).await;
        }
    }
}
