//! An API server alone, for tests of what it does by itself.

use mini_cluster::{Cluster, Options};
use mini_tests::http::Http;

/// Starts one in memory.
pub(crate) async fn server() -> (Cluster, Http) {
    let options = Options { scheduler: None, controllers: None, kubelet: None, ..Options::default() };
    let cluster = options.start().await.expect("it starts");
    let http = Http::new(cluster.address());
    (cluster, http)
}
