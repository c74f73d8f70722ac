//! `describe`: everything worth knowing about an object, with what others say about it and its events.
//!
//! One file for each kind that deserves a page of its own, and one word in the list below; every other kind gets a page made
//! from its fields. A file only says what else has to be read (`related`, `events`) and lays out what was read (`render`), all
//! pure. The other files are what several pages share.

mod containers;
mod der;
mod env;
mod events;
mod fallback;
mod page;
mod pods_status;
mod rules;
mod selector;
mod template;
mod volumes;

use jiff::tz::TimeZone;
use mini_api::selector::Selector;
use serde_json::Value;

use self::page::{Clock, Page};
use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    print::{notice, print},
    selection::{Files, Many, Selection, select},
    server::{JSON, Server, with_query},
    value::{list, name},
};

macro_rules! describers {
    ($($kind:ident),* $(,)?) => {
        $(mod $kind;)*
        /// The kinds with a page of their own.
        const DESCRIBERS: &[&Describer] = &[$(&$kind::DESCRIBER),*];
    };
}

describers! {
    pod, replication_controller, replica_set, deployment, stateful_set, daemon_set, job, cron_job,
    service, endpoints, endpoint_slice, ingress, ingress_class, network_policy, ip_address, service_cidr,
    config_map, secret, persistent_volume, persistent_volume_claim, storage_class, volume_attributes_class, csi_node,
    namespace, resource_quota, limit_range, node, priority_class, pod_disruption_budget, horizontal_pod_autoscaler,
    service_account, role, cluster_role, role_binding, cluster_role_binding, certificate_signing_request,
}

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
    /// Ask for so many objects at a time; accepted, for what this server holds comes in one piece.
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    chunk_size: u32,
}

/// How one kind is described.
struct Describer {
    group: &'static str,
    kind: &'static str,
    /// What else to read about the object: a name for it, and the path.
    related: fn(&Value) -> Vec<(&'static str, String)>,
    /// Which events to read.
    events: events::About,
    render: fn(&View<'_>, &mut Page),
}

/// Everything a page is made from.
struct View<'a> {
    object: &'a Value,
    /// What [`Describer::related`] asked for, under its names.
    related: &'a [(&'static str, Result<Value>)],
    /// Events about the object, if they are wanted.
    events: Option<&'a [Value]>,
    clock: &'a Clock,
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

/// A pod template in the words of these pages but not laid out, as `rollout history` prints it.
pub(super) fn template_text(template: &Value) -> String {
    let mut page = Page::default();
    template::pod_template(&mut page, template, &Clock { now: mini_daemon::clock::now(), zone: TimeZone::system() });
    page.raw()
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if args.words.is_empty() && args.files.filename.is_empty() {
        let hint = "Use \"mini-ctl api-resources\" for a complete list of supported resources.";
        return Err(usage(format!("You must specify the type of resource to describe. {hint}")));
    }
    let describe = Describe {
        context,
        server: context.server().await?,
        args: &args,
        clock: Clock { now: mini_daemon::clock::now(), zone: TimeZone::system() },
    };
    let (objects, mut errors) = describe.objects(&args.words, &args.many).await?;
    // One name of one type may be the beginning of names.
    if let ([error], [kind, beginning]) = (&*errors, &*args.words)
        && error.is_not_found()
    {
        return describe.beginning(kind, beginning, errors.swap_remove(0)).await;
    }
    let mut pages = Vec::new();
    for (resource, object) in &objects {
        pages.push(describe.page(resource, object).await);
    }
    if pages.is_empty() && errors.is_empty() {
        match context.namespace().await? {
            _ if args.many.all_namespaces => notice("No resources found"),
            namespace => notice(&format!("No resources found in {namespace} namespace.")),
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
    /// The objects that are meant, and why some of them could not be read.
    async fn objects(&self, words: &[String], many: &Many) -> Result<(Vec<(Resource, Value)>, Vec<Error>)> {
        let (mut objects, mut errors) = (Vec::new(), Vec::new());
        match select(self.context, words, &self.args.files).await? {
            Selection::Every(resources) => {
                for resource in resources {
                    match self.every(&resource, many).await {
                        Ok(found) => objects.extend(found.into_iter().map(|object| (resource.clone(), object))),
                        Err(error) => errors.push(error),
                    }
                }
            }
            Selection::Named(_) if many.all_namespaces => {
                return Err(usage("a resource cannot be retrieved by name across all namespaces"));
            }
            Selection::Named(_) if many.narrows() && !words.is_empty() => {
                return Err(usage("name cannot be provided when a selector is specified"));
            }
            Selection::Named(targets) => {
                let wanted = Selector::parse(many.selector.as_deref().unwrap_or_default()).map_err(|error| usage(error.to_string()))?;
                for target in targets {
                    match target.fetch(self.server, JSON).await {
                        Ok(object) if wanted.matches_with(|label| object["metadata"]["labels"][label].as_str()) => {
                            objects.push((target.resource, object));
                        }
                        Ok(_) => {}
                        Err(error) => errors.push(error),
                    }
                }
            }
        }
        Ok((objects, errors))
    }

    async fn every(&self, resource: &Resource, many: &Many) -> Result<Vec<Value>> {
        let namespace = if many.all_namespaces { None } else { Some(self.context.namespace().await?) };
        let path = with_query(&resource.path(namespace), &many.query());
        let answer = self.server.get(&path).await.map_err(|error| many.explain(resource, error))?;
        Ok(list(&answer["items"]).iter().map(|object| with_kind(object, resource)).collect())
    }

    /// Prints the pages of the objects whose names begin so, each with an empty line after it; if there are none, `error` stands.
    async fn beginning(&self, kind: &String, beginning: &str, error: Error) -> Result<()> {
        if kind.contains(',') {
            return Err(usage("you may only specify a single resource type"));
        }
        let (objects, errors) = self.objects(std::slice::from_ref(kind), &Many::default()).await?;
        Error::from_all(errors)?;
        let mut pages = String::new();
        for (resource, object) in objects.iter().filter(|(_, object)| name(object).starts_with(beginning)) {
            pages.push_str(&self.page(resource, object).await);
            pages.push('\n');
        }
        if pages.is_empty() { Err(error) } else { print(&pages) }
    }

    /// Reads what belongs to the object, and lays it out.
    async fn page(&self, resource: &Resource, object: &Value) -> String {
        let fits = |describer: &&&Describer| describer.group == resource.group && describer.kind == resource.kind;
        let describer = DESCRIBERS.iter().find(fits).copied().unwrap_or(&fallback::DESCRIBER);
        let mut related = Vec::new();
        for (name, path) in (describer.related)(object) {
            related.push((name, self.server.get(&path).await));
        }
        let events = if self.args.show_events { events::read(self.server, describer.events, object).await } else { None };
        let mut page = Page::default();
        (describer.render)(&View { object, related: &related, events: events.as_deref(), clock: &self.clock }, &mut page);
        page.finish()
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
