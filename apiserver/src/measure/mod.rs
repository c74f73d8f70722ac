//! Counting without getting in the way: what a request touches are atomics it finds without a lock.
//!
//! A family's series are kept in a map that is replaced, never changed: a new series copies it once, and from then on whoever
//! counts only reads. The names, labels and buckets are upstream's; who counts what is told where it is counted.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;

pub(crate) mod page;
pub(crate) mod process;
pub(crate) mod store;

/// Upstream's buckets of request durations, in nanoseconds.
const SECONDS: [u64; 23] = {
    let milliseconds = [
        5, 25, 50, 100, 200, 400, 600, 800, 1_000, 1_250, 1_500, 2_000, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000, 15_000, 20_000, 30_000,
        45_000, 60_000,
    ];
    let mut bounds = [0; 23];
    let mut at = 0;
    while at < bounds.len() {
        bounds[at] = milliseconds[at] * 1_000_000;
        at += 1;
    }
    bounds
};

/// A number that only grows, or that goes up and down.
#[derive(Debug, Default)]
pub(crate) struct Number(AtomicU64);

impl Number {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, less: u64) {
        self.0.fetch_sub(less, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many observations there were of which size.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// Upper bounds of the buckets; a last one takes what is beyond.
    bounds: &'static [u64],
    /// What one of the unit shown is.
    unit: f64,
    buckets: Box<[Number]>,
    sum: Number,
}

impl Histogram {
    /// Observations of bytes, or of other numbers shown as they are.
    pub(crate) fn of(bounds: &'static [u64]) -> Self {
        Self { bounds, unit: 1.0, buckets: (0..=bounds.len()).map(|_| Number::default()).collect(), sum: Number::default() }
    }

    /// Observations of durations, shown as seconds.
    pub(crate) fn of_seconds() -> Self {
        Self { unit: 1e9, ..Self::of(&SECONDS) }
    }

    pub(crate) fn observe(&self, value: u64) {
        self.buckets[self.bounds.partition_point(|bound| *bound < value)].add(1);
        self.sum.add(value);
    }

    pub(crate) fn observe_time(&self, took: Duration) {
        self.observe(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// The series of one family, by their labels.
#[derive(Debug)]
pub(crate) struct Family<K, V> {
    series: ArcSwap<HashMap<K, Arc<V>>>,
}

impl<K, V> Default for Family<K, V> {
    fn default() -> Self {
        Self { series: ArcSwap::default() }
    }
}

impl<K: Clone + Eq + Hash, V: Default> Family<K, V> {
    /// Works on the series of these labels.
    pub(crate) fn on(&self, key: &K, work: impl FnOnce(&V)) {
        match self.series.load().get(key) {
            Some(series) => work(series),
            None => work(&self.add(key)),
        }
    }

    /// The series of these labels, to be kept by who counts often.
    pub(crate) fn get(&self, key: &K) -> Arc<V> {
        let found = self.series.load().get(key).cloned();
        found.unwrap_or_else(|| self.add(key))
    }

    fn add(&self, key: &K) -> Arc<V> {
        let fresh = Arc::<V>::default();
        self.series.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.entry(key.clone()).or_insert_with(|| fresh.clone());
            all
        });
        // Another may have been faster.
        self.series.load().get(key).cloned().unwrap_or(fresh)
    }

    /// All series, for the page.
    pub(crate) fn all(&self) -> Arc<HashMap<K, Arc<V>>> {
        self.series.load_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_while_series_are_added() {
        let family = Family::<usize, Number>::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|turn| family.on(&(turn % 50), |number| number.add(1))));
            }
        });
        let all = family.all();
        assert_eq!((all.len(), all.values().map(|number| number.get()).sum::<u64>()), (50, 4_000));
    }

    #[test]
    fn an_observation_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::of(&[10, 100]);
        [0, 10, 11, 100, 101].into_iter().for_each(|value| histogram.observe(value));
        let counts: Vec<u64> = histogram.buckets.iter().map(Number::get).collect();
        assert_eq!((counts, histogram.sum.get()), (vec![2, 2, 1], 222));
    }
}
