//! `docker-compose.yml`, played without an engine: each service is a process instead of a container, with the very command that stands there, started when
//! what it depends on is healthy by the very check that stands there. Only hosts and ports are others: all are on the loopback address.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
};

use mini_tests::{binaries, http::Http, root, wait_for};
use regex::{Captures, Regex};
use serde_json::Value;
use tempfile::TempDir;

/// A service as it stands in the file, and where its ports are instead.
struct Service {
    name: String,
    command: Vec<String>,
    check: Vec<String>,
    needs: Vec<String>,
}

fn words(value: &Value) -> Vec<String> {
    let words = value.as_array().unwrap_or_else(|| panic!("{value} is no list"));
    words.iter().map(|word| word.as_str().unwrap_or_else(|| panic!("{word} is no text")).to_owned()).collect()
}

fn file() -> Value {
    let text = std::fs::read_to_string(root().join("docker-compose.yml")).expect("it is there");
    serde_yaml::from_str(&text).expect("it is YAML")
}

fn services(file: &Value) -> Vec<Service> {
    let service = |(name, service): (&String, &Value)| Service {
        name: name.clone(),
        command: words(&service["command"]),
        check: words(&service["healthcheck"]["test"]),
        needs: service["depends_on"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, how)| {
                assert_eq!(how["condition"], "service_healthy", "{name}");
                name.clone()
            })
            .collect(),
    };
    file["services"].as_object().expect("services").iter().map(service).collect()
}

/// The containers' hosts and ports, each with the port that stands for it here. The ports are held until all are chosen.
#[derive(Default)]
struct Ports {
    ports: BTreeMap<(String, String), u16>,
    held: Vec<TcpListener>,
}

impl Ports {
    fn of(&mut self, host: &str, port: &str) -> u16 {
        let held = &mut self.held;
        *self.ports.entry((host.to_owned(), port.to_owned())).or_insert_with(|| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = listener.local_addr().expect("its address").port();
            held.push(listener);
            port
        })
    }

    /// A word of a command of `service`, as it is said here.
    fn here(&mut self, service: &str, word: &str, data: &Path) -> String {
        if word == "/data" {
            return data.display().to_string();
        }
        let address = Regex::new(r"([a-z0-9.]+):(\d{4,5})$").expect("a pattern");
        let own = |host: &str| ["0.0.0.0", "127.0.0.1"].contains(&host);
        let here = |found: &Captures<'_>| {
            let host = if own(&found[1]) { service } else { &found[1] };
            format!("127.0.0.1:{}", self.of(host, &found[2]))
        };
        address.replace(word, here).into_owned()
    }
}

/// Programs that end with the test.
struct Running(Vec<(String, Child)>);

impl Drop for Running {
    fn drop(&mut self) {
        for (_, child) in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn program(words: &[String]) -> Command {
    let mut command = Command::new(binaries().join(&words[0]));
    command.args(&words[1..]).env_remove("KUBECONFIG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_commands_make_a_cluster() {
    let (file, folder) = (file(), TempDir::new().expect("a folder"));
    let (mut ports, mut left) = (Ports::default(), services(&file));
    let names: BTreeSet<_> = left.iter().map(|service| service.name.clone()).collect();
    assert_eq!(names, ["apiserver", "scheduler", "controllers", "node1", "node2", "node3", "node"].map(str::to_owned).into());
    for service in &mut left {
        for word in service.command.iter_mut().chain(&mut service.check) {
            *word = ports.here(&service.name, word, folder.path());
        }
    }
    let address = ports.of("apiserver", "6443");
    ports.held.clear();
    let (mut running, mut healthy) = (Running(Vec::new()), BTreeSet::new());
    while !left.is_empty() {
        let (now, later): (Vec<_>, Vec<_>) = left.into_iter().partition(|service| service.needs.iter().all(|need| healthy.contains(need)));
        assert!(!now.is_empty(), "these wait for each other: {:?}", later.iter().map(|service| &service.name).collect::<Vec<_>>());
        left = later;
        for service in &now {
            running.0.push((service.name.clone(), program(&service.command).spawn().expect("it starts")));
        }
        for service in now {
            assert_eq!(service.check[0], "CMD", "there is no shell in the image");
            wait_for(&format!("{} to be healthy", service.name), || async {
                let ended = program(&service.check[1..]).output().expect("the check starts");
                if ended.status.success() { Ok(()) } else { Err(format!("{:?}: {ended:?}", service.check)) }
            })
            .await;
            healthy.insert(service.name);
        }
    }
    let http = Http::new(([127, 0, 0, 1], address).into());
    let host = mini_daemon::process::host_name();
    wait_for("four nodes", || async {
        let nodes = http.get("/api/v1/nodes").await.json();
        let items = nodes["items"].as_array().cloned().unwrap_or_default();
        let is_ready = |node: &&Value| {
            node["status"]["conditions"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        };
        let ready: BTreeSet<_> =
            items.iter().filter(is_ready).map(|node| node["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect();
        if ready == ["node1", "node2", "node3", &host].map(str::to_owned).into() { Ok(()) } else { Err(ready) }
    })
    .await;
    let statuses = http.get("/api/v1/componentstatuses").await.json();
    let statuses = statuses["items"].as_array().cloned().unwrap_or_default();
    assert!(statuses.iter().all(|one| one["conditions"][0]["status"] == "True") && statuses.len() == 3, "{statuses:#?}");
    let pod = serde_json::json!({ "metadata": { "name": "web" }, "spec": { "containers": [{ "name": "c", "image": "nginx" }] } });
    wait_for("the service account", || async {
        let answer = http.post("/api/v1/namespaces/default/pods", &pod).await;
        if answer.code == 201 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    wait_for("a running pod", || async {
        let pod = http.get("/api/v1/namespaces/default/pods/web").await.json();
        if pod["status"]["phase"] == "Running" { Ok(()) } else { Err(pod["status"].clone()) }
    })
    .await;
}

/// What an engine would be told besides.
#[test]
fn nobody_is_root_and_what_is_kept_is_named() {
    let file = file();
    let nodes: Vec<&Value> = ["node1", "node2", "node3"].map(|name| &file["services"][name]).into();
    assert!(nodes.iter().all(|node| node["image"] == "mini" && node["build"] == "." && node["deploy"].is_null()), "{nodes:?}");
    assert_eq!(file["services"]["node"]["deploy"]["replicas"], 0, "it is for --scale");
    assert_eq!(file["services"]["apiserver"]["volumes"], serde_json::json!(["data:/data"]));
    assert!(file["volumes"]["data"].is_object() && file["networks"]["cluster"].is_object());
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile")).expect("it is there");
    let stages: Vec<&str> = dockerfile.lines().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(stages.last(), Some(&"FROM scratch"));
    assert!(dockerfile.lines().any(|line| line == "USER 65532:65532"));
    // Each program that a command names is copied into the image.
    let copied = dockerfile.lines().find(|line| line.contains("for program in")).expect("the programs are copied");
    for service in services(&file) {
        let program = service.command[0].strip_prefix("mini-").expect("one of ours");
        assert!(copied.contains(program), "{program} is not in the image");
    }
}
