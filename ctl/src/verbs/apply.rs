//! `apply`: makes the cluster be as the files say. Creates what is not there; changes what differs, and only that, leaving
//! alone what others have set; says which of the two, or that nothing had to be done.

use std::collections::BTreeMap;

use clap::ValueEnum;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    manifest::{self, Document},
    patch::{self, Schema},
    print::print,
    selection::{Files, namespace_for},
    server::{Call, Server, warn, with_query},
    value::{map_mut, name, namespace},
    verbs::get::json_text,
    yaml,
};

/// The name under which the server notes who set the fields; that of kubectl, so that both tools may be mixed.
const MANAGER: &str = "kubectl-client-side-apply";
const SERVER_SIDE_MANAGER: &str = "kubectl";

/// Apply a configuration to a resource by file name or stdin.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    files: Files,
    /// Do not change anything; ask the server (or, with "client", only look) what would happen.
    #[arg(long, value_name = "WHERE", default_value = "none", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: DryRun,
    /// What to do about unknown and duplicate fields: refuse, warn, or let them pass.
    #[arg(long, value_name = "HOW", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    validate: Validate,
    /// Let the server merge (server-side apply).
    #[arg(long)]
    server_side: bool,
    /// With --server-side: take over fields that others manage.
    #[arg(long)]
    force_conflicts: bool,
    /// The name under which the server notes who set the fields.
    #[arg(long, value_name = "NAME")]
    field_manager: Option<String>,
    /// Print the objects instead of what was done to them.
    #[arg(long, short, value_name = "FORM", ignore_case = true)]
    output: Option<Form>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DryRun {
    None,
    Client,
    Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Validate {
    #[value(alias = "strict")]
    True,
    Warn,
    #[value(alias = "ignore")]
    False,
}

impl Validate {
    fn parameter(self) -> &'static str {
        match self {
            Self::True => "Strict",
            Self::Warn => "Warn",
            Self::False => "Ignore",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Yaml,
    Json,
    Name,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if args.files.filename.is_empty() {
        return Err(usage("must specify one of -f and -k"));
    }
    // All files are read before anything is sent: half a mistake is worse than a whole one.
    let documents = manifest::read(&args.files.filename, args.files.recursive)?;
    if documents.is_empty() {
        return Err(usage("no objects passed to apply"));
    }
    let apply = Apply { context, server: context.server().await?, args: &args, schemas: Schemas::default() };
    let mut errors = Vec::new();
    for document in documents {
        if let Err(error) = apply.one(document).await {
            let fatal = matches!(error, Error::ConnectionRefused { .. } | Error::Unreachable(_));
            errors.push(error);
            if fatal {
                break;
            }
        }
    }
    Error::from_all(errors)
}

/// The OpenAPI documents of the group-versions that were asked for, fetched when first needed.
#[derive(Default)]
struct Schemas {
    index: OnceCell<Value>,
    documents: tokio::sync::Mutex<BTreeMap<String, Option<std::sync::Arc<Value>>>>,
}

impl Schemas {
    /// The document of a group-version; `None` if the server has none, which is no failure: the patch is then made without.
    async fn document(&self, server: &Server, resource: &Resource) -> Option<std::sync::Arc<Value>> {
        let root = if resource.group.is_empty() { "api" } else { "apis" };
        let key = format!("{root}/{}", resource.group_version());
        let mut documents = self.documents.lock().await;
        if let Some(known) = documents.get(&key) {
            return known.clone();
        }
        let index = self.index.get_or_init(|| async { server.get("/openapi/v3").await.unwrap_or_default() }).await;
        let document = match index["paths"][&key]["serverRelativeURL"].as_str() {
            Some(path) => server.get(path).await.ok().map(std::sync::Arc::new),
            None => None,
        };
        documents.insert(key, document.clone());
        document
    }
}

struct Apply<'a> {
    context: &'a Context,
    server: &'a Server,
    args: &'a Args,
    schemas: Schemas,
}

impl Apply<'_> {
    async fn one(&self, document: Document) -> Result<()> {
        let Document { mut object, source } = document;
        let resource = self.context.catalog().await?.of_object(&object, &source)?.clone();
        if name(&object).is_empty() {
            return Err(match object["metadata"]["generateName"].as_str() {
                Some(prefix) => usage(format!("from {prefix}: cannot use generate name with apply")),
                None => usage(format!("error when retrieving current configuration of: {source:?}: resource name may not be empty")),
            });
        }
        let mut place = String::new();
        if resource.namespaced {
            place = namespace_for(self.context, namespace(&object)).await?;
            object["metadata"]["namespace"] = place.clone().into();
        }
        let path = resource.object_path(&place, name(&object));
        if self.args.server_side {
            let answer = self.server_side(&path, &object).await?;
            return self.say(&resource, &answer, "serverside-applied");
        }
        let live = match self.server.get(&path).await {
            Ok(live) => live,
            Err(error) if error.is_not_found() => {
                let created = self.create(&resource, &place, &object).await.map_err(|error| error.while_doing("creating", &source))?;
                return self.say(&resource, &created, "created");
            }
            Err(error) => return Err(error.while_doing("retrieving current configuration of", &source)),
        };
        let changed = self.update(&resource, &path, &object, &live).await.map_err(|error| error.while_doing("patching", &source))?;
        match changed {
            Some(changed) => self.say(&resource, &changed, "configured"),
            None => self.say(&resource, &live, "unchanged"),
        }
    }

    fn query(&self, path: &str, manager: &str, more: (&str, &str)) -> String {
        let manager = self.args.field_manager.as_deref().unwrap_or(manager);
        let dry_run = if self.args.dry_run == DryRun::Server { "All" } else { "" };
        with_query(path, &[("dryRun", dry_run), ("fieldManager", manager), ("fieldValidation", self.args.validate.parameter()), more])
    }

    async fn create(&self, resource: &Resource, namespace: &str, object: &Value) -> Result<Value> {
        let object = patch::with_last_applied(object);
        if self.args.dry_run == DryRun::Client {
            return Ok(object);
        }
        let path = self.query(&resource.path(Some(namespace)), MANAGER, ("", ""));
        self.server.call(Call { method: Method::POST, path: &path, content_type: "application/json", body: &object }).await
    }

    /// Sends what differs; `None` if nothing does.
    async fn update(&self, resource: &Resource, path: &str, object: &Value, live: &Value) -> Result<Option<Value>> {
        let original = patch::last_applied(live);
        if original.is_none() {
            warn(&format!(
                "resource {}/{} is missing the {} annotation which is required by mini-ctl apply. mini-ctl apply should only be used on resources \
                 created declaratively by either mini-ctl create --save-config or mini-ctl apply. The missing annotation will be patched automatically.",
                resource.plural,
                name(live),
                patch::LAST_APPLIED
            ));
        }
        let modified = patch::with_last_applied(object);
        let document = self.schemas.document(self.server, resource).await;
        let schema = document.as_deref().and_then(|document| Schema::of_kind(document, &resource.group, &resource.version, &resource.kind));
        let merge = || patch::json_merge(original.as_ref(), &modified, live);
        let (mut body, mut content_type) = match &schema {
            Some(schema) => (patch::strategic(original.as_ref(), &modified, live, schema), "application/strategic-merge-patch+json"),
            None => (merge(), "application/merge-patch+json"),
        };
        if self.args.dry_run == DryRun::Client {
            return Ok(Some(modified));
        }
        if body == json!({}) {
            return Ok(None);
        }
        let path = self.query(path, MANAGER, ("", ""));
        let mut answer = self.server.call(Call { method: Method::PATCH, path: &path, content_type, body: &body }).await;
        // Kinds that users defined have a schema, too, but only the server knows that it does not merge their lists.
        if answer.as_ref().is_err_and(|error| error.refusal().is_some_and(|refusal| refusal.code == 415)) {
            (body, content_type) = (merge(), "application/merge-patch+json");
            answer = self.server.call(Call { method: Method::PATCH, path: &path, content_type, body: &body }).await;
        }
        answer.map(Some)
    }

    async fn server_side(&self, path: &str, object: &Value) -> Result<Value> {
        if self.args.dry_run == DryRun::Client {
            return Err(usage("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"));
        }
        let force = if self.args.force_conflicts { "true" } else { "false" };
        let path = self.query(path, SERVER_SIDE_MANAGER, ("force", force));
        // JSON is YAML.
        self.server.call(Call { method: Method::PATCH, path: &path, content_type: "application/apply-patch+yaml", body: object }).await
    }

    fn say(&self, resource: &Resource, object: &Value, what: &str) -> Result<()> {
        let line = format!("{}/{}", resource.qualified_singular(), name(object));
        let dry = match self.args.dry_run {
            DryRun::None => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        };
        let shown = || {
            let mut object = object.clone();
            map_mut(&mut map_mut(&mut object)["metadata"]).remove("managedFields");
            object
        };
        match self.args.output {
            None => print(&format!("{line} {what}{dry}\n")),
            Some(Form::Name) => print(&format!("{line}\n")),
            Some(Form::Yaml) => print(&yaml::to_string(&shown())),
            Some(Form::Json) => print(&json_text(&shown())?),
        }
    }
}
