//! `create job`: of a command, or the next Job of a CronJob right now.

use serde_json::{Value, json};

use super::Generating;
use crate::{
    context::Context,
    error::{Result, usage},
    making::{Kind, failed},
    selection::{Files, Selection, select},
    server::JSON,
    value::map_mut,
};

pub(super) const KIND: Kind = Kind { group: "batch", version: "v1", kind: "Job", plural: "jobs", namespaced: true };

/// Create a job with the specified name.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
    /// The image of its container.
    #[arg(long, value_name = "IMAGE", default_value = "")]
    image: String,
    /// The CronJob it is one of: cronjob/NAME.
    #[arg(long, value_name = "TYPE/NAME", default_value = "")]
    from: String,
    /// The command of its container.
    #[arg(last = true)]
    command: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let name = args.generating.name("job")?;
    if args.image.is_empty() == args.from.is_empty() {
        return Err(usage("either --image or --from must be specified"));
    }
    if !args.command.is_empty() && !args.from.is_empty() {
        return Err(usage("cannot specify --from and command"));
    }
    let job = if args.from.is_empty() {
        let mut job = KIND.named(name);
        job["spec"] = spec(name, &args.image, &args.command, "Never");
        job["status"] = json!({});
        job
    } else {
        of_cron_job(name, &cron_job(context, &args.from).await?)
    };
    args.generating.create(context, &KIND, job).await.map_err(failed("create job"))
}

/// The spec of a Job of one container.
pub(super) fn spec(name: &str, image: &str, command: &[String], restart: &str) -> Value {
    let mut container = json!({"name": name, "image": image, "resources": {}});
    if !command.is_empty() {
        container["command"] = command.into();
    }
    json!({"template": {"metadata": {"creationTimestamp": null}, "spec": {"containers": [container], "restartPolicy": restart}}})
}

async fn cron_job(context: &Context, from: &str) -> Result<Value> {
    let Selection::Named(targets) = select(context, &[from.to_owned()], &Files::default()).await? else {
        return Err(usage("resource(s) were provided, but no name was specified"));
    };
    let [target] = &targets[..] else { return Err(usage("from must be an existing cronjob")) };
    let object = target.fetch(context.server().await?, JSON).await?;
    if target.resource.kind != "CronJob" {
        return Err(usage(format!("unknown object type *{}.{}", target.resource.version, target.resource.kind)));
    }
    Ok(object)
}

/// The Job that the CronJob's controller would make, marked as made by hand. It belongs to the CronJob, which does not wait for it.
fn of_cron_job(name: &str, cron_job: &Value) -> Value {
    let template = &cron_job["spec"]["jobTemplate"];
    let mut annotations = json!({"cronjob.kubernetes.io/instantiate": "manual"});
    map_mut(&mut annotations).extend(template["metadata"]["annotations"].as_object().cloned().unwrap_or_default());
    let mut job = KIND.named(name);
    job["metadata"]["annotations"] = annotations;
    if template["metadata"]["labels"].is_object() {
        job["metadata"]["labels"] = template["metadata"]["labels"].clone();
    }
    let uid = &cron_job["metadata"]["uid"];
    job["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "batch/v1", "controller": true, "kind": "CronJob", "name": cron_job["metadata"]["name"], "uid": uid}]);
    job["spec"] = template["spec"].clone();
    job["spec"]["template"]["metadata"]["creationTimestamp"] = Value::Null;
    job["status"] = json!({});
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_by_hand_is_one_of_its_cron_job() {
        let cron_job = json!({
            "metadata": {"name": "tick", "uid": "u"},
            "spec": {"jobTemplate": {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}, "spec": {"template": {"spec": {}}}}},
        });
        let job = of_cron_job("now", &cron_job);
        assert_eq!(job["metadata"]["annotations"], json!({"c": "d", "cronjob.kubernetes.io/instantiate": "manual"}));
        assert_eq!((&job["metadata"]["labels"], &job["metadata"]["ownerReferences"][0]["uid"]), (&json!({"a": "b"}), &json!("u")));
    }
}
