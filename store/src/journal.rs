//! A log in front of a back end: what is written goes to the end of a file first, which is all that has to be waited for, and later,
//! together with much else, into the back end. Of a key that was written ten times meanwhile, the back end sees one write.
//!
//! **Files.** `journal.N`, in the back end's folder; N grows. Usually there is one; while its predecessor is being moved into the back
//! end there are two. `journal.mark` holds the newest revision known to be durable (`u64`, written after each sync, not synced itself).
//! All integers are big-endian:
//!
//! | bytes | what |
//! |---|---|
//! | `u32 u32` | length of the record that follows, and its CRC-32 |
//! | `u64 u32` | the record: N, so that nothing is taken for a record that is left from a former use of the file; and how many changes |
//! | `u64 u8 u16 u32` | a change: revision, 1 if there is a value, lengths of key and value; then both |
//!
//! **Order.** A batch is one record, written and synced before it counts. When the file is long, and much longer while much is being
//! written, its changes are frozen, a new file is begun, and a thread puts what is frozen into the back end, in the order of
//! revisions: its syncing is the commit; then the old file is emptied for its next use. Files grow by many zeros at once: then most
//! syncs need not make a new length durable, which costs as much again.
//!
//! **Recovery.** The back end says up to which revision it has everything. The journals are read from there on; revisions have no gaps,
//! so whatever is missing before the end is noticed, and the mark tells if the end itself is. A record that is cut off was never
//! acknowledged. What was read is frozen, so nobody waits until it is moved into the back end.
//!
//! Must not know: what a back end is made of.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry as MapEntry},
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use crate::{
    Change, Entry, Error, Result, Revision,
    committer::{Loaded, Log},
};

/// A file is long when it has so many bytes.
const LONG: u64 = 4 << 20;
/// While much is being written, a file may get so many times as long: the later its changes are moved, the more of them are replaced
/// by then, and whoever waits for a write does not wait for the mover too.
const BUSY: u64 = 16;
/// So much of a usual file is moved at a time: until a batch is done the back end keeps several times as much.
const SLICES: u64 = 4;
/// It is quiet after so many batches of no more than [`FEW`] changes.
const QUIET: u32 = 16;
const FEW: usize = 4;
/// A file grows by so many zeros at a time.
const ZEROS: &[u8] = &[0; 256 << 10];
/// How the files are called.
const NAME: &str = "journal.";
/// Length and CRC-32 of a record.
const FRAME: usize = 8;

/// A back end with a journal in front.
pub(crate) struct Journal<L: Log> {
    dir: PathBuf,
    back: Arc<Back<L>>,
    overlay: Arc<RwLock<Overlay>>,
    pen: Mutex<Pen>,
    mark: File,
    /// How long a file gets before its changes are moved.
    long: u64,
    /// Takes what is to be moved into the back end; nothing once the store is being closed.
    frozen: Option<mpsc::Sender<u64>>,
    mover: Option<JoinHandle<()>>,
}

/// A back end that is read while it is written: whoever reads waits for a batch to be there as a whole.
struct Back<L> {
    log: L,
    batch: RwLock<()>,
}

impl<L: Log> Log for Back<L> {
    fn load(&self) -> Result<Loaded> {
        self.log.load()
    }

    fn apply(&self, batch: &[Change]) -> Result<()> {
        let _alone = self.batch.write();
        self.log.apply(batch)
    }

    fn sync(&self) -> Result<()> {
        self.log.sync()
    }

    fn get(&self, key: &str) -> Result<Option<Entry>> {
        let _whole = self.batch.read();
        self.log.get(key)
    }

    fn scan(&self, prefix: &str) -> Result<Vec<Entry>> {
        let _whole = self.batch.read();
        self.log.scan(prefix)
    }
}

/// What is not in the back end yet.
#[derive(Default)]
struct Overlay {
    fresh: Layer,
    /// On its way into the back end.
    frozen: Option<Layer>,
    /// Why nothing more gets there, if so.
    failed: Option<Error>,
}

/// The last change of each key, and whether the key is absent below this layer.
type Layer = HashMap<Arc<str>, Change>;

/// Where the next record goes.
#[derive(Default)]
struct Pen {
    file: Option<File>,
    number: u64,
    at: u64,
    /// How long the file is.
    length: u64,
    /// The newest revision that was written.
    revision: Revision,
    /// How many batches one after the other have been of few changes.
    quiet: u32,
}

impl<L: Log> Journal<L> {
    /// A journal in the folder of a back end.
    pub(crate) fn open(dir: &Path, back: L) -> Result<Self> {
        Self::with_length(dir, back, LONG)
    }

    fn with_length(dir: &Path, back: L, long: u64) -> Result<Self> {
        let mark = dir.join("journal.mark");
        let mark = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(mark);
        let mark = mark.map_err(|source| Error::io("opening the journal", source))?;
        let (back, overlay) = (Arc::new(Back { log: back, batch: RwLock::default() }), Arc::<RwLock<Overlay>>::default());
        let (frozen, numbers) = mpsc::channel();
        let mover = thread::Builder::new().name("store-journal".to_owned()).spawn({
            let (dir, back, overlay) = (dir.to_owned(), back.clone(), overlay.clone());
            move || numbers.into_iter().for_each(|number| move_frozen(&dir, &*back, &overlay, number, long / SLICES))
        });
        let mover = mover.map_err(|source| Error::io("starting the journal's thread", source))?;
        Ok(Self { dir: dir.to_owned(), back, overlay, pen: Mutex::default(), mark, long, frozen: Some(frozen), mover: Some(mover) })
    }

    fn corrupt(&self, what: String) -> Error {
        Error::Corrupt { dir: self.dir.clone(), what }
    }

    /// The newest revision that was known to be durable; 0 if none was.
    fn marked(&self) -> Result<Revision> {
        let mut bytes = [0; 8];
        match self.mark.read_exact_at(&mut bytes, 0) {
            Ok(()) => Ok(Revision::from_be_bytes(bytes)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            Err(source) => Err(Error::io("reading the journal's mark", source)),
        }
    }

    /// Takes in what the journals have beyond the back end.
    fn replay(&self, loaded: &mut Loaded) -> Result<Layer> {
        let mut layer = Layer::new();
        for (number, path) in journals(&self.dir)? {
            let bytes = read_synced(&path).map_err(|source| Error::io("reading the journal", source))?;
            for mut change in records(&bytes, number).flatten() {
                if change.revision <= loaded.revision {
                    continue;
                }
                if change.revision != loaded.revision + 1 {
                    return Err(self.corrupt(format!("its journal goes from revision {} to {}", loaded.revision, change.revision)));
                }
                loaded.revision = change.revision;
                change.created = match change.value {
                    Some(_) => loaded.index.insert(change.key.clone(), change.revision).is_none(),
                    None => loaded.index.remove(&change.key).is_none(),
                };
                put(&mut layer, change);
            }
        }
        let marked = self.marked()?;
        if loaded.revision < marked {
            return Err(self.corrupt(format!("its journal ends at revision {}, but {marked} had been written", loaded.revision)));
        }
        Ok(layer)
    }

    /// Begins a file.
    fn begin(&self, pen: &mut Pen) -> Result<()> {
        let failed = |source| Error::io("beginning a journal", source);
        pen.number += 1;
        let (path, spare) = (self.dir.join(format!("{NAME}{}", pen.number)), self.dir.join("journal.spare"));
        let file = match fs::rename(&spare, &path) {
            Ok(()) => OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?,
            Err(_) => {
                // There was none to be used again.
                OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&path).map_err(failed)?
            }
        };
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        pen.length = file.metadata().map_err(failed)?.len();
        if pen.length > self.long && pen.quiet >= QUIET {
            // It was long because much was being written.
            file.set_len(self.long).map_err(failed)?;
            pen.length = self.long;
        }
        (pen.file, pen.at) = (Some(file), 0);
        Ok(())
    }

    /// Hands a long file over to the mover, if that is free.
    fn turn(&self, pen: &mut Pen) -> Result<()> {
        let mut overlay = self.overlay.write();
        let is_quiet = pen.quiet >= QUIET;
        if pen.at < if is_quiet { self.long } else { self.long * BUSY } || overlay.frozen.is_some() {
            return Ok(());
        }
        overlay.frozen = Some(std::mem::take(&mut overlay.fresh));
        drop(overlay);
        self.hand_over(pen)
    }

    /// Begins a file, and has what is frozen, which is in those before it, moved into the back end.
    fn hand_over(&self, pen: &mut Pen) -> Result<()> {
        let full = pen.number;
        self.begin(pen)?;
        if let Some(frozen) = &self.frozen {
            // It is taken as long as the store is open.
            let _ = frozen.send(full);
        }
        Ok(())
    }
}

/// What is in a file, and on the disk by now: who was killed may have written more than was synced.
fn read_synced(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.sync_data()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts a change over what a layer has of its key.
fn put(layer: &mut Layer, change: Change) {
    match layer.entry(change.key.clone()) {
        MapEntry::Occupied(mut there) => {
            let created = there.get().created;
            there.insert(Change { created, ..change });
        }
        MapEntry::Vacant(place) => drop(place.insert(change)),
    }
}

/// Puts the frozen layer into the back end, and empties its journals, which are those up to `number`.
fn move_frozen<L: Log>(dir: &Path, back: &L, overlay: &RwLock<Overlay>, number: u64, slice: u64) {
    let layer = overlay.read().frozen.as_ref().map(in_order).unwrap_or_default();
    let moved = move_layer(back, &layer, slice).and_then(|()| empty(dir, number));
    let mut overlay = overlay.write();
    match moved {
        Ok(()) => overlay.frozen = None,
        Err(error) => overlay.failed = Some(error),
    }
}

/// Puts changes into the back end, about `slice` bytes at a time. Who ends on the way has those up to some revision. States that were
/// replaced after it are missing there, but what replaced them is in the journals, as is all that the back end does not have.
fn move_layer<L: Log>(back: &L, layer: &[Change], slice: u64) -> Result<()> {
    let mut size = 0;
    let mut number = |change: &Change| {
        size += (change.key.len() + change.value.as_ref().map_or(0, Bytes::len)) as u64;
        size / slice
    };
    let numbers: Vec<u64> = layer.iter().map(&mut number).collect();
    let mut rest = layer;
    for slice in numbers.chunk_by(|a, b| a == b) {
        let (now, later) = rest.split_at(slice.len());
        back.apply(now)?;
        rest = later;
    }
    back.sync()
}

/// The changes of a layer in the order of their revisions.
fn in_order(layer: &Layer) -> Vec<Change> {
    let mut changes: Vec<Change> = layer.values().cloned().collect();
    changes.sort_unstable_by_key(|change| change.revision);
    changes
}

/// Lets go of the journals up to `last`, whose changes are in the back end; a file serves again.
fn empty(dir: &Path, last: u64) -> Result<()> {
    let spare = dir.join("journal.spare");
    let mut old = journals(dir)?.into_iter().take_while(|(number, _)| *number <= last);
    old.try_for_each(|(_, path)| fs::rename(path, &spare)).map_err(|source| Error::io("emptying a journal", source))
}

/// The journals there are, the oldest first.
fn journals(dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let failed = |source| Error::io("looking for journals", source);
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let number = entry.file_name().to_str().and_then(|name| name.strip_prefix(NAME)?.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort_unstable();
    Ok(found)
}

/// The batches of a journal of this number, up to the first that is none.
fn records(bytes: &[u8], number: u64) -> impl Iterator<Item = Vec<Change>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk()?;
        let (sum, after) = after.split_first_chunk()?;
        let record = after.get(..u32::from_be_bytes(*length) as usize)?;
        if crc32fast::hash(record) != u32::from_be_bytes(*sum) {
            return None;
        }
        rest = &after[record.len()..];
        read(record, number)
    })
}

/// The changes of a record; nothing if it is not of this journal. Whether a key is new is not in it.
fn read(record: &[u8], number: u64) -> Option<Vec<Change>> {
    let (of, rest) = record.split_first_chunk()?;
    let (count, mut rest) = rest.split_first_chunk()?;
    if u64::from_be_bytes(*of) != number {
        return None;
    }
    let mut changes = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let (revision, after) = rest.split_first_chunk()?;
        let (&[has_value], after) = after.split_first_chunk()?;
        let (key, after) = after.split_first_chunk()?;
        let (value, after) = after.split_first_chunk()?;
        let (key, after) = after.split_at_checked(u16::from_be_bytes(*key).into())?;
        let (value, after) = after.split_at_checked(u32::from_be_bytes(*value) as usize)?;
        rest = after;
        let value = (has_value == 1).then(|| Bytes::copy_from_slice(value));
        changes.push(Change { key: std::str::from_utf8(key).ok()?.into(), revision: u64::from_be_bytes(*revision), value, created: false });
    }
    Some(changes)
}

/// The record of a batch, framed.
fn write(changes: &[Change], number: u64) -> Vec<u8> {
    let size = |change: &Change| 15 + change.key.len() + change.value.as_ref().map_or(0, Bytes::len);
    let mut out = Vec::with_capacity(FRAME + 12 + changes.iter().map(size).sum::<usize>());
    out.extend_from_slice(&[0; FRAME]);
    out.extend_from_slice(&number.to_be_bytes());
    // A batch is bounded far below what these numbers hold: see the committer's limits, MAX_KEY and MAX_VALUE.
    out.extend_from_slice(&(changes.len() as u32).to_be_bytes());
    for Change { key, revision, value, .. } in changes {
        let bytes = value.as_deref().unwrap_or_default();
        out.extend_from_slice(&revision.to_be_bytes());
        out.push(u8::from(value.is_some()));
        out.extend_from_slice(&(key.len() as u16).to_be_bytes());
        out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(bytes);
    }
    let (length, sum) = ((out.len() - FRAME) as u32, crc32fast::hash(&out[FRAME..]));
    out[..4].copy_from_slice(&length.to_be_bytes());
    out[4..FRAME].copy_from_slice(&sum.to_be_bytes());
    out
}

impl<L: Log> Log for Journal<L> {
    fn load(&self) -> Result<Loaded> {
        let mut loaded = self.back.load()?;
        let layer = self.replay(&mut loaded)?;
        let mut pen = self.pen.lock();
        pen.revision = loaded.revision;
        pen.number = journals(&self.dir)?.last().map_or(0, |(number, _)| *number);
        if layer.is_empty() {
            empty(&self.dir, pen.number)?;
            self.begin(&mut pen)?;
        } else {
            self.overlay.write().frozen = Some(layer);
            self.hand_over(&mut pen)?;
        }
        Ok(loaded)
    }

    fn apply(&self, batch: &[Change]) -> Result<()> {
        let mut pen = self.pen.lock();
        if let Some(error) = &self.overlay.read().failed {
            return Err(error.clone());
        }
        let record = write(batch, pen.number);
        let end = pen.at + record.len() as u64;
        let file = pen.file.as_ref().ok_or(Error::Closed)?;
        let failed = |source| Error::io("writing to the journal", source);
        let mut length = pen.length;
        while length < end {
            file.write_all_at(ZEROS, length).map_err(failed)?;
            length += ZEROS.len() as u64;
        }
        file.write_all_at(&record, pen.at).map_err(failed)?;
        (pen.at, pen.length) = (end, length);
        pen.quiet = if batch.len() > FEW { 0 } else { pen.quiet.saturating_add(1) };
        pen.revision = batch.last().map_or(pen.revision, |change| change.revision);
        let mut overlay = self.overlay.write();
        batch.iter().for_each(|change| {
            // A key that is removed was there below.
            put(&mut overlay.fresh, Change { created: change.created && change.value.is_some(), ..change.clone() });
        });
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut pen = self.pen.lock();
        if let Some(file) = &pen.file {
            file.sync_data().map_err(|source| Error::io("syncing the journal", source))?;
        }
        self.mark.write_all_at(&pen.revision.to_be_bytes(), 0).map_err(|source| Error::io("writing the journal's mark", source))?;
        self.turn(&mut pen)
    }

    fn get(&self, key: &str) -> Result<Option<Entry>> {
        let overlay = self.overlay.read();
        match overlay.fresh.get(key).or_else(|| overlay.frozen.as_ref()?.get(key)) {
            Some(change) => Ok(entry(change)),
            None => self.back.get(key),
        }
    }

    fn scan(&self, prefix: &str) -> Result<Vec<Entry>> {
        let overlay = self.overlay.read();
        let mut found: BTreeMap<Arc<str>, Entry> = self.back.scan(prefix)?.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
        for layer in overlay.frozen.iter().chain([&overlay.fresh]) {
            for (key, change) in layer.iter().filter(|(key, _)| key.starts_with(prefix)) {
                match entry(change) {
                    Some(entry) => found.insert(key.clone(), entry),
                    None => found.remove(key),
                };
            }
        }
        Ok(found.into_values().collect())
    }
}

fn entry(change: &Change) -> Option<Entry> {
    Some(Entry { key: change.key.clone(), value: change.value.clone()?, revision: change.revision })
}

impl<L: Log> Drop for Journal<L> {
    /// Leaves nothing in the journal, so that the next opening is quick. What fails here stays in the journal.
    fn drop(&mut self) {
        self.frozen = None;
        if let Some(mover) = self.mover.take() {
            // It panicked only if the back end did, and then what is in the journal stays there.
            let _ = mover.join();
        }
        let overlay = self.overlay.read();
        if overlay.failed.is_some() || overlay.frozen.is_some() || overlay.fresh.is_empty() {
            return;
        }
        let moved = move_layer(&*self.back, &in_order(&overlay.fresh), self.long / SLICES);
        let emptied = moved.and_then(|()| empty(&self.dir, self.pen.lock().number));
        if let Err(error) = emptied {
            tracing::warn!(%error, "the journal is not emptied; it will be when the store is opened");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        EMPTY, Expect, Store,
        committer::Committer,
        failing::{Failing, Fault},
        memory::Memory,
        sled::Sled,
    };

    /// A store whose journal is long after a few writes.
    fn short(dir: &Path) -> Committer<Journal<Sled>> {
        Committer::threaded(Journal::with_length(dir, Sled::open(dir).unwrap(), 2_000).unwrap()).unwrap()
    }

    /// Puts, replaces and removes keys; returns what there is then.
    async fn busy(store: &dyn Store, writes: u64) -> BTreeMap<String, (Revision, Vec<u8>)> {
        let mut there = BTreeMap::new();
        for number in 0..writes {
            let key = format!("/{}", number * 7 % 13);
            let expect = there.get(&key).map_or(Expect::Absent, |(revision, _)| Expect::At(*revision));
            if number % 5 == 4 && expect != Expect::Absent {
                store.delete(&key, expect).await.unwrap();
                there.remove(&key);
            } else {
                let value = vec![number as u8; (number * 37 % 300) as usize];
                let revision = store.put(&key, value.clone().into(), expect).await.unwrap();
                there.insert(key, (revision, value));
            }
        }
        there
    }

    async fn all(store: &dyn Store) -> BTreeMap<String, (Revision, Vec<u8>)> {
        let entries = store.list("").await.unwrap().0;
        entries.into_iter().map(|entry| (entry.key.to_string(), (entry.revision, entry.value.to_vec()))).collect()
    }

    /// Copies a store as a crash would leave it.
    fn crash(from: &Path, to: &Path) {
        fs::create_dir_all(to.join("blobs")).unwrap();
        // What the mover takes away meanwhile is in the back end: so the journal is copied first, and what it lacks then is there.
        let files = |journal: bool| {
            fs::read_dir(from).unwrap().flatten().filter(move |file| file.file_name().to_string_lossy().starts_with(NAME) == journal)
        };
        for file in files(true).chain(files(false)).filter(|file| file.path().is_file()) {
            let _ = fs::copy(file.path(), to.join(file.file_name()));
        }
    }

    #[tokio::test]
    async fn nothing_is_lost_however_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let mut expected = BTreeMap::new();
        for round in 0..3 {
            let store = short(&dir.path().join("a"));
            assert_eq!(all(&store).await, expected, "round {round}");
            for (key, (revision, _)) in &expected {
                store.delete(key, Expect::At(*revision)).await.unwrap();
            }
            expected = busy(&store, 200).await;
            assert_eq!(all(&store).await, expected);
            for (key, (revision, value)) in &expected {
                let entry = store.get(key).await.unwrap().unwrap();
                assert_eq!((entry.revision, entry.value.to_vec()), (*revision, value.clone()));
            }
            drop(store);
            assert!(journals(&dir.path().join("a")).unwrap().is_empty(), "a store that was closed has an empty journal");
        }
    }

    #[tokio::test]
    async fn what_only_the_journal_has_is_replayed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Committer::threaded(Journal::open(dir.path(), Sled::open(dir.path()).unwrap()).unwrap()).unwrap();
        let expected = busy(&store, 100).await;
        let (copy, revision) = (dir.path().join("copy"), store.revision());
        crash(dir.path(), &copy);
        let again = crate::open(&format!("sled:{}", copy.display())).unwrap();
        assert_eq!((all(&*again).await, again.revision()), (expected, revision));
    }

    #[tokio::test]
    async fn what_was_moved_in_part_is_replayed_over() {
        let dir = tempfile::tempdir().unwrap();
        let store = Committer::threaded(Journal::open(dir.path(), Sled::open(dir.path()).unwrap()).unwrap()).unwrap();
        let expected = busy(&store, 100).await;
        let mut parts = 0..;
        for part in parts.by_ref() {
            let copy = dir.path().join(format!("copy-{part}"));
            crash(dir.path(), &copy);
            let back = Sled::open(&copy).unwrap();
            let mut loaded = back.load().unwrap();
            let journal = Journal::open(&copy, back).unwrap();
            let layer = in_order(&journal.replay(&mut loaded).unwrap());
            let Some(moved) = layer.get(..part) else { break };
            journal.back.apply(moved).and_then(|()| journal.back.sync()).unwrap();
            drop(journal);
            let again = crate::open(&format!("sled:{}", copy.display())).unwrap();
            assert_eq!((all(&*again).await, again.revision()), (expected.clone(), store.revision()), "{part} of {}", layer.len());
            let entry = again.put("/new", "1".into(), Expect::Absent).await;
            assert_eq!(entry.unwrap(), store.revision() + 1);
        }
        assert!(parts.start > 10, "there was something to move");
    }

    /// Values of several parts are replaced while others list: nobody sees a record without its parts.
    #[tokio::test]
    async fn who_lists_while_a_journal_is_moved_sees_whole_values() {
        let dir = tempfile::tempdir().unwrap();
        let store = short(dir.path());
        let mut at = Expect::Absent;
        for number in 0..300u64 {
            let value = vec![number as u8; 200_000];
            let (put, list) = tokio::join!(store.put("/large", value.into(), at), store.list(""));
            let (entries, _) = list.unwrap();
            assert!(entries.iter().all(|entry| entry.value.iter().all(|byte| *byte == entry.value[0])), "write {number}");
            at = Expect::At(put.unwrap());
        }
    }

    #[tokio::test]
    async fn a_record_that_is_cut_off_counts_as_never_written() {
        let dir = tempfile::tempdir().unwrap();
        let store = Committer::threaded(Journal::open(dir.path(), Sled::open(dir.path()).unwrap()).unwrap()).unwrap();
        let first = store.put("/a", "1".into(), Expect::Absent).await.unwrap();
        let copy = dir.path().join("copy");
        crash(dir.path(), &copy);
        let (number, path) = journals(&copy).unwrap().pop().unwrap();
        let torn = write(&[Change { key: "/a".into(), revision: first + 1, value: Some("2".into()), created: false }], number);
        let whole = records(&fs::read(&path).unwrap(), number).count();
        assert_eq!(whole, 1);
        let length = FRAME + u32::from_be_bytes(fs::read(&path).unwrap()[..4].try_into().unwrap()) as usize;
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&torn[..torn.len() - 1], length as u64).unwrap();
        let again = crate::open(&format!("sled:{}", copy.display())).unwrap();
        assert_eq!((again.revision(), all(&*again).await["/a"].0), (first, first));
        let second = again.put("/a", "3".into(), Expect::At(first)).await.unwrap();
        assert_eq!(second, first + 1);
    }

    #[tokio::test]
    async fn a_journal_that_lost_something_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Committer::threaded(Journal::open(dir.path(), Sled::open(dir.path()).unwrap()).unwrap()).unwrap();
        for key in ["/a", "/b", "/c"] {
            store.put(key, "1".into(), Expect::Absent).await.unwrap();
        }
        let refusal = |copy: &Path| crate::open(&format!("sled:{}", copy.display())).err().expect("must be refused").to_string();
        let (end, middle) = (dir.path().join("end"), dir.path().join("middle"));
        crash(dir.path(), &end);
        let (number, path) = journals(&end).unwrap().pop().unwrap();
        let bytes = fs::read(&path).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&[0xaa; 4], 30).unwrap();
        assert!(refusal(&end).contains("its journal ends at revision 1, but 4 had been written"), "{}", refusal(&end));
        crash(dir.path(), &middle);
        let later = write(&[Change { key: "/d".into(), revision: 9, value: None, created: false }], number + 1);
        fs::write(middle.join(format!("{NAME}{}", number + 1)), later).unwrap();
        assert!(refusal(&middle).contains("its journal goes from revision 4 to 9"), "{}", refusal(&middle));
        assert_eq!(records(&bytes, number + 1).count(), 0, "what another journal left is no record");
    }

    #[tokio::test]
    async fn a_back_end_that_fails_stops_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let back = Failing::new(Memory::default());
        let switch = back.switch();
        let store = Committer::threaded(Journal::with_length(dir.path(), back, 500).unwrap()).unwrap();
        switch.fail(Fault::Apply);
        let mut revision = EMPTY;
        let mut written = 0;
        let stopped = loop {
            let expect = if written == 0 { Expect::Absent } else { Expect::At(revision) };
            match store.put("/a", vec![1; 200].into(), expect).await {
                Ok(at) => (revision, written) = (at, written + 1),
                Err(error) => break error,
            }
            assert!(written < 10_000, "the store goes on");
        };
        assert!(matches!(stopped, Error::Io { .. }), "{stopped}");
        assert!(matches!(store.put("/b", "1".into(), Expect::Absent).await, Err(Error::Broken { .. })));
    }
}
