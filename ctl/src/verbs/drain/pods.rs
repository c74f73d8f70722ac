//! Which pods of a node have to go, which may stay, and which must not be taken away without a word from the user.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::Args;
use crate::{
    context::Context,
    error::Result,
    selection::Target,
    server::{JSON, with_query},
    value::{list, name, namespace, text},
};

/// The pods of a node.
#[derive(Debug, Default)]
pub(super) struct Pods {
    /// Those that have to go.
    pub(super) leaving: Vec<Value>,
    pub(super) warned: Remarks,
    pub(super) refused: Remarks,
}

/// What is said about pods, and about which.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Remarks(Vec<(String, Vec<String>)>);

/// What is to be done about one pod.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Leaves,
    LeavesWith(String),
    Stays,
    StaysWith(String),
    Refused(String),
}

/// What the user allows.
#[derive(Clone, Copy, Debug, Default)]
struct Allowed {
    force: bool,
    ignore_daemonsets: bool,
    delete_emptydir_data: bool,
    /// Pods that have been ending for longer are no concern; 0 is never.
    skip_ending: i64,
}

impl Remarks {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `remark: pods`, one for each remark, each with the same beginning.
    pub(super) fn lines(&self, beginning: &str) -> Vec<String> {
        let line = |(remark, pods): &(String, Vec<String>)| format!("{beginning}{remark}: {}", pods.join(", "));
        self.0.iter().map(line).collect()
    }

    fn add(&mut self, remark: String, pod: String) {
        match self.0.iter_mut().find(|(known, _)| *known == remark) {
            Some((_, pods)) => pods.push(pod),
            None => self.0.push((remark, vec![pod])),
        }
    }
}

impl Pods {
    /// Reads the pods of a node and judges them.
    pub(super) async fn on(args: &Args, context: &Context, node: &str) -> Result<Self> {
        let fields = format!("spec.nodeName={node}");
        let path = with_query("/api/v1/pods", &[("labelSelector", &args.pod_selector), ("fieldSelector", &fields)]);
        let answer = context.server().await?.get(&path).await?;
        let pods = list(&answer["items"]);
        let sets = daemon_sets(context, pods).await?;
        let allowed = Allowed {
            force: args.force,
            ignore_daemonsets: args.ignore_daemonsets,
            delete_emptydir_data: args.delete_emptydir_data,
            skip_ending: args.skip_wait_for_delete_timeout,
        };
        let now = mini_daemon::clock::now();
        let mut judged = Self::default();
        for pod in pods {
            let set = controller(pod).filter(|owner| owner["kind"] == "DaemonSet").and_then(|owner| {
                let key = (namespace(pod).unwrap_or_default().to_owned(), text(&owner["name"]).to_owned());
                sets.get(&key)
            });
            match judge(pod, set, allowed, now) {
                Verdict::Stays => {}
                Verdict::StaysWith(remark) => judged.warned.add(remark, slashed(pod)),
                Verdict::Refused(remark) => judged.refused.add(remark, slashed(pod)),
                Verdict::Leaves => judged.leaving.push(pod.clone()),
                Verdict::LeavesWith(remark) => {
                    judged.warned.add(remark, slashed(pod));
                    judged.leaving.push(pod.clone());
                }
            }
        }
        Ok(judged)
    }
}

/// Whether the DaemonSets of these pods are there; if not, what the server says.
async fn daemon_sets(context: &Context, pods: &[Value]) -> Result<BTreeMap<(String, String), Result<(), (bool, String)>>> {
    let mut sets = BTreeMap::new();
    for pod in pods {
        let Some(owner) = controller(pod).filter(|owner| owner["kind"] == "DaemonSet") else { continue };
        let key = (namespace(pod).unwrap_or_default().to_owned(), text(&owner["name"]).to_owned());
        if sets.contains_key(&key) {
            continue;
        }
        let resource = context.catalog().await?.find("daemonsets.apps")?.clone();
        let target = Target { resource, namespace: key.0.clone(), name: key.1.clone(), source: String::new() };
        let there = match target.fetch(context.server().await?, JSON).await {
            Ok(_) => Ok(()),
            Err(error) => match error.refusal() {
                Some(refusal) => Err((error.is_not_found(), refusal.message.clone())),
                None => return Err(error),
            },
        };
        sets.insert(key, there);
    }
    Ok(sets)
}

fn controller(pod: &Value) -> Option<&Value> {
    list(&pod["metadata"]["ownerReferences"]).iter().find(|owner| owner["controller"] == true)
}

/// `namespace/name`.
pub(super) fn slashed(pod: &Value) -> String {
    format!("{}/{}", namespace(pod).unwrap_or_default(), name(pod))
}

/// Whether a pod has been ending for more than so many seconds, if that matters.
pub(super) fn is_old_ending(pod: &Value, seconds: i64, now: Timestamp) -> bool {
    let since = pod["metadata"]["deletionTimestamp"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    seconds > 0 && since.is_some_and(|since| now.duration_since(since).as_secs() > seconds)
}

/// The rules one after the other; of several remarks the last remains, as in kubectl. `set` is whether the pod's DaemonSet is there.
fn judge(pod: &Value, set: Option<&Result<(), (bool, String)>>, allowed: Allowed, now: Timestamp) -> Verdict {
    if is_old_ending(pod, allowed.skip_ending, now) {
        return Verdict::Stays;
    }
    let finished = matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed");
    let mut verdict = Verdict::Leaves;
    match set {
        _ if finished => {}
        Some(Err((true, why))) if allowed.force => verdict = Verdict::LeavesWith(why.clone()),
        Some(Err((_, why))) => return Verdict::Refused(why.clone()),
        Some(Ok(())) if allowed.ignore_daemonsets => return Verdict::StaysWith("ignoring DaemonSet-managed Pods".into()),
        Some(Ok(())) => return Verdict::Refused("DaemonSet-managed Pods (use --ignore-daemonsets to ignore)".into()),
        None => {}
    }
    if pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string() {
        return Verdict::Stays;
    }
    if !finished && list(&pod["spec"]["volumes"]).iter().any(|volume| volume["emptyDir"].is_object()) {
        if !allowed.delete_emptydir_data {
            return Verdict::Refused("Pods with local storage (use --delete-emptydir-data to override)".into());
        }
        verdict = Verdict::LeavesWith("deleting Pods with local storage".into());
    }
    if !finished && controller(pod).is_none() {
        if !allowed.force {
            return Verdict::Refused("cannot delete Pods that declare no controller (use --force to override)".into());
        }
        return Verdict::LeavesWith("deleting Pods that declare no controller".into());
    }
    // What has a controller and no remark of its own goes without one, whatever was to be said before.
    match verdict {
        Verdict::LeavesWith(_) if finished || controller(pod).is_some() => Verdict::Leaves,
        verdict => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods_are_judged() {
        let owned = |kind: &str| json!([{"controller": true, "kind": kind, "name": "o"}]);
        let all = Allowed { force: true, ignore_daemonsets: true, delete_emptydir_data: true, skip_ending: 0 };
        let none = Allowed::default();
        let lone = json!({});
        let web = json!({"metadata": {"ownerReferences": owned("ReplicaSet")}});
        let daemon = json!({"metadata": {"ownerReferences": owned("DaemonSet")}});
        let data = json!({"metadata": {"ownerReferences": owned("ReplicaSet")}, "spec": {"volumes": [{"emptyDir": {}}]}});
        let done = json!({"status": {"phase": "Succeeded"}, "spec": {"volumes": [{"emptyDir": {}}]}});
        let mirror = json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}});
        let (there, gone) = (Ok(()), Err((true, "daemonsets.apps \"o\" not found".to_owned())));
        let refused = |why: &str| Verdict::Refused(why.into());
        for (pod, set, allowed, verdict) in [
            (&web, None, none, Verdict::Leaves),
            (&lone, None, none, refused("cannot delete Pods that declare no controller (use --force to override)")),
            (&lone, None, all, Verdict::LeavesWith("deleting Pods that declare no controller".into())),
            (&daemon, Some(&there), none, refused("DaemonSet-managed Pods (use --ignore-daemonsets to ignore)")),
            (&daemon, Some(&there), all, Verdict::StaysWith("ignoring DaemonSet-managed Pods".into())),
            (&daemon, Some(&gone), none, refused("daemonsets.apps \"o\" not found")),
            (&daemon, Some(&gone), all, Verdict::Leaves),
            (&data, None, none, refused("Pods with local storage (use --delete-emptydir-data to override)")),
            (&data, None, all, Verdict::Leaves),
            (&done, None, none, Verdict::Leaves),
            (&mirror, None, none, Verdict::Stays),
        ] {
            assert_eq!(judge(pod, set, allowed, Timestamp::UNIX_EPOCH), verdict, "{pod}");
        }
    }

    #[test]
    fn pods_that_do_not_end_may_be_passed_over() {
        let pod = json!({"metadata": {"deletionTimestamp": "2026-11-20T22:40:00Z"}});
        let later = "2026-11-20T22:40:10Z".parse().unwrap();
        for (seconds, old) in [(0, false), (10, false), (9, true)] {
            assert_eq!(is_old_ending(&pod, seconds, later), old, "{seconds}");
        }
    }

    #[test]
    fn remarks_are_collected() {
        let mut remarks = Remarks::default();
        remarks.add("a".into(), "p/1".into());
        remarks.add("b".into(), "p/2".into());
        remarks.add("a".into(), "p/3".into());
        assert_eq!(remarks.lines("no "), ["no a: p/1, p/3", "no b: p/2"]);
    }
}
