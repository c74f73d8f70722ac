//! What "a store" means, as one suite that every back end passes: the same cases for memory, for sled, and for whatever
//! comes later (a back end outside this crate turns on the feature `conformance`).
//!
//! Cases know the [`Store`] trait only. They panic with the case's name and what went wrong, as tests do.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use futures::{FutureExt, StreamExt, stream};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::{Change, EMPTY, Entry, Error, Expect, MAX_KEY, MAX_VALUE, Result, Revision, Store, Watch};

/// Runs every case, each on a new empty store from `fresh`.
///
/// # Panics
/// If the back end is not a store.
pub async fn run(fresh: impl Fn() -> Arc<dyn Store>) {
    begins_empty(&*fresh()).await;
    creates_updates_and_deletes(&*fresh()).await;
    refuses_stale_and_absent_expectations(&*fresh()).await;
    keeps_bytes_of_every_size(&*fresh()).await;
    lists_a_prefix_in_key_order(&*fresh()).await;
    replays_from_every_revision(&*fresh()).await;
    shows_no_write_before_its_revision(&*fresh()).await;
    lets_one_of_many_writers_win(&*fresh()).await;
    watches_a_stampede_in_order(&*fresh()).await;
    compacts_what_it_cannot_keep(&*fresh()).await;
    ends_watches_when_closed(fresh()).await;
    behaves_like_the_model(&fresh);
}

/// Runs the cases of a back end that outlives its process; `open` opens the same, initially empty, store again and
/// again, never while it is open.
///
/// # Panics
/// If the back end forgets.
pub async fn run_durable(open: impl Fn() -> Arc<dyn Store>) {
    let store = open();
    let kept = put(&*store, "/kept", "v", Expect::Absent).await;
    let gone = put(&*store, "/gone", "v", Expect::Absent).await;
    let large = put(&*store, "/large", vec![3; 1 << 20], Expect::Absent).await;
    let large = put(&*store, "/large", vec![4; 1 << 19], Expect::At(large)).await;
    let last = store.delete("/gone", Expect::At(gone)).await.expect("delete");
    drop(store);

    for round in 0..3 {
        let store = open();
        let current = last + round;
        assert_eq!(store.revision(), current, "a delete, too, moves the durable counter");
        assert_eq!(revision_of(&*store, "/kept").await, Some(kept));
        assert_eq!(revision_of(&*store, "/large").await, Some(large));
        assert_eq!(value_of(&*store, "/large").await, Some(vec![4; 1 << 19].into()));
        assert_eq!(revision_of(&*store, "/gone").await, None);
        assert!(
            matches!(store.watch(current - 1), Err(Error::Compacted { oldest }) if oldest == current),
            "the history does not survive a restart, and says so"
        );
        let mut watch = store.watch(current).expect("watch from now");
        let next = put(&*store, &format!("/round/{round}"), "v", Expect::Absent).await;
        assert_eq!(next, current + 1, "revisions go on where they were");
        assert_eq!(collect(&mut watch, current, next).await.len(), 1);
    }
}

async fn put(store: &dyn Store, key: &str, value: impl Into<Bytes>, expect: Expect) -> Revision {
    store.put(key, value.into(), expect).await.unwrap_or_else(|error| panic!("put {key}: {error}"))
}

async fn get(store: &dyn Store, key: &str) -> Option<Entry> {
    store.get(key).await.unwrap_or_else(|error| panic!("get {key}: {error}"))
}

async fn revision_of(store: &dyn Store, key: &str) -> Option<Revision> {
    get(store, key).await.map(|entry| entry.revision)
}

async fn value_of(store: &dyn Store, key: &str) -> Option<Bytes> {
    get(store, key).await.map(|entry| entry.value)
}

async fn list(store: &dyn Store, prefix: &str) -> (Vec<Entry>, Revision) {
    store.list(prefix).await.unwrap_or_else(|error| panic!("list {prefix}: {error}"))
}

/// Reads the watch up to `until`; panics at a gap after `after`.
async fn collect(watch: &mut Watch, after: Revision, until: Revision) -> Vec<Change> {
    let mut seen: Vec<Change> = Vec::new();
    let mut last = after;
    while last < until {
        let batch = watch.next().await.unwrap_or_else(|error| panic!("watch at {last}: {error}"));
        assert!(!batch.is_empty(), "an empty batch");
        for change in batch {
            assert_eq!(change.revision, last + 1, "a gap in the watch");
            last = change.revision;
            seen.push(change);
        }
    }
    assert_eq!(last, until, "more was seen than was written");
    seen
}

/// The state after `changes`, begun from nothing.
fn replay<'a>(changes: impl IntoIterator<Item = &'a Change>) -> BTreeMap<Arc<str>, (Revision, Bytes)> {
    let mut state = BTreeMap::new();
    for change in changes {
        let before = match &change.value {
            Some(value) => state.insert(Arc::clone(&change.key), (change.revision, value.clone())),
            None => state.remove(&change.key),
        };
        assert_eq!(change.created, before.is_none(), "`created` of {change:?}");
    }
    state
}

fn by_key(entries: Vec<Entry>) -> BTreeMap<Arc<str>, (Revision, Bytes)> {
    entries.into_iter().map(|entry| (entry.key, (entry.revision, entry.value))).collect()
}

async fn begins_empty(store: &dyn Store) {
    assert_eq!(store.revision(), EMPTY);
    assert_eq!(list(store, "").await, (vec![], EMPTY));
    assert_eq!(get(store, "/a").await, None);
    let first = put(store, "/a", "v", Expect::Absent).await;
    assert_eq!(first, EMPTY + 1, "the first write");
}

async fn creates_updates_and_deletes(store: &dyn Store) {
    let mut watch = store.watch(EMPTY).expect("watch");
    let created = put(store, "/a", "one", Expect::Absent).await;
    let entry = Entry { key: "/a".into(), value: "one".into(), revision: created };
    assert_eq!(get(store, "/a").await, Some(entry));
    let updated = put(store, "/a", "two", Expect::At(created)).await;
    assert_eq!((updated, store.revision()), (created + 1, created + 1));
    let entry = Entry { key: "/a".into(), value: "two".into(), revision: updated };
    assert_eq!(get(store, "/a").await, Some(entry));
    let deleted = store.delete("/a", Expect::At(updated)).await.expect("delete");
    assert_eq!(get(store, "/a").await, None);
    assert_eq!(list(store, "").await, (vec![], deleted));
    let again = put(store, "/a", "three", Expect::Absent).await;
    let change =
        |revision, value: Option<&'static str>, created| Change { key: "/a".into(), revision, value: value.map(Bytes::from), created };
    let expected = [
        change(created, Some("one"), true),
        change(updated, Some("two"), false),
        change(deleted, None, false),
        change(again, Some("three"), true),
    ];
    assert_eq!(collect(&mut watch, EMPTY, again).await, expected);
}

async fn refuses_stale_and_absent_expectations(store: &dyn Store) {
    let conflict = |answer: Result<Revision>, expected: Option<Revision>| match answer {
        Err(Error::Conflict { key, actual }) => assert_eq!((&*key, actual), ("/a", expected)),
        other => panic!("{other:?} instead of a conflict"),
    };
    conflict(store.put("/a", "v".into(), Expect::At(1)).await, None);
    conflict(store.delete("/a", Expect::At(1)).await, None);
    conflict(store.delete("/a", Expect::Absent).await, None);
    let first = put(store, "/a", "v", Expect::Absent).await;
    let second = put(store, "/a", "v", Expect::At(first)).await;
    conflict(store.put("/a", "v".into(), Expect::Absent).await, Some(second));
    conflict(store.put("/a", "v".into(), Expect::At(first)).await, Some(second));
    conflict(store.put("/a", "v".into(), Expect::At(second + 1)).await, Some(second));
    conflict(store.delete("/a", Expect::At(first)).await, Some(second));
    conflict(store.delete("/a", Expect::Absent).await, Some(second));
    assert_eq!(store.revision(), second, "a refused write takes no revision");
    assert_eq!(revision_of(store, "/a").await, Some(second));
}

async fn keeps_bytes_of_every_size(store: &dyn Store) {
    let sizes = [0, 1, 8, 4095, 12 << 10, (12 << 10) + 1, 100_000, 1 << 20, MAX_VALUE];
    let mut revision = None;
    // Up and down again: a value that shrinks leaves nothing of itself behind.
    for size in sizes.into_iter().chain(sizes.into_iter().rev()) {
        let value: Bytes = (0..size).map(|i| (i / 7) as u8).collect();
        let expect = revision.map_or(Expect::Absent, Expect::At);
        revision = Some(put(store, "/sized", value.clone(), expect).await);
        assert!(value_of(store, "/sized").await == Some(value), "{size} bytes came back different");
    }
    let long = "k".repeat(MAX_KEY);
    put(store, &long, "v", Expect::Absent).await;
    assert_eq!(value_of(store, &long).await, Some("v".into()));

    let before = store.revision();
    let answer = store.put("/a", vec![0; MAX_VALUE + 1].into(), Expect::Absent).await;
    assert!(matches!(answer, Err(Error::TooLarge { what: "value", limit: MAX_VALUE, .. })), "{answer:?}");
    let answer = store.put(&"k".repeat(MAX_KEY + 1), "v".into(), Expect::Absent).await;
    assert!(matches!(answer, Err(Error::TooLarge { what: "key", limit: MAX_KEY, .. })), "{answer:?}");
    assert_eq!(store.revision(), before);
}

async fn lists_a_prefix_in_key_order(store: &dyn Store) {
    let keys = ["/pods/b/1", "/pods/a/2", "/pods/a/10", "/pods/a", "/podsx", "/pods/ä", "/pods0", "/", "/nodes/a"];
    for key in keys {
        put(store, key, key, Expect::Absent).await;
    }
    let expected = |prefix: &str| {
        let mut keys: Vec<_> = keys.into_iter().filter(|key| key.starts_with(prefix)).map(Arc::from).collect();
        keys.sort();
        keys
    };
    for prefix in ["", "/", "/pods/", "/pods/a/", "/pods/a", "/pods/ä", "/pods", "/none", "/pods/b/1", "/pods/b/1/"] {
        let (entries, revision) = list(store, prefix).await;
        assert_eq!(revision, store.revision());
        assert!(entries.iter().all(|entry| entry.value == *entry.key.as_bytes()));
        let listed: Vec<Arc<str>> = entries.into_iter().map(|entry| entry.key).collect();
        assert_eq!(listed, expected(prefix), "list of {prefix:?}");
    }
}

async fn replays_from_every_revision(store: &dyn Store) {
    for round in 0..20 {
        let keys: Vec<_> = (0..5).map(|n| format!("/{round}/{n}")).collect();
        join_all(keys.iter().map(|key| put(store, key, "v", Expect::Absent))).await;
    }
    let head = store.revision();
    assert_eq!(head, EMPTY + 100);
    for after in EMPTY..=head {
        let mut watch = store.watch(after).expect("watch");
        collect(&mut watch, after, head).await;
        assert!(watch.next().now_or_never().is_none(), "there is nothing after {head}");
    }
    let future = store.watch(head + 1).err();
    assert!(matches!(future, Some(Error::Future { requested, current }) if (requested, current) == (head + 1, head)));
}

/// While writers write, what `list`, `get` and `watch` show fits together.
async fn shows_no_write_before_its_revision(store: &dyn Store) {
    const WRITES: u64 = 60;
    let writer = |name: u64| async move {
        let key = format!("/{name}");
        let mut expect = Expect::Absent;
        for n in 0..WRITES {
            let revision = put(store, &key, n.to_string(), expect).await;
            assert!(store.revision() >= revision, "acknowledged before it was published");
            let seen = get(store, &key).await.map(|entry| (entry.revision, entry.value));
            assert_eq!(seen, Some((revision, n.to_string().into())), "a writer reads its own write");
            expect = Expect::At(revision);
        }
    };
    let mut watch = store.watch(EMPTY).expect("watch");
    let reader = async {
        let mut lists = Vec::new();
        for _ in 0..40 {
            lists.push(list(store, "").await);
        }
        lists
    };
    let (_, lists) = futures::join!(join_all((0..4).map(writer)), reader);
    let changes = collect(&mut watch, EMPTY, EMPTY + 4 * WRITES).await;
    for (entries, revision) in lists {
        let until = changes.iter().take_while(|change| change.revision <= revision);
        assert_eq!(by_key(entries), replay(until), "the list at {revision} is not the state at {revision}");
    }
}

async fn lets_one_of_many_writers_win(store: &dyn Store) {
    const WRITERS: usize = 20;
    let mut expect = Expect::Absent;
    for round in 0..20 {
        let values: Vec<_> = (0..WRITERS).map(|writer| Bytes::from(format!("{round}/{writer}"))).collect();
        let answers = join_all(values.iter().map(|value| store.put("/contended", value.clone(), expect))).await;
        let won: Vec<_> = answers.iter().enumerate().filter_map(|(n, answer)| Some((n, *answer.as_ref().ok()?))).collect();
        let [(winner, revision)] = won[..] else { panic!("{} writers won round {round}", won.len()) };
        for answer in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert!(matches!(answer, Error::Conflict { actual, .. } if *actual == Some(revision)), "{answer:?}");
        }
        assert_eq!(value_of(store, "/contended").await.as_ref(), Some(&values[winner]));
        expect = Expect::At(revision);
    }
    assert_eq!(store.revision(), EMPTY + 20);
}

async fn watches_a_stampede_in_order(store: &dyn Store) {
    const WRITES: u64 = 2000;
    let mut watches: Vec<_> = (0..3).map(|_| store.watch(EMPTY).expect("watch")).collect();
    let writes = stream::iter(0..WRITES)
        .map(|n| async move { put(store, &format!("/{n}"), vec![0; 64], Expect::Absent).await })
        .buffer_unordered(200)
        .collect::<Vec<_>>();
    let reads = join_all(watches.iter_mut().map(|watch| collect(watch, EMPTY, EMPTY + WRITES)));
    let (mut acknowledged, seen) = futures::join!(writes, reads);
    acknowledged.sort_unstable();
    assert_eq!(acknowledged, (EMPTY + 1..=EMPTY + WRITES).collect::<Vec<_>>(), "each revision is given out once");
    for changes in seen {
        assert_eq!(by_key(list(store, "").await.0), replay(&changes));
    }
}

async fn compacts_what_it_cannot_keep(store: &dyn Store) {
    let mut slow = store.watch(EMPTY).expect("watch");
    let value = Bytes::from(vec![0; 1 << 20]);
    let mut expect = Expect::Absent;
    let oldest = loop {
        expect = Expect::At(put(store, "/big", value.clone(), expect).await);
        match store.watch(EMPTY) {
            Ok(_) => assert!(store.revision() < 2000, "two gigabytes of history are too many"),
            Err(Error::Compacted { oldest }) => break oldest,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(oldest > EMPTY && oldest < store.revision(), "the recent past is kept");
    assert!(matches!(store.watch(oldest - 1), Err(Error::Compacted { .. })));
    let mut watch = store.watch(oldest).expect("the oldest is still served");
    collect(&mut watch, oldest, store.revision()).await;
    let late = slow.next().await;
    assert!(matches!(late, Err(Error::Compacted { .. })), "a watch that fell behind is told");
}

async fn ends_watches_when_closed(store: Arc<dyn Store>) {
    let mut watch = store.watch(EMPTY).expect("watch");
    let mut waiting = store.watch(EMPTY).expect("watch");
    let last = put(&*store, "/a", "v", Expect::Absent).await;
    collect(&mut waiting, EMPTY, last).await;
    let (end, ()) = futures::join!(waiting.next(), async { drop(store) });
    assert!(matches!(end, Err(Error::Closed)), "{end:?}");
    collect(&mut watch, EMPTY, last).await;
    assert!(matches!(watch.next().await, Err(Error::Closed)));
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Put { key: u8, size: usize, expect: Belief },
    Delete { key: u8, expect: Belief },
    List { prefix: u8 },
}

/// What the writer expects, relative to the truth.
#[derive(Clone, Copy, Debug)]
enum Belief {
    True,
    Absent,
    Stale,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let belief = || prop_oneof![6 => Just(Belief::True), 1 => Just(Belief::Absent), 1 => Just(Belief::Stale)];
    let size = prop_oneof![8 => 0..200usize, 1 => 12_000..40_000usize];
    let step = prop_oneof![
        6 => (0..12u8, size, belief()).prop_map(|(key, size, expect)| Step::Put { key, size, expect }),
        3 => (0..12u8, belief()).prop_map(|(key, expect)| Step::Delete { key, expect }),
        1 => (0..4u8).prop_map(|prefix| Step::List { prefix }),
    ];
    prop::collection::vec(step, 1..80)
}

/// Random histories, against a map.
fn behaves_like_the_model(fresh: &dyn Fn() -> Arc<dyn Store>) {
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        // Its own runtime on its own thread: proptest calls us synchronously, inside the caller's runtime.
        let store = fresh();
        let case = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(follows_the_model(&*store, &steps));
        };
        std::thread::scope(|scope| scope.spawn(case).join())
            .map_err(|_| TestCaseError::fail("the store and the model disagree (see the panic above)"))
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

async fn follows_the_model(store: &dyn Store, steps: &[Step]) {
    let name = |key: u8| format!("/{}/{key}", key % 3);
    let mut model: BTreeMap<Arc<str>, (Revision, Bytes)> = BTreeMap::new();
    let mut revision = EMPTY;
    for step in steps {
        let (key, value, belief) = match *step {
            Step::List { prefix } => {
                let prefix = format!("/{prefix}/");
                let mut expected = model.clone();
                expected.retain(|key, _| key.starts_with(&prefix));
                let (entries, at) = list(store, &prefix).await;
                assert_eq!((by_key(entries), at), (expected, revision));
                continue;
            }
            Step::Put { key, size, expect } => (name(key), Some(Bytes::from(vec![key; size])), expect),
            Step::Delete { key, expect } => (name(key), None, expect),
        };
        let actual = model.get(&*key).map(|(revision, _)| *revision);
        let expect = match (belief, actual) {
            (Belief::True, Some(actual)) => Expect::At(actual),
            (Belief::True | Belief::Absent, _) => Expect::Absent,
            (Belief::Stale, actual) => Expect::At(actual.unwrap_or(revision) - 1),
        };
        let allowed = match expect {
            Expect::Absent => actual.is_none() && value.is_some(),
            Expect::At(expected) => actual == Some(expected),
        };
        let answer = match &value {
            Some(value) => store.put(&key, value.clone(), expect).await,
            None => store.delete(&key, expect).await,
        };
        match answer {
            Ok(given) => {
                assert!(allowed, "{step:?} was allowed at {actual:?}");
                revision += 1;
                assert_eq!(given, revision);
                match value {
                    Some(value) => model.insert(key.into(), (given, value)),
                    None => model.remove(&*key),
                };
            }
            Err(Error::Conflict { actual: told, .. }) => assert!(!allowed && told == actual, "{step:?}: {told:?}"),
            Err(other) => panic!("{step:?}: {other}"),
        }
    }
    assert_eq!(by_key(list(store, "").await.0), model);
    let mut watch = store.watch(EMPTY).expect("watch");
    assert_eq!(replay(&collect(&mut watch, EMPTY, revision).await), model);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn memory_is_a_store() {
        run(|| crate::open("memory:").unwrap()).await;
    }

    #[tokio::test]
    async fn sled_is_a_store() {
        let dir = tempfile::tempdir().unwrap();
        let stores = Cell::new(0);
        run(|| {
            stores.set(stores.get() + 1);
            crate::open(&format!("sled:{}/{}", dir.path().display(), stores.get())).unwrap()
        })
        .await;
    }

    #[tokio::test]
    async fn sled_remembers() {
        let dir = tempfile::tempdir().unwrap();
        run_durable(|| crate::open(&format!("sled:{}", dir.path().display())).unwrap()).await;
    }
}
