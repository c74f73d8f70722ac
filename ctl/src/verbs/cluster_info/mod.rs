//! `cluster-info`: where the API server is, and what calls itself a service of the cluster; or everything about the cluster.

mod dump;

use crate::{
    context::Context,
    error::Result,
    print::print,
    server::with_query,
    value::{list, name, some_text, text},
};

/// Display addresses of the control plane and services with label kubernetes.io/cluster-service=true.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[arg(hide = true)]
    words: Vec<String>,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    Dump(dump::Args),
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if let Some(What::Dump(args)) = args.what {
        return dump::run(args, context).await;
    }
    let server = context.server().await?;
    let path = with_query("/api/v1/namespaces/kube-system/services", &[("labelSelector", "kubernetes.io/cluster-service=true")]);
    let services = server.get(&path).await?;
    let mut said = format!("Kubernetes control plane is running at {}\n", server.address());
    for service in list(&services["items"]) {
        let title = some_text(&service["metadata"]["labels"]["kubernetes.io/name"]).unwrap_or_else(|| name(service));
        let port = list(&service["spec"]["ports"]).first();
        let balanced: Vec<String> = list(&service["status"]["loadBalancer"]["ingress"])
            .iter()
            .filter_map(|ingress| some_text(&ingress["ip"]).or_else(|| some_text(&ingress["hostname"])))
            .flat_map(|host| list(&service["spec"]["ports"]).iter().map(move |port| format!("http://{host}:{} ", port["port"])))
            .collect();
        let link = if balanced.is_empty() {
            let scheme = if port.is_some_and(|port| port["port"] == 443 || text(&port["name"]).contains("https")) { "https:" } else { "" };
            let port = port.and_then(|port| some_text(&port["name"])).map(|port| format!(":{port}")).unwrap_or_default();
            let separator = if scheme.is_empty() && port.is_empty() { "" } else if port.is_empty() { ":" } else { "" };
            format!("{}/api/v1/namespaces/kube-system/services/{scheme}{}{port}{separator}/proxy", server.address(), name(service))
        } else {
            balanced.concat()
        };
        said += &format!("{title} is running at {link}\n");
    }
    print(&format!("{said}\nTo further debug and diagnose cluster problems, use 'mini-ctl cluster-info dump'.\n"))
}
