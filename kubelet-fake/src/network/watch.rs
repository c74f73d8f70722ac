//! Fills the index: one watch of each kind, begun when somebody wants to know.
//!
//! Must not know: what is made of the objects.

use std::{collections::HashSet, fmt::Debug};

use anyhow::Result;
use futures::{StreamExt, future::join_all};
use k8s_openapi::api::{
    core::v1::{Namespace, Node, Service},
    discovery::v1::EndpointSlice,
    networking::v1::{Ingress, IngressClass},
};
use kube::{
    Api, Client, Resource,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use mini_daemon::lean::{Lean, plain};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::{
    KINDS, Network,
    index::{Indexed, Name},
};

/// Keeps the index of a network as the cluster is, from when it is wanted until the token is cancelled.
///
/// # Errors
/// Never: a watch that breaks is begun again.
pub(crate) async fn keep(client: Client, network: Network, token: CancellationToken) -> Result<()> {
    let mut wanted = network.0.wanted.subscribe();
    if token.run_until_cancelled(wanted.wait_for(|wanted| *wanted)).await.is_none() {
        return Ok(());
    }
    tracing::debug!("the network is wanted");
    let watches: [futures::future::BoxFuture<'_, ()>; KINDS] = [
        Box::pin(follow::<Service>(&client, &network)),
        Box::pin(follow::<EndpointSlice>(&client, &network)),
        Box::pin(follow::<Node>(&client, &network)),
        Box::pin(follow::<Namespace>(&client, &network)),
        Box::pin(follow::<Ingress>(&client, &network)),
        Box::pin(follow::<IngressClass>(&client, &network)),
    ];
    token.run_until_cancelled(join_all(watches)).await;
    Ok(())
}

/// Follows one kind.
async fn follow<K>(client: &Client, network: &Network)
where
    K: Resource<DynamicType = ()> + Indexed + DeserializeOwned + Clone + Debug + Send + 'static,
{
    let events = watcher::watcher(Api::<Lean<K>>::all(client.clone()), watcher::Config::default());
    let mut events = std::pin::pin!(events.map(|event| event.map(plain)).default_backoff());
    let (mut known, mut listed): (HashSet<Name>, HashSet<Name>) = Default::default();
    let mut complete = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => {
                listed.insert(Name::of(object.meta()));
                network.change(|index| object.put(index));
            }
            Ok(Event::InitDone) => {
                known.extend(listed.iter().cloned());
                let gone: Vec<Name> = known.difference(&listed).cloned().collect();
                network.change(|index| gone.iter().for_each(|name| K::forget(name, index)));
                known.retain(|name| listed.contains(name));
                if !std::mem::replace(&mut complete, true) {
                    network.0.synced.send_modify(|synced| *synced += 1);
                }
            }
            Ok(Event::Apply(object)) => {
                known.insert(Name::of(object.meta()));
                network.change(|index| object.put(index));
            }
            Ok(Event::Delete(object)) => {
                let name = Name::of(object.meta());
                known.remove(&name);
                network.change(|index| K::forget(&name, index));
            }
            Err(error) => tracing::warn!(kind = %K::kind(&()), %error, "a watch of the network broke; it goes on soon"),
        }
    }
}
