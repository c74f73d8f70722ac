//! The containers of a pod or of a pod template, with what is known of their state.

use serde_json::Value;

use super::{
    env::{env, env_from},
    page::{Clock, Page, go_list, quantity},
};
use crate::value::{int, list, plain, text};

/// Some of the containers of a pod or a template.
pub(super) struct Containers<'a> {
    pub(super) title: &'a str,
    pub(super) specs: &'a Value,
    /// `Null` for a template.
    pub(super) statuses: &'a Value,
    /// The pod, against which references to its own fields are resolved; `Null` for a template.
    pub(super) pod: &'a Value,
    /// In front of the title.
    pub(super) space: &'a str,
    pub(super) clock: &'a Clock,
}

impl<'a> Containers<'a> {
    /// Those of a template.
    pub(super) fn of_template(title: &'a str, specs: &'a Value, clock: &'a Clock) -> Self {
        Self { title, specs, statuses: &Value::Null, pod: &Value::Null, space: "  ", clock }
    }
}

pub(super) fn containers(page: &mut Page, containers: &Containers<'_>) {
    let none = if list(containers.specs).is_empty() { " <none>" } else { "" };
    page.line(0, &format!("{}{}:{none}", containers.space, containers.title));
    for container in list(containers.specs) {
        let status = list(containers.statuses).iter().find(|status| status["name"] == container["name"]);
        basics(page, container, status, containers.space);
        words(page, "Command", &container["command"]);
        words(page, "Args", &container["args"]);
        if let Some(status) = status {
            state(page, "State", &status["state"], containers.clock);
            if status["lastState"]["terminated"].is_object() {
                state(page, "Last State", &status["lastState"], containers.clock);
            }
            page.field(2, "Ready", if status["ready"] == true { "True" } else { "False" });
            page.field(2, "Restart Count", int(&status["restartCount"]).to_string());
        }
        for (title, field) in [("Limits", "limits"), ("Requests", "requests")] {
            resources(page, title, &container["resources"][field]);
        }
        for (title, field) in [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")] {
            if container[field].is_object() {
                page.field(2, title, probe(&container[field]));
            }
        }
        env_from(page, &container["envFrom"]);
        env(page, container, containers.pod);
        mounts(page, container);
    }
}

fn basics(page: &mut Page, container: &Value, status: Option<&Value>, space: &str) {
    let indent = if space.is_empty() { "" } else { " " };
    page.line(1, &format!("{indent}{}:", text(&container["name"])));
    if let Some(status) = status {
        page.field(2, "Container ID", text(&status["containerID"]));
    }
    page.field(2, "Image", text(&container["image"]));
    if let Some(status) = status {
        page.field(2, "Image ID", text(&status["imageID"]));
    }
    for (one, many, field) in [("Port", "Ports", "containerPort"), ("Host Port", "Host Ports", "hostPort")] {
        let port = |port: &Value| format!("{}/{}", int(&port[field]), text(&port["protocol"]));
        let ports: Vec<String> = list(&container["ports"]).iter().map(port).collect();
        match ports.as_slice() {
            [] => page.field(2, one, "<none>"),
            [port] => page.field(2, one, port),
            _ => page.field(2, many, ports.join(", ")),
        }
    }
    seccomp(page, &container["securityContext"]["seccompProfile"], (2, 3));
}

/// Which system calls are allowed, at these levels.
pub(super) fn seccomp(page: &mut Page, profile: &Value, (level, deeper): (usize, usize)) {
    if profile.is_object() {
        page.field(level, "SeccompProfile", text(&profile["type"]));
        if profile["type"] == "Localhost" {
            page.field(deeper, "LocalhostProfile", text(&profile["localhostProfile"]));
        }
    }
}

/// A command or its arguments, each on its own line, or on as many as it has.
fn words(page: &mut Page, title: &str, words: &Value) {
    if list(words).is_empty() {
        return;
    }
    page.line(2, &format!("{title}:"));
    list(words).iter().flat_map(|word| text(word).split('\n')).for_each(|line| page.line(3, line));
}

fn state(page: &mut Page, title: &str, state: &Value, clock: &Clock) {
    if state["running"].is_object() {
        page.field(2, title, "Running");
        page.field(3, "Started", clock.date(&state["running"]["startedAt"]));
    } else if state["terminated"].is_object() {
        let terminated = &state["terminated"];
        page.field(2, title, "Terminated");
        page.optional(3, "Reason", &terminated["reason"]);
        page.optional(3, "Message", &terminated["message"]);
        page.field(3, "Exit Code", int(&terminated["exitCode"]).to_string());
        if int(&terminated["signal"]) > 0 {
            page.field(3, "Signal", int(&terminated["signal"]).to_string());
        }
        page.field(3, "Started", clock.date(&terminated["startedAt"]));
        page.field(3, "Finished", clock.date(&terminated["finishedAt"]));
    } else {
        page.field(2, title, "Waiting");
        page.optional(3, "Reason", &state["waiting"]["reason"]);
    }
}

fn resources(page: &mut Page, title: &str, quantities: &Value) {
    let mut quantities = quantities.as_object().into_iter().flatten().peekable();
    if quantities.peek().is_some() {
        page.line(2, &format!("{title}:"));
        quantities.for_each(|(name, amount)| page.field(3, name, quantity(amount)));
    }
}

/// A probe on one line: how, and how often.
fn probe(probe: &Value) -> String {
    let number = |field: &str| int(&probe[field]);
    let attributes = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        number("initialDelaySeconds"),
        number("timeoutSeconds"),
        number("periodSeconds"),
        number("successThreshold"),
        number("failureThreshold")
    );
    if probe["exec"].is_object() {
        return format!("exec {} {attributes}", go_list(&probe["exec"]["command"]));
    }
    if probe["httpGet"].is_object() {
        return format!("http-get {} {attributes}", url(&probe["httpGet"]));
    }
    let tcp = &probe["tcpSocket"];
    if tcp.is_object() {
        return format!("tcp-socket {}:{} {attributes}", text(&tcp["host"]), plain(&tcp["port"]));
    }
    let grpc = &probe["grpc"];
    if grpc.is_object() {
        return format!("grpc <pod>:{} {} {attributes}", int(&grpc["port"]), text(&grpc["service"]));
    }
    format!("unknown {attributes}")
}

/// What an HTTP probe asks for, as a URL. All of its path is one: a question mark in it is escaped.
fn url(http: &Value) -> String {
    let (scheme, host, path) = (text(&http["scheme"]).to_lowercase(), text(&http["host"]), text(&http["path"]));
    let scheme = if scheme.is_empty() { scheme } else { format!("{scheme}:") };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
    let mut url = format!("{scheme}//{host}:{}{slash}", plain(&http["port"]));
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

fn mounts(page: &mut Page, container: &Value) {
    let sorted = |field: &str, key: &'static str| {
        let mut sorted: Vec<Value> = list(&container[field]).to_vec();
        sorted.sort_by(|one, other| text(&one[key]).cmp(text(&other[key])));
        sorted
    };
    let mounts = sorted("volumeMounts", "mountPath");
    let none = if mounts.is_empty() { "\t<none>" } else { "" };
    page.line(2, &format!("Mounts:{none}"));
    for mount in mounts {
        let access = if mount["readOnly"] == true { "ro" } else { "rw" };
        let sub_path = match text(&mount["subPath"]) {
            "" => String::new(),
            path => format!(",path={path:?}"),
        };
        page.line(3, &format!("{} from {} ({access}{sub_path})", text(&mount["mountPath"]), text(&mount["name"])));
    }
    let devices = sorted("volumeDevices", "devicePath");
    if !devices.is_empty() {
        // The remark is the mounts', and so it is in kubectl.
        page.line(2, &format!("Devices:{none}"));
        devices.iter().for_each(|device| page.line(3, &format!("{} from {}", text(&device["devicePath"]), text(&device["name"]))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    fn shown(specs: Value) -> String {
        let clock = Clock { now: "2026-11-20T22:40:00Z".parse().unwrap(), zone: TimeZone::UTC };
        let mut page = Page::default();
        containers(
            &mut page,
            &Containers { title: "Containers", specs: &specs, statuses: &Value::Null, pod: &json!({}), space: "", clock: &clock },
        );
        page.finish()
    }

    #[test]
    fn a_container_with_everything_that_is_rare() {
        let text = shown(json!([{"name": "c", "image": "i", "command": ["sh", "a\nb"],
            "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP", "hostPort": 5}],
            "securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "p"}},
            "resources": {"limits": {"memory": "0.5Gi", "cpu": 1}},
            "volumeDevices": [{"name": "b", "devicePath": "/dev/b"}, {"name": "a", "devicePath": "/dev/a"}]}]));
        assert_eq!(
            text,
            "\
Containers:
  c:
    Image:               i
    Ports:               80/TCP, 53/UDP
    Host Ports:          0/TCP, 5/UDP
    SeccompProfile:      Localhost
      LocalhostProfile:  p
    Command:
      sh
      a
      b
    Limits:
      cpu:        1
      memory:     512Mi
    Environment:  <none>
    Mounts:       <none>
    Devices:      <none>
      /dev/a from a
      /dev/b from b
"
        );
    }

    #[test]
    fn probes_are_one_line() {
        let times = json!({"initialDelaySeconds": 3, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3});
        let with = |key: &str, value: Value| {
            let mut all = times.clone();
            all[key] = value;
            probe(&all)
        };
        let end = "delay=3s timeout=1s period=10s #success=1 #failure=3";
        for (key, value, line) in [
            ("exec", json!({"command": ["cat", "/tmp/healthy"]}), "exec [cat /tmp/healthy]"),
            ("httpGet", json!({"path": "/h", "port": 80, "scheme": "HTTP"}), "http-get http://:80/h"),
            ("httpGet", json!({"path": "h?a=b c", "port": "web", "host": "::1"}), "http-get //[::1]:web/h%3Fa=b%20c"),
            ("tcpSocket", json!({"port": "web"}), "tcp-socket :web"),
            ("grpc", json!({"port": 9}), "grpc <pod>:9 "),
            ("other", json!({}), "unknown"),
        ] {
            assert_eq!(with(key, value), format!("{line} {end}"));
        }
    }
}
