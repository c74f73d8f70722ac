//! What a pod may know about itself: fields and resources, in upstream's form.
//!
//! Must not know: whether it becomes a variable or a file.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ObjectFieldSelector, ResourceFieldSelector};
use mini_api::quantity;

use super::Context;

/// The value of a field.
///
/// # Errors
/// When there is no such field.
pub(super) fn field(context: &Context, selector: &ObjectFieldSelector) -> Result<String, String> {
    let (meta, path) = (&context.pod.metadata, selector.field_path.as_str());
    let spec = context.pod.spec.as_ref();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let ip = |ip: Option<std::net::IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    let entry = |map: &Option<BTreeMap<String, String>>, key: &str| map.as_ref().and_then(|map| map.get(key)).cloned().unwrap_or_default();
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        return match map {
            "metadata.labels" => Ok(entry(&meta.labels, key)),
            "metadata.annotations" => Ok(entry(&meta.annotations, key)),
            _ => Err(format!("invalid fieldPath: {path}")),
        };
    }
    Ok(match path {
        "metadata.name" => text(&meta.name),
        "metadata.namespace" => text(&meta.namespace),
        "metadata.uid" => text(&meta.uid),
        "metadata.labels" => map(&meta.labels),
        "metadata.annotations" => map(&meta.annotations),
        "spec.nodeName" => spec.map(|spec| text(&spec.node_name)).unwrap_or_default(),
        "spec.serviceAccountName" => spec.map(|spec| text(&spec.service_account_name)).unwrap_or_default(),
        "status.hostIP" | "status.hostIPs" => ip(context.network.host_ip),
        "status.podIP" | "status.podIPs" => ip(context.network.ip),
        _ => return Err(format!("unsupported fieldPath: {path}")),
    })
}

/// A map, one entry a line.
fn map(map: &Option<BTreeMap<String, String>>) -> String {
    let line = |(key, value): (&String, &String)| format!("{key}={value:?}");
    map.iter().flatten().map(line).collect::<Vec<_>>().join("\n")
}

/// The amount of a resource that a container asks for or may use at most. Who has no limit has the node's.
///
/// # Errors
/// When there is no such container or resource.
pub(super) fn resource(context: &Context, own: Option<&str>, selector: &ResourceFieldSelector) -> Result<String, String> {
    let name = selector.container_name.as_deref().filter(|name| !name.is_empty()).or(own).unwrap_or_default();
    let container = context.pod.spec.as_ref().and_then(|spec| crate::runtime::find(spec, name));
    let container = container.ok_or_else(|| format!("container {name} not found"))?;
    let unsupported = || format!("unsupported container resource : {}", selector.resource);
    let (kind, resource) = selector.resource.split_once('.').ok_or_else(unsupported)?;
    let resources = container.resources.as_ref();
    let amount = match kind {
        "limits" => resources.and_then(|all| all.limits.as_ref()?.get(resource)).or_else(|| context.facts.allocatable().get(resource)),
        "requests" => resources.and_then(|all| all.requests.as_ref()?.get(resource)),
        _ => return Err(unsupported()),
    };
    let divisor = selector.divisor.as_ref().map(quantity::of);
    let count = |amount: quantity::Quantity| if resource == "cpu" { amount.milli() } else { i128::from(amount.value()) };
    let amount = amount.map(quantity::of).map_or(0, count);
    let unit = divisor.map(count).filter(|unit| *unit > 0).unwrap_or(if resource == "cpu" { 1000 } else { 1 });
    Ok((amount + unit - 1).div_euclid(unit).to_string())
}
