//! A cluster in which nothing stays as it is: workloads come, change and go, pods are deleted, nodes fall silent, the controllers and
//! the scheduler are killed. When that ends, everything must be as its spec says, and nothing else must be there.
//!
//! `MINI_CHURN_SECONDS` says how long it lasts, `MINI_CHURN_SEED` how it goes.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use mini_tests::{World, http::Http, wait_at_most};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

/// How long it lasts unless the environment says otherwise.
const SECONDS: u64 = 25;
/// How long it may take afterwards until all is well.
const SETTLING: Duration = Duration::from_secs(150);
/// How many workloads there may be at once.
const MOST: usize = 8;
const APPS: &str = "/apis/apps/v1/namespaces/default";
const PODS: &str = "/api/v1/namespaces/default/pods";
const KINDS: [&str; 3] = ["deployments", "statefulsets", "replicasets"];

/// What is wanted of one workload.
#[derive(Clone, Debug)]
struct Wanted {
    kind: &'static str,
    replicas: u64,
    image: String,
}

struct Churn {
    world: World,
    http: Http,
    dice: SmallRng,
    wanted: BTreeMap<String, Wanted>,
    silent: BTreeSet<String>,
    made: usize,
    /// What was done, the last of it to be shown.
    log: Vec<String>,
}

fn environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

impl Churn {
    fn new(seed: u64) -> Self {
        let world = World::up(3);
        let http = Http::new(world.address());
        let dice = SmallRng::seed_from_u64(seed);
        Self { world, http, dice, wanted: BTreeMap::new(), silent: BTreeSet::new(), made: 0, log: Vec::new() }
    }

    /// Does one thing or another.
    async fn step(&mut self) {
        match self.dice.random_range(0..100) {
            0..20 => self.create().await,
            20..45 => self.scale().await,
            45..60 => self.roll().await,
            60..70 => self.delete().await,
            70..85 => self.delete_pod().await,
            85..90 => self.node(),
            90..95 => self.kill("controllers").await,
            _ => self.kill("scheduler").await,
        }
    }

    fn pick(&mut self) -> Option<String> {
        let names: Vec<_> = self.wanted.keys().cloned().collect();
        names.choose(&mut self.dice).cloned()
    }

    async fn create(&mut self) {
        if self.wanted.len() == MOST {
            return;
        }
        self.made += 1;
        let (name, kind) = (format!("w{}", self.made), *KINDS.choose(&mut self.dice).expect("there are kinds"));
        let replicas = self.dice.random_range(0..6);
        let gone = |taint: &str| json!({ "key": format!("node.kubernetes.io/{taint}"), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 2 });
        let spec = json!({
            "replicas": replicas, "selector": { "matchLabels": { "app": name } }, "serviceName": name, "podManagementPolicy": "Parallel",
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": {
                    "containers": [{ "name": "c", "image": "nginx:0" }], "terminationGracePeriodSeconds": 1,
                    "tolerations": [gone("not-ready"), gone("unreachable")],
                },
            },
        });
        let mut body = json!({ "metadata": { "name": name }, "spec": spec });
        if kind != "statefulsets" {
            let spec = body["spec"].as_object_mut().expect("a spec");
            spec.retain(|field, _| !matches!(field.as_str(), "serviceName" | "podManagementPolicy"));
        }
        let answer = self.http.post(&format!("{APPS}/{kind}"), &body).await;
        assert_eq!(answer.code, 201, "{}", answer.text());
        self.log.push(format!("create {kind} {name} of {replicas}"));
        self.wanted.insert(name, Wanted { kind, replicas, image: "nginx:0".to_owned() });
    }

    async fn change(&mut self, name: &str, patch: &Value) {
        let kind = self.wanted[name].kind;
        let answer = self.http.patch(&format!("{APPS}/{kind}/{name}"), "strategic-merge", patch).await;
        assert_eq!(answer.code, 200, "{}", answer.text());
        self.log.push(format!("{kind} {name}: {patch}"));
    }

    async fn scale(&mut self) {
        let Some(name) = self.pick() else { return };
        let replicas = self.dice.random_range(0..8);
        self.change(&name, &json!({ "spec": { "replicas": replicas } })).await;
        self.wanted.get_mut(&name).expect("it is wanted").replicas = replicas;
    }

    async fn roll(&mut self) {
        let Some(name) = self.pick() else { return };
        // The pods of a ReplicaSet are what they were when they were made.
        if self.wanted[&name].kind == "replicasets" {
            return;
        }
        let image = format!("nginx:{}", self.dice.random_range(1..5));
        self.change(&name, &json!({ "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": image }] } } } })).await;
        self.wanted.get_mut(&name).expect("it is wanted").image = image;
    }

    async fn delete(&mut self) {
        let Some(name) = self.pick() else { return };
        let policy = *["Background", "Foreground"].choose(&mut self.dice).expect("there are some");
        let kind = self.wanted.remove(&name).expect("it was wanted").kind;
        let answer = self.http.delete(&format!("{APPS}/{kind}/{name}?propagationPolicy={policy}")).await;
        assert_eq!(answer.code, 200, "{}", answer.text());
        self.log.push(format!("delete {kind} {name} in the {policy}"));
    }

    async fn delete_pod(&mut self) {
        let pods = self.http.get(PODS).await.json();
        let names: Vec<_> = pods["items"].as_array().into_iter().flatten().filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
        let Some(name) = names.choose(&mut self.dice) else { return };
        let grace = self.dice.random_range(0..2);
        self.http.delete(&format!("{PODS}/{name}?gracePeriodSeconds={grace}")).await;
        self.log.push(format!("delete pod {name} within {grace} s"));
    }

    /// A kubelet falls silent, or speaks again.
    fn node(&mut self) {
        let name = format!("k8s-node-{}", self.dice.random_range(1..4));
        let verb = if self.silent.remove(&name) { "start" } else { "stop" };
        if verb == "stop" {
            self.silent.insert(name.clone());
        }
        self.world.ctl(&[verb, &name]).success();
        self.log.push(format!("{verb} {name}"));
    }

    async fn kill(&mut self, component: &str) {
        self.world.kill(component).await;
        self.world.ctl(&["start", component]).success();
        self.log.push(format!("kill {component}"));
    }

    /// What is not as it should be.
    async fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut lists = BTreeMap::new();
        let others = [("controllerrevisions", format!("{APPS}/controllerrevisions")), ("pods", PODS.to_owned())];
        for (kind, path) in KINDS.map(|kind| (kind, format!("{APPS}/{kind}"))).into_iter().chain(others) {
            lists.insert(kind, self.http.get(&path).await.json()["items"].as_array().cloned().unwrap_or_default());
        }
        let mut owners = BTreeMap::new();
        for object in lists.values().flatten() {
            owners.insert(object["metadata"]["uid"].as_str().unwrap_or_default(), object);
            if !object["metadata"]["deletionTimestamp"].is_null() {
                wrong.push(format!(
                    "{} is still being deleted, finalizers {}",
                    object["metadata"]["name"], object["metadata"]["finalizers"]
                ));
            }
        }
        for (kind, objects) in &lists {
            for object in objects {
                let (name, owner) =
                    (object["metadata"]["name"].as_str().unwrap_or_default(), &object["metadata"]["ownerReferences"][0]["uid"]);
                match owner.as_str() {
                    Some(owner) if !owners.contains_key(owner) => wrong.push(format!("{kind} {name} is an orphan")),
                    None if self.wanted.get(name).is_none_or(|wanted| wanted.kind != *kind) => {
                        wrong.push(format!("nobody wanted {kind} {name}"))
                    }
                    _ => {}
                }
            }
        }
        for (name, wanted) in &self.wanted {
            let Some(object) = lists[wanted.kind].iter().find(|object| object["metadata"]["name"] == name.as_str()) else {
                wrong.push(format!("{} {name} is not there", wanted.kind));
                continue;
            };
            let of_it: Vec<_> = lists["pods"].iter().filter(|pod| pod["metadata"]["labels"]["app"] == name.as_str()).collect();
            let good = of_it.iter().filter(|pod| {
                let ready = pod["status"]["conditions"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|one| one["type"] == "Ready" && one["status"] == "True");
                ready && pod["spec"]["containers"][0]["image"] == wanted.image.as_str()
            });
            let (have, good) = (of_it.len() as u64, good.count() as u64);
            let status = &object["status"];
            let observed = status["observedGeneration"] == object["metadata"]["generation"];
            let told = ["replicas", "readyReplicas", "availableReplicas"].map(|field| status[field].as_u64().unwrap_or(0));
            if have != wanted.replicas || good != wanted.replicas || told != [wanted.replicas; 3] || !observed {
                wrong.push(format!(
                    "{} {name}: wanted {wanted:?}, there are {have} pods, {good} of them good; status {status}",
                    wanted.kind
                ));
            }
        }
        wrong
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_all_is_well_in_the_end() {
    let seed = environment("MINI_CHURN_SEED").unwrap_or_else(mini_daemon::clock::random);
    let lasts = Duration::from_secs(environment("MINI_CHURN_SECONDS").unwrap_or(SECONDS));
    println!("MINI_CHURN_SEED={seed} MINI_CHURN_SECONDS={}", lasts.as_secs());
    let mut churn = Churn::new(seed);
    let (end, mut pace) = (Instant::now() + lasts, interval(Duration::from_millis(200)));
    while Instant::now() < end {
        pace.tick().await;
        churn.step().await;
    }
    for node in std::mem::take(&mut churn.silent) {
        churn.world.ctl(&["start", &node]).success();
    }
    let last = RefCell::new(Vec::new());
    let settled = wait_at_most(SETTLING, || async {
        let wrong = churn.wrong().await;
        if wrong.is_empty() { Ok(()) } else { Err(last.replace(wrong)) }
    })
    .await;
    let done = churn.log.len();
    assert!(
        settled.is_ok(),
        "seed {seed}: not all is well {SETTLING:?} after {done} changes:\n{}\nthe last of them:\n{}\nthe pods:\n{}",
        last.borrow().join("\n"),
        churn.log[done.saturating_sub(30)..].join("\n"),
        churn.world.kubectl(&["get", "pods", "-o", "wide"]).stdout()
    );
    println!("all is well after {done} changes");
}
