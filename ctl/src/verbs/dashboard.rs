//! `dashboard`: where the page is that shows the cluster as it lives.

use crate::{context::Context, error::Result, print::print};

/// Print the address of a page that shows nodes and pods as they change.
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) async fn run(_: Args, context: &Context) -> Result<()> {
    let server = context.server().await?;
    // Who is not there serves no page.
    server.get("/version").await?;
    print(&format!("{}/dashboard\n", server.address()))
}
