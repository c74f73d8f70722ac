//! JSON as Go writes objects of kinds it has a type for: the fields in the order of the type, not of the alphabet. So verbs that make objects print them, and so they
//! note them in the annotation for `apply`. It knows the order of fields, and of no kind which fields it has.

use serde_json::{Map, Value};

use crate::value::map_mut;

/// The order of fields, in all types at once. What is not here comes last, by its letters.
const ORDER: &[&str] = &[
    // Who it is; references to others; `ObjectMeta`.
    "kind",
    "apiGroup",
    "manager",
    "operation",
    "name",
    "generateName",
    "apiVersion",
    "time",
    "fieldsType",
    "fieldsV1",
    "metadata",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
    // Config maps, roles, bindings, ingresses.
    "immutable",
    "data",
    "binaryData",
    "verbs",
    "apiGroups",
    "subjects",
    "roleRef",
    "ingressClassName",
    "defaultBackend",
    "tls",
    "rules",
    "aggregationRule",
    "hosts",
    "secretName",
    "host",
    "http",
    "audiences",
    "audience",
    "expirationSeconds",
    "key",
    "path",
    "fieldRef",
    "sources",
    "items",
    "optional",
    "defaultMode",
    "pathType",
    "backend",
    "hard",
    "scopes",
    // Jobs, controllers, budgets, autoscalers.
    "schedule",
    "concurrencyPolicy",
    "parallelism",
    "completions",
    "backoffLimit",
    "replicas",
    "minAvailable",
    "scaleTargetRef",
    "minReplicas",
    "maxReplicas",
    "targetCPUUtilizationPercentage",
    // Pods and their containers; ports.
    "volumes",
    "initContainers",
    "containers",
    "image",
    "command",
    "args",
    "workingDir",
    "hostPort",
    "containerPort",
    "protocol",
    "port",
    "targetPort",
    "nodePort",
    "ports",
    "envFrom",
    "env",
    "resources",
    "resourceNames",
    "nonResourceURLs",
    "volumeMounts",
    "readOnly",
    "mountPath",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "imagePullPolicy",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "dnsPolicy",
    "nodeSelector",
    "serviceAccountName",
    "serviceAccount",
    "nodeName",
    "securityContext",
    "stdin",
    "stdinOnce",
    "tty",
    "affinity",
    "schedulerName",
    "operator",
    "value",
    "values",
    "effect",
    "tolerationSeconds",
    "tolerations",
    "priorityClassName",
    "priority",
    "enableServiceLinks",
    "globalDefault",
    "description",
    "preemptionPolicy",
    // Selectors and what follows them.
    "matchLabels",
    "matchExpressions",
    "selector",
    "manualSelector",
    "template",
    "completionMode",
    "suspend",
    "jobTemplate",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
    "podReplacementPolicy",
    "strategy",
    "maxUnavailable",
    "maxSurge",
    "revisionHistoryLimit",
    "progressDeadlineSeconds",
    // Services.
    "clusterIP",
    "clusterIPs",
    "type",
    "rollingUpdate",
    "externalIPs",
    "sessionAffinity",
    "loadBalancerIP",
    "externalName",
    "externalTrafficPolicy",
    "sessionAffinityConfig",
    "ipFamilies",
    "ipFamilyPolicy",
    "allocateLoadBalancerNodePorts",
    "internalTrafficPolicy",
    // What there is now.
    "spec",
    "status",
    "disruptionsAllowed",
    "currentHealthy",
    "desiredHealthy",
    "expectedPods",
    "currentReplicas",
    "desiredReplicas",
];

/// Fields that are maps: their keys are the user's.
const MAPS: &[&str] =
    &["annotations", "binaryData", "data", "fieldsV1", "hard", "labels", "matchLabels", "nodeSelector", "limits", "requests"];

/// Adds what Go writes of a template even when there is nothing: when it was created.
pub(crate) fn complete(object: &mut Value) {
    for field in ["template", "jobTemplate"] {
        let Some(template) = object.pointer_mut(&format!("/spec/{field}")) else { continue };
        map_mut(map_mut(template).entry("metadata").or_insert(Value::Null)).entry("creationTimestamp").or_insert(Value::Null);
        complete(template);
    }
}

/// An object in one line, with three characters escaped for the sake of HTML.
pub(crate) fn line(object: &Value) -> String {
    let mut out = String::new();
    write(&mut out, "", object, None);
    out
}

/// An object as kubectl prints it: indented by four spaces.
pub(crate) fn pretty(object: &Value) -> String {
    let mut out = String::new();
    write(&mut out, "", object, Some(0));
    out.push('\n');
    out
}

fn write(out: &mut String, field: &str, value: &Value, indent: Option<usize>) {
    let deeper = indent.map(|indent| indent + 4);
    let start = |out: &mut String, indent: Option<usize>| {
        if let Some(indent) = indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
        }
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('{');
            for (at, key) in ordered(field, map).into_iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                start(out, deeper);
                out.push_str(&scalar(&Value::from(key.as_str())));
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write(out, key, &map[key], deeper);
            }
            start(out, indent);
            out.push('}');
        }
        Value::Array(list) if !list.is_empty() => {
            out.push('[');
            for (at, element) in list.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                start(out, deeper);
                write(out, field, element, deeper);
            }
            start(out, indent);
            out.push(']');
        }
        value => out.push_str(&scalar(value)),
    }
}

fn scalar(value: &Value) -> String {
    let text = value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// The keys of the map in this field, in order.
fn ordered<'a>(field: &str, map: &'a Map<String, Value>) -> Vec<&'a String> {
    let mut keys: Vec<&String> = map.keys().collect();
    // A service selects by a map of labels, all others by a type with fields.
    if MAPS.contains(&field) || field == "selector" && map.values().all(Value::is_string) {
        return keys;
    }
    let rank = |key: &String| ORDER.iter().position(|known| known == key).unwrap_or(ORDER.len());
    match field {
        // References that begin otherwise.
        "roleRef" => {}
        "ownerReferences" => keys.sort_by_key(|key| (*key != "apiVersion", rank(key))),
        _ => keys.sort_by_key(|key| rank(key)),
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What the real kubectl writes.
    #[test]
    fn fields_stand_in_the_order_of_their_types() {
        for text in [
            r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x","creationTimestamp":null},"data":{"a":"2","apiVersion":"3","name":"1"}}"#,
            r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x","creationTimestamp":null,"labels":{"run":"x"}},"spec":{"containers":[{"name":"x","image":"a","resources":{}}],"restartPolicy":"Always","dnsPolicy":"ClusterFirst"},"status":{}}"#,
            r#"{"kind":"Service","apiVersion":"v1","metadata":{"name":"web","creationTimestamp":null,"labels":{"app":"web"}},"spec":{"ports":[{"protocol":"TCP","port":80,"targetPort":80}],"selector":{"app":"web"}},"status":{"loadBalancer":{}}}"#,
            r#"{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"y","creationTimestamp":null,"labels":{"app":"y"}},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"y"}},"template":{"metadata":{"creationTimestamp":null,"labels":{"app":"y"}},"spec":{"containers":[{"name":"y","image":"y","resources":{}}]}},"strategy":{}},"status":{}}"#,
        ] {
            assert_eq!(line(&serde_json::from_str(text).unwrap()), text);
        }
    }

    #[test]
    fn pages_are_indented_by_four() {
        assert_eq!(
            pretty(&json!({"kind": "A", "a": ["<"], "b": {}})),
            "{\n    \"kind\": \"A\",\n    \"a\": [\n        \"\\u003c\"\n    ],\n    \"b\": {}\n}\n"
        );
    }
}
