//! How long each of many operations took, and the quantiles of that.
//!
//! Every single duration is kept (4 bytes each), so quantiles are exact.

use std::time::Duration;

/// Durations, in whole microseconds. One longer than 71 minutes counts as that.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    /// Room for so many durations, so that recording them seldom allocates.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Keeps one duration.
    pub(crate) fn record(&mut self, duration: Duration) {
        self.0.push(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX));
    }

    /// Takes over all durations of another.
    pub(crate) fn merge(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Their median and 99th percentile by nearest rank; `None` if there are none.
    pub(crate) fn summary(mut self) -> Option<Summary> {
        self.0.sort_unstable();
        Some(Summary { median: quantile(&self.0, 50)?, p99: quantile(&self.0, 99)? })
    }
}

/// What is told of many durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Half took at most this long.
    pub(crate) median: Duration,
    /// 99 of 100 took at most this long.
    pub(crate) p99: Duration,
}

fn quantile(sorted: &[u32], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map(|micros| Duration::from_micros(u64::from(*micros)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(micros: impl IntoIterator<Item = u64>) -> Option<(u128, u128)> {
        let mut latencies = Latencies::default();
        micros.into_iter().for_each(|micros| latencies.record(Duration::from_micros(micros)));
        latencies.summary().map(|summary| (summary.median.as_micros(), summary.p99.as_micros()))
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        assert_eq!(summary([]), None);
        assert_eq!(summary([7]), Some((7, 7)));
        assert_eq!(summary([3, 1, 2]), Some((2, 3)));
        assert_eq!(summary((1..=100).rev()), Some((50, 99)));
        assert_eq!(summary(1..=200), Some((100, 198)));
    }

    #[test]
    fn what_is_too_long_counts_as_the_longest() {
        assert_eq!(summary([u64::MAX]), Some((u128::from(u32::MAX), u128::from(u32::MAX))));
    }

    #[test]
    fn merging_keeps_all() {
        let mut all = Latencies::with_capacity(2);
        let mut other = Latencies::default();
        all.record(Duration::from_micros(1));
        other.record(Duration::from_micros(2));
        all.merge(other);
        assert_eq!(all.len(), 2);
    }
}
