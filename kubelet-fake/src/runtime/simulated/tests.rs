//! The simulated runtime by itself, with tokio's clock paused.

use std::collections::HashSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

use super::{
    super::{File, Mount, Source},
    *,
};

struct World {
    runtime: Simulated,
    hints: mpsc::UnboundedReceiver<Arc<str>>,
}

fn world() -> World {
    let (sender, hints) = mpsc::unbounded_channel();
    let (origin, zero) = (tokio::time::Instant::now(), Timestamp::UNIX_EPOCH);
    let now: Now = Arc::new(move || zero + origin.elapsed());
    let network = Network::new(Arc::new(HashSet::new()), None);
    World { runtime: Simulated::new(sender, now, network, Duration::from_millis(200), Duration::ZERO), hints }
}

/// A container `c` of an image with a command.
fn container(image: &str, command: &[&str]) -> Value {
    json!({ "name": "c", "image": image, "command": command })
}

/// A shell that runs a script.
fn script(text: &str) -> Value {
    container("busybox", &["sh", "-c", text])
}

fn pod(annotations: Value, containers: &[Value]) -> Arc<Pod> {
    let pod = json!({
        "metadata": { "name": "p", "namespace": "default", "uid": "u", "annotations": annotations },
        "spec": { "containers": containers },
    });
    Arc::new(serde_json::from_value(pod).unwrap())
}

impl World {
    async fn request(&self, pod: &Arc<Pod>, name: &str) -> StartRequest {
        let spec = pod.spec.as_ref().unwrap().containers.iter().find(|container| container.name == name).unwrap();
        let image = self.runtime.pull("n", spec.image.as_deref().unwrap(), pod).await.unwrap();
        let mut request = StartRequest::bare("n".into(), pod.clone(), name.into(), 0, image);
        request.network.ip = Some([10, 244, 1, 2].into());
        request
    }

    async fn start(&self, annotations: Value, container: Value) -> Arc<str> {
        let request = self.request(&pod(annotations, &[container]), "c").await;
        self.runtime.start(request).await.unwrap()
    }

    async fn state(&self) -> State {
        self.runtime.list("n", Some("u")).await.unwrap().containers[0].state.clone()
    }

    /// How the first container ends.
    async fn exit(&mut self) -> Exit {
        loop {
            if let State::Exited(exit) = self.state().await {
                return exit;
            }
            self.hints.recv().await.unwrap();
        }
    }

    async fn log(&self, id: &str, follow: bool) -> String {
        let stream = self.runtime.logs(id, LogOptions { follow, ..LogOptions::default() }).await.unwrap();
        let chunks: Vec<_> = stream.map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap()).collect().await;
        chunks.concat()
    }

    /// What a command says, and how it ends.
    async fn exec(&self, id: &str, command: &[&str]) -> (String, String, i32) {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let mut process = self.runtime.exec(id, &command, false).await.unwrap();
        drop(process.stdin);
        let (mut out, mut err) = (String::new(), String::new());
        let code = tokio::join!(process.stdout.read_to_string(&mut out), process.stderr.read_to_string(&mut err), process.exit).2;
        (out, err, code.unwrap())
    }
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_only_waits_to_be_asked_is_an_entry_in_a_table() {
    let mut world = world();
    let id = world.start(json!({}), json!({ "name": "c", "image": "nginx:1.7.9" })).await;
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    assert_eq!(world.state().await, State::Running { started: at(200) }, "the pull took 200 ms");
    assert!(world.hints.is_empty());
    assert!(world.runtime.shared.table.lock().living_pods().is_empty(), "nobody has asked");

    world.runtime.stop(&id, Duration::from_secs(30)).await.unwrap();
    assert_eq!(world.state().await, State::Exited(Exit::new(0, at(200), at(86_400_200))));
    assert_eq!(world.hints.recv().await.as_deref(), Some("u"));
    world.runtime.stop(&id, Duration::ZERO).await.unwrap();
    world.runtime.remove(&id).await.unwrap();
    assert_eq!(world.runtime.list("n", None).await.unwrap().containers, []);
    assert_eq!(world.runtime.stop(&id, Duration::ZERO).await, Err(RuntimeError::NotFound(id.to_string())));
}

#[tokio::test(start_paused = true)]
async fn it_answers_when_somebody_comes() {
    let world = world();
    let id = world.start(json!({}), json!({ "name": "c", "image": "nginx:1.7.9" })).await;
    let dialed = world.runtime.dial(([10, 244, 1, 2], 80).into()).await;
    let mut stream = match dialed {
        Ok(stream) => stream,
        Err(error) => panic!("{error}: {:?} {}", world.state().await, world.log(&id, false).await),
    };
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\nServer: nginx/1.7.9\r\n") && answer.contains("Welcome to nginx!"), "{answer}");
    let refused = world.runtime.dial(([10, 244, 1, 2], 81).into()).await.err().map(|error| error.kind());
    assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
    let nobody = world.runtime.dial(([10, 244, 1, 3], 80).into()).await.err().map(|error| error.kind());
    assert_eq!(nobody, Some(io::ErrorKind::HostUnreachable));
    let (out, ..) = world.exec(&id, &["ps"]).await;
    assert!(out.contains("nginx: master process"), "{out}");
    world.runtime.stop(&id, Duration::from_secs(30)).await.unwrap();
    assert!(matches!(world.state().await, State::Exited(Exit { code: 0, .. })), "{:?}", world.state().await);
}

#[tokio::test(start_paused = true)]
async fn scripts_do_what_they_say() {
    for (text, code, log, message) in [
        ("echo hello k8s job!", 0, "hello k8s job!\n", None),
        ("echo wrong >&2; sleep 3; exit 3", 3, "wrong\n", None),
        ("kill -9 $$; echo the first process cannot be killed from inside", 0, "the first process cannot be killed from inside\n", None),
        ("sh -c 'kill -9 $$'; exit $?", 137, "Killed\n", None),
        ("echo bye > /dev/termination-log; exit 1", 1, "", Some("bye\n")),
        ("hostname; cat /etc/hostname", 0, "p\np\n", None),
    ] {
        let mut world = world();
        let id = world.start(json!({}), script(text)).await;
        let exit = world.exit().await;
        assert_eq!((exit.code, exit.message.as_deref()), (code, message), "{text}");
        assert_eq!(exit.reason, if code == 0 { "Completed" } else { "Error" });
        assert_eq!(world.log(&id, true).await, log, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_process_ignores_what_it_does_not_expect() {
    for (text, code, seconds) in [("sleep 3600; true", 137, 5), ("trap 'exit 7' TERM; while true; do sleep 1; done", 7, 1)] {
        let world = world();
        let id = world.start(json!({}), script(text)).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let began = tokio::time::Instant::now();
        world.runtime.stop(&id, Duration::from_secs(5)).await.unwrap();
        let State::Exited(exit) = world.state().await else { panic!("it runs") };
        assert_eq!(exit.code, code, "{text}");
        assert!(began.elapsed() <= Duration::from_secs(seconds), "{text}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_started_says_why() {
    for (command, why) in [
        ("nosuch", "exec: \"nosuch\": executable file not found in $PATH"),
        ("/bin/nosuch", "exec: \"/bin/nosuch\": stat /bin/nosuch: no such file or directory"),
        ("/etc/hostname", "exec: \"/etc/hostname\": permission denied"),
    ] {
        let world = world();
        let request = world.request(&pod(json!({}), &[container("busybox", &[command])]), "c").await;
        let Err(RuntimeError::Start(said)) = world.runtime.start(request).await else { panic!("{command} is started") };
        assert!(said.starts_with("failed to create containerd task: ") && said.ends_with(why), "{said}");
        let State::Exited(exit) = world.state().await else { panic!("{command} runs") };
        assert_eq!((exit.code, exit.reason, exit.message.as_deref()), (128, "StartError", Some(said.as_str())));
    }
}

#[tokio::test(start_paused = true)]
async fn commands_run_beside_it() {
    let world = world();
    let id = world.start(json!({}), script("sleep 600; true")).await;
    assert_eq!(world.exec(&id, &["sh", "-c", "echo out; echo err >&2; exit 4"]).await, ("out\n".into(), "err\n".into(), 4));
    let (out, ..) = world.exec(&id, &["cat", "/etc/hosts"]).await;
    assert!(out.starts_with("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n") && out.ends_with("10.244.1.2\tp\n"), "{out}");
    let refused = |command: &'static str| {
        let (runtime, id) = (world.runtime.clone(), id.clone());
        async move { runtime.exec(&id, &[command.to_owned()], false).await.err().map(|error| error.to_string()).unwrap_or_default() }
    };
    let said = refused("nosuch").await;
    assert!(said.starts_with("failed to exec in container: failed to start exec \""), "{said}");
    assert!(said.ends_with("unable to start container process: exec: \"nosuch\": executable file not found in $PATH: unknown"), "{said}");
    let said = refused("/bin/nosuch").await;
    assert!(said.ends_with("exec: \"/bin/nosuch\": stat /bin/nosuch: no such file or directory: unknown"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn who_is_attached_talks_with_it() {
    let mut world = world();
    let cat = json!({ "name": "c", "image": "busybox", "command": ["cat"], "stdin": true, "stdinOnce": true });
    let id = world.start(json!({}), cat).await;
    let mut process = world.runtime.attach(&id).await.unwrap();
    process.stdin.write_all(b"hello\n").await.unwrap();
    let mut seen = [0; 6];
    process.stdout.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, b"hello\n");
    process.stdin.shutdown().await.unwrap();
    assert_eq!(process.exit.await, Ok(0));
    assert_eq!(world.exit().await.code, 0);
    assert!(matches!(world.runtime.attach(&id).await.err(), Some(RuntimeError::NotFound(_))), "it has ended");
}

#[tokio::test(start_paused = true)]
async fn containers_of_a_pod_share_volumes_but_no_processes() {
    let world = world();
    let named = |name: &str, text: &str| json!({ "name": name, "image": "busybox", "command": ["sh", "-c", text] });
    let pod = pod(json!({}), &[named("one", "echo from one > /data/x; sleep 600; true"), named("other", "sleep 700; true")]);
    let mut ids = Vec::new();
    for name in ["one", "other"] {
        let mut request = world.request(&pod, name).await;
        let source = Source::Empty { memory: false, limit: None };
        request.mounts.push(Mount {
            volume: "v".into(),
            path: "/data".into(),
            sub_path: String::new(),
            read_only: name == "other",
            source,
        });
        ids.push(world.runtime.start(request).await.unwrap());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.exec(&ids[1], &["cat", "/data/x"]).await.0, "from one\n");
    let (_, why, code) = world.exec(&ids[1], &["sh", "-c", "echo no > /data/x"]).await;
    assert!(why.contains("Read-only file system") && code != 0, "{why}");
    let (out, ..) = world.exec(&ids[1], &["ps"]).await;
    assert!(out.contains("sleep 700") && !out.contains("sleep 600"), "{out}");
}

#[tokio::test(start_paused = true)]
async fn files_of_the_api_reach_a_container_that_runs() {
    #[derive(Debug)]
    struct Map(Mutex<&'static str>);
    impl super::super::Files for Map {
        fn list(&self) -> Vec<File> {
            let content = super::super::Content::Bytes(bytes::Bytes::from_static(self.0.lock().as_bytes()));
            vec![File { path: "key".into(), mode: 0o644, content }]
        }
    }
    let (world, map) = (world(), Arc::new(Map(Mutex::new("old"))));
    let mut request = world.request(&pod(json!({}), &[script("sleep 600; true")]), "c").await;
    let mount = |path: &str, sub_path: &str| Mount {
        volume: "m".into(),
        path: path.into(),
        sub_path: sub_path.into(),
        read_only: false,
        source: Source::Files(map.clone()),
    };
    request.mounts = vec![mount("/etc/config", ""), mount("/etc/one", "key")];
    let id = world.runtime.start(request).await.unwrap();
    let read = async || (world.exec(&id, &["cat", "/etc/config/key"]).await.0, world.exec(&id, &["cat", "/etc/one"]).await.0);
    assert_eq!(read().await, ("old".to_owned(), "old".to_owned()));
    *map.0.lock() = "new";
    tokio::time::sleep(2 * REFRESH).await;
    assert_eq!(read().await, ("new".to_owned(), "old".to_owned()), "a part of a volume does not follow");
}

#[tokio::test(start_paused = true)]
async fn who_takes_too_much_memory_is_killed() {
    let mut world = world();
    let mut greedy = container("polinux/stress", &["stress", "--vm", "1", "--vm-bytes", "150M", "--vm-hang", "1"]);
    greedy["resources"] = json!({ "limits": { "memory": "100Mi" } });
    world.start(json!({}), greedy).await;
    let exit = world.exit().await;
    assert_eq!((exit.code, exit.reason), (137, "OOMKilled"));
}

#[tokio::test(start_paused = true)]
async fn it_ends_as_annotated() {
    let mut world = world();
    world.start(json!({ "mini.dev/exit-after.c": "5s", "mini.dev/exit-code.c": "3" }), script("sleep 600")).await;
    assert_eq!(world.exit().await, Exit::new(3, at(200), at(5_200)));
}

#[tokio::test(start_paused = true)]
async fn it_may_ignore_sigterm_until_it_is_killed() {
    let world = world();
    let id = world.start(json!({ "mini.dev/ignore-sigterm.c": "true" }), json!({ "name": "c", "image": "nginx" })).await;
    world.runtime.stop(&id, Duration::from_secs(30)).await.unwrap();
    assert_eq!(world.state().await, State::Exited(Exit::new(137, at(200), at(30_200))));
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
