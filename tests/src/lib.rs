//! What the tests stand on: waiting for a condition, and a world of real processes for each test.

pub mod fuzz;
pub mod http;

use std::{
    fmt::Debug,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until the answer is `Ok`, and returns what it holds.
///
/// # Panics
/// When it takes longer than [`PATIENCE`]: with the last `Err`, which says what was seen instead.
pub async fn wait_for<T, E: Debug, F: Future<Output = Result<T, E>>>(what: &str, ask: impl FnMut() -> F) -> T {
    let answer = wait_at_most(PATIENCE, ask).await;
    answer.unwrap_or_else(|last| panic!("waited {PATIENCE:?} for {what}; last seen:\n{last:#?}"))
}

/// Asks again and again until the answer is `Ok`, or that has taken so long; then it is the last `Err`.
///
/// # Errors
/// The last answer.
pub async fn wait_at_most<T, E, F: Future<Output = Result<T, E>>>(patience: Duration, mut ask: impl FnMut() -> F) -> Result<T, E> {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(2);
    loop {
        match ask().await {
            Err(_) if Instant::now() < deadline => sleep(pause).await,
            answer => return answer,
        }
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// The root of the source tree.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests live in a folder of the root")
}

/// The folder of the shipped binaries, built once for all tests of a run.
///
/// # Panics
/// When they do not build.
#[must_use]
pub fn binaries() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // As `cargo test --workspace` builds them, so that all they consist of is built already: with the features
        // that tests want, and without what cargo tells a test about its package, which build scripts take to heart.
        build.args(["build", "--workspace", "--bins", "--test", "it", "--quiet"]).current_dir(root());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|about| text.starts_with(about)) {
                build.env_remove(&name);
            }
        }
        let built = build.status();
        assert!(built.expect("run cargo").success(), "the binaries do not build");
        // The test binary is target/PROFILE/deps/it-….
        let me = std::env::current_exe().expect("the test knows its own path");
        me.ancestors().nth(2).expect("a test binary lives in PROFILE/deps").to_owned()
    })
}

/// A cluster of real processes in a folder of its own, as `mini-ctl up` makes it. It ends with the test.
pub struct World {
    home: TempDir,
}

impl World {
    /// Brings up a cluster with so many nodes.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn up(nodes: u32) -> Self {
        Self::up_with(&["--nodes", &nodes.to_string()])
    }

    /// Brings up a cluster as `mini-ctl up` does with these flags, on a free port.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn up_with(flags: &[&str]) -> Self {
        let world = Self { home: tempfile::tempdir().expect("make a folder") };
        world.ctl(&[&["up", "--port", "0"], flags].concat()).success();
        world
    }

    /// Puts one of our programs under another name into the home folder.
    ///
    /// # Panics
    /// When it is there already.
    pub fn alias(&self, name: &str, program: &str) {
        let link = self.home().join(name);
        std::fs::create_dir_all(link.parent().unwrap_or(self.home())).expect("make a folder");
        std::os::unix::fs::symlink(binaries().join(program), link).expect("link a program");
    }

    /// The folder of this cluster.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where its API server listens.
    ///
    /// # Panics
    /// When it was never up.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let text = std::fs::read_to_string(self.home().join("cluster.json")).expect("read what `up` was told");
        let settings: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let port = settings["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        (Ipv4Addr::LOCALHOST, port).into()
    }

    /// Runs `mini-ctl` on this cluster.
    #[must_use]
    pub fn ctl(&self, args: &[&str]) -> Ran {
        self.ctl_with(args, "")
    }

    /// Runs `mini-ctl` with text on its standard input.
    #[must_use]
    pub fn ctl_with(&self, args: &[&str], input: &str) -> Ran {
        self.run(&binaries().join("mini-ctl"), args, input)
    }

    /// Runs the real `kubectl` on this cluster.
    #[must_use]
    pub fn kubectl(&self, args: &[&str]) -> Ran {
        self.kubectl_with(args, "")
    }

    /// Runs the real `kubectl` with text on its standard input.
    #[must_use]
    pub fn kubectl_with(&self, args: &[&str], input: &str) -> Ran {
        self.run(Path::new("kubectl"), args, input)
    }

    fn run(&self, program: &Path, args: &[&str], input: &str) -> Ran {
        let stdin = self.home().join("stdin");
        std::fs::write(&stdin, input).expect("write the input");
        let output =
            self.command(program).args(args).current_dir(root()).stdin(std::fs::File::open(&stdin).expect("open the input")).output();
        let command = format!("{} {}", program.file_name().unwrap_or_default().to_string_lossy(), args.join(" "));
        Ran { command, output: output.expect("the program starts") }
    }

    /// Has the shell run a script in a folder, with everything set for this cluster. It is ended with all it started when it takes too long.
    ///
    /// # Panics
    /// When there is no `bash`.
    #[must_use]
    pub fn shell(&self, script: &str, folder: &Path) -> Ran {
        let mut bash = self.command(Path::new("timeout"));
        let patience = PATIENCE.as_secs().to_string();
        let output = bash.args([&patience, "bash", "-c", script]).current_dir(folder).env("TMPDIR", folder).stdin(Stdio::null()).output();
        Ran { command: script.to_owned(), output: output.expect("the shell starts") }
    }

    /// A program that is to work on this cluster. Its shell finds our programs.
    fn command(&self, program: &Path) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = [binaries().to_owned()].into_iter().chain(std::env::split_paths(&path));
        let mut command = Command::new(program);
        command
            .env("PATH", std::env::join_paths(path).expect("folders without a colon"))
            .env("MINI_HOME", self.home())
            .env("KUBECONFIG", self.home().join("kubeconfig"))
            .env("HOME", self.home())
            .env("NO_COLOR", "1");
        command
    }

    /// The process id of a component, as `mini-ctl status` knows it.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self, component: &str) -> u32 {
        let file = self.home().join("run").join(format!("{component}.pid"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()));
        let state: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("read {text:?}: {error}"));
        state["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap_or_else(|| panic!("no pid in {text:?}"))
    }

    /// Kills a component's process without warning, and waits until it is gone.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn kill(&self, component: &str) {
        let pid = self.pid(component);
        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().expect("run kill").success();
        assert!(killed, "kill {component} ({pid})");
        wait_for("the end of a killed process", || async {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // What its parent has not collected yet is gone all the same, once its last thread is: until then its ports are taken.
            let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
            let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
            if matches!(state, None | Some("Z" | "X")) && threads <= 1 { Ok(()) } else { Err(stat) }
        })
        .await;
    }

    /// The last lines of every component's log, to be shown when a test fails; all of them where `MINI_LOG` says what is to be in it.
    #[must_use]
    pub fn logs(&self) -> String {
        let folder = std::fs::read_dir(self.home().join("logs"));
        let files = folder.into_iter().flatten().flatten();
        let shown = if std::env::var_os("MINI_LOG").is_some() { usize::MAX } else { 15 };
        let tail = |file: std::fs::DirEntry| {
            let text = std::fs::read_to_string(file.path()).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            format!("== {}\n{}\n", file.file_name().to_string_lossy(), lines[lines.len().saturating_sub(shown)..].join("\n"))
        };
        files.map(tail).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        let down = self.ctl(&["down"]);
        if !std::thread::panicking() {
            let _ = down.success();
        }
    }
}

/// A command that has run.
pub struct Ran {
    command: String,
    output: Output,
}

impl Ran {
    /// What it printed.
    #[must_use]
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// What it complained about.
    #[must_use]
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Its exit code; -1 if it was killed.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    /// What it printed, if it succeeded.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "often called for the check alone")]
    pub fn success(&self) -> String {
        assert!(self.output.status.success(), "{} ended with {}:\n{}{}", self.command, self.code(), self.stdout(), self.stderr());
        self.stdout()
    }

    /// What it complained about, if it failed with exit code 1.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "often called for the check alone")]
    pub fn failure(&self) -> String {
        assert_eq!(self.code(), 1, "{} should have failed:\n{}{}", self.command, self.stdout(), self.stderr());
        self.stderr()
    }
}
