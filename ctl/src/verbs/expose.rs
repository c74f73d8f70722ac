//! `expose`: makes a Service for what is there. What it selects, and which ports and protocols it has, is read from the object.

use serde_json::{Value, json};

use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    making::{Kind, Making, labels, placed},
    overriding::Overriding,
    selection::{Files, objects},
    value::{list, name, text},
};

/// Who sets the fields, unless the user says otherwise.
const MANAGER: &str = "kubectl-expose";
/// The longest name of a Service.
const LONGEST: usize = 63;

pub(super) const SERVICE: Kind = Kind { group: "", version: "v1", kind: "Service", plural: "services", namespaced: true };

/// Take a deployment, service, replica set, replication controller or pod and expose it as a new service.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME, or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    overriding: Overriding,
    #[command(flatten)]
    making: Making,
}

/// What the Service shall be like where it is not as the object says.
#[derive(clap::Args, Clone, Debug, Default)]
struct Wanted {
    /// Its name [default: that of the object].
    #[arg(long, value_name = "NAME", default_value = "")]
    name: String,
    /// Its port, or several [default: those of the object].
    #[arg(long, value_name = "PORT", default_value = "")]
    port: String,
    /// The port of the pods, as a number or a name [default: the same].
    #[arg(long, alias = "container-port", value_name = "PORT", default_value = "")]
    target_port: String,
    /// TCP, UDP or SCTP [default: as the object says, else TCP].
    #[arg(long, value_name = "PROTOCOL", default_value = "")]
    protocol: String,
    /// Its labels [default: those of the object].
    #[arg(long, short, value_name = "LABELS", default_value = "")]
    labels: String,
    /// The pods it is for: a=b [default: those of the object].
    #[arg(long, value_name = "LABELS", default_value = "")]
    selector: String,
    /// ClusterIP, NodePort, LoadBalancer or ExternalName.
    #[arg(long = "type", value_name = "TYPE", default_value = "")]
    kind: String,
    /// Its address; None for a service without one.
    #[arg(long, value_name = "IP", default_value = "")]
    cluster_ip: String,
    /// One more address, for which nobody but you cares.
    #[arg(long, value_name = "IP", default_value = "")]
    external_ip: String,
    /// The address of its load balancer.
    #[arg(long, value_name = "IP", default_value = "")]
    load_balancer_ip: String,
    /// Whether a client always comes to the same pod: None or ClientIP.
    #[arg(long, value_name = "HOW", default_value = "")]
    session_affinity: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    args.making.writing.form()?;
    args.overriding.warn();
    let mut errors = Vec::new();
    for found in objects(context, &args.words, &args.files).await? {
        let exposed = match found {
            Ok((resource, object)) => expose(&args, context, &resource, &object).await,
            Err(error) => Err(error),
        };
        errors.extend(exposed.err());
    }
    Error::from_all(errors)
}

async fn expose(args: &Args, context: &Context, resource: &Resource, object: &Value) -> Result<()> {
    let service = placed(context, service(resource, object, &args.wanted)?);
    let service = args.overriding.apply(context, &SERVICE, service).await?;
    let made = args.making.send(context, &SERVICE, service, MANAGER, &[]).await?;
    args.making.say(&SERVICE.resource(), &made, "exposed")
}

/// The Service for an object.
fn service(resource: &Resource, object: &Value, wanted: &Wanted) -> Result<Value> {
    let exposed = Exposed::new(resource, object)?;
    let unknown = |what: &str, why: &str| usage(format!("couldn't {what} flag or introspection{why}"));
    let selector = match wanted.selector.as_str() {
        "" => exposed.selector().map_err(|why| unknown("retrieve selectors via --selector", &format!(": {why}")))?,
        selector => labels(selector)?,
    };
    let own = exposed.ports();
    let ports = match wanted.port.as_str() {
        "" if own.is_empty() && wanted.cluster_ip != "None" => return Err(unknown("find port via --port", "")),
        "" => own.iter().map(|port| port.number).collect(),
        ports => ports.split(',').map(number).collect::<Result<Vec<_>>>()?,
    };
    let name = if wanted.name.is_empty() { name(object).get(..LONGEST).unwrap_or(name(object)) } else { &wanted.name };
    let mut service = SERVICE.named(name);
    match wanted.labels.as_str() {
        "" if object["metadata"]["labels"].is_object() => service["metadata"]["labels"] = object["metadata"]["labels"].clone(),
        "" => {}
        wanted => service["metadata"]["labels"] = labels(wanted)?,
    }
    service["spec"] = json!({"selector": selector});
    let ports = service_ports(&ports, &own, &wanted.protocol, &wanted.target_port);
    if !ports.is_empty() {
        service["spec"]["ports"] = ports.into();
    }
    if !matches!(wanted.session_affinity.as_str(), "" | "None" | "ClientIP") {
        return Err(usage(format!("unknown session affinity: {}", wanted.session_affinity)));
    }
    let of_load_balancer = if wanted.kind == "LoadBalancer" { wanted.load_balancer_ip.as_str() } else { "" };
    for (field, value) in [
        ("type", wanted.kind.as_str()),
        ("clusterIP", &wanted.cluster_ip),
        ("loadBalancerIP", of_load_balancer),
        ("sessionAffinity", &wanted.session_affinity),
    ] {
        if !value.is_empty() {
            service["spec"][field] = value.into();
        }
    }
    if !wanted.external_ip.is_empty() {
        service["spec"]["externalIPs"] = json!([wanted.external_ip]);
    }
    service["status"] = json!({"loadBalancer": {}});
    Ok(service)
}

fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| usage(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))
}

/// The ports of a Service that are to be these. A port that the object has in several protocols becomes several.
fn service_ports(ports: &[i64], own: &[Port], protocol: &str, target: &str) -> Vec<Value> {
    let mut made = Vec::new();
    for (at, port) in ports.iter().enumerate() {
        let known = own.iter().find(|known| known.number == *port);
        let protocols = match (protocol, known) {
            ("", Some(known)) => known.protocols.clone(),
            ("", None) => vec!["TCP"],
            (protocol, _) => vec![protocol],
        };
        for protocol in &protocols {
            let mut entry = json!({"port": port, "protocol": protocol, "targetPort": port});
            if protocols.len() > 1 {
                entry["name"] = format!("port-{}-{}", at + 1, protocol.to_lowercase()).into();
            } else if ports.len() > 1 {
                entry["name"] = format!("port-{}", at + 1).into();
            }
            if !target.is_empty() {
                entry["targetPort"] = target.parse::<i32>().map_or_else(|_| target.into(), Value::from);
            }
            made.push(entry);
        }
    }
    made
}

/// A port of the object.
#[derive(Debug)]
struct Port<'a> {
    number: i64,
    protocols: Vec<&'a str>,
}

/// What is exposed: where its labels, selector and ports are. Source: kubectl's `polymorphichelpers`.
enum Exposed<'a> {
    Pod(&'a Value),
    Service(&'a Value),
    /// A selector without expressions.
    Controller(&'a Value),
    /// A selector that may have expressions.
    Set(&'a Value, String),
}

impl<'a> Exposed<'a> {
    fn new(resource: &Resource, object: &'a Value) -> Result<Self> {
        match (resource.group.as_str(), resource.kind.as_str()) {
            ("", "Pod") => Ok(Self::Pod(object)),
            ("", "Service") => Ok(Self::Service(object)),
            ("", "ReplicationController") => Ok(Self::Controller(object)),
            ("apps" | "extensions", kind @ ("Deployment" | "ReplicaSet")) => Ok(Self::Set(object, kind.to_lowercase())),
            ("", kind) => Err(usage(format!("cannot expose a {kind}"))),
            (group, kind) => Err(usage(format!("cannot expose a {kind}.{group}"))),
        }
    }

    fn selector(&self) -> Result<Value, String> {
        let map = |value: &Value, missing: &str| match value.as_object() {
            Some(labels) if !labels.is_empty() => Ok(value.clone()),
            _ => Err(missing.to_owned()),
        };
        match self {
            Self::Pod(pod) => map(&pod["metadata"]["labels"], "the pod has no labels and cannot be exposed"),
            Self::Service(service) => map(&service["spec"]["selector"], "the service has no pod selector set"),
            Self::Controller(controller) => map(&controller["spec"]["selector"], "the replication controller has no pod selector set"),
            Self::Set(set, kind) => {
                let selector = &set["spec"]["selector"];
                let labels = map(&selector["matchLabels"], &format!("invalid {kind}: no selectors, therefore cannot be exposed"))?;
                let expression = |one: &Value| {
                    let values: Vec<&str> = list(&one["values"]).iter().map(text).collect();
                    format!("{{Key:{} Operator:{} Values:[{}]}}", text(&one["key"]), text(&one["operator"]), values.join(" "))
                };
                match list(&selector["matchExpressions"]) {
                    [] => Ok(labels),
                    some => Err(format!(
                        "couldn't convert expressions - \"[{}]\" to map-based selector format",
                        some.iter().map(expression).collect::<Vec<_>>().join(" ")
                    )),
                }
            }
        }
    }

    /// Its ports, each number once.
    fn ports(&self) -> Vec<Port<'a>> {
        let (containers, field): (&'a [Value], &str) = match *self {
            Self::Service(service) => (std::slice::from_ref(&service["spec"]), "port"),
            Self::Pod(pod) => (list(&pod["spec"]["containers"]), "containerPort"),
            Self::Controller(owner) | Self::Set(owner, _) => (list(&owner["spec"]["template"]["spec"]["containers"]), "containerPort"),
        };
        let mut ports: Vec<Port<'a>> = Vec::new();
        for port in containers.iter().flat_map(|container| list(&container["ports"])) {
            let number = port[field].as_i64().unwrap_or_default();
            let protocol = Some(text(&port["protocol"])).filter(|protocol| !protocol.is_empty()).unwrap_or("TCP");
            match ports.iter_mut().find(|known| known.number == number) {
                Some(known) if known.protocols.contains(&protocol) => {}
                Some(known) => known.protocols.push(protocol),
                None => ports.push(Port { number, protocols: vec![protocol] }),
            }
        }
        ports
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(group: &str, kind: &str) -> Resource {
        Resource { group: group.into(), kind: kind.into(), ..Resource::default() }
    }

    fn pod() -> Value {
        let ports = json!([{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]);
        json!({"metadata": {"name": "two", "labels": {"a": "b"}}, "spec": {"containers": [{"ports": ports}]}})
    }

    fn ports(wanted: &Wanted) -> Vec<(String, i64, String, Value)> {
        let service = service(&resource("", "Pod"), &pod(), wanted).unwrap();
        let port = |port: &Value| {
            (text(&port["name"]).to_owned(), port["port"].as_i64().unwrap(), text(&port["protocol"]).to_owned(), port["targetPort"].clone())
        };
        list(&service["spec"]["ports"]).iter().map(port).collect()
    }

    #[test]
    fn ports_have_names_where_there_are_several() {
        let port = |name: &str, port: i64, protocol: &str| (name.to_owned(), port, protocol.to_owned(), json!(port));
        let of = |text: &str| Wanted { port: text.into(), ..Wanted::default() };
        assert_eq!(ports(&Wanted::default()), [port("port-1", 80, "TCP"), port("port-2-udp", 53, "UDP"), port("port-2-tcp", 53, "TCP")]);
        assert_eq!(ports(&of("53")), [port("port-1-udp", 53, "UDP"), port("port-1-tcp", 53, "TCP")]);
        assert_eq!(ports(&of("99")), [port("", 99, "TCP")]);
        let told = Wanted { protocol: "UDP".into(), target_port: "http".into(), ..of("80") };
        assert_eq!(ports(&told), [(String::new(), 80, "UDP".to_owned(), json!("http"))]);
    }

    #[test]
    fn what_cannot_be_exposed_says_why() {
        let bare = json!({"metadata": {"name": "x"}, "spec": {"containers": [{"ports": [{"containerPort": 80}]}]}});
        let expressions = json!([{"key": "a", "operator": "In", "values": ["b", "c"]}]);
        let set = json!({"metadata": {"name": "x"}, "spec": {"selector": {"matchLabels": {"a": "b"}, "matchExpressions": expressions}}});
        for (group, kind, object, why) in [
            ("apps", "StatefulSet", &bare, "cannot expose a StatefulSet.apps"),
            ("", "Node", &bare, "cannot expose a Node"),
            (
                "",
                "Pod",
                &bare,
                "couldn't retrieve selectors via --selector flag or introspection: the pod has no labels and cannot be exposed",
            ),
            (
                "apps",
                "ReplicaSet",
                &bare,
                "couldn't retrieve selectors via --selector flag or introspection: invalid replicaset: no selectors, therefore cannot be exposed",
            ),
            (
                "apps",
                "Deployment",
                &set,
                "couldn't retrieve selectors via --selector flag or introspection: couldn't convert expressions - \
                 \"[{Key:a Operator:In Values:[b c]}]\" to map-based selector format",
            ),
        ] {
            let error = service(&resource(group, kind), object, &Wanted::default()).unwrap_err().to_string();
            assert_eq!(error, format!("error: {why}"));
        }
        let labelled = json!({"metadata": {"name": "x", "labels": {"a": "b"}}, "spec": {"containers": [{}]}});
        let error = service(&resource("", "Pod"), &labelled, &Wanted::default()).unwrap_err().to_string();
        assert_eq!(error, "error: couldn't find port via --port flag or introspection");
    }
}
