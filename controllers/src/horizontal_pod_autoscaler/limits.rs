//! How fast the number of pods may change: stabilization by what was recommended recently, and the rates of a behavior.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscalerBehavior};

/// A reason and a message, as a condition has them.
pub(super) type Reason = (&'static str, &'static str);

/// What is remembered of an autoscaler. It is not stored, as it is not by upstream: after a restart nothing shrinks for a window.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// What was recommended, before it was limited, and when.
    recommended: Vec<(Timestamp, i32)>,
    /// By how much the number was raised, and when.
    raised: Vec<(Timestamp, i32)>,
    /// The same of lowering.
    lowered: Vec<(Timestamp, i32)>,
}

/// What a number of pods has to keep to.
pub(super) struct Limits<'a> {
    pub(super) current: i32,
    pub(super) least: i32,
    pub(super) most: i32,
    pub(super) behavior: Option<&'a HorizontalPodAutoscalerBehavior>,
    /// For how long nothing shrinks below what was recommended, unless the behavior says.
    pub(super) window: SignedDuration,
}

/// A number that keeps to its limits, and what they had to say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Limited {
    pub(super) replicas: i32,
    /// About `AbleToScale`.
    pub(super) able: Reason,
    /// About `ScalingLimited`, and whether it was.
    pub(super) limited: bool,
    pub(super) why: Reason,
}

const READY: Reason = ("ReadyForNewScale", "recommended size matches current size");
const UP_STABILIZED: Reason =
    ("ScaleUpStabilized", "recent recommendations were lower than current one, applying the lowest recent recommendation");
const DOWN_STABILIZED: Reason =
    ("ScaleDownStabilized", "recent recommendations were higher than current one, applying the highest recent recommendation");
const WITHIN: Reason = ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_MANY: Reason = ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const TOO_FEW: Reason = ("TooFewReplicas", "the desired replica count is less than the minimum replica count");
const UP_LIMIT: Reason = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const DOWN_LIMIT: Reason = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate");

impl History {
    /// Remembers the number an autoscaler has found, if it remembers nothing else.
    pub(super) fn begin(&mut self, current: i32, now: Timestamp) {
        if self.recommended.is_empty() {
            self.recommended.push((now, current));
        }
    }

    /// Remembers a change that was made.
    pub(super) fn changed(&mut self, from: i32, to: i32, behavior: Option<&HorizontalPodAutoscalerBehavior>, now: Timestamp) {
        let Some(behavior) = behavior else { return };
        let (changes, rules) =
            if to > from { (&mut self.raised, &behavior.scale_up) } else { (&mut self.lowered, &behavior.scale_down) };
        let periods = rules.iter().flat_map(|rules| rules.policies.iter().flatten()).map(|policy| policy.period_seconds);
        let longest = seconds(periods.max().unwrap_or(0));
        changes.retain(|(at, _)| now.duration_since(*at) <= longest);
        changes.push((now, (to - from).abs()));
    }

    /// The number nearest to `wanted` that keeps to the limits.
    pub(super) fn limit(&mut self, wanted: i32, limits: &Limits<'_>, now: Timestamp) -> Limited {
        let (stable, stabilized) = self.stabilize(wanted, limits, now);
        let (replicas, why) = match limits.behavior {
            None => without_behavior(stable, limits),
            Some(behavior) => self.with_behavior(stable, limits, behavior, now),
        };
        let able = if stable == wanted { READY } else { stabilized };
        Limited { replicas, able, limited: replicas != stable, why }
    }

    /// Holds back what was recommended otherwise a short while ago.
    fn stabilize(&mut self, wanted: i32, limits: &Limits<'_>, now: Timestamp) -> (i32, Reason) {
        let window = |rules: Option<&HPAScalingRules>| rules.and_then(|rules| rules.stabilization_window_seconds).map(seconds);
        let behavior = limits.behavior;
        let up = behavior.map_or(SignedDuration::ZERO, |behavior| window(behavior.scale_up.as_ref()).unwrap_or_default());
        let down = behavior.and_then(|behavior| window(behavior.scale_down.as_ref())).unwrap_or(limits.window);
        let within = |at: Timestamp, window: SignedDuration| now.duration_since(at) < window;
        self.recommended.retain(|(at, _)| within(*at, up.max(down)));
        let recent = |window| self.recommended.iter().filter(move |(at, _)| within(*at, window)).map(|(_, number)| *number);
        let lowest = recent(up).fold(wanted, i32::min);
        let highest = recent(down).fold(wanted, i32::max);
        self.recommended.push((now, wanted));
        if behavior.is_none() {
            return (highest, DOWN_STABILIZED);
        }
        let stable = limits.current.max(lowest).min(highest);
        (stable, if wanted >= limits.current { UP_STABILIZED } else { DOWN_STABILIZED })
    }

    fn with_behavior(&self, wanted: i32, limits: &Limits<'_>, behavior: &HorizontalPodAutoscalerBehavior, now: Timestamp) -> (i32, Reason) {
        let current = limits.current;
        if wanted > current {
            let allowed = self.bound(current, behavior.scale_up.as_ref(), Direction::Up, now).max(current);
            let (most, why) = if limits.most > allowed { (allowed, UP_LIMIT) } else { (limits.most, TOO_MANY) };
            if wanted > most {
                return (most, why);
            }
        } else if wanted < current {
            let allowed = self.bound(current, behavior.scale_down.as_ref(), Direction::Down, now).min(current);
            let (least, why) = if limits.least < allowed { (allowed, DOWN_LIMIT) } else { (limits.least, TOO_FEW) };
            if wanted < least {
                return (least, why);
            }
        }
        (wanted, WITHIN)
    }

    /// How far the policies of a direction let the number go.
    fn bound(&self, current: i32, rules: Option<&HPAScalingRules>, direction: Direction, now: Timestamp) -> i32 {
        let Some(rules) = rules else { return current };
        let choice = rules.select_policy.as_deref();
        if choice == Some("Disabled") {
            return current;
        }
        let bounds = rules.policies.iter().flatten().map(|policy| {
            let recent = |changes: &[(Timestamp, i32)]| {
                let period = seconds(policy.period_seconds);
                changes.iter().filter(|(at, _)| now.duration_since(*at) < period).map(|(_, change)| change).sum::<i32>()
            };
            // What it was when the period began.
            let before = current - recent(&self.raised) + recent(&self.lowered);
            let share = f64::from(before) * f64::from(policy.value) / 100.0;
            match (direction, policy.type_.as_str()) {
                // A share rounds up, or a small number would never grow.
                (Direction::Up, "Percent") => (f64::from(before) + share).ceil() as i32,
                (Direction::Up, _) => before.saturating_add(policy.value),
                (Direction::Down, "Percent") => (f64::from(before) - share) as i32,
                (Direction::Down, _) => before.saturating_sub(policy.value),
            }
        });
        // `Max` and `Min` are about the change, not about the number.
        let farthest = matches!((direction, choice), (Direction::Up, Some("Min")) | (Direction::Down, None | Some("Max")));
        let bound = if farthest { bounds.min() } else { bounds.max() };
        bound.unwrap_or(current)
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

/// Where nothing is said, the number at most doubles at a time, or comes to four.
fn without_behavior(wanted: i32, limits: &Limits<'_>) -> (i32, Reason) {
    let fastest = limits.current.saturating_mul(2).max(4);
    let (most, why) = if limits.most > fastest { (fastest, UP_LIMIT) } else { (limits.most, TOO_MANY) };
    if wanted < limits.least {
        (limits.least, TOO_FEW)
    } else if wanted > most {
        (most, why)
    } else {
        (wanted, WITHIN)
    }
}

fn seconds(number: i32) -> SignedDuration {
    SignedDuration::from_secs(number.into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn limits(current: i32, behavior: Option<&HorizontalPodAutoscalerBehavior>) -> Limits<'_> {
        Limits { current, least: 2, most: 20, behavior, window: SignedDuration::from_mins(5) }
    }

    fn behavior(up: Value, down: Value) -> HorizontalPodAutoscalerBehavior {
        serde_json::from_value(json!({ "scaleUp": up, "scaleDown": down })).unwrap()
    }

    fn short(limited: &Limited) -> (i32, &'static str, bool, &'static str) {
        (limited.replicas, limited.able.0, limited.limited, limited.why.0)
    }

    #[test]
    fn growth_is_at_once_and_shrinking_waits() {
        let mut history = History::default();
        history.begin(3, at(0));
        let mut told = |wanted, current, second| short(&history.limit(wanted, &limits(current, None), at(second)));
        assert_eq!(told(5, 3, 15), (5, "ReadyForNewScale", false, "DesiredWithinRange"));
        assert_eq!(told(2, 5, 30), (5, "ScaleDownStabilized", false, "DesiredWithinRange"));
        assert_eq!(told(3, 5, 314), (5, "ScaleDownStabilized", false, "DesiredWithinRange"));
        assert_eq!(told(2, 5, 315), (3, "ScaleDownStabilized", false, "DesiredWithinRange"));
        assert_eq!(told(1, 3, 620), (2, "ReadyForNewScale", true, "TooFewReplicas"));
    }

    #[test]
    fn without_a_behavior_it_at_most_doubles() {
        let told = |wanted, current| short(&History::default().limit(wanted, &limits(current, None), at(0)));
        assert_eq!(told(20, 1), (4, "ReadyForNewScale", true, "ScaleUpLimit"));
        assert_eq!(told(20, 8), (16, "ReadyForNewScale", true, "ScaleUpLimit"));
        assert_eq!(told(30, 16), (20, "ReadyForNewScale", true, "TooManyReplicas"));
        assert_eq!(told(16, 16), (16, "ReadyForNewScale", false, "DesiredWithinRange"));
    }

    #[test]
    fn policies_bound_the_change_within_their_period() {
        let pods = |value: i32, period: i32| json!({ "type": "Pods", "value": value, "periodSeconds": period });
        let percent = |value: i32, period: i32| json!({ "type": "Percent", "value": value, "periodSeconds": period });
        let rules = |select: &str, policies: &[Value]| json!({ "selectPolicy": select, "stabilizationWindowSeconds": 0, "policies": policies });
        let both = [pods(4, 60), percent(50, 60)];
        for (up, down, current, wanted, expected) in [
            (rules("Max", &both), rules("Max", &both), 10, 20, (15, "ScaleUpLimit")),
            (rules("Min", &both), rules("Max", &both), 10, 20, (14, "ScaleUpLimit")),
            (rules("Disabled", &both), rules("Max", &both), 10, 20, (10, "ScaleUpLimit")),
            (rules("Max", &both), rules("Max", &both), 10, 2, (5, "ScaleDownLimit")),
            (rules("Max", &both), rules("Min", &both), 10, 2, (6, "ScaleDownLimit")),
            (rules("Max", &both), rules("Disabled", &both), 10, 2, (10, "ScaleDownLimit")),
            (rules("Max", &[pods(50, 60)]), rules("Max", &both), 10, 30, (20, "TooManyReplicas")),
            (rules("Max", &both), rules("Max", &[percent(100, 15)]), 10, 1, (2, "TooFewReplicas")),
            (rules("Max", &[percent(10, 60)]), rules("Max", &both), 3, 9, (4, "ScaleUpLimit")),
        ] {
            let behavior = behavior(up.clone(), down.clone());
            let limited = History::default().limit(wanted, &limits(current, Some(&behavior)), at(0));
            assert_eq!((limited.replicas, limited.why.0), expected, "{current} to {wanted} by {up} and {down}");
        }

        let behavior = behavior(rules("Max", &[pods(4, 60)]), rules("Max", &both));
        let mut history = History::default();
        assert_eq!(history.limit(20, &limits(10, Some(&behavior)), at(0)).replicas, 14);
        history.changed(10, 14, Some(&behavior), at(0));
        assert_eq!(history.limit(20, &limits(14, Some(&behavior)), at(15)).replicas, 14, "the period is not over");
        assert_eq!(history.limit(20, &limits(14, Some(&behavior)), at(60)).replicas, 18);
    }

    #[test]
    fn both_directions_can_be_stabilized() {
        let rules = |window: i32| json!({ "selectPolicy": "Max", "stabilizationWindowSeconds": window, "policies": [{ "type": "Percent", "value": 100, "periodSeconds": 15 }] });
        let behavior = behavior(rules(60), rules(0));
        let mut history = History::default();
        history.begin(5, at(0));
        let mut told = |wanted, second| short(&history.limit(wanted, &limits(5, Some(&behavior)), at(second)));
        assert_eq!(told(9, 15), (5, "ScaleUpStabilized", false, "DesiredWithinRange"));
        assert_eq!(told(8, 61), (8, "ReadyForNewScale", false, "DesiredWithinRange"));
        assert_eq!(told(3, 62), (3, "ReadyForNewScale", false, "DesiredWithinRange"));
    }
}
