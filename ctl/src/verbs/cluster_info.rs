//! `cluster-info`: where the API server is, if it is there at all.

use crate::{context::Context, error::Result, print::print};

/// Display the address of the control plane.
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) async fn run(_: Args, context: &Context) -> Result<()> {
    let server = context.server().await?;
    server.get("/version").await?;
    print(&format!("Kubernetes control plane is running at {}\n", server.address()))
}
