//! The page of `mini-ctl dashboard`: its own script, run by Node on a document that is just large enough, against a real cluster. What it looks like in a
//! browser is for eyes; what it shows is tested here.

use std::process::Stdio;

use mini_tests::{World, root, wait_for};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
};

/// The page at work.
struct Page {
    _node: Child,
    talk: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
}

impl Page {
    /// Opens it; `None` where there is no Node.
    fn open(server: &str) -> Option<Self> {
        let script = root().join("apiserver/src/http/dashboard/main.js");
        let runner = root().join("tests/it/dashboard/page.mjs");
        let mut node = Command::new("node");
        // The script lies in the tree as a plain file and is a module.
        node.args(["--no-warnings", "--experimental-default-type=module"]).arg(runner).arg(server).arg(script);
        let mut node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true).spawn().ok()?;
        let (stdin, stdout) = (node.stdin.take()?, node.stdout.take()?);
        Some(Self { _node: node, talk: Mutex::new((stdin, BufReader::new(stdout).lines())) })
    }

    /// What it shows after this was done.
    async fn after(&self, what: &str) -> Value {
        let mut talk = self.talk.lock().await;
        talk.0.write_all(format!("{what}\n").as_bytes()).await.expect("it listens");
        let line = talk.1.next_line().await.expect("it answers").expect("it goes on");
        serde_json::from_str(&line).expect("JSON")
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, || async {
            let shown = self.after("show").await;
            if is_so(&shown) { Ok(shown) } else { Err(shown) }
        })
        .await
    }
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// How many pods of this colour there are in all boxes.
fn pods(shown: &Value, tone: &str) -> usize {
    let end = format!("[pod {tone}]");
    list(shown, "nodes").iter().flat_map(|node| list(node, "pods")).filter(|pod| text(pod).ends_with(&end)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_what_lives() {
    let world = World::up(2);
    let address = world.ctl(&["dashboard"]).success();
    let server = address.trim().strip_suffix("/dashboard").expect("its address").to_owned();
    let Some(page) = Page::open(&server) else {
        eprintln!("there is no Node here; the page is not played");
        return;
    };
    let empty = page.until("two empty nodes", |shown| list(shown, "nodes").len() == 2).await;
    assert_eq!(list(&empty, "nodes")[0]["className"], "node well");
    assert_eq!(empty["legend"], 7);

    let manifest = root().join("examples/nginx.yml").display().to_string();
    world.ctl(&["apply", "-f", &manifest]).success();
    page.until("two green cells", |shown| pods(shown, "running") == 2).await;
    let told = page.until("the story of the apply", |shown| list(shown, "story").len() == 4).await;
    assert_eq!(told["title"], "deployments/nginx-deployment");
    let of = |kind: &str| list(&told, "story").iter().filter(|row| text(&row["name"]).starts_with(kind)).count();
    assert_eq!((of("deployments/"), of("replicasets/"), of("pods/")), (1, 1, 2));
    page.until("each pod's way from pending to running", |shown| {
        list(shown, "story").iter().filter(|row| text(&row["name"]).starts_with("pods/")).all(|pod| {
            let marks: Vec<&str> = list(pod, "marks").iter().map(text).collect();
            let place = |what: &str| marks.iter().position(|mark| mark.contains(what));
            place(": Pending").is_some()
                && place("ContainerCreating on k8s-node-") > place(": Pending")
                && place("Running on k8s-node-") > place("ContainerCreating")
        })
    })
    .await;

    // Trouble is red, and what has no node stands apart.
    world.kubectl(&["run", "bad", "--image=nginx:no-such-tag"]).success();
    world.kubectl(&["run", "vain", "--image=nginx", "--overrides", r#"{"spec":{"nodeSelector":{"no":"where"}}}"#]).success();
    let shown = page.until("a red cell and a waiting one", |shown| pods(shown, "failed") == 1 && pods(shown, "pending") == 1).await;
    let apart = &list(&shown, "nodes")[0];
    assert_eq!((text(&apart["className"]), list(apart, "pods").len()), ("node none", 1));
    assert!(text(&shown["summary"]).contains("4 pods: 2 running and ready, 1 on its way, 1 in trouble"), "{}", shown["summary"]);

    // Whoever is clicked on is shown whole.
    page.after("click bad").await;
    let shown = page.until("its YAML and events", |shown| text(&shown["detail"]["events"]).contains("Failed")).await;
    assert_eq!(shown["detail"]["title"], "bad");
    assert!(text(&shown["detail"]["yaml"]).contains("image: nginx:no-such-tag"), "{shown}");

    world.kubectl(&["delete", "pod", "vain", "bad", "--now"]).success();
    page.until("the cells to be gone", |shown| list(shown, "nodes").len() == 2 && pods(shown, "failed") + pods(shown, "pending") == 0)
        .await;
    world.kubectl(&["cordon", "k8s-node-1"]).success();
    page.until("a closed node", |shown| list(shown, "nodes")[0]["className"] == "node closed").await;

    // It bears the server's absence.
    world.ctl(&["stop", "apiserver"]).success();
    page.until("word of it", |shown| text(&shown["trouble"]).contains("does not answer")).await;
    world.ctl(&["start", "apiserver"]).success();
    page.until("the cluster again", |shown| text(&shown["trouble"]).is_empty() && pods(shown, "running") == 2).await;
}
