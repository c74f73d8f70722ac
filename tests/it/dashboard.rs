//! The page of `mini-ctl dashboard` in a browser, against a real cluster: what it shows, and that it can be clicked. The pictures it takes are for eyes;
//! they lie in `target/dashboard`.

mod browser;

use browser::Browser;
use mini_tests::{World, root, wait_for};
use serde_json::Value;

/// The page at work.
struct Page(Browser);

impl Page {
    /// What it shows now.
    async fn shown(&self) -> Value {
        self.0.evaluate(include_str!("dashboard/shown.js")).await
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, || async {
            let shown = self.shown().await;
            if is_so(&shown) { Ok(shown) } else { Err(shown) }
        })
        .await
    }

    async fn picture(&self, name: &str) {
        self.0.picture(&root().join("target/dashboard").join(name).with_extension("png")).await;
    }
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The pods of this colour in all boxes.
fn pods<'a>(shown: &'a Value, tone: &str) -> Vec<&'a Value> {
    list(shown, "nodes").iter().flat_map(|node| list(node, "pods")).filter(|pod| pod["tone"] == tone).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_what_lives() {
    let Some(browser) = Browser::open(1200, 800).await else {
        eprintln!("there is no Chromium here; the page is not looked at");
        return;
    };
    let world = World::up(2);
    let address = world.ctl(&["dashboard"]).success();
    browser.visit(address.trim()).await;
    let page = Page(browser);
    let empty = page.until("two empty nodes", |shown| list(shown, "nodes").len() == 2).await;
    assert_eq!(list(&empty, "nodes")[0]["className"], "node well");
    assert_eq!(list(&empty, "legend").len(), 7);

    let manifest = root().join("examples/nginx.yml").display().to_string();
    world.ctl(&["apply", "-f", &manifest]).success();
    let shown = page.until("two green cells", |shown| pods(shown, "running").len() == 2).await;
    for pod in pods(&shown, "running") {
        assert!(pod["size"].as_f64().is_some_and(|size| size >= 8.0), "a cell that can be hit: {pod}");
    }
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
    page.picture("apply").await;

    // Trouble is red, and what has no node stands apart.
    world.kubectl(&["run", "bad", "--image=nginx:no-such-tag"]).success();
    world.kubectl(&["run", "vain", "--image=nginx", "--overrides", r#"{"spec":{"nodeSelector":{"no":"where"}}}"#]).success();
    let one_of_each = |shown: &Value| pods(shown, "failed").len() == 1 && pods(shown, "pending").len() == 1;
    let shown = page.until("a red cell and a waiting one", one_of_each).await;
    let apart = &list(&shown, "nodes")[0];
    assert_eq!((text(&apart["className"]), list(apart, "pods").len()), ("node none", 1));
    page.until("its colour", |shown| pods(shown, "failed").first().is_some_and(|pod| pod["color"] == "rgb(214, 69, 69)")).await;
    assert!(text(&shown["summary"]).contains("4 pods: 2 running and ready, 1 on its way, 1 in trouble"), "{}", shown["summary"]);

    // Whoever is clicked on is shown whole, until the cross is clicked on.
    page.0.click(r#"[data-about="bad"]"#).await;
    let shown = page.until("its YAML and events", |shown| text(&shown["detail"]["events"]).contains("Failed")).await;
    assert_eq!(shown["detail"]["title"], "bad");
    assert!(text(&shown["detail"]["yaml"]).contains("image: nginx:no-such-tag"), "{shown}");
    assert!(!text(&shown["detail"]["yaml"]).contains("f:metadata"), "nobody wants to read who manages which field: {shown}");
    page.picture("detail").await;
    page.0.click("#close").await;
    page.until("it to be closed", |shown| shown["detail"].is_null()).await;

    world.kubectl(&["delete", "pod", "vain", "bad", "--now"]).success();
    let all_well = |shown: &Value| list(shown, "nodes").len() == 2 && pods(shown, "failed").len() + pods(shown, "pending").len() == 0;
    page.until("the cells to be gone", all_well).await;
    world.kubectl(&["cordon", "k8s-node-1"]).success();
    let shown = page.until("a closed node", |shown| list(shown, "nodes")[0]["className"] == "node closed").await;
    assert_eq!(shown["wide"], false, "nobody must scroll sideways");
    assert_eq!(page.0.complaints().await, [] as [Value; 0], "the browser is content");

    // It bears the server's absence.
    world.ctl(&["stop", "apiserver"]).success();
    page.until("word of it", |shown| text(&shown["trouble"]).contains("does not answer")).await;
    page.picture("absence").await;
    world.ctl(&["start", "apiserver"]).success();
    page.until("the cluster again", |shown| text(&shown["trouble"]).is_empty() && pods(shown, "running").len() == 2).await;
}
