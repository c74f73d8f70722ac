//! `autoscale`: makes a HorizontalPodAutoscaler for whatever has a scale.

use serde_json::{Value, json};

use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    making::{Kind, Making},
    selection::{Files, objects},
    value::{list, name},
};

/// Who sets the fields, unless the user says otherwise.
const MANAGER: &str = "kubectl-autoscale";

const KIND: Kind =
    Kind { group: "autoscaling", version: "v1", kind: "HorizontalPodAutoscaler", plural: "horizontalpodautoscalers", namespaced: true };

/// Auto-scale a deployment, replica set, stateful set, or replication controller.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME, or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// How many pods there may be at most.
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    max: Option<i32>,
    /// How many there must be at least [default: what the server says].
    #[arg(long, value_name = "COUNT", default_value_t = -1, allow_negative_numbers = true)]
    min: i32,
    /// How much of the CPU they ask for they shall use on average, in percent [default: what the server says].
    #[arg(long, value_name = "PERCENT", default_value_t = -1, allow_negative_numbers = true)]
    cpu_percent: i32,
    /// Its name [default: that of the object].
    #[arg(long, value_name = "NAME", default_value = "")]
    name: String,
    #[command(flatten)]
    making: Making,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    args.making.writing.form()?;
    let Some(max) = args.max else { return Err(usage("required flag(s) \"max\" not set")) };
    if max < 1 {
        return Err(usage(format!("--max=MAXPODS is required and must be at least 1, max: {max}")));
    }
    if max < args.min {
        return Err(usage(format!("--max=MAXPODS must be larger or equal to --min=MINPODS, max: {max}, min: {}", args.min)));
    }
    let mut errors = Vec::new();
    for found in objects(context, &args.words, &args.files).await? {
        let scaled = match found {
            Ok((resource, object)) => autoscale(&args, context, &resource, &object, max).await,
            Err(error) => Err(error),
        };
        errors.extend(scaled.err());
    }
    Error::from_all(errors)
}

async fn autoscale(args: &Args, context: &Context, resource: &Resource, object: &Value, max: i32) -> Result<()> {
    let server = context.server().await?;
    let served = server.get(resource.path(None).rsplit_once('/').map_or("", |(version, _)| version)).await?;
    let scale = format!("{}/scale", resource.plural);
    if !list(&served["resources"]).iter().any(|resource| resource["name"] == scale) {
        return Err(usage(format!(
            "cannot autoscale a {}: could not find scale subresource for {}/{}, Resource={} in discovery information",
            resource.kind, resource.group, resource.version, resource.plural
        )));
    }
    let scaler = scaler(args, resource, object, max);
    let made = args.making.send(context, &KIND, scaler, MANAGER, &[]).await?;
    args.making.writing.say(&KIND.resource(), &made, "autoscaled")
}

fn scaler(args: &Args, resource: &Resource, object: &Value, max: i32) -> Value {
    let own = if args.name.is_empty() { name(object) } else { &args.name };
    let mut scaler = KIND.named(own);
    let target = json!({"apiVersion": resource.group_version(), "kind": resource.kind, "name": name(object)});
    scaler["spec"] = json!({"maxReplicas": max, "scaleTargetRef": target});
    if args.min > 0 {
        scaler["spec"]["minReplicas"] = args.min.into();
    }
    if args.cpu_percent >= 0 {
        scaler["spec"]["targetCPUUtilizationPercentage"] = args.cpu_percent.into();
    }
    scaler["status"] = json!({"currentReplicas": 0, "desiredReplicas": 0});
    scaler
}
