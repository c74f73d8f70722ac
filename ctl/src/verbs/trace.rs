//! `trace`: who did what when, from the request for an object until it was ready. The changes themselves come from watches that begin in the past,
//! as any client may open them; when each happened is asked of our API server, which alone can tell.

mod change;
mod story;

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use futures::{StreamExt, future::try_join_all};
use serde_json::{Value, json};

use self::story::{Frame, Stage, Step, Story};
use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    output::json_text,
    print::{TabWriter, print},
    selection::{Files, Selection, Target, select},
    server::{JSON, Server, with_query},
    value::{int, list, text},
    yaml,
};

/// Where the API server tells when what changed.
const CHANGES: &str = "/components/apiserver/changes";
/// How long a watch of the past may take, in seconds.
const PATIENCE: &str = "30";
/// What is written all the time, and tells nothing.
const NOISE: &str = "leases";

/// Tell who did what when, from the request for an object until it was ready.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME, or TYPE/NAME
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Also what happened since it was ready.
    #[arg(long)]
    all: bool,
    /// The form of the answer [default: a table].
    #[arg(long, short, value_name = "FORM", ignore_case = true)]
    output: Option<Form>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Json,
    Yaml,
}

/// One change, as the API server accounts for it.
struct Change {
    revision: u64,
    at: i64,
    /// `apiVersion` and plural.
    resource: (String, String),
    name: String,
    what: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let target = match select(context, &args.words, &args.files).await? {
        Selection::Named(targets) if targets.len() == 1 => targets.into_iter().next().ok_or(Error::Silent)?,
        _ => return Err(usage("name the one object whose story is to be told, such as deployment/web")),
    };
    let server = context.server().await?;
    let object = target.fetch(server, JSON).await?;
    let changes = changes(server, &target).await?;
    let begin = beginning(&changes, &target)?;
    let frames = frames(context, server, &target, changes.iter().filter(|change| change.revision >= begin)).await?;
    let story = story::tell(&frames, text(&object["metadata"]["uid"]), args.all);
    print(&match args.output {
        Some(Form::Json) => json_text(&data(&target, &story))?,
        Some(Form::Yaml) => yaml::to_string(&data(&target, &story)),
        None => page(&target, &story),
    })
}

/// What is remembered of the namespace, oldest first.
async fn changes(server: &Server, target: &Target) -> Result<Vec<Change>> {
    let namespace = if target.resource.namespaced { target.namespace.as_str() } else { "" };
    let answer = server.get(&with_query(CHANGES, &[("namespace", namespace)])).await.map_err(|error| match error.is_not_found() {
        true => usage("this API server does not tell when what changed: only mini's does"),
        false => error,
    })?;
    let change = |item: &Value| Change {
        revision: item["revision"].as_u64().unwrap_or_default(),
        at: int(&item["at"]),
        resource: (text(&item["apiVersion"]).to_owned(), text(&item["resource"]).to_owned()),
        name: text(&item["name"]).to_owned(),
        what: text(&item["type"]).to_owned(),
    };
    Ok(list(&answer["items"]).iter().map(change).collect())
}

/// The revision at which the object was made.
fn beginning(changes: &[Change], target: &Target) -> Result<u64> {
    let resource = &target.resource;
    let is_it = |change: &&Change| {
        let group = change.resource.0.split_once('/').map_or("", |(group, _)| group);
        change.what == "ADDED" && change.name == target.name && change.resource.1 == resource.plural && group == resource.group
    };
    changes.iter().rfind(is_it).map(|change| change.revision).ok_or_else(|| {
        usage(format!(
            "the API server does not remember how {} was made: it knows what changed since it was started, and of that only the latest",
            target.slashed()
        ))
    })
}

/// The changed objects, in the order of revisions.
async fn frames(context: &Context, server: &Server, target: &Target, changes: impl Iterator<Item = &Change>) -> Result<Vec<Frame>> {
    let catalog = context.catalog().await?;
    let mut times = BTreeMap::new();
    let mut kinds: BTreeMap<&(String, String), BTreeSet<u64>> = BTreeMap::new();
    for change in changes.filter(|change| change.resource.1 != NOISE) {
        times.insert(change.revision, change.at);
        kinds.entry(&change.resource).or_default().insert(change.revision);
    }
    let of_kind = |(api_version, plural): &(String, String)| {
        let found = |resource: &&Resource| resource.plural == *plural && resource.group_version() == *api_version;
        catalog.resources().iter().find(found).filter(|resource| resource.can("watch"))
    };
    let watches = kinds.iter().filter_map(|(kind, revisions)| Some((of_kind(kind)?, revisions)));
    let replays = watches.map(|(resource, revisions)| replay(server, resource, target, revisions));
    let mut frames: Vec<Frame> = try_join_all(replays).await?.into_iter().flatten().collect();
    for frame in &mut frames {
        frame.at = times.get(&frame.revision).copied().unwrap_or_default();
    }
    frames.sort_by_key(|frame| frame.revision);
    Ok(frames)
}

/// Watches a kind from before the first of the revisions to the last of them.
async fn replay(server: &Server, resource: &Resource, target: &Target, revisions: &BTreeSet<u64>) -> Result<Vec<Frame>> {
    let (Some(first), Some(last)) = (revisions.first(), revisions.last()) else { return Ok(Vec::new()) };
    let (first, last) = ((first - 1).to_string(), *last);
    let scope = target.resource.namespaced.then_some(target.namespace.as_str());
    let path = with_query(&resource.path(scope), &[("watch", "true"), ("resourceVersion", &first), ("timeoutSeconds", PATIENCE)]);
    let mut events = server.watch(&path, JSON).await?;
    let mut frames = Vec::new();
    while let Some(mut event) = events.next().await.transpose()? {
        let object = event["object"].take();
        let revision = text(&object["metadata"]["resourceVersion"]).parse().unwrap_or(last);
        frames.push(Frame { revision, at: 0, what: text(&event["type"]).to_owned(), singular: resource.qualified_singular(), object });
        if revision >= last {
            break;
        }
    }
    Ok(frames)
}

/// The story as a person reads it.
fn page(target: &Target, story: &Story) -> String {
    let Some(first) = story.steps.first() else { return String::new() };
    let (steps, last) = (story.steps.len(), story.steps.iter().map(|step| step.revision).max().unwrap_or_default());
    let outcome = match story.ready {
        Some(ready) => format!("was ready {} ms after it was asked for", milliseconds(ready - first.at)),
        None => "is not ready yet".to_owned(),
    };
    let mut page = format!("{} {outcome}: {steps} writes, revisions {} to {last}\n", target.slashed(), first.revision);
    for (number, stage) in Stage::ALL.into_iter().enumerate() {
        let mut lines = TabWriter::page();
        lines.line("MS\tREVISION\tWHO\tWHAT");
        let mut any = false;
        for Step { at, revision, who, what, .. } in story.steps.iter().filter(|step| step.stage == stage) {
            lines.line(&format!("{}\t{revision}\t{who}\t{what}", milliseconds(at - first.at)));
            any = true;
        }
        if any {
            page += &format!("\n{}. {}\n{}", number + 1, stage.title(), lines.take());
        }
    }
    page
}

/// Milliseconds, with one place where it matters.
fn milliseconds(microseconds: i64) -> String {
    let (whole, tenth) = (microseconds / 1000, microseconds % 1000 / 100);
    if whole < 100 { format!("{whole}.{tenth}") } else { whole.to_string() }
}

/// The story for programs.
fn data(target: &Target, story: &Story) -> Value {
    let first = story.steps.first().map_or(0, |step| step.at);
    let steps = story.steps.iter().map(|step| {
        json!({ "microseconds": step.at - first, "revision": step.revision, "stage": step.stage.name(), "who": step.who, "what": step.what, "object": step.object })
    });
    json!({ "object": target.slashed(), "readyAfterMicroseconds": story.ready.map(|ready| ready - first), "steps": steps.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_beginning_counts() {
        let change = |revision: u64, api: &str, plural: &str, name: &str, what: &str| Change {
            revision,
            at: 0,
            resource: (api.to_owned(), plural.to_owned()),
            name: name.to_owned(),
            what: what.to_owned(),
        };
        let resource =
            Resource { group: "apps".into(), version: "v1".into(), plural: "deployments".into(), namespaced: true, ..Resource::default() };
        let target = Target { resource, namespace: "default".into(), name: "web".into(), source: String::new() };
        let changes = [
            change(3, "apps/v1", "deployments", "web", "ADDED"),
            change(5, "apps/v1", "deployments", "web", "DELETED"),
            change(7, "apps/v1", "deployments", "web", "ADDED"),
            change(8, "apps/v1", "deployments", "web", "MODIFIED"),
            change(9, "apps/v1", "deployments", "other", "ADDED"),
            change(10, "v1", "deployments", "web", "ADDED"),
        ];
        assert_eq!(beginning(&changes, &target).unwrap(), 7);
        assert!(beginning(&changes[3..], &target).unwrap_err().to_string().starts_with("error: the API server does not remember how "));
    }

    #[test]
    fn short_times_have_a_place_more() {
        assert_eq!([milliseconds(0), milliseconds(4270), milliseconds(1_234_567)], ["0.0", "4.2", "1234"]);
    }
}
