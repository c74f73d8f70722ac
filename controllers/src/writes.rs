//! The only way a reconciler changes the cluster. Each write is noted, so that the next run of the same key waits until the
//! caches show it (see `freshness`); nobody can forget to.
//!
//! Answers are read only as far as the revision: what was written comes back through the watch like everything else.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Client, Resource,
    api::{ApiResource, DeleteParams, DynamicObject, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::Request,
};
use mini_daemon::write;
pub(crate) use mini_daemon::write::Written;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    cache::{Key, Mark, revision},
    freshness::{Doubt, Marks},
    reflectors::Reflectors,
};

/// Why a reconciler could not do what it meant to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A request was refused or did not arrive.
    #[error("{doing}: {}", message(source))]
    Request { doing: String, source: Box<kube::Error> },
    /// An object of ours has no JSON form.
    #[error("{doing}")]
    Encode { doing: String, source: serde_json::Error },
    /// The work goes on when something outside has moved; what, is for the logs.
    #[error("{0}")]
    Waiting(String),
    /// Several things could not be done, or one that is told in other words.
    #[error("{0}")]
    Told(String),
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

impl Error {
    /// The Status the API server answered, when it did.
    fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Error::Request { source, .. } => match &**source {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            _ => None,
        }
    }

    fn has_reason(&self, reason: &str) -> bool {
        self.status().is_some_and(|status| status.reason == reason)
    }

    /// Someone else wrote first.
    pub(crate) fn is_conflict(&self) -> bool {
        self.has_reason("Conflict")
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.status().is_some_and(|status| status.code == 404)
    }

    /// Nobody is there to answer.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.status().is_some_and(|status| status.code == 503)
    }

    pub(crate) fn is_already_exists(&self) -> bool {
        self.has_reason("AlreadyExists")
    }

    /// The namespace is being deleted: nothing new can be made in it.
    pub(crate) fn is_namespace_terminating(&self) -> bool {
        let causes = self.status().and_then(|status| status.details.as_ref()).map(|details| &details.causes);
        causes.into_iter().flatten().any(|cause| cause.reason == "NamespaceTerminating")
    }

    /// What the API server said, without what we were doing: Events quote it.
    pub(crate) fn message(&self) -> String {
        match self {
            Error::Request { source, .. } => message(source),
            other => other.to_string(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MetadataAnswer {
    metadata: ObjectMeta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MetadataList {
    items: Vec<MetadataAnswer>,
}

/// The writes of one run.
pub(crate) struct Writes {
    client: Client,
    reflectors: Arc<Reflectors>,
    marks: Mutex<Marks>,
}

impl Writes {
    pub(crate) fn new(client: Client, reflectors: Arc<Reflectors>) -> Self {
        Self { client, reflectors, marks: Mutex::default() }
    }

    /// What was written, to be waited for.
    pub(crate) fn into_marks(self) -> Marks {
        self.marks.into_inner()
    }

    /// Creates an object in the namespace its metadata names.
    pub(crate) async fn create<K>(&self, object: &K) -> Result<Written>
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        let body = encode(object)?;
        self.create_encoded::<K>(object.meta().namespace.as_deref().unwrap_or_default(), body).await
    }

    /// Creates an object from its JSON: the way to make many of one form.
    pub(crate) async fn create_encoded<K>(&self, namespace: &str, body: Vec<u8>) -> Result<Written>
    where
        K: Resource<DynamicType = ()>,
    {
        let resource = ApiResource::erase::<K>(&());
        let doing = || format!("create {} in {namespace:?}", resource.plural);
        let request = Request::new(url(&resource, namespace)).create(&PostParams::default(), body);
        let answer = self.write(request, doing).await;
        if answer.as_ref().is_err_and(|error| error.status().is_none()) {
            self.marks.lock().doubt(Doubt { resource: resource.clone(), namespace: namespace.to_owned() });
        }
        let written = answer?;
        self.note(&resource, Mark::Revision(written.revision()));
        Ok(written)
    }

    /// Asks what there is where something may have been created: the caches have to show that much.
    pub(crate) async fn find_out(&self, doubt: &Doubt) -> Result<()> {
        let there = self.list_metadata(&doubt.resource, &doubt.namespace).await?;
        let newest = there.iter().map(revision).max().unwrap_or(0);
        self.note(&doubt.resource, Mark::Revision(newest));
        Ok(())
    }

    /// Makes `old`, as the cache has it, into `new`, unless they are equal or someone else wrote meanwhile (a conflict).
    pub(crate) async fn update<K>(&self, old: &K, new: &K) -> Result<()>
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        self.update_at(old, new, None).await
    }

    /// The same for what the status subresource takes.
    pub(crate) async fn update_status<K>(&self, old: &K, new: &K) -> Result<()>
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        self.update_at(old, new, Some("status")).await
    }

    async fn update_at<K>(&self, old: &K, new: &K, subresource: Option<&str>) -> Result<()>
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        let value = |object: &K| {
            serde_json::to_value(object).map_err(|source| Error::Encode { doing: format!("encode a {}", K::kind(&())), source })
        };
        match difference(&value(old)?, &value(new)?) {
            Some(patch) => self.patch(&ApiResource::erase::<K>(&()), old.meta(), subresource, patch).await,
            None => Ok(()),
        }
    }

    /// Merges `patch` into the object `meta` is of, unless someone else wrote to it since.
    pub(crate) async fn patch(&self, resource: &ApiResource, meta: &ObjectMeta, subresource: Option<&str>, mut patch: Value) -> Result<()> {
        if let Some(version) = &meta.resource_version {
            patch["metadata"]["resourceVersion"] = json!(version);
            patch["metadata"]["uid"] = json!(meta.uid);
        }
        let key = Key::of(meta);
        let (target, parameters, patch) = (Request::new(url(resource, &key.namespace)), PatchParams::default(), Patch::Merge(patch));
        let request = match subresource {
            Some(name) => target.patch_subresource(name, &key.name, &parameters, &patch),
            None => target.patch(&key.name, &parameters, &patch),
        };
        let written = self.write(request, || format!("update {} {key}", resource.plural)).await?;
        self.note(resource, Mark::Revision(written.revision()));
        Ok(())
    }

    /// Deletes this very object; one that is gone already, or was replaced by a namesake, is as good as deleted.
    pub(crate) async fn delete<K>(&self, object: &K, params: DeleteParams) -> Result<()>
    where
        K: Resource<DynamicType = ()>,
    {
        let meta = object.meta();
        let uid = Preconditions { uid: meta.uid.clone(), resource_version: None };
        match self.delete_at(&ApiResource::erase::<K>(&()), meta, params.preconditions(uid)).await {
            Err(error) if error.is_conflict() => Ok(()),
            other => other,
        }
    }

    /// Deletes the object `meta` is of, under the preconditions in `params`. One that is gone already is no error.
    pub(crate) async fn delete_at(&self, resource: &ApiResource, meta: &ObjectMeta, params: DeleteParams) -> Result<()> {
        let key = Key::of(meta);
        let request = Request::new(url(resource, &key.namespace)).delete(&key.name, &params);
        match self.write(request, || format!("delete {} {key}", resource.plural)).await {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
        self.note(resource, Mark::Gone(key, meta.uid.clone().unwrap_or_default()));
        Ok(())
    }

    /// Deletes everything of a kind in a namespace.
    pub(crate) async fn delete_all(&self, resource: &ApiResource, namespace: &str) -> Result<()> {
        let request = Request::new(url(resource, namespace)).delete_collection(&DeleteParams::background(), &ListParams::default());
        let doing = || format!("delete all {} of {namespace}", resource.plural);
        self.send::<serde::de::IgnoredAny>(request, doing).await.map(|_| ())
    }

    /// Replaces what a subresource shows, such as a namespace's `finalize`.
    pub(crate) async fn replace<K>(&self, object: &K, subresource: &str) -> Result<()>
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        let (resource, key) = (ApiResource::erase::<K>(&()), Key::of(object.meta()));
        let request = Request::new(url(&resource, &key.namespace)).replace_subresource(
            subresource,
            &key.name,
            &PostParams::default(),
            encode(object)?,
        );
        let doing = || format!("replace {subresource} of {} {key}", resource.plural);
        let written = self.write(request, doing).await?;
        self.note(&resource, Mark::Revision(written.revision()));
        Ok(())
    }

    /// Reads an object from the API server itself, where the cache's word is not enough.
    pub(crate) async fn live<K>(&self, key: &Key) -> Result<Option<K>>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        self.live_at(&ApiResource::erase::<K>(&()), key).await
    }

    /// Reads an object's metadata from the API server itself.
    pub(crate) async fn live_metadata(&self, resource: &ApiResource, key: &Key) -> Result<Option<ObjectMeta>> {
        Ok(self.live_at::<MetadataAnswer>(resource, key).await?.map(|answer| answer.metadata))
    }

    async fn live_at<T: DeserializeOwned>(&self, resource: &ApiResource, key: &Key) -> Result<Option<T>> {
        let request = Request::new(url(resource, &key.namespace)).get(&key.name, &GetParams::default());
        match self.send(request, || format!("get {} {key}", resource.plural)).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads what the API server has at a path.
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.send(http::Request::get(path).body(Vec::new()).map_err(kube::core::request::Error::BuildRequest), || format!("get {path}"))
            .await
    }

    /// The metadata of everything of a kind in a namespace, as the API server has it now.
    pub(crate) async fn list_metadata(&self, resource: &ApiResource, namespace: &str) -> Result<Vec<ObjectMeta>> {
        let request = Request::new(url(resource, namespace)).list_metadata(&ListParams::default());
        let list: MetadataList = self.send(request, || format!("list {} of {namespace}", resource.plural)).await?;
        Ok(list.items.into_iter().map(|item| item.metadata).collect())
    }

    /// Everything of a kind in a namespace, as the API server has it now.
    pub(crate) async fn list<K>(&self, namespace: &str) -> Result<Vec<K>>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone,
    {
        let resource = ApiResource::erase::<K>(&());
        let request = Request::new(url(&resource, namespace)).list(&ListParams::default());
        let list: kube::core::ObjectList<K> = self.send(request, || format!("list {} of {namespace}", resource.plural)).await?;
        Ok(list.items)
    }

    fn note(&self, resource: &ApiResource, mark: Mark) {
        if let Some(source) = self.reflectors.source(resource) {
            self.marks.lock().note(source, mark);
        }
    }

    async fn write(&self, request: write::Request, doing: impl FnOnce() -> String) -> Result<Written> {
        write::send(&self.client, request).await.map_err(|error| Error::Request { doing: doing(), source: Box::new(error) })
    }

    async fn send<T: DeserializeOwned>(&self, request: write::Request, doing: impl FnOnce() -> String) -> Result<T> {
        let sent = match request {
            Ok(request) => self.client.request(request).await,
            Err(error) => Err(kube::Error::BuildRequest(error)),
        };
        sent.map_err(|error| Error::Request { doing: doing(), source: Box::new(error) })
    }
}

/// The JSON of an object, ready to be sent.
pub(crate) fn encode<K: Resource<DynamicType = ()> + Serialize>(object: &K) -> Result<Vec<u8>> {
    serde_json::to_vec(object).map_err(|source| Error::Encode { doing: format!("encode a {}", K::kind(&())), source })
}

fn url(resource: &ApiResource, namespace: &str) -> String {
    DynamicObject::url_path(resource, Some(namespace).filter(|namespace| !namespace.is_empty()))
}

/// The merge patch (RFC 7386) that makes `old` into `new`, or nothing when they are equal.
fn difference(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let mut patch = serde_json::Map::new();
    for (field, value) in new {
        match old.get(field) {
            Some(before) => patch.extend(difference(before, value).map(|change| (field.clone(), change))),
            None => patch.extend([(field.clone(), value.clone())]),
        }
    }
    patch.extend(old.keys().filter(|field| !new.contains_key(*field)).map(|field| (field.clone(), Value::Null)));
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// The revision of cached metadata as a precondition beside its UID: the object is still the one that was judged.
pub(crate) fn unchanged(meta: &ObjectMeta) -> Preconditions {
    let version = (revision(meta) > 0).then(|| meta.resource_version.clone()).flatten();
    Preconditions { uid: meta.uid.clone(), resource_version: version }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_says_only_what_is_different() {
        let old = json!({"spec": {"replicas": 3}, "status": {"replicas": 3, "readyReplicas": 2, "conditions": [{"type": "A"}]}});
        for (new, patch) in [
            (old.clone(), None),
            (
                json!({"spec": {"replicas": 3}, "status": {"replicas": 3, "conditions": [{"type": "A"}]}}),
                Some(json!({"status": {"readyReplicas": null}})),
            ),
            (
                json!({"spec": {"replicas": 4}, "status": {"replicas": 3, "readyReplicas": 2, "conditions": []}}),
                Some(json!({"spec": {"replicas": 4}, "status": {"conditions": []}})),
            ),
        ] {
            assert_eq!(difference(&old, &new), patch);
        }
    }
}
