//! What pods and pod templates have in common: containers, volumes, spread constraints.

use serde_json::Value;

use super::{
    Clock,
    page::{Page, selector},
};
use crate::value::{int, list, plain, some_text, strings, text};

/// A pod template, as workloads show it.
pub(super) fn pod_template(page: &mut Page, template: &Value, clock: &Clock) {
    page.line(0, "Pod Template:");
    if !template.is_object() {
        page.line(0, "  <unset>");
        return;
    }
    let spec = &template["spec"];
    page.labels("  Labels", &template["metadata"]["labels"]);
    if strings(&template["metadata"]["annotations"]).next().is_some() {
        page.annotations("  Annotations", &template["metadata"]["annotations"]);
    }
    page.optional(0, "  Service Account", &spec["serviceAccountName"]);
    if !list(&spec["initContainers"]).is_empty() {
        containers(page, &Containers::of_template("Init Containers", &spec["initContainers"], clock));
    }
    containers(page, &Containers::of_template("Containers", &spec["containers"], clock));
    volumes(page, &spec["volumes"], "  ");
    spread_constraints(page, &spec["topologySpreadConstraints"], "  ");
    page.optional(0, "  Priority Class Name", &spec["priorityClassName"]);
    page.labels("  Node-Selectors", &spec["nodeSelector"]);
    page.tolerations("  Tolerations", &spec["tolerations"]);
}

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
    fn of_template(title: &'a str, specs: &'a Value, clock: &'a Clock) -> Self {
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
        let ports: Vec<String> = list(&container["ports"]).iter().map(|port| format!("{}/{}", int(&port[field]), text(&port["protocol"]))).collect();
        match ports.as_slice() {
            [] => page.field(2, one, "<none>"),
            [port] => page.field(2, one, port),
            _ => page.field(2, many, ports.join(", ")),
        }
    }
    let seccomp = &container["securityContext"]["seccompProfile"];
    page.optional(2, "SeccompProfile", &seccomp["type"]);
    page.optional(2, "LocalhostProfile", &seccomp["localhostProfile"]);
}

/// A command or its arguments, each on its own line.
fn words(page: &mut Page, title: &str, words: &Value) {
    if list(words).is_empty() {
        return;
    }
    page.line(2, &format!("{title}:"));
    list(words).iter().for_each(|word| page.line(3, text(word)));
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
    if strings(quantities).next().is_some() {
        page.line(2, &format!("{title}:"));
        strings(quantities).for_each(|(name, quantity)| page.field(3, name, quantity));
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
        let command: Vec<&str> = list(&probe["exec"]["command"]).iter().map(text).collect();
        return format!("exec [{}] {attributes}", command.join(" "));
    }
    let http = &probe["httpGet"];
    if http.is_object() {
        let scheme = some_text(&http["scheme"]).unwrap_or("http").to_lowercase();
        let (host, port, path) = (text(&http["host"]), plain(&http["port"]), text(&http["path"]));
        let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
        return format!("http-get {scheme}://{host}:{port}{slash}{path} {attributes}");
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

fn env_from(page: &mut Page, sources: &Value) {
    if list(sources).is_empty() {
        return;
    }
    page.line(2, "Environment Variables from:");
    for source in list(sources) {
        let (reference, kind) = if source["configMapRef"].is_object() { (&source["configMapRef"], "ConfigMap") } else { (&source["secretRef"], "Secret") };
        let prefix = some_text(&source["prefix"]).map(|prefix| format!(" with prefix '{prefix}'")).unwrap_or_default();
        page.line(3, &format!("{}\t{kind}{prefix}\tOptional: {}", text(&reference["name"]), reference["optional"] == true));
    }
}

fn env(page: &mut Page, container: &Value, pod: &Value) {
    let variables = list(&container["env"]);
    if variables.is_empty() {
        page.field(2, "Environment", "<none>");
        return;
    }
    page.line(2, "Environment:");
    for variable in variables {
        let (name, from) = (text(&variable["name"]), &variable["valueFrom"]);
        let optional = |reference: &Value| reference["optional"] == true;
        if from["fieldRef"].is_object() {
            let (version, path) = (text(&from["fieldRef"]["apiVersion"]), text(&from["fieldRef"]["fieldPath"]));
            page.field(3, name, format!("{} ({version}:{path})", own_field(pod, path)));
        } else if from["resourceFieldRef"].is_object() {
            let resource = text(&from["resourceFieldRef"]["resource"]);
            let value = resource.split_once('.').map(|(list, name)| text(&container["resources"][list][name])).unwrap_or_default();
            page.field(3, name, format!("{} ({resource})", some_text(&value.into()).unwrap_or("0")));
        } else if from["secretKeyRef"].is_object() {
            let reference = &from["secretKeyRef"];
            let (key, secret) = (text(&reference["key"]), text(&reference["name"]));
            page.field(3, name, format!("<set to the key '{key}' in secret '{secret}'>\tOptional: {}", optional(reference)));
        } else if from["configMapKeyRef"].is_object() {
            let reference = &from["configMapKeyRef"];
            let (key, map) = (text(&reference["key"]), text(&reference["name"]));
            page.field(3, name, format!("<set to the key '{key}' of config map '{map}'>\tOptional: {}", optional(reference)));
        } else {
            for (at, line) in text(&variable["value"]).split('\n').enumerate() {
                page.line(3, &if at == 0 { format!("{name}:\t{line}") } else { format!("\t{line}") });
            }
        }
    }
}

/// The value of a field of the pod itself, such as `metadata.name` or `metadata.labels['a']`.
fn own_field(pod: &Value, path: &str) -> String {
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        return text(&lookup(pod, map)[key]).to_owned();
    }
    text(lookup(pod, path)).to_owned()
}

fn lookup<'a>(value: &'a Value, path: &str) -> &'a Value {
    value.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or(&Value::Null)
}

fn mounts(page: &mut Page, container: &Value) {
    let mut mounts: Vec<&Value> = list(&container["volumeMounts"]).iter().collect();
    mounts.sort_by_key(|mount| text(&mount["mountPath"]));
    if mounts.is_empty() {
        page.field(2, "Mounts", "<none>");
    } else {
        page.line(2, "Mounts:");
    }
    for mount in mounts {
        let access = if mount["readOnly"] == true { "ro" } else { "rw" };
        let sub_path = some_text(&mount["subPath"]).map(|path| format!(",path={path:?}")).unwrap_or_default();
        page.line(3, &format!("{} from {} ({access}{sub_path})", text(&mount["mountPath"]), text(&mount["name"])));
    }
    if !list(&container["volumeDevices"]).is_empty() {
        page.line(2, "Devices:");
        for device in list(&container["volumeDevices"]) {
            page.line(3, &format!("{} from {}", text(&device["devicePath"]), text(&device["name"])));
        }
    }
}

pub(super) fn volumes(page: &mut Page, volumes: &Value, space: &str) {
    if list(volumes).is_empty() {
        page.field(0, &format!("{space}Volumes"), "<none>");
        return;
    }
    page.line(0, &format!("{space}Volumes:"));
    let indent = if space.is_empty() { "" } else { " " };
    for volume in list(volumes) {
        page.line(1, &format!("{indent}{}:", text(&volume["name"])));
        match volume_lines(volume) {
            Some(lines) => lines.iter().for_each(|(name, value)| page.field(2, name, value)),
            None => page.line(1, "<unknown>"),
        }
    }
}

/// The fields of a volume's source: `Type`, and what matters for it.
fn volume_lines(volume: &Value) -> Option<Vec<(&'static str, String)>> {
    let (kind, source) = volume.as_object()?.iter().find(|(key, _)| *key != "name")?;
    let field = |name: &str| text(&source[name]).to_owned();
    let boolean = |name: &str| (source[name] == true).to_string();
    let typed = |what: &str| ("Type", what.to_owned());
    Some(match kind.as_str() {
        "hostPath" => vec![
            typed("HostPath (bare host directory volume)"),
            ("Path", field("path")),
            ("HostPathType", source["type"].as_str().unwrap_or("<none>").to_owned()),
        ],
        "emptyDir" => vec![
            typed("EmptyDir (a temporary directory that shares a pod's lifetime)"),
            ("Medium", field("medium")),
            ("SizeLimit", some_text(&source["sizeLimit"]).unwrap_or("<unset>").to_owned()),
        ],
        "secret" => vec![typed("Secret (a volume populated by a Secret)"), ("SecretName", field("secretName")), ("Optional", boolean("optional"))],
        "configMap" => vec![typed("ConfigMap (a volume populated by a ConfigMap)"), ("Name", field("name")), ("Optional", boolean("optional"))],
        "persistentVolumeClaim" => vec![
            typed("PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)"),
            ("ClaimName", field("claimName")),
            ("ReadOnly", boolean("readOnly")),
        ],
        "nfs" => vec![
            typed("NFS (an NFS mount that lasts the lifetime of a pod)"),
            ("Server", field("server")),
            ("Path", field("path")),
            ("ReadOnly", boolean("readOnly")),
        ],
        "downwardAPI" => {
            let items = list(&source["items"]).iter().map(|item| format!("{} -> {}", text(&item["fieldRef"]["fieldPath"]), text(&item["path"])));
            let items: Vec<String> = items.collect();
            vec![typed("DownwardAPI (a volume populated by information about the pod)"), ("Items", items.join(", "))]
        }
        "projected" => projected(source),
        _ => return None,
    })
}

fn projected(source: &Value) -> Vec<(&'static str, String)> {
    // Go prints a missing pointer so, and kubectl passes it on.
    let pointer = |value: &Value| if value.is_null() { "<nil>".to_owned() } else { plain(value) };
    let mut lines = vec![("Type", "Projected (a volume that contains injected data from multiple sources)".to_owned())];
    for source in list(&source["sources"]) {
        if source["secret"].is_object() {
            lines.push(("SecretName", text(&source["secret"]["name"]).to_owned()));
            lines.push(("SecretOptionalName", pointer(&source["secret"]["optional"])));
        } else if source["downwardAPI"].is_object() {
            lines.push(("DownwardAPI", "true".to_owned()));
        } else if source["configMap"].is_object() {
            lines.push(("ConfigMapName", text(&source["configMap"]["name"]).to_owned()));
            lines.push(("ConfigMapOptional", pointer(&source["configMap"]["optional"])));
        } else if source["serviceAccountToken"].is_object() {
            lines.push(("TokenExpirationSeconds", int(&source["serviceAccountToken"]["expirationSeconds"]).to_string()));
        }
    }
    lines
}

pub(super) fn spread_constraints(page: &mut Page, constraints: &Value, space: &str) {
    let mut sorted: Vec<&Value> = list(constraints).iter().collect();
    if sorted.is_empty() {
        return;
    }
    sorted.sort_by_key(|constraint| text(&constraint["topologyKey"]));
    let lines = sorted.into_iter().map(|constraint| {
        let (key, otherwise, skew) = (text(&constraint["topologyKey"]), text(&constraint["whenUnsatisfiable"]), int(&constraint["maxSkew"]));
        let labels = if constraint["labelSelector"].is_object() { format!(" for selector {}", selector(&constraint["labelSelector"])) } else { String::new() };
        format!("{key}:{otherwise} when max skew {skew} is exceeded{labels}")
    });
    page.column(&format!("{space}Topology Spread Constraints"), lines);
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    fn shown(specs: Value) -> String {
        let clock = Clock { now: "2026-11-20T22:40:00Z".parse().unwrap(), zone: TimeZone::UTC };
        let pod = json!({"metadata": {"name": "p", "labels": {"a": "b"}}});
        let mut page = Page::default();
        containers(&mut page, &Containers { title: "Containers", specs: &specs, statuses: &Value::Null, pod: &pod, space: "", clock: &clock });
        page.finish()
    }

    #[test]
    fn environment_of_every_sort() {
        let text = shown(json!([{"name": "c", "image": "i", "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}],
            "envFrom": [{"configMapRef": {"name": "m"}}, {"secretRef": {"name": "s", "optional": true}, "prefix": "P_"}],
            "env": [
                {"name": "A", "value": "1\n2"},
                {"name": "NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
                {"name": "LABEL", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels['a']"}}},
                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ]}]));
        assert_eq!(
            text,
            "Containers:\n  c:\n    Image:       i\n    Ports:       80/TCP, 53/UDP\n    Host Ports:  0/TCP, 0/UDP\n\
             \x20   Environment Variables from:\n      m  ConfigMap                Optional: false\n      s  Secret with prefix 'P_'  Optional: true\n\
             \x20   Environment:\n      A:      1\n              2\n      NAME:   p (v1:metadata.name)\n      LABEL:  b (v1:metadata.labels['a'])\n\
             \x20     KEY:    <set to the key 'k' in secret 's'>  Optional: false\n    Mounts:   <none>\n"
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
        assert_eq!(with("exec", json!({"command": ["cat", "/tmp/healthy"]})), format!("exec [cat /tmp/healthy] {end}"));
        assert_eq!(with("httpGet", json!({"path": "/h", "port": 80, "scheme": "HTTP"})), format!("http-get http://:80/h {end}"));
        assert_eq!(with("tcpSocket", json!({"port": "web"})), format!("tcp-socket :web {end}"));
        assert_eq!(with("grpc", json!({"port": 9})), format!("grpc <pod>:9  {end}"));
    }
}
