//! Counters under upstream's names.

use std::fmt::Write as _;

use axum::http::Method;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family},
    registry::Registry as Counters,
};

use crate::registry::Registry;

/// What requests are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    verb: String,
    code: u16,
}

/// The counters of one server.
pub(super) struct Metrics {
    requests: Family<Labels, Counter>,
    registry: Counters,
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::<Labels, Counter>::default();
        let mut registry = Counters::default();
        registry.register("apiserver_request", "Counter of apiserver requests broken out for each verb and code", requests.clone());
        Self { requests, registry }
    }
}

impl Metrics {
    /// Counts one answered request.
    pub(super) fn count(&self, method: &Method, code: u16) {
        self.requests.get_or_create(&Labels { verb: method.to_string(), code }).inc();
    }

    /// All metrics as Prometheus reads them.
    pub(super) fn text(&self, registry: &Registry) -> String {
        let mut text = String::new();
        let mut objects =
            String::from("# HELP apiserver_resource_objects Number of stored objects\n# TYPE apiserver_resource_objects gauge\n");
        for (index, kind) in registry.table().iter().enumerate() {
            let count = registry.cache().count(index);
            let _ = writeln!(objects, "apiserver_resource_objects{{group=\"{}\",resource=\"{}\"}} {count}", kind.group(), kind.plural);
        }
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        objects + &text
    }
}
