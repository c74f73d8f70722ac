//! `port-forward`: listens here, and carries what comes to a port of a pod.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use futures::{SinkExt, StreamExt, future::select_all, stream::FuturesUnordered};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    context::Context,
    error::{Result, usage},
    pods,
    print::{notice, print},
    remote::{ENDS, PROTOCOLS},
    server::Server,
    value::{int, list, name, text},
    verbs::wait::duration,
};

/// As much as is carried at once, in bytes.
const CHUNK: usize = 32 * 1024;
/// How long the rest of an answer is waited for where a server cannot be told that nothing more will be said.
const PATIENCE: Duration = Duration::from_secs(5);

/// Forward one or more local ports to a pod.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// POD or TYPE/NAME, and [LOCAL:]REMOTE, as many as there are ports; a LOCAL that is empty is any that is free.
    words: Vec<String>,
    /// Where to listen: IP addresses, or localhost.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', default_value = "localhost")]
    address: Vec<String>,
    /// How long to wait for a pod.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1m")]
    pod_running_timeout: Duration,
}

/// A port here, and the one of the pod that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Forward {
    local: u16,
    remote: u16,
}

/// Where to listen, and whether another address will do instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address {
    ip: IpAddr,
    one_of: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let [word, ports @ ..] = &args.words[..] else { return Err(nothing_named()) };
    if ports.is_empty() {
        return Err(nothing_named());
    }
    let server = context.server().await?;
    let (resource, object) = pods::named(context, word).await?;
    let pod = pods::behind(server, &resource, object.clone(), args.pod_running_timeout).await?;
    let is_service = resource.group.is_empty() && resource.plural == "services";
    let forwards = ports.iter().map(|port| if is_service { by_service(&object, &pod, port) } else { by_pod(&pod, port) });
    let forwards: Vec<Forward> = forwards.collect::<Result<_>>()?;
    let phase = text(&pod["status"]["phase"]);
    if phase != "Running" {
        return Err(usage(format!("unable to forward port because pod is not running. Current status={phase}")));
    }
    let listeners = listen_all(&addresses(&args.address)?, forwards).await?;
    tokio::select! {
        ended = serve(server, &pod, listeners) => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

fn nothing_named() -> crate::error::Error {
    usage("TYPE/NAME and list of ports are required for port-forward")
}

/// The two sides of `[LOCAL:]REMOTE`.
fn sides(port: &str) -> Result<(&str, &str)> {
    match port.split(':').collect::<Vec<_>>()[..] {
        [both] => Ok((both, both)),
        [local, remote] => Ok((local, remote)),
        _ => Err(usage(format!("invalid port format '{port}'"))),
    }
}

fn forward(local: &str, remote: &str) -> Result<Forward> {
    let read = |side: &str, text: &str| {
        text.parse::<u16>().map_err(|error| {
            let why = if matches!(error.kind(), std::num::IntErrorKind::PosOverflow) { "value out of range" } else { "invalid syntax" };
            usage(format!("error parsing {side} port '{text}': strconv.ParseUint: parsing {text:?}: {why}"))
        })
    };
    let local = if local.is_empty() { 0 } else { read("local", local)? };
    match read("remote", remote)? {
        0 => Err(usage("remote port must be > 0")),
        remote => Ok(Forward { local, remote }),
    }
}

/// What leads to a port of a pod, which may be named.
fn by_pod(pod: &Value, port: &str) -> Result<Forward> {
    let (local, remote) = sides(port)?;
    if remote.is_empty() {
        return Err(usage("remote port cannot be empty"));
    }
    if remote.bytes().all(|byte| byte.is_ascii_digit()) {
        return forward(local, remote);
    }
    let number = port_of_pod(pod, remote).ok_or_else(|| usage(format!("Pod '{}' does not have a named port '{remote}'", name(pod))))?;
    let number = number.to_string();
    forward(if local == remote { &number } else { local }, &number)
}

fn port_of_pod(pod: &Value, named: &str) -> Option<i64> {
    let ports = list(&pod["spec"]["containers"]).iter().flat_map(|container| list(&container["ports"]));
    ports.filter(|port| port["name"] == named).map(|port| int(&port["containerPort"])).next()
}

/// What leads to where a port of a Service leads.
fn by_service(service: &Value, pod: &Value, port: &str) -> Result<Forward> {
    let (local, remote) = sides(port)?;
    let ports = list(&service["spec"]["ports"]);
    let known = match remote.parse::<i64>() {
        Ok(number) => ports.iter().find(|port| int(&port["port"]) == number),
        Err(_) => ports.iter().find(|port| port["name"] == remote),
    };
    let known = known.ok_or_else(|| match remote.parse::<i64>() {
        Ok(number) => usage(format!("Service {} does not have a service port {number}", name(service))),
        Err(_) => usage(format!("Service '{}' does not have a named port '{remote}'", name(service))),
    })?;
    if text(&known["protocol"]) == "UDP" {
        return Err(usage(format!("UDP protocol is not supported for {remote}")));
    }
    let number = int(&known["port"]);
    let target = &known["targetPort"];
    let target = match (service["spec"]["clusterIP"] == "None", target.as_i64(), target.as_str()) {
        (true, ..) => number,
        (_, Some(0), _) | (_, None, None) => number,
        (_, Some(target), _) => target,
        (_, _, Some(named)) => port_of_pod(pod, named)
            .ok_or_else(|| usage(format!("Pod '{}' does not have a named port '{named}'", name(pod))))?,
    };
    let number = number.to_string();
    forward(if local == remote { &number } else { local }, &target.to_string())
}

/// Where to listen, in a stable order.
fn addresses(words: &[String]) -> Result<Vec<Address>> {
    let mut found = BTreeMap::new();
    for word in words {
        if word == "localhost" {
            for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
                found.entry(ip.to_string()).or_insert(Address { ip, one_of: true });
            }
        } else {
            let ip = word.parse().map_err(|_| usage(format!("{word} is not a valid IP")))?;
            found.insert(word.clone(), Address { ip, one_of: false });
        }
    }
    Ok(found.into_values().collect())
}

/// Listens for each port, on each address.
async fn listen_all(addresses: &[Address], forwards: Vec<Forward>) -> Result<Vec<(TcpListener, Forward)>> {
    let mut listeners = Vec::new();
    let mut failed = Vec::new();
    for mut forward in forwards {
        let (mut errors, mut well, mut badly, mut fatal) = (Vec::new(), 0, 0, false);
        for Address { ip, one_of } in addresses {
            match listen(*ip, &mut forward).await {
                Ok(listener) => {
                    listeners.push((listener, forward));
                    well += usize::from(*one_of);
                }
                Err(error) => {
                    errors.push(error);
                    badly += usize::from(*one_of);
                    fatal |= !one_of;
                }
            }
        }
        if fatal || (well == 0 && badly > 0) {
            let errors = errors.join(" ");
            let why = format!("Listeners failed to create with the following errors: [{errors}]");
            notice(&format!("Unable to listen on port {}: {why}", forward.local));
            failed.push(format!("{{{} {}}}", forward.local, forward.remote));
        }
    }
    if listeners.is_empty() {
        return Err(usage(format!("unable to listen on any of the requested ports: [{}]", failed.join(" "))));
    }
    Ok(listeners)
}

/// Listens, on a port that is free if none is said, and says so.
async fn listen(ip: IpAddr, forward: &mut Forward) -> Result<TcpListener, String> {
    let address = SocketAddr::new(ip, forward.local);
    let kind = if ip.is_ipv4() { "tcp4" } else { "tcp6" };
    let complain = |error: io::Error| format!("unable to create listener: Error listen {kind} {address}: bind: {}", reason(&error));
    let listener = TcpListener::bind(address).await.map_err(complain)?;
    let address = listener.local_addr().map_err(complain)?;
    forward.local = address.port();
    // Whoever has closed our output still wants the ports.
    let _ = print(&format!("Forwarding from {address} -> {}\n", forward.remote));
    Ok(listener)
}

/// Why an address cannot be listened at, in Go's words.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "address already in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "cannot assign requested address".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Accepts and carries connections until one of them fails at its other end.
async fn serve(server: &Server, pod: &Value, listeners: Vec<(TcpListener, Forward)>) -> Result<()> {
    let mut carried = FuturesUnordered::new();
    loop {
        let accepted = select_all(listeners.iter().map(|(listener, forward)| {
            Box::pin(async { (listener.accept().await, *forward) })
        }));
        tokio::select! {
            ((accepted, forward), ..) = accepted => {
                let Ok((connection, _)) = accepted else { continue };
                let _ = print(&format!("Handling connection for {}\n", forward.local));
                carried.push(carry(server, pod, connection, forward));
            }
            Some(ended) = carried.next() => {
                if let Err(why) = ended {
                    notice(&why);
                    return Err(usage("lost connection to pod"));
                }
            }
        }
    }
}

/// Carries one connection until the pod ends it, or we do.
///
/// # Errors
/// What the pod's side complains about.
async fn carry(server: &Server, pod: &Value, connection: TcpStream, forward: Forward) -> Result<(), String> {
    let failed = |why: &str| format!("an error occurred forwarding {} -> {}: {why}", forward.local, forward.remote);
    let path = pods::path(pod, &format!("/portforward?ports={}", forward.remote));
    let (socket, protocol) = server.web_socket(&path, PROTOCOLS).await.map_err(|error| failed(&error.to_string()))?;
    let (mut sink, mut source) = socket.split();
    let (mut from, mut to) = connection.into_split();
    let speaking = async {
        let mut chunk = vec![0; CHUNK];
        // The first byte is the channel.
        while let Ok(count @ 1..) = from.read(&mut chunk[1..]).await {
            if sink.send(Message::Binary(chunk[..=count].to_vec().into())).await.is_err() {
                return;
            }
        }
        if protocol == ENDS && sink.send(Message::Binary(vec![u8::MAX, 0].into())).await.is_ok() {
            std::future::pending::<()>().await;
        }
        sleep(PATIENCE).await;
    };
    let listening = async {
        // The first message of each channel is the port.
        let mut greeted = [false; 2];
        while let Some(Ok(message)) = source.next().await {
            let Message::Binary(bytes) = message else { continue };
            let Some((&channel, bytes)) = bytes.split_first() else { continue };
            match greeted.get_mut(usize::from(channel)) {
                Some(greeted) if !*greeted => *greeted = true,
                Some(_) if channel == 1 => return Err(failed(String::from_utf8_lossy(bytes).trim())),
                // Nobody here wants to hear it any more.
                Some(_) if to.write_all(bytes).await.is_err() => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    };
    tokio::select! {
        ended = listening => ended,
        () = speaking => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(result: Result<Forward>) -> Result<(u16, u16), String> {
        result.map(|forward| (forward.local, forward.remote)).map_err(|error| error.to_string())
    }

    #[test]
    fn ports_of_a_pod() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"ports": [{"name": "web", "containerPort": 8080}]}]}});
        let read = |port: &str| told(by_pod(&pod, port));
        assert_eq!(read("80"), Ok((80, 80)));
        assert_eq!(read("8080:80"), Ok((8080, 80)));
        assert_eq!(read(":80"), Ok((0, 80)));
        assert_eq!(read("web"), Ok((8080, 8080)));
        assert_eq!(read("1:web"), Ok((1, 8080)));
        assert_eq!(read("nope"), Err("error: Pod 'p' does not have a named port 'nope'".to_owned()));
        assert_eq!(read("1:"), Err("error: remote port cannot be empty".to_owned()));
        assert_eq!(read("1:2:3"), Err("error: invalid port format '1:2:3'".to_owned()));
        assert_eq!(read("0"), Err("error: remote port must be > 0".to_owned()));
        let range = "error: error parsing remote port '99999': strconv.ParseUint: parsing \"99999\": value out of range";
        assert_eq!(read("1:99999"), Err(range.to_owned()));
        let syntax = "error: error parsing local port 'x': strconv.ParseUint: parsing \"x\": invalid syntax";
        assert_eq!(read("x:80"), Err(syntax.to_owned()));
    }

    #[test]
    fn ports_of_a_service() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"ports": [{"name": "web", "containerPort": 8080}]}]}});
        let ports = json!([{"name": "a", "port": 80, "targetPort": 9376}, {"name": "b", "port": 81, "targetPort": "web"}, {"name": "c", "port": 53, "protocol": "UDP"}]);
        let service = json!({"metadata": {"name": "s"}, "spec": {"ports": ports}});
        let read = |port: &str| told(by_service(&service, &pod, port));
        assert_eq!(read("80"), Ok((80, 9376)));
        assert_eq!(read("a"), Ok((80, 9376)));
        assert_eq!(read("8888:b"), Ok((8888, 8080)));
        assert_eq!(read(":81"), Ok((0, 8080)));
        assert_eq!(read("53"), Err("error: UDP protocol is not supported for 53".to_owned()));
        assert_eq!(read("1"), Err("error: Service s does not have a service port 1".to_owned()));
        assert_eq!(read("x"), Err("error: Service 's' does not have a named port 'x'".to_owned()));
    }

    #[test]
    fn addresses_are_read() {
        let read = |words: &[&str]| {
            addresses(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
                .map(|found| found.into_iter().map(|address| (address.ip.to_string(), address.one_of)).collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        assert_eq!(read(&["localhost"]), Ok(vec![("127.0.0.1".to_owned(), true), ("::1".to_owned(), true)]));
        assert_eq!(read(&["0.0.0.0"]), Ok(vec![("0.0.0.0".to_owned(), false)]));
        assert_eq!(read(&["here"]), Err("error: here is not a valid IP".to_owned()));
    }
}
