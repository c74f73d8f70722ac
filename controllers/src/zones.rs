//! How fast nodes may be emptied, zone by zone. One lost node is a node that broke; when most are lost at once it is rather the
//! network, and evicting their pods would do more harm than good.

use std::{collections::HashMap, time::Duration};

use k8s_openapi::api::core::v1::Node;
use mini_api::condition::{self, TRUE};
use tokio::time::Instant;

/// What upstream's flags say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Nodes a second in a zone that is well.
    pub(crate) rate: f64,
    /// Nodes a second in a large zone that is not.
    pub(crate) secondary_rate: f64,
    /// The share of nodes that are not ready from which on a zone is not well.
    pub(crate) unhealthy: f64,
    /// More nodes than this are a large zone; in a smaller one that is not well no node is emptied.
    pub(crate) large: usize,
}

/// The nodes of all zones, counted.
#[derive(Debug)]
pub(crate) struct Zones {
    limits: Limits,
    zones: HashMap<String, Zone>,
}

/// A zone: how its nodes are, and when another may be emptied.
#[derive(Debug, Default)]
struct Zone {
    ready: usize,
    bad: usize,
    /// What is left of the allowance, which is never more than one node, as it was then.
    allowance: Option<(f64, Instant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Normal,
    /// Many are not ready.
    Partial,
    /// None is ready.
    Full,
}

impl Zone {
    fn state(&self, limits: Limits) -> State {
        #[expect(clippy::cast_precision_loss, reason = "nodes are not that many")]
        let share = self.bad as f64 / (self.bad + self.ready).max(1) as f64;
        match self.bad {
            0 => State::Normal,
            _ if self.ready == 0 => State::Full,
            bad if bad > 2 && share >= limits.unhealthy => State::Partial,
            _ => State::Normal,
        }
    }

    fn rate(&self, limits: Limits) -> f64 {
        match self.state(limits) {
            // That one zone is dark while others are not is believed.
            State::Normal | State::Full => limits.rate,
            State::Partial if self.ready + self.bad > limits.large => limits.secondary_rate,
            State::Partial => 0.0,
        }
    }
}

/// The zone and region of a node, as one name.
fn zone_of(node: &Node) -> String {
    let label = |key: &str| node.metadata.labels.as_ref().and_then(|labels| labels.get(key)).map_or("", String::as_str);
    format!("{}:{}", label("topology.kubernetes.io/region"), label("topology.kubernetes.io/zone"))
}

fn is_ready(node: &Node) -> bool {
    node.status.as_ref().and_then(|status| condition::node(status, "Ready")).is_some_and(|ready| ready.status == TRUE)
}

impl Zones {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, zones: HashMap::new() }
    }

    /// Takes in what became of a node.
    pub(crate) fn note(&mut self, old: Option<&Node>, new: Option<&Node>) {
        if let Some(zone) = old.and_then(|old| Some((old, self.zones.get_mut(&zone_of(old))?))) {
            let (old, zone) = zone;
            let count = if is_ready(old) { &mut zone.ready } else { &mut zone.bad };
            *count = count.saturating_sub(1);
        }
        if let Some(new) = new {
            let zone = self.zones.entry(zone_of(new)).or_default();
            *(if is_ready(new) { &mut zone.ready } else { &mut zone.bad }) += 1;
        }
        self.zones.retain(|_, zone| zone.ready + zone.bad > 0);
    }

    /// Whether no node of any zone is ready: then it is we who are cut off, and nothing is emptied.
    pub(crate) fn all_dark(&self) -> bool {
        !self.zones.is_empty() && self.zones.values().all(|zone| zone.state(self.limits) == State::Full)
    }

    /// Asks to empty one more node. If not now, says how long it takes until one may be as things are; nothing if none may.
    pub(crate) fn empty_one(&mut self, node: &Node, now: Instant) -> Result<(), Option<Duration>> {
        let limits = self.limits;
        let Some(zone) = self.zones.get_mut(&zone_of(node)) else { return Err(None) };
        let rate = zone.rate(limits);
        let (left, since) = zone.allowance.unwrap_or((1.0, now));
        let left = (left + rate * (now - since).as_secs_f64()).min(1.0);
        zone.allowance = Some((left, now));
        if rate <= 0.0 {
            return Err(None);
        }
        // What is a billionth short is not waited for.
        if left < 1.0 - 1e-9 {
            return Err(Duration::try_from_secs_f64((1.0 - left) / rate).ok());
        }
        zone.allowance = Some((left - 1.0, now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LIMITS: Limits = Limits { rate: 0.1, secondary_rate: 0.01, unhealthy: 0.55, large: 50 };

    fn node(zone: &str, ready: bool) -> Node {
        let ready = if ready { "True" } else { "Unknown" };
        let metadata = json!({"name": "n", "labels": {"topology.kubernetes.io/zone": zone}});
        serde_json::from_value(json!({"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}})).unwrap()
    }

    fn zones(counts: &[(&str, usize, usize)]) -> Zones {
        let mut zones = Zones::new(LIMITS);
        for (zone, ready, bad) in counts {
            (0..*ready).for_each(|_| zones.note(None, Some(&node(zone, true))));
            (0..*bad).for_each(|_| zones.note(None, Some(&node(zone, false))));
        }
        zones
    }

    #[test]
    fn how_fast_a_zone_is_emptied() {
        for (counts, dark, rate) in [
            (vec![("a", 2, 1)], false, 0.1),
            // Two of three are few, however large the share.
            (vec![("a", 1, 2)], false, 0.1),
            (vec![("a", 2, 3)], false, 0.0),
            (vec![("a", 4, 3)], false, 0.1),
            (vec![("a", 20, 40)], false, 0.01),
            (vec![("a", 0, 3), ("b", 1, 0)], false, 0.1),
            (vec![("a", 0, 3), ("b", 0, 1)], true, 0.1),
            (vec![("a", 0, 1)], true, 0.1),
        ] {
            let zones = zones(&counts);
            assert_eq!((zones.all_dark(), zones.zones[":a"].rate(LIMITS)), (dark, rate), "{counts:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_at_once_and_then_at_that_rate() {
        let mut zones = zones(&[("a", 8, 2), ("b", 2, 1)]);
        let (a, b, begin) = (node("a", false), node("b", false), Instant::now());
        assert_eq!(zones.empty_one(&a, begin), Ok(()));
        assert_eq!(zones.empty_one(&a, begin), Err(Some(Duration::from_secs(10))));
        assert_eq!(zones.empty_one(&b, begin), Ok(()), "each zone by itself");
        assert_eq!(zones.empty_one(&a, begin + Duration::from_secs(4)), Err(Some(Duration::from_secs(6))));
        assert_eq!(zones.empty_one(&a, begin + Duration::from_secs(10)), Ok(()));
        (0..12).for_each(|_| zones.note(None, Some(&a)));
        assert_eq!(zones.empty_one(&a, begin + Duration::from_secs(99)), Err(None), "too many at once");
    }

    #[test]
    fn nodes_come_and_go() {
        let mut zones = zones(&[("a", 1, 0)]);
        zones.note(Some(&node("a", true)), Some(&node("a", false)));
        assert!(zones.all_dark());
        zones.note(Some(&node("a", false)), None);
        assert!(zones.zones.is_empty() && !zones.all_dark());
    }
}
