//! A cluster in which nothing stays as it is: all that can be asked for comes, changes and goes, pods are deleted, nodes fall silent or
//! are deleted, every program is killed. When that ends, everything must be as its spec says, nothing else must be there, and no
//! controller may go on writing.
//!
//! `MINI_CHURN_SECONDS` says how long it lasts, `MINI_CHURN_SEED` how it goes. What is wanted is kept beside what is done, in one file a
//! concern; whether it came so is a pure question about all that there is in the end.

mod budgets;
mod claims;
mod dump;
mod jobs;
mod nodes;
mod ownership;
mod services;
mod spaces;
mod workloads;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use mini_tests::{World, http::Http, wait_at_most};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use self::dump::{Dump, Id};

/// How long it lasts unless the environment says otherwise.
const SECONDS: u64 = 25;
/// How long it may take afterwards until all is well: the back-off of Jobs and the quarantine of lost nodes take their time.
const SETTLING: Duration = Duration::from_secs(240);
/// How long nothing may change when all is well.
const QUIET: Duration = Duration::from_secs(3);
const NODES: usize = 4;
/// How many of the last changes are shown when it goes wrong.
const SHOWN: usize = 60;

/// Each thing that is done, and how often of a thousand times.
const DEEDS: [(u32, Deed); 27] = [
    (110, Deed::CreateWorkload),
    (120, Deed::Scale),
    (90, Deed::Roll),
    (25, Deed::Restart),
    (30, Deed::Undo),
    (35, Deed::Pause),
    (55, Deed::DeleteWorkload),
    (30, Deed::LeaveAndAdopt),
    (25, Deed::Loosen),
    (80, Deed::DeletePod),
    (30, Deed::EvictPod),
    (45, Deed::CreateJob),
    (35, Deed::ChangeJob),
    (25, Deed::DeleteJob),
    (15, Deed::CreateSchedule),
    (30, Deed::Fire),
    (10, Deed::ChangeSchedule),
    (8, Deed::DeleteSchedule),
    (40, Deed::CreateService),
    (22, Deed::ChangeService),
    (15, Deed::DeleteService),
    (25, Deed::ChangeBudgets),
    (15, Deed::DeleteClaim),
    (20, Deed::ChangeSpaces),
    (40, Deed::ToggleNode),
    (10, Deed::DeleteNode),
    (45, Deed::Kill),
];

#[derive(Clone, Copy, Debug)]
enum Deed {
    CreateWorkload,
    Scale,
    Roll,
    Restart,
    Undo,
    Pause,
    DeleteWorkload,
    LeaveAndAdopt,
    Loosen,
    DeletePod,
    EvictPod,
    CreateJob,
    ChangeJob,
    DeleteJob,
    CreateSchedule,
    Fire,
    ChangeSchedule,
    DeleteSchedule,
    CreateService,
    ChangeService,
    DeleteService,
    ChangeBudgets,
    DeleteClaim,
    ChangeSpaces,
    ToggleNode,
    DeleteNode,
    Kill,
}

/// What is wanted of the cluster.
#[derive(Default)]
struct Wanted {
    nodes: BTreeSet<String>,
    spaces: BTreeSet<String>,
    workloads: BTreeMap<Id, workloads::Workload>,
    jobs: BTreeMap<Id, jobs::Job>,
    schedules: BTreeMap<Id, jobs::Schedule>,
    services: BTreeMap<Id, services::Service>,
    budgets: BTreeMap<Id, budgets::Budget>,
    claims: claims::Claims,
}

impl Wanted {
    /// Nothing in this namespace is wanted any more.
    fn forget(&mut self, namespace: &str) {
        self.spaces.remove(namespace);
        self.workloads.retain(|id, _| id.namespace != namespace);
        self.jobs.retain(|id, _| id.namespace != namespace);
        self.schedules.retain(|id, _| id.namespace != namespace);
        self.services.retain(|id, _| id.namespace != namespace);
        self.budgets.retain(|id, _| id.namespace != namespace);
        self.claims.forget(namespace);
    }
}

/// Everything that is not as it should be.
fn wrong(dump: &Dump, wanted: &Wanted) -> Vec<String> {
    let checks =
        [ownership::wrong, nodes::wrong, spaces::wrong, workloads::wrong, jobs::wrong, services::wrong, budgets::wrong, claims::wrong];
    checks.iter().flat_map(|check| check(dump, wanted)).collect()
}

struct Churn {
    world: World,
    http: Http,
    dice: SmallRng,
    wanted: Wanted,
    silent: BTreeSet<String>,
    number: usize,
    began: Instant,
    /// What was done, the last of it to be shown.
    log: Vec<String>,
}

fn environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

impl Churn {
    async fn new(seed: u64) -> Self {
        let grace = format!("controller-manager.node-monitor-grace-period={}s", nodes::GRACE.as_secs());
        let flags = ["--nodes", &NODES.to_string(), "--extra-config", &grace, "--extra-config", "controller-manager.node-eviction-rate=1"];
        let world = World::up_with(&flags);
        let nodes = (1..=NODES).map(|number| format!("k8s-node-{number}")).collect();
        let mut churn = Self {
            http: Http::new(world.address()),
            world,
            dice: SmallRng::seed_from_u64(seed),
            wanted: Wanted { nodes, ..Wanted::default() },
            silent: BTreeSet::new(),
            number: 0,
            began: Instant::now(),
            log: Vec::new(),
        };
        for class in claims::classes() {
            churn.made("/apis/storage.k8s.io/v1/storageclasses", &class).await;
        }
        churn.count("default").await;
        churn
    }

    /// Does one thing or another.
    async fn step(&mut self) {
        let (_, deed) = *DEEDS.choose_weighted(&mut self.dice, |(weight, _)| *weight).expect("there are deeds");
        match deed {
            Deed::CreateWorkload => self.create_workload().await,
            Deed::Scale => self.scale().await,
            Deed::Roll => self.roll().await,
            Deed::Restart => self.restart(),
            Deed::Undo => self.undo().await,
            Deed::Pause => self.pause().await,
            Deed::DeleteWorkload => self.delete_workload().await,
            Deed::LeaveAndAdopt => self.leave_and_adopt().await,
            Deed::Loosen => self.loosen().await,
            Deed::DeletePod => self.delete_pod().await,
            Deed::EvictPod => self.evict_pod().await,
            Deed::CreateJob => self.create_job().await,
            Deed::ChangeJob => self.change_job().await,
            Deed::DeleteJob => self.delete_job().await,
            Deed::CreateSchedule => self.create_schedule().await,
            Deed::Fire => self.fire().await,
            Deed::ChangeSchedule => self.change_schedule().await,
            Deed::DeleteSchedule => self.delete_schedule().await,
            Deed::CreateService => self.create_service().await,
            Deed::ChangeService => self.change_service().await,
            Deed::DeleteService => self.delete_service().await,
            Deed::ChangeBudgets if self.dice.random_bool(0.6) => self.create_budget().await,
            Deed::ChangeBudgets => self.delete_budget().await,
            Deed::DeleteClaim => self.delete_claim().await,
            Deed::ChangeSpaces if self.dice.random_bool(0.6) => self.create_space().await,
            Deed::ChangeSpaces => self.delete_space().await,
            Deed::ToggleNode => self.toggle_node(),
            Deed::DeleteNode => self.delete_node().await,
            Deed::Kill => match self.dice.random_range(0..10) {
                0..4 => self.kill("controllers").await,
                4..7 => self.kill("scheduler").await,
                7 => self.kill_kubelet().await,
                _ => self.kill_server().await,
            },
        }
    }

    /// Lets everything come to rest.
    async fn finish(&mut self) {
        self.wake_nodes();
        self.resume_all().await;
        self.finish_jobs().await;
    }

    fn log(&mut self, what: String) {
        self.log.push(format!("{:7.1} {what}", self.began.elapsed().as_secs_f64()));
    }

    fn new_name(&mut self, prefix: &str) -> String {
        self.number += 1;
        format!("{prefix}{}", self.number)
    }

    /// A name for something in some namespace.
    fn new_id(&mut self, prefix: &str) -> Id {
        let spaces: Vec<_> = self.wanted.spaces.iter().cloned().collect();
        let space = spaces.choose(&mut self.dice).filter(|_| self.dice.random_bool(0.6));
        let space = space.cloned().unwrap_or_else(|| "default".to_owned());
        Id::new(&space, &self.new_name(prefix))
    }

    async fn made(&self, path: &str, body: &Value) {
        let answer = self.http.post(path, body).await;
        assert_eq!(answer.code, 201, "{path}: {}", answer.text());
    }

    async fn changed(&self, path: &str, form: &str, patch: &Value) {
        let answer = self.http.patch(path, form, patch).await;
        assert_eq!(answer.code, 200, "{path}: {}", answer.text());
    }

    async fn gone(&self, path: &str) {
        let answer = self.http.delete(path).await;
        assert!(matches!(answer.code, 200 | 202), "{path}: {} {}", answer.code, answer.text());
    }

    /// Waits until all is well and stays so; else says what is not.
    async fn settle(&self) -> Result<(), String> {
        let kinds = dump::kinds(&self.http).await;
        let (last, quiet) = (RefCell::new(String::new()), RefCell::new((Instant::now(), BTreeMap::new())));
        let settled = wait_at_most(SETTLING, || async {
            let dump = Dump::take(&self.http, &kinds).await;
            let (wrong, now) = (wrong(&dump, &self.wanted), dump.revisions());
            let mut quiet = quiet.borrow_mut();
            let differs = |key: &&String| now.get(*key) != quiet.1.get(*key);
            let restless: Vec<_> = now.keys().chain(quiet.1.keys()).filter(differs).cloned().collect();
            if !wrong.is_empty() || !restless.is_empty() {
                *quiet = (Instant::now(), now);
            }
            if !wrong.is_empty() {
                last.replace(wrong.join("\n"));
                return Err(());
            }
            if !restless.is_empty() {
                last.replace(format!("all is well, but these are written again and again: {restless:?}"));
            }
            if quiet.0.elapsed() >= QUIET { Ok(()) } else { Err(()) }
        })
        .await;
        settled.map_err(|()| last.into_inner())
    }
}

impl Drop for Churn {
    /// Tells what was done last, if that went wrong.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let done = self.log.len();
            eprintln!("the last of {done} changes:\n{}", self.log[done.saturating_sub(SHOWN)..].join("\n"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_all_is_well_in_the_end() {
    let seed = environment("MINI_CHURN_SEED").unwrap_or_else(mini_daemon::clock::random);
    let lasts = Duration::from_secs(environment("MINI_CHURN_SECONDS").unwrap_or(SECONDS));
    println!("MINI_CHURN_SEED={seed} MINI_CHURN_SECONDS={}", lasts.as_secs());
    let mut churn = Churn::new(seed).await;
    let (end, mut pace) = (Instant::now() + lasts, interval(Duration::from_millis(200)));
    while Instant::now() < end {
        pace.tick().await;
        churn.step().await;
    }
    churn.finish().await;
    let rested = Instant::now();
    let settled = churn.settle().await;
    let done = churn.log.len();
    if let Err(wrong) = settled {
        let about = churn.log.iter().filter(|line| line.split([' ', '-', ':', ',']).any(|word| word.contains('/') && names(&wrong, word)));
        let about: Vec<&str> = about.map(String::as_str).collect();
        let told = churn.world.kubectl(&["get", "events", "-A", "--sort-by=.metadata.creationTimestamp"]).stdout();
        let is_about = |word: &str| word.split_once('/').is_some_and(|(_, name)| !name.is_empty() && wrong.contains(name));
        let told: Vec<&str> = told.lines().filter(|line| line.split_whitespace().any(is_about)).collect();
        panic!(
            "seed {seed}: not all is well {SETTLING:?} after {done} changes:\n{wrong}\nwhat was done with them:\n{}\nthe events:\n{}\nthe pods:\n{}",
            about.join("\n"),
            told.join("\n"),
            churn.world.kubectl(&["get", "pods", "-A", "-o", "wide"]).stdout()
        );
    }
    println!("all is well {:?} after {done} changes", rested.elapsed());
}

/// Whether a text speaks of an object, `space/name`, or of one that is called after it.
fn names(text: &str, object: &str) -> bool {
    let name = object.rsplit('/').next().unwrap_or_default();
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name)
}

#[test]
fn what_is_wrong_is_seen() {
    let pod = |name: &str, meta: Value| {
        let mut pod = json!({ "metadata": { "name": name, "namespace": "default", "uid": name }, "spec": { "nodeName": "n" }, "status": { "phase": "Running" } });
        for (field, value) in meta.as_object().into_iter().flatten() {
            pod["metadata"][field] = value.clone();
        }
        pod
    };
    let owner = |uid: &str, name: &str| json!([{ "uid": uid, "name": name, "kind": "ReplicaSet", "controller": true }]);
    let pods = vec![
        pod("orphan", json!({ "ownerReferences": owner("gone", "rs") })),
        pod("renamed", json!({ "ownerReferences": owner("rs", "other") })),
        pod("held", json!({ "ownerReferences": owner("rs", "rs"), "finalizers": ["x"] })),
        pod("going", json!({ "ownerReferences": owner("rs", "rs"), "deletionTimestamp": "2026-01-01T00:00:00Z" })),
        pod("double", json!({ "uid": "held", "ownerReferences": owner("rs", "rs") })),
        pod("unwanted", json!({})),
    ];
    let sets = vec![json!({ "metadata": { "name": "rs", "namespace": "default", "uid": "rs" } })];
    let dump = Dump([("pods".to_owned(), pods), ("replicasets".to_owned(), sets)].into());
    let mut wanted = Wanted { nodes: ["n".to_owned()].into(), ..Wanted::default() };
    wanted.budgets.insert(Id::new("default", "b"), budgets::Budget::Least(1));
    let said = wrong(&dump, &wanted).join("\n");
    for want in [
        "pods default/orphan is an orphan of \"ReplicaSet\" \"rs\"",
        "pods default/renamed calls its owner \"other\", who is default/rs",
        "pods default/held has the finalizer \"x\"",
        "pods default/going is still being deleted",
        "pods default/double has the UID of another",
        "nobody wanted pods default/unwanted",
        "nobody wanted replicasets default/rs",
        "pods default/orphan is in no namespace",
        "pod default/renamed has the address of another",
        "the nodes are {}",
        "budget default/b is not there",
    ] {
        assert!(said.contains(want), "{want:?} is not in\n{said}");
    }
    assert_eq!(ownership::wrong(&Dump::default(), &Wanted::default()), [""; 0]);
}
