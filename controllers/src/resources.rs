//! What kinds the API server has, as discovery tells: for the controllers that are about all of them and name none.

use kube::{
    Client, Discovery,
    api::ApiResource,
    discovery::{ApiCapabilities, Scope, verbs},
};

/// A kind that can be listed, watched and deleted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) resource: ApiResource,
    pub(crate) namespaced: bool,
}

/// Kinds nobody owns and that own nothing, but that there are many of: upstream's garbage collector ignores them too.
const IGNORED: &str = "events";

/// A group of old names: whatever it has is served, as the same objects, by another group as well.
const OLD_NAMES: &str = "extensions";

/// The kinds the garbage collector follows: each once, in its group's preferred version.
pub(crate) async fn collectable(client: &Client) -> kube::Result<Vec<Found>> {
    let mut found = deletable(client).await?;
    found.retain(|found| found.resource.plural != IGNORED);
    Ok(found)
}

/// The kinds whose objects live in namespaces and can be deleted.
pub(crate) async fn in_namespaces(client: &Client) -> kube::Result<Vec<Found>> {
    let mut found = deletable(client).await?;
    found.retain(|found| found.namespaced);
    Ok(found)
}

async fn deletable(client: &Client) -> kube::Result<Vec<Found>> {
    let discovery = Discovery::new(client.clone()).run_aggregated().await?;
    let groups = discovery.groups().filter(|group| group.name() != OLD_NAMES);
    let resources = groups.flat_map(|group| group.recommended_resources());
    let mut found: Vec<_> = resources.filter(|(_, can)| is_deletable(can)).map(|(resource, can)| found(resource, &can)).collect();
    found.sort_by(|a, b| (&a.resource.group, &a.resource.plural).cmp(&(&b.resource.group, &b.resource.plural)));
    Ok(found)
}

fn is_deletable(can: &ApiCapabilities) -> bool {
    [verbs::LIST, verbs::WATCH, verbs::DELETE].iter().all(|verb| can.supports_operation(verb))
}

fn found(resource: ApiResource, can: &ApiCapabilities) -> Found {
    Found { resource, namespaced: can.scope == Scope::Namespaced }
}
