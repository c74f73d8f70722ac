//! Namespaces: one that is being deleted is emptied of every kind discovery knows, and then let go.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Namespace, NamespaceCondition, Pod},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{Client, api::ApiResource};
use mini_api::condition::{self, FALSE, TRUE};
use mini_daemon::clock;

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    resources::{Found, in_namespaces},
    writes::{Result, Writes},
};

/// The finalizer in the spec that stands for this controller.
const FINALIZER: &str = "kubernetes";
/// How often a namespace with content left is looked at. The end of its pods is heard of sooner.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Whether things can be made in a namespace.
pub(crate) fn is_active(namespace: &Namespace) -> bool {
    let phase = namespace.status.as_ref().and_then(|status| status.phase.as_deref());
    namespace.metadata.deletion_timestamp.is_none() && phase.is_none_or(|phase| phase == "Active")
}

/// Empties namespaces and finalizes them.
pub(crate) struct Reconciler {
    client: Client,
    namespaces: Arc<Cache<Namespace>>,
}

impl Controller for Reconciler {
    const NAME: &'static str = "namespace-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let namespaces = setup.watch(|change: &Change<Namespace>| [change.key()]);
        let all = namespaces.clone();
        setup.watch(move |change: &Change<Pod>| {
            let gone = change.new.is_none().then(|| Key::cluster(&change.key().namespace));
            gone.filter(|key| all.get(key).is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some()))
        });
        Self { client: setup.client(), namespaces }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(namespace) = self.namespaces.get(key) else { return Ok(Next::Changed) };
        if namespace.metadata.deletion_timestamp.is_none() || !is_ours(&namespace) {
            return Ok(Next::Changed);
        }
        let found = self.empty(&key.name, writes).await?;
        let new = with_conditions(&namespace, &found, clock::now());
        if !found.is_empty() {
            writes.update_status(&*namespace, &new).await?;
            return Ok(Next::After(LOOK_AGAIN));
        }
        let mut new = new;
        new.spec.get_or_insert_default().finalizers.get_or_insert_default().retain(|finalizer| finalizer != FINALIZER);
        match writes.replace(&new, "finalize").await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(Next::Changed),
        }
    }
}

fn is_ours(namespace: &Namespace) -> bool {
    let finalizers = namespace.spec.as_ref().and_then(|spec| spec.finalizers.as_ref());
    finalizers.into_iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

impl Reconciler {
    /// Deletes everything that can be deleted now and says what is left or went wrong.
    async fn empty(&self, namespace: &str, writes: &Writes) -> Result<Remains> {
        let mut remains = Remains::default();
        let kinds = match in_namespaces(&self.client).await {
            Ok(kinds) => kinds,
            Err(error) => {
                remains.discovery = Some(error.to_string());
                return Ok(remains);
            }
        };
        let pods = ApiResource::erase::<Pod>(&());
        let (pods, others): (Vec<Found>, Vec<Found>) =
            kinds.into_iter().partition(|found| found.resource.group == pods.group && found.resource.plural == pods.plural);
        // Pods first, as upstream: until they are gone they may need what else is here.
        for kinds in [pods, others] {
            for found in kinds {
                if let Err(error) = clear(&found.resource, namespace, &mut remains, writes).await {
                    remains.failures.push(error.to_string());
                }
            }
            if !remains.is_empty() {
                break;
            }
        }
        Ok(remains)
    }
}

/// Deletes all objects of a kind and counts what stays for now.
async fn clear(resource: &ApiResource, namespace: &str, remains: &mut Remains, writes: &Writes) -> Result<()> {
    let before = writes.list_metadata(resource, namespace).await?;
    if before.is_empty() {
        return Ok(());
    }
    if before.iter().any(|meta| meta.deletion_timestamp.is_none()) {
        writes.delete_all(resource, namespace).await?;
    }
    remains.count(resource, &writes.list_metadata(resource, namespace).await?);
    Ok(())
}

/// What a namespace still has in it.
#[derive(Debug, Default)]
struct Remains {
    discovery: Option<String>,
    failures: Vec<String>,
    /// By `plural.group`.
    objects: BTreeMap<String, usize>,
    finalizers: BTreeMap<String, usize>,
}

impl Remains {
    fn count(&mut self, resource: &ApiResource, objects: &[ObjectMeta]) {
        if objects.is_empty() {
            return;
        }
        *self.objects.entry(format!("{}.{}", resource.plural, resource.group)).or_default() += objects.len();
        for finalizer in objects.iter().flat_map(|meta| meta.finalizers.iter().flatten()) {
            *self.finalizers.entry(finalizer.clone()).or_default() += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.discovery.is_none() && self.failures.is_empty() && self.objects.is_empty()
    }
}

/// The namespace with the conditions that say what is left, in upstream's words.
fn with_conditions(namespace: &Namespace, remains: &Remains, now: Timestamp) -> Namespace {
    let list = |what: &BTreeMap<String, usize>, verb: &str| {
        let items = what.iter().map(|(name, count)| format!("{name} {verb} {count} resource instances"));
        items.collect::<Vec<_>>().join(", ")
    };
    let states = [
        (
            "NamespaceDeletionDiscoveryFailure",
            remains.discovery.as_ref().map(|error| ("DiscoveryFailed", format!("Discovery failed for some groups, 1 failing: {error}"))),
            ("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        ("NamespaceDeletionGroupVersionParsingFailure", None, ("ParsedGroupVersions", "All legacy kube types successfully parsed")),
        (
            "NamespaceDeletionContentFailure",
            (!remains.failures.is_empty()).then(|| {
                let (count, failures) = (remains.failures.len(), remains.failures.join(", "));
                ("ContentDeletionFailed", format!("Failed to delete all resource types, {count} remaining: {failures}"))
            }),
            ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        ),
        (
            "NamespaceContentRemaining",
            (!remains.objects.is_empty())
                .then(|| ("SomeResourcesRemain", format!("Some resources are remaining: {}", list(&remains.objects, "has")))),
            ("ContentRemoved", "All content successfully removed"),
        ),
        (
            "NamespaceFinalizersRemaining",
            (!remains.finalizers.is_empty()).then(|| {
                let finalizers = list(&remains.finalizers, "in");
                ("SomeFinalizersRemain", format!("Some content in the namespace has finalizers remaining: {finalizers}"))
            }),
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
        ),
    ];
    let mut new = namespace.clone();
    let status = new.status.get_or_insert_default();
    status.phase = Some("Terminating".to_owned());
    for (kind, bad, (reason, message)) in states {
        let good = (FALSE, (reason, message.to_owned()));
        let (value, (reason, message)) = bad.map_or(good, |bad| (TRUE, bad));
        condition::set(
            &mut status.conditions,
            NamespaceCondition {
                type_: kind.to_owned(),
                status: value.to_owned(),
                reason: Some(reason.to_owned()),
                message: Some(message),
                last_transition_time: Some(Time(now)),
            },
        );
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conditions_say_what_is_left() {
        let mut remains = Remains::default();
        let held = ObjectMeta { finalizers: Some(vec!["example.com/hold".to_owned()]), ..ObjectMeta::default() };
        remains.count(&ApiResource::erase::<Pod>(&()), &[ObjectMeta::default(), held]);
        let namespace = with_conditions(&Namespace::default(), &remains, Timestamp::UNIX_EPOCH);
        let conditions = namespace.status.unwrap().conditions.unwrap();
        let lines: Vec<_> = conditions
            .iter()
            .map(|c| format!("{}={} {} {}", c.type_, c.status, c.reason.as_deref().unwrap(), c.message.as_deref().unwrap()))
            .collect();
        expect_test::expect![[r#"
            NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered All resources successfully discovered
            NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions All legacy kube types successfully parsed
            NamespaceDeletionContentFailure=False ContentDeleted All content successfully deleted, may be waiting on finalization
            NamespaceContentRemaining=True SomeResourcesRemain Some resources are remaining: pods. has 2 resource instances
            NamespaceFinalizersRemaining=True SomeFinalizersRemain Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn only_a_namespace_that_stays_is_active() {
        let mut namespace = Namespace::default();
        assert!(is_active(&namespace));
        namespace.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        assert!(!is_active(&namespace));
    }
}
