//! The back end without a disk: gone with the process, and as fast as a map.
//!
//! For tests and throw-away clusters. There is nothing to wait for, so its commits run on the caller's thread, which
//! also keeps a whole cluster on one thread deterministic.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::committer::{Loaded, Log};
use crate::{Change, EMPTY, Entry, Result, Revision};

/// Every key and what it holds.
#[derive(Default)]
pub(crate) struct Memory {
    records: RwLock<BTreeMap<Arc<str>, (Revision, Bytes)>>,
}

impl Log for Memory {
    fn load(&self) -> Result<Loaded> {
        Ok(Loaded { revision: EMPTY, index: Default::default() })
    }

    fn apply(&self, batch: &[Change]) -> Result<()> {
        let mut records = self.records.write();
        for change in batch {
            match &change.value {
                Some(value) => records.insert(Arc::clone(&change.key), (change.revision, value.clone())),
                None => records.remove(&change.key),
            };
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn get(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.records.read().get_key_value(key).map(entry))
    }

    fn scan(&self, prefix: &str) -> Result<Vec<Entry>> {
        let records = self.records.read();
        let from = records.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        Ok(from.take_while(|(key, _)| key.starts_with(prefix)).map(entry).collect())
    }
}

fn entry((key, (revision, value)): (&Arc<str>, &(Revision, Bytes))) -> Entry {
    Entry { key: Arc::clone(key), value: value.clone(), revision: *revision }
}
