//! The Ingress that old files still use, in the groups `extensions` and `networking.k8s.io`: its backends name a Service by
//! `serviceName` and `servicePort`, and a path needs no type.

use k8s_openapi::{
    Metadata, NamespaceResourceScope, Resource,
    api::{
        core::v1::TypedLocalObjectReference,
        networking::v1::{IngressStatus, IngressTLS},
    },
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::Conversion;

/// The version of the first Ingresses.
pub(in super::super) const EXTENSIONS: Conversion = Conversion {
    warning: Some("extensions/v1beta1 Ingress is deprecated in v1.14+, unavailable in v1.22+; use networking.k8s.io/v1 Ingress"),
    ..NETWORKING
};

/// The same in the group where it belongs.
pub(in super::super) const NETWORKING: Conversion = Conversion {
    upgrade,
    downgrade,
    warning: Some("networking.k8s.io/v1beta1 Ingress is deprecated in v1.19+, unavailable in v1.22+; use networking.k8s.io/v1 Ingress"),
    optional: &[],
    shown: true,
};

/// Routes HTTP requests from outside to Services.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(rename = "io.k8s.api.networking.v1beta1.Ingress")]
pub(crate) struct Ingress {
    /// The version of this object.
    pub api_version: String,
    /// The kind of this object.
    pub kind: String,
    /// Standard object's metadata.
    pub metadata: ObjectMeta,
    /// The desired state.
    pub spec: IngressSpec,
    /// The current state.
    pub status: IngressStatus,
}

/// The desired state of an Ingress.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(rename = "io.k8s.api.networking.v1beta1.IngressSpec")]
pub(crate) struct IngressSpec {
    /// The backend of requests that match no rule.
    pub backend: IngressBackend,
    /// The name of the IngressClass.
    pub ingress_class_name: String,
    /// The rules, by host.
    pub rules: Vec<IngressRule>,
    /// Where TLS is spoken.
    pub tls: Vec<IngressTLS>,
}

/// Where requests to one host lead.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(rename = "io.k8s.api.networking.v1beta1.IngressRule")]
pub(crate) struct IngressRule {
    /// The host; any if empty.
    pub host: String,
    /// The paths of the host.
    pub http: HTTPIngressRuleValue,
}

/// Where requests lead, by path.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "io.k8s.api.networking.v1beta1.HTTPIngressRuleValue")]
pub(crate) struct HTTPIngressRuleValue {
    /// The paths.
    pub paths: Vec<HTTPIngressPath>,
}

/// Where requests of one path lead.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.api.networking.v1beta1.HTTPIngressPath")]
pub(crate) struct HTTPIngressPath {
    /// Where they lead.
    pub backend: IngressBackend,
    /// The path.
    #[serde(default)]
    pub path: String,
    /// How paths are compared: Exact, Prefix, or as the implementation does, which is the default.
    #[serde(default)]
    pub path_type: String,
}

/// Where requests lead.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(rename = "io.k8s.api.networking.v1beta1.IngressBackend")]
pub(crate) struct IngressBackend {
    /// An object in the Ingress's namespace, instead of a Service.
    pub resource: TypedLocalObjectReference,
    /// The name of the Service.
    pub service_name: String,
    /// The port of the Service.
    pub service_port: IntOrString,
}

impl Default for IngressBackend {
    fn default() -> Self {
        Self { resource: TypedLocalObjectReference::default(), service_name: String::new(), service_port: IntOrString::Int(0) }
    }
}

impl Resource for Ingress {
    const API_VERSION: &'static str = "networking.k8s.io/v1beta1";
    const GROUP: &'static str = "networking.k8s.io";
    const KIND: &'static str = "Ingress";
    const VERSION: &'static str = "v1beta1";
    const URL_PATH_SEGMENT: &'static str = "ingresses";
    type Scope = NamespaceResourceScope;
}

impl Metadata for Ingress {
    type Ty = ObjectMeta;
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

fn upgrade(ingress: &mut Value) {
    let Some(spec) = ingress.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if let Some(mut backend) = spec.remove("backend") {
        upgrade_backend(&mut backend);
        spec.insert("defaultBackend".to_owned(), backend);
    }
    for path in paths(spec) {
        if path.get("pathType").is_none_or(Value::is_null) {
            path.insert("pathType".to_owned(), json!("ImplementationSpecific"));
        }
        if let Some(backend) = path.get_mut("backend") {
            upgrade_backend(backend);
        }
    }
}

fn downgrade(ingress: &mut Value) {
    let Some(spec) = ingress.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if let Some(mut backend) = spec.remove("defaultBackend") {
        downgrade_backend(&mut backend);
        spec.insert("backend".to_owned(), backend);
    }
    for path in paths(spec) {
        if let Some(backend) = path.get_mut("backend") {
            downgrade_backend(backend);
        }
    }
}

/// All paths of all rules, as far as they are objects.
fn paths(spec: &mut Map<String, Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    let rules = spec.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten();
    let paths = rules.filter_map(|rule| rule.pointer_mut("/http/paths")?.as_array_mut()).flatten();
    paths.filter_map(Value::as_object_mut)
}

fn upgrade_backend(backend: &mut Value) {
    let Some(backend) = backend.as_object_mut() else { return };
    let name = backend.remove("serviceName").filter(|name| !name.is_null()).unwrap_or_else(|| json!(""));
    let port = backend.remove("servicePort").filter(|port| !port.is_null()).unwrap_or_else(|| json!(0));
    if name != "" || port != 0 {
        let field = if port.is_string() { "name" } else { "number" };
        let port = if port == 0 { json!({}) } else { json!({ field: port }) };
        backend.insert("service".to_owned(), json!({ "name": name, "port": port }));
    }
}

fn downgrade_backend(backend: &mut Value) {
    let Some(backend) = backend.as_object_mut() else { return };
    let service = backend.remove("service").unwrap_or_default();
    if let Some(name) = service.get("name").filter(|name| **name != "") {
        backend.insert("serviceName".to_owned(), name.clone());
    }
    // Go writes a port even if there is none.
    let port = service.get("port");
    let port = port.and_then(|port| port.get("name").filter(|name| **name != "").or_else(|| port.get("number")));
    backend.insert("servicePort".to_owned(), port.cloned().unwrap_or_else(|| json!(0)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_there_and_back() {
        for (old, new) in [
            (json!({"serviceName": "s", "servicePort": 80}), json!({"service": {"name": "s", "port": {"number": 80}}})),
            (json!({"serviceName": "s", "servicePort": "http"}), json!({"service": {"name": "s", "port": {"name": "http"}}})),
            (json!({"resource": {"kind": "K", "name": "n"}, "servicePort": 0}), json!({"resource": {"kind": "K", "name": "n"}})),
        ] {
            let of = |backend: &Value, field: &str, kind: Value| json!({"spec": {(field): backend, "rules": [{"http": {"paths": [{"backend": backend, "pathType": kind}]}}, {"host": "a"}]}});
            let (v1beta1, v1) = (of(&old, "backend", json!("Prefix")), of(&new, "defaultBackend", json!("Prefix")));
            let mut ingress = v1beta1.clone();
            upgrade(&mut ingress);
            assert_eq!(ingress, v1);
            downgrade(&mut ingress);
            assert_eq!(ingress, v1beta1);
        }
    }

    #[test]
    fn a_path_without_a_type_is_the_implementations() {
        let mut ingress =
            json!({"spec": {"rules": [{"http": {"paths": [{"path": "/", "backend": {"serviceName": "s", "servicePort": 80}}]}}]}});
        upgrade(&mut ingress);
        assert_eq!(ingress.pointer("/spec/rules/0/http/paths/0/pathType"), Some(&json!("ImplementationSpecific")));
    }

    #[test]
    fn its_fields_are_known() {
        let schema = crate::schema::Schema::of::<Ingress>();
        let backend = schema.field("spec").and_then(|spec| spec.field("backend"));
        assert_eq!(backend.map(crate::schema::Schema::go_type).as_deref(), Some("v1beta1.IngressBackend"));
        let port = backend.and_then(|backend| backend.field("servicePort"));
        assert_eq!(port.map(crate::schema::Schema::go_type).as_deref(), Some("intstr.IntOrString"));
    }
}
