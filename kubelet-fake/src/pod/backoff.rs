//! Waiting longer after each failure: 10 s, doubled up to 5 min, forgotten after 10 min of peace.
//!
//! Must not know: what failed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mini_api::duration;

const FIRST: SignedDuration = SignedDuration::from_secs(10);
const LONGEST: SignedDuration = SignedDuration::from_secs(300);
const PEACE: SignedDuration = SignedDuration::from_secs(600);

/// The state after at least one failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// How long to wait after the next failure.
    pub(crate) wait: SignedDuration,
    /// When that was last decided.
    updated: Timestamp,
}

impl Backoff {
    /// The state after a failure at `at`.
    pub(crate) fn after(old: Option<Self>, at: Timestamp) -> Self {
        let wait = match old {
            Some(old) if !old.expired(at) => (old.wait * 2).min(LONGEST),
            _ => FIRST,
        };
        Self { wait, updated: at }
    }

    /// Until when something that failed at `at` must wait.
    pub(crate) fn until(&self, at: Timestamp) -> Option<Timestamp> {
        (!self.expired(at)).then(|| at + self.wait)
    }

    fn expired(&self, at: Timestamp) -> bool {
        at.duration_since(self.updated) > PEACE
    }
}

/// A whole number of seconds as Go prints durations: `10s`, `1m20s`, `5m0s`.
pub(super) fn go_seconds(wait: SignedDuration) -> String {
    duration::text(Duration::from_secs(wait.as_secs().unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_five_minutes_and_forgets_after_ten() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut backoff = None;
        let mut waits = Vec::new();
        for second in 0..7 {
            let next = Backoff::after(backoff, at(second));
            waits.push(go_seconds(next.wait));
            backoff = Some(next);
        }
        assert_eq!(waits, ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]);
        let backoff = backoff.unwrap();
        assert_eq!(backoff.until(at(606)), Some(at(906)));
        assert_eq!(backoff.until(at(607)), None);
        assert_eq!(Backoff::after(Some(backoff), at(607)).wait, FIRST);
    }
}
