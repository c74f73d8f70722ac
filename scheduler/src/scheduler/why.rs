//! What the scheduler can say about a pod that somebody asks about: what it remembers of its choice where the pod has a node, and
//! a fresh look at all nodes where it waits, or does not exist.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Scheduler, profile_of};
use crate::{
    explain::{Basis, Explanation, State, Story, explain, recall},
    pod::PodInfo,
    queue::{Past, Place},
    record::Record,
};

/// Said of a pod whose choice is not remembered.
const UNRECORDED: &str = "how the node was chosen is not known here: somebody else chose it, or it was before this scheduler began, or long ago; \
                          the other nodes are shown as they would be judged now, if the pod had none";

/// What somebody wants to have explained.
#[derive(Debug)]
pub(crate) enum Question {
    /// The pod of this namespace and name.
    Pod(String, String),
    /// A pod that does not exist.
    WhatIf(Box<PodInfo>),
}

/// The moment of asking: on the scheduler's clock and on everybody's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) elapsed: Duration,
    pub(crate) time: Timestamp,
}

impl Moment {
    /// When it was, or will be, so long after the scheduler began.
    fn at(self, elapsed: Duration) -> Option<Timestamp> {
        if elapsed > self.elapsed {
            self.time.checked_add(elapsed - self.elapsed).ok()
        } else {
            self.time.checked_sub(self.elapsed - elapsed).ok()
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The cluster is not known yet.
    NotReady,
    /// No such pod is known here.
    Unknown(String),
    /// The pod is for another scheduler.
    NotMine(String),
}

impl Scheduler {
    /// Explains what somebody asks about. Nothing changes by it.
    ///
    /// # Errors
    /// When there is nothing to explain.
    pub(crate) fn explain(&mut self, question: Question, now: Moment) -> Result<Explanation, Unanswered> {
        if !(self.nodes.synced && self.pods.synced && self.cluster.synced()) {
            return Err(Unanswered::NotReady);
        }
        match question {
            Question::WhatIf(pod) => self.anew(&pod),
            Question::Pod(namespace, name) => self.explain_pod(&namespace, &name, now),
        }
    }

    fn explain_pod(&mut self, namespace: &str, name: &str, now: Moment) -> Result<Explanation, Unanswered> {
        if let Some((pod, past, place)) = self.queue.named(namespace, name) {
            let (pod, past, place) = (pod.clone(), past.clone(), place.clone());
            return Ok(waiting(self.anew(&pod)?, past, &place, now));
        }
        if let Some(record) = self.records.named(namespace, name) {
            return Ok(self.placed(record, now));
        }
        let held = self.cluster.nodes.pod_named(namespace, name).map(|(pod, node)| (pod.clone(), node.clone()));
        let (pod, node) = held.ok_or_else(|| Unanswered::Unknown(name.to_owned()))?;
        self.as_if_loose(&pod, &node)
    }

    /// Looks at all nodes as they are now.
    fn anew(&mut self, pod: &PodInfo) -> Result<Explanation, Unanswered> {
        let profile = profile_of(&self.profiles, pod).ok_or_else(|| Unanswered::NotMine(pod.scheduler.clone()))?;
        self.cluster.prepare(pod, profile);
        Ok(explain(&mut self.cluster, pod, profile))
    }

    fn placed(&self, record: &Record, now: Moment) -> Explanation {
        let mut told = recall(&record.pod, &record.account, &record.node);
        told.state = if self.binding.contains_key(&record.pod.uid) { State::Binding } else { State::Scheduled };
        told.story = Story {
            attempts: record.attempts,
            woken_by: record.woken_by.as_deref().map(str::to_owned),
            created_at: now.at(record.since),
            decided_at: now.at(record.at),
            next_attempt_at: None,
            waited_seconds: Some((record.at.saturating_sub(record.since)).as_secs_f64()),
        };
        told
    }

    /// Looks at the nodes as if the pod had none. Its own place is free for as long as that takes.
    fn as_if_loose(&mut self, pod: &Arc<PodInfo>, node: &Arc<str>) -> Result<Explanation, Unanswered> {
        let loose = PodInfo { node: None, ..PodInfo::clone(pod) };
        self.cluster.nodes.remove_pod(&pod.uid);
        let told = self.anew(&loose);
        self.cluster.nodes.place(pod.clone(), node);
        let mut told = told?;
        (told.state, told.node_name, told.note) = (State::Scheduled, Some(node.to_string()), Some(UNRECORDED.to_owned()));
        Ok(told)
    }
}

fn waiting(mut told: Explanation, past: Past, place: &Place, now: Moment) -> Explanation {
    told.basis = Basis::Live;
    let (state, next) = match place {
        Place::Active(_) => (State::Active, None),
        Place::Backoff(due) | Place::Penalty(due) => (State::Backoff, Some(*due)),
        Place::Unschedulable(due) => (State::Unschedulable, Some(*due)),
        Place::Gated => (State::Gated, None),
    };
    told.state = state;
    told.story = Story {
        attempts: past.attempts,
        woken_by: past.woken_by.as_deref().map(str::to_owned),
        created_at: now.at(past.since),
        decided_at: (past.attempts > 0).then(|| now.at(past.failed_at)).flatten(),
        next_attempt_at: next.and_then(|due| now.at(due)),
        waited_seconds: Some(now.elapsed.saturating_sub(past.since).as_secs_f64()),
    };
    if state == State::Gated {
        told.note = Some(
            "Scheduling is blocked due to non-empty scheduling gates; the nodes are shown as they would be judged without them".to_owned(),
        );
    }
    told
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        amounts::Load,
        configuration::Configuration,
        framework::testing::{node, pod},
        node::NodeInfo,
        scheduler::Input,
    };

    /// A scheduler that knows these nodes, some of them with labels.
    fn scheduler(nodes: &[(&str, &str)]) -> Scheduler {
        let mut scheduler = Scheduler::new(Configuration::default());
        scheduler.apply(Input::Node(Event::Init), Duration::ZERO);
        for (name, disk) in nodes {
            let labels = [("disktype".to_owned(), (*disk).to_owned())].into();
            scheduler.apply(Input::Node(Event::InitApply(NodeInfo { labels, ..node(name) })), Duration::ZERO);
        }
        scheduler.apply(Input::Node(Event::InitDone), Duration::ZERO);
        scheduler.apply(Input::Pod(Event::Init), Duration::ZERO);
        scheduler.apply(Input::Pod(Event::InitDone), Duration::ZERO);
        scheduler.cluster.complete();
        scheduler
    }

    fn wanting(name: &str, cpu: i64, priority: i32) -> PodInfo {
        let mut pod = pod(name);
        pod.wants.amounts.cpu = cpu;
        pod.wants.load = Load { cpu, memory: 0 };
        pod.wants.priority = priority;
        pod
    }

    fn comes(scheduler: &mut Scheduler, pod: &PodInfo, seconds: u64) {
        scheduler.apply(Input::Pod(Event::Apply(Arc::new(pod.clone()))), Duration::from_secs(seconds));
    }

    /// Asks a minute after the start, and keeps what is worth seeing.
    fn asked(scheduler: &mut Scheduler, question: Question) -> Result<Value, Unanswered> {
        let now = Moment { elapsed: Duration::from_secs(60), time: "2026-11-20T22:01:00Z".parse().unwrap() };
        scheduler.explain(question, now).map(|told| serde_json::to_value(told).unwrap())
    }

    fn of(name: &str) -> Question {
        Question::Pod("default".into(), name.into())
    }

    fn check(told: &Value, want: Expect) {
        let fields = told.as_object().into_iter().flatten().map(|(field, value)| format!("{field}: {value}\n"));
        want.assert_eq(&fields.collect::<String>());
    }

    #[test]
    fn a_pod_that_waits_is_judged_anew_by_every_node() {
        let mut scheduler = scheduler(&[("a", "ssd"), ("b", "ssd"), ("c", "hdd")]);
        comes(&mut scheduler, &PodInfo { node: Some("a".into()), ..wanting("low", 3000, 0) }, 1);
        comes(&mut scheduler, &PodInfo { node: Some("b".into()), ..wanting("high", 3000, 9) }, 1);
        let mut waiting = wanting("web", 2000, 5);
        waiting.wants.selector = [("disktype".into(), "ssd".into())].into();
        waiting.wants.never_preempts = true;
        comes(&mut scheduler, &waiting, 2);
        scheduler.schedule_one(Duration::from_secs(3), 0);
        let mut told = asked(&mut scheduler, of("web")).unwrap();
        check(
            &told,
            expect![[r#"
            apiVersion: "mini.dev/v1"
            attempts: 1
            basis: "Live"
            createdAt: "2026-11-20T22:00:02Z"
            decidedAt: "2026-11-20T22:00:03Z"
            feasible: []
            kind: "SchedulingExplanation"
            message: "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never."
            nextAttemptAt: "2026-11-20T22:05:03Z"
            nodes: {"feasible":0,"refused":3,"total":3}
            plugins: []
            pod: {"name":"web","namespace":"default"}
            refused: [{"count":2,"nodes":[{"name":"a","preemption":"Never","remedy":"1 more cpu: 1 of 4 are free"},{"name":"b","preemption":"Never","remedy":"1 more cpu: 1 of 4 are free"}],"plugin":"NodeResourcesFit","reasons":["Insufficient cpu"]},{"count":1,"nodes":[{"name":"c","preemption":"NotHelpful","remedy":"label the node disktype=ssd"}],"plugin":"NodeAffinity","reasons":["node(s) didn't match Pod's node affinity/selector"]}]
            schedulerName: "default-scheduler"
            state: "Unschedulable"
            waitedSeconds: 58.0
        "#]],
        );
        // What is asked for changes nothing: only the pod's own policy kept it from evicting.
        waiting.wants.never_preempts = false;
        told = asked(&mut scheduler, Question::WhatIf(Box::new(waiting))).unwrap();
        let nodes = || told["refused"].as_array().into_iter().flatten().flat_map(|group| group["nodes"].as_array().into_iter().flatten());
        let of_nodes: Vec<_> =
            nodes().map(|node| (node["name"].as_str().unwrap(), node["preemption"].as_str().unwrap(), &node["victims"])).collect();
        assert_eq!(
            of_nodes,
            [("a", "Possible", &json!(["default/low"])), ("b", "NoVictims", &Value::Null), ("c", "NotHelpful", &Value::Null)]
        );
        assert!(scheduler.cluster.nodes.holds(&"low".into()) && scheduler.queue.len() == 1);
    }

    #[test]
    fn a_pod_that_was_placed_is_remembered() {
        let mut scheduler = scheduler(&[("a", "ssd"), ("b", "ssd"), ("c", "hdd")]);
        comes(&mut scheduler, &PodInfo { node: Some("a".into()), ..wanting("other", 2000, 0) }, 1);
        let mut web = wanting("web", 1000, 0);
        web.wants.selector = [("disktype".into(), "ssd".into())].into();
        comes(&mut scheduler, &web, 2);
        scheduler.schedule_one(Duration::from_secs(3), 0);
        assert_eq!(asked(&mut scheduler, of("web")).unwrap()["state"], "Binding");
        comes(&mut scheduler, &PodInfo { node: Some("b".into()), ..web.clone() }, 4);
        // What comes later does not change why it is there.
        comes(&mut scheduler, &PodInfo { node: Some("b".into()), ..wanting("later", 3000, 0) }, 5);
        check(
            &asked(&mut scheduler, of("web")).unwrap(),
            expect![[r#"
            apiVersion: "mini.dev/v1"
            attempts: 1
            basis: "Recorded"
            createdAt: "2026-11-20T22:00:02Z"
            decidedAt: "2026-11-20T22:00:03Z"
            feasible: [{"chosen":true,"name":"b","score":475.0,"scores":{"NodeResourcesBalancedAllocation":87.5,"NodeResourcesFit":87.5,"TaintToleration":300.0}},{"chosen":false,"name":"a","score":425.0,"scores":{"NodeResourcesBalancedAllocation":62.5,"NodeResourcesFit":62.5,"TaintToleration":300.0}}]
            kind: "SchedulingExplanation"
            nodeName: "b"
            nodes: {"feasible":2,"refused":1,"total":3}
            plugins: [{"name":"TaintToleration","weight":3},{"name":"NodeResourcesFit","weight":1},{"name":"NodeResourcesBalancedAllocation","weight":1}]
            pod: {"name":"web","namespace":"default"}
            refused: [{"count":1,"nodes":[{"name":"c"}],"plugin":"NodeAffinity","reasons":["node(s) didn't match Pod's node affinity/selector"]}]
            schedulerName: "default-scheduler"
            state: "Scheduled"
            waitedSeconds: 1.0
        "#]],
        );
        comes(&mut scheduler, &PodInfo { node: Some("b".into()), finished: true, ..web.clone() }, 6);
        assert_eq!(asked(&mut scheduler, of("web")).unwrap()["nodeName"], "b");
        scheduler.apply(Input::Pod(Event::Delete(web.into())), Duration::from_secs(7));
        assert_eq!(asked(&mut scheduler, of("web")), Err(Unanswered::Unknown("web".into())));
    }

    #[test]
    fn a_pod_that_somebody_else_placed_is_judged_as_if_it_had_no_node() {
        let mut scheduler = scheduler(&[("a", "ssd"), ("b", "ssd")]);
        comes(&mut scheduler, &PodInfo { node: Some("a".into()), ..wanting("other", 3000, 0) }, 1);
        let told = asked(&mut scheduler, of("other")).unwrap();
        assert_eq!((&told["state"], &told["basis"], &told["nodeName"]), (&json!("Scheduled"), &json!("Live"), &json!("a")));
        assert_eq!(told["nodes"], json!({"total": 2, "feasible": 2, "refused": 0}));
        assert!(told["note"].as_str().unwrap().starts_with("how the node was chosen is not known here"));
        assert_eq!(scheduler.cluster.nodes.node(0).requested().cpu, 3000);
    }

    #[test]
    fn what_woke_a_pod_is_told() {
        let mut scheduler = scheduler(&[("a", "ssd")]);
        let low = PodInfo { node: Some("a".into()), ..wanting("low", 3000, 0) };
        comes(&mut scheduler, &low, 1);
        comes(&mut scheduler, &wanting("web", 2000, 0), 2);
        scheduler.schedule_one(Duration::from_secs(3), 0);
        scheduler.apply(Input::Pod(Event::Delete(low.into())), Duration::from_secs(30));
        scheduler.schedule_one(Duration::from_secs(31), 0);
        let told = asked(&mut scheduler, of("web")).unwrap();
        assert_eq!(
            (&told["attempts"], &told["waitedSeconds"], &told["decidedAt"]),
            (&json!(2), &json!(29.0), &json!("2026-11-20T22:00:31Z"))
        );
        assert_eq!(told["wokenBy"], "pod default/low left node a or takes less of it");
    }

    #[test]
    fn what_cannot_be_explained() {
        let mut fresh = Scheduler::new(Configuration::default());
        assert_eq!(asked(&mut fresh, of("web")), Err(Unanswered::NotReady));
        let mut scheduler = scheduler(&[]);
        assert_eq!(asked(&mut scheduler, of("web")), Err(Unanswered::Unknown("web".into())));
        let other = PodInfo { scheduler: "mine".into(), ..pod("web") };
        assert_eq!(asked(&mut scheduler, Question::WhatIf(Box::new(other))), Err(Unanswered::NotMine("mine".into())));
        comes(&mut scheduler, &PodInfo { gated: true, ..pod("gated") }, 1);
        assert_eq!(asked(&mut scheduler, of("gated")).unwrap()["state"], "Gated");
    }
}
