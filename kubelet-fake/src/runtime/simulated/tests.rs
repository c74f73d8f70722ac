//! The simulated runtime by itself, with tokio's clock paused.

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use tokio::{io::AsyncReadExt, sync::mpsc};

use super::*;

struct World {
    runtime: Simulated,
    hints: mpsc::UnboundedReceiver<Arc<str>>,
}

fn world() -> World {
    let (sender, hints) = mpsc::unbounded_channel();
    let (origin, zero) = (tokio::time::Instant::now(), Timestamp::UNIX_EPOCH);
    let now: Now = Arc::new(move || zero + origin.elapsed());
    World { runtime: Simulated::new(sender, now, Duration::from_millis(200), Duration::ZERO), hints }
}

impl World {
    async fn start(&self, annotations: serde_json::Value) -> Arc<str> {
        let pod = json!({
            "metadata": { "name": "p", "namespace": "default", "uid": "u", "annotations": annotations },
            "spec": { "containers": [{ "name": "c", "image": "nginx:1.7.9", "command": ["nginx"] }] },
        });
        let pod: Arc<Pod> = Arc::new(serde_json::from_value(pod).unwrap());
        let image = self.runtime.pull("n", "nginx:1.7.9", &pod).await.unwrap();
        self.runtime.start(StartRequest { node: "n".into(), pod, container: "c".into(), attempt: 0, image }).await.unwrap()
    }

    async fn state(&self) -> State {
        self.runtime.list("n", Some("u")).await.unwrap().containers[0].state.clone()
    }

    async fn log(&self, id: &str, follow: bool) -> String {
        let stream = self.runtime.logs(id, LogOptions { follow, ..LogOptions::default() }).await.unwrap();
        let chunks: Vec<_> = stream.map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap()).collect().await;
        chunks.concat()
    }
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_runs_until_told_otherwise() {
    let mut world = world();
    let id = world.start(json!({})).await;
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    assert_eq!(world.state().await, State::Running { started: at(200) }, "the pull took 200 ms");
    assert!(world.hints.is_empty());

    world.runtime.stop(&id, Duration::from_secs(30)).await.unwrap();
    assert_eq!(world.state().await, State::Exited(Exit { code: 0, started: at(200), finished: at(86_400_200) }));
    assert_eq!(world.hints.recv().await.as_deref(), Some("u"));
    world.runtime.stop(&id, Duration::ZERO).await.unwrap();
    world.runtime.remove(&id).await.unwrap();
    assert_eq!(world.runtime.list("n", None).await.unwrap().containers, []);
    assert_eq!(world.runtime.stop(&id, Duration::ZERO).await, Err(RuntimeError::NotFound(id.to_string())));
}

#[tokio::test(start_paused = true)]
async fn it_ends_as_annotated() {
    let mut world = world();
    world.start(json!({ "mini.dev/exit-after.c": "5s", "mini.dev/exit-code.c": "3" })).await;
    assert_eq!(world.hints.recv().await.as_deref(), Some("u"));
    assert_eq!(world.state().await, State::Exited(Exit { code: 3, started: at(200), finished: at(5_200) }));
}

#[tokio::test(start_paused = true)]
async fn it_may_ignore_sigterm_until_it_is_killed() {
    let world = world();
    let id = world.start(json!({ "mini.dev/ignore-sigterm.c": "true" })).await;
    world.runtime.stop(&id, Duration::from_secs(30)).await.unwrap();
    assert_eq!(world.state().await, State::Exited(Exit { code: 137, started: at(200), finished: at(30_200) }));
}

#[tokio::test(start_paused = true)]
async fn a_second_pull_is_quick_and_a_missing_image_fails() {
    let world = world();
    let pod = Pod::default();
    world.runtime.pull("n", "nginx", &pod).await.unwrap();
    let before = tokio::time::Instant::now();
    world.runtime.pull("n", "nginx", &pod).await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_millis(20));
    assert!(world.runtime.pull("n", "nosuch/image", &pod).await.is_err());
    assert_eq!(world.runtime.list("n", None).await.unwrap().images.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn logs_can_be_followed_to_the_end() {
    let world = world();
    let id = world.start(json!({ "mini.dev/exit-after.c": "5s" })).await;
    assert_eq!(world.log(&id, false).await, "started docker.io/library/nginx:1.7.9, command [\"nginx\"]\n");
    let followed = world.log(&id, true).await;
    assert_eq!(followed, "started docker.io/library/nginx:1.7.9, command [\"nginx\"]\nexited with code 0\n");
}

#[tokio::test]
async fn a_container_without_files_has_no_executables_and_nobody_listens() {
    let world = world();
    let id = world.start(json!({})).await;
    let refused = |command: &'static str| {
        let (runtime, id) = (world.runtime.clone(), id.clone());
        async move { runtime.exec(&id, &[command.to_owned()], false).await.err().map(|error| error.to_string()).unwrap_or_default() }
    };
    let said = refused("ls").await;
    assert!(said.starts_with("failed to exec in container: failed to start exec \""), "{said}");
    assert!(said.ends_with("unable to start container process: exec: \"ls\": executable file not found in $PATH: unknown"), "{said}");
    let said = refused("/bin/ls").await;
    assert!(said.ends_with("exec: \"/bin/ls\": stat /bin/ls: no such file or directory: unknown"), "{said}");
    let refused = world.runtime.dial(([10, 244, 1, 2], 80).into()).await.err().map(|error| error.kind());
    assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
}

#[tokio::test(start_paused = true)]
async fn to_attach_is_to_see_what_comes_from_now_on() {
    let world = world();
    let id = world.start(json!({ "mini.dev/exit-after.c": "5s" })).await;
    let mut process = world.runtime.attach(&id).await.unwrap();
    let mut seen = String::new();
    process.stdout.read_to_string(&mut seen).await.unwrap();
    assert_eq!((seen.as_str(), process.exit.await), ("exited with code 0\n", Ok(0)));
    assert!(matches!(world.runtime.attach(&id).await.err(), Some(RuntimeError::NotFound(_))), "it has ended");
}
