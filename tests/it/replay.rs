//! What a real Kubernetes answered, asked again of ours: the recordings beside the project, where they are there.
//!
//! Nearly everything is asked, in the order in which it was recorded, in a world like the recorder's. What differs must be on the list
//! below with its reason; what is on the list and does not differ any more must leave it.

mod mask;
mod recording;
mod world;

use std::{collections::BTreeMap, time::Duration};

use mini_tests::{http::Http, wait_at_most};

use self::{
    mask::{Mask, difference},
    recording::{Case, Told, cases},
};

/// The recordings, in the order in which they were made.
const FILES: &[&str] = &["discovery", "kinds", "tables", "invalid", "writes", "lists"];
/// The share of answers that must be equal, in percent of everything that was recorded, [`CUSTOM`] apart.
const EQUAL: usize = 95;
/// What is about custom resources, which are not served yet: neither asked nor counted.
const CUSTOM: &[&str] = &[
    "discovery: discovery /apis/apiextensions.k8s.io/v1",
    "kinds: create CustomResourceDefinition widgets.example.com",
    "tables: table CustomResourceDefinition",
];
/// How long what is read may take to become what was recorded, because controllers and nodes are at work.
const PATIENCE: Duration = Duration::from_secs(2);

/// What may differ, and why.
const DIFFERS: &[(&str, &str)] = &[
    // Ours is another program, or more than upstream.
    ("discovery: readyz verbose", "the checks are named after the parts of the program"),
    ("discovery: discovery /apis", OLD_VERSIONS),
    ("discovery: discovery /apis/apps", OLD_VERSIONS),
    ("discovery: aggregated /apis", OLD_VERSIONS),
    ("tables: unacceptable", "answers in protobuf are not served, so they are not offered"),
    // What upstream's internals show.
    ("writes: pod spec forbidden", "the diff is of Go's internal types"),
    // The recorder's world had something ours has not.
    ("tables: table Event", EVENTS),
    ("tables: table Event in the other version", EVENTS),
    ("tables: table EndpointSlice", CHANCE),
    ("tables: table ResourceQuota", CHANCE),
    ("tables: table Pod", CHANCE),
    ("writes: patch unknown field strict", QUOTED),
    // To come.
    ("kinds: create SelfSubjectReview ", "nobody is authenticated yet"),
    ("tables: table ClusterRole", RBAC),
    ("tables: table ClusterRoleBinding", RBAC),
    ("tables: table DaemonSet", "upstream counts its templates in a field, which is an annotation only where the whole object is shown"),
];
/// What may differ and need not: controllers are faster or slower than the recorder's.
const CHANCE: &str =
    "whether pods are ready before their Service's slice is made, or made after the quota is counted, is decided by who is faster";
/// See [`DIFFERS`]; as the former.
const QUOTED: &str = "an object is quoted as the controllers have left it by then";
/// See [`DIFFERS`].
const OLD_VERSIONS: &str = "versions that upstream has dropped are shown, or kubectl could not apply the files of old course notes; and \
                            MutatingAdmissionPolicies and resource.k8s.io are not served";
/// See [`DIFFERS`]; as the former.
const EVENTS: &str = "what the first of so many Events are is decided by who is fastest";
/// See [`DIFFERS`].
const RBAC: &str = "there are no roles yet, for whoever asks may do everything";

/// Where our answer differs from upstream's, if it does. What is read may take a while to become so.
async fn differs(http: &Http, mask: &Mask, told: &mut Told, case: &Case) -> Option<String> {
    let theirs = mask.value("", &case.answer());
    let known = DIFFERS.iter().any(|(known, _)| *known == case.title());
    let patience = if known || case.request.method != "GET" { Duration::ZERO } else { PATIENCE };
    let asked = wait_at_most(patience, || async {
        let ours = case.request.ask(http, told, &case.response).await;
        match difference("", &mask.value("", &ours), &theirs) {
            None => Ok(ours),
            Some(difference) => Err((ours, difference)),
        }
    })
    .await;
    let (ours, difference) = asked.map_or_else(|(ours, difference)| (ours, Some(difference)), |ours| (ours, None));
    world::note(told, &case.title(), &ours);
    difference
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_answer_is_ours() {
    let mut cases = cases(FILES);
    cases.retain(|case| !CUSTOM.contains(&case.title().as_str()));
    if cases.is_empty() {
        return;
    }
    let (cluster, http) = world::begin().await;
    let mask = Mask { port: cluster.address().port() };
    let mut told = Told::default();
    let mut wrong: BTreeMap<String, String> = BTreeMap::new();
    for case in &cases {
        match case.title().as_str() {
            "tables: metadata list" => world::before_metadata(&http).await,
            "tables: unacceptable" => world::after_metadata(&http).await,
            "lists: limit 2" => world::before_lists(&http).await,
            "lists: watch selector changes" => world::before_watches(&http).await,
            _ => {}
        }
        if let Some(difference) = differs(&http, &mask, &mut told, case).await {
            wrong.insert(case.title(), difference.chars().take(600).collect());
        }
        if case.request.method != "GET" && ["/pods", "/deployments"].iter().any(|part| case.request.path.contains(part)) {
            world::settle(&http).await;
        }
    }
    cluster.stop().await.expect("the cluster stops");
    let (all, equal) = (cases.len(), cases.len() - wrong.len());
    println!("{equal} of {all} answers are equal");
    let listed = |name: &String| DIFFERS.iter().any(|(known, _)| known == name);
    let report: Vec<String> = wrong.iter().filter(|(name, _)| !listed(name)).map(|(name, how)| format!("{name}\n    {how}")).collect();
    let by_chance = |why: &str| [CHANCE, QUOTED, EVENTS].contains(&why);
    let settled = DIFFERS.iter().filter(|(_, why)| !by_chance(why));
    let stale: Vec<&str> = settled.map(|(name, _)| *name).filter(|name| !wrong.contains_key(*name)).collect();
    assert!(report.is_empty(), "{} of {all} differ:\n{}", report.len(), report.join("\n"));
    assert!(stale.is_empty(), "these are equal now and must leave the list: {stale:?}");
    // What chance made different this time says nothing.
    let counted = all - DIFFERS.iter().filter(|(name, why)| by_chance(why) && wrong.contains_key(*name)).count();
    assert!(equal * 100 >= counted * EQUAL, "only {equal} of {counted} answers are equal");
}
