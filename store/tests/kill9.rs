//! Kill -9 at any moment: what was acknowledged is there afterwards, and revisions never go back.
//!
//! The test runs this same binary again as the writer (the test `writer`, which does nothing unless its environment
//! says so). The writer prints every acknowledgement; after a random number of them it is killed, the store is opened
//! and compared with what was printed; fifty times on one folder.

#![allow(clippy::unwrap_used, reason = "a test, in all of its functions")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use mini_store::{Entry, Error, Expect, Revision, Store, open};
use tokio::task::JoinSet;

const ROUNDS: u64 = 50;
const WRITERS: u64 = 16;
/// Keys of each writer; nobody else writes them.
const KEYS: u64 = 5;
/// More steps than any writer gets to do in a round.
const STEPS: u64 = 1_000_000;

/// What writer `writer` does as its step `step`; both sides of the test know it.
struct Step {
    key: String,
    /// `None` deletes (nothing happens if the key is not there).
    value: Option<Bytes>,
}

fn step(writer: u64, step: u64) -> Step {
    let random = scramble(step ^ scramble(writer));
    let size = if random.is_multiple_of(97) { 100_000 } else { random % 3000 };
    let filler = (0..size).map(|i| (i ^ random) as u8);
    let value = step.to_be_bytes().into_iter().chain(filler).collect();
    Step { key: format!("/{writer}/{}", random / 7 % KEYS), value: (random % 11 > 2).then_some(value) }
}

/// Well mixed bits (the finalizer of splitmix64).
fn scramble(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn url(dir: &Path) -> String {
    format!("sled:{}", dir.display())
}

/// The child: writes from 16 tasks until it is killed, and prints `ack WRITER STEP REVISION` after each answer.
#[test]
fn writer() {
    let (Ok(url), Ok(round)) = (std::env::var("KILL9_STORE"), std::env::var("KILL9_ROUND")) else { return };
    let first = round.parse::<u64>().unwrap() * STEPS;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(&url).unwrap();
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(write_forever(Arc::clone(&store), writer, first));
        }
        writers.join_all().await;
    });
}

async fn write_forever(store: Arc<dyn Store>, writer: u64, first: u64) {
    for number in first..first + STEPS {
        let Step { key, value } = step(writer, number);
        let at = store.get(&key).await.unwrap().map(|entry| entry.revision);
        let revision = match (value, at) {
            (Some(value), at) => store.put(&key, value, at.map_or(Expect::Absent, Expect::At)).await.unwrap(),
            (None, Some(at)) => store.delete(&key, Expect::At(at)).await.unwrap(),
            (None, None) => continue,
        };
        // One write(2) per line: a line is whole or absent.
        std::io::stdout().lock().write_all(format!("\nack {writer} {number} {revision}\n").as_bytes()).unwrap();
    }
}

/// An acknowledged step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ack {
    step: u64,
    revision: Revision,
}

/// Everything the parent knows must be true.
#[derive(Default)]
struct Known {
    /// The last acknowledged step of each key.
    last: HashMap<String, Ack>,
    /// The last acknowledged step of each writer; the one after it may have happened too.
    reached: HashMap<u64, u64>,
    newest: Revision,
}

impl Known {
    fn learn(&mut self, writer: u64, ack: Ack) {
        self.last.insert(step(writer, ack.step).key, ack);
        self.reached.insert(writer, ack.step);
        self.newest = self.newest.max(ack.revision);
    }

    /// The steps of which one may have been under way when `writer` was killed: deletes of absent keys are passed over
    /// in silence, so any of a run of deletes, and the put after it.
    fn under_way(&self, writer: u64, round: u64) -> Vec<u64> {
        let first = round * STEPS;
        let from = self.reached.get(&writer).map_or(first, |step| (step + 1).max(first));
        let puts = (from..).position(|number| step(writer, number).value.is_some()).unwrap();
        (from..=from + puts as u64).collect()
    }
}

/// Runs a writer, kills it after `acks` acknowledgements, and learns all of them (some arrive after the kill).
fn run_and_kill(dir: &Path, round: u64, acks: u64, known: &mut Known) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["writer", "--exact", "--nocapture", "--test-threads=1"])
        .env("KILL9_STORE", url(dir))
        .env("KILL9_ROUND", round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut count = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some(ack) = line.strip_prefix("ack ") else { continue };
        let numbers: Vec<u64> = ack.split(' ').map(|number| number.parse().unwrap()).collect();
        let [writer, step, revision] = numbers[..] else { panic!("{line}") };
        known.learn(writer, Ack { step, revision });
        count += 1;
        if count == acks {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    assert!(count >= acks, "the writer ended by itself after {count} acknowledgements");
    count
}

/// Opens the store and compares it with what is known; then learns what turned out to have happened.
async fn verify(dir: &Path, round: u64, known: &mut Known) {
    let store = open(&url(dir)).unwrap();
    assert!(store.revision() >= known.newest, "{} went back behind {}", store.revision(), known.newest);
    let (entries, revision) = store.list("").await.unwrap();
    assert_eq!(revision, store.revision());
    assert!(entries.is_sorted_by(|a, b| a.key < b.key));
    let found: HashMap<&str, _> = entries.iter().map(|entry| (&*entry.key, entry)).collect();
    for writer in 0..WRITERS {
        let possible = known.under_way(writer, round);
        for key in (0..KEYS).map(|key| format!("/{writer}/{key}")) {
            match judge(writer, &key, found.get(&*key).copied(), known.last.get(&key).copied(), &possible) {
                Some(ack) => known.last.insert(key, ack),
                None => known.last.remove(&key),
            };
        }
    }
    assert_eq!(entries.iter().filter(|entry| !known.last.contains_key(&*entry.key)).count(), 0, "keys from nowhere");
    goes_on(&*store, known).await;
}

/// Whether what is `found` under `key` can be, after `last` was acknowledged and one of the steps `possible` may have
/// happened; what to expect of the key from now on.
fn judge(writer: u64, key: &str, found: Option<&Entry>, last: Option<Ack>, possible: &[u64]) -> Option<Ack> {
    let Some(entry) = found else {
        let deletes = |number: u64| step(writer, number).value.is_none();
        let deleted = possible.iter().any(|number| deletes(*number) && step(writer, *number).key == key);
        assert!(deleted || last.is_none_or(|ack| deletes(ack.step)), "{key}: {last:?} is lost");
        return None;
    };
    let number = u64::from_be_bytes(entry.value[..8].try_into().unwrap());
    assert!(step(writer, number).value.as_ref() == Some(&entry.value), "{key}: the value is torn");
    let found = Ack { step: number, revision: entry.revision };
    if last != Some(found) {
        assert!(possible.contains(&number), "{key}: {found:?} instead of {last:?}");
        assert!(last.is_none_or(|ack| ack.revision < found.revision), "{key}: {found:?} after {last:?}");
    }
    Some(found)
}

/// A watch from an old revision says so; from now on there is no gap; and the next revision is a new one.
async fn goes_on(store: &dyn Store, known: &mut Known) {
    let current = store.revision();
    for old in [0, 1, current / 2, current - 1] {
        assert!(matches!(store.watch(old), Err(Error::Compacted { oldest }) if oldest == current), "watch({old})");
    }
    let mut watch = store.watch(current).unwrap();
    let put = store.put("/probe", "v".into(), Expect::Absent).await.unwrap();
    let delete = store.delete("/probe", Expect::At(put)).await.unwrap();
    assert_eq!((put, delete), (current + 1, current + 2));
    let mut seen = Vec::new();
    while seen.last() != Some(&delete) {
        seen.extend(watch.next().await.unwrap().iter().map(|change| change.revision));
    }
    assert_eq!(seen, [put, delete]);
    known.newest = delete;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost() {
    let seed = std::env::var("KILL9_SEED").map_or_else(|_| u64::from(std::process::id()), |seed| seed.parse().unwrap());
    println!("KILL9_SEED={seed}");
    let dir = tempfile::tempdir().unwrap();
    let mut known = Known::default();
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let acks = 1 + scramble(seed.wrapping_add(round)) % 250;
        acknowledged += run_and_kill(dir.path(), round, acks, &mut known);
        verify(dir.path(), round, &mut known).await;
    }
    println!("{acknowledged} acknowledged writes, revision {}", known.newest);
}
