//! What ResourceQuotas count: how much an object uses of what a quota limits, and which objects a quota is about.
//!
//! An object becomes a [`Subject`], which is all that quotas need to know of it. Who charges and who counts says the same then.

mod scope;
mod usage;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuotaSpec, Service};

pub use scope::{FLAGS, is_terminating_scope};
pub use usage::{counts_until, unstated};

use crate::{
    pod::{self, Resources},
    quantity::Quantity,
};
use scope::Scopes;

/// Resources of pods which every container must state where a quota limits them.
pub const COMPUTE: &[&str] = &["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
/// What else of pods can be limited, extended resources and huge pages aside.
const OF_PODS: &[&str] = &["count/pods", "pods", "ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage"];
const OF_SERVICES: &[&str] = &["count/services", "services", "services.nodeports", "services.loadbalancers"];
const OF_CLAIMS: &[&str] = &["persistentvolumeclaims", "requests.storage"];
const COUNT_OF_CLAIMS: &str = "count/persistentvolumeclaims";
/// Between the name of a StorageClass and one of [`OF_CLAIMS`].
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";
/// Kinds of the core group whose number had a name before there was `count/…`.
const ALIASES: &[&str] = &["configmaps", "resourcequotas", "replicationcontrollers", "secrets"];

/// A kind, as quotas tell kinds apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pods: their number, and what they ask for.
    Pod,
    /// Services: their number, and what they take of nodes and clouds.
    Service,
    /// PersistentVolumeClaims: their number, and how much storage they ask for.
    Claim,
    /// All others: their number.
    Other {
        /// `count/PLURAL.GROUP`.
        count: String,
        /// The older name of the same.
        alias: Option<&'static str>,
    },
}

impl Kind {
    /// The kind of that group (empty for core) and plural.
    pub fn of(group: &str, plural: &str) -> Self {
        match (group, plural) {
            ("", "pods") => Self::Pod,
            ("", "services") => Self::Service,
            ("", "persistentvolumeclaims") => Self::Claim,
            ("", plural) => {
                let alias = ALIASES.iter().copied().find(|alias| *alias == plural);
                Self::Other { count: format!("count/{plural}"), alias }
            }
            (group, plural) => Self::Other { count: format!("count/{plural}.{group}"), alias: None },
        }
    }

    /// Whether objects of this kind can use that resource of a quota.
    pub fn tracks(&self, resource: &str) -> bool {
        match self {
            Self::Pod => {
                COMPUTE.contains(&resource)
                    || OF_PODS.contains(&resource)
                    || pod::is_huge_page(resource.strip_prefix("requests.").unwrap_or(resource))
                    || resource.starts_with("requests.") && !pod::is_native(resource)
            }
            Self::Service => OF_SERVICES.contains(&resource),
            Self::Claim => {
                let plain = resource.split_once(OF_CLASS).map_or(resource, |(_, rest)| rest);
                resource == COUNT_OF_CLAIMS || OF_CLAIMS.contains(&plain)
            }
            Self::Other { count, alias } => resource == count || Some(resource) == *alias,
        }
    }

    /// What a quota with `spec` limits of objects of this kind, nothing of it used.
    pub fn tracked(&self, spec: &ResourceQuotaSpec) -> Resources {
        let limited = spec.hard.iter().flatten().map(|(resource, _)| resource);
        limited.filter(|resource| self.tracks(resource)).map(|resource| (resource.clone(), Quantity::ZERO)).collect()
    }
}

/// An object as quotas see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    kind: Kind,
    usage: Resources,
    scopes: Scopes,
}

impl Subject {
    /// A pod, at a moment: one that has ended, or should have by then, is only there.
    pub fn pod(pod: &Pod, now: Timestamp) -> Self {
        Self { kind: Kind::Pod, usage: usage::pod(pod, now), scopes: Scopes::of_pod(pod) }
    }

    /// A Service.
    pub fn service(service: &Service) -> Self {
        Self { kind: Kind::Service, usage: usage::service(service), scopes: Scopes::default() }
    }

    /// A PersistentVolumeClaim.
    pub fn claim(claim: &PersistentVolumeClaim) -> Self {
        Self { kind: Kind::Claim, usage: usage::claim(claim), scopes: Scopes::of_claim(claim) }
    }

    /// An object of any other kind: nothing but its being there counts.
    pub fn other(kind: Kind) -> Self {
        let names = match &kind {
            Kind::Other { count, alias } => [count.as_str()].into_iter().chain(*alias),
            Kind::Pod | Kind::Service | Kind::Claim => return Self { kind, usage: Resources::new(), scopes: Scopes::default() },
        };
        let usage = names.map(|name| (name.to_owned(), usage::ONE)).collect();
        Self { kind, usage, scopes: Scopes::default() }
    }

    /// Its kind.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// What it uses, by the names quotas have for it.
    pub fn usage(&self) -> &Resources {
        &self.usage
    }

    /// Whether it is within all scopes of a quota. One without scopes is about everything.
    pub fn is_within(&self, spec: &ResourceQuotaSpec) -> bool {
        self.scopes.are_within(spec)
    }
}

/// What of a quota with `spec` all those objects use; they are of one kind.
pub fn used<'a>(kind: &Kind, spec: &ResourceQuotaSpec, subjects: impl IntoIterator<Item = &'a Subject>) -> Resources {
    let mut used = kind.tracked(spec);
    for subject in subjects.into_iter().filter(|subject| subject.is_within(spec)) {
        for (resource, sum) in &mut used {
            *sum += subject.usage.get(resource).copied().unwrap_or_default();
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(value: Value) -> ResourceQuotaSpec {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn kinds_track_what_they_can_use() {
        let of = |group, plural, resource| Kind::of(group, plural).tracks(resource);
        for (group, plural, resource, want) in [
            ("", "pods", "pods", true),
            ("", "pods", "count/pods", true),
            ("", "pods", "limits.memory", true),
            ("", "pods", "hugepages-2Mi", true),
            ("", "pods", "requests.hugepages-2Mi", true),
            ("", "pods", "requests.nvidia.com/gpu", true),
            ("", "pods", "nvidia.com/gpu", false),
            ("", "pods", "requests.storage", false),
            ("", "pods", "gold.storageclass.storage.k8s.io/requests.storage", false),
            ("", "services", "services.nodeports", true),
            ("", "services", "count/services", true),
            ("", "persistentvolumeclaims", "requests.storage", true),
            ("", "persistentvolumeclaims", "count/persistentvolumeclaims", true),
            ("", "persistentvolumeclaims", "gold.storageclass.storage.k8s.io/requests.storage", true),
            ("", "persistentvolumeclaims", "gold.storageclass.storage.k8s.io/persistentvolumeclaims", true),
            ("", "persistentvolumeclaims", "gold.storageclass.storage.k8s.io/pods", false),
            ("", "secrets", "secrets", true),
            ("", "secrets", "count/secrets", true),
            ("", "serviceaccounts", "serviceaccounts", false),
            ("", "serviceaccounts", "count/serviceaccounts", true),
            ("apps", "deployments", "count/deployments.apps", true),
            ("apps", "deployments", "count/deployments", false),
        ] {
            assert_eq!(of(group, plural, resource), want, "{plural} {resource}");
        }
    }

    #[test]
    fn what_is_used_is_the_sum_of_those_within_the_scopes() {
        let pod = |class: &str, cpu: &str| {
            let containers = json!([{ "name": "c", "resources": { "requests": { "cpu": cpu } } }]);
            let pod = serde_json::from_value(json!({ "spec": { "containers": containers, "priorityClassName": class } })).unwrap();
            Subject::pod(&pod, Timestamp::UNIX_EPOCH)
        };
        let pods = [pod("high", "1"), pod("low", "500m"), pod("high", "250m")];
        let hard = json!({ "pods": "9", "requests.cpu": "9", "limits.cpu": "9", "secrets": "9" });
        let text = |spec| used(&Kind::Pod, &spec, &pods).iter().map(|(name, sum)| format!("{name}={sum}")).collect::<Vec<_>>().join(" ");
        assert_eq!(text(spec(json!({ "hard": hard }))), "limits.cpu=0 pods=3 requests.cpu=1750m");
        let high = json!({ "matchExpressions": [{ "scopeName": "PriorityClass", "operator": "In", "values": ["high"] }] });
        assert_eq!(text(spec(json!({ "hard": hard, "scopeSelector": high }))), "limits.cpu=0 pods=2 requests.cpu=1250m");
    }

    #[test]
    fn other_kinds_are_within_no_scope() {
        let secret = Subject::other(Kind::of("", "secrets"));
        assert_eq!(secret.usage().keys().collect::<Vec<_>>(), ["count/secrets", "secrets"]);
        assert!(secret.is_within(&spec(json!({ "hard": { "secrets": "1" } }))));
        assert!(!secret.is_within(&spec(json!({ "hard": { "secrets": "1" }, "scopes": ["NotTerminating"] }))));
    }
}
