//! What fails: kubelets that fall silent, nodes whose object is deleted, programs that are killed. In the end all nodes are well.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use futures::future::{join, join_all};
use mini_tests::{http::Http, wait_for};
use rand::seq::IteratorRandom;
use serde_json::json;

use super::{
    Churn, Wanted,
    dump::{Dump, Id, condition, folder, is_terminal, items, text},
};

/// How many write while the API server is killed, and how many writes it acknowledges before.
const WRITERS: usize = 8;
const ACKNOWLEDGED: usize = 60;

impl Churn {
    fn any_node(&mut self) -> String {
        self.wanted.nodes.iter().choose(&mut self.dice).cloned().expect("there are nodes")
    }

    /// A kubelet falls silent, or speaks again.
    pub(super) fn toggle_node(&mut self) {
        let name = self.any_node();
        let verb = if self.silent.remove(&name) { "start" } else { "stop" };
        if verb == "stop" {
            self.silent.insert(name.clone());
        }
        self.world.ctl(&[verb, &name]).success();
        self.log(format!("{verb} {name}"));
    }

    /// The object of a node is deleted, whether its kubelet speaks or not. It comes back with its kubelet.
    pub(super) async fn delete_node(&mut self) {
        let name = self.any_node();
        let answer = self.http.delete(&format!("/api/v1/nodes/{name}")).await;
        assert!(matches!(answer.code, 200 | 404), "{}", answer.text());
        self.log(format!("delete node {name}: {}", answer.code));
    }

    pub(super) async fn kill(&mut self, component: &str) {
        self.world.kill(component).await;
        self.world.ctl(&["start", component]).success();
        self.log(format!("kill {component}"));
    }

    pub(super) async fn kill_kubelet(&mut self) {
        let name = self.any_node();
        if !self.silent.contains(&name) {
            self.kill(&name).await;
        }
    }

    /// Kills the API server while others write. What it had acknowledged is there afterwards, and nothing that nobody asked for.
    pub(super) async fn kill_server(&mut self) {
        let batch = self.new_name("note");
        let (acknowledged, asked) = (RefCell::new(BTreeSet::new()), RefCell::new(BTreeSet::new()));
        let place = folder("configmaps", "default");
        let write = |writer: usize| {
            let (batch, acknowledged, asked, place, http) = (&batch, &acknowledged, &asked, &place, self.http.clone());
            async move {
                for number in 0.. {
                    let name = format!("{batch}-{writer}-{number}");
                    asked.borrow_mut().insert(name.clone());
                    let note = json!({ "metadata": { "name": name, "labels": { "batch": batch } } });
                    match http.attempt(place, &note).await {
                        Ok(answer) => {
                            assert_eq!(answer.code, 201, "{}", answer.text());
                            acknowledged.borrow_mut().insert(name);
                        }
                        Err(_) => break,
                    }
                }
            }
        };
        let end = async {
            wait_for("writes to be acknowledged", || async {
                let count = acknowledged.borrow().len();
                if count >= ACKNOWLEDGED { Ok(()) } else { Err(count) }
            })
            .await;
            self.world.kill("apiserver").await;
        };
        join(join_all((0..WRITERS).map(write)), end).await;
        self.world.ctl(&["start", "apiserver"]).success();
        // The old connections are broken.
        self.http = Http::new(self.world.address());
        let batch = format!("{place}?labelSelector=batch%3D{batch}");
        let list = self.http.get(&batch).await.json();
        let there: BTreeSet<_> = items(&list["items"]).iter().map(|note| text(&note["metadata"]["name"]).to_owned()).collect();
        let (acknowledged, asked) = (acknowledged.into_inner(), asked.into_inner());
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "the API server had acknowledged {lost:?}");
        let strange: Vec<_> = there.difference(&asked).collect();
        assert!(strange.is_empty(), "nobody asked for {strange:?}");
        self.gone(&batch).await;
        self.log(format!("kill apiserver after {} writes", acknowledged.len()));
    }

    /// All kubelets speak again.
    pub(super) fn wake_nodes(&mut self) {
        for node in std::mem::take(&mut self.silent) {
            self.world.ctl(&["start", &node]).success();
            self.log(format!("start {node}"));
        }
    }
}

/// How long a silent node counts as well. A Lease is renewed every 10 seconds.
pub(super) const GRACE: Duration = Duration::from_secs(15);

pub(super) fn wrong(dump: &Dump, wanted: &Wanted) -> Vec<String> {
    let mut wrong = Vec::new();
    let there: BTreeSet<_> = dump.all("nodes").iter().map(|node| text(&node["metadata"]["name"]).to_owned()).collect();
    if there != wanted.nodes {
        wrong.push(format!("the nodes are {there:?}"));
    }
    for node in dump.all("nodes") {
        let (id, taints) = (Id::of(node), items(&node["spec"]["taints"]));
        if condition(node, "Ready").is_none() || !taints.is_empty() {
            wrong.push(format!("node {} is not well: taints {taints:?}", id.name));
        }
        if dump.find("leases", &Id::new("kube-node-lease", &id.name)).is_none() {
            wrong.push(format!("node {} has no lease", id.name));
        }
    }
    let mut addresses = BTreeSet::new();
    for pod in dump.all("pods").iter().filter(|pod| !is_terminal(pod)) {
        let (id, node) = (Id::of(pod), text(&pod["spec"]["nodeName"]));
        if !wanted.nodes.contains(node) || pod["status"]["phase"] != "Running" {
            wrong.push(format!("pod {id} on {node:?} is {}: {}", pod["status"]["phase"], pod["status"]["conditions"]));
        }
        if !addresses.insert(text(&pod["status"]["podIP"])) {
            wrong.push(format!("pod {id} has the address of another, {}", pod["status"]["podIP"]));
        }
    }
    wrong
}
