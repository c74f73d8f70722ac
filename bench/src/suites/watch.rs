//! `watch`: how many changes a second reach many watchers, and how long after a write the last of them knows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::{Args, value_parser};
use memchr::memmem::Finder;
use mini_daemon::tasks::Tasks;
use tokio::time::{Instant, sleep};

use super::config_maps::{self, Creates};
use crate::{
    connection::{Answer, Lines, Stream},
    latency::Latencies,
    load::{Limits, Load, drive},
    objects::{self, ConfigMaps, ListHead},
    report::{Report, grouped},
    stage::{Server, Stage},
    target::Outgoing,
};

/// How many clients share the writing: enough that no write waits for the one before it.
const WRITERS: u32 = 16;
/// How long after the last write the last delivery may come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Many watchers of one namespace, while ConfigMaps of 1 KB are created in it
///
/// Counted are deliveries; the median and p99 are of the time from the answer to a write until the last watcher has it. A watcher
/// may know before the writer does: that counts as no time.
#[derive(Args, Debug)]
pub(crate) struct Watch {
    /// Watchers, each on a connection of its own.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..=20_000))]
    watchers: u32,
    /// Writes per second.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Write at most so many.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = value_parser!(u64).range(1..=10_000_000))]
    count: u64,
    /// Write for at most so long.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

impl Watch {
    /// Measures.
    ///
    /// # Errors
    /// When the server refuses, goes away, or a change does not reach every watcher.
    pub(crate) async fn run(&self, stage: &Stage) -> Result<Report> {
        let server = stage.apiserver().await?;
        let run = objects::run();
        let creates = Creates::prepare(&server, &run).await?;
        let planned = self.count.min(self.seconds * u64::from(self.rate));
        let board = Arc::new(Board::new(usize::try_from(planned)?, self.watchers));
        let prefix = ConfigMaps::new(&run).prefix().to_owned();
        let mut watchers = Tasks::new();
        let path = objects::config_maps(config_maps::NAMESPACE);
        for stream in self.streams(&server, &path).await? {
            watchers.spawn("watcher", watch(stream, prefix.clone(), board.clone()));
        }
        let limits = Limits {
            clients: WRITERS.min(self.rate),
            count: planned,
            time: Duration::from_secs(self.seconds) + PATIENCE,
            rate: Some(self.rate.into()),
        };
        let meter = server.meter();
        let started = Instant::now();
        let written = tokio::select! {
            written = write(&server, limits, creates, board.clone()) => written,
            ended = watchers.join() => ended.and(Err(anyhow::anyhow!("the watchers ended before the writers"))),
        };
        let (wall, usage) = (started.elapsed(), meter.stop());
        config_maps::clean(&server, &path, &run).await;
        let writes = written?;
        let what = format!("{} watchers × {} writes/s, {} writes", grouped(self.watchers), grouped(self.rate), grouped(writes));
        let deliveries = writes * u64::from(self.watchers);
        Ok(Report::new("watch", what, deliveries, wall, board.delays(), usage))
    }

    /// Watches from one revision, all begun.
    async fn streams(&self, server: &Server, path: &str) -> Result<Vec<Stream>> {
        let revision = ListHead::fetch(&mut server.connect().await?, &server.target, path).await?.metadata.resource_version;
        let mut streams = Vec::new();
        for _ in 0..self.watchers {
            let request = server.target.get(&format!("{path}?watch=1&resourceVersion={revision}"))?;
            streams.push(server.connect().await?.stream(request).await?);
        }
        Ok(streams)
    }
}

/// Writes until the limits, then waits until all of it is delivered. Tells how many writes there were.
async fn write(server: &Server, limits: Limits, creates: Creates, board: Arc<Board>) -> Result<u64> {
    let writes = drive(&server.target, limits, Observed { creates, board: board.clone() }).await?.operations();
    let deadline = Instant::now() + PATIENCE;
    while let Some(missing) = board.missing() {
        if Instant::now() > deadline {
            bail!("{missing} writes have not reached every watcher after {PATIENCE:?}");
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(writes)
}

/// Creates that are noted on the board once answered.
struct Observed {
    creates: Creates,
    board: Arc<Board>,
}

impl Load for Observed {
    fn request(&self, index: u64) -> Outgoing {
        self.creates.request(index)
    }

    fn answered(&self, index: u64, _answer: &Answer, at: Instant) {
        self.board.answered(index, at);
    }
}

async fn watch(mut stream: Stream, prefix: String, board: Arc<Board>) -> Result<()> {
    let name = Name::new(&prefix);
    let mut lines = Lines::default();
    loop {
        let chunk = stream.chunk().await?.context("the server ended a watch")?;
        let at = Instant::now();
        lines.push(&chunk, |frame| {
            if let Some(index) = name.number(frame) {
                board.delivered(index, at);
            }
        });
    }
}

/// Finds the number of a ConfigMap in a frame, without decoding it.
struct Name<'a> {
    finder: Finder<'a>,
    length: usize,
}

impl<'a> Name<'a> {
    fn new(prefix: &'a str) -> Self {
        Self { finder: Finder::new(prefix), length: prefix.len() }
    }

    /// `None` for a frame that is about something else, or not about a creation.
    fn number(&self, frame: &[u8]) -> Option<u64> {
        const ADDED: &[u8] = br#"{"type":"ADDED""#;
        if !frame.starts_with(ADDED) {
            return None;
        }
        ConfigMaps::number(&frame[self.finder.find(frame)? + self.length..])
    }
}

/// Who knows of which write, and since when.
struct Board {
    started: Instant,
    watchers: u32,
    slots: Vec<Slot>,
}

/// One write. Moments are microseconds since the start.
#[derive(Default)]
struct Slot {
    is_answered: AtomicBool,
    answered: AtomicU32,
    deliveries: AtomicU32,
    last: AtomicU32,
}

impl Board {
    fn new(writes: usize, watchers: u32) -> Self {
        Self { started: Instant::now(), watchers, slots: (0..writes).map(|_| Slot::default()).collect() }
    }

    fn slot(&self, index: u64) -> Option<&Slot> {
        self.slots.get(usize::try_from(index).ok()?)
    }

    fn moment(&self, at: Instant) -> u32 {
        u32::try_from((at - self.started).as_micros()).unwrap_or(u32::MAX)
    }

    fn answered(&self, index: u64, at: Instant) {
        if let Some(slot) = self.slot(index) {
            slot.answered.store(self.moment(at), Ordering::Relaxed);
            slot.is_answered.store(true, Ordering::Release);
        }
    }

    fn delivered(&self, index: u64, at: Instant) {
        if let Some(slot) = self.slot(index) {
            slot.last.fetch_max(self.moment(at), Ordering::Relaxed);
            slot.deliveries.fetch_add(1, Ordering::Release);
        }
    }

    fn answered_slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.is_answered.load(Ordering::Acquire))
    }

    /// How many answered writes some watcher does not know of; `None` if there are none.
    fn missing(&self) -> Option<usize> {
        let missing = self.answered_slots().filter(|slot| slot.deliveries.load(Ordering::Acquire) < self.watchers).count();
        (missing > 0).then_some(missing)
    }

    /// From the answer to the last delivery, of every answered write.
    fn delays(&self) -> Latencies {
        let mut delays = Latencies::default();
        for slot in self.answered_slots() {
            let (answered, last) = (slot.answered.load(Ordering::Relaxed), slot.last.load(Ordering::Relaxed));
            delays.record(Duration::from_micros(last.saturating_sub(answered).into()));
        }
        delays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_recognised_by_its_name() {
        let name = Name::new("bench-abc-");
        let frame = |kind: &str, name: &str| format!(r#"{{"type":"{kind}","object":{{"metadata":{{"name":"{name}"}}}}}}"#).into_bytes();
        assert_eq!(name.number(&frame("ADDED", "bench-abc-000000042")), Some(42));
        assert_eq!(name.number(&frame("DELETED", "bench-abc-000000042")), None);
        assert_eq!(name.number(&frame("ADDED", "kube-root-ca.crt")), None);
        assert_eq!(name.number(b""), None);
    }

    #[test]
    fn the_board_waits_for_the_last_watcher() {
        let board = Board::new(2, 2);
        let at = |ms| board.started + Duration::from_millis(ms);
        board.delivered(0, at(3));
        assert_eq!(board.missing(), None, "nothing was acknowledged yet");
        board.answered(0, at(5));
        assert_eq!(board.missing(), Some(1));
        board.delivered(0, at(9));
        assert_eq!(board.missing(), None);
        let delays = board.delays();
        assert_eq!(delays.len(), 1);
        assert_eq!(delays.summary().unwrap().median, Duration::from_millis(4));
    }

    #[test]
    fn knowing_before_the_writer_takes_no_time() {
        let board = Board::new(1, 1);
        board.delivered(0, board.started + Duration::from_millis(1));
        board.answered(0, board.started + Duration::from_millis(2));
        assert_eq!(board.delays().summary().unwrap().p99, Duration::ZERO);
    }
}
