//! Where in an object names, labels and images stand, and in which order kinds are printed: what kustomize has in tables. This is the one
//! place of it that knows kinds.

use serde_json::Value;

use crate::value::text;

/// Kinds that others need, in the order in which they are made. Source: kustomize's legacy order.
const FIRST: &[&str] = &[
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

const LAST: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Kinds without a namespace.
const CLUSTER_WIDE: &[&str] = &[
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "FlowSchema",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
];

/// Whose names are their own.
const KEEP_THEIR_NAMES: &[&str] = &["APIService", "CustomResourceDefinition", "Namespace"];

/// Where labels are found beside those of the object: kinds, path, and whether the map is made where there is none.
const LABELS: &[(&[&str], &str, Use, bool)] = &[
    (&["Service", "ReplicationController"], "spec/selector", Use::Selector, true),
    (&["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"], "spec/selector/matchLabels", Use::Selector, true),
    (&["Job"], "spec/selector/matchLabels", Use::Selector, false),
    (&["CronJob"], "spec/jobTemplate/spec/selector/matchLabels", Use::Selector, false),
    (&["PodDisruptionBudget"], "spec/selector/matchLabels", Use::Selector, false),
    (&["NetworkPolicy"], "spec/podSelector/matchLabels", Use::Selector, false),
    (
        &["ReplicationController", "Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job"],
        "spec/template/metadata/labels",
        Use::Template,
        true,
    ),
    (&["CronJob"], "spec/jobTemplate/metadata/labels", Use::Template, true),
    (&["CronJob"], "spec/jobTemplate/spec/template/metadata/labels", Use::Template, true),
];

const ANNOTATIONS: &[(&[&str], &str)] = &[
    (&["ReplicationController", "Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job"], "spec/template/metadata/annotations"),
    (&["CronJob"], "spec/jobTemplate/metadata/annotations"),
    (&["CronJob"], "spec/jobTemplate/spec/template/metadata/annotations"),
];

/// Fields that name another object: the field above, the field, and the kind.
const REFERENCES: &[(&str, &str, &str)] = &[
    ("configMap", "name", "ConfigMap"),
    ("configMapRef", "name", "ConfigMap"),
    ("configMapKeyRef", "name", "ConfigMap"),
    ("secret", "secretName", "Secret"),
    ("secret", "name", "Secret"),
    ("secretRef", "name", "Secret"),
    ("secretKeyRef", "name", "Secret"),
    ("imagePullSecrets", "name", "Secret"),
    ("secrets", "name", "Secret"),
    ("tls", "secretName", "Secret"),
    ("service", "name", "Service"),
    ("", "serviceName", "Service"),
    ("persistentVolumeClaim", "claimName", "PersistentVolumeClaim"),
    ("", "volumeName", "PersistentVolume"),
    ("", "serviceAccountName", "ServiceAccount"),
    ("", "serviceAccount", "ServiceAccount"),
    ("", "storageClassName", "StorageClass"),
    ("", "priorityClassName", "PriorityClass"),
    ("", "ingressClassName", "IngressClass"),
];

/// Fields above a name that say the kind beside it.
const TYPED_REFERENCES: &[&str] = &["roleRef", "scaleTargetRef", "subjects"];

/// What labels at a place are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Selector,
    Template,
}

/// Where a kind stands in what is printed.
pub(super) fn rank(kind: &str) -> (usize, usize) {
    match (FIRST.iter().position(|first| *first == kind), LAST.iter().position(|last| *last == kind)) {
        (Some(at), _) => (0, at),
        (_, Some(at)) => (2, at),
        _ => (1, 0),
    }
}

pub(super) fn has_namespace(kind: &str) -> bool {
    !CLUSTER_WIDE.contains(&kind)
}

pub(super) fn keeps_its_name(kind: &str) -> bool {
    KEEP_THEIR_NAMES.contains(&kind)
}

pub(super) fn has_replicas(kind: &str) -> bool {
    matches!(kind, "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController")
}

/// The places of labels in an object of this kind, besides its own.
pub(super) fn labels(kind: &str) -> impl Iterator<Item = (&'static str, Use, bool)> {
    LABELS.iter().filter(move |(kinds, ..)| kinds.contains(&kind)).map(|(_, path, what, create)| (*path, *what, *create))
}

/// The places of annotations in an object of this kind, besides its own.
pub(super) fn annotations(kind: &str) -> impl Iterator<Item = &'static str> {
    ANNOTATIONS.iter().filter(move |(kinds, _)| kinds.contains(&kind)).map(|(_, path)| *path)
}

/// Gives each name of another object, with the kind of that, to `visit`.
pub(super) fn references(value: &mut Value, above: &str, visit: &mut impl FnMut(&str, &mut String)) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| references(element, above, visit)),
        Value::Object(fields) => {
            let own_kind = TYPED_REFERENCES.contains(&above).then(|| fields.get("kind").map(text).unwrap_or_default().to_owned());
            for (field, value) in fields.iter_mut() {
                let kind = match &own_kind {
                    Some(kind) => (field == "name").then_some(kind.as_str()),
                    None => REFERENCES
                        .iter()
                        .find(|(parent, name, _)| name == field && (parent.is_empty() || *parent == above))
                        .map(|(_, _, kind)| *kind),
                };
                match (kind, value) {
                    (Some(kind), Value::String(name)) => visit(kind, name),
                    (_, value) => references(value, field, visit),
                }
            }
        }
        _ => {}
    }
}

/// Gives each container's image to `visit`.
pub(super) fn images(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| images(element, visit)),
        Value::Object(fields) => {
            for (field, value) in fields.iter_mut() {
                match value {
                    Value::Array(containers) if matches!(field.as_str(), "containers" | "initContainers") => {
                        for container in containers {
                            if let Some(Value::String(image)) = container.get_mut("image") {
                                visit(image);
                            }
                        }
                    }
                    value => images(value, visit),
                }
            }
        }
        _ => {}
    }
}
