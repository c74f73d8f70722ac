//! Everything a person does with kubectl, theme by theme: each file beside this one is a session at a terminal, played on a cluster of its own.
//! What stands in it is what upstream's server makes kubectl print.

use mini_tests::{World, root};

use crate::{kubectl_create::minor, session::Terminal};

/// Plays the session of this theme on a cluster of three nodes.
async fn plays(theme: &str) {
    let world = World::up(3);
    let file = root().join("tests/it/kubectl").join(theme).with_extension("sh-session");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()));
    let mut terminal = Terminal::new(&world, world.home().join("session"));
    let shown = terminal.play(&text, "", minor(&world)).await;
    terminal.settle(&file, &shown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading() {
    plays("reading").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling() {
    plays("rolling").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing() {
    plays("writing").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applying() {
    plays("applying").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes() {
    plays("nodes").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn describing() {
    plays("describing").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking() {
    plays("asking").await;
}
