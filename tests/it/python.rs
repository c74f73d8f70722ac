//! The Python client from PyPI. `.ci/run` installs it and says by `MINI_PYTHON` which interpreter has it; elsewhere there may be none,
//! and a Rust toolchain alone must do for `cargo test`.

use std::process::Command;

use mini_tests::{World, root};

#[test]
fn the_python_client_is_at_home() {
    let Some(python) = std::env::var_os("MINI_PYTHON") else {
        eprintln!("MINI_PYTHON names no interpreter with the package kubernetes: not played");
        return;
    };
    let world = World::up(2);
    let script = root().join("tests/clients/walk.py");
    let ran = Command::new(python).arg(script).arg(world.home().join("kubeconfig")).output().expect("the interpreter starts");
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert_eq!((ran.status.success(), &*out), (true, "walked\n"), "{err}");
}
