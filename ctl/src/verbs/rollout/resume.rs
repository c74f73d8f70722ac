//! `rollout resume`: ends a pause.

use super::{Choice, Switch, Workload};
use crate::{context::Context, error::Result, value::map_mut, writing::Writing};

/// Resume a paused resource.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    writing: Writing,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let resume = Switch {
        done: "resumed",
        change: &|workload, object| match workload {
            Some(Workload::Deployment) if object["spec"]["paused"] == true => {
                map_mut(&mut object["spec"]).remove("paused");
                Ok(())
            }
            Some(Workload::Deployment) => Err("is not paused".into()),
            _ => Err("resuming is not supported".into()),
        },
        idle: &|_| Ok(()),
    };
    resume.run(&args.choice, &args.writing, context).await
}
