//! `top`: what pods or nodes use, as the Metrics API tells it.

use std::{cmp::Reverse, collections::BTreeMap};

use mini_api::quantity::Quantity;
use serde_json::Value;

use crate::{
    context::Context,
    error::{Result, usage},
    print::{TabWriter, notice, print},
    server::{Server, escape, with_query},
    value::{list, name, namespace, text},
};

/// Where the Metrics API is.
const METRICS: &str = "/apis/metrics.k8s.io/v1beta1";

/// Display resource (CPU/memory) usage of pods or nodes.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// pod or node, and a NAME
    #[arg(required = true, num_args = 1..=2)]
    words: Vec<String>,
    /// Only those with these labels.
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<String>,
    /// Only pods with these fields.
    #[arg(long, value_name = "SELECTOR")]
    field_selector: Option<String>,
    /// Pods in all namespaces.
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// Each container of the pods.
    #[arg(long)]
    containers: bool,
    /// What uses most comes first: of cpu or memory.
    #[arg(long, value_name = "FIELD", value_parser = ["cpu", "memory"], hide_possible_values = true)]
    sort_by: Option<String>,
    /// Also what all pods use together.
    #[arg(long)]
    sum: bool,
    /// Without headers.
    #[arg(long)]
    no_headers: bool,
}

/// What is used, of cores and in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    cpu: Quantity,
    memory: Quantity,
}

/// One line of the table: the cells before the numbers, and what is used.
struct Line {
    cells: Vec<String>,
    usage: Usage,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let server = context.server().await?;
    let (kind, name) = (args.words[0].as_str(), args.words.get(1).map(String::as_str));
    if name.is_some() && args.selector.is_some() {
        return Err(usage("only one of NAME or --selector can be provided"));
    }
    match kind {
        "pod" | "pods" | "po" => pods(&args, name, context, server).await,
        "node" | "nodes" | "no" => nodes(&args, name, server).await,
        _ => Err(usage(format!("unknown command {kind:?} for \"mini-ctl top\""))),
    }
}

/// Asks the Metrics API, which not every cluster has.
async fn ask(server: &Server, path: &str) -> Result<Vec<Value>> {
    if server.get(METRICS).await.is_err_and(|error| error.is_not_found()) {
        return Err(usage("Metrics API not available"));
    }
    let answer = server.get(path).await?;
    Ok(if answer["items"].is_array() { list(&answer["items"]).to_vec() } else { vec![answer] })
}

async fn pods(args: &Args, wanted: Option<&str>, context: &Context, server: &Server) -> Result<()> {
    let here = context.namespace().await?;
    let scope = if args.all_namespaces { String::new() } else { format!("/namespaces/{}", escape(here)) };
    let below = wanted.map(|name| format!("/{}", escape(name))).unwrap_or_default();
    let query = [
        ("labelSelector", args.selector.as_deref().unwrap_or_default()),
        ("fieldSelector", args.field_selector.as_deref().unwrap_or_default()),
    ];
    let metrics = ask(server, &with_query(&format!("{METRICS}{scope}/pods{below}"), &query)).await?;
    if metrics.is_empty() {
        let all = server.get(&with_query(&format!("/api/v1{scope}/pods"), &query)).await?;
        if !list(&all["items"]).is_empty() {
            return Err(usage("metrics not available yet"));
        }
        let place = if args.all_namespaces { String::new() } else { format!(" in {here} namespace") };
        notice(&format!("No resources found{place}."));
        return Ok(());
    }
    let lines = of_pods(args, metrics);
    let headers: Vec<&str> = [(args.all_namespaces, "NAMESPACE"), (args.containers, "POD"), (true, "NAME")]
        .into_iter()
        .filter_map(|(is, header)| is.then_some(header))
        .chain(["CPU(cores)", "MEMORY(bytes)"])
        .collect();
    let total = args.sum.then(|| lines.iter().fold(Usage::default(), |sum, line| sum.and(line.usage)));
    let mut table = TabWriter::table();
    if !args.no_headers {
        table.line(&format!("{}\t", headers.join("\t")));
    }
    for line in &lines {
        table.line(&format!("{}\t{}\t", line.cells.join("\t"), line.usage.cells()));
    }
    if let Some(total) = total {
        table.line(&format!("{}________\t________\t", "\t".repeat(headers.len() - 2)));
        table.line(&format!("{}{}\t", "\t".repeat(headers.len() - 2), total.cells()));
    }
    print(&table.take())
}

/// The lines of a table of pods, in its order.
fn of_pods(args: &Args, metrics: Vec<Value>) -> Vec<Line> {
    let mut pods: Vec<(Value, Usage)> = metrics
        .into_iter()
        .map(|pod| {
            let usage = list(&pod["containers"]).iter().fold(Usage::default(), |sum, one| sum.and(Usage::read(&one["usage"])));
            (pod, usage)
        })
        .collect();
    pods.sort_by_cached_key(|(pod, usage)| {
        let place = args.all_namespaces.then(|| namespace(pod).unwrap_or_default().to_owned());
        (Reverse(usage.by(args.sort_by.as_deref())), place, name(pod).to_owned())
    });
    let mut lines = Vec::new();
    for (pod, usage) in &pods {
        let mut cells: Vec<String> = args.all_namespaces.then(|| namespace(pod).unwrap_or_default().to_owned()).into_iter().collect();
        cells.push(name(pod).to_owned());
        if !args.containers {
            lines.push(Line { cells, usage: *usage });
            continue;
        }
        let mut containers: Vec<(String, Usage)> =
            list(&pod["containers"]).iter().map(|one| (text(&one["name"]).to_owned(), Usage::read(&one["usage"]))).collect();
        containers.sort_by_cached_key(|(name, usage)| (Reverse(usage.by(args.sort_by.as_deref())), name.clone()));
        lines.extend(containers.into_iter().map(|(name, usage)| Line { cells: [&cells[..], &[name]].concat(), usage }));
    }
    lines
}

async fn nodes(args: &Args, wanted: Option<&str>, server: &Server) -> Result<()> {
    let below = wanted.map(|name| format!("/{}", escape(name))).unwrap_or_default();
    let query = [("labelSelector", args.selector.as_deref().unwrap_or_default())];
    let metrics = ask(server, &with_query(&format!("{METRICS}/nodes{below}"), &query)).await?;
    if metrics.is_empty() {
        return Err(usage("metrics not available yet"));
    }
    let answer = server.get(&with_query(&format!("/api/v1/nodes{below}"), &query)).await?;
    let nodes = if answer["items"].is_array() { list(&answer["items"]).to_vec() } else { vec![answer] };
    let mut available: BTreeMap<&str, Usage> =
        nodes.iter().map(|node| (name(node), Usage::read(&node["status"]["allocatable"]))).collect();
    let mut used: Vec<(&str, Usage)> = metrics.iter().map(|node| (name(node), Usage::read(&node["usage"]))).collect();
    used.sort_by_key(|(name, usage)| (Reverse(usage.by(args.sort_by.as_deref())), *name));
    let mut table = TabWriter::table();
    if !args.no_headers {
        table.line("NAME\tCPU(cores)\tCPU(%)\tMEMORY(bytes)\tMEMORY(%)\t");
    }
    for (name, usage) in used {
        let of = available.remove(name).unwrap_or_default();
        let share = |used: Quantity, all: Quantity| used.milli().saturating_mul(100).checked_div(all.milli()).unwrap_or_default();
        let (cpu, memory) = (share(usage.cpu, of.cpu), share(usage.memory, of.memory));
        table.line(&format!("{name}\t{}m\t{cpu}%\t{}Mi\t{memory}%\t", usage.cpu.milli(), usage.memory.value() >> 20));
    }
    // Those nobody has heard of.
    for name in available.into_keys() {
        table.line(&format!("{name}\t<unknown>\t<unknown>\t<unknown>\t<unknown>\t"));
    }
    print(&table.take())
}

impl Usage {
    fn read(resources: &Value) -> Self {
        let amount = |resource: &str| Quantity::parse(text(&resources[resource])).unwrap_or_default();
        Self { cpu: amount("cpu"), memory: amount("memory") }
    }

    fn and(self, more: Self) -> Self {
        Self { cpu: self.cpu + more.cpu, memory: self.memory + more.memory }
    }

    /// What it is sorted by, if by anything.
    fn by(self, field: Option<&str>) -> i128 {
        match field {
            Some("cpu") => self.cpu.milli(),
            Some(_) => self.memory.value().into(),
            None => 0,
        }
    }

    /// Upwards: what uses anything uses at least a thousandth. Memory is what is full.
    fn cells(self) -> String {
        format!("{}m\t{}Mi", self.cpu.milli(), self.memory.value() >> 20)
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches};
    use serde_json::json;

    use super::*;

    fn lines(line: &str) -> Vec<String> {
        let matches = Args::augment_args(Command::new("top")).try_get_matches_from(line.split(' ')).unwrap();
        let container = |name: &str, cpu: &str, memory: &str| json!({"name": name, "usage": {"cpu": cpu, "memory": memory}});
        let metrics = vec![
            json!({"metadata": {"name": "b", "namespace": "n"}, "containers": [container("x", "1", "3Mi"), container("y", "1500000n", "2Gi")]}),
            json!({"metadata": {"name": "a", "namespace": "o"}, "containers": [container("z", "250m", "5000Mi")]}),
        ];
        of_pods(&Args::from_arg_matches(&matches).unwrap(), metrics)
            .into_iter()
            .map(|line| format!("{} {}", line.cells.join(" "), line.usage.cells().replace('\t', " ")))
            .collect()
    }

    #[test]
    fn pods_are_told_in_order() {
        assert_eq!(lines("top pod"), ["a 250m 5000Mi", "b 1002m 2051Mi"]);
        assert_eq!(lines("top pod --sort-by=cpu"), ["b 1002m 2051Mi", "a 250m 5000Mi"]);
        assert_eq!(lines("top pod --sort-by=memory -A"), ["o a 250m 5000Mi", "n b 1002m 2051Mi"]);
        assert_eq!(lines("top pod -A"), ["n b 1002m 2051Mi", "o a 250m 5000Mi"]);
        assert_eq!(lines("top pod --containers --sort-by=memory"), ["a z 250m 5000Mi", "b y 2m 2048Mi", "b x 1000m 3Mi"]);
    }
}
