//! The README, typed from top to bottom by somebody who has just read it: every line of its `sh` blocks, in one shell after the other, on one cluster.
//!
//! Three things are done otherwise, for they are about the machine and not about the cluster: programs are not built again, the cluster that `up` brings up
//! has a free port, and the tests are not run from within a test. A line that says until when it goes on is interrupted.

use std::{future::ready, time::Duration};

use mini_tests::{World, root, wait_at_most};

/// For how long a person would try again what fails: some things are a moment on their way.
const AGAIN: Duration = Duration::from_secs(10);

/// The lines of the blocks in `sh`.
fn lines(text: &str) -> Vec<&str> {
    let mut typed = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside && !line.is_empty() => typed.push(line),
            _ => {}
        }
    }
    typed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_tells_to_type_works() {
    let text = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let world = World::up(3);
    std::os::unix::fs::symlink(world.home(), world.home().join(".mini")).expect("the usual folder");
    let (mut exports, mut typed) = (String::new(), 0);
    for line in lines(&text) {
        if line.starts_with("cargo ") {
            continue;
        }
        if line.starts_with("export ") {
            exports += &format!("{line}\n");
            continue;
        }
        let goes_on = line.contains("# until ");
        let command = if goes_on { format!("timeout -s INT -k 1 3 {}", line.replace("8080:80", ":80")) } else { line.to_owned() };
        let typing = || {
            let ran = world.shell(&format!("{exports}{command}"), root());
            let well = if goes_on { [124, 130, 137].contains(&ran.code()) } else { ran.code() == 0 };
            ready(if well { Ok(()) } else { Err(format!("exit code {}\n{}{}", ran.code(), ran.stdout(), ran.stderr())) })
        };
        wait_at_most(AGAIN, typing).await.unwrap_or_else(|last| panic!("{line}\n{last}"));
        typed += 1;
    }
    assert!(typed > 20, "only {typed} lines were found");
}
