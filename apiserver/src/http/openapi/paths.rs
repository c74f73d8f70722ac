//! The operations: which verbs a path takes, with which parameters, and what goes in and out.

use serde_json::{Map, Value, json};

use super::definitions::{conventional, name, reference};
use super::{Form, Resource};

/// What a PATCH may contain.
const PATCH_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];
/// What a body may be, and what is answered.
const TYPES: &[&str] = &["application/json", "application/yaml"];

const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

/// A query parameter: name, type, meaning.
type Parameter = (&'static str, &'static str, &'static str);

const PRETTY: Parameter = ("pretty", "string", "If true, the answer is indented.");
const DRY_RUN: Parameter = ("dryRun", "string", "All: everything is done except storing the result.");
const MANAGER: Parameter = ("fieldManager", "string", "Who is recorded as the owner of the changed fields.");
const VALIDATION: Parameter =
    ("fieldValidation", "string", "What unknown and duplicate fields lead to: Ignore, Warn (the default) or Strict.");
const FORCE: Parameter = ("force", "boolean", "Apply takes fields over that others own.");

const LIST: &[Parameter] = &[
    ("allowWatchBookmarks", "boolean", "A watch may send events of type BOOKMARK."),
    ("continue", "string", "The token of the previous page."),
    ("fieldSelector", "string", "Only objects with these fields."),
    ("labelSelector", "string", "Only objects with these labels."),
    ("limit", "integer", "The size of a page."),
    ("resourceVersion", "string", "How recent the answer must be, or where a watch begins."),
    ("resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan."),
    ("sendInitialEvents", "boolean", "A watch begins with the present objects and a bookmark."),
    ("timeoutSeconds", "integer", "When a list or watch ends at the latest."),
    ("watch", "boolean", "Follow changes instead of listing."),
];
const DELETE: &[Parameter] = &[
    DRY_RUN,
    ("gracePeriodSeconds", "integer", "How long the object may take to end; 0 is at once."),
    ("orphanDependents", "boolean", "Replaced by propagationPolicy."),
    ("propagationPolicy", "string", "What happens to dependents: Orphan, Background or Foreground."),
];
const WRITE: &[Parameter] = &[DRY_RUN, MANAGER, VALIDATION];
const PATCH: &[Parameter] = &[DRY_RUN, MANAGER, VALIDATION, FORCE];

/// Where a verb is met, and how it is called there.
struct Verb {
    /// In discovery.
    name: &'static str,
    method: &'static str,
    /// The value of `x-kubernetes-action`.
    action: &'static str,
    parameters: &'static [Parameter],
}

const ON_COLLECTION: &[Verb] = &[
    Verb { name: "list", method: "get", action: "list", parameters: LIST },
    Verb { name: "create", method: "post", action: "post", parameters: WRITE },
    Verb { name: "deletecollection", method: "delete", action: "deletecollection", parameters: LIST },
];
const ON_OBJECT: &[Verb] = &[
    Verb { name: "get", method: "get", action: "get", parameters: &[] },
    Verb { name: "create", method: "post", action: "post", parameters: WRITE },
    Verb { name: "update", method: "put", action: "put", parameters: WRITE },
    Verb { name: "patch", method: "patch", action: "patch", parameters: PATCH },
    Verb { name: "delete", method: "delete", action: "delete", parameters: DELETE },
];

/// A place where operations are: what they are about and what they are called.
struct Site<'a> {
    resource: &'a Resource<'a>,
    form: Form,
    /// Group, version and kind of bodies and answers.
    about: (&'a str, &'a str, &'a str),
    /// The definition of bodies and answers, if there is one.
    definition: Option<&'a str>,
    /// `DeploymentStatus`, for the names of operations.
    suffix: String,
    /// Whether this is the list over all namespaces.
    everywhere: bool,
}

/// All paths. `definitions` are the types there are.
pub(super) fn all(resources: &[&Resource<'_>], definitions: &Map<String, Value>, form: Form) -> Map<String, Value> {
    let mut paths = Map::new();
    for resource in resources {
        add(&mut paths, resource, definitions, form);
    }
    paths
}

fn add(paths: &mut Map<String, Value>, resource: &Resource<'_>, definitions: &Map<String, Value>, form: Form) {
    let root = format!("/{}", super::document_name(resource.group, resource.version));
    let kind = name(resource);
    let site = |suffix: String, everywhere: bool| Site {
        resource,
        form,
        about: (resource.group, resource.version, resource.kind),
        definition: Some(&kind),
        suffix,
        everywhere,
    };
    let own = |v: &&Verb| resource.verbs.contains(&v.name);
    let (mut collection, mut context) = (format!("{root}/{}", resource.plural), Vec::new());
    if resource.namespaced {
        let everywhere = site(format!("{}ForAllNamespaces", resource.kind), true);
        let verbs = ON_COLLECTION.iter().filter(own).filter(|v| v.action == "list");
        insert(paths, collection, &everywhere, verbs, &[]);
        collection = format!("{root}/namespaces/{{namespace}}/{}", resource.plural);
        context.push("namespace");
    }
    let main = site(resource.kind.to_owned(), false);
    insert(paths, collection.clone(), &main, ON_COLLECTION.iter().filter(own), &context);
    context.push("name");
    let object = format!("{collection}/{{name}}");
    // To create is a verb of the collection; only subresources are created below an object.
    let verbs = ON_OBJECT.iter().filter(own).filter(|v| v.name != "create");
    insert(paths, object.clone(), &main, verbs, &context);
    for sub in &resource.subresources {
        let of_parent = sub.kind == resource.kind;
        let definition = if of_parent { kind.clone() } else { conventional(sub.group, sub.version, sub.kind) };
        let site = Site {
            about: (sub.group, sub.version, sub.kind),
            definition: Some(definition.as_str()).filter(|d| definitions.contains_key(*d)),
            ..site(format!("{}{}", resource.kind, capital(sub.name)), false)
        };
        let verbs = ON_OBJECT.iter().filter(|v| sub.verbs.contains(&v.name));
        let path = format!("{object}/{}", sub.name);
        match sub.connects {
            None => insert(paths, path, &site, verbs, &context),
            Some(below) => {
                let methods: Vec<&str> = verbs.map(|verb| verb.method).collect();
                connect(paths, path.clone(), &site, &methods, &context);
                if below {
                    let site = Site { suffix: format!("{}WithPath", site.suffix), ..site };
                    let context: Vec<&str> = context.iter().copied().chain(["path"]).collect();
                    connect(paths, format!("{path}/{{path}}"), &site, &methods, &context);
                }
            }
        }
    }
}

/// A path that leads out of the API server: nothing is known of what goes there and comes back.
fn connect(paths: &mut Map<String, Value>, path: String, site: &Site<'_>, methods: &[&str], context: &[&str]) {
    let answer = match site.form {
        Form::V2 => json!({"description": "OK", "schema": {"type": "string"}}),
        Form::V3 => json!({"description": "OK", "content": {"*/*": {"schema": {"type": "string"}}}}),
    };
    let (group, version, kind) = site.about;
    let operation = |method: &&str| {
        let mut operation = json!({
            "description": format!("connect {} requests to {}", method.to_uppercase(), site.suffix),
            "operationId": id(site, "connect", &capital(method)),
            "tags": [tag(site.resource)],
            "responses": {"200": answer},
            "x-kubernetes-action": "connect",
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
        });
        if site.form == Form::V2 {
            operation["produces"] = json!(["*/*"]);
            operation["consumes"] = json!(["*/*"]);
        }
        ((*method).to_owned(), operation)
    };
    let mut item: Map<String, Value> = methods.iter().map(operation).collect();
    item.insert("parameters".to_owned(), context.iter().map(|name| path_parameter(name, site.form)).collect());
    paths.insert(path, Value::Object(item));
}

fn insert(paths: &mut Map<String, Value>, path: String, site: &Site<'_>, verbs: impl Iterator<Item = &'static Verb>, context: &[&str]) {
    let mut item: Map<String, Value> = verbs.map(|verb| (verb.method.to_owned(), operation(site, verb))).collect();
    if item.is_empty() {
        return;
    }
    let mut parameters: Vec<Value> = context.iter().map(|name| path_parameter(name, site.form)).collect();
    parameters.push(query_parameter(&PRETTY, site.form));
    item.insert("parameters".to_owned(), Value::Array(parameters));
    paths.insert(path, Value::Object(item));
}

fn operation(site: &Site<'_>, verb: &Verb) -> Value {
    let resource = site.resource;
    let (group, version, kind) = site.about;
    let call = match verb.action {
        "get" => "read",
        "post" => "create",
        "put" => "replace",
        "deletecollection" => "deleteCollection",
        action => action,
    };
    let mut parameters: Vec<Value> = verb.parameters.iter().map(|p| query_parameter(p, site.form)).collect();
    let body = body(site, verb);
    if let (Form::V2, Some(schema)) = (site.form, &body) {
        parameters.push(json!({"in": "body", "name": "body", "required": verb.method != "delete", "schema": schema}));
    }
    let mut operation = json!({
        "description": format!("{call} {kind}"),
        "operationId": id(site, call, ""),
        "tags": [tag(resource)],
        "parameters": parameters,
        "responses": responses(site, verb),
        "x-kubernetes-action": verb.action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    });
    let accepted = if verb.method == "patch" { PATCH_TYPES } else { TYPES };
    match (site.form, body) {
        (Form::V2, body) => {
            operation["produces"] = json!(TYPES);
            if body.is_some() {
                operation["consumes"] = json!(accepted);
            }
        }
        (Form::V3, Some(schema)) => operation["requestBody"] = json!({"content": content(accepted, &schema)}),
        (Form::V3, None) => {}
    }
    operation
}

/// What an operation is called: `patchAppsV1NamespacedDeployment`, `connectCoreV1GetNamespacedPodProxy`.
fn id(site: &Site<'_>, call: &str, method: &str) -> String {
    let namespaced = if site.resource.namespaced && !site.everywhere { "Namespaced" } else { "" };
    format!("{call}{}{}{method}{namespaced}{}", capital(group_name(site.resource)), capital(site.resource.version), site.suffix)
}

fn tag(resource: &Resource<'_>) -> String {
    format!("{}_{}", group_name(resource), resource.version)
}

fn group_name<'a>(resource: &Resource<'a>) -> &'a str {
    if resource.group.is_empty() { "core" } else { resource.group.split('.').next().unwrap_or_default() }
}

/// The schema of what is sent.
fn body(site: &Site<'_>, verb: &Verb) -> Option<Value> {
    match verb.action {
        "post" | "put" => Some(site.definition.map_or_else(|| json!({"type": "object"}), |d| reference(d, site.form))),
        // A patch is an object or a list; there is no more to say.
        "patch" => Some(json!({"description": "A patch of one of the accepted types.", "type": "object"})),
        "delete" | "deletecollection" => Some(reference(DELETE_OPTIONS, site.form)),
        _ => None,
    }
}

fn responses(site: &Site<'_>, verb: &Verb) -> Value {
    let schema = match (verb.action, site.definition) {
        ("delete" | "deletecollection", _) => reference(STATUS, site.form),
        ("list", Some(definition)) => reference(&format!("{definition}List"), site.form),
        (_, Some(definition)) => reference(definition, site.form),
        (_, None) => json!({"type": "object"}),
    };
    let answer = |description: &str| match site.form {
        Form::V2 => json!({"description": description, "schema": schema}),
        Form::V3 => json!({"description": description, "content": content(TYPES, &schema)}),
    };
    let mut responses = json!({"200": answer("OK")});
    if matches!(verb.action, "post" | "put" | "patch") {
        responses["201"] = answer("Created");
    }
    if matches!(verb.action, "post" | "delete") {
        responses["202"] = answer("Accepted");
    }
    responses
}

fn content(types: &[&str], schema: &Value) -> Value {
    types.iter().map(|t| ((*t).to_owned(), json!({"schema": schema}))).collect::<Map<_, _>>().into()
}

fn query_parameter((name, kind, description): &Parameter, form: Form) -> Value {
    let mut parameter = json!({"name": name, "in": "query", "description": description, "uniqueItems": true});
    match form {
        Form::V2 => parameter["type"] = json!(kind),
        Form::V3 => {
            parameter["schema"] = json!({"type": kind, "uniqueItems": true});
            parameter.as_object_mut().map(|p| p.remove("uniqueItems"));
        }
    }
    parameter
}

fn path_parameter(name: &str, form: Form) -> Value {
    let description = format!("The object's {name}.");
    let mut parameter = json!({"name": name, "in": "path", "description": description, "required": true});
    match form {
        Form::V2 => parameter["type"] = json!("string"),
        Form::V3 => parameter["schema"] = json!({"type": "string"}),
    }
    parameter
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
