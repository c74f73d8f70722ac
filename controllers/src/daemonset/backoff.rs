//! How long a daemon that failed on a node is left lying before it is replaced: longer each time, so that a node that refuses it
//! is not asked all the time. This is remembered here and nowhere else; who starts anew begins anew.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

/// The first pause …
const FIRST: SignedDuration = SignedDuration::from_secs(1);
/// … and the longest.
const LONGEST: SignedDuration = SignedDuration::from_mins(15);

/// A DaemonSet (its UID), the generation that was last dealt with, and a node.
pub(super) type Place = (String, i64, String);

/// The pauses of all places.
#[derive(Debug, Default)]
pub(super) struct Backoff(Mutex<HashMap<Place, Pause>>);

#[derive(Debug)]
struct Pause {
    since: Timestamp,
    length: SignedDuration,
}

impl Pause {
    /// Long past, so that the next one is short again.
    fn is_forgotten(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) > LONGEST * 2
    }
}

impl Backoff {
    /// How long to leave a failed pod lying there still, if at all.
    pub(super) fn left(&self, place: &Place, now: Timestamp) -> Option<Duration> {
        let pauses = self.0.lock();
        let pause = pauses.get(place).filter(|pause| !pause.is_forgotten(now))?;
        Duration::try_from(pause.length - now.duration_since(pause.since)).ok().filter(|left| !left.is_zero())
    }

    /// Notes that one is replaced there now.
    pub(super) fn note(&self, place: Place, now: Timestamp) {
        let mut pauses = self.0.lock();
        pauses.retain(|_, pause| !pause.is_forgotten(now));
        let length = pauses.get(&place).map_or(FIRST, |pause| (pause.length * 2).min(LONGEST));
        pauses.insert(place, Pause { since: now, length });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_forgotten() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (backoff, place) = (Backoff::default(), ("uid".to_owned(), 1, "n1".to_owned()));
        let left = |now| backoff.left(&place, at(now)).map(|left| left.as_secs());
        assert_eq!(left(0), None);
        for (now, pause) in [(0, 1), (10, 2), (20, 4), (30, 8)] {
            backoff.note(place.clone(), at(now));
            assert_eq!((left(now), left(now + pause)), (Some(pause.cast_unsigned()), None));
        }
        for _ in 0..20 {
            backoff.note(place.clone(), at(100));
        }
        assert_eq!(left(100), Some(900));
        backoff.note(place.clone(), at(100 + 1801));
        assert_eq!(left(1901), Some(1));
    }
}
