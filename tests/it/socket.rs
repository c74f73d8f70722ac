//! The API server's Unix socket, by which programs on its machine reach it: the same door, beside the address.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, PostParams},
};
use mini_daemon::connect::ConnectArgs;
use mini_tests::{binaries, wait_for};
use serde_json::json;

use crate::alone::Program;

/// A client that can only have come by the socket: nobody listens at the address it names.
async fn client(socket: &Path) -> Client {
    let connect = ConnectArgs { server: Some(http::Uri::from_static("http://127.0.0.1:9")), socket: Some(socket.into()), kubeconfig: None };
    connect.client("mini-test").await.expect("a client")
}

async fn names(socket: &Path) -> Result<Vec<String>, String> {
    let maps: Api<ConfigMap> = Api::namespaced(client(socket).await, "default");
    let list = maps.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
    Ok(list.iter().map(ResourceExt::name_any).collect())
}

#[tokio::test]
async fn what_is_asked_by_the_socket_is_asked_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, log) = (folder.path().join("s"), folder.path().join("log"));
    let flags = [format!("--socket={}", socket.display()), format!("--audit-log-path={}", log.display())];
    let mut program = Program::start(folder.path(), &flags.each_ref().map(String::as_str)).await;
    let maps: Api<ConfigMap> = Api::namespaced(client(&socket).await, "default");
    let map: ConfigMap = serde_json::from_value(json!({ "metadata": { "name": "a" }, "data": { "k": "v" } })).unwrap();
    let made = maps.create(&PostParams::default(), &map).await.expect("it is created");
    let seen = program.http().get("/api/v1/namespaces/default/configmaps/a").await;
    assert_eq!((seen.code, seen.json()["metadata"]["uid"].as_str()), (200, made.uid().as_deref()));
    let manager = &seen.json()["metadata"]["managedFields"][0]["manager"];
    assert_eq!(manager, "mini-test", "the client says who it is");

    program.terminate();
    assert!(program.ended().await.success());
    assert!(!socket.exists(), "who leaves in good order takes the socket along");
    let audited = fs::read_to_string(&log).unwrap();
    let line =
        audited.lines().find(|line| line.contains("mini-test") && line.contains("ResponseComplete")).expect("it is in the audit log");
    assert!(line.contains(r#""sourceIPs":["127.0.0.1"]"#), "{line}");
}

#[tokio::test]
async fn a_socket_that_a_killed_server_left_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let flag = format!("--socket={}", socket.display());
    drop(Program::start(folder.path(), &[&flag]).await);
    assert!(socket.exists(), "it was killed, so the socket is left");
    assert!(names(&socket).await.is_err());

    let _second = Program::start(folder.path(), &[&flag]).await;
    wait_for("an answer by the socket", || names(&socket)).await;
}

#[tokio::test]
async fn what_is_no_socket_or_is_in_use_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, file) = (folder.path().join("s"), folder.path().join("thesis.tex"));
    fs::write(&file, "years of work").unwrap();
    let _first = Program::start(folder.path(), &[&format!("--socket={}", socket.display())]).await;
    for taken in [&socket, &file] {
        let second = Command::new(binaries().join("mini-apiserver"))
            .args(["--listen=127.0.0.1:0", "--store=memory:", "--log=off", "--socket"])
            .arg(taken)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&second.stderr);
        assert_eq!(said, format!("mini-apiserver: listen on {}: Address already in use (os error 98)\n", taken.display()));
        assert!(!second.status.success());
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "years of work");
    names(&socket).await.expect("the first one still listens");
}
