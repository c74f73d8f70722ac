//! Kinds that are observed and not stored: their objects are made each time they are read.

use std::sync::Arc;

use super::{Registry, codec, key};
use crate::{
    cache::item::Item,
    components,
    error::{ApiError, Result},
    kinds::rules::Object,
};

impl Registry {
    /// The objects of a kind as they are at this moment; `None` if it is stored.
    ///
    /// # Errors
    /// 500 when one of them cannot be written as JSON.
    pub async fn observe(&self, kind: usize) -> Result<Option<Vec<Arc<Item>>>> {
        let row = &self.table[kind];
        let Some(observed) = row.observed else { return Ok(None) };
        let checkups = components::check(&self.components, self.store_alive()).await;
        let item = |mut object: Box<dyn Object>| {
            let json = codec::stored(row, &mut *object, None)?;
            let meta = object.meta();
            let key = key(row, meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
            let item = Item::unstored(key.into(), json, row.fields);
            item.map(Arc::new).map_err(|error| ApiError::internal(format!("read what was observed: {error}")))
        };
        (observed.see)(&checkups).into_iter().map(item).collect::<Result<_>>().map(Some)
    }
}
