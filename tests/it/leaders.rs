//! Two copies of a program: one works, the other waits, and takes over when the first is killed.

use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::Duration,
};

use mini_cluster::Options;
use mini_tests::{binaries, http::Http, wait_for};
use serde_json::{Value, json};
use tokio::time::Instant;

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
/// How long the copies of a test wait for each other.
const LEASE: Duration = Duration::from_secs(3);

/// One copy. It ends with this.
struct Copy {
    child: Child,
    admin: SocketAddr,
}

impl Copy {
    fn start(program: &str, identity: &str, server: &str) -> Self {
        // The system chose it a moment ago, so nobody else has it.
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port");
        let child = Command::new(binaries().join(program))
            .args(["--server", server, "--leader-elect-identity", identity, "--admin-listen", &free.to_string()])
            .args(["--leader-elect-lease-duration", "3s", "--leader-elect-renew-deadline", "2s", "--leader-elect-retry-period", "500ms"])
            .stdin(Stdio::null())
            .spawn()
            .expect("it starts");
        Self { child, admin: free }
    }

    /// Ends it without warning.
    fn kill(&mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it has ended");
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn holder(http: &Http, lease: &str) -> Value {
    http.get(&format!("{LEASES}/{lease}")).await.json()["spec"].take()
}

/// Waits until the Lease is this copy's.
async fn held_by(http: &Http, lease: &str, identity: &str) -> Value {
    wait_for(&format!("{identity} to hold {lease}"), || async {
        let spec = holder(http, lease).await;
        if spec["holderIdentity"] == identity { Ok(spec) } else { Err(spec) }
    })
    .await
}

/// Plays it with two copies of a program; `work` shows that one works.
async fn play(program: &str, lease: &str, http: &Http, server: &str, work: impl AsyncFn(&str)) {
    let mut first = Copy::start(program, "first", server);
    let spec = held_by(http, lease, "first").await;
    assert_eq!((&spec["leaseTransitions"], &spec["leaseDurationSeconds"]), (&json!(0), &json!(LEASE.as_secs())));
    let second = Copy::start(program, "second", server);
    work("one").await;
    // The one that follows is well, too.
    wait_for("the second copy to answer", || async {
        tokio::net::TcpStream::connect(second.admin).await.map_err(|error| error.to_string())?;
        let answer = Http::new(second.admin).get("/healthz").await;
        if answer.text() == "ok" { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    assert_eq!(holder(http, lease).await["holderIdentity"], "first");

    let killed = Instant::now();
    first.kill();
    let spec = held_by(http, lease, "second").await;
    let taken = killed.elapsed();
    assert_eq!(spec["leaseTransitions"], 1);
    // It was renewed at most half a second before, and the other one looks at it at least every 1.1 s.
    assert!(taken > LEASE - Duration::from_secs(1), "the Lease was taken after {taken:?}, before it had run out");
    assert!(taken < LEASE * 3, "the Lease was taken only after {taken:?}");
    work("two").await;
    let events = http.get("/api/v1/namespaces/kube-system/events?fieldSelector=reason%3DLeaderElection").await.json();
    let said: Vec<&str> = events["items"].as_array().into_iter().flatten().filter_map(|event| event["message"].as_str()).collect();
    assert!(said.contains(&"first became leader") && said.contains(&"second became leader"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_copy_of_the_controllers_takes_over() {
    let cluster = Options { scheduler: None, controllers: None, kubelet: None, ..Options::default() }.start().await.expect("it starts");
    let (http, server) = (Http::new(cluster.address()), format!("http://{}", cluster.address()));
    play("mini-controllers", "kube-controller-manager", &http, &server, async |name| {
        let made = http.post("/api/v1/namespaces", &json!({ "metadata": { "name": name } })).await;
        assert_eq!(made.code, 201, "{}", made.text());
        wait_for("the service account of a new namespace", || async {
            let account = http.get(&format!("/api/v1/namespaces/{name}/serviceaccounts/default")).await;
            if account.code == 200 { Ok(()) } else { Err(account.text()) }
        })
        .await;
    })
    .await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_copy_of_the_scheduler_takes_over() {
    let cluster = Options { scheduler: None, ..Options::default() }.nodes(1).start().await.expect("it starts");
    let (http, server) = (Http::new(cluster.address()), format!("http://{}", cluster.address()));
    play("mini-scheduler", "kube-scheduler", &http, &server, async |name| {
        let pod = json!({ "metadata": { "name": name }, "spec": { "containers": [{ "name": "c", "image": "nginx" }] } });
        let made = http.post("/api/v1/namespaces/default/pods", &pod).await;
        assert_eq!(made.code, 201, "{}", made.text());
        wait_for("a node for a pod", || async {
            let pod = http.get(&format!("/api/v1/namespaces/default/pods/{name}")).await.json();
            if pod["spec"]["nodeName"].is_string() { Ok(()) } else { Err(pod["status"].clone()) }
        })
        .await;
    })
    .await;
    cluster.stop().await.expect("it stops");
}
