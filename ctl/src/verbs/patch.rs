//! `patch`: changes fields of an object in one of the three ways the server knows.

use clap::ValueEnum;
use http::Method;
use serde_json::Value;

use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    manifest::{self, documents},
    patch::{Schema, json_patched, merged, strategically},
    schemas::Schemas,
    selection::{Files, Selection, Target, nothing_given, select},
    server::{Call, JSON, Server},
    value::{name, text},
    writing::{DryRun, Writing},
};

const MANAGER: &str = "kubectl-patch";

/// Update fields of a resource.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME…, or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// The change, as JSON or YAML.
    #[arg(long, short, value_name = "PATCH", default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    patch: String,
    /// A file with the change.
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    patch_file: String,
    /// How the change is written: strategic, merge, or json.
    #[arg(long = "type", value_name = "TYPE", default_value = "strategic")]
    way: String,
    /// Change the subresource of this name instead.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    subresource: String,
    /// Change what the file says, not what the server has.
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    writing: Writing,
}

/// A way to write a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    Json,
    Merge,
    Strategic,
}

impl Way {
    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
        }
    }

    /// The object after the change.
    fn apply(self, object: &Value, change: &Value, schema: &Schema<'_>) -> Result<Value> {
        match self {
            Self::Json => json_patched(object, change).map_err(usage),
            _ if !change.is_object() => Err(usage(format!("cannot patch with {change}: an object is expected"))),
            Self::Merge => Ok(merged(object, change)),
            Self::Strategic => Ok(strategically(object, change, schema).unwrap_or_default()),
        }
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let way = check(&args)?;
    if args.words.is_empty() && args.files.is_empty() {
        return Err(nothing_given());
    }
    let change = change(&args)?;
    if args.local {
        return locally(&args, context, way, &change).await;
    }
    let Selection::Named(targets) = select(context, &args.words, &args.files).await? else {
        return Err(usage("resource(s) were provided, but no name was specified"));
    };
    let server = context.server().await?;
    let schemas = Schemas::default();
    let mut errors = Vec::new();
    for target in targets {
        let said = match one(&args, server, &schemas, way, &target, &change).await {
            Ok((resource, patched, what)) => say(&args, &resource, &patched, what),
            Err(error) => Err(error),
        };
        errors.extend(said.err());
    }
    Error::from_all(errors)
}

/// What is wrong with the flags is told before anything is read.
fn check(args: &Args) -> Result<Way> {
    if !args.patch.is_empty() && !args.patch_file.is_empty() {
        return Err(usage("cannot specify --patch and --patch-file together"));
    }
    if args.patch.is_empty() && args.patch_file.is_empty() {
        return Err(usage("must specify --patch or --patch-file containing the contents of the patch"));
    }
    if args.local && !args.words.is_empty() {
        return Err(usage("cannot specify --local and server resources"));
    }
    if args.local && args.writing.dry_run == DryRun::Server {
        return Err(usage("cannot specify --local and --dry-run=server - did you mean --dry-run=client?"));
    }
    args.writing.form()?;
    Way::from_str(&args.way, true).map_err(|_| usage(format!("--type must be one of [json merge strategic], not {:?}", args.way)))
}

/// The change as JSON.
fn change(args: &Args) -> Result<Value> {
    let text = match args.patch_file.as_str() {
        "" => args.patch.clone(),
        file => std::fs::read_to_string(file).map_err(|error| usage(format!("unable to read patch file: {}", manifest::cannot_open(file, &error))))?,
    };
    let mut values = documents(&text).map_err(|complaint| usage(format!("unable to parse {:?}: {complaint}", args.patch)))?;
    Ok(if values.is_empty() { Value::Null } else { values.remove(0) })
}

/// Changes one object; gives what it is now, and what is to be said of it.
async fn one(
    args: &Args,
    server: &Server,
    schemas: &Schemas,
    way: Way,
    target: &Target,
    change: &Value,
) -> Result<(Resource, Value, &'static str)> {
    let before = subresource(args, server, target).await?;
    let patched = if args.writing.stays_here() {
        let described = schemas.of(server, &target.resource).await;
        way.apply(&before, change, &described.schema().unwrap_or(Schema::unknown()))?
    } else {
        let path = args.writing.query(&path(args, target), MANAGER, &[]);
        let call = Call { method: Method::PATCH, path: &path, content_type: way.content_type(), body: change };
        server.call(call).await?
    };
    let what = if patched == before { "patched (no change)" } else { "patched" };
    Ok((resource_of(&patched, &target.resource), patched, what))
}

fn path(args: &Args, target: &Target) -> String {
    match args.subresource.as_str() {
        "" => target.path(),
        subresource => format!("{}/{subresource}", target.path()),
    }
}

async fn subresource(args: &Args, server: &Server, target: &Target) -> Result<Value> {
    match args.subresource.as_str() {
        "" => target.fetch(server, JSON).await,
        _ => server.get(&path(args, target)).await,
    }
}

/// What an answer is, which for a subresource may be of another kind than what was asked for.
fn resource_of(object: &Value, asked: &Resource) -> Resource {
    let kind = text(&object["kind"]);
    if kind.is_empty() || kind == asked.kind {
        return asked.clone();
    }
    let (group, version) = text(&object["apiVersion"]).split_once('/').unwrap_or(("", text(&object["apiVersion"])));
    Resource { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned(), singular: String::new(), ..asked.clone() }
}

/// Says what was done. This verb alone never says that it was not really done; so it is with kubectl.
fn say(args: &Args, resource: &Resource, object: &Value, what: &str) -> Result<()> {
    Writing { dry_run: DryRun::None, ..args.writing.clone() }.say(resource, object, what)
}

async fn locally(args: &Args, context: &Context, way: Way, change: &Value) -> Result<()> {
    for document in args.files.documents()? {
        let resource = context.catalog().await?.of_object(&document.object, &document.source)?.clone();
        let patched = way.apply(&document.object, change, &Schema::well_known())?;
        let what = if patched == document.object { "patched (no change)" } else { "patched" };
        let named = if name(&patched).is_empty() { &document.object } else { &patched };
        say(args, &resource, if args.writing.output.is_some() { &patched } else { named }, what)?;
    }
    Ok(())
}
