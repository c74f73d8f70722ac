//! The variables of a container, in upstream's order: Services, whole objects, single ones, of which a later one may use the earlier.
//!
//! Must not know: where a missing object is told.

use k8s_openapi::api::core::v1::{Container, EnvVarSource};

use super::{Context, downward, expand::expand};
use crate::runtime::Environment;

/// All variables of a container.
///
/// # Errors
/// Upstream's sentence about what is missing.
pub(super) async fn of(context: &Context, container: &Container) -> Result<Environment, String> {
    let links = context.pod.spec.as_ref().is_none_or(|spec| spec.enable_service_links != Some(false));
    let services = context.objects.variables(context.namespace(), links).await;
    let mut environment = Environment { services, own: Vec::new() };
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let mut all: Vec<(String, String)> = Vec::new();
        if let Some(wanted) = &source.config_map_ref {
            match context.objects.config(context.namespace(), &wanted.name).await {
                Some(found) => all.extend(found.data.iter().flatten().map(|(key, value)| (key.clone(), value.clone()))),
                None if wanted.optional == Some(true) => {}
                None => return Err(format!("configmap {:?} not found", wanted.name)),
            }
        }
        if let Some(wanted) = &source.secret_ref {
            match context.objects.secret(context.namespace(), &wanted.name).await {
                Some(found) => all.extend(found.data.iter().flatten().map(|(key, value)| (key.clone(), text(&value.0)))),
                None if wanted.optional == Some(true) => {}
                None => return Err(format!("secret {:?} not found", wanted.name)),
            }
        }
        for (key, value) in all {
            set(&mut environment, format!("{prefix}{key}"), value);
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (Some(value), _) if !value.is_empty() => Some(expand(value, |name| environment.get(name))),
            (_, Some(source)) => referred(context, container, source).await?,
            _ => Some(String::new()),
        };
        if let Some(value) = value {
            set(&mut environment, variable.name.clone(), value);
        }
    }
    Ok(environment)
}

/// The last value of a name counts, in the place of the first.
fn set(environment: &mut Environment, name: String, value: String) {
    match environment.own.iter_mut().find(|(other, _)| *other == name) {
        Some((_, old)) => *old = value,
        None => environment.own.push((name, value)),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The value a variable refers to; `None` if it is optional and not there.
async fn referred(context: &Context, container: &Container, source: &EnvVarSource) -> Result<Option<String>, String> {
    let namespace = context.namespace();
    if let Some(selector) = &source.field_ref {
        return downward::field(context, selector).map(Some);
    }
    if let Some(selector) = &source.resource_field_ref {
        return downward::resource(context, Some(&container.name), selector).map(Some);
    }
    let (value, optional, why) = if let Some(wanted) = &source.config_map_key_ref {
        let (name, key) = (&wanted.name, &wanted.key);
        match context.objects.config(namespace, name).await {
            None => (None, wanted.optional, format!("configmap {name:?} not found")),
            Some(found) => {
                let value = found.data.as_ref().and_then(|data| data.get(key)).cloned();
                (value, wanted.optional, format!("couldn't find key {key} in ConfigMap {namespace}/{name}"))
            }
        }
    } else if let Some(wanted) = &source.secret_key_ref {
        let (name, key) = (&wanted.name, &wanted.key);
        match context.objects.secret(namespace, name).await {
            None => (None, wanted.optional, format!("secret {name:?} not found")),
            Some(found) => {
                let value = found.data.as_ref().and_then(|data| data.get(key)).map(|bytes| text(&bytes.0));
                (value, wanted.optional, format!("couldn't find key {key} in Secret {namespace}/{name}"))
            }
        }
    } else {
        return Err("this source of a variable is not supported by this kubelet".to_owned());
    };
    match value {
        None if optional != Some(true) => Err(why),
        value => Ok(value),
    }
}
