//! The life cycle every object shares: create, update, patch, delete, subresources. It names no kind; what is special about
//! one comes from its row of the table and from admission.
//!
//! A write reads the cache, makes the new object with pure functions, and puts it into the store with the revision it read as
//! its precondition. Nothing here changes the cache.

use std::{any::Any, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use mini_daemon::{clock, tasks::detach};
use mini_store::{Expect, Store};
use serde_json::{Value, json};

mod acting;
pub mod apply;
mod applying;
pub mod codec;
mod create;
pub mod delete;
mod drafts;
pub mod fieldset;
pub mod managed;
mod meta;
mod observed;
pub mod patch;
mod scale;
mod update;

use self::drafts::Drafts;
pub use self::update::Patch;
use crate::{
    admission::{self, Cluster, Statuses, Step},
    cache::{Cache, item::Item},
    components::Component,
    error::{ApiError, Result},
    kinds::{
        Kind, Version,
        rules::Object,
        subresource::{Moment, Piece},
    },
    tokens::Tokens,
};

/// Who the server's own writes are by: upstream's name, as the other components have theirs.
const OWN: &str = "kube-apiserver";
/// How often a write that lost a race is tried again where the client did not name a revision.
const TRIES: usize = 16;

/// The one door to the store for every kind.
pub struct Registry {
    table: Arc<[Kind]>,
    cache: Arc<Cache>,
    store: Arc<dyn Store>,
    steps: Vec<Box<dyn Step>>,
    tokens: Tokens,
    components: Vec<Component>,
    drafts: Drafts,
}

/// What a client does about fields its server does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped with a warning.
    #[default]
    Warn,
    /// The request is refused.
    Strict,
}

/// One write as the client asked for it.
#[derive(Debug)]
pub struct Call {
    /// The kind's place in the table.
    pub kind: usize,
    /// The version's place in the kind's row.
    pub version: usize,
    /// The namespace of the path, empty where there is none.
    pub namespace: String,
    /// Whether nothing is to be stored.
    pub dry_run: bool,
    /// What to do about unknown fields.
    pub validation: FieldValidation,
    /// Who writes, as managedFields name it.
    pub manager: String,
    /// When.
    pub now: Timestamp,
    /// What to tell the client besides the answer.
    pub warnings: Vec<String>,
}

/// An object as it was stored.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its JSON, `resourceVersion` included, `kind` and `apiVersion` not.
    pub json: Bytes,
    /// Whether the write created it.
    pub created: bool,
}

/// Which part of an object a write may change.
#[derive(Clone, Copy)]
enum Part {
    /// Everything but the status, where that is a subresource.
    Main,
    /// Only what this subresource is about.
    Only(&'static str, &'static Piece),
}

impl Registry {
    /// The components beside which it works.
    #[must_use]
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The registry of a table, whose writes take these steps, and beside which these components work.
    #[must_use]
    pub fn new(
        table: Arc<[Kind]>,
        cache: Arc<Cache>,
        store: Arc<dyn Store>,
        steps: Vec<Box<dyn Step>>,
        tokens: Tokens,
        components: Vec<Component>,
    ) -> Self {
        Self { table, cache, store, steps, tokens, components, drafts: Drafts::default() }
    }

    /// What signs tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Every kind.
    #[must_use]
    pub fn table(&self) -> &Arc<[Kind]> {
        &self.table
    }

    /// What reads are answered from.
    #[must_use]
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// The kinds that are served now.
    pub fn served(&self) -> impl Iterator<Item = &Kind> {
        self.table.iter().filter(|kind| self.serves(kind))
    }

    /// Whether a kind is served now: one of an added group only while there is an APIService for it.
    #[must_use]
    pub fn serves(&self, kind: &Kind) -> bool {
        let service = |kind: &Kind| format!("{}.{}", kind.versions[0].version, kind.group());
        !kind.aggregated || self.find("apiservices").is_some_and(|services| self.cache.get(services, &service(kind)).is_some())
    }

    /// The kind of a plural in any group, the first of several; for code that is about one kind.
    #[must_use]
    pub fn find(&self, plural: &str) -> Option<usize> {
        self.table.iter().position(|kind| kind.plural == plural)
    }

    /// Waits until the cache shows everything that is acknowledged.
    pub async fn fresh(&self) {
        self.cache.reached(self.store.revision()).await;
    }

    /// Asks the store's one writer for what changes nothing: to remove what is not there.
    ///
    /// # Errors
    /// When it takes no more writes.
    pub async fn store_alive(&self) -> Result<(), mini_store::Error> {
        match self.store.delete("/registry/-", Expect::Absent).await {
            Ok(_) | Err(mini_store::Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// One object, as it is now.
    ///
    /// # Errors
    /// 404 when it is not there; of what is observed, what its kind says then.
    pub async fn get(&self, kind: usize, namespace: &str, name: &str) -> Result<Arc<Item>> {
        let row = &self.table[kind];
        if let Some(observed) = row.observed {
            let found = self.observe_one(row, observed.sight, namespace, name).await?;
            return found.ok_or_else(|| (observed.absent)(namespace, name));
        }
        self.fresh().await;
        self.cache.get(kind, &key(row, namespace, name)).ok_or_else(|| ApiError::not_found(row.plural, row.group(), name))
    }

    /// The object of an item, without its managedFields.
    ///
    /// # Errors
    /// 500 when what is stored cannot be read.
    pub fn object(&self, kind: usize, item: &Item) -> Result<Box<dyn Object>> {
        codec::stored_object(&self.table[kind], &item.json).map_err(|error| ApiError::internal(format!("decode {}: {error}", item.key)))
    }

    /// What rules that ask beyond their object may know.
    fn moment<T>(&self, now: Timestamp, ask: impl FnOnce(&Moment<'_>) -> T) -> T {
        let find = |plural: &str, namespace: &str, name: &str| {
            let kind = self.find(plural)?;
            let item = self.cache.get(kind, &key(&self.table[kind], namespace, name))?;
            self.object(kind, &item).ok()
        };
        ask(&Moment { now, tokens: &self.tokens, find: &find })
    }

    fn kind(&self, call: &Call) -> &Kind {
        &self.table[call.kind]
    }

    fn version(&self, call: &Call) -> &Version {
        &self.table[call.kind].versions[call.version]
    }

    /// Asks every admission step. What a step reserves is held until the write can be seen.
    async fn admit(&self, attempt: &mut admission::Attempt<'_>) -> Result<Vec<Box<dyn Any + Send>>> {
        let cluster = self.cluster();
        for step in &self.steps {
            step.admit(attempt, &cluster).await?;
        }
        Ok(std::mem::take(&mut attempt.holds))
    }

    /// Asks every admission step about an object that is about to be stored.
    async fn validate(&self, attempt: &mut admission::Attempt<'_>) -> Result<Vec<Box<dyn Any + Send>>> {
        let cluster = self.cluster();
        for step in &self.steps {
            step.validate(attempt, &cluster).await?;
        }
        Ok(std::mem::take(&mut attempt.holds))
    }

    fn cluster(&self) -> Cluster<'_> {
        Cluster { table: &self.table, cache: &self.cache, statuses: self }
    }

    /// Stores an object and waits until it is durable.
    async fn put(
        &self,
        kind: &Kind,
        key: &str,
        stored: Bytes,
        expect: Expect,
        holds: Vec<Box<dyn Any + Send>>,
    ) -> Result<u64, mini_store::Error> {
        let key = format!("{}{key}", kind.prefix());
        if holds.is_empty() {
            return self.store.put(&key, stored, expect).await;
        }
        // Whoever asked may go away, or give up, before the write is done: what is reserved is held all the same.
        let (store, cache) = (self.store.clone(), self.cache.clone());
        let writing = detach("write", async move {
            let revision = store.put(&key, stored, expect).await?;
            cache.reached(revision).await;
            drop(holds);
            Ok(revision)
        });
        writing.await.unwrap_or(Err(mini_store::Error::Closed))
    }
}

#[async_trait]
impl Statuses for Registry {
    async fn merge_status(&self, plural: &str, item: &Item, change: Value) -> Result<()> {
        let kind = self.find(plural).ok_or_else(ApiError::no_resource)?;
        let mut call = Call::own(kind, item.namespace());
        let patch = json!({ "metadata": { "resourceVersion": item.revision.to_string() }, "status": change });
        let written = self.patch(&mut call, item.name(), Some("status"), Patch::Merge, patch.to_string().as_bytes()).await;
        self.fresh().await;
        written.map(|_| ())
    }
}

impl Call {
    /// A write of ours, such as the bootstrap's.
    #[must_use]
    pub fn own(kind: usize, namespace: &str) -> Self {
        Self {
            kind,
            version: 0,
            namespace: namespace.to_owned(),
            dry_run: false,
            validation: FieldValidation::Strict,
            manager: OWN.to_owned(),
            now: clock::now(),
            warnings: Vec::new(),
        }
    }
}

/// The key of an object within its kind.
#[must_use]
pub fn key(kind: &Kind, namespace: &str, name: &str) -> String {
    if kind.namespaced { format!("{namespace}/{name}") } else { name.to_owned() }
}

/// The JSON of an item as a tree.
fn tree(json: &[u8]) -> Result<Value> {
    codec::text(json).and_then(serde_json::from_str).map_err(|error| ApiError::internal(format!("decode a stored object: {error}")))
}
