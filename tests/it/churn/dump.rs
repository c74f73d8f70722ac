//! Everything a cluster holds, as JSON, and the words to ask it with.

use std::collections::BTreeMap;

use mini_tests::http::Http;
use serde_json::Value;

/// What an object of a namespace is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Id {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub(super) fn of(object: &Value) -> Self {
        Self::new(text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Where the objects of a kind are in a namespace.
pub(super) fn folder(kind: &str, namespace: &str) -> String {
    let group = match kind {
        "deployments" | "replicasets" | "statefulsets" | "daemonsets" | "controllerrevisions" => "/apis/apps/v1",
        "jobs" | "cronjobs" => "/apis/batch/v1",
        "poddisruptionbudgets" => "/apis/policy/v1",
        _ => "/api/v1",
    };
    format!("{group}/namespaces/{namespace}/{kind}")
}

/// Where an object is.
pub(super) fn path(kind: &str, id: &Id) -> String {
    format!("{}/{}", folder(kind, &id.namespace), id.name)
}

/// The text, or none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items of a list, if there is one.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The number, 0 where there is none.
pub(super) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Whether a condition of this type holds, and its reason.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let found = items(&object["status"]["conditions"]).iter().find(|one| one["type"] == kind && one["status"] == "True");
    found.map(|one| text(&one["reason"]))
}

/// Whether a pod is ready, and nobody deletes it.
pub(super) fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some() && pod["metadata"]["deletionTimestamp"].is_null()
}

/// Whether a pod has ended.
pub(super) fn is_terminal(pod: &Value) -> bool {
    matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed")
}

/// The UID of the object that controls this one.
pub(super) fn controller(object: &Value) -> Option<&str> {
    let owner = items(&object["metadata"]["ownerReferences"]).iter().find(|owner| owner["controller"] == true);
    owner.map(|owner| text(&owner["uid"]))
}

/// The kinds that are listed, each with its path. What several groups serve is listed once.
pub(super) async fn kinds(http: &Http) -> Vec<(String, String)> {
    let groups = http.get("/apis").await.json();
    let versions = items(&groups["groups"]).iter().map(|group| text(&group["preferredVersion"]["groupVersion"]).to_owned());
    let versions = versions.filter(|version| !version.starts_with("extensions/") && !version.starts_with("events.k8s.io/"));
    let mut kinds = Vec::new();
    for base in versions.map(|version| format!("/apis/{version}")).chain(["/api/v1".to_owned()]) {
        let resources = http.get(&base).await.json();
        let listed = items(&resources["resources"]).iter().filter(|kind| items(&kind["verbs"]).iter().any(|verb| verb == "list"));
        kinds.extend(listed.map(|kind| text(&kind["name"]).to_owned()).map(|name| (name.clone(), format!("{base}/{name}"))));
    }
    kinds
}

/// Everything there is, by the plural of its kind.
#[derive(Default)]
pub(super) struct Dump(pub(super) BTreeMap<String, Vec<Value>>);

impl Dump {
    /// Reads all of these kinds.
    pub(super) async fn take(http: &Http, kinds: &[(String, String)]) -> Self {
        let mut all = BTreeMap::new();
        for (kind, path) in kinds {
            let list = http.get(path).await;
            assert_eq!(list.code, 200, "{path}: {}", list.text());
            all.insert(kind.clone(), items(&list.json()["items"]).to_vec());
        }
        Self(all)
    }

    pub(super) fn all(&self, kind: &str) -> &[Value] {
        self.0.get(kind).map_or(&[], Vec::as_slice)
    }

    pub(super) fn find(&self, kind: &str, id: &Id) -> Option<&Value> {
        self.all(kind).iter().find(|object| Id::of(object) == *id)
    }

    /// What this object controls.
    pub(super) fn owned<'a>(&'a self, kind: &str, owner: &Value) -> Vec<&'a Value> {
        let uid = text(&owner["metadata"]["uid"]);
        self.all(kind).iter().filter(|object| controller(object) == Some(uid)).collect()
    }

    /// The pods of a namespace with this label `app`.
    pub(super) fn pods(&self, id: &Id) -> Vec<&Value> {
        let here = self.all("pods").iter().filter(|pod| pod["metadata"]["namespace"] == id.namespace.as_str());
        here.filter(|pod| pod["metadata"]["labels"]["app"] == id.name.as_str()).collect()
    }

    /// What stands still when all work is done: each object with its revision, but those that tell the time.
    pub(super) fn revisions(&self) -> BTreeMap<String, String> {
        let still = self.0.iter().filter(|(kind, _)| !matches!(kind.as_str(), "leases" | "events" | "nodes" | "componentstatuses"));
        let revision = |object: &Value| text(&object["metadata"]["resourceVersion"]).to_owned();
        still.flat_map(|(kind, objects)| objects.iter().map(move |it| (format!("{kind} {}", Id::of(it)), revision(it)))).collect()
    }
}
