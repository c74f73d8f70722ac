//! What keeps pods running: Deployments, ReplicaSets, StatefulSets, DaemonSets and ReplicationControllers.

use std::collections::BTreeSet;

use mini_tests::wait_for;
use rand::{Rng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{
    Churn, Wanted, claims,
    claims::Retention,
    dump::{Dump, Id, condition, controller, folder, is_ready, is_terminal, items, number, path, text},
};

/// How many there may be at once.
const MOST: usize = 12;
/// How many old revisions each keeps.
const HISTORY: usize = 2;
const KINDS: [&str; 5] = ["deployments", "statefulsets", "replicasets", "daemonsets", "replicationcontrollers"];

/// What is wanted of one workload.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) kind: &'static str,
    pub(super) replicas: u64,
    pub(super) image: String,
    pub(super) paused: bool,
    /// What becomes of its claims, if it has some.
    pub(super) claims: Option<Retention>,
    /// How it was made.
    body: Value,
}

/// The template of pods that are given up soon when their node is lost.
pub(super) fn template(labels: &Value, annotations: &Value, fields: &Value) -> Value {
    let gone = |taint: &str| json!({ "key": format!("node.kubernetes.io/{taint}"), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 2 });
    let container = json!({ "name": "c", "image": "nginx:0", "resources": { "requests": { "cpu": "10m" } } });
    let mut spec = json!({
        "containers": [container], "terminationGracePeriodSeconds": 1, "tolerations": [gone("not-ready"), gone("unreachable")],
    });
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({ "metadata": { "labels": labels, "annotations": annotations }, "spec": spec })
}

fn image_patch(image: &str) -> Value {
    json!({ "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": image }] } } } })
}

impl Churn {
    /// A workload of this kind as it is posted.
    fn workload(&mut self, kind: &str, name: &str, replicas: u64, claims: Option<Retention>) -> Value {
        let (flip, small) = (self.dice.random_bool(0.5), self.dice.random_range(1..3));
        let labels = json!({ "app": name });
        let mut spec =
            json!({ "replicas": replicas, "selector": { "matchLabels": labels }, "template": template(&labels, &json!({}), &json!({})) });
        if kind != "statefulsets" && self.dice.random_bool(0.2) {
            spec["minReadySeconds"] = json!(1);
        }
        match kind {
            "deployments" => {
                spec["revisionHistoryLimit"] = json!(HISTORY);
                let rolling = json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": small, "maxUnavailable": if flip { json!("25%") } else { json!(0) } } });
                spec["strategy"] = if self.dice.random_bool(0.2) { json!({ "type": "Recreate" }) } else { rolling };
            }
            "statefulsets" => {
                spec["serviceName"] = json!(name);
                spec["revisionHistoryLimit"] = json!(HISTORY);
                spec["podManagementPolicy"] = json!(if flip { "Parallel" } else { "OrderedReady" });
                if let Some(retention) = claims {
                    claims::mount(&mut spec, retention, flip);
                }
            }
            "daemonsets" => {
                spec["revisionHistoryLimit"] = json!(HISTORY);
                spec["replicas"] = Value::Null;
                let one = if flip { "maxSurge" } else { "maxUnavailable" };
                spec["updateStrategy"] = json!({ "type": "RollingUpdate", "rollingUpdate": { one: small } });
                if flip {
                    spec["updateStrategy"]["rollingUpdate"]["maxUnavailable"] = json!(0);
                }
            }
            "replicationcontrollers" => spec["selector"] = labels,
            _ => {}
        }
        json!({ "metadata": { "name": name }, "spec": spec })
    }

    pub(super) async fn create_workload(&mut self) {
        if self.wanted.workloads.len() >= MOST {
            return;
        }
        let (id, kind) = (self.new_id("w"), *KINDS.choose(&mut self.dice).expect("there are kinds"));
        let replicas = self.dice.random_range(0..6);
        let with_claims = kind == "statefulsets" && self.dice.random_bool(0.6);
        let claims = with_claims.then(|| Retention::any(&mut self.dice));
        let body = self.workload(kind, &id.name, replicas, claims);
        self.made(&folder(kind, &id.namespace), &body).await;
        self.log(format!("create {kind} {id} of {replicas}, claims {claims:?}"));
        if let Some(retention) = claims {
            self.wanted.claims.begin(&id, retention);
        }
        self.wanted.workloads.insert(id, Workload { kind, replicas, image: "nginx:0".to_owned(), paused: false, claims, body });
    }

    /// One of the workloads of these kinds.
    fn pick_workload(&mut self, kinds: &[&str]) -> Option<(Id, Workload)> {
        let of_kind: Vec<_> = self.wanted.workloads.iter().filter(|(_, workload)| kinds.contains(&workload.kind)).collect();
        of_kind.choose(&mut self.dice).map(|(id, workload)| ((*id).clone(), (*workload).clone()))
    }

    async fn change_workload(&mut self, id: &Id, patch: &Value) {
        let kind = self.wanted.workloads[id].kind;
        self.changed(&path(kind, id), "strategic-merge", patch).await;
        self.log(format!("{kind} {id}: {patch}"));
    }

    fn workload_mut(&mut self, id: &Id) -> &mut Workload {
        self.wanted.workloads.get_mut(id).expect("it is wanted")
    }

    pub(super) async fn scale(&mut self) {
        let Some((id, workload)) = self.pick_workload(&["deployments", "statefulsets", "replicasets", "replicationcontrollers"]) else {
            return;
        };
        let replicas = self.dice.random_range(0..8);
        if workload.claims.is_some() && replicas < workload.replicas {
            self.keep_claims(&id).await;
        }
        self.change_workload(&id, &json!({ "spec": { "replicas": replicas } })).await;
        self.workload_mut(&id).replicas = replicas;
    }

    pub(super) async fn roll(&mut self) {
        // The pods of the others are what they were when they were made.
        let Some((id, _)) = self.pick_workload(&["deployments", "statefulsets", "daemonsets"]) else { return };
        let image = format!("nginx:{}", self.dice.random_range(1..5));
        self.change_workload(&id, &image_patch(&image)).await;
        self.workload_mut(&id).image = image;
    }

    pub(super) fn restart(&mut self) {
        let Some((id, workload)) = self.pick_workload(&["deployments", "statefulsets", "daemonsets"]) else { return };
        if !workload.paused {
            let ran = self.rollout("restart", &workload, &id);
            // It is told by the second.
            assert!(ran.code() == 0 || ran.stderr().contains("already been triggered within the past second"), "{}", ran.stderr());
        }
    }

    /// Goes back to what was before, if anything was.
    pub(super) async fn undo(&mut self) {
        let Some((id, workload)) = self.pick_workload(&["deployments", "statefulsets", "daemonsets"]) else { return };
        let ran = self.rollout("undo", &workload, &id);
        if ran.code() == 0 {
            let now = self.http.get(&path(workload.kind, &id)).await.json();
            self.workload_mut(&id).image = text(&now["spec"]["template"]["spec"]["containers"][0]["image"]).to_owned();
        } else {
            let said = ran.stderr();
            let known = [
                "no rollout history found",
                "cannot rollback a paused deployment",
                "no last revision to roll back to",
                // What has no annotations yet, having just adopted its history, has none that could be replaced.
                "the server rejected our request due to an error in our request",
            ];
            assert!(known.iter().any(|known| said.contains(known)), "{said}");
        }
    }

    fn rollout(&mut self, verb: &str, workload: &Workload, id: &Id) -> mini_tests::Ran {
        let ran = self.world.kubectl(&["rollout", verb, workload.kind, &id.name, "-n", &id.namespace]);
        self.log(format!("rollout {verb} {} {id}: {}", workload.kind, ran.code()));
        ran
    }

    /// Pauses a Deployment, or lets it go on.
    pub(super) async fn pause(&mut self) {
        let Some((id, workload)) = self.pick_workload(&["deployments"]) else { return };
        self.change_workload(&id, &json!({ "spec": { "paused": !workload.paused } })).await;
        self.workload_mut(&id).paused = !workload.paused;
    }

    pub(super) async fn resume_all(&mut self) {
        let paused = self.wanted.workloads.iter().filter(|(_, workload)| workload.paused);
        for id in paused.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.change_workload(&id, &json!({ "spec": { "paused": false } })).await;
            self.workload_mut(&id).paused = false;
        }
    }

    pub(super) async fn delete_workload(&mut self) {
        let Some((id, workload)) = self.pick_workload(&KINDS) else { return };
        if workload.claims.is_some() {
            self.keep_claims(&id).await;
        }
        self.adopted(&id).await;
        // Upstream has no way out of this: a pod that was scaled away and is deleted in the foreground waits for the claim that goes with
        // it, and the claim's protection for the pod.
        let stuck = workload.claims.is_some_and(|retention| retention.scaled);
        let policies = if stuck { &["Background"][..] } else { &["Background", "Foreground"] };
        let policy = *policies.choose(&mut self.dice).expect("there are some");
        self.wanted.workloads.remove(&id);
        self.gone(&format!("{}?propagationPolicy={policy}", path(workload.kind, &id))).await;
        self.log(format!("delete {} {id} in the {policy}", workload.kind));
    }

    /// Leaves the pods alone, and has a new object of the same name take them over.
    pub(super) async fn leave_and_adopt(&mut self) {
        let Some((id, mut workload)) = self.pick_workload(&KINDS) else { return };
        self.gone(&format!("{}?propagationPolicy=Orphan", path(workload.kind, &id))).await;
        self.log(format!("orphan {} {id}", workload.kind));
        self.wanted.claims.orphan(&id);
        // Whose pods are not there has claims that nobody scales away, or gives to the new set.
        let fixed = workload.claims.is_some_and(|retention| retention.scaled || retention.deleted);
        workload.replicas = if fixed { workload.replicas } else { self.dice.random_range(0..6) };
        workload.paused = false;
        if workload.kind != "daemonsets" {
            workload.body["spec"]["replicas"] = json!(workload.replicas);
        }
        workload.body["spec"]["template"]["spec"]["containers"][0]["image"] = json!(workload.image);
        let folder = folder(workload.kind, &id.namespace);
        wait_for(&format!("{id} to be gone and made anew"), || async {
            let answer = self.http.post(&folder, &workload.body).await;
            if answer.code == 201 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
        self.log(format!("adopt {} {id}, now of {}", workload.kind, workload.replicas));
        self.wanted.workloads.insert(id, workload);
    }

    /// Waits until what bears the label of a workload has somebody in charge: what has not is nobody's, and outlives it.
    async fn adopted(&self, id: &Id) {
        wait_for(&format!("{id} to have taken over what is there"), || async {
            let mut alone = Vec::new();
            for kind in ["pods", "replicasets", "controllerrevisions"] {
                let list = self.http.get(&format!("{}?labelSelector=app%3D{}", folder(kind, &id.namespace), id.name)).await.json();
                let stays = |one: &&Value| one["metadata"]["deletionTimestamp"].is_null() && !is_terminal(one) && controller(one).is_none();
                // A ReplicaSet that was asked for is in nobody's charge.
                let asked = |one: &&Value| kind != "replicasets" || Id::of(one) != *id;
                alone.extend(
                    items(&list["items"]).iter().filter(|one| stays(one) && asked(one)).map(|one| format!("{kind} {}", Id::of(one))),
                );
            }
            if alone.is_empty() { Ok(()) } else { Err(alone) }
        })
        .await;
    }

    /// Takes a pod out of its workload's selector: it stays, and another is made.
    pub(super) async fn loosen(&mut self) {
        let Some((id, _)) = self.pick_workload(&["deployments", "replicasets", "daemonsets", "replicationcontrollers"]) else { return };
        let pods = self.http.get(&format!("{}?labelSelector=app%3D{}", folder("pods", &id.namespace), id.name)).await.json();
        let Some(pod) = items(&pods["items"]).choose(&mut self.dice) else { return };
        let patch = json!({ "metadata": { "labels": { "app": format!("loose-{}", id.name) } } });
        let answer = self.http.patch(&path("pods", &Id::of(pod)), "merge", &patch).await;
        assert!(matches!(answer.code, 200 | 404), "{}", answer.text());
        self.log(format!("loosen pod {}: {}", Id::of(pod), answer.code));
    }

    async fn any_pod(&mut self) -> Option<Id> {
        let pods = self.http.get("/api/v1/pods").await.json();
        items(&pods["items"]).choose(&mut self.dice).map(Id::of)
    }

    pub(super) async fn delete_pod(&mut self) {
        let Some(id) = self.any_pod().await else { return };
        let grace = self.dice.random_range(0..2);
        let answer = self.http.delete(&format!("{}?gracePeriodSeconds={grace}", path("pods", &id))).await;
        assert!(matches!(answer.code, 200 | 404), "{}", answer.text());
        self.log(format!("delete pod {id} within {grace} s: {}", answer.code));
    }

    pub(super) async fn evict_pod(&mut self) {
        let Some(id) = self.any_pod().await else { return };
        let answer = self.http.post(&format!("{}/eviction", path("pods", &id)), &json!({ "metadata": { "name": id.name } })).await;
        assert!(matches!(answer.code, 201 | 404 | 429), "{} {}", answer.code, answer.text());
        self.log(format!("evict pod {id}: {}", answer.code));
    }
}

pub(super) fn wrong(dump: &Dump, wanted: &Wanted) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, workload) in &wanted.workloads {
        let Some(object) = dump.find(workload.kind, id) else {
            wrong.push(format!("{} {id} is not there", workload.kind));
            continue;
        };
        let mut amiss = pods_amiss(dump, id, workload, object, wanted.nodes.len() as u64);
        match workload.kind {
            "deployments" => amiss.extend(deployment_amiss(dump, object, workload)),
            "daemonsets" => amiss.extend(daemons_amiss(dump, object)),
            "statefulsets" => amiss.extend(stateful_amiss(dump, id, object, workload)),
            _ => {}
        }
        let whole = || {
            let mut shown = workload.clone();
            shown.body = Value::Null;
            format!("{} {id}: {}; wanted {shown:?}, status {}", workload.kind, amiss.join("; "), object["status"])
        };
        wrong.extend((!amiss.is_empty()).then(whole));
    }
    wrong
}

/// What is wrong with the number and state of the pods, and what the status tells of them.
fn pods_amiss(dump: &Dump, id: &Id, workload: &Workload, object: &Value, nodes: u64) -> Vec<String> {
    let mut amiss = Vec::new();
    let (pods, status) = (dump.pods(id), &object["status"]);
    let good = pods.iter().filter(|pod| is_ready(pod) && pod["spec"]["containers"][0]["image"] == workload.image.as_str()).count() as u64;
    let (replicas, fields) = match workload.kind {
        "daemonsets" => {
            let fields =
                &["currentNumberScheduled", "desiredNumberScheduled", "numberReady", "numberAvailable", "updatedNumberScheduled"][..];
            (nodes, fields)
        }
        "deployments" => (workload.replicas, &["replicas", "readyReplicas", "availableReplicas", "updatedReplicas"][..]),
        "statefulsets" => {
            (workload.replicas, &["replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "currentReplicas"][..])
        }
        _ => (workload.replicas, &["replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas"][..]),
    };
    if (pods.len() as u64, good) != (replicas, replicas) {
        amiss.push(format!("of {replicas} there are {} pods, {good} of them good", pods.len()));
    }
    amiss.extend(fields.iter().filter(|field| number(&status[**field]) != replicas).map(|field| format!("{field} is {}", status[*field])));
    let zero = ["unavailableReplicas", "numberMisscheduled", "numberUnavailable"];
    amiss.extend(zero.iter().filter(|field| number(&status[**field]) != 0).map(|field| format!("{field} is {}", status[*field])));
    if status["observedGeneration"] != object["metadata"]["generation"] {
        amiss.push("the last change was not observed".to_owned());
    }
    // Whoever makes the pods has to be behind each of them.
    let direct = if workload.kind == "deployments" { dump.owned("replicasets", object) } else { vec![object] };
    let owned: usize = direct.iter().map(|owner| dump.owned("pods", owner).len()).sum();
    if owned != pods.len() {
        amiss.push(format!("it controls {owned} pods, and {} bear its label", pods.len()));
    }
    amiss
}

fn deployment_amiss(dump: &Dump, object: &Value, workload: &Workload) -> Vec<String> {
    let mut amiss = Vec::new();
    let sets = dump.owned("replicasets", object);
    let alive: Vec<_> = sets.iter().filter(|set| number(&set["spec"]["replicas"]) > 0).collect();
    let current = sets.iter().filter(|set| {
        set["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
            == object["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
    });
    let current: Vec<_> = current.collect();
    if alive.len() != usize::from(workload.replicas > 0) {
        amiss.push(format!("{} of its ReplicaSets have pods", alive.len()));
    }
    match &current[..] {
        [one] if one["spec"]["template"]["spec"]["containers"][0]["image"] == workload.image.as_str() => {}
        _ => amiss.push(format!("{} ReplicaSets are of its revision, or not as it is", current.len())),
    }
    if sets.len() > HISTORY + 1 {
        amiss.push(format!("{} ReplicaSets are kept", sets.len()));
    }
    if condition(object, "Available").is_none() || condition(object, "Progressing") != Some("NewReplicaSetAvailable") {
        amiss.push("it is not said to be available and complete".to_owned());
    }
    amiss
}

fn daemons_amiss(dump: &Dump, object: &Value) -> Vec<String> {
    let nodes: BTreeSet<_> = dump.owned("pods", object).into_iter().map(|pod| text(&pod["spec"]["nodeName"])).collect();
    let mut amiss = revisions_amiss(dump, object);
    if nodes.len() != dump.owned("pods", object).len() {
        amiss.push("a node has two of its pods".to_owned());
    }
    amiss
}

fn stateful_amiss(dump: &Dump, id: &Id, object: &Value, workload: &Workload) -> Vec<String> {
    let mut amiss = revisions_amiss(dump, object);
    let names: BTreeSet<_> = dump.owned("pods", object).into_iter().map(|pod| text(&pod["metadata"]["name"]).to_owned()).collect();
    let wanted: BTreeSet<_> = (0..workload.replicas).map(|ordinal| format!("{}-{ordinal}", id.name)).collect();
    if names != wanted {
        amiss.push(format!("its pods are {names:?}"));
    }
    let status = &object["status"];
    if status["currentRevision"] != status["updateRevision"] {
        amiss.push("its update is not done".to_owned());
    }
    amiss
}

fn revisions_amiss(dump: &Dump, object: &Value) -> Vec<String> {
    let revisions = dump.owned("controllerrevisions", object);
    let numbers: BTreeSet<_> = revisions.iter().map(|revision| number(&revision["revision"])).collect();
    let mut amiss = Vec::new();
    if numbers.len() != revisions.len() {
        amiss.push("two of its revisions have one number".to_owned());
    }
    if revisions.len() > HISTORY + 1 {
        amiss.push(format!("{} revisions are kept", revisions.len()));
    }
    amiss
}
