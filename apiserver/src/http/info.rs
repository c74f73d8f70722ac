//! What a request asks for, before anything is done about it: upstream's RequestInfo. Limits, metrics, the log and audit
//! events all go by it.

use std::borrow::Cow;

use axum::http::{Method, header, request::Parts};

use super::{
    App, query,
    request::{Resource, Target},
    verbs::text,
};
use crate::kinds::Kind;

/// Subresources whose requests last as long as the client likes.
const LASTING: [&str; 5] = ["attach", "exec", "log", "portforward", "proxy"];
/// Those of them that upstream calls CONNECT.
const CONNECTED: [&str; 4] = ["attach", "exec", "portforward", "proxy"];

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Apply,
    Delete,
    DeleteCollection,
    Connect,
}

impl Verb {
    /// As metrics name it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::List => "LIST",
            Self::Watch => "WATCH",
            Self::Create => "POST",
            Self::Update => "PUT",
            Self::Patch => "PATCH",
            Self::Apply => "APPLY",
            Self::Delete => "DELETE",
            Self::DeleteCollection => "DELETECOLLECTION",
            Self::Connect => "CONNECT",
        }
    }
}

/// How much a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Nothing that has one.
    None,
    /// All namespaces, or what has none.
    Cluster,
    /// One namespace.
    Namespace,
    /// One object.
    Resource,
}

impl Scope {
    /// As metrics name it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Cluster => "cluster",
            Self::Namespace => "namespace",
            Self::Resource => "resource",
        }
    }
}

/// What requests are counted by. Small and copied, so that counting allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Labels {
    /// The places of the kind in the table and of the version in its row; none for a request that is about the server.
    pub kind: Option<(usize, usize)>,
    /// The subresource, or the path of a request that is about the server.
    pub subresource: &'static str,
    /// What is done.
    pub verb: Verb,
    /// To how much.
    pub scope: Scope,
    /// Whether nothing is to be stored.
    pub dry_run: bool,
}

/// What a request asks for.
pub(super) struct Info {
    /// Where its path leads.
    pub target: Target,
    /// What is done, in the word of discovery; for what is no resource, the method in small letters.
    pub verb: Cow<'static, str>,
    /// What it is counted by, if it is counted.
    pub labels: Option<Labels>,
    /// Whether it lasts as long as the client likes.
    pub lasting: bool,
    /// Whether it may write.
    pub mutating: bool,
}

impl Info {
    /// Reads it off a request.
    pub(super) fn of(app: &App, parts: &Parts) -> Self {
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let target = if path.starts_with("/api") { app.target(path) } else { Target::Nowhere };
        let mutating = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let Target::Resource(resource) = &target else {
            let verb = parts.method.as_str().to_ascii_lowercase();
            return Self { labels: probe(path), target, verb: verb.into(), lasting: false, mutating };
        };
        let watch = parts.method == Method::GET && query.contains("watch") && query::Params::parse(query).is_ok_and(|params| params.watch);
        let (verb, word) = verb(parts, resource, watch);
        let subresource = resource.subresource.as_deref().and_then(|name| known(&app.registry.table()[resource.kind], name));
        let scope = match (&resource.name, &resource.namespace) {
            (Some(_), _) => Scope::Resource,
            _ if verb == Verb::Create => Scope::Resource,
            (None, Some(_)) => Scope::Namespace,
            (None, None) => Scope::Cluster,
        };
        let labels = Labels {
            kind: Some((resource.kind, resource.version)),
            subresource: subresource.unwrap_or_default(),
            verb: if subresource.is_some_and(|name| CONNECTED.contains(&name)) { Verb::Connect } else { verb },
            scope,
            dry_run: query.contains("dryRun=All"),
        };
        // What does not exist is counted nowhere.
        let counted = subresource.is_some() || resource.subresource.is_none();
        let lasting = watch || subresource.is_some_and(|name| LASTING.contains(&name));
        Self { labels: counted.then_some(labels), lasting, mutating, verb: word.into(), target }
    }

    /// Whether it is a stream of bytes that nobody can take up again where it broke off.
    pub(super) fn tunnel(&self) -> bool {
        self.lasting && self.labels.is_none_or(|labels| labels.verb != Verb::Watch)
    }
}

/// The checks of a load balancer are counted by their path, as upstream does; other requests about the server are not.
fn probe(path: &str) -> Option<Labels> {
    let path = ["/healthz", "/livez", "/readyz"].into_iter().find(|probe| path == *probe)?;
    Some(Labels { kind: None, subresource: path, verb: Verb::Get, scope: Scope::None, dry_run: false })
}

/// What is done, and discovery's word for it.
fn verb(parts: &Parts, resource: &Resource, watch: bool) -> (Verb, &'static str) {
    let apply = || text(&parts.headers, &header::CONTENT_TYPE).is_some_and(|form| form.starts_with("application/apply-patch"));
    match (&parts.method, &resource.name) {
        (&Method::POST, _) => (Verb::Create, "create"),
        (&Method::PUT, _) => (Verb::Update, "update"),
        (&Method::PATCH, _) if apply() => (Verb::Apply, "patch"),
        (&Method::PATCH, _) => (Verb::Patch, "patch"),
        (&Method::DELETE, Some(_)) => (Verb::Delete, "delete"),
        (&Method::DELETE, None) => (Verb::DeleteCollection, "deletecollection"),
        _ if watch => (Verb::Watch, "watch"),
        (_, Some(_)) => (Verb::Get, "get"),
        (_, None) => (Verb::List, "list"),
    }
}

/// The name of a subresource as the kind's row has it. What follows `proxy/` is no part of it.
fn known(kind: &Kind, name: &str) -> Option<&'static str> {
    let name = name.split('/').next().unwrap_or(name);
    match name {
        "status" if kind.status => Some("status"),
        "scale" if kind.scale.is_some() => Some("scale"),
        name => kind.subresources.iter().map(|row| row.name).find(|row| *row == name),
    }
}
