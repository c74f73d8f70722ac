//! `create service`, which comes in four types.

use mini_api::name;
use serde_json::{Value, json};

use super::{Generating, required};
use crate::{
    context::Context,
    error::{Result, usage},
    making::failed,
    verbs::expose::SERVICE as KIND,
};

/// Create a service of a type.
#[derive(clap::Args, Debug)]
#[command(visible_alias = "svc", subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(subcommand)]
    kind: Type,
}

#[derive(clap::Subcommand, Debug)]
enum Type {
    Clusterip(ClusterIp),
    Externalname(ExternalName),
    Loadbalancer(LoadBalancer),
    Nodeport(NodePort),
}

/// What all types take.
#[derive(clap::Args, Debug)]
struct Ported {
    #[command(flatten)]
    generating: Generating,
    /// A port, and that of the pods: PORT[:TARGET].
    #[arg(long, value_name = "PORT[:TARGET]", value_delimiter = ',')]
    tcp: Vec<String>,
}

/// Create a ClusterIP service.
#[derive(clap::Args, Debug)]
struct ClusterIp {
    #[command(flatten)]
    ported: Ported,
    /// Its address; None for a service without one.
    #[arg(long, value_name = "IP", default_value = "")]
    clusterip: String,
}

/// Create a NodePort service.
#[derive(clap::Args, Debug)]
struct NodePort {
    #[command(flatten)]
    ported: Ported,
    /// Its port on every node.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    node_port: i64,
}

/// Create a LoadBalancer service.
#[derive(clap::Args, Debug)]
struct LoadBalancer {
    #[command(flatten)]
    ported: Ported,
}

/// Create an ExternalName service.
#[derive(clap::Args, Debug)]
struct ExternalName {
    #[command(flatten)]
    ported: Ported,
    /// The name it stands for.
    #[arg(long, value_name = "NAME")]
    external_name: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let (kind, mut generating, service) = match args.kind {
        Type::Clusterip(args) => {
            let mut service = service(&args.ported, "ClusterIP", args.clusterip != "None")?;
            if !args.clusterip.is_empty() {
                service["spec"]["clusterIP"] = args.clusterip.into();
            }
            ("ClusterIP", args.ported.generating, service)
        }
        Type::Externalname(args) => {
            let external = required(args.external_name.as_ref(), "external-name")?;
            let mut service = service(&args.ported, "ExternalName", false)?;
            if !name::dns1123_subdomain(external).is_empty() {
                return Err(usage(format!("invalid service external name {external}")));
            }
            service["spec"]["externalName"] = external.into();
            ("ExternalName", args.ported.generating, service)
        }
        Type::Loadbalancer(args) => {
            let service = service(&args.ported, "LoadBalancer", true)?;
            ("LoadBalancer", args.ported.generating, service)
        }
        Type::Nodeport(args) => {
            let mut service = service(&args.ported, "NodePort", true)?;
            if args.node_port != 0 {
                for port in service["spec"]["ports"].as_array_mut().into_iter().flatten() {
                    port["nodePort"] = args.node_port.into();
                }
            }
            ("NodePort", args.ported.generating, service)
        }
    };
    // kubectl takes the flag, and forgets it.
    generating.making.save_config = false;
    generating.create(context, &KIND, service).await.map_err(failed(&format!("create {kind} service")))
}

/// A service of this type for the pods that are labelled with its name.
fn service(args: &Ported, kind: &str, needs_ports: bool) -> Result<Value> {
    let name = args.generating.name(&format!("service {}", kind.to_lowercase()))?;
    let ports: Vec<&String> = args.tcp.iter().filter(|port| !port.is_empty()).collect();
    if ports.is_empty() && needs_ports {
        return Err(usage("at least one tcp port specifier must be provided"));
    }
    let ports = ports.into_iter().map(|text| port(text)).collect::<Result<Vec<_>>>()?;
    let labels = json!({"app": name});
    let mut service = KIND.named(name);
    service["metadata"]["labels"] = labels.clone();
    service["spec"] = json!({"selector": labels, "type": kind});
    if !ports.is_empty() {
        service["spec"]["ports"] = ports.into();
    }
    service["status"] = json!({"loadBalancer": {}});
    Ok(service)
}

/// One `PORT[:TARGET]`, in which the target is a number or a name.
fn port(text: &str) -> Result<Value> {
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let port: u16 = first.parse().map_err(|error: std::num::ParseIntError| {
        let why = if *error.kind() == std::num::IntErrorKind::PosOverflow { "value out of range" } else { "invalid syntax" };
        usage(format!("strconv.ParseUint: parsing {first:?}: {why}"))
    })?;
    let target = match parts.next() {
        None => Value::from(port),
        Some(target) => match target.parse::<i32>() {
            Ok(number) => checked(number.into(), &name::port(number))?,
            Err(_) => checked(target.into(), &name::port_name(target))?,
        },
    };
    Ok(json!({"name": text.replace(':', "-"), "port": port, "protocol": "TCP", "targetPort": target}))
}

fn checked(value: Value, wrong: &[String]) -> Result<Value> {
    if wrong.is_empty() { Ok(value) } else { Err(usage(wrong.join(","))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_pairs() {
        let made = |text: &str| port(text).map(|port| (port["name"].clone(), port["port"].clone(), port["targetPort"].clone()));
        assert_eq!(made("80").unwrap(), (json!("80"), json!(80), json!(80)));
        assert_eq!(made("443:https").unwrap(), (json!("443-https"), json!(443), json!("https")));
        assert_eq!(made("80:1:2").unwrap(), (json!("80-1-2"), json!(80), json!(1)));
        for (text, why) in [
            ("a", "strconv.ParseUint: parsing \"a\": invalid syntax"),
            ("70000", "strconv.ParseUint: parsing \"70000\": value out of range"),
            ("80:70000", "must be between 1 and 65535, inclusive"),
            (
                "80:B_",
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-),must contain at least one letter (a-z)",
            ),
        ] {
            assert_eq!(made(text).unwrap_err().to_string(), format!("error: {why}"));
        }
    }
}
