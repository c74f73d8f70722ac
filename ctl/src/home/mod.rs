//! The folder in which one cluster lives: its data, logs, pids, settings and kubeconfig. It knows files and programs, and
//! nothing of the API.

pub(crate) mod component;
pub(crate) mod extra;
pub(crate) mod process;

use std::{
    fs::{File, TryLockError},
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    os::unix::net::SocketAddr,
    path::{Path, PathBuf},
};

use mini_daemon::clock;
use serde::{Deserialize, Serialize};

use self::{component::Component, extra::Extra, process::Process};
use crate::error::{Result, usage};

/// Where free ports are looked for, and how often.
const FREE: Range<u16> = 20_000..32_000;
const ATTEMPTS: usize = 64;

/// What `up` was told, remembered for the next `up` and for `start`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The API server's port on the loopback address.
    pub(crate) port: u16,
    /// How many nodes there are.
    pub(crate) nodes: u32,
    /// Where components say how they are.
    #[serde(default)]
    pub(crate) admin: AdminPorts,
    /// How the cluster can be reached from this machine.
    #[serde(default)]
    pub(crate) doors: Doors,
    /// What single components are told besides.
    #[serde(default)]
    pub(crate) extra: Vec<Extra>,
}

/// Whether kubelets listen on this machine for who wants to come into the cluster.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Doors {
    /// At the node ports of Services.
    pub(crate) node_ports: bool,
    /// At this port for all Ingresses, if at any.
    pub(crate) ingress_port: Option<u16>,
}

/// The ports of the loopback address on which components say how they are; 0 where they do not, as in clusters of old.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct AdminPorts {
    pub(crate) scheduler: u16,
    pub(crate) controllers: u16,
}

impl AdminPorts {
    /// Upstream's.
    pub(crate) const USUAL: Self = Self { scheduler: 10259, controllers: 10257 };

    /// These ports, or any free ones in place of those that somebody listens on.
    pub(crate) fn or_free(self) -> Result<Self> {
        let any = |wanted| listen(wanted).or_else(|_| listen(0));
        // Both are held until both are chosen, or the second could be the first again.
        let (scheduler, controllers) = (any(self.scheduler)?, any(self.controllers)?);
        Ok(Self { scheduler: port(&scheduler)?, controllers: port(&controllers)? })
    }
}

impl Settings {
    /// Every component of the cluster, in the order in which they start.
    pub(crate) fn components(&self) -> impl Iterator<Item = Component> {
        let nodes = (1..=self.nodes).map(|number| Component::Kubelet(format!("k8s-node-{number}")));
        [Component::Apiserver, Component::Scheduler, Component::Controllers].into_iter().chain(nodes)
    }
}

/// The folder of one cluster. Making one touches nothing.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    folder: PathBuf,
}

/// Held while components are started or stopped, so that two terminals do not do it at once.
#[derive(Debug)]
pub(crate) struct Guard {
    _file: File,
}

impl Home {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that `kubectl --kubeconfig` is given.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Where the API server keeps its store.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where the API server and its components meet; nowhere if the folder is so deep that the name of a socket cannot say where.
    pub(crate) fn socket(&self) -> Option<PathBuf> {
        let path = self.folder.join("run").join("apiserver.sock");
        SocketAddr::from_pathname(&path).is_ok().then_some(path)
    }

    /// Where a component's output goes.
    pub(crate) fn log(&self, component: &Component) -> PathBuf {
        self.folder.join("logs").join(format!("{component}.log"))
    }

    fn pid_file(&self, component: &Component) -> PathBuf {
        self.folder.join("run").join(format!("{component}.pid"))
    }

    fn settings_file(&self) -> PathBuf {
        self.folder.join("cluster.json")
    }

    /// Creates the folders.
    pub(crate) fn create(&self) -> Result<()> {
        for part in ["data", "logs", "run"] {
            let path = self.folder.join(part);
            std::fs::create_dir_all(&path)
                .map_err(|error| usage(format!("create {}: {error}; choose another place with --data-dir", path.display())))?;
        }
        Ok(())
    }

    /// Takes the folder for changes.
    pub(crate) fn lock(&self) -> Result<Guard> {
        let path = self.folder.join("run").join("lock");
        let complain = |error: std::io::Error| usage(format!("lock {}: {error}", path.display()));
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(complain)?;
        match file.try_lock() {
            Ok(()) => Ok(Guard { _file: file }),
            Err(TryLockError::WouldBlock) => Err(usage(format!(
                "another mini-ctl is starting or stopping the cluster in {}; try again when it is done",
                self.folder.display()
            ))),
            Err(TryLockError::Error(error)) => Err(complain(error)),
        }
    }

    /// What the last `up` was told, if there was one.
    pub(crate) fn settings(&self) -> Result<Option<Settings>> {
        let path = self.settings_file();
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| usage(format!("read {}: {error}", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(usage(format!("read {}: {error}", path.display()))),
        }
    }

    /// What the last `up` was told.
    ///
    /// # Errors
    /// When there never was one; says so, and what to do.
    pub(crate) fn known_settings(&self) -> Result<Settings> {
        self.settings()?.ok_or_else(|| usage(format!("there is no cluster in {}; create one with `mini-ctl up`", self.folder.display())))
    }

    /// Remembers the settings, and writes the kubeconfig that goes with them.
    pub(crate) fn remember(&self, settings: &Settings) -> Result<()> {
        let encoded = serde_json::to_string_pretty(settings).map_err(|error| usage(error.to_string()))?;
        write_whole(&self.settings_file(), &encoded)?;
        write_whole(&self.kubeconfig(), &kubeconfig(settings.port))
    }

    /// The process of a component, if it is running.
    pub(crate) fn running(&self, component: &Component) -> Option<Process> {
        let bytes = std::fs::read(self.pid_file(component)).ok()?;
        serde_json::from_slice::<Process>(&bytes).ok().filter(Process::is_alive)
    }

    /// Every component that is running, whatever the settings say: those of an earlier, larger `up` as well.
    pub(crate) fn all_running(&self) -> Vec<(Component, Process)> {
        let Ok(entries) = std::fs::read_dir(self.folder.join("run")) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".pid").map(Component::parse));
        let mut running: Vec<_> = names.filter_map(|component| Some((component.clone(), self.running(&component)?))).collect();
        running.sort_by(|(a, _), (b, _)| a.cmp(b));
        running
    }

    /// Starts a component, which writes to its log from now on, and remembers its pid.
    pub(crate) fn spawn(&self, component: &Component, settings: &Settings) -> Result<process::Spawned> {
        let program = component.program()?;
        let spawned = process::spawn(&program, &component.arguments(self, settings), &self.log(component))?;
        let encoded = serde_json::to_string(&spawned.process).map_err(|error| usage(error.to_string()))?;
        write_whole(&self.pid_file(component), &encoded)?;
        Ok(spawned)
    }

    /// Forgets the pid of a component that has been stopped.
    pub(crate) fn forget(&self, component: &Component) {
        // A stale pid file is harmless (the start time is compared), so a failure here is too.
        let _ = std::fs::remove_file(self.pid_file(component));
    }

    /// Deletes what was created here, and nothing else: the folder itself only goes if it is empty then.
    pub(crate) fn purge(&self) -> Result<()> {
        let complain = |path: &Path, error: std::io::Error| usage(format!("delete {}: {error}", path.display()));
        let missing = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        for folder in ["data", "logs", "run"].map(|part| self.folder.join(part)) {
            std::fs::remove_dir_all(&folder).or_else(|error| if missing(&error) { Ok(()) } else { Err(complain(&folder, error)) })?;
        }
        for file in [self.kubeconfig(), self.settings_file()] {
            std::fs::remove_file(&file).or_else(|error| if missing(&error) { Ok(()) } else { Err(complain(&file, error)) })?;
        }
        // Somebody else's files may be here; then it stays.
        let _ = std::fs::remove_dir(&self.folder);
        Ok(())
    }

    /// The last lines a component wrote.
    pub(crate) fn last_words(&self, component: &Component, lines: usize) -> String {
        let bytes = std::fs::read(self.log(component)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

/// A port of the loopback address that nobody listens on: the wanted one, or any if that is 0.
///
/// # Errors
/// When somebody does; says how to choose another.
pub(crate) fn free_port(wanted: u16) -> Result<u16> {
    port(&listen(wanted)?)
}

/// Listens on a port; on any free one, if it is 0. A program that is started again must get its port again, so that is none which the system
/// may give to a connection meanwhile: those are higher.
fn listen(wanted: u16) -> Result<TcpListener> {
    let any = || FREE.start + u16::try_from(clock::random() % FREE.len() as u64).unwrap_or(0);
    if wanted == 0
        && let Some(free) = (0..ATTEMPTS).find_map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, any())).ok())
    {
        return Ok(free);
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => usage(format!(
            "port {wanted} is already in use, by another cluster or another program: stop that one, or choose another port with --port (0 takes any free one)"
        )),
        _ => usage(format!("port {wanted} cannot be used: {error}; choose another with --port")),
    })
}

fn port(listener: &TcpListener) -> Result<u16> {
    listener.local_addr().map(|address| address.port()).map_err(|error| usage(error.to_string()))
}

/// Replaces a file as a whole, so that no reader ever sees half of it.
fn write_whole(path: &Path, text: &str) -> Result<()> {
    let half = path.with_extension("new");
    std::fs::write(&half, text)
        .and_then(|()| std::fs::rename(&half, path))
        .map_err(|error| usage(format!("write {}: {error}", path.display())))
}

fn kubeconfig(port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: mini\n  cluster:\n    server: http://127.0.0.1:{port}\n\
         users:\n- name: admin\n  user: {{}}\ncontexts:\n- name: mini\n  context:\n    cluster: mini\n    user: admin\n    namespace: default\n\
         current-context: mini\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        home.create().unwrap();
        (folder, home)
    }

    #[test]
    fn settings_survive_and_make_a_kubeconfig() {
        let (_folder, home) = home();
        assert_eq!(home.settings().unwrap(), None);
        assert!(home.known_settings().unwrap_err().to_string().contains("create one with `mini-ctl up`"));
        let settings = Settings { port: 7443, nodes: 2, admin: AdminPorts::USUAL, doors: Doors::default(), extra: Vec::new() };
        home.remember(&settings).unwrap();
        assert_eq!(home.settings().unwrap(), Some(settings.clone()));
        assert!(std::fs::read_to_string(home.kubeconfig()).unwrap().contains("server: http://127.0.0.1:7443\n"));
        let names: Vec<String> = settings.components().map(|component| component.to_string()).collect();
        assert_eq!(names, ["apiserver", "scheduler", "controllers", "k8s-node-1", "k8s-node-2"]);
    }

    #[test]
    fn settings_of_old_still_count() {
        let (_folder, home) = home();
        std::fs::write(home.settings_file(), r#"{"port":7443,"nodes":2}"#).unwrap();
        assert_eq!(
            home.settings().unwrap(),
            Some(Settings { port: 7443, nodes: 2, admin: AdminPorts::default(), doors: Doors::default(), extra: Vec::new() })
        );
    }

    #[test]
    fn a_taken_admin_port_gives_way_to_a_free_one() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().map(|address| address.port()).unwrap();
        let _holder = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
        let chosen = AdminPorts { scheduler: taken, controllers: 0 }.or_free().unwrap();
        assert!(![0, taken].contains(&chosen.scheduler) && ![0, taken, chosen.scheduler].contains(&chosen.controllers), "{chosen:?}");
    }

    #[test]
    fn only_one_at_a_time_may_change_it() {
        let (_folder, home) = home();
        let guard = home.lock().unwrap();
        assert!(home.lock().unwrap_err().to_string().contains("another mini-ctl"));
        drop(guard);
        home.lock().unwrap();
    }

    #[test]
    fn a_recycled_pid_is_not_ours() {
        let (_folder, home) = home();
        let ours = Process::of(std::process::id()).unwrap();
        std::fs::write(home.pid_file(&Component::Scheduler), serde_json::to_string(&ours).unwrap()).unwrap();
        assert_eq!(home.running(&Component::Scheduler), Some(ours.clone()));
        assert_eq!(home.all_running().len(), 1);
        let recycled = Process { started: "another time".into(), ..ours };
        std::fs::write(home.pid_file(&Component::Scheduler), serde_json::to_string(&recycled).unwrap()).unwrap();
        assert_eq!(home.running(&Component::Scheduler), None);
        assert!(home.all_running().is_empty());
    }

    #[test]
    fn a_taken_port_is_said_to_be_taken() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(free_port(port).unwrap_err().to_string().contains("--port"));
        // Never one that the system hands out for connections, which would be taken when its program starts again.
        assert!((0..20).all(|_| FREE.contains(&free_port(0).unwrap())));
    }

    #[test]
    fn purging_leaves_what_is_not_ours() {
        let (_folder, home) = home();
        home.remember(&Settings { port: 1, nodes: 1, admin: AdminPorts::USUAL, doors: Doors::default(), extra: Vec::new() }).unwrap();
        std::fs::write(home.folder().join("thesis.tex"), "years of work").unwrap();
        home.purge().unwrap();
        let left: Vec<_> = std::fs::read_dir(home.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["thesis.tex"]);
        std::fs::remove_file(home.folder().join("thesis.tex")).unwrap();
        home.purge().unwrap();
        assert!(!home.folder().exists());
    }

    #[test]
    fn last_words_are_the_end_of_the_log() {
        let (_folder, home) = home();
        std::fs::write(home.log(&Component::Apiserver), "1\n2\n3\n").unwrap();
        assert_eq!(home.last_words(&Component::Apiserver, 2), "2\n3");
        assert_eq!(home.last_words(&Component::Scheduler, 2), "");
    }
}
