//! The server's OpenAPI documents, one of each group-version that was asked for, fetched when first needed. It knows no kind.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use crate::{discover::Resource, patch::Schema, server::Server};

/// What was fetched so far.
#[derive(Default)]
pub(crate) struct Schemas {
    index: OnceCell<Value>,
    documents: Mutex<BTreeMap<String, Option<Arc<Value>>>>,
}

/// A document, if there is one, and the kind in it.
pub(crate) struct Described {
    document: Option<Arc<Value>>,
    resource: Resource,
}

impl Described {
    /// The schema of the kind, if the server describes it.
    pub(crate) fn schema(&self) -> Option<Schema<'_>> {
        let resource = &self.resource;
        Schema::of_kind(self.document.as_deref()?, &resource.group, &resource.version, &resource.kind)
    }
}

impl Schemas {
    /// What the server says about the kind of this resource; that it says nothing is no failure: patches are then made without.
    pub(crate) async fn of(&self, server: &Server, resource: &Resource) -> Described {
        Described { document: self.document(server, resource).await, resource: resource.clone() }
    }

    async fn document(&self, server: &Server, resource: &Resource) -> Option<Arc<Value>> {
        let root = if resource.group.is_empty() { "api" } else { "apis" };
        let key = format!("{root}/{}", resource.group_version());
        let mut documents = self.documents.lock().await;
        if let Some(known) = documents.get(&key) {
            return known.clone();
        }
        let index = self.index.get_or_init(|| async { server.get("/openapi/v3").await.unwrap_or_default() }).await;
        let document = match index["paths"][&key]["serverRelativeURL"].as_str() {
            Some(path) => server.get(path).await.ok().map(Arc::new),
            None => None,
        };
        documents.insert(key, document.clone());
        document
    }
}
