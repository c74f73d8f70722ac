//! From what the user types (`deploy,rs`, `pod web-1 web-2`, `deploy/web`, `-f FILE`, `-l a=b`, `-A`) to what is meant.
//! The same for every verb; it knows resources only through the catalog.

use clap::Args;
use serde_json::Value;

use crate::{
    context::Context,
    discover::{Catalog, Resource},
    error::{Error, Result, usage},
    kustomize,
    manifest::{self, Document},
    server::{JSON, Server, escape, with_query},
    value::{self, list, map_mut, name, namespace},
};

/// The flags with which a verb is pointed at files.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Files {
    /// A file, a folder, or - for stdin.
    #[arg(long, short, value_name = "FILE", value_delimiter = ',')]
    pub(crate) filename: Vec<String>,
    /// A folder with a kustomization.yaml.
    #[arg(long, short = 'k', value_name = "DIR", default_value = "", hide_default_value = true)]
    pub(crate) kustomize: String,
    /// Also the folders inside a folder.
    #[arg(long, short = 'R')]
    pub(crate) recursive: bool,
}

impl Files {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.filename.is_empty() && self.kustomize.is_empty()
    }

    /// That there are some, for verbs that work on nothing else.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) fn required(&self) -> Result<()> {
        if self.is_empty() { Err(usage("must specify one of -f and -k")) } else { Ok(()) }
    }

    /// The objects in them.
    ///
    /// # Errors
    /// As [`manifest::read`] and [`kustomize::build`].
    pub(crate) fn documents(&self) -> Result<Vec<Document>> {
        if !self.kustomize.is_empty() {
            if !self.filename.is_empty() || self.recursive {
                return Err(usage("only one of -f or -k can be specified"));
            }
            return kustomize::build(&self.kustomize);
        }
        manifest::read(&self.filename, self.recursive)
    }
}

/// The flags with which a verb is pointed at many objects.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Many {
    /// Only objects with these labels: a=b, a!=b, a in (b,c), a, !a.
    #[arg(long, short = 'l', value_name = "SELECTOR", allow_hyphen_values = true)]
    pub(crate) selector: Option<String>,
    /// Only objects with these fields, such as status.phase=Running.
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) field_selector: Option<String>,
    /// In all namespaces.
    #[arg(long, short = 'A')]
    pub(crate) all_namespaces: bool,
}

impl Many {
    /// The query parameters that say the same to the server.
    pub(crate) fn query(&self) -> [(&'static str, &str); 2] {
        [
            ("labelSelector", self.selector.as_deref().unwrap_or_default()),
            ("fieldSelector", self.field_selector.as_deref().unwrap_or_default()),
        ]
    }

    /// What is said when the server refuses to list: what was asked for belongs to the message.
    pub(crate) fn explain(&self, resource: &Resource, error: Error) -> Error {
        let Error::Refused(mut refusal) = error else { return error };
        if matches!(refusal.reason.as_str(), "BadRequest" | "NotFound") {
            let what = format!("{}/{}, Resource={}", resource.group, resource.version, resource.plural);
            let [(_, labels), (_, fields)] = self.query();
            refusal.message = match (labels, fields) {
                ("", "") => format!("Unable to list {what:?}: {}", refusal.message),
                _ => {
                    format!("Unable to find {what:?} that match label selector {labels:?}, field selector {fields:?}: {}", refusal.message)
                }
            };
        }
        Error::Refused(refusal)
    }

    /// That selectors, or `--all`, stand where they may.
    ///
    /// # Errors
    /// When both do, or beside names.
    pub(crate) fn check(&self, words: &[String], all: bool) -> Result<()> {
        let selector = self.selector.as_deref().is_some_and(|text| !text.is_empty());
        let narrows = selector || self.field_selector.as_deref().is_some_and(|text| !text.is_empty());
        if all && narrows {
            return Err(usage("setting 'all' parameter but found a non empty selector. "));
        }
        match words {
            _ if !all && !narrows => Ok(()),
            words if words.iter().any(|word| word.contains('/')) => {
                Err(usage("selectors and the all flag cannot be used when passing resource/name arguments"))
            }
            [_, _, ..] => Err(usage("name cannot be provided when a selector is specified")),
            _ => Ok(()),
        }
    }

    /// Whether any selector narrows the choice.
    pub(crate) fn narrows(&self) -> bool {
        self.selector.is_some() || self.field_selector.is_some()
    }
}

/// One object that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) resource: Resource,
    /// Where it lives; for resources without namespaces it does not matter.
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The file it was read from, else empty.
    pub(crate) source: String,
}

impl Target {
    /// That it has a name: without one its path would be that of all the others.
    ///
    /// # Errors
    /// When it has none.
    pub(crate) fn named(&self) -> Result<()> {
        if self.name.is_empty() { Err(usage("resource name may not be empty")) } else { Ok(()) }
    }

    /// The path of the object.
    pub(crate) fn path(&self) -> String {
        self.resource.object_path(&self.namespace, &self.name)
    }

    /// GETs the object. When it is its namespace that is missing, that is what the error says.
    pub(crate) async fn fetch(&self, server: &Server, accept: &str) -> Result<Value> {
        let answer = server.get_as(&self.path(), accept).await;
        match answer {
            Err(error) if error.is_not_found() && self.resource.namespaced && self.namespace != "default" => {
                match server.get(&format!("/api/v1/namespaces/{}", escape(&self.namespace))).await {
                    Err(missing) if missing.is_not_found() => Err(missing),
                    _ => Err(error),
                }
            }
            answer => answer,
        }
    }

    /// `deployment.apps/web`.
    pub(crate) fn slashed(&self) -> String {
        format!("{}/{}", self.resource.qualified_singular(), self.name)
    }

    /// What it is, where the server's paths matter: for messages about what was sent.
    pub(crate) fn described(&self) -> String {
        let Resource { group, version, plural, kind, .. } = &self.resource;
        format!(
            "Resource: \"{group}/{version}, Resource={plural}\", GroupVersionKind: \"{group}/{version}, Kind={kind}\"\nName: {:?}, Namespace: {:?}",
            self.name, self.namespace
        )
    }

    /// `deployments/web`: how waiting verbs name it.
    pub(crate) fn plural_slashed(&self) -> String {
        format!("{}/{}", self.resource.plural, self.name)
    }
}

/// An object from a file, and where it belongs.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) target: Target,
    /// With its namespace, if it has one.
    pub(crate) object: Value,
}

/// Finds out where an object from a file belongs.
///
/// # Errors
/// When the server does not know its kind, or the user demands another namespace.
pub(crate) async fn place(context: &Context, document: Document) -> Result<Placed> {
    let Document { mut object, source } = document;
    let resource = context.catalog().await?.of_object(&object, &source)?.clone();
    let mut namespace = String::new();
    if resource.namespaced {
        namespace = namespace_for(context, value::namespace(&object)).await?;
        map_mut(&mut object["metadata"]).insert("namespace".into(), namespace.clone().into());
    }
    let target = Target { resource, namespace, name: name(&object).to_owned(), source };
    Ok(Placed { target, object })
}

/// What a command line points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// These objects.
    Named(Vec<Target>),
    /// Every object of these resources that fits the other flags.
    Every(Vec<Resource>),
}

/// Works out what is meant by the words and files of a command line.
///
/// # Errors
/// Unknown resources, unreadable files, forms that do not go together, nothing at all.
pub(crate) async fn select(context: &Context, words: &[String], files: &Files) -> Result<Selection> {
    if files.is_empty() {
        if words.is_empty() {
            return Err(nothing_named());
        }
        let namespace = context.namespace().await?.to_owned();
        return from_words(context.catalog().await?, words, &namespace);
    }
    if !words.is_empty() {
        return Err(usage("when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well"));
    }
    // Files are read first: what is wrong with them is to be said even when no server answers.
    let documents = files.documents()?;
    let catalog = context.catalog().await?;
    let mut targets = Vec::new();
    for document in documents {
        let resource = catalog.of_object(&document.object, &document.source)?.clone();
        let namespace = namespace_for(context, namespace(&document.object)).await?;
        let target = Target { resource, namespace, name: name(&document.object).to_owned(), source: document.source };
        target.named()?;
        targets.push(target);
    }
    Ok(Selection::Named(targets))
}

/// The objects that a selection stands for, asked from the server where it is not by name. For verbs that change things:
/// meaning everything of a type takes a selector or `--all`.
///
/// # Errors
/// When neither is given, or the server refuses.
pub(crate) async fn expand(context: &Context, selection: Selection, many: &Many, all: bool) -> Result<Vec<Target>> {
    let resources = match selection {
        Selection::Named(targets) => return Ok(targets),
        Selection::Every(resources) => resources,
    };
    if !all && !many.narrows() {
        return Err(usage("resource(s) were provided, but no name was specified"));
    }
    let server = context.server().await?;
    let scope = if many.all_namespaces { None } else { Some(context.namespace().await?) };
    let mut targets = Vec::new();
    for resource in resources {
        let answer = server.get(&with_query(&resource.path(scope), &many.query())).await.map_err(|error| many.explain(&resource, error))?;
        targets.extend(list(&answer["items"]).iter().map(|object| Target {
            resource: resource.clone(),
            namespace: namespace(object).unwrap_or_default().to_owned(),
            name: name(object).to_owned(),
            source: String::new(),
        }));
    }
    Ok(targets)
}

/// The namespace of an object from a file: its own, unless the user demands another (an error), else the usual one.
///
/// # Errors
/// When file and flag disagree.
pub(crate) async fn namespace_for(context: &Context, own: Option<&str>) -> Result<String> {
    match (own, context.demanded_namespace()) {
        (Some(own), Some(demanded)) if own != demanded => Err(usage(format!(
            "the namespace from the provided object {own:?} does not match the namespace {demanded:?}. You must pass '--namespace={own}' to perform this operation."
        ))),
        (Some(own), _) => Ok(own.to_owned()),
        (None, _) => Ok(context.namespace().await?.to_owned()),
    }
}

/// What verbs that change objects say when there is neither a word nor a file.
pub(crate) fn nothing_given() -> Error {
    usage(
        "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   \
         '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'",
    )
}

fn nothing_named() -> Error {
    usage(
        "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   \
         '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'",
    )
}

/// The objects that words or files name, with their resources: those of files as they stand there, the others from the server. Those that cannot be had are errors
/// of their own.
///
/// # Errors
/// As [`select`].
pub(crate) async fn objects(context: &Context, words: &[String], files: &Files) -> Result<Vec<Result<(Resource, Value)>>> {
    let mut found = Vec::new();
    if !files.filename.is_empty() && words.is_empty() {
        for document in files.documents()? {
            let resource = context.catalog().await?.of_object(&document.object, &document.source);
            found.push(resource.map(|resource| (resource.clone(), document.object)));
        }
        return Ok(found);
    }
    let selection = select(context, words, files).await?;
    for target in expand(context, selection, &Many::default(), false).await? {
        let object = target.fetch(context.server().await?, JSON).await;
        found.push(object.map(|object| (target.resource, object)));
    }
    Ok(found)
}

fn from_words(catalog: &Catalog, words: &[String], namespace: &str) -> Result<Selection> {
    let target = |resource: &Resource, name: &str| Target {
        resource: resource.clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        source: String::new(),
    };
    if words.iter().any(|word| word.contains('/')) {
        let mut targets = Vec::new();
        for word in words {
            let Some((kind, name)) = word.split_once('/') else {
                return Err(usage(
                    "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form \
                     (e.g. 'mini-ctl get resource/<resource_name>' instead of 'mini-ctl get resource resource/<resource_name>'",
                ));
            };
            if name.contains('/') {
                return Err(usage("arguments in resource/name form may not have more than one slash"));
            }
            if kind.is_empty() || name.is_empty() {
                return Err(usage("arguments in resource/name form must have a single resource and name"));
            }
            targets.push(target(catalog.find(kind)?, name));
        }
        return Ok(Selection::Named(targets));
    }
    let (kinds, names) = words.split_first().ok_or_else(nothing_named)?;
    let resources = catalog.find_many(kinds)?;
    if names.is_empty() {
        return Ok(Selection::Every(resources.into_iter().cloned().collect()));
    }
    Ok(Selection::Named(resources.iter().flat_map(|resource| names.iter().map(|name| target(resource, name))).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::tests::catalog;

    fn words(line: &str) -> Result<Selection> {
        from_words(&catalog(), &line.split(' ').map(str::to_owned).collect::<Vec<_>>(), "default")
    }

    fn named(line: &str) -> Vec<String> {
        match words(line).unwrap() {
            Selection::Named(targets) => targets.iter().map(Target::slashed).collect(),
            Selection::Every(_) => panic!("{line} names objects"),
        }
    }

    #[test]
    fn the_forms_kubectl_knows() {
        assert_eq!(named("pod a b"), ["pod/a", "pod/b"]);
        assert_eq!(named("pod/a deploy/b"), ["pod/a", "deployment.apps/b"]);
        assert_eq!(named("pod,deploy a"), ["pod/a", "deployment.apps/a"]);
        assert!(matches!(words("deploy,pod").unwrap(), Selection::Every(resources) if resources.len() == 2));
    }

    #[test]
    fn forms_that_do_not_go_together() {
        assert!(words("pod pod/a").unwrap_err().to_string().starts_with("error: there is no need to specify a resource type"));
        assert!(words("pod/a/b").unwrap_err().to_string().contains("may not have more than one slash"));
        assert!(words("pod/").unwrap_err().to_string().contains("must have a single resource and name"));
        assert_eq!(words("nope").unwrap_err().to_string(), "error: the server doesn't have a resource type \"nope\"");
    }
}
