//! `down`: ends every program of the cluster. Everything stored stays; the next `up` finds it again.

use futures::future::try_join_all;

use super::up::STOP_PATIENCE;
use crate::{
    context::Context,
    error::Result,
    home::{Home, component::Component, process::Process},
    print::print,
};

/// Stop the cluster. What is stored stays, and is there again after the next `up`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Also delete everything that was stored.
    #[arg(long)]
    purge: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let home = context.home()?;
    home.known_settings()?;
    home.create()?;
    let _guard = home.lock()?;
    let running = home.all_running();
    // The API server last: the others still have something to say to it.
    let (server, others): (Vec<_>, Vec<_>) = running.iter().partition(|(component, _)| *component == Component::Apiserver);
    end(&home, &others).await?;
    end(&home, &server).await?;
    if args.purge {
        home.purge()?;
        return print(&format!("The cluster is down, and its state in {} is deleted.\n", home.folder().display()));
    }
    match running.len() {
        0 => print("The cluster was not running.\n"),
        _ => print(&format!("The cluster is down. Its state is kept in {}: `{} up` brings it back.\n", home.folder().display(), context.program())),
    }
}

/// Asks all of them to end, then waits for all of them.
async fn end(home: &Home, components: &[&(Component, Process)]) -> Result<()> {
    components.iter().try_for_each(|(_, process)| process.terminate())?;
    try_join_all(components.iter().map(|(_, process)| process.wait_or_kill(STOP_PATIENCE))).await?;
    components.iter().for_each(|(component, _)| home.forget(component));
    Ok(())
}
