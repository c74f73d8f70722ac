//! `get`: objects as the server's table, as YAML or JSON, or as names; once, or for as long as they change.

use clap::ValueEnum;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    print::{TabWriter, notice, print},
    selection::{Files, Many, Selection, Target, select},
    server::{JSON, Server, with_query},
    table::{ACCEPT, Style, Table},
    value::{list, map_mut, name, text},
    yaml,
};

/// How many objects are asked for at once.
const CHUNK: &str = "500";

/// Display one or many resources.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE[,TYPE…] [NAME…], or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    many: Many,
    /// The form of the answer [default: a table].
    #[arg(long, short, value_name = "FORM", ignore_case = true)]
    output: Option<Form>,
    /// Go on, and show every change.
    #[arg(long, short)]
    watch: bool,
    /// Show changes only, not what there is now.
    #[arg(long)]
    watch_only: bool,
    /// In a watch, show what kind of change it was.
    #[arg(long)]
    output_watch_events: bool,
    /// Leave out the line of column names.
    #[arg(long)]
    no_headers: bool,
    /// A column with all labels.
    #[arg(long)]
    show_labels: bool,
    /// A column for each of these labels.
    #[arg(long, short = 'L', value_name = "LABEL", value_delimiter = ',')]
    label_columns: Vec<String>,
    /// Say nothing about objects that are not there.
    #[arg(long)]
    ignore_not_found: bool,
    /// Also who manages which field, in YAML and JSON.
    #[arg(long)]
    show_managed_fields: bool,
}

/// The form in which objects are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Wide,
    Yaml,
    Json,
    Name,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let selection = select(context, &args.words, &args.files).await?;
    if matches!(selection, Selection::Named(_)) && args.many.narrows() {
        return Err(usage("name cannot be provided when a selector is specified"));
    }
    let namespace = if args.many.all_namespaces { None } else { Some(context.namespace().await?) };
    if namespace.is_none() && matches!(&selection, Selection::Named(targets) if targets.iter().any(|target| target.resource.namespaced && target.source.is_empty())) {
        return Err(usage("a resource cannot be retrieved by name across all namespaces"));
    }
    let get = Get { server: context.server().await?, args: &args, namespace };
    if args.watch || args.watch_only {
        return get.watch(&selection).await;
    }
    match args.output {
        Some(Form::Yaml | Form::Json | Form::Name) => get.objects(&selection).await,
        Some(Form::Wide) | None => get.tables(&selection).await,
    }
}

/// One run of the verb.
struct Get<'a> {
    server: &'a Server,
    args: &'a Args,
    /// `None`: all namespaces.
    namespace: Option<&'a str>,
}

impl Get<'_> {
    fn style(&self, resource: &Resource) -> Style {
        Style {
            wide: self.args.output == Some(Form::Wide),
            no_headers: self.args.no_headers,
            with_namespace: self.namespace.is_none() && resource.namespaced,
            prefix: None,
            show_labels: self.args.show_labels,
            label_columns: self.args.label_columns.clone(),
            event: None,
        }
    }

    /// GETs every page of a list and hands each to `each`.
    async fn pages(&self, resource: &Resource, accept: &str, mut each: impl FnMut(Value)) -> Result<()> {
        let mut token = String::new();
        loop {
            let [labels, fields] = self.args.many.query();
            let path = with_query(&resource.path(self.namespace), &[labels, fields, ("limit", CHUNK), ("continue", &token)]);
            let page = self.server.get_as(&path, accept).await.map_err(|error| self.args.many.explain(resource, error))?;
            token = text(&page["metadata"]["continue"]).to_owned();
            each(page);
            if token.is_empty() {
                return Ok(());
            }
        }
    }

    /// Whether an error about a single object is to be passed over.
    fn tolerates(&self, error: &Error) -> bool {
        self.args.ignore_not_found && error.is_not_found()
    }

    async fn tables(&self, selection: &Selection) -> Result<()> {
        let mut errors = Vec::new();
        let mut groups: Vec<(Resource, Table)> = Vec::new();
        match selection {
            Selection::Every(resources) => {
                for resource in resources {
                    let mut table: Option<Table> = None;
                    let take = |page: Value| match &mut table {
                        Some(table) => table.append(Table::parse(&page)),
                        None => table = Some(Table::parse(&page)),
                    };
                    match self.pages(resource, ACCEPT, take).await {
                        Ok(()) => groups.extend(table.map(|table| (resource.clone(), table))),
                        Err(error) => errors.push(error),
                    }
                }
            }
            Selection::Named(targets) => {
                for target in targets {
                    match target.fetch(self.server, ACCEPT).await {
                        Ok(answer) => match groups.last_mut() {
                            Some((resource, table)) if *resource == target.resource => table.append(Table::parse(&answer)),
                            _ => groups.push((target.resource.clone(), Table::parse(&answer))),
                        },
                        Err(error) if self.tolerates(&error) => {}
                        Err(error) => errors.push(error),
                    }
                }
            }
        }
        let mixed = match selection {
            Selection::Every(resources) => resources.len() > 1,
            Selection::Named(targets) => targets.iter().any(|target| target.resource != targets[0].resource),
        };
        groups.retain(|(_, table)| !table.is_empty());
        print(&self.layout(&groups, mixed))?;
        if groups.is_empty() && errors.is_empty() && !self.args.ignore_not_found {
            self.say_nothing_found(selection);
        }
        Error::from_all(errors)
    }

    /// The tables one after the other, with an empty line between; names carry their type if there are several.
    fn layout(&self, groups: &[(Resource, Table)], mixed: bool) -> String {
        let mut out = String::new();
        for (resource, table) in groups {
            let style = Style { prefix: mixed.then(|| resource.qualified_singular()), ..self.style(resource) };
            let mut writer = TabWriter::table();
            table.write(&style, &mut writer);
            if !out.is_empty() && !self.args.no_headers {
                out.push('\n');
            }
            out.push_str(&writer.take());
        }
        out
    }

    fn say_nothing_found(&self, selection: &Selection) {
        let namespaced = matches!(selection, Selection::Every(resources) if resources.iter().any(|resource| resource.namespaced));
        match self.namespace {
            Some(namespace) if namespaced => notice(&format!("No resources found in {namespace} namespace.")),
            _ => notice("No resources found"),
        }
    }

    async fn objects(&self, selection: &Selection) -> Result<()> {
        let mut errors = Vec::new();
        let mut objects: Vec<(Resource, Value)> = Vec::new();
        match selection {
            Selection::Every(resources) => {
                for resource in resources {
                    let take = |page: Value| objects.extend(items(&page, resource).map(|object| (resource.clone(), object)));
                    if let Err(error) = self.pages(resource, JSON, take).await {
                        errors.push(error);
                    }
                }
            }
            Selection::Named(targets) => {
                for target in targets {
                    match target.fetch(self.server, JSON).await {
                        Ok(object) => objects.push((target.resource.clone(), object)),
                        Err(error) if self.tolerates(&error) => {}
                        Err(error) => errors.push(error),
                    }
                }
            }
        }
        if self.args.output == Some(Form::Name) {
            let names: String = objects.iter().map(|(resource, object)| format!("{}/{}\n", resource.qualified_singular(), name(object))).collect();
            print(&names)?;
            return Error::from_all(errors);
        }
        let single = matches!(selection, Selection::Named(targets) if targets.len() == 1);
        let mut values: Vec<Value> = objects.into_iter().map(|(_, object)| self.trimmed(object)).collect();
        if single {
            if let Some(value) = values.pop() {
                print(&self.encode(&value)?)?;
            }
        } else {
            print(&self.encode(&json!({"apiVersion": "v1", "items": values, "kind": "List", "metadata": {"resourceVersion": ""}}))?)?;
        }
        Error::from_all(errors)
    }

    fn trimmed(&self, mut object: Value) -> Value {
        if !self.args.show_managed_fields && object["metadata"].is_object() {
            map_mut(&mut object["metadata"]).remove("managedFields");
        }
        object
    }

    fn encode(&self, value: &Value) -> Result<String> {
        if self.args.output == Some(Form::Yaml) { Ok(yaml::to_string(value)) } else { json_text(value) }
    }

    /// Shows what there is, then what happens, until the server ends the watch or we are interrupted.
    async fn watch(&self, selection: &Selection) -> Result<()> {
        let (resource, path, only) = match selection {
            Selection::Every(resources) if resources.len() == 1 => (&resources[0], resources[0].path(self.namespace), None),
            Selection::Named(targets) if targets.len() == 1 => (&targets[0].resource, watched_path(&targets[0]), Some(&targets[0].name)),
            _ => return Err(usage("you may only specify a single resource type")),
        };
        let fields = match only {
            Some(name) => format!("metadata.name={name}"),
            None => self.args.many.field_selector.clone().unwrap_or_default(),
        };
        let selectors = [self.args.many.query()[0], ("fieldSelector", fields.as_str())];
        let tabular = matches!(self.args.output, None | Some(Form::Wide));
        let accept = if tabular { ACCEPT } else { JSON };
        if let (Some(_), Selection::Named(targets)) = (only, selection) {
            // A watch of what is not there would be silent for ever; kubectl says so, too.
            targets[0].fetch(self.server, accept).await?;
        }
        let list = self.server.get_as(&with_query(&path, &selectors), accept).await?;
        let mut changes = Changes { get: self, resource, writer: TabWriter::table(), table: Table::parse(&list).without_rows(), headed: false };
        if !self.args.watch_only {
            if tabular {
                changes.rows(&list, "ADDED")?;
            } else {
                items(&list, resource).try_for_each(|object| changes.object(object))?;
            }
        }
        let version = text(&list["metadata"]["resourceVersion"]);
        let path = with_query(&path, &[selectors[0], selectors[1], ("watch", "true"), ("resourceVersion", version)]);
        let mut events = self.server.watch(&path, accept).await?;
        while let Some(event) = events.next().await {
            let mut event = event?;
            let kind = text(&event["type"]).to_owned();
            if kind == "BOOKMARK" {
                continue;
            }
            let object = event["object"].take();
            if tabular { changes.rows(&object, &kind)? } else { changes.object(object)? }
        }
        Ok(())
    }
}

/// What a watch has shown so far.
struct Changes<'a> {
    get: &'a Get<'a>,
    resource: &'a Resource,
    writer: TabWriter,
    /// The columns, which only the first answer carries.
    table: Table,
    headed: bool,
}

impl Changes<'_> {
    fn rows(&mut self, answer: &Value, event: &str) -> Result<()> {
        let mut table = self.table.clone();
        table.append(Table::parse(answer));
        if table.is_empty() {
            return Ok(());
        }
        self.table = table.without_rows();
        let style = Style {
            no_headers: self.headed || self.get.args.no_headers,
            event: self.get.args.output_watch_events.then(|| event.to_owned()),
            ..self.get.style(self.resource)
        };
        self.headed = true;
        table.write(&style, &mut self.writer);
        print(&self.writer.take())
    }

    fn object(&mut self, object: Value) -> Result<()> {
        let object = self.get.trimmed(object);
        if self.get.args.output == Some(Form::Name) {
            return print(&format!("{}/{}\n", self.resource.qualified_singular(), name(&object)));
        }
        let separator = if self.headed && self.get.args.output == Some(Form::Yaml) { "---\n" } else { "" };
        self.headed = true;
        print(&format!("{separator}{}", self.get.encode(&object)?))
    }
}

fn watched_path(target: &Target) -> String {
    target.resource.path(Some(&target.namespace))
}

/// The objects of a list, each with the kind that lists leave out.
fn items<'a>(page: &'a Value, resource: &'a Resource) -> impl Iterator<Item = Value> + 'a {
    list(&page["items"]).iter().cloned().map(|mut object| {
        let fields = map_mut(&mut object);
        fields.entry("apiVersion").or_insert_with(|| resource.group_version().into());
        fields.entry("kind").or_insert_with(|| resource.kind.clone().into());
        object
    })
}

/// JSON indented by four spaces, as kubectl prints it.
pub(super) fn json_text(value: &Value) -> Result<String> {
    use serde::Serialize;
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    value.serialize(&mut serializer).map_err(|error| usage(error.to_string()))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|error| usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_by_four() {
        assert_eq!(json_text(&json!({"a": [1], "b": {}})).unwrap(), "{\n    \"a\": [\n        1\n    ],\n    \"b\": {}\n}\n");
    }

    #[test]
    fn list_items_get_their_kind_back() {
        let resource = Resource { group: "apps".into(), version: "v1".into(), kind: "Deployment".into(), ..Resource::default() };
        let page = json!({"items": [{"metadata": {"name": "a"}}]});
        let all: Vec<Value> = items(&page, &resource).collect();
        assert_eq!(all, [json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}})]);
    }
}
