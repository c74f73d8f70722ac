//! Memory: versioned bytes under string keys, and the one promise everything else stands on — **a write is
//! acknowledged, and seen by anybody, only after it is durable, in revision order**.
//!
//! This room must not know what a value means: no kinds, no JSON, no HTTP, no other crate of ours.
//!
//! | module | what it is |
//! |---|---|
//! | `committer` | the one writer: queue → decide → apply → sync → publish → acknowledge; the seam `Log` under it |
//! | `hub` | fan-out of what became durable, and the recent history watchers replay |
//! | `memory`, `sled` | the back ends: five verbs each |
//! | `journal` | a file in front of one, so that a write waits for the end of a file and for nothing else |
//! | `conformance` | one suite for every back end |
//!
//! To add a back end: one file that implements `Log` (or, if it brings its own commit as etcd does, [`Store`]), one
//! arm in [`open`], and one line in the tests of `conformance`.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

mod committer;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(test)]
mod failing;
mod hub;
mod journal;
mod memory;
mod sled;

pub use hub::Watch;

/// A point in the history of the whole store. One counter for all keys; every successful write takes the next
/// number. The empty store is at 1, so the first write is 2 (as in etcd), and 0 means "before everything".
pub type Revision = u64;

/// The revision of a store nothing was ever written to.
pub const EMPTY: Revision = 1;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1024;

/// The largest value, in bytes: the API's largest request body (3 MiB) and room for what defaulting adds to it.
pub const MAX_VALUE: usize = 4 << 20;

/// A key that exists, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Arc<str>,
    /// Its bytes, exactly as they were put.
    pub value: Bytes,
    /// The revision of the write that put them.
    pub revision: Revision,
}

/// One write that became durable, as watchers are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key written.
    pub key: Arc<str>,
    /// The revision the write was given.
    pub revision: Revision,
    /// The new value; `None` if the key was deleted.
    pub value: Option<Bytes>,
    /// The key did not exist before this write. (Of a removal, a back end may be told so: then nothing but the revision moves.)
    pub created: bool,
}

/// What the writer believes about the key. There is no blind write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The key does not exist. (Never true of a delete.)
    Absent,
    /// The key exists and was last written at this revision.
    At(Revision),
}

/// Why the store did not do what it was asked.
///
/// Cheap to clone: one failed sync answers every write of its batch.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The key is not as the write's [`Expect`] said. Nothing was written.
    #[error("{key} {}, which is not what the write expected", found(*actual))]
    Conflict {
        /// The key of the write.
        key: Arc<str>,
        /// The revision it is at; `None` if it does not exist.
        actual: Option<Revision>,
    },
    /// The history no longer reaches back to the revision asked for: list, and watch from there.
    #[error("the requested revision has been compacted; the oldest that can be watched from is {oldest}")]
    Compacted {
        /// The smallest `after` that [`Store::watch`] still serves.
        oldest: Revision,
    },
    /// The revision asked for has not been given out yet.
    #[error("revision {requested} is in the future; the store is at {current}")]
    Future {
        /// What was asked for.
        requested: Revision,
        /// The newest revision.
        current: Revision,
    },
    /// The key or the value is longer than the store takes. Nothing was written.
    #[error("the {what} is too large: {size} bytes, at most {limit}")]
    TooLarge {
        /// `"key"` or `"value"`.
        what: &'static str,
        /// Its length in bytes.
        size: usize,
        /// [`MAX_KEY`] or [`MAX_VALUE`].
        limit: usize,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// An earlier commit failed half-way, so memory and disk may differ; the store does nothing more until it is
    /// opened anew, which reads the truth from the disk.
    #[error("the store stopped after a failed commit; restart to continue from what is on disk")]
    Broken {
        /// The failure that stopped it.
        source: Arc<Error>,
    },
    /// The operating system or the engine under the back end refused. If this answers a write, it may or may not
    /// have reached the disk.
    #[error("{doing}")]
    Io {
        /// What the store was doing.
        doing: &'static str,
        /// What went wrong.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// What is on disk is not something this program wrote completely.
    #[error("{} is damaged ({what}); restore it from a copy, or move it away to start empty", dir.display())]
    Corrupt {
        /// The store's folder.
        dir: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Another process has the store open.
    #[error("another mini-apiserver uses {}; stop it or use another --data-dir", dir.display())]
    Locked {
        /// The store's folder.
        dir: PathBuf,
    },
    /// A later version of this program wrote the store.
    #[error(
        "{} has format {found}, this program reads up to {supported}; use the newer program, or another --data-dir",
        dir.display()
    )]
    Newer {
        /// The store's folder.
        dir: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format this program knows.
        supported: u32,
    },
    /// No back end of that name.
    #[error("cannot open store {url:?}: supported are sled:DIR and memory:")]
    Unsupported {
        /// What was asked for.
        url: String,
    },
}

impl Error {
    /// An [`Error::Io`]: `doing` says what we were doing, `source` why it failed.
    pub(crate) fn io(doing: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Io { doing, source: Arc::new(source) }
    }
}

fn found(actual: Option<Revision>) -> String {
    actual.map_or_else(|| "does not exist".to_owned(), |revision| format!("is at revision {revision}"))
}

/// What the store answers with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Versioned bytes. Every method may be called from any task at any time.
///
/// Dropping the last reference closes the store: what was queued is still committed, watches end with
/// [`Error::Closed`], and the drop returns when the files are released (a read that nobody waits for any more keeps them
/// until it is done).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// What `key` holds, or `None`. Never shows a write that is not durable.
    async fn get(&self, key: &str) -> Result<Option<Entry>>;

    /// Every entry whose key starts with `prefix`, in key order (bytewise), and the revision at which the answer is
    /// true: no write at or below it is missing, none above it included. Watch after that revision to continue.
    async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, Revision)>;

    /// Writes `value` if `expect` holds; the revision it was given. Returns once the write is durable.
    ///
    /// # Errors
    /// [`Error::Conflict`], [`Error::TooLarge`]: nothing was written. Any other: it may or may not have been.
    /// The same is true if the future is dropped before it is ready.
    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision>;

    /// Removes `key` if it is [`Expect::At`]; the revision of the removal. [`Expect::Absent`] is always a conflict.
    ///
    /// # Errors
    /// As [`Store::put`].
    async fn delete(&self, key: &str, expect: Expect) -> Result<Revision>;

    /// Every change of the whole store with a revision greater than `after`, in revision order, without a gap.
    ///
    /// # Errors
    /// [`Error::Compacted`] if the history does not reach back to `after` (nothing does across a restart);
    /// [`Error::Future`] if `after` has not been given out yet.
    fn watch(&self, after: Revision) -> Result<Watch>;

    /// The newest durable revision. One atomic load.
    fn revision(&self) -> Revision;
}

/// Opens the store `url` names: `sled:DIR` (durable, one process at a time) or `memory:` (gone with the process).
///
/// Blocks while it reads the disk.
///
/// # Errors
/// [`Error::Unsupported`], [`Error::Locked`], [`Error::Newer`], [`Error::Corrupt`], [`Error::Io`].
pub fn open(url: &str) -> Result<Arc<dyn Store>> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Arc::new(committer::Committer::inline(memory::Memory::default())?)),
        Some(("sled", dir)) if !dir.is_empty() => {
            let dir = dir.as_ref();
            Ok(Arc::new(committer::Committer::threaded(journal::Journal::open(dir, sled::Sled::open(dir)?)?)?))
        }
        _ => Err(Error::Unsupported { url: url.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        open(url).err().expect("must be refused").to_string()
    }

    #[test]
    fn an_unknown_back_end_is_refused_with_the_names_of_the_known_ones() {
        for url in ["etcd:http://localhost:2379", "sled:", "memory:x", "sled", ""] {
            let text = refusal(url);
            assert_eq!(text, format!("cannot open store {url:?}: supported are sled:DIR and memory:"));
        }
    }

    #[test]
    fn errors_say_what_happened_and_what_to_do() {
        let conflict = |actual| Error::Conflict { key: "/pods/a".into(), actual }.to_string();
        assert_eq!(conflict(Some(7)), "/pods/a is at revision 7, which is not what the write expected");
        assert_eq!(conflict(None), "/pods/a does not exist, which is not what the write expected");
        assert_eq!(
            Error::Locked { dir: "/data".into() }.to_string(),
            "another mini-apiserver uses /data; stop it or use another --data-dir"
        );
    }
}
