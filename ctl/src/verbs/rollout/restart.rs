//! `rollout restart`: new pods of the same template, by a note in it that differs.

use jiff::tz::TimeZone;

use super::{Choice, Switch, Workload};
use crate::{
    context::Context,
    error::{Result, usage},
    value::map_mut,
    writing::Writing,
};

/// Where it is noted when the pods were last replaced; that of kubectl, so that both tools may be mixed.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// Restart a resource.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    writing: Writing,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let now = mini_daemon::clock::now().to_zoned(TimeZone::system());
    let now = now.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string().replace("+00:00", "Z");
    let restart = Switch {
        done: "restarted",
        change: &|workload, object| {
            if workload == Some(Workload::Deployment) && object["spec"]["paused"] == true {
                return Err("can't restart paused deployment (run rollout resume first)".into());
            }
            if workload.is_none() {
                return Err("restarting is not supported".into());
            }
            let metadata = map_mut(map_mut(&mut object["spec"]["template"]).entry("metadata").or_insert(serde_json::Value::Null));
            map_mut(metadata.entry("annotations").or_insert(serde_json::Value::Null)).insert(RESTARTED_AT.into(), now.clone().into());
            Ok(())
        },
        idle: &|subject| {
            Err(usage(format!(
                "failed to create patch for {}: if restart has already been triggered within the past second, please wait before attempting to \
                 trigger another",
                subject.target.name
            )))
        },
    };
    restart.run(&args.choice, &args.writing, context).await
}
