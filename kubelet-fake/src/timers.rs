//! Alarms for many keys with one sleeper: each key has at most one moment at which it wants to be looked at.
//!
//! Must not know: what the keys are, or how late it is.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use jiff::Timestamp;

/// At most one alarm per key.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    by_key: HashMap<K, Timestamp>,
    by_time: BTreeSet<(Timestamp, K)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), by_time: BTreeSet::new() }
    }
}

impl<K: Clone + Eq + Hash + Ord> Timers<K> {
    /// Sets, moves or (with `None`) takes away the alarm of `key`.
    pub(crate) fn set(&mut self, key: &K, at: Option<Timestamp>) {
        let old = match at {
            Some(at) => self.by_key.insert(key.clone(), at),
            None => self.by_key.remove(key),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.by_time.remove(&(old, key.clone()));
        }
        if let Some(at) = at {
            self.by_time.insert((at, key.clone()));
        }
    }

    /// When the next alarm goes off.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes one key whose alarm is due.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn one_alarm_per_key_in_order() {
        let mut timers = Timers::default();
        timers.set(&"a", Some(at(5)));
        timers.set(&"b", Some(at(3)));
        timers.set(&"a", Some(at(1)));
        timers.set(&"c", Some(at(2)));
        timers.set(&"c", None);
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.due(at(0)), None);
        assert_eq!(timers.due(at(9)), Some("a"));
        assert_eq!(timers.due(at(9)), Some("b"));
        assert_eq!(timers.due(at(9)), None);
        assert_eq!(timers.next(), None);
    }
}
