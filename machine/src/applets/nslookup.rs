//! `nslookup`: asks name servers, as busybox does since 1.29: a name with a dot is whole, and one without is asked in every domain.

use std::net::{IpAddr, SocketAddr};

use super::hand::{Out, Outcome, Stop, Usage, fail};
use crate::{
    Ctx,
    net::{Answer, Failure, Record},
};

const USAGE: Usage = Usage::operands("[-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]");

struct Query {
    name: String,
    record: Record,
}

/// The name under which an address is asked for.
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let digits = address.octets().iter().rev().map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4)).collect::<String>();
            format!("{digits}ip6.arpa")
        }
    }
}

fn record(text: &str) -> Option<Vec<Record>> {
    Some(vec![match text.to_ascii_uppercase().as_str() {
        "A" => Record::A,
        "AAAA" => Record::Aaaa,
        "CNAME" => Record::Cname,
        "PTR" => Record::Ptr,
        "SRV" => Record::Srv,
        "TXT" => Record::Txt,
        "ANY" => return Some(vec![Record::A, Record::Aaaa]),
        _ => return None,
    }])
}

/// One answer as it is shown.
fn shown(name: &str, answer: &Answer, record: Record) -> String {
    match answer {
        Answer::Address(address) => format!("Name:\t{name}\nAddress: {address}\n"),
        Answer::Name(target) if record == Record::Ptr => format!("{name}\tname = {target}\n"),
        Answer::Name(target) => format!("{name}\tcanonical name = {target}\n"),
        Answer::Service { priority, weight, port, target } => format!("{name}\tservice = {priority} {weight} {port} {target}\n"),
        Answer::Text(text) => format!("{name}\ttext = \"{text}\"\n"),
    }
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let mut rest = ctx.args().get(1..).unwrap_or_default();
    let (mut records, mut port): (Vec<Record>, u16) = (Vec::new(), 53);
    while let Some(option) = rest.first().and_then(|first| first.strip_prefix('-')) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "type" | "querytype" | "q" | "ty" => match record(value) {
                Some(more) => records.extend(more),
                None => return Err(fail(&ctx, format!("invalid query type \"{value}\"")).await),
            },
            "port" => match value.parse() {
                Ok(number) => port = number,
                Err(_) => return Err(fail(&ctx, format!("invalid number '{value}'")).await),
            },
            "timeout" | "t" | "retry" | "debug" => {}
            _ => return Err(USAGE.explain(&ctx).await),
        }
        rest = &rest[1..];
    }
    let (host, server) = match rest {
        [host] => (host, None),
        [host, server] => (host, Some(server)),
        _ => return Err(USAGE.explain(&ctx).await),
    };
    let conf = ctx.resolv_conf();
    let servers = match server {
        Some(server) => match ctx.resolve(server).await {
            Ok(found) => found.addresses.iter().map(|address| (server.clone(), SocketAddr::new(*address, port))).take(1).collect(),
            Err(_) => return Err(fail(&ctx, format!("bad address '{server}'")).await),
        },
        None => conf.servers.iter().map(|server| (server.ip().to_string(), SocketAddr::new(server.ip(), port))).collect::<Vec<_>>(),
    };
    let queries = queries(host, records, &conf.search);
    ask(&ctx, &servers, &queries).await
}

fn queries(host: &str, records: Vec<Record>, search: &[String]) -> Vec<Query> {
    if let Ok(address) = host.parse()
        && records.is_empty()
    {
        return vec![Query { name: reversed(address), record: Record::Ptr }];
    }
    let records = if records.is_empty() { vec![Record::A, Record::Aaaa] } else { records };
    let names: Vec<String> = if host.contains('.') || search.is_empty() {
        vec![host.to_owned()]
    } else {
        search.iter().map(|domain| format!("{host}.{domain}")).collect()
    };
    records.into_iter().flat_map(|record| names.iter().map(move |name| Query { name: name.clone(), record })).collect()
}

async fn ask(ctx: &Ctx, servers: &[(String, SocketAddr)], queries: &[Query]) -> Outcome {
    let mut out = Out::new(ctx);
    for (name, server) in servers {
        let (mut answered, mut code) = (false, 0);
        for query in queries {
            let answer = ctx.ask(*server, query.name.trim_end_matches('.'), query.record).await;
            if answer == Err(Failure::Timeout) {
                if answered {
                    out.line(format!("*** Can't find {}: No answer", query.name)).await?;
                    code = 1;
                    continue;
                }
                break;
            }
            if !answered {
                answered = true;
                out.put(format!("Server:\t\t{name}\nAddress:\t{server}\n\n")).await?;
            }
            match answer {
                Ok(answers) => {
                    for answer in answers {
                        out.put(shown(&query.name, &answer, query.record)).await?;
                    }
                }
                Err(failure) => {
                    out.line(format!("** server can't find {}: {failure}", query.name)).await?;
                    code = 1;
                }
            }
            out.put("\n").await?;
        }
        if answered {
            return out.end(code).await;
        }
    }
    out.put(";; connection timed out; no servers could be reached\n\n").await.map(|()| Stop::Exit(1))?;
    out.end(1).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked() {
        let search = ["default.svc.cluster.local".to_owned(), "cluster.local".to_owned()];
        let names = |host: &str| {
            queries(host, Vec::new(), &search)
                .iter()
                .map(|query| format!("{:?} {}", query.record, query.name))
                .collect::<Vec<_>>()
                .join(", ")
        };
        assert_eq!(
            names("web"),
            "A web.default.svc.cluster.local, A web.cluster.local, Aaaa web.default.svc.cluster.local, Aaaa web.cluster.local"
        );
        assert_eq!(names("web.default"), "A web.default, Aaaa web.default");
        assert_eq!(names("10.1.2.3"), "Ptr 3.2.1.10.in-addr.arpa");
    }
}
