//! What a container has used, and when it must wait or give way.
//!
//! Work is counted in steps. They are saved up at a steady rate to a bound; who has none left waits, so that a loop that never
//! ends costs its share of a core and no more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Limits;

/// How long who has used up its steps waits at least.
const SLICE: Duration = Duration::from_millis(100);

/// What one container may use and has used.
pub(crate) struct Budget {
    pub(crate) limits: Limits,
    /// Steps that are left; less than none: they were taken in advance.
    left: AtomicI64,
    filled: Mutex<Option<Instant>>,
    used: AtomicU64,
    pub(crate) processes: AtomicUsize,
    /// Bytes its programs pretend to hold, real ones included.
    pub(crate) memory: AtomicU64,
    /// Bytes they really hold.
    pub(crate) heap: Arc<AtomicU64>,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            left: AtomicI64::new(i64::try_from(limits.burst).unwrap_or(i64::MAX)),
            filled: Mutex::default(),
            used: AtomicU64::default(),
            processes: AtomicUsize::default(),
            memory: AtomicU64::default(),
            heap: Arc::default(),
        }
    }

    /// Takes steps.
    pub(crate) fn spend(&self, steps: u32) {
        self.used.fetch_add(u64::from(steps), Ordering::Relaxed);
        self.left.fetch_sub(i64::from(steps), Ordering::Relaxed);
    }

    /// Whether steps are left.
    pub(crate) fn has_steps(&self) -> bool {
        self.left.load(Ordering::Relaxed) > 0
    }

    /// Steps used so far.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// How long so many steps take one processor.
    pub(crate) fn time(&self, steps: u64) -> Duration {
        Duration::from_secs_f64(steps as f64 / self.limits.steps.max(1) as f64)
    }

    /// Adds what was saved up until now; answers how long to wait if there is nothing to go on with.
    pub(crate) fn refill(&self, now: Instant) -> Option<Duration> {
        let mut filled = self.filled.lock();
        let since = now.saturating_duration_since(filled.unwrap_or(now));
        let gain = gain(since, self.limits.steps);
        if filled.is_none() || gain > 0 {
            *filled = Some(now);
            let burst = i64::try_from(self.limits.burst).unwrap_or(i64::MAX);
            let left = self.left.load(Ordering::Relaxed);
            self.left.fetch_add(gain.min(burst.saturating_sub(left).max(0)), Ordering::Relaxed);
        }
        let left = self.left.load(Ordering::Relaxed);
        (left <= 0).then(|| SLICE.max(self.time(left.unsigned_abs())))
    }
}

/// The steps that a time brings.
fn gain(time: Duration, rate: u64) -> i64 {
    let gain = time.as_nanos().saturating_mul(u128::from(rate)) / 1_000_000_000;
    i64::try_from(gain).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn steps_are_saved_to_a_bound_and_debts_are_waited_for() {
        let budget = Budget::new(Limits { steps: 1000, burst: 100, ..Limits::default() });
        let begin = Instant::now();
        assert_eq!(budget.refill(begin), None);
        budget.spend(99);
        assert!(budget.has_steps());
        budget.spend(1);
        assert!(!budget.has_steps());
        assert_eq!(budget.refill(begin), Some(SLICE));
        assert_eq!(budget.refill(begin + Duration::from_millis(50)), None);
        budget.spend(550);
        assert_eq!(budget.refill(begin + Duration::from_millis(50)), Some(Duration::from_millis(500)));
        assert_eq!(budget.refill(begin + Duration::from_secs(3600)), None);
        budget.spend(100);
        assert!(!budget.has_steps(), "an hour brings no more than the bound");
        assert_eq!(budget.time(1500), Duration::from_millis(1500));
    }
}
