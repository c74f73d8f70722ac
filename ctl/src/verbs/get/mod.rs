//! `get`: objects as the server's table or in another form; once, or for as long as they change.

mod watch;

use serde_json::{Value, json};

use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    output::{Output, Templates},
    print::{TabWriter, notice, print, print_bytes},
    selection::{Files, Many, Selection, Target, select},
    server::{JSON, Server, with_query},
    sorting::SortBy,
    table::{ACCEPT, Style, Table},
    value::{list, map_mut, text},
};

/// Display one or many resources.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE[,TYPE…] [NAME…], or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    many: Many,
    /// The form of the answer: wide, yaml, json, name, jsonpath=…, custom-columns=…, go-template=…, or from files [default: a table].
    #[arg(long, short, value_name = "FORM")]
    output: Option<String>,
    #[command(flatten)]
    templates: Templates,
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
    /// Name every object with its type.
    #[arg(long)]
    show_kind: bool,
    /// Say nothing about objects that are not there.
    #[arg(long)]
    ignore_not_found: bool,
    /// Also who manages which field, in YAML and JSON.
    #[arg(long)]
    show_managed_fields: bool,
    /// The order of the objects: by a field, such as .metadata.name.
    #[arg(long, value_name = "PATH")]
    sort_by: Option<String>,
    /// How many objects are asked for at once; 0 is all.
    #[arg(long, value_name = "COUNT", default_value_t = 500, allow_hyphen_values = true)]
    chunk_size: i64,
    /// Of objects given by name, only this part: status, scale, …
    #[arg(long, value_name = "NAME")]
    subresource: Option<String>,
    /// Columns that the server computes; with =false names and ages only.
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    server_print: bool,
    /// What the server answers at this path, as it is.
    #[arg(long, value_name = "PATH")]
    raw: Option<String>,
    /// Also pods that have ended, which are shown anyway.
    #[arg(long, short = 'a', hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    show_all: Option<bool>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if args.show_all.is_some() {
        notice("Flag --show-all has been deprecated, will be removed in an upcoming release");
    }
    if let Some(path) = &args.raw {
        return raw(&args, path, context).await;
    }
    if args.output_watch_events && !args.watch && !args.watch_only {
        return Err(usage("--output-watch-events option can only be used with --watch or --watch-only"));
    }
    let form = args.templates.form(args.output.as_deref(), true)?;
    let sort_by = args.sort_by.as_deref().filter(|path| !path.is_empty()).map(SortBy::parse).transpose()?;
    if args.words.is_empty() && args.files.is_empty() {
        return Err(nothing_named());
    }
    let selection = select(context, &args.words, &args.files).await?;
    if matches!(selection, Selection::Named(_)) && args.many.narrows() {
        return Err(usage("name cannot be provided when a selector is specified"));
    }
    if args.subresource.is_some() && matches!(selection, Selection::Every(_)) {
        return Err(usage("subresource cannot be used when bulk resources are specified"));
    }
    let namespace = if args.many.all_namespaces { None } else { Some(context.namespace().await?) };
    if namespace.is_none() && matches!(&selection, Selection::Named(targets) if targets.iter().any(|target| target.resource.namespaced && target.source.is_empty())) {
        return Err(usage("a resource cannot be retrieved by name across all namespaces"));
    }
    let get = Get { server: context.server().await?, args: &args, form, sort_by, namespace };
    if args.watch || args.watch_only {
        return get.watch(&selection).await;
    }
    match &get.form {
        None | Some(Output::Wide) => get.tables(&selection).await,
        Some(form) => get.objects(&selection, form).await,
    }
}

async fn raw(args: &Args, path: &str, context: &Context) -> Result<()> {
    if args.watch || args.watch_only || args.many.selector.is_some() {
        return Err(usage("--raw may not be specified with other flags that filter the server request or alter the output"));
    }
    if args.output.is_some() {
        return Err(usage("--raw and --output are mutually exclusive"));
    }
    if !args.words.is_empty() {
        return Err(usage("arguments may not be passed when --raw is specified"));
    }
    if !args.files.filename.is_empty() {
        return Err(usage("--raw and --filename are mutually exclusive"));
    }
    if !path.starts_with('/') {
        return Err(usage(format!("--raw must be a valid URL path: parse {path:?}: invalid URI for request")));
    }
    print_bytes(&context.server().await?.get_bytes(path).await?)
}

fn nothing_named() -> Error {
    Error::Plain(
        "You must specify the type of resource to get. Use \"mini-ctl api-resources\" for a complete list of supported resources.\n\n\
         error: Required resource not specified.\n\
         Use \"mini-ctl explain <resource>\" for a detailed description of that resource (e.g. mini-ctl explain pods).\n\
         See 'mini-ctl get -h' for help and examples"
            .into(),
    )
}

/// One run of the verb.
struct Get<'a> {
    server: &'a Server,
    args: &'a Args,
    /// `None`: a table.
    form: Option<Output>,
    sort_by: Option<SortBy>,
    /// `None`: all namespaces.
    namespace: Option<&'a str>,
}

impl Get<'_> {
    fn style(&self, resource: &Resource) -> Style {
        Style {
            wide: matches!(self.form, Some(Output::Wide)),
            no_headers: self.args.no_headers,
            with_namespace: self.namespace.is_none() && resource.namespaced,
            prefix: self.args.show_kind.then(|| resource.qualified_singular()),
            show_labels: self.args.show_labels,
            label_columns: self.args.label_columns.clone(),
            event: None,
        }
    }

    /// What is asked for when lines are wanted.
    fn table_accept(&self) -> &'static str {
        if self.args.server_print { ACCEPT } else { JSON }
    }

    /// GETs every page of a list and hands each to `each`.
    async fn pages(&self, resource: &Resource, accept: &str, mut each: impl FnMut(Value)) -> Result<()> {
        let mut token = String::new();
        // What is to be sorted is needed whole, and rows with the objects they are about.
        let sorted = self.sort_by.is_some();
        let limit = if sorted || self.args.chunk_size <= 0 { String::new() } else { self.args.chunk_size.to_string() };
        let include = if sorted && accept == ACCEPT { "Object" } else { "" };
        loop {
            let [labels, fields] = self.args.many.query();
            let parameters = [labels, fields, ("limit", limit.as_str()), ("includeObject", include), ("continue", &token)];
            let path = with_query(&resource.path(self.namespace), &parameters);
            let page = self.server.get_as(&path, accept).await.map_err(|error| self.args.many.explain(resource, error))?;
            token = text(&page["metadata"]["continue"]).to_owned();
            each(page);
            if token.is_empty() {
                return Ok(());
            }
        }
    }

    /// GETs one object, or the part of it that is asked for.
    async fn fetch(&self, target: &Target, accept: &str) -> Result<Value> {
        match &self.args.subresource {
            None => target.fetch(self.server, accept).await,
            Some(part) => self.server.get_as(&format!("{}/{}", target.path(), crate::server::escape(part)), accept).await,
        }
    }

    /// Whether an error about a single object is to be passed over.
    fn tolerates(&self, error: &Error) -> bool {
        self.args.ignore_not_found && error.is_not_found()
    }

    async fn tables(&self, selection: &Selection) -> Result<()> {
        let mut errors = Vec::new();
        let mut groups: Vec<(Resource, Table)> = Vec::new();
        let accept = self.table_accept();
        match selection {
            Selection::Every(resources) => {
                for resource in resources {
                    let mut table: Option<Table> = None;
                    let take = |page: Value| match &mut table {
                        Some(table) => table.append(Table::parse(&page)),
                        None => table = Some(Table::parse(&page)),
                    };
                    match self.pages(resource, accept, take).await {
                        Ok(()) => groups.extend(table.map(|table| (resource.clone(), table))),
                        Err(error) => errors.push(error),
                    }
                }
            }
            Selection::Named(targets) => {
                for target in targets {
                    match self.fetch(target, accept).await {
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
        if let (Some(by), Selection::Every(_)) = (&self.sort_by, selection) {
            self.sort(by, &mut groups)?;
        }
        groups.retain(|(_, table)| !table.is_empty());
        print(&self.layout(&groups, mixed))?;
        if groups.is_empty() && errors.is_empty() && !self.args.ignore_not_found {
            self.say_nothing_found(selection);
        }
        Error::from_all(errors)
    }

    /// Sorts each table. Of one whose objects all lack the field nothing is shown: kubectl does so, and complains if there are several tables.
    fn sort(&self, by: &SortBy, groups: &mut [(Resource, Table)]) -> Result<()> {
        let several = groups.len() > 1;
        for (_, table) in groups {
            if !table.sort(by)? && !table.is_empty() {
                if several {
                    return Err(by.not_found());
                }
                *table = table.without_rows();
            }
        }
        Ok(())
    }

    /// The tables one after the other, with an empty line between; names carry their type if there are several.
    fn layout(&self, groups: &[(Resource, Table)], mixed: bool) -> String {
        let mut out = String::new();
        for (resource, table) in groups {
            let style = self.style(resource);
            let style = Style { prefix: style.prefix.or_else(|| mixed.then(|| resource.qualified_singular())), ..style };
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

    async fn objects(&self, selection: &Selection, form: &Output) -> Result<()> {
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
                    match self.fetch(target, JSON).await {
                        Ok(object) => objects.push((target.resource.clone(), object)),
                        Err(error) if self.tolerates(&error) => {}
                        Err(error) => errors.push(error),
                    }
                }
            }
        }
        let single = matches!(selection, Selection::Named(targets) if targets.len() == 1);
        if objects.is_empty() && (single || self.args.ignore_not_found) {
            return Error::from_all(errors);
        }
        match self.printed(objects, single, form) {
            Ok(printed) => print(&printed)?,
            Err(error) => errors.insert(0, error),
        }
        Error::from_all(errors)
    }

    /// The objects in the form: one that was asked for by name as it is, else all in a list.
    fn printed(&self, mut objects: Vec<(Resource, Value)>, single: bool, form: &Output) -> Result<String> {
        if let Some(by) = &self.sort_by
            && !single
            && !by.sort(&mut objects, |(_, object)| object)?
            && objects.len() > 1
        {
            return Err(by.not_found());
        }
        if let Output::Name = form {
            return objects.iter().map(|(resource, object)| form.render(resource, object)).collect();
        }
        let mut values: Vec<Value> = objects.into_iter().map(|(_, object)| self.spared(object, form)).collect();
        let unnamed = Resource::default();
        match values.pop() {
            Some(value) if single => self.render(&unnamed, &value, form),
            last => {
                values.extend(last);
                let all = json!({"apiVersion": "v1", "items": values, "kind": "List", "metadata": {"resourceVersion": ""}});
                self.render(&unnamed, &all, form)
            }
        }
    }

    fn render(&self, resource: &Resource, value: &Value, form: &Output) -> Result<String> {
        let text = form.render(resource, value)?;
        match form {
            Output::Columns(_) if self.args.no_headers => Ok(text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default()),
            _ => Ok(text),
        }
    }

    fn spared(&self, object: Value, form: &Output) -> Value {
        if self.args.show_managed_fields { object } else { form.spared(object) }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_items_get_their_kind_back() {
        let resource = Resource { group: "apps".into(), version: "v1".into(), kind: "Deployment".into(), ..Resource::default() };
        let page = json!({"items": [{"metadata": {"name": "a"}}]});
        let all: Vec<Value> = items(&page, &resource).collect();
        assert_eq!(all, [json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}})]);
    }
}
