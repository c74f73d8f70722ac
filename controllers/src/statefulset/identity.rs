//! What makes a pod of a StatefulSet itself: its ordinal, and by that its name, host name, labels and volumes.

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume},
};
use mini_api::owner;

use super::claims;
use crate::{history::REVISION_LABEL, pods};

/// The label that lets a Service select this one pod.
const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
/// The label that tells the ordinal.
const INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// The name of the set's pod with this ordinal.
pub(super) fn pod_name(set: &StatefulSet, ordinal: i32) -> String {
    format!("{}-{ordinal}", set.metadata.name.as_deref().unwrap_or_default())
}

/// The ordinal of a pod, by its name; `None` when no pod of the set can be called so.
pub(super) fn ordinal(set: &StatefulSet, pod: &Pod) -> Option<i32> {
    let (parent, ordinal) = pod.metadata.name.as_deref()?.rsplit_once('-')?;
    let digits = !ordinal.is_empty() && ordinal.bytes().all(|byte| byte.is_ascii_digit());
    ordinal.parse().ok().filter(|_| digits && Some(parent) == set.metadata.name.as_deref())
}

/// The revision a pod was made from.
pub(super) fn revision(pod: &Pod) -> Option<&str> {
    pod.metadata.labels.as_ref()?.get(REVISION_LABEL).map(String::as_str)
}

/// The pod with this ordinal, as it is to be created from `template`, which is that of the revision called so.
pub(super) fn make(set: &StatefulSet, template: &PodTemplateSpec, revision: &str, ordinal: i32) -> Pod {
    let mut pod = pods::from_template(template, owner::controller_ref(set), set.metadata.namespace.as_deref().unwrap_or_default());
    let name = pod_name(set, ordinal);
    pod.metadata.labels.get_or_insert_default().insert(REVISION_LABEL.to_owned(), revision.to_owned());
    pod.metadata.name = Some(name.clone());
    let service = set.spec.as_ref().and_then(|spec| spec.service_name.clone()).filter(|name| !name.is_empty());
    let spec = pod.spec.get_or_insert_default();
    (spec.hostname, spec.subdomain) = (Some(name), service);
    repaired(set, &pod, ordinal).unwrap_or(pod)
}

/// The pod with the labels and volumes that it must have, if it lacks any.
pub(super) fn repaired(set: &StatefulSet, pod: &Pod, ordinal: i32) -> Option<Pod> {
    let mut repaired = pod.clone();
    let labels = repaired.metadata.labels.get_or_insert_default();
    labels.insert(POD_NAME_LABEL.to_owned(), pod_name(set, ordinal));
    labels.insert(INDEX_LABEL.to_owned(), ordinal.to_string());
    if !has_volumes(set, pod, ordinal) {
        let mut volumes: Vec<_> = volumes(set, ordinal).collect();
        let spec = repaired.spec.get_or_insert_default();
        let others = spec.volumes.take().unwrap_or_default();
        let others: Vec<_> = others.into_iter().filter(|other| volumes.iter().all(|volume| volume.name != other.name)).collect();
        volumes.extend(others);
        spec.volumes = Some(volumes);
    }
    (repaired != *pod).then_some(repaired)
}

/// The volumes of the pod's own claims.
fn volumes(set: &StatefulSet, ordinal: i32) -> impl Iterator<Item = Volume> {
    claims::names(set, ordinal).map(|(template, claim_name)| Volume {
        name: template.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource { claim_name, read_only: None }),
        ..Volume::default()
    })
}

fn has_volumes(set: &StatefulSet, pod: &Pod, ordinal: i32) -> bool {
    let there = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    claims::names(set, ordinal).all(|(template, claim)| {
        let volume = there.iter().find(|volume| volume.name == template);
        volume.and_then(|volume| volume.persistent_volume_claim.as_ref()).is_some_and(|source| source.claim_name == claim)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statefulset::plan::tests::set;

    #[test]
    fn a_name_tells_the_ordinal() {
        let set = set(1);
        let named = |name: &str| {
            let mut pod = Pod::default();
            pod.metadata.name = Some(name.to_owned());
            ordinal(&set, &pod)
        };
        assert_eq!((named("web-0"), named("web-12")), (Some(0), Some(12)));
        assert_eq!((named("web"), named("web-"), named("web-x"), named("web-+1"), named("web-99999999999")), (None, None, None, None, None));
        assert_eq!((named("db-0"), named("web-a-0")), (None, None));
    }

    #[test]
    fn a_pod_has_its_name_in_many_places() {
        let mut set = set(1);
        let spec = set.spec.as_mut().unwrap();
        spec.service_name = Some("web-svc".to_owned());
        spec.template.spec.as_mut().unwrap().volumes =
            Some(["www", "tmp"].map(|name| Volume { name: name.to_owned(), ..Volume::default() }).to_vec());
        spec.volume_claim_templates = Some(vec![claims::tests::claim("www"), claims::tests::claim("log")]);
        let template = spec.template.clone();
        let mut pod = make(&set, &template, "web-r1", 3);
        pod.metadata.owner_references = None;
        assert_eq!(repaired(&set, &pod, 3), None);
        expect_test::expect![[r#"
            {
              "apiVersion": "v1",
              "kind": "Pod",
              "metadata": {
                "generateName": "web-",
                "labels": {
                  "app": "web",
                  "apps.kubernetes.io/pod-index": "3",
                  "controller-revision-hash": "web-r1",
                  "statefulset.kubernetes.io/pod-name": "web-3"
                },
                "name": "web-3",
                "namespace": "default"
              },
              "spec": {
                "containers": [
                  {
                    "image": "nginx:1",
                    "name": "c"
                  }
                ],
                "hostname": "web-3",
                "subdomain": "web-svc",
                "volumes": [
                  {
                    "name": "www",
                    "persistentVolumeClaim": {
                      "claimName": "www-web-3"
                    }
                  },
                  {
                    "name": "log",
                    "persistentVolumeClaim": {
                      "claimName": "log-web-3"
                    }
                  },
                  {
                    "name": "tmp"
                  }
                ]
              }
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&serde_json::to_value(&pod).unwrap()).unwrap());
    }

    #[test]
    fn an_adopted_pod_is_given_its_labels() {
        let set = set(1);
        let mut pod = Pod::default();
        pod.metadata.name = Some("web-0".to_owned());
        let repaired = repaired(&set, &pod, 0).unwrap();
        assert_eq!(repaired.metadata.labels.unwrap()[INDEX_LABEL], "0");
    }
}
