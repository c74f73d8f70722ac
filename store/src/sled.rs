//! The back end on a disk: sled 0.34, in a folder of its own.
//!
//! **Keys** (one tree, sled's default one; all integers big-endian):
//!
//! | key | value | |
//! |---|---|---|
//! | `00 "format"` | `u32` | version of this table; written first, checked on open |
//! | `00 "tip"` | `revision records` (`u64 u64`) | the counter: no acknowledged revision is above it; and how many records there are |
//! | `01 revision part` (`u64 u32`) | bytes | part 1, 2, … of the value written at that revision |
//! | `02 key` | `revision parts bytes` (`u64 u32 …`) | a record: its last write, how many parts follow elsewhere, and part 0 |
//!
//! **Why parts.** sled keeps some sixteen records to a node and writes a whole node at a time; a node beyond a quarter
//! of a segment goes to a file in `blobs/`, which sled never syncs. A value is therefore cut at [`PART`] bytes, so that
//! no node gets that large and everything lives in the one file we do sync.
//!
//! **Order.** A batch goes to sled as one atomic `Batch` (counter, records, parts, and the removal of the parts they
//! replace): after a kill -9 or a power cut all of it is there or nothing. Batches are recovered in order, so what is
//! found is always the state after some batch at or above the last acknowledged one. The counter is in every
//! batch, so deletes move it too.
//!
//! **Durability.** `flush()` of sled 0.34 does not keep its promise on Linux: it calls `sync_file_range`, which neither
//! flushes the disk's own cache nor the file's size. So after it we `fdatasync` a second handle of sled's file. (Its
//! background thread does fsync, every 500 ms, and collects garbage: it must stay on.)
//!
//! **The mark.** sled takes whatever follows the first damaged page of its log for a torn tail and silently cuts it off:
//! one bad sector would turn back the clock. So a file of our own, `mark`, holds the newest revision known to be durable
//! (`u64`), written after each sync. It is not synced itself: after a kill it is exact, after a power cut it may be
//! older, never newer. A store that comes back below its mark, or with fewer records than it counted, is refused. The lock
//! on the same file says who has the store.
//!
//! **Limits.** One process at a time. Opening reads every record. sled repairs what it can while it opens: a store that
//! was refused as damaged is no longer quite what it was. A record that reverts to an older state of itself (damage in
//! the middle of the log) is not noticed. sled moves old nodes to reuse their segments, and orders that with
//! `sync_file_range` only: on a disk with a volatile write cache, a power cut in the few milliseconds before our next
//! `fdatasync` could hurt older data.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use sled::{Batch, Db, IVec, Mode};

use crate::committer::{Index, Loaded, Log};
use crate::{Change, EMPTY, Entry, Error, Result, Revision};

const FORMAT: u32 = 1;
const FORMAT_KEY: &[u8] = b"\0format";
const TIP_KEY: &[u8] = b"\0tip";
const PART_TAG: u8 = 1;
const RECORD_TAG: u8 = 2;

/// Revision and number of parts, before the bytes of a record.
const HEADER: usize = 12;

/// Values are cut at so many bytes. Thirty-two records of this size, with the longest key, still fit a quarter of a
/// [`SEGMENT`]; a node has at most some twenty.
const PART: usize = 12 << 10;

/// Bytes of sled's unit of allocation (and of its write buffer). On disk: cannot be changed for an existing store.
const SEGMENT: usize = 2 << 20;

/// Bytes of nodes sled keeps decoded. Small: our reads are rare, the API server has its own cache.
const CACHE: u64 = 16 << 20;

/// How long a store that was just closed in this process may still be held by sled's worker threads.
const LINGER: Duration = Duration::from_secs(2);

/// An open store.
pub(crate) struct Sled {
    db: Db,
    /// A second handle of the file sled writes to; see "Durability".
    file: File,
    dir: PathBuf,
    tip: Mutex<Tip>,
    /// See "The mark". Last, so that the lock is released after sled has let go.
    mark: File,
}

/// What the last batch applied leaves behind.
#[derive(Default)]
struct Tip {
    revision: Revision,
    records: u64,
    /// The parts of every value that has any: what to remove when it is replaced.
    parts: HashMap<Arc<str>, Parts>,
}

impl Tip {
    fn encode(&self) -> [u8; 16] {
        (u128::from(self.revision) << 64 | u128::from(self.records)).to_be_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let number = u128::from_be_bytes(bytes.try_into().ok()?);
        Some(Self { revision: (number >> 64) as u64, records: number as u64, parts: HashMap::new() })
    }
}

/// Where the rest of a value is.
#[derive(Clone, Copy)]
struct Parts {
    revision: Revision,
    count: u32,
}

impl Parts {
    fn keys(self) -> impl Iterator<Item = [u8; 13]> {
        (1..=self.count).map(move |part| {
            let mut key = [PART_TAG; 13];
            key[1..9].copy_from_slice(&self.revision.to_be_bytes());
            key[9..].copy_from_slice(&part.to_be_bytes());
            key
        })
    }
}

/// A record, taken apart.
struct Record<'a> {
    revision: Revision,
    parts: u32,
    head: &'a [u8],
}

impl<'a> Record<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (revision, rest) = bytes.split_first_chunk()?;
        let (parts, head) = rest.split_first_chunk()?;
        Some(Self { revision: u64::from_be_bytes(*revision), parts: u32::from_be_bytes(*parts), head })
    }
}

fn record_key(key: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + key.len());
    bytes.push(RECORD_TAG);
    bytes.extend_from_slice(key.as_bytes());
    bytes
}

/// The bytes of a value that part 0, 1, 2, … holds.
fn pieces(size: usize) -> impl Iterator<Item = Range<usize>> {
    let count = size.div_ceil(PART).max(1);
    (0..count).map(move |part| part * PART..size.min((part + 1) * PART))
}

impl Sled {
    /// Opens or creates the store in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let failed = |source| Error::io("opening the store's folder", source);
        fs::create_dir_all(dir).map_err(failed)?;
        let mark = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(dir.join("mark")).map_err(failed)?;
        match mark.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let db = open_engine(dir)?;
        let file = OpenOptions::new().read(true).write(true).open(dir.join("db")).map_err(failed)?;
        let store = Self { db, file, dir: dir.to_owned(), tip: Mutex::default(), mark };
        store.check_format()?;
        store.sync_names().map_err(failed)?;
        Ok(store)
    }

    /// Refuses what this program cannot read; marks a store that is new.
    fn check_format(&self) -> Result<()> {
        let Some(found) = self.read(FORMAT_KEY)? else {
            if !self.db.is_empty() || self.marked()? > 0 {
                return Err(self.corrupt("it has no format version"));
            }
            let tip = Tip { revision: EMPTY, ..Tip::default() };
            let mut batch = Batch::default();
            batch.insert(FORMAT_KEY, &FORMAT.to_be_bytes());
            batch.insert(TIP_KEY, &tip.encode());
            self.db.apply_batch(batch).map_err(|error| self.engine("creating the store", error))?;
            *self.tip.lock() = tip;
            return self.sync();
        };
        let found = <[u8; 4]>::try_from(&*found).map_err(|_| self.corrupt("its format version is not a number"))?;
        match u32::from_be_bytes(found) {
            FORMAT => Ok(()),
            found if found > FORMAT => Err(Error::Newer { dir: self.dir.clone(), found, supported: FORMAT }),
            found => Err(self.corrupt(format!("its format version is {found}"))),
        }
    }

    /// Makes the existence of sled's files durable: it syncs neither its `conf` nor the folder.
    fn sync_names(&self) -> std::io::Result<()> {
        for name in ["conf", "blobs", "."] {
            File::open(self.dir.join(name))?.sync_all()?;
        }
        match self.dir.parent() {
            Some(parent) if parent != Path::new("") => File::open(parent)?.sync_all(),
            _ => Ok(()),
        }
    }

    /// The newest revision that was known to be durable; 0 if none was.
    fn marked(&self) -> Result<Revision> {
        let mut bytes = [0; 8];
        match self.mark.read_exact_at(&mut bytes, 0) {
            Ok(()) => Ok(Revision::from_be_bytes(bytes)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            Err(source) => Err(Error::io("reading the mark", source)),
        }
    }

    /// The tip, if it is as high as it must be.
    fn load_tip(&self) -> Result<Tip> {
        let bytes = self.read(TIP_KEY)?.ok_or_else(|| self.corrupt("the revision counter is missing"))?;
        let tip = Tip::decode(&bytes).ok_or_else(|| self.corrupt("the revision counter is no number"))?;
        let marked = self.marked()?;
        if tip.revision < marked {
            return Err(self.corrupt(format!("it ends at revision {}, but {marked} had been written", tip.revision)));
        }
        Ok(tip)
    }

    /// Every record, checked against the tip, which learns of their parts.
    fn load_index(&self, tip: &mut Tip) -> Result<Index> {
        let mut index = Index::new();
        for item in self.db.scan_prefix([RECORD_TAG]) {
            let (key, bytes) = item.map_err(|error| self.engine("loading", error))?;
            let key = self.name(&key)?;
            let record = Record::parse(&bytes).ok_or_else(|| self.corrupt(format!("the record of {key} is cut off")))?;
            if record.revision > tip.revision {
                return Err(self.corrupt(format!("{key} is newer than the revision counter")));
            }
            if record.parts > 0 {
                tip.parts.insert(Arc::clone(&key), Parts { revision: record.revision, count: record.parts });
            }
            index.insert(key, record.revision);
        }
        if index.len() as u64 != tip.records {
            return Err(self.corrupt(format!("{} of {} records are left", index.len(), tip.records)));
        }
        self.check_parts(&tip.parts)?;
        Ok(index)
    }

    /// Every value is complete, and nothing is left of those that are gone.
    fn check_parts(&self, parts: &HashMap<Arc<str>, Parts>) -> Result<()> {
        let mut missing: BTreeMap<Revision, u32> = parts.values().map(|part| (part.revision, part.count)).collect();
        for key in self.db.scan_prefix([PART_TAG]).keys() {
            let key = key.map_err(|error| self.engine("loading", error))?;
            let owner = key.get(1..9).and_then(|bytes| bytes.try_into().ok()).map(Revision::from_be_bytes);
            let left = owner.and_then(|owner| missing.get_mut(&owner)).filter(|left| **left > 0);
            *left.ok_or_else(|| self.corrupt("a part of a value belongs to no record"))? -= 1;
        }
        if missing.values().any(|left| *left > 0) {
            return Err(self.corrupt("a part of a value is missing"));
        }
        Ok(())
    }

    fn read(&self, key: &[u8]) -> Result<Option<IVec>> {
        self.db.get(key).map_err(|error| self.engine("reading", error))
    }

    /// The whole value of a record.
    fn value(&self, record: &Record<'_>) -> Result<Bytes> {
        if record.parts == 0 {
            return Ok(Bytes::copy_from_slice(record.head));
        }
        let mut value = BytesMut::with_capacity(PART * (1 + record.parts as usize));
        value.extend_from_slice(record.head);
        for key in (Parts { revision: record.revision, count: record.parts }).keys() {
            let part = self.read(&key)?;
            value.extend_from_slice(&part.ok_or_else(|| self.corrupt("a part of a value is missing"))?);
        }
        Ok(value.freeze())
    }

    fn entry(&self, key: Arc<str>, bytes: &[u8]) -> Result<Entry> {
        let record = Record::parse(bytes).ok_or_else(|| self.corrupt(format!("the record of {key} is too short")))?;
        Ok(Entry { value: self.value(&record)?, revision: record.revision, key })
    }

    /// The key of a record, out of a key of the tree.
    fn name(&self, key: &[u8]) -> Result<Arc<str>> {
        let name = key.get(1..).and_then(|name| std::str::from_utf8(name).ok());
        name.map(Arc::from).ok_or_else(|| self.corrupt("a key is not UTF-8"))
    }

    fn corrupt(&self, what: impl Into<String>) -> Error {
        Error::Corrupt { dir: self.dir.clone(), what: what.into() }
    }

    fn engine(&self, doing: &'static str, error: sled::Error) -> Error {
        engine(&self.dir, doing, error)
    }
}

/// What an error of sled means.
fn engine(dir: &Path, doing: &'static str, error: sled::Error) -> Error {
    match error {
        sled::Error::Corruption { .. } | sled::Error::Unsupported(_) => {
            Error::Corrupt { dir: dir.to_owned(), what: format!("{doing}: {error}") }
        }
        error => Error::io(doing, error),
    }
}

/// Runs `read`. sled panics over some kinds of damage instead of reporting it.
fn readable<T>(dir: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(Error::Corrupt { dir: dir.to_owned(), what: "sled panicked over it".to_owned() }))
}

/// Opens sled. We hold our lock, so if its own is taken, that is by its worker threads finishing for a store closed
/// just now in this process: sled does not wait for them, we do.
fn open_engine(dir: &Path) -> Result<Db> {
    let config = sled::Config::new().path(dir).mode(Mode::HighThroughput).cache_capacity(CACHE).segment_size(SEGMENT);
    let pause = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    loop {
        match readable(dir, || Ok(config.open()))? {
            Ok(db) => return Ok(db),
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                if waited > LINGER {
                    return Err(Error::Locked { dir: dir.to_owned() });
                }
                thread::sleep(pause);
                waited += pause;
            }
            Err(error) => return Err(engine(dir, "opening", error)),
        }
    }
}

impl Log for Sled {
    fn load(&self) -> Result<Loaded> {
        readable(&self.dir, || {
            let mut tip = self.load_tip()?;
            let loaded = Loaded { revision: tip.revision, index: self.load_index(&mut tip)? };
            *self.tip.lock() = tip;
            Ok(loaded)
        })
    }

    fn apply(&self, changes: &[Change]) -> Result<()> {
        let mut tip = self.tip.lock();
        let mut batch = Batch::default();
        for Change { key, revision, value, created } in changes {
            tip.revision = *revision;
            if let Some(old) = tip.parts.remove(key) {
                old.keys().for_each(|part| batch.remove(&part));
            }
            let Some(value) = value else {
                tip.records -= u64::from(!*created);
                batch.remove(record_key(key));
                continue;
            };
            tip.records += u64::from(*created);
            let mut pieces = pieces(value.len());
            let head = pieces.next().unwrap_or_default();
            let mut record = Vec::with_capacity(HEADER + head.len());
            let count = u32::try_from(pieces.size_hint().0).expect("a value of at most MAX_VALUE bytes has few parts");
            record.extend_from_slice(&revision.to_be_bytes());
            record.extend_from_slice(&count.to_be_bytes());
            record.extend_from_slice(&value[head]);
            batch.insert(record_key(key), record);
            if count > 0 {
                let rest = Parts { revision: *revision, count };
                rest.keys().zip(pieces).for_each(|(part, piece)| batch.insert(&part, &value[piece]));
                tip.parts.insert(Arc::clone(key), rest);
            }
        }
        batch.insert(TIP_KEY, &tip.encode());
        self.db.apply_batch(batch).map_err(|error| self.engine("writing", error))
    }

    fn sync(&self) -> Result<()> {
        self.db.flush().map_err(|error| self.engine("flushing", error))?;
        self.file.sync_data().map_err(|source| Error::io("syncing", source))?;
        let durable = self.tip.lock().revision;
        self.mark.write_all_at(&durable.to_be_bytes(), 0).map_err(|source| Error::io("writing the mark", source))
    }

    fn get(&self, key: &str) -> Result<Option<Entry>> {
        let found = self.read(&record_key(key))?;
        found.map(|bytes| self.entry(key.into(), &bytes)).transpose()
    }

    fn scan(&self, prefix: &str) -> Result<Vec<Entry>> {
        let found = self.db.scan_prefix(record_key(prefix));
        found
            .map(|item| {
                let (key, bytes) = item.map_err(|error| self.engine("reading", error))?;
                self.entry(self.name(&key)?, &bytes)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expect, MAX_VALUE, Store, committer::Committer, open};

    fn url(dir: &Path) -> String {
        format!("sled:{}", dir.display())
    }

    fn refusal(dir: &Path) -> Error {
        open(&url(dir)).err().expect("must be refused")
    }

    /// Writes straight into the tree of a closed store.
    fn tamper(dir: &Path, change: impl FnOnce(&Db)) {
        let db = open_engine(dir).unwrap();
        change(&db);
        db.flush().unwrap();
    }

    async fn store_with(dir: &Path, entries: &[(&str, usize)]) {
        let store = open(&url(dir)).unwrap();
        for (key, size) in entries {
            store.put(key, vec![1; *size].into(), Expect::Absent).await.unwrap();
        }
    }

    #[test]
    fn values_are_cut_into_pieces_without_a_gap() {
        for size in [0, 1, PART - 1, PART, PART + 1, 3 * PART, MAX_VALUE] {
            let pieces: Vec<_> = pieces(size).collect();
            assert_eq!(pieces.len(), (size / PART + usize::from(size % PART > 0)).max(1), "{size}");
            assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start && pair[0].len() == PART));
            assert_eq!((pieces[0].start, pieces[pieces.len() - 1].end), (0, size));
        }
    }

    #[tokio::test]
    async fn a_store_in_use_is_refused_until_it_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(&url(dir.path())).unwrap();
        assert!(matches!(refusal(dir.path()), Error::Locked { .. }));
        drop(first);
        open(&url(dir.path())).unwrap();
    }

    #[tokio::test]
    async fn a_newer_store_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        store_with(dir.path(), &[("/a", 1)]).await;
        tamper(dir.path(), |db| drop(db.insert(FORMAT_KEY, &9u32.to_be_bytes()).unwrap()));
        assert!(matches!(refusal(dir.path()), Error::Newer { found: 9, supported: FORMAT, .. }));
        tamper(dir.path(), |db| drop(db.insert(FORMAT_KEY, &FORMAT.to_be_bytes()).unwrap()));
        assert_eq!(open(&url(dir.path())).unwrap().revision(), 2);
    }

    #[tokio::test]
    async fn a_damaged_store_is_refused_with_what_is_wrong() {
        let part = (Parts { revision: 2, count: 2 }).keys().last().unwrap();
        let stray = (Parts { revision: 77, count: 1 }).keys().last().unwrap();
        type Damage<'a> = Box<dyn Fn(&Db) + 'a>;
        let cases: [(&str, Damage<'_>); 10] = [
            ("it has no format version", Box::new(|db| drop(db.remove(FORMAT_KEY)))),
            ("its format version is 0", Box::new(|db| drop(db.insert(FORMAT_KEY, &[0; 4])))),
            ("the revision counter is missing", Box::new(|db| drop(db.remove(TIP_KEY)))),
            ("the revision counter is no number", Box::new(|db| drop(db.insert(TIP_KEY, &[0; 8])))),
            ("/a is newer than the revision counter", Box::new(|db| drop(db.insert(TIP_KEY, &[0; 16])))),
            ("1 of 2 records are left", Box::new(|db| drop(db.remove(record_key("/a"))))),
            ("a part of a value is missing", Box::new(|db| drop(db.remove(part)))),
            ("a part of a value belongs to no record", Box::new(|db| drop(db.insert(stray, b"x")))),
            ("the record of /a is cut off", Box::new(|db| drop(db.insert(record_key("/a"), b"short")))),
            ("a key is not UTF-8", Box::new(|db| drop(db.insert([RECORD_TAG, 0xff], &[0; HEADER])))),
        ];
        for (expected, damage) in cases {
            let dir = tempfile::tempdir().unwrap();
            store_with(dir.path(), &[("/big", 2 * PART + 1), ("/a", 1)]).await;
            fs::write(dir.path().join("mark"), []).unwrap();
            tamper(dir.path(), damage);
            match refusal(dir.path()) {
                Error::Corrupt { what, .. } => assert_eq!(what, expected),
                other => panic!("{other} instead of {expected}"),
            }
        }
    }

    #[tokio::test]
    async fn a_store_that_lost_its_end_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        store_with(dir.path(), &[("/a", 1), ("/b", 1)]).await;
        tamper(dir.path(), |db| drop(db.insert(TIP_KEY, &Tip { revision: 2, ..Tip::default() }.encode()).unwrap()));
        let text = refusal(dir.path()).to_string();
        assert!(text.contains("it ends at revision 2, but 3 had been written"), "{text}");
        assert!(text.contains("restore it from a copy, or move it away to start empty"), "{text}");
    }

    #[tokio::test]
    async fn a_bad_sector_is_noticed_wherever_it_matters() {
        let dir = tempfile::tempdir().unwrap();
        let original = dir.path().join("original");
        let entries: Vec<_> = (0..120).map(|n| (format!("/{n}"), 5000)).collect();
        store_with(&original, &entries.iter().map(|(key, size)| (&**key, *size)).collect::<Vec<_>>()).await;
        let size = fs::metadata(original.join("db")).unwrap().len();
        let mut refused = 0;
        for n in 0..16 {
            let copy = dir.path().join(n.to_string());
            fs::create_dir_all(copy.join("blobs")).unwrap();
            for file in fs::read_dir(&original).unwrap().map(|file| file.unwrap()).filter(|file| file.path().is_file()) {
                fs::copy(file.path(), copy.join(file.file_name())).unwrap();
            }
            let db = OpenOptions::new().write(true).open(copy.join("db")).unwrap();
            db.write_all_at(&[0xaa; 512], size * n / 16 + 100).unwrap();
            match open(&url(&copy)) {
                Ok(store) => assert_eq!(store.list("").await.unwrap().0.len(), entries.len(), "damage at {n}/16 lost data"),
                Err(error) => {
                    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
                    refused += 1;
                }
            }
        }
        assert!(refused > 0, "no damage was noticed");
    }

    #[test]
    fn a_foreign_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        tamper(dir.path(), |db| drop(db.insert("someone", "else's").unwrap()));
        assert!(matches!(refusal(dir.path()), Error::Corrupt { .. }));
    }

    #[tokio::test]
    async fn large_values_leave_nothing_behind_and_never_become_blobs() {
        let dir = tempfile::tempdir().unwrap();
        let store = Committer::threaded(Sled::open(dir.path()).unwrap()).unwrap();
        for key in 0..40 {
            let key = format!("/{key}/{}", "k".repeat(1000));
            let first = store.put(&key, vec![1; 20 * PART].into(), Expect::Absent).await.unwrap();
            let second = store.put(&key, vec![2; PART].into(), Expect::At(first)).await.unwrap();
            assert_eq!(store.get(&key).await.unwrap().unwrap().value, vec![2; PART]);
            if key.starts_with("/7/") {
                store.delete(&key, Expect::At(second)).await.unwrap();
            }
        }
        assert_eq!(fs::read_dir(dir.path().join("blobs")).unwrap().count(), 0);
        drop(store);
        tamper(dir.path(), |db| {
            assert_eq!(db.scan_prefix([PART_TAG]).count(), 0);
            assert_eq!(db.scan_prefix([RECORD_TAG]).count(), 39);
        });
    }
}
