//! `start`: starts single programs of the cluster again, after `stop` or after they died.

use super::stop::{named, unknown};
use crate::{
    context::Context,
    error::Result,
    print::print,
};

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
        let spawned = home.spawn(&component, &settings)?;
        print(&format!("{component} started (pid {})\n", spawned.process.pid))?;
    }
    Ok(())
}
