//! What chance, the clock or the machine decides is no part of what a client prints: it is masked on both sides before they are compared.
//! So a session file shows what a person sees, and not holes.

use std::sync::LazyLock;

use regex::Regex;

/// What is masked, and what stands there instead; in this order.
const MASKS: &[(&str, &str)] = &[
    // What a client calls itself.
    ("mini-ctl", "kubectl"),
    // A kubectl that another one has started begins some complaints with a capital.
    ("^! Error: ", "! error: "),
    // Files that kubectl makes for a moment, and the folders of tests.
    (r"/[\w./-]*/(LIVE|MERGED|kubectl-edit)-\d+", "<folder>/$1"),
    (r"/[\w/-]*/\.tmp\w{6}\b", "<home>"),
    // Processes.
    (r"\(pid \d+\)", "(pid <pid>)"),
    // Moments: as JSON, in `describe`, and as Go prints them.
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "<time>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} UTC", "<time>"),
    // Identities.
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uid>"),
    (r"\b[0-9a-f]{32,}\b", "<hex>"),
    (r#"(resourceVersion"?: )"\d+""#, "$1<revision>"),
    (r"(Resource Version: +)\d+", "$1<revision>"),
    // Addresses, and the ports of nodes and of the server.
    (r"127\.0\.0\.1:\d+", "<address>"),
    (r"\b\d{1,3}(\.\d{1,3}){3}\b", "<ip>"),
    (r"\b3[0-2]\d{3}\b", "<node-port>"),
    // Which node the scheduler took.
    (r"(Successfully assigned \S+ to) \S+", "$1 <node>"),
    (r"^(Node: +)[^/ ]+/", "$1<node>/"),
    // Generated names: the letters are those that upstream draws from. A template's hash is the shorter, the smaller the number it stands for.
    (r"(-|pod-template-hash[=:] ?)[bcdf-hj-np-tv-xz2456789]{6,10}\b", "$1<hash>"),
    (r"-[bcdf-hj-np-tv-xz2456789]{5}\b", "-<suffix>"),
    // How long something took, and ages, as kubectl shortens them: seconds up to two minutes, then minutes.
    (r"\b[\d.]+m?s \([\d.]+m?s including waiting\)", "<age>"),
    (r"\b([2-9]m([1-5]?\d)s|[2-9]m|1[01]\ds|\d{1,2}s|[1-9]\dm)\b", "<age>"),
    (r"<(age|invalid)>( ago)", "<age>$2"),
    // From 1.34 on kubectl also tells where it deleted something.
    (r#"^([a-z.]+ "[^"]+" (force )?deleted) from \S+ namespace"#, "$1"),
];

/// The lines without what chance decides. How far apart columns stand hangs on it too.
pub(super) fn masked(lines: &[String]) -> Vec<String> {
    static READY: LazyLock<Vec<(Regex, &str)>> =
        LazyLock::new(|| MASKS.iter().map(|(pattern, mask)| (Regex::new(pattern).expect("a pattern"), *mask)).collect());
    let mask = |line: &String| {
        let line = READY.iter().fold(line.clone(), |line, (pattern, mask)| pattern.replace_all(&line, *mask).into_owned());
        let text = line.trim_start();
        let columns: Vec<&str> = text.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
        [&line[..line.len() - text.len()], &columns.join("  ")].concat()
    };
    lines.iter().map(mask).collect()
}

#[test]
fn only_what_chance_decides_is_masked() {
    for (line, expected) in [
        (
            "pod/web-66bbcf89f8-5v7zh   1/1     Running   0          4s    10.0.0.15",
            "pod/web-<hash>-<suffix>  1/1  Running  0  <age>  <ip>",
        ),
        ("cpu  100m (0%)  500m (0%)  for 300s", "cpu  100m (0%)  500m (0%)  for 300s"),
        ("web-svc   NodePort   8080:32264/TCP   2m3s", "web-svc  NodePort  8080:<node-port>/TCP  <age>"),
        ("  resourceVersion: \"17\"", "  resourceVersion: <revision>"),
        ("k8s-node-1   Ready   119s   v1.36.0", "k8s-node-1  Ready  <age>  v1.36.0"),
    ] {
        assert_eq!(masked(&[line.to_owned()]), [expected]);
    }
}
