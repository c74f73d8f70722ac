//! What requests are counted by, and the page that tells it: upstream's names, labels and types.

use std::sync::Arc;

use super::{
    App,
    info::{Labels, Scope, Verb},
};
use crate::{
    kinds::Kind,
    measure::{Family, Histogram, Number, page::Page, process},
};

/// Upstream's buckets of answers, in bytes.
const RESPONSE_SIZES: [u64; 7] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
/// Upstream's buckets of watch events, in bytes.
const EVENT_SIZES: [u64; 8] = [1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10];

/// Answers to requests with the same labels.
struct Answers {
    durations: Histogram,
    sizes: Histogram,
}

impl Default for Answers {
    fn default() -> Self {
        Self { durations: Histogram::of_seconds(), sizes: Histogram::of(&RESPONSE_SIZES) }
    }
}

/// What the watchers of a kind were sent. A watch keeps its own, so that an event costs two additions.
pub(super) struct Sent {
    events: Number,
    sizes: Histogram,
}

impl Default for Sent {
    fn default() -> Self {
        Self { events: Number::default(), sizes: Histogram::of(&EVENT_SIZES) }
    }
}

impl Sent {
    /// Counts one event of so many bytes.
    pub(super) fn count(&self, bytes: usize) {
        self.events.add(1);
        self.sizes.observe(bytes as u64);
    }
}

/// The counters of one server.
#[derive(Default)]
pub(super) struct Metrics {
    requests: Family<(Labels, u16), Number>,
    answers: Family<Labels, Answers>,
    terminations: Family<(Labels, u16), Number>,
    lasting: Family<Labels, Number>,
    /// By the places of kind and version.
    sent: Family<(usize, usize), Sent>,
}

impl Metrics {
    /// Counts a request that was answered, at its end.
    pub(super) fn answered(&self, labels: &Labels, code: u16, took: std::time::Duration, size: Option<u64>) {
        self.requests.on(&(*labels, code), |number| number.add(1));
        self.answers.on(labels, |answers| {
            answers.durations.observe_time(took);
            if let Some(size) = size.filter(|_| matches!(labels.verb, Verb::Get | Verb::List)) {
                answers.sizes.observe(size);
            }
        });
    }

    /// Counts a request that the server gave up in self-defence.
    pub(super) fn terminated(&self, labels: &Labels, code: u16) {
        self.terminations.on(&(*labels, code), |number| number.add(1));
    }

    /// Counts a request that lasts, from its beginning to its end.
    pub(super) fn lasts(&self, labels: &Labels, begins: bool) {
        self.lasting.on(labels, |number| if begins { number.add(1) } else { number.subtract(1) });
    }

    /// What the watchers of a kind's version were sent.
    pub(super) fn sent(&self, kind: usize, version: usize) -> Arc<Sent> {
        self.sent.get(&(kind, version))
    }
}

/// The series of a family, in an order that does not change.
fn sorted<K: Clone + Eq + std::hash::Hash + Ord, V: Default>(family: &Family<K, V>) -> Vec<(K, Arc<V>)> {
    let mut all: Vec<(K, Arc<V>)> = family.all().iter().map(|(key, series)| (key.clone(), series.clone())).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// Group, version and plural of what is counted.
fn resource(table: &[Kind], place: Option<(usize, usize)>) -> (&str, &str, &str) {
    place.map_or(("", "", ""), |(kind, version)| {
        let (kind, version) = (&table[kind], &table[kind].versions[version]);
        (version.group, version.version, kind.plural)
    })
}

/// A page, and the table that says what the places in labels are called.
struct Book<'t> {
    table: &'t [Kind],
    page: Page,
}

/// Which labels a family has besides those that all have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum With {
    Nothing,
    DryRun,
}

impl Book<'_> {
    /// One series of a family of requests; upstream's page has labels in the order of the alphabet.
    fn series(&mut self, labels: &Labels, code: Option<u16>, with: With, write: impl FnOnce(&mut Page, &[(&'static str, &str)])) {
        let (group, version, plural) = resource(self.table, labels.kind);
        let component = if labels.scope == Scope::None { "" } else { "apiserver" };
        let code = code.map(|code| code.to_string());
        let mut all: Vec<(&'static str, &str)> = code.iter().map(|code| ("code", code.as_str())).collect();
        all.push(("component", component));
        if with == With::DryRun {
            all.push(("dry_run", if labels.dry_run { "All" } else { "" }));
        }
        all.extend([("group", group), ("resource", plural), ("scope", labels.scope.label())]);
        all.extend([("subresource", labels.subresource), ("verb", labels.verb.label()), ("version", version)]);
        write(&mut self.page, &all);
    }

    fn requests(&mut self, metrics: &Metrics) {
        let name = "apiserver_longrunning_requests";
        let help = "[STABLE] Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.";
        self.page.family(name, "gauge", help);
        for (labels, number) in sorted(&metrics.lasting) {
            self.series(&labels, None, With::Nothing, |page, all| page.sample(name, all, number.get()));
        }
        let name = "apiserver_request_duration_seconds";
        let help = "[STABLE] Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.";
        self.page.family(name, "histogram", help);
        let answers = sorted(&metrics.answers);
        for (labels, answers) in &answers {
            self.series(labels, None, With::DryRun, |page, all| page.histogram(name, all, &answers.durations));
        }
        let name = "apiserver_request_terminations_total";
        self.page.family(name, "counter", "[ALPHA] Number of requests which apiserver terminated in self-defense.");
        for ((labels, code), number) in sorted(&metrics.terminations) {
            self.series(&labels, Some(code), With::Nothing, |page, all| page.sample(name, all, number.get()));
        }
        let name = "apiserver_request_total";
        let help = "[STABLE] Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.";
        self.page.family(name, "counter", help);
        for ((labels, code), number) in sorted(&metrics.requests) {
            self.series(&labels, Some(code), With::DryRun, |page, all| page.sample(name, all, number.get()));
        }
        let name = "apiserver_response_sizes";
        let help =
            "[STABLE] Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.";
        self.page.family(name, "histogram", help);
        for (labels, answers) in answers.iter().filter(|(labels, _)| !labels.dry_run && matches!(labels.verb, Verb::Get | Verb::List)) {
            self.series(labels, None, With::Nothing, |page, all| page.histogram(name, all, &answers.sizes));
        }
    }

    fn watches(&mut self, metrics: &Metrics) {
        let (name, sizes) = ("apiserver_watch_events_total", "apiserver_watch_events_sizes");
        let all = sorted(&metrics.sent);
        let labels = |table, place| {
            let (group, version, plural) = resource(table, Some(place));
            [("group", group), ("resource", plural), ("version", version)]
        };
        self.page.family(sizes, "histogram", "[ALPHA] Watch event size distribution in bytes");
        for (place, sent) in &all {
            self.page.histogram(sizes, &labels(self.table, *place), &sent.sizes);
        }
        self.page.family(name, "counter", "[ALPHA] Number of events sent in watch clients");
        for (place, sent) in &all {
            self.page.sample(name, &labels(self.table, *place), sent.events.get());
        }
    }

    fn objects(&mut self, app: &App) {
        let name = "apiserver_resource_objects";
        let help =
            "[ALPHA] Number of stored objects at the time of last check split by kind. In case of a fetching error, the value will be -1.";
        self.page.family(name, "gauge", help);
        for (index, kind) in self.table.iter().enumerate() {
            self.page.sample(name, &[("group", kind.group()), ("resource", kind.plural)], app.registry.cache().count(index));
        }
        let name = "apiserver_storage_objects";
        let help = "[STABLE] [DEPRECATED, consider using apiserver_resource_objects instead] Number of stored objects at the time of last check split by kind. In case of a fetching error, the value will be -1.";
        self.page.family(name, "gauge", help);
        for (index, kind) in self.table.iter().enumerate() {
            self.page.sample(name, &[("resource", &kind.qualified())], app.registry.cache().count(index));
        }
    }
}

/// Everything this server counts.
pub(super) fn page(app: &App) -> String {
    let mut book = Book { table: app.registry.table(), page: Page::default() };
    let (events, lost) = app.audit.as_ref().map_or((0, 0), |log| (log.counts().events.get(), log.counts().lost.get()));
    let name = "apiserver_audit_error_total";
    book.page.family(
        name,
        "counter",
        "[ALPHA] Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error.",
    );
    book.page.sample(name, &[("plugin", "buffered")], lost);
    book.page.family("apiserver_audit_event_total", "counter", "[ALPHA] Counter of audit events generated and sent to the audit backend.");
    book.page.sample("apiserver_audit_event_total", &[], events);
    let name = "apiserver_current_inflight_requests";
    let help = "[STABLE] Maximal number of currently used inflight request limit of this apiserver per request kind in last second.";
    book.page.family(name, "gauge", help);
    book.page.sample(name, &[("request_kind", "mutating")], app.limits.mutating.taken());
    book.page.sample(name, &[("request_kind", "readOnly")], app.limits.reading.taken());
    book.requests(&app.metrics);
    book.objects(app);
    book.watches(&app.metrics);
    app.store.tell(&mut book.page);
    process::tell(&mut book.page);
    book.page.text()
}
