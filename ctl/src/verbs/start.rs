//! `start`: starts single programs of the cluster again, after `stop` or after they died.

use std::{process::Child, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    stop::{named, unknown},
    up::{POLL, STOP_PATIENCE, still_runs},
};
use crate::{
    context::Context,
    error::{Result, usage},
    home::{Home, component::Component},
    print::print,
    server::{Server, Source},
};

/// Whoever is wrong about its flags or its data says so within this time.
const PROBATION: Duration = Duration::from_millis(200);
/// What the API server is given to read its store.
const LIMIT: Duration = Duration::from_secs(60);

/// Start components again: apiserver, scheduler, controllers, or a node's kubelet by the node's name.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// apiserver, scheduler, controllers, k8s-node-1, …
    #[arg(required = true)]
    components: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let home = context.home()?;
    let settings = home.known_settings()?;
    home.create()?;
    let _guard = home.lock()?;
    for component in named(&args.components) {
        if !settings.components().any(|known| known == component) {
            return Err(unknown(&component, settings.components()));
        }
        if let Some(process) = home.running(&component) {
            print(&format!("{component} is already running (pid {})\n", process.pid))?;
            continue;
        }
        let mut spawned = home.spawn(&component, &settings)?;
        if let Err(error) = until_usable(&home, &component, &mut spawned.child).await {
            spawned.process.terminate()?;
            spawned.process.wait_or_kill(STOP_PATIENCE).await?;
            home.forget(&component);
            return Err(error);
        }
        print(&format!("{component} started (pid {})\n", spawned.process.pid))?;
    }
    Ok(())
}

/// Waits until the API server answers; of the others, only that they do not end at once.
async fn until_usable(home: &Home, component: &Component, child: &mut Child) -> Result<()> {
    let begun = Instant::now();
    let (server, _) = Server::new(Source::File(home.kubeconfig(), None), None).await?;
    loop {
        still_runs(home, component, child)?;
        let taken = begun.elapsed();
        match component {
            Component::Apiserver if server.is_ready().await => return Ok(()),
            Component::Apiserver if taken > LIMIT => {
                return Err(usage(format!("{component} is not ready after {} s; see {}", LIMIT.as_secs(), home.log(component).display())));
            }
            Component::Scheduler | Component::Controllers | Component::Kubelet(_) if taken > PROBATION => return Ok(()),
            _ => sleep(POLL).await,
        }
    }
}
