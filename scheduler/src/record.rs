//! The decisions about pods that were placed, remembered so that they can be explained later. How much memory that may take is
//! bounded: when it is full, the oldest go first. Pods that wait are not here; they can be judged anew whenever somebody asks.

use std::{
    collections::{BTreeMap, HashMap},
    mem::size_of,
    sync::Arc,
    time::Duration,
};

use crate::{
    account::Account,
    pod::{PodInfo, Uid},
    queue::Attempt,
};

/// How many bytes all of them may take: some ten thousand decisions.
const MOST_BYTES: usize = 8 << 20;

/// One decision.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) pod: Arc<PodInfo>,
    /// The node that was chosen.
    pub(crate) node: Arc<str>,
    /// When.
    pub(crate) at: Duration,
    /// When the pod had come.
    pub(crate) since: Duration,
    /// How many attempts it took.
    pub(crate) attempts: u32,
    /// What had led to the last of them.
    pub(crate) woken_by: Option<Arc<str>>,
    pub(crate) account: Account,
}

impl Record {
    /// What is remembered of an attempt that chose this node.
    pub(crate) fn of(attempt: &Attempt, node: &Arc<str>, at: Duration, account: Account) -> Self {
        let Attempt { pod, number, since, woken_by } = attempt.clone();
        Self { pod, node: node.clone(), at, since, attempts: number, woken_by, account }
    }

    /// About how many bytes it takes.
    fn size(&self) -> usize {
        2 * size_of::<(u64, Uid)>() + size_of::<Self>() - size_of::<Account>() + self.account.size()
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Records {
    by_age: BTreeMap<u64, Record>,
    places: HashMap<Uid, u64>,
    bytes: usize,
    count: u64,
}

impl Records {
    /// Remembers a decision instead of earlier ones about the same pod.
    pub(crate) fn keep(&mut self, record: Record) {
        self.forget(&record.pod.uid);
        self.count += 1;
        self.bytes += record.size();
        self.places.insert(record.pod.uid.clone(), self.count);
        self.by_age.insert(self.count, record);
        while self.bytes > MOST_BYTES
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.places.remove(&oldest.pod.uid);
            self.bytes -= oldest.size();
        }
    }

    /// Forgets a pod.
    pub(crate) fn forget(&mut self, uid: &Uid) {
        if let Some(record) = self.places.remove(uid).and_then(|place| self.by_age.remove(&place)) {
            self.bytes -= record.size();
        }
    }

    /// The last decision about a pod of this name. It is looked for among all.
    pub(crate) fn named(&self, namespace: &str, name: &str) -> Option<&Record> {
        self.by_age.values().rev().find(|record| record.pod.name == name && record.pod.namespace == namespace)
    }

    /// The pods it knows.
    pub(crate) fn uids(&self) -> impl Iterator<Item = &Uid> {
        self.places.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{account::Candidate, framework::testing};

    fn record(uid: usize) -> Record {
        let candidate = Candidate { node: "n".into(), total: 1, scores: Box::new([1; 6]) };
        Record {
            pod: Arc::new(testing::pod(&uid.to_string())),
            node: "n".into(),
            at: Duration::ZERO,
            since: Duration::ZERO,
            attempts: 1,
            woken_by: None,
            account: Account { best: vec![candidate; 8], ..Account::default() },
        }
    }

    #[test]
    fn memory_is_bounded_and_holds_ten_thousand_decisions() {
        let mut records = Records::default();
        (0..50_000).for_each(|uid| records.keep(record(uid)));
        assert!(records.bytes <= MOST_BYTES && (8_000..30_000).contains(&records.by_age.len()), "{}", records.by_age.len());
        assert!(records.named("default", "0").is_none() && records.named("default", "49999").is_some());
        assert_eq!(records.places.len(), records.by_age.len());
    }

    #[test]
    fn forgotten_and_replaced_decisions_take_nothing() {
        let mut records = Records::default();
        records.keep(record(1));
        records.keep(Record { attempts: 2, ..record(1) });
        assert_eq!(records.named("default", "1").map(|record| record.attempts), Some(2));
        records.forget(&"1".into());
        assert_eq!((records.bytes, records.by_age.len(), records.uids().count()), (0, 0, 0));
    }
}
