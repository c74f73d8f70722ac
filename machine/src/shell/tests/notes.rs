//! The scripts of the course notes.

use std::time::Duration;

use super::world::World;

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn an_init_container_waits_for_a_service() {
    let world = World::new();
    let script = "until nslookup myservice.default.svc.cluster.local; do echo waiting for myservice; sleep 2; done;";
    let process = world.start(&["sh", "-c", script], "");
    seconds(120).await;
    assert!(process.running.ended().is_none());
    let waited = process.out.text().matches("waiting for myservice\n").count();
    assert!(waited >= 2, "{}", process.out.text());
    assert_eq!(world.processes().first().map(String::as_str), Some(format!("sh -c {script}").as_str()));
}

#[tokio::test(start_paused = true)]
async fn an_application_that_falls_ill_after_half_a_minute() {
    let world = World::new();
    let process = world.start(&["/bin/sh", "-c", "touch /tmp/healthy; sleep 30; rm -rf /tmp/healthy; sleep 600"], "");
    seconds(10).await;
    assert!(world.has("/tmp/healthy"));
    let listed = world.processes();
    assert_eq!(listed[0], "/bin/sh -c touch /tmp/healthy; sleep 30; rm -rf /tmp/healthy; sleep 600");
    assert_eq!(listed[1..], ["sleep 30"]);
    seconds(30).await;
    assert!(!world.has("/tmp/healthy"));
    assert_eq!(world.processes(), ["sleep 600"]);
    seconds(600).await;
    assert_eq!(process.end().await.code, 0);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_is_running() {
    let world = World::new();
    let process = world.start(&["sh", "-c", "echo The app is running! && sleep 3600"], "");
    seconds(3_599).await;
    assert_eq!((process.out.text().as_str(), process.running.ended()), ("The app is running!\n", None));
    seconds(2).await;
    assert_eq!(process.end().await.code, 0);
}

#[tokio::test(start_paused = true)]
async fn a_counter_writes_a_line_a_second() {
    let world = World::new();
    let process = world.start(&["/bin/sh", "-c", "i=0; while true; do echo \"$i: $(date)\"; i=$((i+1)); sleep 1; done"], "");
    tokio::time::sleep(Duration::from_millis(9_500)).await;
    let text = process.out.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 10, "{text}");
    assert_eq!((lines[0], lines[9]), ("0: Thu Jan  1 00:00:00 UTC 1970", "9: Thu Jan  1 00:00:00 UTC 1970"));
}

#[tokio::test(start_paused = true)]
async fn a_load_generator_asks_again_and_again() {
    let world = World::new();
    let process = world.start(&["/bin/sh", "-c", "while true; do wget -q -O- http://127.0.0.1; sleep 0.01; done"], "");
    seconds(1).await;
    assert!(process.err.text().matches("Connection refused").count() >= 20, "{}", process.err.text());
    process.running.signal(crate::Signal::KILL);
    assert_eq!(process.end().await.code, 137);
}
