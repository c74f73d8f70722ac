//! The cache's only source: the store, read once and then watched.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context, Result};
use jiff::Timestamp;
use mini_daemon::clock;
use mini_store::{Change, Store};
use tokio_util::sync::CancellationToken;

use super::{Cache, State, item::Item, window::Event};
use crate::kinds::{Field, Kind};

/// Fills a cache from the store and says where to go on.
///
/// # Errors
/// When the store cannot be read or holds what is no object.
pub async fn load(store: &dyn Store, table: &[Kind]) -> Result<Cache> {
    let (_, revision) = store.list("/registry/-").await.context("ask the store for its revision")?;
    let cache = Cache::new(table, revision);
    for (kind, slot) in table.iter().zip(&cache.kinds) {
        let prefix = kind.prefix();
        let (entries, _) = store.list(&prefix).await.with_context(|| format!("read {prefix} from the store"))?;
        let mut state = slot.state.write();
        for entry in entries {
            let key: Arc<str> = entry.key[prefix.len()..].into();
            let item = Item::new(key.clone(), entry.revision, &entry.value, kind.fields).with_context(|| format!("read {}", entry.key))?;
            state.objects.insert(key, Arc::new(item));
        }
    }
    Ok(cache)
}

/// Follows the store until the token is cancelled.
///
/// # Errors
/// When the store fails or the feed falls behind its history, after which the cache could no longer be trusted.
pub async fn follow(store: Arc<dyn Store>, cache: Arc<Cache>, table: Arc<[Kind]>, token: CancellationToken) -> Result<()> {
    let routes: HashMap<String, usize> = table.iter().enumerate().map(|(index, kind)| (kind.prefix(), index)).collect();
    let mut watch = store.watch(cache.revision()).context("watch the store")?;
    loop {
        let batch = tokio::select! {
            batch = watch.next() => batch,
            () = token.cancelled() => return Ok(()),
        };
        apply(&cache, &table, &routes, &batch.context("follow the store")?)?;
    }
}

/// Makes one batch of changes visible.
fn apply(cache: &Cache, table: &[Kind], routes: &HashMap<String, usize>, batch: &[Change]) -> Result<()> {
    let Some(newest) = batch.last().map(|change| change.revision) else { return Ok(()) };
    let mut by_kind: HashMap<usize, Vec<(Arc<str>, &Change)>> = HashMap::new();
    for change in batch {
        if let Some((index, key)) = route(routes, &change.key) {
            by_kind.entry(index).or_default().push((key.into(), change));
        }
    }
    let at = clock::now();
    let mut events: Vec<(usize, Vec<Arc<Event>>)> = Vec::with_capacity(by_kind.len());
    for (index, changes) in by_kind {
        let fields = table[index].fields;
        let items: Vec<_> = changes
            .into_iter()
            .map(|(key, change)| read(key, change, fields))
            .collect::<Result<_, _>>()
            .context("read a change of the store")?;
        let mut state = cache.kinds[index].state.write();
        let made = items.into_iter().filter_map(|(key, revision, item)| state.apply(key, revision, item, at)).collect();
        state.revision = newest;
        drop(state);
        events.push((index, made));
    }
    cache.revision.send_replace(newest);
    for (index, events) in &events {
        cache.kinds[*index].subscribers.wake(events.iter());
    }
    Ok(())
}

/// The item a change leaves, none if it is a deletion.
fn read(key: Arc<str>, change: &Change, fields: &[Field]) -> serde_json::Result<(Arc<str>, u64, Option<Arc<Item>>)> {
    let item = change.value.as_ref().map(|value| Item::new(key.clone(), change.revision, value, fields)).transpose()?;
    Ok((key, change.revision, item.map(Arc::new)))
}

/// The kind a store key belongs to, and the key within that kind.
fn route<'k>(routes: &HashMap<String, usize>, key: &'k str) -> Option<(usize, &'k str)> {
    // "/registry/group/plural/rest": the prefix ends with the fourth slash.
    let end = memchr::memchr_iter(b'/', key.as_bytes()).nth(3)? + 1;
    Some((*routes.get(&key[..end])?, &key[end..]))
}

impl State {
    fn apply(&mut self, key: Arc<str>, revision: u64, item: Option<Arc<Item>>, at: Timestamp) -> Option<Arc<Event>> {
        let (item, before, deleted) = match item {
            Some(item) => {
                let before = self.objects.insert(key, item.clone());
                (item, before, false)
            }
            None => {
                let before = self.objects.remove(&key)?;
                (Arc::new(before.deleted_at(revision)), Some(before), true)
            }
        };
        let event = Arc::new(Event { item, before, deleted, at });
        self.window.push(event.clone());
        Some(event)
    }
}
