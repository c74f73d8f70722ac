//! A new object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use mini_daemon::clock;
use mini_store::Expect;
use serde_json::Value;

use super::{Call, Registry, Written, codec, drafts::Draft, key, managed, meta};
use crate::{
    admission::{Attempt, Verb},
    cache::item,
    error::{ApiError, Result},
    kinds::{Compute, Kind, field::Errors, rules::Object},
};

/// How many names are generated before giving up.
const GENERATED_TRIES: usize = 8;

impl Registry {
    /// Creates the object a POST's body describes.
    ///
    /// # Errors
    /// 4xx in upstream's words: a body that is no such object, a name that is taken, a broken rule, an admission step's no.
    pub async fn create(&self, call: &mut Call, body: &[u8]) -> Result<Written> {
        if let Some(compute) = self.kind(call).computed {
            let value = codec::read(self.kind(call), self.version(call), body, call)?;
            self.fresh().await;
            return self.answer(call, &value, compute);
        }
        let warned = call.warnings.len();
        let mut prefix = String::new();
        for _ in 1..GENERATED_TRIES {
            call.warnings.truncate(warned);
            let draft = match self.drafts.find(call, body) {
                Some(known) => self.another(call, &known),
                None => {
                    let value = codec::read(self.kind(call), self.version(call), body, call)?;
                    let draft = self.draft(call, &value, None)?;
                    // Who owned its fields since when would be told but once.
                    if value.pointer("/metadata/managedFields").is_none() {
                        self.drafts.keep(call, body, &draft, &call.warnings[warned..]);
                    }
                    draft
                }
            };
            // What is judged is what is acknowledged, such as a namespace the same client has just created.
            self.fresh().await;
            prefix = draft.object.meta().generate_name.clone().unwrap_or_default();
            if let Some(written) = self.create_draft(call, draft).await? {
                return Ok(written);
            }
            // A generated name was taken: another one will do.
        }
        Err(ApiError::already_exists(self.kind(call), &prefix))
    }

    /// Answers the question an object is, and stores nothing.
    fn answer(&self, call: &Call, value: &Value, compute: Compute) -> Result<Written> {
        let kind = self.kind(call);
        let Draft { mut object, entries, .. } = self.draft(call, value, None)?;
        let mut errors = Errors::new();
        kind.behaviour.validate(&*object, &mut errors);
        if !errors.is_empty() {
            return Err(ApiError::invalid(kind.name, kind.group(), "", &errors));
        }
        self.moment(call.now, |moment| compute(&mut *object, moment))?;
        Ok(Written { json: codec::stored(kind, &mut *object, managed::encode(&entries)?.as_deref())?, created: true })
    }

    /// Creates the object of a tree that the codec has read, whose name is given. `owned` says who owns what of it, where that is
    /// settled.
    pub(super) async fn create_value(&self, call: &mut Call, value: &Value, owned: Option<Vec<managed::Entry>>) -> Result<Written> {
        let draft = self.draft(call, value, owned)?;
        let name = draft.object.meta().name.clone().unwrap_or_default();
        self.create_draft(call, draft).await?.ok_or_else(|| ApiError::already_exists(self.kind(call), &name))
    }

    /// What a new object is before admission.
    fn draft(&self, call: &Call, value: &Value, owned: Option<Vec<managed::Entry>>) -> Result<Draft> {
        let kind = self.kind(call);
        let mut object = codec::object(kind, value)?;
        let generated = name(kind, call, &mut *object)?;
        kind.behaviour.defaults(&mut *object);
        let given =
            object.meta_mut().managed_fields.take().map(|given| serde_json::to_vec(&given).and_then(|json| serde_json::from_slice(&json)));
        let given = given.transpose().map_err(|error| ApiError::bad_request(error.to_string()))?;
        let entries = match owned {
            Some(owned) => owned,
            None => self.track(call, given, None, self.written(call, &*object)?, None).unwrap_or_default(),
        };
        Ok(Draft { object, entries, generated })
    }

    /// One more object of a body that was read before.
    fn another(&self, call: &Call, known: &Draft) -> Draft {
        let mut draft = known.copy();
        generate(draft.object.meta_mut());
        // Some say the name.
        self.kind(call).behaviour.defaults(&mut *draft.object);
        managed::date(&mut draft.entries, call.now);
        draft
    }

    /// Admits and stores a new object; `None` when its generated name was taken.
    async fn create_draft(&self, call: &mut Call, draft: Draft) -> Result<Option<Written>> {
        let kind = self.kind(call);
        let Draft { mut object, entries, generated } = draft;
        let managed = managed::encode(&entries)?;
        let name = object.meta().name.clone().unwrap_or_default();
        let mut attempt = Attempt::new(kind, Verb::Create, &call.namespace, &name, None, &mut *object);
        let holds = self.admit(&mut attempt).await?;
        begin(kind, call, &mut *object);
        kind.behaviour.on_create(&mut *object);
        let mut errors = Errors::new();
        meta::validate(kind, object.meta(), &mut errors);
        kind.behaviour.validate(&*object, &mut errors);
        kind.behaviour.validate_create(&*object, &mut errors);
        if !errors.is_empty() {
            return Err(ApiError::invalid(kind.name, kind.group(), &name, &errors));
        }
        let mut attempt =
            Attempt { dry_run: call.dry_run, holds, ..Attempt::new(kind, Verb::Create, &call.namespace, &name, None, &mut *object) };
        let holds = self.validate(&mut attempt).await?;
        let warnings = kind.behaviour.warnings(&*object);
        let stored = codec::stored(kind, &mut *object, managed.as_deref())?;
        let key = key(kind, &call.namespace, &name);
        if call.dry_run {
            self.fresh().await;
            if self.cache.get(call.kind, &key).is_some() {
                return Err(ApiError::already_exists(kind, &name));
            }
            call.warnings.extend(warnings);
            return Ok(Some(Written { json: stored, created: true }));
        }
        match self.put(kind, &key, stored.clone(), Expect::Absent, holds).await {
            Ok(revision) => {
                call.warnings.extend(warnings);
                Ok(Some(Written { json: item::with_revision(&stored, revision), created: true }))
            }
            Err(mini_store::Error::Conflict { .. }) if generated => Ok(None),
            Err(mini_store::Error::Conflict { .. }) => Err(ApiError::already_exists(kind, &name)),
            Err(error) => Err(error.into()),
        }
    }

    /// An object as managedFields see a write of the whole: without the status, where that is written apart.
    pub(super) fn written(&self, call: &Call, object: &dyn Object) -> Result<Value> {
        let json = object.json().map_err(|error| ApiError::bad_request(error.to_string()))?;
        let mut value = super::tree(&json)?;
        without_status(self.kind(call), &mut value);
        Ok(value)
    }

    /// The managedFields after this write. `entries` are those before it; `old` and `new` are what it could change, in
    /// the stored version.
    pub(super) fn track(
        &self,
        call: &Call,
        entries: Option<Vec<managed::Entry>>,
        mut old: Option<Value>,
        mut new: Value,
        subresource: Option<&str>,
    ) -> Option<Vec<managed::Entry>> {
        let (kind, version) = (self.kind(call), self.version(call));
        for value in old.iter_mut().chain([&mut new]) {
            // Fields are named as in the version that was written.
            (version.conversion.downgrade)(value);
            if subresource.is_none() {
                without_status(kind, value);
            }
        }
        let who = managed::Writer {
            manager: &call.manager,
            api_version: &version.api_version,
            subresource,
            operation: managed::Operation::Update,
        };
        managed::track(&(version.schema)(), entries, old.as_ref(), &new, &who, call.now)
    }
}

/// Takes the status out of an object, where that is written apart.
pub(super) fn without_status(kind: &Kind, value: &mut Value) {
    if let Some(map) = value.as_object_mut().filter(|_| kind.status) {
        map.remove("status");
    }
}

/// Settles the object's name and namespace; says whether the name was generated.
fn name(kind: &Kind, call: &Call, object: &mut dyn Object) -> Result<bool> {
    let meta = object.meta_mut();
    if meta.resource_version.as_deref().is_some_and(|version| !version.is_empty()) {
        return Err(ApiError::internal("resourceVersion should not be set on objects to be created"));
    }
    if kind.namespaced {
        if meta.namespace.as_deref().is_some_and(|namespace| !namespace.is_empty() && namespace != call.namespace) {
            return Err(ApiError::bad_request("the namespace of the provided object does not match the namespace sent on the request"));
        }
        meta.namespace = Some(call.namespace.clone());
    } else {
        meta.namespace = None;
    }
    let is_given = meta.name.as_deref().is_some_and(|name| !name.is_empty());
    Ok(!is_given && generate(meta))
}

/// Gives an object a name of its own, if it asks for one.
fn generate(meta: &mut ObjectMeta) -> bool {
    let Some(prefix) = meta.generate_name.as_deref().filter(|prefix| !prefix.is_empty()) else { return false };
    meta.name = Some(meta::generate(prefix));
    true
}

/// Fills in what only the server knows.
fn begin(kind: &Kind, call: &Call, object: &mut dyn Object) {
    let meta = object.meta_mut();
    meta.uid = Some(clock::uuid());
    meta.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(call.now));
    meta.deletion_timestamp = None;
    meta.deletion_grace_period_seconds = None;
    meta.self_link = None;
    meta.generation = kind.generation.then_some(1);
}
