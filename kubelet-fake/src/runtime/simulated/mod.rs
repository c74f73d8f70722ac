//! A runtime whose containers live in this process: what a container's command says happens, in a simulated machine
//! ([`mini_machine`]), and nothing of the host is touched.
//!
//! What a container shall do besides is read from annotations of its pod (`<c>` is a container's name):
//!
//! | annotation | effect |
//! |---|---|
//! | `mini.dev/exit-after.<c>: "5s"` | it ends after that time whatever it does, with code 0 unless the next line says otherwise |
//! | `mini.dev/exit-code.<c>: "1"` | the code it ends with; without `exit-after` it ends at once |
//! | `mini.dev/ignore-sigterm.<c>: "true"` | it runs on until the grace period is over and ends with 137 |
//! | `mini.dev/cpu.<c>: "250m"` | the CPU it uses, at most its limit; may be changed while it runs |
//! | `mini.dev/memory.<c>: "64Mi"` | the same of memory |
//! | `mini.dev/cpu`, `mini.dev/memory` | the same of every container of the pod that has none of its own |
//! | `mini.dev/pull-seconds: "30"` | what a pull of the pod's images takes, instead of the flag's time |
//! | `mini.dev/image-missing: "true"` | the pod's images cannot be found |
//!
//! Images exist, unless their tag is `no-such-tag` or their repository begins with `nosuch/`; what is in them the
//! [catalogue](catalogue) knows. A container that does nothing by itself, because its image's own command only waits to be asked,
//! is an entry in a table, without files, processes or tasks, until somebody asks: it is [woken](Shared::awake) then.
//!
//! Must not know: the API server, pod status, restart policies.

mod behaviour;
mod catalogue;
mod image;
mod life;
mod log;
mod pod;
mod table;
mod volumes;
mod wires;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use k8s_openapi::api::core::v1 as api;
use mini_daemon::{clock, tasks};
use mini_machine::kernel::{Machine, Sandbox};
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use self::{
    behaviour::Behaviour,
    catalogue::Catalogue,
    life::{Home, Life},
    log::Log,
    pod::Pod,
    table::{Record, Table},
    volumes::{Stores, Trees},
};
use super::{
    Container, ContainerRuntime, Exit, Hints, Image, Listing, LogOptions, LogStream, Now, Process, RuntimeError, StartRequest, State,
    Stream, Usage,
};
use crate::network::Network;

/// Asking the registry whether an image that is present is the latest takes this part of a pull.
const CHECK: u32 = 10;
/// The exit code of a process that was killed (128 + SIGKILL).
const KILLED: i32 = 137;
/// How often volumes are looked at that follow objects of the API.
const REFRESH: Duration = Duration::from_secs(2);
/// What a container uses that does nothing.
const IDLE: Usage = Usage { cpu: 1_000_000, memory: 8 << 20 };

/// Containers that live in this process. Cheap to clone; all clones are the same runtime.
#[derive(Clone)]
pub struct Simulated {
    shared: Arc<Shared>,
}

struct Shared {
    table: Mutex<Table>,
    machine: Arc<Machine>,
    catalogue: Catalogue,
    network: Network,
    hosts: Trees,
    disks: Trees,
    hints: Hints,
    now: Now,
    /// Whose end is to be waited for.
    born: mpsc::UnboundedSender<(Arc<str>, Arc<Life>)>,
    pull_time: Duration,
    start_time: Duration,
}

impl Simulated {
    /// A runtime without containers. `pull_time` is what the first pull of an image on a node takes.
    #[must_use]
    pub fn new(hints: Hints, now: Now, network: Network, pull_time: Duration, start_time: Duration) -> Self {
        let (born, alive) = mpsc::unbounded_channel();
        let spawn = Arc::new(|name, task| drop(tasks::detach(name, task)));
        let machine = Arc::new(Machine { programs: mini_machine::images::programs(), spawn, now: now.clone() });
        let shared = Shared {
            table: Mutex::default(),
            machine,
            catalogue: Catalogue::default(),
            network,
            hosts: Trees::default(),
            disks: Trees::default(),
            hints,
            now,
            born,
            pull_time,
            start_time,
        };
        let shared = Arc::new(shared);
        tasks::detach("the ends of containers", reap(alive, Arc::downgrade(&shared)));
        Self { shared }
    }
}

/// Notes the end of every container, and keeps volumes up to date that follow objects of the API, while there is a runtime.
async fn reap(mut alive: mpsc::UnboundedReceiver<(Arc<str>, Arc<Life>)>, shared: std::sync::Weak<Shared>) {
    let mut ends = FuturesUnordered::new();
    let mut refresh = interval(REFRESH);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            life = alive.recv() => match life {
                Some((id, life)) => ends.push(async move { (id, life.ended().await) }),
                None => return,
            },
            Some((id, exit)) = ends.next() => match shared.upgrade() {
                Some(shared) => shared.end(&id, exit),
                None => return,
            },
            _ = refresh.tick() => {
                let Some(shared) = shared.upgrade() else { return };
                let pods = shared.table.lock().living_pods();
                for pod in pods {
                    pod.volumes.refresh().await;
                }
            }
        }
    }
}

impl Shared {
    /// Notes the end of a running container, and tells the kubelet. The times in `exit` do not count.
    fn end(&self, id: &str, exit: Exit) {
        let finished = (self.now)();
        let pod = self.table.lock().end(id, exit, finished);
        if let Some(pod) = pod {
            // Nobody listens any more when the kubelet is stopping.
            let _ = self.hints.send(pod);
        }
    }

    /// What is needed to bring a container of a pod to life.
    async fn begin(&self, id: &Arc<str>, pod: &Pod, request: &StartRequest, log: Arc<Log>) -> Result<Arc<Life>, RuntimeError> {
        let entry = self.catalogue.find(&request.image.reference);
        let sandbox = pod.sandbox(request, self);
        let stores = Stores { hosts: &self.hosts, disks: &self.disks, now: &self.now };
        let target = match request.target() {
            Some(name) => Some(Box::pin(self.target(pod, name)).await?),
            None => None,
        };
        let home = Home { sandbox: &sandbox, target, volumes: &pod.volumes, common: &pod.common(request, &self.now)?, stores };
        let life = Arc::new(Life::begin(request, &entry, &home, log).await?);
        // It fails only when the runtime ends.
        let _ = self.born.send((id.clone(), life.clone()));
        Ok(life)
    }

    /// The container that another one of its pod, made to look into it, is to join.
    async fn target(&self, pod: &Pod, name: &str) -> Result<Arc<Life>, RuntimeError> {
        let id = self.table.lock().named(&pod.uid, name);
        let missing = || RuntimeError::Create(format!("unable to find target container {name}"));
        self.life(&id.ok_or_else(missing)?).await.map_err(|_| missing())
    }

    /// The life of a running container; of one that was idle, from now on.
    async fn life(&self, id: &str) -> Result<Arc<Life>, RuntimeError> {
        let missing = || RuntimeError::NotFound(id.to_owned());
        let (id, pod, request, log, waking) = {
            let mut table = self.table.lock();
            let record = table.running(id).ok_or_else(missing)?;
            if let Some(life) = &record.life {
                return Ok(life.clone());
            }
            let log = record.log(&self.now);
            let request = record.waiting.as_ref().ok_or_else(missing)?.request();
            (record.container.id.clone(), record.pod.clone(), request, log, record.waking.clone())
        };
        // Whoever comes together wakes it together.
        let _turn = waking.lock().await;
        if let Some(life) = self.table.lock().running(&id).ok_or_else(missing)?.life.clone() {
            return Ok(life);
        }
        let life = self.begin(&id, &pod, &request, log).await?;
        life.settled().await;
        match self.table.lock().running(&id) {
            Some(record) => (record.life, record.waiting) = (Some(life.clone()), None),
            None => {
                life.kill();
                return Err(missing());
            }
        }
        Ok(life)
    }

    /// The sandbox of a pod, all of whose containers are awake.
    async fn awake(&self, pod: &str) -> Option<Arc<Sandbox>> {
        let (pod, idle) = self.table.lock().idle(pod)?;
        for id in idle {
            if let Err(error) = self.life(&id).await {
                tracing::debug!(%id, %error, "a container cannot be woken");
            }
        }
        pod.awake()
    }
}

#[async_trait]
impl ContainerRuntime for Simulated {
    async fn pull(&self, node: &str, name: &str, pod: &api::Pod) -> Result<Image, RuntimeError> {
        let wish = behaviour::pull(pod);
        let present = self.shared.table.lock().images(node).contains_key(name);
        let took = wish.takes.unwrap_or(if present { self.shared.pull_time / CHECK } else { self.shared.pull_time });
        if !took.is_zero() {
            tokio::time::sleep(took).await;
        }
        if wish.missing || image::is_missing(name) {
            return Err(RuntimeError::Image(image::not_found(name)));
        }
        let image = image::resolve(name);
        Arc::make_mut(self.shared.table.lock().images(node)).insert(name.to_owned(), image.clone());
        Ok(image)
    }

    async fn start(&self, request: StartRequest) -> Result<Arc<str>, RuntimeError> {
        let shared = &self.shared;
        if !shared.start_time.is_zero() {
            tokio::time::sleep(shared.start_time).await;
        }
        let behaviour = Behaviour::of(&request.pod, &request.container);
        let id: Arc<str> = format!("mini://{}", hexadecimal()).into();
        let uid: Arc<str> = request.pod.metadata.uid.as_deref().unwrap_or_default().into();
        let pod = shared.table.lock().pod(&uid, || Pod::new(&uid, &request, shared));
        let entry = shared.catalogue.find(&request.image.reference);
        // Who shares its processes is seen by the others, so it cannot wait until somebody asks it.
        let seen = request.pod.spec.as_ref().and_then(|spec| spec.share_process_namespace) == Some(true);
        let rests = entry.rests.filter(|_| !seen && request.command.is_empty() && request.args.is_empty());
        let mut record = Record::new(id.clone(), &request, pod.clone(), (shared.now)(), rests, behaviour.ignores_sigterm);
        match behaviour.ends {
            Some((after, code)) if after.is_zero() => {
                let now = (shared.now)();
                record.finish(Exit::new(code, now, now), now);
            }
            _ if rests.is_some() => {}
            _ => match shared.begin(&id, &pod, &request, record.log(&shared.now)).await {
                Ok(life) => record.life = Some(life),
                Err(RuntimeError::Start(why)) => {
                    record.container.state = State::Exited(Exit::not_started(&why, (shared.now)()));
                    shared.table.lock().insert(record);
                    return Err(RuntimeError::Start(why));
                }
                Err(error) => {
                    shared.table.lock().drop_pod(&uid);
                    return Err(error);
                }
            },
        }
        if let Some((after, code)) = behaviour.ends.filter(|(after, _)| !after.is_zero()) {
            let (shared, id) = (Arc::downgrade(shared), id.clone());
            record.timer = Some(tasks::detach("a container's given time", async move {
                tokio::time::sleep(after).await;
                if let Some(shared) = shared.upgrade() {
                    let epoch = jiff::Timestamp::UNIX_EPOCH;
                    shared.end(&id, Exit::new(code, epoch, epoch));
                }
            }));
        }
        // It may have ended already, before it was known.
        let ended = record.life.clone();
        shared.table.lock().insert(record);
        if let Some(life) = ended
            && let Some(exit) = life.ended().now_or_never()
        {
            shared.end(&id, exit);
        }
        Ok(id)
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError> {
        let (life, rests, ignores) = match self.shared.table.lock().containers.get(id) {
            None => return Err(RuntimeError::NotFound(id.to_owned())),
            Some(record) if matches!(record.container.state, State::Exited(_)) => return Ok(()),
            Some(record) => (record.life.clone(), record.rests, record.ignores_sigterm),
        };
        let epoch = jiff::Timestamp::UNIX_EPOCH;
        let exit = match life {
            Some(life) => {
                life.stop(grace, !ignores).await;
                life.ended().await
            }
            None if ignores => {
                tokio::time::sleep(grace).await;
                Exit::new(KILLED, epoch, epoch)
            }
            None => Exit::new(rests.unwrap_or(KILLED), epoch, epoch),
        };
        self.shared.end(id, exit);
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        let record = self.shared.table.lock().remove(id);
        record.map(|_| ()).ok_or_else(|| RuntimeError::NotFound(id.to_owned()))
    }

    async fn list(&self, node: &str, pod: Option<&str>) -> Result<Listing, RuntimeError> {
        Ok(self.shared.table.lock().list(node, pod))
    }

    async fn logs(&self, id: &str, options: LogOptions) -> Result<LogStream, RuntimeError> {
        let log = {
            let mut table = self.shared.table.lock();
            let record = table.containers.get_mut(id).ok_or_else(|| RuntimeError::NotFound(id.to_owned()))?;
            let idle = record.life.is_none() && matches!(record.container.state, State::Running { .. });
            if idle { None } else { Some(record.log(&self.shared.now)) }
        };
        match log {
            Some(log) => Ok(log.read(&options)),
            // What it says when it starts is said when somebody listens.
            None => Ok(self.shared.life(id).await?.log().read(&options)),
        }
    }

    async fn exec(&self, id: &str, command: &[String], tty: bool) -> Result<Process, RuntimeError> {
        let life = self.shared.life(id).await?;
        life.exec(command, tty).map_err(|error| {
            RuntimeError::Exec(format!(
                "failed to exec in container: failed to start exec {:?}: OCI runtime exec failed: exec failed: unable to start container process: {}: \
                 unknown",
                hexadecimal(),
                life::refusal(&error)
            ))
        })
    }

    async fn attach(&self, id: &str) -> Result<Process, RuntimeError> {
        Ok(self.shared.life(id).await?.attach())
    }

    async fn usage(&self, container: &Container, pod: &api::Pod) -> Result<Usage, RuntimeError> {
        let missing = || RuntimeError::NotFound(container.id.to_string());
        let life = self.shared.table.lock().running(&container.id).ok_or_else(missing)?.life.clone();
        let really = life.map_or(IDLE, |life| life.usage());
        let idle = Usage { cpu: really.cpu.max(IDLE.cpu), memory: really.memory };
        Ok(behaviour::usage(pod, &container.name, idle))
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<Box<dyn Stream>> {
        self.shared.network.knock(address, gateway(address.ip())).await
    }
}

/// Who a node is to its pods: the first address of their range.
fn gateway(pod: IpAddr) -> IpAddr {
    match pod {
        IpAddr::V4(ip) => IpAddr::from([ip.octets()[0], ip.octets()[1], ip.octets()[2], 1]),
        ip => ip,
    }
}

/// An id such as runtimes give, 64 hexadecimal digits.
fn hexadecimal() -> String {
    format!("{:016x}{:016x}{:016x}{:016x}", clock::random(), clock::random(), clock::random(), clock::random())
}

#[cfg(test)]
mod tests;
