//! `events`: what has happened, oldest first; of one object, of one type, or as it goes on.

use clap::ArgAction;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    output::{Output, Templates, typed_json},
    print::{TabWriter, notice, print},
    server::{JSON, Server, with_query},
    value::{age, int, list, map_mut, text},
};

/// List events.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[arg(hide = true)]
    words: Vec<String>,
    /// In all namespaces.
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// Only those about this object: TYPE/NAME.
    #[arg(long = "for", value_name = "OBJECT")]
    about: Option<String>,
    /// Only those of these types: Normal, Warning.
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Show what is there, and go on with what happens.
    #[arg(long, short)]
    watch: bool,
    /// Leave out the line of column names.
    #[arg(long, action = ArgAction::SetTrue)]
    no_headers: bool,
    /// How many events are asked for at once; 0 is all.
    #[arg(long, value_name = "COUNT", default_value_t = 500, allow_hyphen_values = true)]
    chunk_size: i64,
    /// The form of the answer [default: a table].
    #[arg(long, short, value_name = "FORM")]
    output: Option<String>,
    /// Also who manages which field, in YAML and JSON.
    #[arg(long)]
    show_managed_fields: bool,
    #[command(flatten)]
    templates: Templates,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let form = args.templates.form(args.output.as_deref(), false)?;
    if args.types.iter().any(|wanted| !["normal", "warning"].contains(&wanted.to_lowercase().as_str())) {
        return Err(usage("valid --types are Normal or Warning"));
    }
    let about = match &args.about {
        Some(about) => about_object(context, about).await?,
        None => String::new(),
    };
    let namespace = if args.all_namespaces { None } else { Some(context.namespace().await?) };
    let path = match namespace {
        Some(namespace) => format!("/api/v1/namespaces/{}/events", crate::server::escape(namespace)),
        None => "/api/v1/events".to_owned(),
    };
    let server = context.server().await?;
    let events = Events { args: &args, form, server, path, about };
    if args.watch { events.watch().await } else { events.list(namespace).await }
}

/// The field selector for the events about `TYPE/NAME`.
async fn about_object(context: &Context, about: &str) -> Result<String> {
    let (kind, name) = about.split_once('/').ok_or_else(|| usage("--for must be in resource/name form"))?;
    if kind.is_empty() || name.is_empty() {
        return Err(usage("--for must be in resource/name form"));
    }
    let kind = match context.catalog().await?.find(kind) {
        Ok(resource) => &resource.kind,
        Err(Error::Usage(message)) => return Err(Error::Plain(message)),
        Err(error) => return Err(error),
    };
    Ok(format!("involvedObject.kind={kind},involvedObject.name={name}"))
}

struct Events<'a> {
    args: &'a Args,
    form: Option<Output>,
    server: &'a Server,
    path: String,
    about: String,
}

impl Events<'_> {
    fn is_wanted(&self, event: &Value) -> bool {
        self.args.types.is_empty() || self.args.types.iter().any(|wanted| wanted.eq_ignore_ascii_case(text(&event["type"])))
    }

    async fn list(&self, namespace: Option<&str>) -> Result<()> {
        let limit = if self.args.chunk_size > 0 { self.args.chunk_size.to_string() } else { String::new() };
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let path = with_query(&self.path, &[("fieldSelector", &self.about), ("limit", &limit), ("continue", &token)]);
            let page = self.server.get(&path).await?;
            found.extend(list(&page["items"]).iter().filter(|event| self.is_wanted(event)).cloned());
            token = text(&page["metadata"]["continue"]).to_owned();
            if token.is_empty() {
                break;
            }
        }
        if found.is_empty() {
            notice(&match namespace {
                Some(namespace) => format!("No events found in {namespace} namespace."),
                None => "No events found.".to_owned(),
            });
            return Ok(());
        }
        found.sort_by_key(|event| moment(event).to_owned());
        let Some(form) = &self.form else {
            let mut writer = TabWriter::table();
            self.head(&mut writer);
            found.iter().for_each(|event| writer.line(&self.line(event)));
            return print(&writer.take());
        };
        let items: Vec<Value> = found.into_iter().map(|event| self.whole(event, form)).collect();
        let all = json!({"apiVersion": "v1", "items": items, "kind": "EventList", "metadata": {}});
        match form {
            // kubectl names nothing here: it does not look into this list.
            Output::Name => Ok(()),
            Output::Json => print(&typed_json(&all)),
            form => print(&form.render(&Resource::default(), &all)?),
        }
    }

    /// Also what there is already is told by the server, as changes.
    async fn watch(&self) -> Result<()> {
        let path = with_query(&self.path, &[("fieldSelector", self.about.as_str()), ("watch", "true")]);
        let mut changes = self.server.watch(&path, JSON).await?;
        let mut writer = TabWriter::table();
        let mut first = true;
        while let Some(change) = changes.next().await {
            let event = change?["object"].take();
            if !self.is_wanted(&event) {
                continue;
            }
            match &self.form {
                None => {
                    if std::mem::take(&mut first) {
                        self.head(&mut writer);
                    }
                    writer.line(&self.line(&event));
                    print(&writer.take())?;
                }
                Some(Output::Json) => print(&typed_json(&self.whole(event, &Output::Json)))?,
                Some(form) => {
                    let separator = if !std::mem::take(&mut first) && matches!(form, Output::Yaml) { "---\n" } else { "" };
                    let event = self.whole(event, form);
                    let resource = Resource { singular: "event".into(), ..Resource::default() };
                    print(&format!("{separator}{}", form.render(&resource, &event)?))?;
                }
            }
        }
        Ok(())
    }

    fn whole(&self, mut event: Value, form: &Output) -> Value {
        let fields = map_mut(&mut event);
        fields.entry("apiVersion").or_insert_with(|| "v1".into());
        fields.entry("kind").or_insert_with(|| "Event".into());
        if self.args.show_managed_fields { event } else { form.spared(event) }
    }

    fn head(&self, writer: &mut TabWriter) {
        if !self.args.no_headers {
            writer.line(&format!("{}LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE", if self.args.all_namespaces { "NAMESPACE\t" } else { "" }));
        }
    }

    fn line(&self, event: &Value) -> String {
        let mut cells = Vec::new();
        if self.args.all_namespaces {
            cells.push(text(&event["metadata"]["namespace"]).to_owned());
        }
        let object = &event["involvedObject"];
        cells.extend([
            how_often(event),
            text(&event["type"]).to_owned(),
            text(&event["reason"]).to_owned(),
            format!("{}/{}", text(&object["kind"]), text(&object["name"])),
            text(&event["message"]).trim().to_owned(),
        ]);
        cells.join("\t")
    }
}

/// When an event was seen last.
fn moment(event: &Value) -> &str {
    match &event["series"]["lastObservedTime"] {
        Value::String(last) => last,
        _ => event["lastTimestamp"].as_str().unwrap_or_else(|| text(&event["eventTime"])),
    }
}

/// When an event happened, or how often since when.
fn how_often(event: &Value) -> String {
    let first = age(if event["eventTime"].is_string() { &event["eventTime"] } else { &event["firstTimestamp"] });
    let series = &event["series"];
    if series.is_object() {
        return format!("{} (x{} over {first})", age(&series["lastObservedTime"]), int(&series["count"]));
    }
    match int(&event["count"]) {
        count @ 2.. => format!("{} (x{count} over {first})", age(&event["lastTimestamp"])),
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_and_dated() {
        let once = json!({"firstTimestamp": null, "eventTime": null});
        assert_eq!(how_often(&once), "<unknown>");
        let often = json!({"count": 3, "lastTimestamp": "2026-01-01T00:00:00Z"});
        assert!(how_often(&often).ends_with(" (x3 over <unknown>)"));
        assert_eq!(moment(&often), "2026-01-01T00:00:00Z");
        let series = json!({"eventTime": "2026-01-01T00:00:00Z", "series": {"count": 2, "lastObservedTime": "2026-01-02T00:00:00Z"}});
        assert!(how_often(&series).contains(" (x2 over "));
        assert_eq!(moment(&series), "2026-01-02T00:00:00Z");
    }
}
