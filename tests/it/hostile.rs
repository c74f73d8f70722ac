//! Containers that mean harm: what they do is bounded, their neighbours go on, and nothing of the host is touched.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use mini_tests::{World, wait_at_most, wait_for};
use serde_json::{Value, json};

/// What each of them does. `MARK` is a name that nobody else gives to a file, `HOME` a folder of the host.
const HARM: [(&str, &str); 9] = [
    ("loops", "while :; do :; done"),
    ("forks", "f() { f | f & }; f; while :; do (while :; do :; done) & done"),
    ("writes", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx >> /MARK; done"),
    ("fills", "yes > /tmp/MARK"),
    ("prints", "yes MARK"),
    ("recurses", "f() { f; }; f; sleep 3600"),
    ("grows", "x=xxxxxxxx; while :; do x=$x$x; done"),
    ("removes", "rm -rf HOME /host/* /*; kill -9 -1; kill -9 1 2 3; while :; do :; done"),
    // `removes` may take away what this one has put into the folder of their node.
    (
        "leaves",
        "mkdir -p HOME; for f in /MARK /tmp/MARK HOME/MARK /host/MARK /proc/MARK; do echo $f > $f; done; cat HOME/cluster.json; until ls /host | grep MARK; do echo again > /host/MARK; done; sleep 3600",
    ),
];

/// The room that one kubelet with all of them may take.
const MOST_MEMORY: u64 = 512 << 20;

fn pods(mark: &str, home: &Path) -> String {
    let pod = |(name, script): &(&str, &str)| {
        let script = script.replace("MARK", mark).replace("HOME", &home.to_string_lossy());
        let mounts = json!([{ "name": "host", "mountPath": "/host" }]);
        let container = json!({ "name": name, "image": "busybox", "command": ["sh", "-c", script], "volumeMounts": mounts });
        let volumes = json!([{ "name": "host", "hostPath": { "path": home } }]);
        let spec = json!({ "containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 1 });
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": spec })
    };
    let items: Vec<Value> = HARM.iter().map(pod).collect();
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

/// All files below a folder, but for what cannot be read.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let all = entries.flat_map(|entry| {
        let path = entry.path();
        let inside = if entry.file_type().is_ok_and(|kind| kind.is_dir()) { below(&path) } else { Vec::new() };
        [path].into_iter().chain(inside)
    });
    all.collect()
}

/// The processes that a process has started.
fn children(pid: u32) -> Vec<String> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = all.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let parent = |stat: &String| stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
    stats.filter(|stat| parent(stat) == Some(pid)).collect()
}

/// The files that a process has open, but for sockets and their like.
fn open_files(pid: u32) -> Vec<PathBuf> {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    all.filter_map(|entry| fs::read_link(entry.path()).ok()).filter(|path| path.is_absolute()).collect()
}

/// The most memory that a process has ever taken, in bytes.
fn most_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it tells");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_means_harm_harms_nobody() {
    let world = World::up(1);
    let mark = format!("mini-harm-{:x}", mini_daemon::clock::random());
    let before = below(world.home());
    let kubelet = world.pid("k8s-node-1");

    world.kubectl(&["run", "web", "--image=nginx"]).success();
    world.kubectl(&["run", "box", "--image=busybox", "--", "sleep", "3600"]).success();
    world.kubectl(&["wait", "--for=condition=Ready", "pod/web", "pod/box", "--timeout=60s"]).success();
    world.kubectl_with(&["apply", "-f", "-"], &pods(&mark, world.home())).success();
    wait_for("all of them to have begun", || async {
        let phases = world.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].status.phase}"]).stdout();
        if phases.split(' ').all(|phase| phase == "Running") && phases.split(' ').count() == HARM.len() + 2 { Ok(()) } else { Err(phases) }
    })
    .await;

    // A neighbour goes on, on the same node, in the same process.
    let address = world.kubectl(&["get", "pod", "web", "-o", "jsonpath={.status.podIP}"]).success();
    for _ in 0..10 {
        let page = world.kubectl(&["exec", "box", "--", "wget", "-qO-", "-T", "10", &address]).success();
        assert!(page.contains("Welcome to nginx!"), "{page}");
    }
    // What they say can be asked for, and has an end where nobody follows.
    assert_eq!(world.kubectl(&["logs", "prints", "--tail=1"]).success(), format!("{mark}\n"));
    wait_for("what is in the folder that is not the host's", || async {
        let seen = world.kubectl(&["logs", "leaves"]).stdout();
        // The volume of a node that is not there but for this pod and its neighbours.
        if seen.contains("No such file or directory") && seen.ends_with(&format!("{mark}\n")) { Ok(()) } else { Err(seen) }
    })
    .await;
    let seen = world.kubectl(&["logs", "leaves"]).success();
    assert!(!seen.contains("\"port\""), "it has read a file of the host: {seen}");

    // The processes and files that are there are those that were there.
    assert_eq!(children(kubelet), Vec::<String>::new());
    let strange: Vec<PathBuf> =
        open_files(kubelet).into_iter().filter(|path| !path.starts_with(world.home()) && path != Path::new("/dev/null")).collect();
    assert_eq!(strange, Vec::<PathBuf>::new(), "the kubelet has opened files");
    for folder in ["/", "/tmp", "/proc"] {
        assert!(!Path::new(folder).join(&mark).exists(), "there is a {mark} in {folder}");
    }
    let now = below(world.home());
    let left: Vec<_> = now.iter().filter(|path| path.to_string_lossy().contains(&mark)).collect();
    assert!(left.is_empty(), "{left:?}");
    let settings = world.home().join("cluster.json");
    assert!(before.contains(&settings) && now.contains(&settings), "a file of the host is gone");
    assert!(most_memory(kubelet) < MOST_MEMORY, "the kubelet took {} MB", most_memory(kubelet) >> 20);

    // They can be ended.
    let names: Vec<&str> = HARM.iter().map(|(name, _)| *name).collect();
    world.kubectl(&[&["delete", "pod", "--wait=false"], names.as_slice()].concat()).success();
    let ended = wait_at_most(Duration::from_secs(60), || async {
        let left = world.kubectl(&["get", "pods", "-o", "name"]).stdout();
        if left == "pod/box\npod/web\n" { Ok(()) } else { Err(left) }
    });
    ended.await.expect("they end");
}
