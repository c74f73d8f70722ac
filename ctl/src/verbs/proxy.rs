//! `proxy`: what the proxies of the nodes make of Services. It is worked out here, for nothing is really programmed anywhere.

use mini_api::proxy::{
    self, Endpoint, ServicePort,
    rules::{Node, Rules},
};
use serde_json::Value;

use crate::{
    context::Context,
    error::{Result, usage},
    print::print,
    server::escape,
    value::{list, name, some_text, text},
};

/// Show what the proxy of each node does for Services.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    Rules(RulesArgs),
}

/// Print the rules that kube-proxy would program on each node, as iptables-save prints them.
#[derive(clap::Args, Debug)]
struct RulesArgs {
    /// Only what is about this Service, in the order in which a packet meets it.
    service: Option<String>,
    /// Only the rules of this node; may be given again [default: all nodes].
    #[arg(long, value_name = "NAME")]
    node: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let What::Rules(args) = args.what;
    let server = context.server().await?;
    let nodes = server.get("/api/v1/nodes").await?;
    let nodes = chosen(list(&nodes["items"]), &args.node)?;
    let (services, slices) = match &args.service {
        Some(service) => {
            let namespace = escape(context.namespace().await?);
            let service = server.get(&format!("/api/v1/namespaces/{namespace}/services/{}", escape(service))).await?;
            (vec![service], server.get(&format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")).await?)
        }
        None => {
            let services = server.get("/api/v1/services").await?;
            (list(&services["items"]).to_vec(), server.get("/apis/discovery.k8s.io/v1/endpointslices").await?)
        }
    };
    let ports = proxy::read(&services, list(&slices["items"])).map_err(|error| usage(format!("read the server's answer: {error}")))?;
    if let (Some(service), true) = (&args.service, ports.is_empty()) {
        return Err(usage(format!("service {service:?} has no address of its own, so proxies have nothing to do with it")));
    }
    print(&page(&nodes, &ports, args.service.is_some()))
}

/// The nodes that are asked for.
fn chosen<'a>(nodes: &'a [Value], wanted: &[String]) -> Result<Vec<&'a Value>> {
    if wanted.is_empty() {
        return if nodes.is_empty() { Err(usage("there are no nodes")) } else { Ok(nodes.iter().collect()) };
    }
    let find = |wanted: &String| nodes.iter().find(|node| name(node) == wanted).ok_or_else(|| usage(format!("nodes {wanted:?} not found")));
    wanted.iter().map(find).collect()
}

/// The rules of each node, below its name.
fn page(nodes: &[&Value], ports: &[(ServicePort, Vec<Endpoint>)], excerpt: bool) -> String {
    let pages = nodes.iter().map(|node| {
        let addresses = list(&node["status"]["addresses"]);
        let internal = addresses.iter().find(|address| text(&address["type"]) == "InternalIP");
        let ip = internal.and_then(|address| text(&address["address"]).parse().ok());
        let rules = Rules::new(Node { name: name(node), ip, pod_range: some_text(&node["spec"]["podCIDR"]) }, ports);
        let text = if excerpt { rules.excerpt() } else { rules.to_string() };
        format!("# Node {}\n{text}", name(node))
    });
    pages.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_node_has_a_page() {
        let node = |name: &str, range: &str| json!({ "metadata": { "name": name }, "spec": { "podCIDR": range } });
        let (a, b) = (node("a", "10.244.1.0/24"), node("b", "10.244.2.0/24"));
        let service = json!({ "metadata": { "namespace": "default", "name": "web" }, "spec": { "clusterIP": "10.254.0.9", "ports": [{ "port": 80 }] } });
        let labels = json!({ proxy::SERVICE_NAME: "web" });
        let slice = json!({
            "metadata": { "namespace": "default", "name": "web-x", "labels": labels }, "addressType": "IPv4",
            "ports": [{ "name": "", "port": 80 }], "endpoints": [{ "addresses": ["10.244.1.2"], "nodeName": "a" }],
        });
        let ports = proxy::read(&[service], &[slice]).unwrap();
        let text = page(&[&a, &b], &ports, true);
        let masked: Vec<_> = text.lines().filter(|line| line.contains("! -s")).collect();
        assert!(text.starts_with("# Node a\n*nat\n") && text.contains("\n\n# Node b\n"), "{text}");
        assert!(masked[0].contains("! -s 10.244.1.0/24") && masked[1].contains("! -s 10.244.2.0/24"), "{masked:?}");
        assert!(page(&[&a], &ports, false).contains(":KUBE-POSTROUTING - [0:0]"));
    }

    #[test]
    fn nodes_are_chosen_by_name() {
        let nodes = [json!({ "metadata": { "name": "a" } }), json!({ "metadata": { "name": "b" } })];
        assert_eq!(chosen(&nodes, &[]).unwrap().len(), 2);
        assert_eq!(chosen(&nodes, &["b".to_owned()]).unwrap(), [&nodes[1]]);
        assert_eq!(chosen(&nodes, &["c".to_owned()]).unwrap_err().to_string(), "error: nodes \"c\" not found");
        assert!(chosen(&[], &[]).is_err());
    }
}
