//! An API server alone, for tests of what it does by itself: in this process, or in one of its own.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use mini_cluster::{Cluster, Options};
use mini_tests::{binaries, http::Http, wait_for};

/// Starts one in memory.
pub(crate) async fn server() -> (Cluster, Http) {
    server_with(|_| {}).await
}

/// Starts one in memory, with flags of its own.
pub(crate) async fn server_with(set: impl FnOnce(&mut mini_apiserver::Config)) -> (Cluster, Http) {
    let mut options = Options { scheduler: None, controllers: None, kubelet: None, ..Options::default() };
    set(&mut options.apiserver);
    let cluster = options.start().await.expect("it starts");
    let http = Http::new(cluster.address());
    (cluster, http)
}

/// The shipped program, which ends with this.
pub(crate) struct Program {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Program {
    /// Starts it on a free port, with a store in `folder`, and waits until it is ready.
    pub(crate) async fn start(folder: &Path, flags: &[&str]) -> Self {
        // The system chose it a moment ago, so nobody else has it.
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let address = free.expect("a free port");
        let child = Command::new(binaries().join("mini-apiserver"))
            .args(["--listen", &address.to_string(), "--data-dir"])
            .arg(folder.join("data"))
            .args(flags)
            .stdin(Stdio::null())
            .spawn()
            .expect("it starts");
        let program = Self { child, address };
        wait_for("the server to be ready", || async {
            tokio::net::TcpStream::connect(address).await.map_err(|error| error.to_string())?;
            let answer = program.http().get("/readyz").await;
            if answer.code == 200 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
        program
    }

    /// A client of it.
    pub(crate) fn http(&self) -> Http {
        Http::new(self.address)
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("run kill");
        assert!(sent.success());
    }

    /// How it ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let child = std::cell::RefCell::new(&mut self.child);
        wait_for("the end of the server", || async { child.borrow_mut().try_wait().expect("look after it").ok_or("it runs") }).await
    }

    /// Megabytes of memory it has.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
