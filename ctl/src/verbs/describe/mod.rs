//! `describe`: everything worth knowing about an object, with what others say about it and its events.
//!
//! One file for each kind that deserves a page of its own, and one word in the list below; every other kind gets a page made
//! from its fields. A file only says what else has to be read (`related`) and lays out what was read (`render`), both pure.

mod fallback;
mod page;
mod template;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use self::page::Page;
use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result},
    print::{notice, print},
    selection::{Files, Many, Selection, Target, select},
    server::{JSON, Server, escape, with_query},
    value::{list, name, namespace, text},
};

macro_rules! describers {
    ($($kind:ident),* $(,)?) => {
        $(mod $kind;)*
        /// The kinds with a page of their own.
        const DESCRIBERS: &[&Describer] = &[$(&$kind::DESCRIBER),*];
    };
}

describers! { config_map, deployment, endpoint_slice, endpoints, namespace, node, pod, replica_set, secret, service, service_account }

/// Show details of a specific resource or group of resources.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE[,TYPE…] [NAME or beginning of names…], or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    many: Many,
    /// Also the events about the objects.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    show_events: bool,
}

/// How one kind is described.
struct Describer {
    group: &'static str,
    kind: &'static str,
    /// What else to read about the object: a name for it, and the path.
    related: fn(&Value) -> Vec<(&'static str, String)>,
    render: fn(&View<'_>, &mut Page),
}

/// Everything a page is made from.
struct View<'a> {
    object: &'a Value,
    /// What [`Describer::related`] asked for, under its names.
    related: &'a [(&'static str, Result<Value>)],
    /// Events about the object, if they are wanted and could be read.
    events: Option<&'a [Value]>,
    clock: &'a Clock,
}

/// Now, and where the user lives.
struct Clock {
    now: Timestamp,
    zone: TimeZone,
}

impl View<'_> {
    /// What was read under that name.
    fn answer(&self, name: &str) -> Option<&Result<Value>> {
        self.related.iter().find(|(known, _)| *known == name).map(|(_, answer)| answer)
    }

    /// The objects of a list that was read under that name; `None` if it could not be read.
    fn objects(&self, name: &str) -> Option<&[Value]> {
        self.answer(name)?.as_ref().ok().map(|answer| list(&answer["items"]))
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let describe = Describe {
        context,
        server: context.server().await?,
        args: &args,
        clock: Clock { now: mini_daemon::clock::now(), zone: TimeZone::system() },
    };
    let (mut pages, mut errors) = (Vec::new(), Vec::new());
    match select(context, &args.words, &args.files).await? {
        Selection::Every(resources) => {
            for resource in resources {
                let objects = describe.every(&resource).await?;
                for object in &objects {
                    pages.push(describe.page(&resource, object).await);
                }
            }
            if pages.is_empty() {
                match context.demanded_namespace() {
                    _ if args.many.all_namespaces => notice("No resources found"),
                    _ => notice(&format!("No resources found in {} namespace.", context.namespace().await?)),
                }
            }
        }
        Selection::Named(targets) => {
            for target in &targets {
                match describe.named(target).await {
                    Ok(page) => pages.push(page),
                    Err(error) => errors.push(error),
                }
            }
        }
    }
    print(&pages.join("\n\n"))?;
    Error::from_all(errors)
}

/// One run of the verb.
struct Describe<'a> {
    context: &'a Context,
    server: &'a Server,
    args: &'a Args,
    clock: Clock,
}

impl Describe<'_> {
    async fn every(&self, resource: &Resource) -> Result<Vec<Value>> {
        let namespace = if self.args.many.all_namespaces { None } else { Some(self.context.namespace().await?) };
        let path = with_query(&resource.path(namespace), &self.args.many.query());
        let answer = self.server.get(&path).await.map_err(|error| self.args.many.explain(resource, error))?;
        Ok(list(&answer["items"]).iter().map(|object| with_kind(object, resource)).collect())
    }

    /// The page of the object of that name, else those of the objects whose names begin so, each with an empty line after it.
    async fn named(&self, target: &Target) -> Result<String> {
        let error = match target.fetch(self.server, JSON).await {
            Ok(object) => return Ok(self.page(&target.resource, &object).await),
            Err(error) => error,
        };
        if !error.is_not_found() || !target.source.is_empty() {
            return Err(error);
        }
        let Ok(all) = self.server.get(&target.resource.path(Some(&target.namespace))).await else { return Err(error) };
        let mut pages = String::new();
        for object in list(&all["items"]).iter().filter(|object| name(object).starts_with(&target.name)) {
            pages.push_str(&self.page(&target.resource, &with_kind(object, &target.resource)).await);
            pages.push('\n');
        }
        if pages.is_empty() { Err(error) } else { Ok(pages) }
    }

    /// Reads what belongs to the object, and lays it out.
    async fn page(&self, resource: &Resource, object: &Value) -> String {
        let describer =
            DESCRIBERS.iter().find(|describer| describer.group == resource.group && describer.kind == resource.kind).copied().unwrap_or(&fallback::DESCRIBER);
        let mut related = Vec::new();
        for (name, path) in (describer.related)(object) {
            related.push((name, self.server.get(&path).await));
        }
        let events = if self.args.show_events { self.events(resource, object).await } else { None };
        let mut page = Page::default();
        (describer.render)(&View { object, related: &related, events: events.as_deref(), clock: &self.clock }, &mut page);
        page.finish()
    }

    async fn events(&self, resource: &Resource, object: &Value) -> Option<Vec<Value>> {
        let uid = text(&object["metadata"]["uid"]);
        let mut fields = vec![format!("involvedObject.name={}", name(object)), format!("involvedObject.kind={}", resource.kind)];
        let path = match namespace(object) {
            Some(namespace) => {
                fields.push(format!("involvedObject.namespace={namespace}"));
                fields.push(format!("involvedObject.uid={uid}"));
                format!("/api/v1/namespaces/{}/events", escape(namespace))
            }
            None => "/api/v1/events".to_owned(),
        };
        let answer = self.server.get(&with_query(&path, &[("fieldSelector", &fields.join(","))])).await.ok()?;
        let mut events = list(&answer["items"]).to_vec();
        if namespace(object).is_none() {
            // Kubelets write events about a node before they know its UID, and put the name there.
            let about = |event: &Value| text(&event["involvedObject"]["uid"]).to_owned();
            events.retain(|event| [uid, name(object)].contains(&about(event).as_str()));
            events.sort_by_key(|event| about(event) != uid);
        }
        Some(events)
    }
}

/// The object with the kind that lists leave out.
fn with_kind(object: &Value, resource: &Resource) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = resource.group_version().into();
    object["kind"] = resource.kind.clone().into();
    object
}

/// For kinds about which nothing else needs to be read.
fn nothing_else(_: &Value) -> Vec<(&'static str, String)> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    //! Objects of `shared/upstream/kinds.jsonl` and of the stories in `kubectl.txt`, against what kubectl printed.

    use super::*;

    /// The page of an object with these related answers and events, in UTC, at a fixed time.
    pub(super) fn described(describer: &Describer, object: &Value, related: Vec<(&'static str, Result<Value>)>, events: &[Value]) -> String {
        let clock = Clock { now: "2026-11-20T22:39:41Z".parse().unwrap(), zone: TimeZone::UTC };
        let mut page = Page::default();
        (describer.render)(&View { object, related: &related, events: Some(events), clock: &clock }, &mut page);
        page.finish()
    }
}
