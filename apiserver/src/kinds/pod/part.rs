//! What may be written of a running pod through subresources of its own: ephemeral containers, and other resources.

use k8s_openapi::{
    api::core::v1::{Container, Pod, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};
use mini_api::pod::qos;
use serde_json::Value;

use super::{
    super::{
        difference,
        field::{Errors, Path},
        unset::{list, text},
    },
    update::MIRROR,
};

/// What of a container's resources may change while it runs.
const RESIZABLE: [&str; 2] = ["cpu", "memory"];

/// What is wrong with a change of the ephemeral containers: they come, and never go.
pub(in super::super) fn ephemeral_containers(new: &Pod, old: &Pod, errors: &mut Errors) {
    if is_mirror(old) {
        return errors.forbidden(&Path::new(""), "static pods do not support ephemeral containers");
    }
    let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return };
    let spec = Path::new("spec");
    let path = spec.child("ephemeralContainers");
    for was in list(&old.ephemeral_containers) {
        match list(&new.ephemeral_containers).iter().find(|is| is.name == was.name) {
            None => errors.forbidden(&path, &format!("existing ephemeral containers {:?} may not be removed\n", was.name)),
            Some(is) if is != was => {
                let how = difference::of(was, is);
                errors.forbidden(&path, &format!("existing ephemeral containers {:?} may not be changed\n{how}", was.name));
            }
            Some(_) => {}
        }
    }
}

/// Takes the resources of the containers that were sent over into those that are there, by name.
pub(in super::super) fn take_resources(sent: &mut Value, there: &mut Value) {
    for containers in ["/spec/containers", "/spec/initContainers"] {
        let (Some(Value::Array(sent)), Some(Value::Array(there))) = (sent.pointer_mut(containers), there.pointer_mut(containers)) else {
            continue;
        };
        for container in there.iter_mut().filter_map(Value::as_object_mut) {
            let Some(sent) = sent.iter_mut().filter_map(Value::as_object_mut).find(|sent| sent.get("name") == container.get("name")) else {
                continue;
            };
            for field in ["resources", "resizePolicy"] {
                match sent.remove(field) {
                    Some(value) => drop(container.insert(field.to_owned(), value)),
                    None => drop(container.remove(field)),
                }
            }
        }
    }
}

/// What is wrong with other resources for containers that run.
pub(in super::super) fn resize(new: &Pod, old: &Pod, errors: &mut Errors) {
    if is_mirror(old) {
        return errors.forbidden(&Path::new(""), "static pods cannot be resized");
    }
    let class = new.status.as_ref().map_or("", |status| text(&status.qos_class));
    let (Some(new), Some(was)) = (&new.spec, &old.spec) else { return };
    if was.os.as_ref().is_some_and(|os| os.name == "windows") {
        return errors.forbidden(&Path::new(""), "windows pods cannot be resized");
    }
    let path = Path::new("spec");
    if qos(new) != class {
        errors.invalid(&path, qos(new), "Pod QOS Class may not change as a result of resizing");
    }
    let mut same = new.clone();
    for (field, is, was) in [
        ("containers", same.containers.as_mut_slice(), was.containers.as_slice()),
        ("initContainers", same.init_containers.as_deref_mut().unwrap_or_default(), list(&was.init_containers)),
    ] {
        let path = path.child(field);
        for (index, (is, was)) in is.iter_mut().zip(was).enumerate() {
            let path = path.index(index);
            removed(is.resources.as_ref(), was.resources.as_ref(), &path.child("resources"), errors);
            // Of the containers before the others only those that stay can be resized.
            if field == "containers" || text(&is.restart_policy) == "Always" {
                restore(is, was);
            }
        }
    }
    if same != *was {
        errors.forbidden(&path, "only cpu and memory resources are mutable");
    }
}

fn is_mirror(pod: &Pod) -> bool {
    pod.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(MIRROR))
}

fn removed(new: Option<&ResourceRequirements>, old: Option<&ResourceRequirements>, path: &Path<'_>, errors: &mut Errors) {
    let of = |resources: Option<&ResourceRequirements>, limits: bool, name: &str| {
        let map = resources.and_then(|resources| if limits { resources.limits.as_ref() } else { resources.requests.as_ref() });
        map.is_some_and(|map| map.contains_key(name))
    };
    for (field, limits, what) in
        [("limits", true, "resource limits cannot be removed"), ("requests", false, "resource requests cannot be removed")]
    {
        if RESIZABLE.iter().any(|name| of(old, limits, name) && !of(new, limits, name)) {
            errors.forbidden(&path.child(field), what);
        }
    }
}

/// Puts the old values where they may change, so that what differs then may not.
fn restore(new: &mut Container, old: &Container) {
    new.resize_policy.clone_from(&old.resize_policy);
    let (Some(is), Some(was)) = (&mut new.resources, &old.resources) else {
        if new.resources.as_ref().is_none_or(only_resizable) {
            new.resources.clone_from(&old.resources);
        }
        return;
    };
    type Map = std::collections::BTreeMap<String, Quantity>;
    let back = |is: &mut Option<Map>, was: &Option<Map>| {
        for name in RESIZABLE {
            match was.as_ref().and_then(|was| was.get(name)) {
                Some(value) => drop(is.get_or_insert_default().insert(name.to_owned(), value.clone())),
                None => drop(is.as_mut().and_then(|is| is.remove(name))),
            }
        }
        if is.as_ref().is_some_and(Map::is_empty) && was.is_none() {
            *is = None;
        }
    };
    back(&mut is.limits, &was.limits);
    back(&mut is.requests, &was.requests);
}

fn only_resizable(resources: &ResourceRequirements) -> bool {
    let names = resources.limits.iter().flatten().chain(resources.requests.iter().flatten()).map(|(name, _)| name.as_str());
    list(&resources.claims).is_empty() && names.into_iter().all(|name| RESIZABLE.contains(&name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(resources: Value) -> Pod {
        let spec = json!({ "containers": [{ "name": "c", "image": "i", "resources": resources }] });
        let mut pod: Pod = serde_json::from_value(json!({ "spec": spec })).unwrap();
        pod.status.get_or_insert_default().qos_class = Some(qos(pod.spec.as_ref().unwrap()).to_owned());
        pod
    }

    fn said(check: fn(&Pod, &Pod, &mut Errors), new: &Pod, old: &Pod) -> String {
        let mut errors = Errors::new();
        check(new, old, &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn cpu_and_memory_may_change_and_nothing_else() {
        let burstable = json!({ "requests": { "cpu": "100m" }, "limits": { "cpu": "200m" } });
        for (old, new, want) in [
            (burstable.clone(), json!({ "requests": { "cpu": "150m" }, "limits": { "cpu": "300m" } }), ""),
            (burstable.clone(), json!({ "requests": { "cpu": "100m", "memory": "1Gi" }, "limits": { "cpu": "200m" } }), ""),
            (
                burstable.clone(),
                json!({ "requests": { "cpu": "100m" } }),
                "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed",
            ),
            (
                burstable.clone(),
                json!({ "requests": { "cpu": "100m", "ephemeral-storage": "1Gi" }, "limits": { "cpu": "200m" } }),
                "spec: Forbidden: only cpu and memory resources are mutable",
            ),
            (
                json!({}),
                json!({ "requests": { "cpu": "100m" } }),
                "spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing",
            ),
            (
                json!({ "requests": { "cpu": "1", "memory": "1Gi" }, "limits": { "cpu": "1", "memory": "1Gi" } }),
                json!({ "requests": { "cpu": "1", "memory": "1Gi" }, "limits": { "cpu": "2", "memory": "1Gi" } }),
                "spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing",
            ),
        ] {
            let old = pod(old);
            let mut new = pod(new);
            new.status.clone_from(&old.status);
            assert_eq!(said(resize, &new, &old), want);
        }
    }

    #[test]
    fn only_resources_are_taken() {
        let mut sent =
            json!({ "spec": { "nodeName": "n", "containers": [{ "name": "b", "resources": { "x": 1 } }, { "name": "a", "image": "j" }] } });
        let mut there = json!({ "spec": { "containers": [{ "name": "a", "image": "i", "resources": {} }, { "name": "b" }] } });
        take_resources(&mut sent, &mut there);
        assert_eq!(there, json!({ "spec": { "containers": [{ "name": "a", "image": "i" }, { "name": "b", "resources": { "x": 1 } }] } }));
    }

    #[test]
    fn ephemeral_containers_never_go() {
        let with = |containers: Value| -> Pod {
            serde_json::from_value(json!({ "spec": { "containers": [], "ephemeralContainers": containers } })).unwrap()
        };
        let old = with(json!([{ "name": "a", "image": "i" }]));
        assert_eq!(said(ephemeral_containers, &with(json!([{ "name": "a", "image": "i" }, { "name": "b" }])), &old), "");
        let gone = "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"a\" may not be removed\n";
        assert_eq!(said(ephemeral_containers, &with(json!([])), &old), gone);
        let changed = said(ephemeral_containers, &with(json!([{ "name": "a", "image": "j" }])), &old);
        assert!(changed.starts_with("spec.ephemeralContainers: Forbidden: existing ephemeral containers \"a\" may not be changed\n"));
    }
}
