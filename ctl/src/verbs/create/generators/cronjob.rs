//! `create cronjob`.

use serde_json::json;

use super::{Generating, job, required};
use crate::{
    context::Context,
    error::Result,
    making::{Kind, failed},
};

const KIND: Kind = Kind { group: "batch", version: "v1", kind: "CronJob", plural: "cronjobs", namespaced: true };

/// Create a cron job with the specified name.
#[derive(clap::Args, Debug)]
#[command(visible_alias = "cj")]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
    /// The image of its container.
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// When it runs, in the form of cron.
    #[arg(long, value_name = "SCHEDULE")]
    schedule: Option<String>,
    /// Whether a container that fails is started again: OnFailure or Never.
    #[arg(long, value_name = "POLICY", default_value = "")]
    restart: String,
    /// The command of its container.
    #[arg(last = true)]
    command: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let image = required(args.image.as_ref(), "image")?;
    let schedule = required(args.schedule.as_ref(), "schedule")?;
    let name = args.generating.name("cronjob")?;
    let restart = if args.restart.is_empty() { "OnFailure" } else { &args.restart };
    let mut cron_job = KIND.named(name);
    let template = json!({"metadata": {"creationTimestamp": null, "name": name}, "spec": job::spec(name, image, &args.command, restart)});
    cron_job["spec"] = json!({"jobTemplate": template, "schedule": schedule});
    cron_job["status"] = json!({});
    args.generating.create(context, &KIND, cron_job).await.map_err(failed("create cronjob"))
}
