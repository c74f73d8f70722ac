//! The labs of the course notes. A lab is a folder of `examples/labs` with its manifests and a README, which a person reads and this module plays:
//! its `console` blocks are [sessions](crate::session), the rest is prose.
//!
//! - `Played with kubectl and mini-ctl.` is a line of the README. With `mini-ctl`, the word `kubectl` stands for that in another play.
//! - The first command is `mini-ctl up` with its flags: so the cluster of the lab is brought up, but on a free port.
//! - The current folder is a copy of the lab's.
//! - Its `goals.yaml` is for `mini-ctl lab check`, which the README types where all goals are reached.
//!
//! To add a lab, write its folder, its name, with `_` for `-`, in the list below, and its line in `examples/labs/README.md`. What is printed can be
//! left out at first: `UPDATE_EXPECT=1 cargo test -p mini-tests --test it -- labs::NAME` fills it in, and leaves the prose alone.

mod readme;

use std::path::Path;

use mini_tests::{World, root};
use readme::{Client, Lab, Part};

use crate::{
    kubectl_create::minor,
    session::{Terminal, updating},
};

/// The list of labs: a word makes the test that plays `examples/labs/word`.
macro_rules! labs {
    ($($lab:ident)*) => {
        /// All labs that are played.
        const LABS: &[&str] = &[$(stringify!($lab)),*];
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $lab() {
                plays(&folder(stringify!($lab))).await;
            }
        )*
    };
}

labs! {
    create_flow
    failover
    placement
    rollback
    rolling_update
    scale
    daemonset
    statefulset
    job
    cronjob
    replicationcontroller
    labels
    services
    autoscaling
    imperative
    architecture
    namespaces
    pod_phases
    troubleshooting
    init_containers
    liveness
    readiness
    startup_probe
    lifecycle_hooks
    host_aliases
    shared_pid
    kube_proxy
    ingress
}

/// The name of a lab's folder.
fn folder(lab: &str) -> String {
    lab.replace('_', "-")
}

/// Plays a lab with each of its clients.
async fn plays(lab: &str) {
    let home = root().join("examples/labs").join(lab);
    let file = home.join("README.md");
    let lab = Lab::read(&std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("read {}: {error}", file.display())));
    // What is to be printed is for the real client to say, where there is one.
    for client in lab.clients.iter().take(if updating() { 1 } else { usize::MAX }) {
        play(&lab, *client, &home, &file).await;
    }
}

/// Plays a lab with this client on a cluster of its own.
async fn play(lab: &Lab, client: Client, home: &Path, file: &Path) {
    let world = World::up_with(&lab.up.iter().map(String::as_str).collect::<Vec<_>>());
    let folder = world.home().join("lab");
    copy(home, &folder);
    // Ours prints what the newest kubectl prints.
    let (before, minor) = if client == Client::Kubectl { ("", minor(&world)) } else { (r#"PATH="$HOME/as:$PATH""#, u32::MAX) };
    world.alias("as/kubectl", "mini-ctl");
    let name = home.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // Its README tells where the goals are reached; at the beginning they are not.
    assert_eq!(world.ctl(&["lab", "check", &name]).code(), 1, "the goals of {name} are reached before anything was done");
    let mut terminal = Terminal::new(&world, folder);
    let mut shown = String::new();
    for part in &lab.parts {
        match part {
            Part::Prose(prose) => shown += prose,
            Part::Session(text) => {
                let played = terminal.play(text, before, minor).await;
                shown += played.trim_end();
                shown += if played.trim().is_empty() { "" } else { "\n" };
            }
        }
    }
    terminal.settle(file, &shown);
}

/// Copies the files of a folder into a new one.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("make the lab's folder");
    for entry in std::fs::read_dir(from).expect("read the lab's folder").flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copy a file of the lab");
    }
}

#[test]
fn every_lab_is_played_and_told() {
    let home = root().join("examples/labs");
    let told = std::fs::read_to_string(home.join("README.md")).expect("the labs have a README");
    let folders = std::fs::read_dir(home).expect("the labs are there").flatten().filter(|entry| entry.path().is_dir());
    let mut found: Vec<String> = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    found.sort();
    let mut played: Vec<String> = LABS.iter().map(|lab| folder(lab)).collect();
    played.sort();
    assert_eq!(found, played, "each folder of examples/labs is a word in the list of labs");
    let untold: Vec<&String> = found.iter().filter(|lab| !told.contains(&format!("({lab}/README.md)"))).collect();
    assert!(untold.is_empty(), "examples/labs/README.md does not link {untold:?}");
}
