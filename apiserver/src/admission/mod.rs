//! What the cluster as a whole has to say about a write, beyond the rules of the object's own kind: an ordered list of steps.
//!
//! To add a step, write one file and add its word to the list, at its place. A step is asked twice: before the rules of the
//! object's kind, when it may change the object, and after them, when nothing but the store can say no any more. Steps see the
//! cache, never the store, and change nothing but the object they are asked about, [`Statuses`] apart.

use std::{any::Any, cmp::Reverse, sync::OnceLock};

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use memchr::memmem;
use serde_json::Value;

use crate::{
    Admission,
    cache::{Cache, Range, item::Item, select::Select},
    error::Result,
    kinds::{
        Kind,
        rules::{Object, Type, cast},
    },
    registry::codec,
};

/// Declares the steps, in the order they are asked.
macro_rules! steps {
    ($($step:ident $(($config:ident))?),* $(,)?) => {
        $(mod $step;)*
        /// Every step, in order. One that can be told something is made of it.
        #[must_use]
        pub fn steps(config: &Admission) -> Vec<Box<dyn Step>> {
            $($(let $config = config;)?)*
            vec![$(Box::new(steps!(@ $step $($config)?))),*]
        }
    };
    (@ $step:ident) => { $step::Plugin::default() };
    (@ $step:ident $config:ident) => { $step::Plugin::new($config) };
}

steps![
    namespace_lifecycle,
    limit_ranger,
    default_tolerations(config),
    priority,
    service_account,
    node_taints,
    default_storage_class,
    default_ingress_class,
    storage_protection,
    claim_resize,
    service_addresses,
    // The last: what is counted is stored.
    resource_quota,
];

/// What is being done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It is new.
    Create,
    /// It changes.
    Update,
    /// It is to go.
    Delete,
}

/// One write that asks for admission.
pub struct Attempt<'a> {
    /// The object's kind.
    pub kind: &'a Kind,
    /// What is being done.
    pub verb: Verb,
    /// Where, empty for what lives in no namespace.
    pub namespace: &'a str,
    /// To which object.
    pub name: &'a str,
    /// To which part of it, if not to the whole.
    pub subresource: Option<&'a str>,
    /// The object as it is to become.
    pub object: &'a mut dyn Object,
    /// The object as it is, where there is one.
    pub before: Option<&'a Before<'a>>,
    /// Whether nothing is to be stored.
    pub dry_run: bool,
    /// What a step reserved for this write; let go once the write can be seen in the cache, or has failed.
    pub holds: Vec<Box<dyn Any + Send>>,
}

impl<'a> Attempt<'a> {
    /// An attempt without an earlier state.
    #[must_use]
    pub fn new(
        kind: &'a Kind,
        verb: Verb,
        namespace: &'a str,
        name: &'a str,
        subresource: Option<&'a str>,
        object: &'a mut dyn Object,
    ) -> Self {
        Self { kind, verb, namespace, name, subresource, object, before: None, dry_run: false, holds: Vec::new() }
    }

    /// The object as it is, if there is one.
    fn old(&self) -> Option<&'a dyn Object> {
        self.before?.object()
    }

    /// The object, if it is a new one of this type.
    fn created<K: Type>(&mut self) -> Option<&mut K> {
        if self.verb == Verb::Create && self.subresource.is_none() { self.object.any_mut().downcast_mut() } else { None }
    }

    /// Whether the attempt is about objects of this resource in the core group.
    fn is_core(&self, plural: &str) -> bool {
        self.kind.group().is_empty() && self.kind.plural == plural
    }
}

/// An object as it is stored, read when a step asks: hardly any does.
pub struct Before<'a> {
    kind: &'a Kind,
    item: &'a Item,
    read: OnceLock<Option<Box<dyn Object>>>,
}

impl<'a> Before<'a> {
    /// That of an item.
    #[must_use]
    pub fn new(kind: &'a Kind, item: &'a Item) -> Self {
        Self { kind, item, read: OnceLock::new() }
    }

    fn object(&self) -> Option<&dyn Object> {
        // What cannot be read is not changed either.
        self.read.get_or_init(|| codec::stored_object(self.kind, &self.item.json).ok()).as_deref()
    }
}

/// What steps may see of the cluster.
pub struct Cluster<'a> {
    /// Every kind.
    pub table: &'a [Kind],
    /// Every object.
    pub cache: &'a Cache,
    /// How what a step keeps account of is written.
    pub statuses: &'a dyn Statuses,
}

/// Writes the status of objects in which a step keeps account of the writes it is asked about.
#[async_trait]
pub trait Statuses: Send + Sync {
    /// Merges `change` into the status of the object of which `item` is the newest state. It is durable, and in the cache, when
    /// this returns.
    ///
    /// # Errors
    /// 409 when it has changed meanwhile, 404 when it is gone; either way the cache shows that then.
    async fn merge_status(&self, plural: &str, item: &Item, change: Value) -> Result<()>;
}

impl Cluster<'_> {
    fn index(&self, plural: &str) -> Option<usize> {
        self.table.iter().position(|kind| kind.plural == plural)
    }

    /// One object of the resource, as it is in the cache.
    fn item(&self, plural: &str, key: &str) -> Option<std::sync::Arc<Item>> {
        self.cache.get(self.index(plural)?, key)
    }

    /// One object of the resource, decoded.
    fn named<K: Type>(&self, plural: &str, key: &str) -> Option<K> {
        let item = self.item(plural, key)?;
        self.decode(self.index(plural)?, &item)
    }

    /// An object without its managedFields, which no step looks at.
    fn decode<K: Type>(&self, index: usize, item: &Item) -> Option<K> {
        let object = codec::stored_object(&self.table[index], &item.json).ok()?;
        Some(cast::<K>(&*object).clone())
    }

    /// All objects of the resource.
    fn all<K: Type>(&self, plural: &str) -> Vec<K> {
        self.within(plural, &Range::default())
    }

    /// All objects of the resource in whose JSON this text stands, wherever: others are not worth decoding.
    fn saying<K: Type>(&self, plural: &str, text: &str) -> Vec<K> {
        let text = memmem::Finder::new(text);
        self.chosen(plural, &Range::default(), |item| text.find(&item.json).is_some())
    }

    /// All objects of the resource in a namespace.
    fn in_namespace<K: Type>(&self, plural: &str, namespace: &str) -> Vec<K> {
        self.within(plural, &Range { namespace: Some(namespace.to_owned()), ..Range::default() })
    }

    fn within<K: Type>(&self, plural: &str, range: &Range) -> Vec<K> {
        self.chosen(plural, range, |_| true)
    }

    fn chosen<K: Type>(&self, plural: &str, range: &Range, choose: impl Fn(&Item) -> bool) -> Vec<K> {
        let Some(index) = self.index(plural) else { return Vec::new() };
        let listing = self.cache.list(index, range, &Select::default());
        listing.items.iter().filter(|item| choose(item)).filter_map(|item| self.decode(index, item)).collect()
    }
}

/// Which of several classes that are marked as the default counts: the newest, and of those the first by name.
fn newest(marked: impl Iterator<Item = ObjectMeta>) -> Option<String> {
    marked.min_by_key(|meta| (Reverse(meta.creation_timestamp.clone()), meta.name.clone()))?.name
}

/// One step.
#[async_trait]
pub trait Step: Send + Sync {
    /// Lets the attempt pass, changed or not, or refuses it.
    ///
    /// # Errors
    /// The refusal, as the client is to see it.
    async fn admit(&self, _: &mut Attempt<'_>, _: &Cluster<'_>) -> Result<()> {
        Ok(())
    }

    /// Lets an object pass that is about to be stored as it is, or refuses it.
    ///
    /// # Errors
    /// The refusal, as the client is to see it.
    async fn validate(&self, _: &mut Attempt<'_>, _: &Cluster<'_>) -> Result<()> {
        Ok(())
    }
}
