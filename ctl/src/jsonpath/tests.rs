//! What a path finds, and what is said of one that is none.

use serde_json::json;

use super::*;

fn pod() -> Value {
    json!({
        "metadata": {"name": "web", "labels": {"app.kubernetes.io/name": "x", "tier": "front"}},
        "spec": {"nodeName": "n1", "replicas": 3, "ratio": 1e6, "ready": true, "none": null},
        "list": [10, 11, 12, 13],
        "status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "since": 1}, {"type": "PodScheduled", "status": "False", "reason": "x"},
        ]},
    })
}

/// Recorded from kubectl 1.32.
#[test]
fn templates_are_filled_in() {
    for (template, text) in [
        ("{.status.phase}", "Running"),
        (".status.phase", ".status.phase"),
        ("a {.status.phase} b", "a Running b"),
        ("{$.status['phase']}|{@.status.phase}|{ .status.phase }", "Running|Running|Running"),
        ("{.status.conditions[0].type} {.status.conditions[-1].type}", "Ready PodScheduled"),
        ("{.status.conditions[*].status}", "True False"),
        (r#"{.status.conditions[?(@.type=="Ready")].status}"#, "True"),
        ("{.status.conditions[?(@.type!='Ready')].status}", "False"),
        ("{.status.conditions[?(@.reason)].type}", "PodScheduled"),
        ("{.status.conditions[?(@.since>=1)].type}", "Ready"),
        ("{.status.conditions[?(@.since<1)].type}", ""),
        (r"{.metadata.labels.app\.kubernetes\.io/name}", "x"),
        (r"{.metadata.labels['app\.kubernetes\.io/name']}", "x"),
        ("{.metadata.labels}", r#"{"app.kubernetes.io/name":"x","tier":"front"}"#),
        ("{.metadata.labels.*}", "x front"),
        ("{.spec['nodeName','replicas']}", "n1 3"),
        ("{..type}", "Ready PodScheduled"),
        ("{.status..type}", "Ready PodScheduled"),
        ("{.list[1:3]} {.list[:2]} {.list[-1:]} {.list[::2]} {.list[0,3]} {.list[1:1]}", "11 12 10 11 13 10 12 10 13 "),
        ("{.nothing.here}", ""),
        ("{.spec.none}|{.spec.ratio}|{.spec.ready}", "null|1e+06|true"),
        (r#"{"a\tb\n"}{'c'}{1}{1.5}{true}"#, "a\tb\nc11.5true"),
        (r#"{range .status.conditions[*]}{.type}={.status}{"\n"}{end}done"#, "Ready=True\nPodScheduled=False\ndone"),
        ("{range .nope[*]}{.x}{end}done", "done"),
        ("{range .list[:2]}{range @}<{@}>{end},{end}", "<10>,<11>,"),
        // What follows a range without an end is also played once outside of it.
        ("{range .list[:2]}{'x'}", "xxx"),
    ] {
        assert_eq!(JsonPath::parse(template).unwrap().render(&pod()).unwrap(), text, "{template}");
    }
}

#[test]
fn what_is_no_template_is_said() {
    for (template, why) in [
        ("{.a", "unclosed action"),
        ("{.a[0}", "unterminated array"),
        ("{.a[b]}", "invalid array index b"),
        ("{.a[\"b\"]}", "invalid array index \"b\""),
        ("{.a[?(@.b==}", "unterminated filter"),
        ("{\"abc}", "unterminated quoted string"),
        ("{.....}", "invalid multiple recursive descent"),
        ("{!}", "unrecognized character in action: U+0021 '!'"),
        (r#"{.a[?(@.key=~"a")]}"#, "unrecognized character in action: U+007E '~'"),
    ] {
        let said = JsonPath::parse(template).unwrap_err().to_string();
        assert_eq!(said, format!("error: error parsing jsonpath {template}, {why}\n"));
    }
}

#[test]
fn what_does_not_fit_is_said() {
    for (template, why) in [
        ("{.metadata[0]}", "map[string]interface {} is not array or slice"),
        ("{.metadata.labels[?(@.a)]}", "map[app.kubernetes.io/name:x tier:front] is not array or slice and cannot be filtered"),
        ("{.list[7]}", "array index out of bounds: index 7, length 4"),
        ("{.list[3:1]}", "starting index 3 is greater than ending index 1"),
        ("{.status.conditions[?(@.type>1)]}", "incompatible types for comparison"),
        ("{end}", "not in range, nothing to end"),
        ("{status}", "unrecognized identifier status"),
    ] {
        assert_eq!(JsonPath::parse(template).unwrap().results(&pod()).unwrap_err(), why, "{template}");
    }
    assert_eq!(JsonPath::parse_strict("{.a}", true).unwrap().results(&pod()).unwrap_err(), "a is not found");
}

#[test]
fn a_relaxed_path_has_no_braces() {
    for path in ["status.phase", ".status.phase", "{status.phase}", "{.status.phase}"] {
        assert_eq!(JsonPath::parse_relaxed(path).unwrap().text(), "{.status.phase}");
    }
    assert!(JsonPath::parse_relaxed("{.a}{.b}").is_err());
}
