//! `create priorityclass`.

use super::Generating;
use crate::{
    context::Context,
    error::Result,
    making::{Kind, failed},
};

const KIND: Kind = Kind { group: "scheduling.k8s.io", version: "v1", kind: "PriorityClass", plural: "priorityclasses", namespaced: false };

/// Create a priority class with the specified name.
#[derive(clap::Args, Debug)]
#[command(visible_alias = "pc")]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
    /// How important its pods are.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true)]
    value: i32,
    /// Pods that name no class are of this one.
    #[arg(long)]
    global_default: bool,
    /// What it is for.
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// Whether its pods may push others from a node.
    #[arg(long, value_name = "POLICY", default_value = "PreemptLowerPriority")]
    preemption_policy: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let mut class = KIND.named(args.generating.name("priorityclass")?);
    class["value"] = args.value.into();
    class["preemptionPolicy"] = args.preemption_policy.into();
    if args.global_default {
        class["globalDefault"] = true.into();
    }
    if !args.description.is_empty() {
        class["description"] = args.description.into();
    }
    args.generating.create(context, &KIND, class).await.map_err(failed("create priorityclass"))
}
