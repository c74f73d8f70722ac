//! `create deployment`.

use mini_daemon::clock;
use serde_json::{Value, json};

use super::Generating;
use crate::{
    context::Context,
    error::{Result, usage},
    making::{Kind, failed},
};

const KIND: Kind = Kind { group: "apps", version: "v1", kind: "Deployment", plural: "deployments", namespaced: true };

/// Create a deployment with the specified name.
#[derive(clap::Args, Debug)]
#[command(visible_alias = "deploy")]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
    /// The image of its container, or of several.
    #[arg(long, value_name = "IMAGE", value_delimiter = ',')]
    image: Option<Vec<String>>,
    /// The port its container listens on.
    #[arg(long, value_name = "PORT", default_value_t = -1, allow_negative_numbers = true)]
    port: i32,
    /// How many pods there shall be.
    #[arg(long, short, value_name = "COUNT", default_value_t = 1, allow_negative_numbers = true)]
    replicas: i32,
    /// The command of its container.
    #[arg(last = true)]
    command: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let deployment = deployment(&args, || clock::suffix(5))?;
    args.generating.create(context, &KIND, deployment).await.map_err(failed("create deployment"))
}

fn deployment(args: &Args, suffix: impl Fn() -> String) -> Result<Value> {
    let Some(images) = &args.image else { return Err(usage("required flag(s) \"image\" not set")) };
    let images: Vec<&String> = images.iter().filter(|image| !image.is_empty()).collect();
    let name = args.generating.name("deployment")?;
    if images.len() > 1 && !args.command.is_empty() {
        return Err(usage("cannot specify multiple --image options and command"));
    }
    let mut containers: Vec<Value> =
        images.into_iter().map(|image| json!({"name": container_name(image, &suffix), "image": image, "resources": {}})).collect();
    if let Some(first) = containers.first_mut() {
        if !args.command.is_empty() {
            first["command"] = args.command.clone().into();
        }
        if args.port >= 0 {
            first["ports"] = json!([{"containerPort": args.port}]);
        }
    }
    let spec = if containers.is_empty() { json!({"containers": null}) } else { json!({"containers": containers}) };
    let labels = json!({"app": name});
    let mut deployment = KIND.named(name);
    deployment["metadata"]["labels"] = labels.clone();
    deployment["spec"] = json!({
        "replicas": args.replicas,
        "selector": {"matchLabels": labels},
        "strategy": {},
        "template": {"metadata": {"creationTimestamp": null, "labels": labels}, "spec": spec},
    });
    deployment["status"] = json!({});
    Ok(deployment)
}

/// The last part of the image's name. Characters that may not stand in a container's name are replaced, and then something random
/// makes sure that it is still one of its own.
fn container_name(image: &str, suffix: impl Fn() -> String) -> String {
    let last = image.rsplit('/').next().unwrap_or_default();
    let name = last.split([':', '@']).next().unwrap_or_default();
    if name.contains(['_', '.']) { format!("{}-{}", name.replace(['_', '.'], "-"), suffix()) } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_called_as_their_images() {
        for (image, name) in [
            ("nginx", "nginx"),
            ("nginx:1.25", "nginx"),
            ("example.com:5000/team/web_front:v1@sha256:abc", "web-front-xxxxx"),
            ("busybox@sha256:abc", "busybox"),
            ("mini.web", "mini-web-xxxxx"),
        ] {
            assert_eq!(container_name(image, || "xxxxx".into()), name, "{image}");
        }
    }
}
