//! Which pod and which of its containers a command line means.

use std::{cmp::Reverse, time::Duration};

use futures::StreamExt;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    context::Context,
    discover::Resource,
    error::{Result, usage},
    print::notice,
    server::{JSON, Server, escape, with_query},
    value::{int, list, name, namespace, strings, text},
};

/// The annotation that says which container is meant when nobody says.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// The pause before a server that has ended a watch is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// The path of a pod, or of something below it.
pub(crate) fn path(pod: &Value, below: &str) -> String {
    format!("/api/v1/namespaces/{}/pods/{}{below}", escape(namespace(pod).unwrap_or_default()), escape(name(pod)))
}

/// What a word stands for: `NAME` is a pod, `TYPE/NAME` anything.
pub(crate) async fn named(context: &Context, word: &str) -> Result<(Resource, Value)> {
    let (kind, name) = word.split_once('/').unwrap_or(("pods", word));
    if kind.is_empty() || name.is_empty() || name.contains('/') {
        return Err(usage("arguments in resource/name form must have a single resource and name"));
    }
    let resource = context.catalog().await?.find(kind)?.clone();
    let object = context.server().await?.get(&resource.object_path(context.namespace().await?, name)).await?;
    Ok((resource, object))
}

/// The pod that something stands for: itself, or the best of those that it selects, once there is one.
///
/// # Errors
/// When it selects none, or there is none for so long.
pub(crate) async fn behind(server: &Server, resource: &Resource, object: Value, patience: Duration) -> Result<Value> {
    if is_pod(resource) {
        return Ok(object);
    }
    let Some(selector) = selector_of(&object) else {
        return Err(usage(format!("cannot attach to {}/{}: it selects no pods", resource.qualified_singular(), name(&object))));
    };
    let path = format!("/api/v1/namespaces/{}/pods", escape(namespace(&object).unwrap_or_default()));
    let found = async {
        loop {
            let answer = server.get(&with_query(&path, &[("labelSelector", &selector)])).await?;
            if let Some(best) = list(&answer["items"]).iter().min_by_key(|pod| (rank(pod), restarts(pod))) {
                return Ok(best.clone());
            }
            sleep(PAUSE).await;
        }
    };
    timeout(patience, found).await.unwrap_or_else(|_| Err(usage("timed out waiting for the condition")))
}

/// Whether these are pods.
pub(crate) fn is_pod(resource: &Resource) -> bool {
    resource.group.is_empty() && resource.plural == "pods"
}

/// Waits until something is true of a pod, and returns it as it is then.
///
/// # Errors
/// What `met` finds, or that it took too long. A pod that is gone is not found.
pub(crate) async fn until(server: &Server, pod: &Value, patience: Duration, met: impl Fn(&Value) -> Result<bool>) -> Result<Value> {
    let path = path(pod, "");
    let fields = format!("metadata.name={}", name(pod));
    let waiting = async {
        loop {
            let pod = server.get(&path).await?;
            if met(&pod)? {
                return Ok(pod);
            }
            let version = text(&pod["metadata"]["resourceVersion"]);
            let of_all = path.rsplit_once('/').map_or("", |(all, _)| all);
            let query = [("fieldSelector", fields.as_str()), ("watch", "true"), ("resourceVersion", version)];
            let mut events = server.watch(&with_query(of_all, &query), JSON).await?;
            while let Some(Ok(event)) = events.next().await {
                match text(&event["type"]) {
                    "DELETED" => break,
                    "ADDED" | "MODIFIED" if met(&event["object"])? => return Ok(event["object"].clone()),
                    _ => {}
                }
            }
            // The server ended the watch; it is asked again, but not without a pause.
            sleep(PAUSE).await;
        }
    };
    timeout(patience, waiting).await.unwrap_or_else(|_| Err(usage("timed out waiting for the condition")))
}

/// Whether it will not run any more.
pub(crate) fn is_over(pod: &Value) -> bool {
    matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed")
}

/// The labels by which a workload (or a Service) finds its pods, as the server's selector syntax.
pub(crate) fn selector_of(object: &Value) -> Option<String> {
    let selector = &object["spec"]["selector"];
    let labels = if selector["matchLabels"].is_object() { &selector["matchLabels"] } else { selector };
    let mut parts: Vec<String> =
        strings(labels).filter(|(_, value)| !value.is_empty()).map(|(key, value)| format!("{key}={value}")).collect();
    for requirement in list(&selector["matchExpressions"]) {
        let key = text(&requirement["key"]);
        let values = list(&requirement["values"]).iter().map(text).collect::<Vec<_>>().join(",");
        parts.push(match text(&requirement["operator"]) {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    (!parts.is_empty()).then(|| parts.join(","))
}

/// How fit a pod is to be talked with: on a node, running, ready, ready for long. Smaller is better.
/// Source: kubectl's `podutils`.
pub(crate) fn rank(pod: &Value) -> (bool, u8, bool, String) {
    let status = &pod["status"];
    let phase = match text(&status["phase"]) {
        "Running" => 0,
        "Unknown" => 1,
        "Pending" => 2,
        _ => 3,
    };
    let ready = list(&status["conditions"]).iter().find(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    let since = ready.map(|condition| text(&condition["lastTransitionTime"]).to_owned()).unwrap_or_default();
    (text(&pod["spec"]["nodeName"]).is_empty(), phase, ready.is_none(), since)
}

/// How often it was restarted, and when it was made: what decides between pods of one rank.
pub(crate) fn restarts(pod: &Value) -> (i64, String) {
    let restarts = list(&pod["status"]["containerStatuses"]).iter().map(|status| int(&status["restartCount"])).max().unwrap_or_default();
    (restarts, text(&pod["metadata"]["creationTimestamp"]).to_owned())
}

/// Whose log is most worth reading: that of the fittest, and among those of one rank of that which was restarted often.
pub(crate) fn rank_by_logs(pod: &Value) -> impl Ord + use<> {
    let (restarts, created) = restarts(pod);
    (rank(pod), Reverse(restarts), created)
}

/// The names of a pod's containers: those that come first, the others, and those that were added.
pub(crate) fn names(pod: &Value) -> [Vec<String>; 3] {
    ["initContainers", "containers", "ephemeralContainers"]
        .map(|field| list(&pod["spec"][field]).iter().map(|container| text(&container["name"]).to_owned()).collect())
}

/// A container of a pod, by name.
pub(crate) fn container<'a>(pod: &'a Value, wanted: &str) -> Option<&'a Value> {
    let fields = ["initContainers", "containers", "ephemeralContainers"];
    fields.iter().flat_map(|field| list(&pod["spec"][field])).find(|container| container["name"] == wanted)
}

/// Which container of the pod is meant when nobody says. Says so when it had to choose, unless that is not wanted.
pub(crate) fn default_container(pod: &Value, quiet: bool) -> Result<String> {
    let [init, main, ephemeral] = names(pod);
    let annotated = text(&pod["metadata"]["annotations"][DEFAULT_CONTAINER]);
    if main.iter().any(|name| name == annotated) {
        return Ok(annotated.to_owned());
    }
    let Some(first) = main.first() else {
        return Err(usage(format!("pod {} has no containers", name(pod))));
    };
    if init.len() + main.len() + ephemeral.len() > 1 && !quiet {
        let mut labelled = main.clone();
        labelled.extend(ephemeral.iter().map(|name| format!("{name} (ephem)")));
        labelled.extend(init.iter().map(|name| format!("{name} (init)")));
        notice(&format!("Defaulted container {first:?} out of: {}", labelled.join(", ")));
    }
    Ok(first.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_is_chosen() {
        let pod =
            json!({"metadata": {"name": "p"}, "spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "a"}, {"name": "b"}]}});
        assert_eq!(default_container(&pod, false).unwrap(), "a");
        assert_eq!(names(&pod).concat(), ["i", "a", "b"]);
        assert_eq!(container(&pod, "i"), Some(&json!({"name": "i"})));
        let mut annotated = pod;
        annotated["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/default-container": "b"});
        assert_eq!(default_container(&annotated, false).unwrap(), "b");
    }

    #[test]
    fn selectors_of_workloads_and_services() {
        let deployment = json!({"spec": {"selector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["d", "e"]}]}}});
        assert_eq!(selector_of(&deployment).as_deref(), Some("a=b,c in (d,e)"));
        assert_eq!(selector_of(&json!({"spec": {"selector": {"app": "web"}}})).as_deref(), Some("app=web"));
        assert_eq!(selector_of(&json!({"spec": {}})), None);
    }

    #[test]
    fn a_ready_pod_is_better_than_a_pending_one() {
        let pending = json!({"metadata": {"name": "a"}, "spec": {}, "status": {"phase": "Pending"}});
        let ready = json!({"metadata": {"name": "b"}, "spec": {"nodeName": "n"}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"restartCount": 1}]}});
        let mut restarted = ready.clone();
        restarted["status"]["containerStatuses"][0]["restartCount"] = 5.into();
        assert!(rank(&ready) < rank(&pending));
        assert!((rank(&ready), restarts(&ready)) < (rank(&restarted), restarts(&restarted)));
        assert!(rank_by_logs(&restarted) < rank_by_logs(&ready));
    }
}
