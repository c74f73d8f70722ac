//! `create ingress`. A rule is HOST/PATH=SERVICE:PORT[,tls[=SECRET]].

use serde_json::{Map, Value, json};

use super::Generating;
use crate::{
    context::Context,
    error::{Result, usage},
    making::{Kind, failed},
};

const KIND: Kind = Kind { group: "networking.k8s.io", version: "v1", kind: "Ingress", plural: "ingresses", namespaced: true };

/// Create an ingress with the specified name.
#[derive(clap::Args, Debug)]
#[command(visible_alias = "ing")]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
    /// The class it is of.
    #[arg(long, value_name = "NAME", default_value = "")]
    class: String,
    /// Where a request goes: HOST/PATH=SERVICE:PORT[,tls[=SECRET]]. A path that ends in * is a prefix.
    #[arg(long, value_name = "RULE")]
    rule: Vec<String>,
    /// Where requests go that no rule is for: SERVICE:PORT.
    #[arg(long, value_name = "SERVICE:PORT", default_value = "")]
    default_backend: String,
    /// An annotation, KEY=VALUE.
    #[arg(long, value_name = "KEY=VALUE")]
    annotation: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let mut ingress = KIND.named(args.generating.name("ingress")?);
    ingress["spec"] = spec(&args)?;
    if !args.annotation.is_empty() {
        ingress["metadata"]["annotations"] = annotations(&args.annotation)?;
    }
    ingress["status"] = json!({"loadBalancer": {}});
    args.generating.create(context, &KIND, ingress).await.map_err(failed("create ingress"))
}

fn annotations(words: &[String]) -> Result<Value> {
    let annotation = |word: &String| match word.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.into())),
        None => Err(usage(format!("annotation {word} is invalid and should be in format key=[value]"))),
    };
    words.iter().map(annotation).collect::<Result<Map<_, _>>>().map(Value::Object)
}

fn spec(args: &Args) -> Result<Value> {
    if args.default_backend.is_empty() && args.rule.is_empty() {
        return Err(usage(
            "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) \
             or a list of rules (which catch specific paths)",
        ));
    }
    let mut spec = json!({});
    if !args.class.is_empty() {
        spec["ingressClassName"] = args.class.clone().into();
    }
    if !args.default_backend.is_empty() {
        let (service, port) = args
            .default_backend
            .split_once(':')
            .filter(|(_, port)| !port.contains(':'))
            .ok_or_else(|| usage("default-backend should be in format servicename:serviceport"))?;
        spec["defaultBackend"] = backend(service, port);
    }
    let rules = args.rule.iter().map(|text| Rule::parse(text)).collect::<Result<Vec<_>>>()?;
    if !rules.is_empty() {
        spec["rules"] = by_host(&rules).into();
    }
    let tls = tls(&rules);
    if !tls.is_empty() {
        spec["tls"] = tls.into();
    }
    Ok(spec)
}

#[derive(Debug, PartialEq)]
struct Rule<'a> {
    host: &'a str,
    path: &'a str,
    service: &'a str,
    port: &'a str,
    /// The secret, which may be empty, if there is to be TLS at all.
    tls: Option<&'a str>,
}

impl<'a> Rule<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let rule = || {
            let (main, tls) = text.split_once(',').map_or((text, None), |(main, tls)| (main, Some(tls)));
            let (path, target) = main.split_once('=')?;
            let (host, _) = path.split_once('/')?;
            let (service, port) = target.split_once(':')?;
            let is_word = |word: &str, more: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-' || more.contains(c));
            let fits = is_word(host, "*.") && is_word(service, "") && is_word(port, "") && !service.is_empty() && !port.is_empty();
            let tls = tls.map(|tls| tls.split_once('=').map_or("", |(_, secret)| secret));
            fits.then_some(Self { host, path: &path[host.len()..], service, port, tls })
        };
        rule().ok_or_else(|| usage(format!("rule {text} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]")))
    }
}

/// The rules, those of one host together.
fn by_host(rules: &[Rule<'_>]) -> Vec<Value> {
    let mut hosts: Vec<(&str, Vec<Value>)> = Vec::new();
    for rule in rules {
        let (path, kind) = rule.path.strip_suffix('*').map_or((rule.path, "Exact"), |path| (path, "Prefix"));
        let path = json!({"backend": backend(rule.service, rule.port), "path": path, "pathType": kind});
        match hosts.iter_mut().find(|(host, _)| *host == rule.host) {
            Some((_, paths)) => paths.push(path),
            None => hosts.push((rule.host, vec![path])),
        }
    }
    let rule = |(host, paths): (&str, Vec<Value>)| {
        let http = json!({"paths": paths});
        if host.is_empty() { json!({"http": http}) } else { json!({"host": host, "http": http}) }
    };
    hosts.into_iter().map(rule).collect()
}

/// Which hosts are served with which secret; each host once, with the first.
fn tls(rules: &[Rule<'_>]) -> Vec<Value> {
    let mut secrets: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut seen = Vec::new();
    for rule in rules {
        let Some(secret) = rule.tls else { continue };
        if seen.contains(&rule.host) {
            continue;
        }
        seen.push(rule.host);
        match secrets.iter_mut().find(|(known, _)| *known == secret) {
            Some((_, hosts)) => hosts.push(rule.host),
            None if rule.host.is_empty() && secret.is_empty() => {}
            None if rule.host.is_empty() => secrets.push((secret, Vec::new())),
            None => secrets.push((secret, vec![rule.host])),
        }
    }
    let entry = |(secret, hosts): (&str, Vec<&str>)| {
        let mut entry = json!({});
        if !hosts.is_empty() {
            entry["hosts"] = hosts.into();
        }
        if !secret.is_empty() {
            entry["secretName"] = secret.into();
        }
        entry
    };
    secrets.into_iter().map(entry).collect()
}

fn backend(service: &str, port: &str) -> Value {
    let port = port.parse::<i32>().map_or_else(|_| json!({"name": port}), |number| json!({"number": number}));
    json!({"service": {"name": service, "port": port}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let rule = Rule::parse("*.example.com/shop*=web:http,tls=cert").unwrap();
        assert_eq!(rule, Rule { host: "*.example.com", path: "/shop*", service: "web", port: "http", tls: Some("cert") });
        assert_eq!(Rule::parse("/=s:80,tls").unwrap().tls, Some(""));
        for wrong in ["a", "h/p=s", "h=s:80", "=s:80", "/=s:", "h!/=s:80"] {
            let why = format!("error: rule {wrong} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]");
            assert_eq!(Rule::parse(wrong).unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn hosts_come_once() {
        let rules: Vec<Rule<'_>> = ["h/p=s:80", "/=t:1,tls", "g/=t:1,tls=sec", "h/q*=s:http,tls=sec", "h/=s:1,tls", "i/=s:1,tls"]
            .into_iter()
            .map(|text| Rule::parse(text).unwrap())
            .collect();
        let hosts: Vec<_> = by_host(&rules).into_iter().map(|rule| rule["host"].clone()).collect();
        assert_eq!(hosts, [json!("h"), Value::Null, json!("g"), json!("i")]);
        assert_eq!(by_host(&rules)[0]["http"]["paths"][1]["pathType"], "Prefix");
        assert_eq!(tls(&rules), [json!({"hosts": ["g", "h"], "secretName": "sec"}), json!({"hosts": ["i"]})]);
    }
}
