//! Whatever path, query and headers come, the server answers with what was asked or with a Status.

use super::{dice::Dice, server::world};

const METHODS: [&str; 8] = ["GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

const SEGMENTS: [&str; 44] = [
    "api",
    "apis",
    "v1",
    "apps",
    "batch",
    "namespaces",
    "default",
    "pods",
    "configmaps",
    "deployments",
    "services",
    "nodes",
    "jobs",
    "events",
    "a",
    "status",
    "scale",
    "log",
    "binding",
    "finalize",
    "approval",
    "eviction",
    "exec",
    "token",
    "proxy",
    "watch",
    "v1beta1",
    "extensions",
    "networking.k8s.io",
    "ingresses",
    "openapi",
    "v2",
    "v3",
    "version",
    "healthz",
    "livez",
    "readyz",
    "metrics",
    "%2F",
    "..",
    "%00",
    "%ff",
    "",
    "kubernetes",
];

const PARAMETERS: [&str; 22] = [
    "watch",
    "limit",
    "continue",
    "resourceVersion",
    "resourceVersionMatch",
    "labelSelector",
    "fieldSelector",
    "sendInitialEvents",
    "allowWatchBookmarks",
    "timeoutSeconds",
    "dryRun",
    "fieldManager",
    "force",
    "fieldValidation",
    "includeObject",
    "gracePeriodSeconds",
    "propagationPolicy",
    "orphanDependents",
    "pretty",
    "verbose",
    "container",
    "%00",
];

const VALUES: [&str; 36] = [
    "",
    "1",
    "0",
    "true",
    "false",
    "-1",
    "abc",
    "All",
    "Exact",
    "NotOlderThan",
    "a%3Db",
    "a in (b)",
    "metadata.name%3Da",
    "spec.nodeName!%3Dx",
    "%2Ca",
    "(",
    "Strict",
    "Warn",
    "Ignore",
    "Foo",
    "Metadata",
    "None",
    "Background",
    "Foreground",
    "Orphan",
    "18446744073709551616",
    "9223372036854775807",
    "1.5",
    "%ff",
    "%00",
    "+",
    "%",
    "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0",
    "e30",
    "bnVsbA",
    "W10",
];

const TYPES: [&str; 14] = [
    "application/json",
    "*/*",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io, */*",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    ";;;,=,",
    "text/html;q=0.5",
];

pub(super) fn run(input: &[u8]) {
    let mut dice = Dice::of(input);
    let mut path = match dice.below(4) {
        0 => "/api/v1/namespaces/default".to_owned(),
        1 => "/apis/apps/v1/namespaces/default".to_owned(),
        2 => "/api/v1".to_owned(),
        _ => String::new(),
    };
    for _ in 0..=dice.below(4) {
        path = path + "/" + *dice.pick(&SEGMENTS);
    }
    let mut watches = false;
    for number in 0..dice.below(5) {
        let (name, value) = (*dice.pick(&PARAMETERS), *dice.pick(&VALUES));
        // A server waits for a revision to come, for seconds; it would only be slow to try.
        if name == "resourceVersion" && value == "9223372036854775807" {
            continue;
        }
        watches |= name == "watch";
        path = path + if number == 0 { "?" } else { "&" } + name + "=" + &value.replace(' ', "+");
    }
    let method = *dice.pick(&METHODS);
    let headers = [("accept", *dice.pick(&TYPES)), ("content-type", *dice.pick(&TYPES))];
    let body = *dice.pick(&["", "{}", "[]", "null", r#"{"metadata":{"name":"a"}}"#, r#"{"propagationPolicy":"Orphan"}"#]);
    // What cannot be removed again is not tried.
    if method != "GET" && !path.contains("dryRun=All") {
        path += if path.contains('?') { "&dryRun=All" } else { "?dryRun=All" };
    }
    let world = world();
    let Some(answer) = world.ask(method, &path, &headers, body, !watches) else { return };
    if watches {
        // Upstream calls a bad revision of a watch its own fault.
        assert!(answer.code < 500 || path.contains("resourceVersion="), "{method} {path} was answered {}", answer.code);
    } else if method != "HEAD" {
        answer.check(&(method, &path, &headers, body));
    }
}
