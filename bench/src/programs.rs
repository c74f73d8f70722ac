//! Starting our own programs, which lie beside this one, and ending them whatever happens.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::{connection::Connection, target::Target};

/// How long a program may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// The folder a freshly built `mini-bench` lies in, with its siblings.
///
/// # Errors
/// When the system does not tell where this program is.
pub(crate) fn folder() -> Result<PathBuf> {
    let own = std::env::current_exe().context("find this program")?;
    Ok(own.parent().unwrap_or(Path::new(".")).to_owned())
}

/// A program that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    /// Its name.
    pub(crate) name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts a program of `folder`; what it prints goes to a file in `scratch`.
    ///
    /// # Errors
    /// When it is not there, or cannot be run.
    pub(crate) fn start(folder: &Path, scratch: &Path, name: &'static str, arguments: &[impl AsRef<OsStr>]) -> Result<Self> {
        let path = folder.join(name);
        if !path.is_file() {
            bail!("{} is not there: build it (cargo build --release), or name a server with --target", path.display());
        }
        let log = scratch.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let child = Command::new(&path)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("start {}", path.display()))?;
        Ok(Self { name, child, log })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, if it still runs. It is our child and not yet waited for, so the pid is its own.
    fn terminate(&mut self) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        if let (Some(pid), Ok(None)) = (pid, self.child.try_wait()) {
            // It may have ended since.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Makes sure that it still runs.
    ///
    /// # Errors
    /// When it has ended, with the last that it said.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        bail!("{} has ended ({status}): {}", self.name, said.lines().last().unwrap_or("it said nothing"));
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // In good order: one that counts how it is used (see `bench/tuned`) says so at its end.
        self.terminate();
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An API server of our own on a free port, with a store on disk below `scratch`. It may not answer yet.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn apiserver(folder: &Path, scratch: &Path) -> Result<(Program, Target)> {
    let address = free_address().context("find a free port")?;
    let data = scratch.join("data");
    let mut arguments = vec!["--listen".into(), address.to_string().into(), "--data-dir".into(), data.into_os_string()];
    arguments.extend(socket(scratch));
    Ok((Program::start(folder, scratch, "mini-apiserver", &arguments)?, Target::at(address)?))
}

/// How another program finds that API server: as `mini-ctl up` tells it.
pub(crate) fn connect(scratch: &Path, target: &Target) -> Vec<OsString> {
    ["--server".into(), format!("http://{}", target.address).into()].into_iter().chain(socket(scratch)).collect()
}

/// The flag that names the socket on which they meet; none where `scratch` is too deep for the name of one.
fn socket(scratch: &Path) -> impl Iterator<Item = OsString> + use<> {
    let path = scratch.join("apiserver.sock");
    let path = std::os::unix::net::SocketAddr::from_pathname(&path).is_ok().then_some(path);
    path.into_iter().flat_map(|path| ["--socket".into(), path.into_os_string()])
}

/// An address nobody listens on: the system chose it a moment ago.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Asks for `path` until it is answered with 200, every millisecond.
///
/// # Errors
/// When the program ends, or `patience` does.
pub(crate) async fn answers(program: &mut Program, target: &Target, path: &str, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !attempt(target, path).await {
        program.check()?;
        if Instant::now() > deadline {
            bail!("{} did not answer within {patience:?}", program.name);
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn attempt(target: &Target, path: &str) -> bool {
    let Ok(mut connection) = Connection::open(target).await else { return false };
    let Ok(request) = target.get(path) else { return false };
    connection.call(request).await.is_ok_and(|answer| answer.status == StatusCode::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let error = Program::start(Path::new("/nowhere"), scratch.path(), "mini-x", &["--version"]).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/mini-x is not there"), "{error}");
    }

    #[test]
    fn a_program_ends_with_its_guard() {
        let scratch = tempfile::tempdir().unwrap();
        let mut program = Program::start(Path::new("/bin"), scratch.path(), "sleep", &["100"]).unwrap();
        program.check().unwrap();
        let pid = program.pid();
        drop(program);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn a_program_may_say_something_at_its_end() {
        let scratch = tempfile::tempdir().unwrap();
        let script = "trap 'echo bye; exit' TERM; echo ready; while :; do sleep 0.01; done";
        let program = Program::start(Path::new("/bin"), scratch.path(), "sh", &["-c", script]).unwrap();
        let said = || std::fs::read_to_string(scratch.path().join("sh.log")).unwrap();
        while said() != "ready\n" {
            std::thread::yield_now();
        }
        drop(program);
        assert_eq!(said(), "ready\nbye\n");
    }

    #[test]
    fn the_last_words_of_one_that_ended_are_shown() {
        let scratch = tempfile::tempdir().unwrap();
        let mut program = Program::start(Path::new("/bin"), scratch.path(), "sh", &["-c", "echo first; echo last; exit 3"]).unwrap();
        program.child.wait().unwrap();
        let error = program.check().unwrap_err().to_string();
        assert!(error.ends_with("last") && error.contains('3'), "{error}");
    }
}
