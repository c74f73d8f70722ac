//! `rollout pause`: changes of the template have no effect until the rollout is resumed.

use super::{Choice, Switch, Workload};
use crate::{context::Context, error::Result, writing::Writing};

/// Mark the provided resource as paused.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    writing: Writing,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let pause = Switch {
        done: "paused",
        change: &|workload, object| match workload {
            Some(Workload::Deployment) if object["spec"]["paused"] == true => Err("is already paused".into()),
            Some(Workload::Deployment) => {
                object["spec"]["paused"] = true.into();
                Ok(())
            }
            _ => Err("pausing is not supported".into()),
        },
        idle: &|_| Ok(()),
    };
    pause.run(&args.choice, &args.writing, context).await
}
