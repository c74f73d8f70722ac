//! An explanation as a person reads it: a few lines about the pod, a table of the nodes that would do, one of those that were
//! refused. Pure.

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    print::TabWriter,
    value::{int, list, some_text, text},
};

/// How many nodes are shown of those that would do, and of those refused in one way, unless all are asked for.
const SHOWN: usize = 20;

/// Lays out one explanation.
pub(super) fn render(told: &Value, wide: bool, now: Timestamp) -> String {
    let mut page = TabWriter::page();
    for (key, value) in head(told, now) {
        page.line(&format!("{key}:\t{value}"));
    }
    let mut out = page.take();
    out.push_str(&feasible(told, wide));
    out.push_str(&refused(told, wide));
    out
}

/// What there is to say about the pod itself.
fn head(told: &Value, now: Timestamp) -> Vec<(&'static str, String)> {
    let pod = &told["pod"];
    let mut lines = vec![
        ("Pod", format!("{}/{}", text(&pod["namespace"]), text(&pod["name"]))),
        ("Scheduler", text(&told["schedulerName"]).to_owned()),
        ("Status", status(told)),
    ];
    let ago = |time: &Value| time.as_str().and_then(|time| time.parse::<Timestamp>().ok()).map(|time| now.duration_since(time).as_secs_f64());
    let attempts = int(&told["attempts"]);
    if attempts > 0 {
        let last = ago(&told["decidedAt"]).map(|seconds| format!(", the last {} ago", span(seconds))).unwrap_or_default();
        lines.push(("Attempts", format!("{attempts}{last}")));
    }
    if let Some(seconds) = told["waitedSeconds"].as_f64() {
        let placed = some_text(&told["nodeName"]).is_some();
        lines.push((if placed { "Waited" } else { "Waiting for" }, span(seconds)));
    }
    if let Some(seconds) = ago(&told["nextAttemptAt"]) {
        lines.push(("Next attempt", format!("in {} at the latest", span(-seconds))));
    }
    let said = [("Woken by", "wokenBy"), ("Message", "message"), ("Note", "note")];
    lines.extend(said.into_iter().filter_map(|(key, field)| Some((key, some_text(&told[field])?.to_owned()))));
    lines
}

/// How the pod is, in words.
fn status(told: &Value) -> String {
    let node = text(&told["nodeName"]);
    match text(&told["state"]) {
        "Scheduled" => format!("Scheduled to {node}"),
        "Binding" => format!("Being bound to {node}"),
        "Active" => "Pending: its turn comes".to_owned(),
        "Backoff" => "Pending: it was refused a moment ago, and is tried again soon".to_owned(),
        "Unschedulable" => "Pending: it waits for a change that helps".to_owned(),
        "Gated" => "Pending: its scheduling gates hold it back".to_owned(),
        _ => {
            let best: Vec<&str> = list(&told["feasible"]).iter().filter(|node| node["chosen"] == true).map(|node| text(&node["name"])).collect();
            match best.as_slice() {
                [] => "What if: it would wait".to_owned(),
                [only] => format!("What if: it would go to {only}"),
                several => format!("What if: it would go to one of {} that are equally good", several.len()),
            }
        }
    }
}

/// The nodes that would do, with what each plugin adds to their scores.
fn feasible(told: &Value, wide: bool) -> String {
    let nodes = list(&told["feasible"]);
    if nodes.is_empty() {
        return String::new();
    }
    let score = |node: &Value, plugin: &Value| node["scores"][text(&plugin["name"])].as_f64().unwrap_or_default();
    let same = |plugin: &&Value| nodes.len() > 1 && nodes.iter().all(|node| score(node, plugin) == score(&nodes[0], plugin));
    let (equal, telling): (Vec<&Value>, Vec<&Value>) = list(&told["plugins"]).iter().partition(|plugin| !wide && same(plugin));
    let mut table = TabWriter::table();
    let heads: String = telling.iter().map(|plugin| format!("\t{}", titled(plugin))).collect();
    table.line(&format!("  NODE\tSCORE{heads}"));
    let shown = if wide { nodes.len() } else { nodes.len().min(SHOWN) };
    for node in &nodes[..shown] {
        let cells: String = telling.iter().map(|plugin| format!("\t{:.2}", score(node, plugin))).collect();
        let mark = if node["chosen"] == true { '*' } else { ' ' };
        let total = if list(&told["plugins"]).is_empty() { "<none>".to_owned() } else { format!("{:.2}", node["score"].as_f64().unwrap_or_default()) };
        table.line(&format!("{mark} {}\t{total}{cells}", text(&node["name"])));
    }
    let count = &told["nodes"]["feasible"];
    let mut out = format!("\n{}:\n{}", counted(count, "would do", if nodes.len() > 1 { ", best first" } else { "" }), table.take());
    out.push_str(&rest(int(count), shown));
    if !equal.is_empty() {
        let equal: Vec<String> = equal.iter().map(|plugin| format!("{} {:.2}", titled(plugin), score(&nodes[0], plugin))).collect();
        out.push_str(&format!("The same for each: {}\n", equal.join(", ")));
    }
    out
}

/// The nodes that were refused, by whom, and what would help.
fn refused(told: &Value, wide: bool) -> String {
    let groups = list(&told["refused"]);
    if groups.is_empty() {
        return String::new();
    }
    let live = text(&told["basis"]) == "Live";
    let mut table = TabWriter::table();
    table.line(if live { "  NODE\tREFUSED BY\tREASON\tPREEMPTION\tWHAT WOULD HELP" } else { "  NODE\tREFUSED BY\tREASON" });
    for group in groups {
        let nodes = list(&group["nodes"]);
        let shown = if wide { nodes.len() } else { nodes.len().min(SHOWN) };
        let reasons: Vec<&str> = list(&group["reasons"]).iter().map(text).collect();
        let why = format!("{}\t{}", text(&group["plugin"]), reasons.join(", "));
        for node in &nodes[..shown] {
            let advice = if live { format!("\t{}\t{}", preemption(node), text(&node["remedy"])) } else { String::new() };
            table.line(&format!("  {}\t{why}{advice}", text(&node["name"])));
        }
        let left = usize::try_from(int(&group["count"])).unwrap_or_default().saturating_sub(shown);
        if left > 0 {
            table.line(&format!("  ... {left} more\t{why}"));
        }
    }
    format!("\n{}:\n{}", counted(&told["nodes"]["refused"], "refused", ", and why"), table.take())
}

/// Whether evicting pods would make room, and whom.
fn preemption(node: &Value) -> String {
    match text(&node["preemption"]) {
        "Possible" => {
            let victims: Vec<&str> = list(&node["victims"]).iter().map(text).collect();
            format!("would evict {}", victims.join(", "))
        }
        "NotHelpful" => "cannot help".to_owned(),
        "NoVictims" => "no victims".to_owned(),
        "Never" => "never".to_owned(),
        _ => "not tried".to_owned(),
    }
}

/// A plugin, and its weight where that is not 1.
fn titled(plugin: &Value) -> String {
    match int(&plugin["weight"]) {
        1 => text(&plugin["name"]).to_owned(),
        weight => format!("{weight}×{}", text(&plugin["name"])),
    }
}

fn counted(count: &Value, what: &str, more: &str) -> String {
    let nodes = if int(count) == 1 { "node" } else { "nodes" };
    format!("{} {nodes} {what}{more}", int(count))
}

fn rest(count: i64, shown: usize) -> String {
    let left = usize::try_from(count).unwrap_or_default().saturating_sub(shown);
    if left == 0 { String::new() } else { format!("  ... {left} more\n") }
}

/// A length of time, to the millisecond where it is short.
fn span(seconds: f64) -> String {
    match seconds {
        ..0.001 => "less than 1ms".to_owned(),
        ..1.0 => format!("{}ms", (seconds * 1000.0).round()),
        _ => mini_api::age::human(seconds as i64),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(told: &Value, wide: bool, want: Expect) {
        want.assert_eq(&render(told, wide, "2026-11-20T22:40:00Z".parse().unwrap()));
    }

    fn pod(state: &str, basis: &str) -> Value {
        json!({"pod": {"namespace": "default", "name": "web-1"}, "schedulerName": "default-scheduler", "state": state, "basis": basis,
            "plugins": [], "feasible": [], "refused": [], "nodes": {"total": 3, "feasible": 0, "refused": 0}})
    }

    #[test]
    fn a_pod_that_waits() {
        let mut told = pod("Unschedulable", "Live");
        told["attempts"] = 2.into();
        told["decidedAt"] = "2026-11-20T22:39:55Z".into();
        told["nextAttemptAt"] = "2026-11-20T22:44:55Z".into();
        told["waitedSeconds"] = json!(65.25);
        told["wokenBy"] = "node k8s-node-1 came or changed".into();
        told["message"] = "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.".into();
        told["nodes"] = json!({"total": 3, "feasible": 0, "refused": 3});
        told["refused"] = json!([
            {"plugin": "NodeUnschedulable", "reasons": ["node(s) were unschedulable"], "count": 1,
             "nodes": [{"name": "k8s-node-1", "remedy": "kubectl uncordon k8s-node-1", "preemption": "NotHelpful"}]},
            {"plugin": "NodeResourcesFit", "reasons": ["Insufficient cpu"], "count": 2,
             "nodes": [{"name": "k8s-node-2", "remedy": "500m more cpu: 500m of 4 are free", "preemption": "Possible", "victims": ["default/low"]},
                       {"name": "k8s-node-3", "remedy": "1 more cpu: 0 of 4 are free", "preemption": "NoVictims"}]},
        ]);
        check(&told, false, expect![[r#"
            Pod:           default/web-1
            Scheduler:     default-scheduler
            Status:        Pending: it waits for a change that helps
            Attempts:      2, the last 5s ago
            Waiting for:   65s
            Next attempt:  in 4m55s at the latest
            Woken by:      node k8s-node-1 came or changed
            Message:       0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.

            3 nodes refused, and why:
              NODE         REFUSED BY          REASON                       PREEMPTION                WHAT WOULD HELP
              k8s-node-1   NodeUnschedulable   node(s) were unschedulable   cannot help               kubectl uncordon k8s-node-1
              k8s-node-2   NodeResourcesFit    Insufficient cpu             would evict default/low   500m more cpu: 500m of 4 are free
              k8s-node-3   NodeResourcesFit    Insufficient cpu             no victims                1 more cpu: 0 of 4 are free
        "#]]);
    }

    #[test]
    fn a_pod_that_was_placed() {
        let mut told = pod("Scheduled", "Recorded");
        told["nodeName"] = "k8s-node-2".into();
        told["attempts"] = 1.into();
        told["decidedAt"] = "2026-11-20T22:30:00Z".into();
        told["waitedSeconds"] = json!(0.0124);
        told["nodes"] = json!({"total": 30, "feasible": 2, "refused": 28});
        told["plugins"] = json!([{"name": "TaintToleration", "weight": 3}, {"name": "NodeResourcesFit", "weight": 1}]);
        told["feasible"] = json!([
            {"name": "k8s-node-2", "score": 396.25, "scores": {"TaintToleration": 300.0, "NodeResourcesFit": 96.25}, "chosen": true},
            {"name": "k8s-node-1", "score": 380.0, "scores": {"TaintToleration": 300.0, "NodeResourcesFit": 80.0}, "chosen": false},
        ]);
        told["refused"] = json!([{"plugin": "TaintToleration", "reasons": ["node(s) had untolerated taint(s)"], "count": 28, "nodes": [{"name": "k8s-node-3"}]}]);
        check(&told, false, expect![[r#"
            Pod:        default/web-1
            Scheduler:  default-scheduler
            Status:     Scheduled to k8s-node-2
            Attempts:   1, the last 10m ago
            Waited:     12ms

            2 nodes would do, best first:
              NODE         SCORE    NodeResourcesFit
            * k8s-node-2   396.25   96.25
              k8s-node-1   380.00   80.00
            The same for each: 3×TaintToleration 300.00

            28 nodes refused, and why:
              NODE          REFUSED BY        REASON
              k8s-node-3    TaintToleration   node(s) had untolerated taint(s)
              ... 27 more   TaintToleration   node(s) had untolerated taint(s)
        "#]]);
        check(&told, true, expect![[r#"
            Pod:        default/web-1
            Scheduler:  default-scheduler
            Status:     Scheduled to k8s-node-2
            Attempts:   1, the last 10m ago
            Waited:     12ms

            2 nodes would do, best first:
              NODE         SCORE    3×TaintToleration   NodeResourcesFit
            * k8s-node-2   396.25   300.00              96.25
              k8s-node-1   380.00   300.00              80.00

            28 nodes refused, and why:
              NODE          REFUSED BY        REASON
              k8s-node-3    TaintToleration   node(s) had untolerated taint(s)
              ... 27 more   TaintToleration   node(s) had untolerated taint(s)
        "#]]);
    }

    #[test]
    fn a_pod_that_does_not_exist() {
        let mut told = pod("WhatIf", "Live");
        check(&told, false, expect![[r#"
            Pod:        default/web-1
            Scheduler:  default-scheduler
            Status:     What if: it would wait
        "#]]);
        told["nodes"]["feasible"] = 25.into();
        let node = |index: usize| json!({"name": format!("n{index}"), "score": 1.0, "scores": {"ImageLocality": 1.0}, "chosen": index < 2});
        told["plugins"] = json!([{"name": "ImageLocality", "weight": 1}]);
        told["feasible"] = (0..25).map(node).collect();
        let text = render(&told, false, Timestamp::UNIX_EPOCH);
        assert!(text.contains("What if: it would go to one of 2 that are equally good\n"), "{text}");
        assert!(text.ends_with("  n19    1.00\n  ... 5 more\nThe same for each: ImageLocality 1.00\n"), "{text}");
    }
}
