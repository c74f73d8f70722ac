//! How many pods there should be by what one metric says of them: upstream's arithmetic, with its caution about pods that are not
//! measured, not ready or not started.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        autoscaling::v2::HPAScalingRules,
        core::v1::{Container, Pod},
    },
    apimachinery::pkg::api::resource::Quantity,
};
use mini_api::{condition, pod, quantity};

/// What was measured of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// In thousandths.
    pub(super) milli: i64,
    pub(super) at: Timestamp,
    /// The time it is an average of.
    pub(super) window: SignedDuration,
}

/// By the pod's name.
pub(super) type Samples = BTreeMap<String, Sample>;

/// What the metric is to come to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    /// So many percent of what the pods ask for, or one container of each.
    Utilization(i32, Option<&'a str>),
    /// So many thousandths for each pod.
    Average(i64),
}

/// How far from its target a metric may be before anything is done about it: shares of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    up: f64,
    down: f64,
}

impl Tolerance {
    /// As `general`, unless the rules for a direction say otherwise.
    pub(super) fn new(general: f64, up: Option<&HPAScalingRules>, down: Option<&HPAScalingRules>) -> Self {
        let own = |rules: Option<&HPAScalingRules>| rules?.tolerance.as_ref().map(|tolerance| quantity::of(tolerance).as_f64());
        Self { up: own(up).unwrap_or(general), down: own(down).unwrap_or(general) }
    }

    fn allows(self, ratio: f64) -> bool {
        (1.0 - self.down..=1.0 + self.up).contains(&ratio)
    }
}

/// How long what a new pod uses says nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For so long after its start a pod may still be getting ready.
    pub(super) initialization: SignedDuration,
    /// What is unready from so soon after its start was never ready.
    pub(super) readiness: SignedDuration,
}

/// What is known beside the measurements.
pub(super) struct Scene<'a> {
    pub(super) pods: &'a [Arc<Pod>],
    /// How many there are to be at present.
    pub(super) current: i32,
    pub(super) tolerance: Tolerance,
    pub(super) patience: Patience,
    pub(super) now: Timestamp,
}

/// What one metric leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) replicas: i32,
    /// In percent of what the pods ask for.
    pub(super) utilization: Option<i32>,
    /// Of the pods that count, in thousandths.
    pub(super) average: i64,
}

/// How many pods there should be for `resource` to come to its target.
///
/// # Errors
/// Why that cannot be said, in upstream's words.
pub(super) fn propose(scene: &Scene<'_>, resource: &str, mut samples: Samples, target: Target<'_>) -> Result<Proposal, String> {
    if scene.pods.is_empty() {
        return Err("no pods returned by selector while calculating replica count".to_owned());
    }
    let groups = Groups::of(scene, resource, &samples);
    samples.retain(|pod, _| !groups.unready.contains(pod) && !groups.ignored.contains(pod));
    if samples.is_empty() {
        return Err("did not receive metrics for targeted pods (pods might be unready)".to_owned());
    }
    let requests = match target {
        Target::Utilization(_, container) => requests(scene.pods, container, resource)?,
        Target::Average(_) => BTreeMap::new(),
    };
    let (ratio, utilization, average) = usage(&samples, &requests, target)?;
    let proposal = |replicas| Proposal { replicas, utilization, average };
    let grows_with_unready = !groups.unready.is_empty() && ratio > 1.0;
    if !grows_with_unready && groups.missing.is_empty() {
        let unchanged = scene.tolerance.allows(ratio);
        return Ok(proposal(if unchanged { scene.current } else { ceil(ratio, groups.ready) }));
    }
    // What is not known counts against the change: as idle where there would be more, as busy where there would be fewer.
    let mut assume = |pod: &String, milli| samples.insert(pod.clone(), Sample { milli, at: scene.now, window: SignedDuration::ZERO });
    for pod in &groups.missing {
        match target {
            Target::Utilization(percent, _) if ratio < 1.0 => {
                assume(pod, requests.get(pod).copied().unwrap_or(0) * i64::from(percent.max(100)) / 100);
            }
            Target::Average(milli) if ratio < 1.0 => _ = assume(pod, milli),
            Target::Utilization(..) if ratio == 1.0 => {}
            _ => _ = assume(pod, 0),
        }
    }
    if grows_with_unready {
        for pod in &groups.unready {
            assume(pod, 0);
        }
    }
    let (cautious, ..) = usage(&samples, &requests, target)?;
    let turned = (ratio < 1.0 && cautious > 1.0) || (ratio > 1.0 && cautious < 1.0);
    if scene.tolerance.allows(cautious) || turned {
        return Ok(proposal(scene.current));
    }
    let replicas = ceil(cautious, samples.len());
    let contrary = (cautious < 1.0 && replicas > scene.current) || (cautious > 1.0 && replicas < scene.current);
    Ok(proposal(if contrary { scene.current } else { replicas }))
}

fn ceil(ratio: f64, pods: usize) -> i32 {
    (ratio * pods as f64).ceil() as i32
}

/// What of the pods can be believed.
#[derive(Default)]
struct Groups {
    ready: usize,
    /// They have not got going yet.
    unready: Vec<String>,
    /// They run, and nobody measured them.
    missing: Vec<String>,
    /// They are on their way out.
    ignored: Vec<String>,
}

impl Groups {
    fn of(scene: &Scene<'_>, resource: &str, samples: &Samples) -> Self {
        let mut groups = Self::default();
        for pod in scene.pods {
            let name = pod.metadata.name.clone().unwrap_or_default();
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            if pod::is_terminating(pod) || phase == Some("Failed") {
                groups.ignored.push(name);
            } else if phase == Some("Pending") {
                groups.unready.push(name);
            } else if let Some(sample) = samples.get(&name) {
                if resource == "cpu" && is_starting(pod, sample, scene) {
                    groups.unready.push(name);
                } else {
                    groups.ready += 1;
                }
            } else {
                groups.missing.push(name);
            }
        }
        groups
    }
}

/// Whether what a pod uses may be what its start takes.
fn is_starting(pod: &Pod, sample: &Sample, scene: &Scene<'_>) -> bool {
    let Some(status) = &pod.status else { return true };
    let (Some(ready), Some(started)) = (condition::pod(status, "Ready"), &status.start_time) else { return true };
    let is_unready = ready.status == condition::FALSE;
    let since = ready.last_transition_time.as_ref().map_or(Timestamp::MIN, |time| time.0);
    let after = |moment: Timestamp, time: SignedDuration| moment.saturating_add(time).unwrap_or(Timestamp::MAX);
    if after(started.0, scene.patience.initialization) > scene.now {
        is_unready || sample.at < after(since, sample.window)
    } else {
        is_unready && after(started.0, scene.patience.readiness) > since
    }
}

/// The ratio of what is used to the target, what is used in percent of what was asked for, and on average.
fn usage(samples: &Samples, requests: &BTreeMap<String, i64>, target: Target<'_>) -> Result<(f64, Option<i32>, i64), String> {
    match target {
        Target::Average(milli) => {
            let average = samples.values().map(|sample| sample.milli).sum::<i64>() / i64::try_from(samples.len().max(1)).unwrap_or(1);
            Ok((average as f64 / milli as f64, None, average))
        }
        Target::Utilization(percent, _) => {
            let known = || samples.iter().filter_map(|(pod, sample)| Some((sample.milli, *requests.get(pod)?)));
            let (used, asked) = known().fold((0, 0), |(used, asked), (more, of)| (used + more, asked + of));
            if asked == 0 {
                return Err("no metrics returned matched known pods".to_owned());
            }
            let utilization = i32::try_from(used * 100 / asked).unwrap_or(i32::MAX);
            let average = used / i64::try_from(known().count()).unwrap_or(1);
            Ok((f64::from(utilization) / f64::from(percent), Some(utilization), average))
        }
    }
}

/// How much of a resource each pod asks for, or one container of it, in thousandths.
fn requests(pods: &[Arc<Pod>], container: Option<&str>, resource: &str) -> Result<BTreeMap<String, i64>, String> {
    pods.iter().map(|pod| Ok((pod.metadata.name.clone().unwrap_or_default(), request(pod, container, resource)?))).collect()
}

fn request(pod: &Pod, container: Option<&str>, resource: &str) -> Result<i64, String> {
    let Some(spec) = &pod.spec else { return Ok(0) };
    let asked = |requests: Option<&BTreeMap<String, Quantity>>| Some(milli(requests?.get(resource)?));
    let of_pod = spec.resources.as_ref().and_then(|resources| asked(resources.requests.as_ref()));
    if let Some(whole) = of_pod.filter(|_| container.is_none()) {
        return Ok(whole);
    }
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let sidecars = spec.init_containers.iter().flatten().filter(|one| one.restart_policy.as_deref() == Some("Always"));
    let mut counted = spec.containers.iter().chain(sidecars).filter(|one| container.is_none_or(|wanted| one.name == wanted)).peekable();
    if let Some(absent) = container.filter(|_| counted.peek().is_none()) {
        return Err(format!("container {absent} not found in Pod {name}"));
    }
    let one = |one: &Container| {
        let asked = asked(one.resources.as_ref().and_then(|resources| resources.requests.as_ref()));
        asked.ok_or_else(|| format!("missing request for {resource} in container {} of Pod {name}", one.name))
    };
    counted.map(one).sum()
}

/// A quantity in thousandths.
pub(super) fn milli(quantity: &Quantity) -> i64 {
    i64::try_from(quantity::of(quantity).milli()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const START: i64 = 1_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A letter a pod: r(eady for long), n(ewly ready), u(nready), p(ending), m(issing: not measured), f(ailed), t(erminating).
    fn pods(states: &str) -> Vec<Arc<Pod>> {
        let make = |(index, state): (usize, char)| {
            let (phase, ready, since) = match state {
                'p' => ("Pending", "False", START),
                'f' => ("Failed", "False", START),
                'u' => ("Running", "False", START),
                'n' => ("Running", "True", START + 595),
                _ => ("Running", "True", START + 10),
            };
            let started = if state == 'n' { START + 590 } else { START };
            let pod: Pod = serde_json::from_value(json!({
                "metadata": { "name": format!("{state}{index}"), "deletionTimestamp": (state == 't').then(|| at(START)) },
                "spec": { "containers": [{ "name": "c", "resources": { "requests": { "cpu": "100m", "memory": "100Mi" } } }] },
                "status": {
                    "phase": phase, "startTime": at(started),
                    "conditions": [{ "type": "Ready", "status": ready, "lastTransitionTime": at(since) }],
                },
            }))
            .unwrap();
            Arc::new(pod)
        };
        states.chars().enumerate().map(make).collect()
    }

    fn samples(pods: &[Arc<Pod>], used: &[i64]) -> Samples {
        let measured = pods.iter().filter(|pod| !pod.metadata.name.as_deref().unwrap().starts_with('m'));
        let sample = |milli: i64| Sample { milli, at: at(START + 600), window: SignedDuration::from_secs(15) };
        measured.zip(used.iter().chain(std::iter::repeat(used.last().unwrap()))).map(|(pod, used)| (pod.metadata.name.clone().unwrap(), sample(*used))).collect()
    }

    fn scene(pods: &[Arc<Pod>], current: i32) -> Scene<'_> {
        let patience = Patience { initialization: SignedDuration::from_mins(5), readiness: SignedDuration::from_secs(30) };
        Scene { pods, current, tolerance: Tolerance::new(0.1, None, None), patience, now: at(START + 600) }
    }

    /// What 100m for each pod comes to at so many percent.
    fn replicas(states: &str, used: &[i64], percent: i32) -> i32 {
        let pods = pods(states);
        let current = i32::try_from(pods.len()).unwrap();
        propose(&scene(&pods, current), "cpu", samples(&pods, used), Target::Utilization(percent, None)).unwrap().replicas
    }

    #[test]
    fn the_number_follows_the_usage() {
        for (states, used, percent, expected) in [
            ("rrr", [90].as_slice(), 30, 9),
            ("rrr", &[10], 50, 1),
            ("rrr", &[50], 50, 3),
            ("rrr", &[54], 50, 3),
            ("rrr", &[55], 50, 3),
            ("rrr", &[56], 50, 4),
            ("rrr", &[45], 50, 3),
            ("rrr", &[44], 50, 3),
            ("rrrrrrrrrr", &[44], 50, 9),
            ("r", &[250], 50, 5),
            ("rr", &[250, 0], 50, 5),
        ] {
            assert_eq!(replicas(states, used, percent), expected, "{states} {used:?} {percent}");
        }
    }

    #[test]
    fn what_is_not_known_counts_against_the_change() {
        for (states, used, percent, expected, why) in [
            ("rrm", [90].as_slice(), 50, 4, "missing as idle: 180 of 300 is 60%"),
            ("rrm", &[60], 50, 3, "and without a change if that turns it"),
            ("rrm", &[10], 50, 3, "missing as all of what it asked for: 40%, of three"),
            ("rrmm", &[10], 50, 4, "which is above the target"),
            ("rrp", &[120], 50, 5, "pending as idle: 240 of 300 is 80%"),
            ("rrp", &[10], 50, 1, "which does not matter on the way down"),
            ("rru", &[120], 50, 5, "as unready"),
            ("rrn", &[120], 50, 5, "as what is ready since less than a window"),
            ("rrf", &[100], 50, 4, "failed pods are none"),
            ("rrt", &[100], 50, 4, "nor are those that are going"),
        ] {
            assert_eq!(replicas(states, used, percent), expected, "{states} {used:?} {percent}: {why}");
        }
    }

    #[test]
    fn averages_and_memory_are_measured_alike() {
        let pods = pods("rru");
        let memory = propose(&scene(&pods, 3), "memory", samples(&pods, &[200]), Target::Average(100));
        assert_eq!(memory, Ok(Proposal { replicas: 6, utilization: None, average: 200 }), "readiness is about CPU only");
        let cpu = propose(&scene(&pods, 3), "cpu", samples(&pods, &[200]), Target::Average(100));
        assert_eq!(cpu, Ok(Proposal { replicas: 4, utilization: None, average: 200 }));
        let of_container = propose(&scene(&pods[..2], 2), "cpu", samples(&pods, &[120]), Target::Utilization(60, Some("c")));
        assert_eq!(of_container, Ok(Proposal { replicas: 4, utilization: Some(120), average: 120 }));
    }

    #[test]
    fn tolerance_may_differ_by_direction() {
        let rules = |tolerance: &str| HPAScalingRules { tolerance: Some(Quantity(tolerance.to_owned())), ..HPAScalingRules::default() };
        let tolerance = Tolerance::new(0.1, Some(&rules("0")), Some(&rules("500m")));
        assert!(!tolerance.allows(1.01) && tolerance.allows(1.0) && tolerance.allows(0.5) && !tolerance.allows(0.49));
    }

    #[test]
    fn what_cannot_be_said_has_a_reason() {
        let all = pods("rr");
        let why = |pods: &[Arc<Pod>], samples, target| propose(&scene(pods, 2), "cpu", samples, target).unwrap_err();
        let half = Target::Utilization(50, None);
        assert_eq!(why(&[], Samples::new(), half), "no pods returned by selector while calculating replica count");
        assert_eq!(why(&all, Samples::new(), half), "did not receive metrics for targeted pods (pods might be unready)");
        let other = Target::Utilization(50, Some("x"));
        assert_eq!(why(&all, samples(&all, &[1]), other), "container x not found in Pod r0");
        let mut modest = (*all[0]).clone();
        modest.spec.as_mut().unwrap().containers[0].resources = None;
        let modest = [Arc::new(modest)];
        assert_eq!(why(&modest, samples(&modest, &[1]), half), "missing request for cpu in container c of Pod r0");
    }
}
