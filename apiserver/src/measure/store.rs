//! How long the store takes: the store itself, timed. Under the names upstream has for the etcd below it, which is what
//! dashboards ask for.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use mini_store::{Entry, Error, Expect, Result, Revision, Store, Watch};
use tokio::time::Instant;

use super::{Family, Histogram, Number, page::Page};

/// Operation, group and plural of the keys it is about.
type Key = (&'static str, Box<str>, Box<str>);

/// What one operation on one resource took.
#[derive(Debug)]
struct Operation {
    duration: Histogram,
    errors: Number,
}

impl Default for Operation {
    fn default() -> Self {
        Self { duration: Histogram::of_seconds(), errors: Number::default() }
    }
}

/// A store whose operations are timed.
pub(crate) struct Timed {
    store: Arc<dyn Store>,
    operations: Family<Key, Operation>,
    /// Where it lies, if it lies somewhere.
    folder: Option<PathBuf>,
}

impl Timed {
    /// Times `store`, which was opened with this URL.
    pub(crate) fn new(store: Arc<dyn Store>, url: &str) -> Self {
        Self { store, operations: Family::default(), folder: url.strip_prefix("sled:").map(PathBuf::from) }
    }

    /// Tells of it.
    pub(crate) fn tell(&self, page: &mut Page) {
        let all = self.operations.all();
        let mut series: Vec<_> = all.iter().collect();
        series.sort_by(|a, b| a.0.cmp(b.0));
        let labels = |key: &Key| [("group", key.1.to_string()), ("operation", key.0.to_owned()), ("resource", key.2.to_string())];
        let name = "etcd_request_duration_seconds";
        page.family(name, "histogram", "[ALPHA] Etcd request latency in seconds for each operation and object type.");
        for (key, operation) in &series {
            page.histogram(name, &borrowed(&labels(key)), &operation.duration);
        }
        let name = "etcd_request_errors_total";
        page.family(name, "counter", "[ALPHA] Etcd failed request counts for each operation and object type.");
        for (key, operation) in series.iter().filter(|(_, operation)| operation.errors.get() > 0) {
            page.sample(name, &borrowed(&labels(key)), operation.errors.get());
        }
        if let Some(bytes) = self.folder.as_deref().and_then(size) {
            let name = "apiserver_storage_size_bytes";
            page.family(name, "gauge", "[STABLE] Size of the storage database file physically allocated in bytes.");
            page.sample(name, &[("storage_cluster_id", "etcd-0")], bytes);
        }
    }

    fn note<T>(&self, operation: &'static str, key: &str, began: Instant, result: &Result<T>) {
        let mut parts = key.strip_prefix("/registry/").unwrap_or_default().splitn(3, '/');
        // What is no resource's is nobody's.
        let (Some(group), Some(plural)) = (parts.next(), parts.next()) else { return };
        let group = if group == "core" { "" } else { group };
        self.operations.on(&(operation, group.into(), plural.into()), |series| {
            series.duration.observe_time(began.elapsed());
            // A precondition that does not hold is an answer.
            if result.as_ref().is_err_and(|error| !matches!(error, Error::Conflict { .. })) {
                series.errors.add(1);
            }
        });
    }
}

/// Labels as a page takes them.
fn borrowed<'l, const N: usize>(labels: &'l [(&'static str, String); N]) -> [(&'static str, &'l str); N] {
    std::array::from_fn(|at| (labels[at].0, labels[at].1.as_str()))
}

/// Bytes of the files in a folder.
fn size(folder: &Path) -> Option<u64> {
    let sizes = std::fs::read_dir(folder).ok()?.flatten().filter_map(|entry| {
        let about = entry.metadata().ok()?;
        if about.is_dir() { size(&entry.path()) } else { Some(about.len()) }
    });
    Some(sizes.sum())
}

#[async_trait]
impl Store for Timed {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let began = Instant::now();
        let result = self.store.get(key).await;
        self.note("get", key, began, &result);
        result
    }

    async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, Revision)> {
        let began = Instant::now();
        let result = self.store.list(prefix).await;
        self.note("list", prefix, began, &result);
        result
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision> {
        let began = Instant::now();
        let result = self.store.put(key, value, expect).await;
        self.note(if expect == Expect::Absent { "create" } else { "update" }, key, began, &result);
        result
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<Revision> {
        let began = Instant::now();
        let result = self.store.delete(key, expect).await;
        self.note("delete", key, began, &result);
        result
    }

    fn watch(&self, after: Revision) -> Result<Watch> {
        self.store.watch(after)
    }

    fn revision(&self) -> Revision {
        self.store.revision()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn operations_are_counted_by_resource() {
        let timed = Timed::new(mini_store::open("memory:").unwrap(), "memory:");
        let key = "/registry/apps/deployments/default/web";
        timed.put(key, Bytes::from_static(b"{}"), Expect::Absent).await.unwrap();
        timed.put(key, Bytes::from_static(b"{}"), Expect::Absent).await.unwrap_err();
        let mut page = Page::default();
        timed.tell(&mut page);
        let text = page.text();
        let counted = r#"etcd_request_duration_seconds_count{group="apps",operation="create",resource="deployments"} 2"#;
        assert!(text.contains(counted) && !text.contains("etcd_request_errors_total{"), "{text}");
    }
}
