//! Kinds that are observed and not stored: their objects are made each time they are read.

use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
    sync::Arc,
};

use futures::{StreamExt, future::ready, stream};
use mini_daemon::clock;

use super::{Registry, codec, key};
use crate::{
    cache::{Range, item::Item, select::Select},
    components,
    error::{ApiError, Result},
    kinds::{Kind, Sight, Survey, connect::kubelet_address, rules::Object},
    stats::{self, Summary},
};

/// How many kubelets are asked at a time.
const ASKED: usize = 64;

impl Registry {
    /// The objects of a kind as they are at this moment; `None` if it is stored.
    ///
    /// # Errors
    /// 500 when one of them cannot be written as JSON.
    pub async fn observe(&self, kind: usize, range: &Range, select: &Select) -> Result<Option<Vec<Arc<Item>>>> {
        let row = &self.table[kind];
        let Some(observed) = row.observed else { return Ok(None) };
        let mut items = match observed.sight {
            Sight::Components(_) => self.seen(row, &[]).await?,
            Sight::Kubelets(survey) => {
                let of = self.find(survey.of).ok_or_else(ApiError::no_resource)?;
                self.fresh().await;
                self.seen(row, &self.cache.list(of, range, select).items).await?
            }
        };
        items.retain(|item| select.wants(item));
        Ok(Some(items))
    }

    /// One object of a kind that is observed, if there is such a thing.
    ///
    /// # Errors
    /// As [`Registry::observe`].
    pub(super) async fn observe_one(&self, row: &Kind, sight: Sight, namespace: &str, name: &str) -> Result<Option<Arc<Item>>> {
        let among = match sight {
            Sight::Components(_) => Vec::new(),
            Sight::Kubelets(survey) => {
                let of = self.find(survey.of).ok_or_else(ApiError::no_resource)?;
                self.fresh().await;
                self.cache.get(of, &key(&self.table[of], namespace, name)).into_iter().collect()
            }
        };
        Ok(self.seen(row, &among).await?.into_iter().find(|item| item.name() == name))
    }

    /// What there is to see, of these items where it is about some.
    async fn seen(&self, row: &Kind, items: &[Arc<Item>]) -> Result<Vec<Arc<Item>>> {
        let objects = match row.observed.map(|observed| observed.sight) {
            None => Vec::new(),
            Some(Sight::Components(see)) => see(&components::check(&self.components, self.store_alive()).await),
            Some(Sight::Kubelets(survey)) => self.survey(survey, items).await?,
        };
        let item = |mut object: Box<dyn Object>| {
            let json = codec::stored(row, &mut *object, None)?;
            let meta = object.meta();
            let key = key(row, meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
            let item = Item::unstored(key.into(), json, row.fields);
            item.map(Arc::new).map_err(|error| ApiError::internal(format!("read what was observed: {error}")))
        };
        objects.into_iter().map(item).collect()
    }

    /// What the kubelets say of these items. Of what a kubelet that does not answer is in charge of, nothing is told.
    async fn survey(&self, survey: Survey, items: &[Arc<Item>]) -> Result<Vec<Box<dyn Object>>> {
        let kind = self.find(survey.of).ok_or_else(ApiError::no_resource)?;
        let objects = items.iter().map(|item| self.object(kind, item)).collect::<Result<Vec<_>>>()?;
        let nodes: BTreeSet<&str> = objects.iter().filter_map(|object| (survey.node)(&**object)).collect();
        let asked: Vec<_> = nodes.into_iter().filter_map(|node| self.summary(node)).collect();
        let summaries: HashMap<String, Summary> = stream::iter(asked).buffer_unordered(ASKED).filter_map(ready).collect().await;
        let now = clock::now();
        let tell = |object: &dyn Object| (survey.tell)(object, summaries.get((survey.node)(object)?)?, now);
        Ok(objects.iter().filter_map(|object| tell(&**object)).collect())
    }

    /// Asks the kubelet of a node, if one is known.
    fn summary(&self, node: &str) -> Option<impl Future<Output = Option<(String, Summary)>> + Send + use<>> {
        let kind = self.find("nodes")?;
        let object = self.object(kind, &*self.cache.get(kind, node)?).ok()?;
        let (address, node) = (kubelet_address(&*object)?.to_owned(), node.to_owned());
        Some(async move {
            match stats::ask(&address, &node).await {
                Ok(summary) => Some((node, summary)),
                Err(why) => {
                    tracing::debug!(node, why, "a kubelet does not say what is used");
                    None
                }
            }
        })
    }
}
