//! From a resource path and a method to the registry, and back to an answer.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use k8s_openapi::{api::autoscaling::v1::Scale, apimachinery::pkg::apis::meta::v1::DeleteOptions};
use mini_daemon::clock;
use serde_json::{Value, json};

use super::{
    App,
    encoding::{self, Accept},
    list,
    query::Params,
    request::Resource,
    watch,
};
use crate::{
    deeds,
    error::{ApiError, Result},
    kinds::{
        Kind,
        field::{Errors, Path},
        subresource::Action,
    },
    registry::{Call, Patch, Written, delete::Deleted},
    schema::Schema,
};

/// One request for a resource.
pub(super) struct Ask<'a> {
    /// What it is about.
    pub target: Resource,
    /// The method.
    pub method: Method,
    /// The query, undecoded.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

/// Answers it. Whoever uses a version that is on its way out is told so first, whatever comes of it.
pub(super) async fn answer(app: &App, ask: Ask<'_>) -> Result<Response> {
    let warning = app.registry.table()[ask.target.kind].versions[ask.target.version].conversion.warning;
    let answer = perform(app, ask).await;
    let Some(warning) = warning.map(str::to_owned) else { return answer };
    match answer {
        Ok(mut response) => {
            let later: Vec<HeaderValue> = response.headers().get_all(header::WARNING).iter().cloned().collect();
            response.headers_mut().remove(header::WARNING);
            warn(&mut response, &[warning]);
            for warning in later {
                response.headers_mut().append(header::WARNING, warning);
            }
            Ok(response)
        }
        Err(error) => {
            let warnings = std::iter::once(warning).chain(error.warnings().iter().cloned()).collect();
            Err(error.with_warnings(warnings))
        }
    }
}

async fn perform(app: &App, ask: Ask<'_>) -> Result<Response> {
    let params = Params::parse(ask.query)?;
    let accept = Accept::parse(text(ask.headers, &header::ACCEPT))?.including(&params.include_object)?;
    let kind = &app.registry.table()[ask.target.kind];
    if let Some(later) = kind.later.filter(|_| ask.method != Method::GET) {
        return Err(ApiError::not_implemented(later));
    }
    if let Some(subresource) = ask.target.subresource.clone() {
        if !ask.target.tail.trim_matches('/').is_empty() {
            return Err(ApiError::no_resource());
        }
        return part(app, &ask, &params, accept, &subresource).await;
    }
    if !kind.verbs.contains(&verb(&ask, &params)) {
        return Err(ApiError::method_not_allowed());
    }
    if let Some((plural, subresource)) = kind.body_of {
        let target =
            Resource { name: Some(named(&ask, own(kind, &ask))?), subresource: Some(subresource.to_owned()), ..ask.target.clone() };
        let target = Resource { kind: app.registry.find(plural).ok_or_else(ApiError::no_resource)?, version: 0, ..target };
        return part(app, &Ask { target, ..ask }, &params, accept, subresource).await;
    }
    match (&ask.method, &ask.target.name) {
        (&Method::GET, _) if params.watch => watching(app, &ask, &params, accept).await,
        (&Method::GET, None) => {
            let chunks = list::list(&app.registry, &ask.target, &params, accept.shape).await?;
            whole(StatusCode::OK, chunks, accept.yaml)
        }
        (&Method::GET, Some(name)) => {
            let item = app.registry.get(ask.target.kind, ask.target.namespace.as_deref().unwrap_or_default(), name).await?;
            whole(StatusCode::OK, vec![encoding::object(kind, ask.target.version, &item.json, accept.shape)?], accept.yaml)
        }
        (&Method::POST, None) if kind.namespaced == ask.target.namespace.is_some() => {
            let mut call = call(app, &ask, &params, "CreateOptions")?;
            let written = told(app.registry.create(&mut call, &json_body(&ask, own(kind, &ask))?).await, &mut call)?;
            written_answer(kind, &ask, accept, &written, &call)
        }
        (&Method::PUT, Some(name)) => {
            let mut call = call(app, &ask, &params, "UpdateOptions")?;
            let written = told(app.registry.update(&mut call, name, None, &json_body(&ask, own(kind, &ask))?).await, &mut call)?;
            written_answer(kind, &ask, accept, &written, &call)
        }
        (&Method::PATCH, Some(name)) => {
            let mut call = call(app, &ask, &params, "PatchOptions")?;
            let (form, body) = patch_body(&ask, &params)?;
            let written = told(app.registry.patch(&mut call, name, None, form, &body).await, &mut call)?;
            written_answer(kind, &ask, accept, &written, &call)
        }
        (&Method::DELETE, Some(name)) => delete(app, &ask, &params, accept, name).await,
        (&Method::DELETE, None) => {
            let mut call = call(app, &ask, &params, "DeleteOptions")?;
            let select = params.select(kind.fields)?;
            let gone = app.registry.delete_collection(&mut call, &select, &options(&ask, &params)?).await?;
            whole(StatusCode::OK, vec![list::of(kind, ask.target.version, &gone, app.registry.cache().revision())], accept.yaml)
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// The name the body gives its object.
fn named(ask: &Ask<'_>, schema: fn() -> Schema) -> Result<String> {
    let body: Value = serde_json::from_slice(&json_body(ask, schema)?).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let name = body["metadata"]["name"].as_str().filter(|name| !name.is_empty());
    name.map(str::to_owned).ok_or_else(|| ApiError::bad_request("name must be provided"))
}

/// What is asked for, as discovery calls it.
fn verb(ask: &Ask<'_>, params: &Params) -> &'static str {
    match (&ask.method, &ask.target.name) {
        (&Method::GET, _) if params.watch => "watch",
        (&Method::GET, None) => "list",
        (&Method::GET, Some(_)) => "get",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, None) => "deletecollection",
        (&Method::DELETE, Some(_)) => "delete",
        _ => "",
    }
}

async fn watching(app: &App, ask: &Ask<'_>, params: &Params, accept: Accept) -> Result<Response> {
    let body = watch::watch(app, ask.target.clone(), params, accept.shape).await?;
    Ok(reply(StatusCode::OK, "application/json", body))
}

/// A subresource of one object.
async fn part(app: &App, ask: &Ask<'_>, params: &Params, accept: Accept, subresource: &str) -> Result<Response> {
    let kind = &app.registry.table()[ask.target.kind];
    let name = ask.target.name.as_deref().ok_or_else(ApiError::no_resource)?;
    let namespace = ask.target.namespace.as_deref().unwrap_or_default();
    if subresource == "scale" && kind.scale.is_some() {
        return scale(app, ask, params, name).await;
    }
    let row = kind.subresources.iter().find(|row| row.name == subresource);
    let action = row.map(|row| row.action);
    let schema = row.and_then(|row| row.body).unwrap_or_else(|| own(kind, ask));
    let known = action.is_some() || (subresource == "status" && kind.status);
    if row.is_some_and(|row| !row.verbs.contains(&verb(ask, params))) {
        return Err(ApiError::method_not_allowed());
    }
    match (&ask.method, action) {
        (&Method::POST, Some(Action::Act(act))) => {
            let (call, body) = (call(app, ask, params, "CreateOptions")?, json_body(ask, schema)?);
            app.registry.act(&call, name, subresource, &|object, moment| act(object, &body, moment)).await?;
            done(None, accept)
        }
        (&Method::POST, Some(Action::Deed)) => {
            let mut call = call(app, ask, params, "CreateOptions")?;
            let deed = deeds::find(kind.plural, subresource).ok_or_else(ApiError::no_resource)?;
            done(deed.run(&app.registry, &mut call, name, &json_body(ask, schema)?).await?, accept)
        }
        (&Method::GET, None | Some(Action::Part(_))) if known => {
            let item = app.registry.get(ask.target.kind, namespace, name).await?;
            whole(StatusCode::OK, vec![encoding::object(kind, ask.target.version, &item.json, accept.shape)?], accept.yaml)
        }
        (&Method::PUT, _) if known => {
            let mut call = call(app, ask, params, "UpdateOptions")?;
            let written = told(app.registry.update(&mut call, name, Some(subresource), &json_body(ask, schema)?).await, &mut call)?;
            written_answer(kind, ask, accept, &written, &call)
        }
        (&Method::PATCH, None | Some(Action::Part(_))) if known => {
            let mut call = call(app, ask, params, "PatchOptions")?;
            let (form, body) = patch_body(ask, params)?;
            let written = told(app.registry.patch(&mut call, name, Some(subresource), form, &body).await, &mut call)?;
            written_answer(kind, ask, accept, &written, &call)
        }
        _ if known => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::no_resource()),
    }
}

/// The answer to what is no object's write: what there is to tell, or a plain success.
fn done(answer: Option<Value>, accept: Accept) -> Result<Response> {
    let answer =
        answer.unwrap_or_else(|| json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 }));
    whole(StatusCode::CREATED, vec![Bytes::from(answer.to_string())], accept.yaml)
}

async fn scale(app: &App, ask: &Ask<'_>, params: &Params, name: &str) -> Result<Response> {
    let scale = match ask.method {
        Method::GET => app.registry.get_scale(ask.target.kind, ask.target.namespace.as_deref().unwrap_or_default(), name).await?,
        Method::PUT => {
            let mut call = call(app, ask, params, "UpdateOptions")?;
            app.registry.set_scale(&mut call, name, None, &json_body(ask, Schema::of::<Scale>)?).await?
        }
        Method::PATCH => {
            let mut call = call(app, ask, params, "PatchOptions")?;
            let (form, body) = patch_body(ask, params)?;
            app.registry.set_scale(&mut call, name, Some(form), &body).await?
        }
        _ => return Err(ApiError::method_not_allowed()),
    };
    whole(StatusCode::OK, vec![Bytes::from(scale.to_string())], false)
}

async fn delete(app: &App, ask: &Ask<'_>, params: &Params, accept: Accept, name: &str) -> Result<Response> {
    let kind = &app.registry.table()[ask.target.kind];
    let options = options(ask, params)?;
    let mut call = call(app, ask, params, "DeleteOptions")?;
    call.dry_run |= options.dry_run.as_ref().is_some_and(|all| !all.is_empty());
    let body = match app.registry.delete(&mut call, name, &options).await? {
        Deleted::Object(json) => encoding::object(kind, ask.target.version, &json, accept.shape)?,
        Deleted::Gone(uid) => Bytes::from(app.registry.gone(ask.target.kind, name, &uid).to_string()),
    };
    whole(StatusCode::OK, vec![body], accept.yaml)
}

/// The options of a deletion, from the body or else from the query.
fn options(ask: &Ask<'_>, params: &Params) -> Result<DeleteOptions> {
    let mut options = if ask.body.is_empty() {
        DeleteOptions::default()
    } else {
        serde_json::from_slice(&json_body(ask, Schema::of::<DeleteOptions>)?).map_err(|error| ApiError::bad_request(error.to_string()))?
    };
    options.grace_period_seconds = options.grace_period_seconds.or(params.grace_period);
    options.propagation_policy = options.propagation_policy.or_else(|| params.propagation.clone());
    options.orphan_dependents = options.orphan_dependents.or(params.orphan);
    Ok(options)
}

fn call(app: &App, ask: &Ask<'_>, params: &Params, options: &str) -> Result<Call> {
    let kind = &app.registry.table()[ask.target.kind];
    let agent = text(ask.headers, &header::USER_AGENT).unwrap_or("unknown");
    let manager = match params.field_manager.as_str() {
        // As upstream: the program's name, up to its version.
        "" => agent.split(['/', ' ']).next().unwrap_or(agent).chars().take(128).collect(),
        given => given.to_owned(),
    };
    if kind.namespaced && ask.target.namespace.is_none() && options != "DeleteOptions" {
        return Err(ApiError::method_not_allowed());
    }
    Ok(Call {
        kind: ask.target.kind,
        version: ask.target.version,
        namespace: ask.target.namespace.clone().filter(|_| kind.namespaced).unwrap_or_default(),
        dry_run: params.dry(options)?,
        validation: params.validation(options)?,
        manager,
        now: clock::now(),
        warnings: Vec::new(),
    })
}

/// The type of the kind itself, in the version asked for.
fn own(kind: &Kind, ask: &Ask<'_>) -> fn() -> Schema {
    kind.versions[ask.target.version].schema
}

/// The body as JSON, whichever form it came in. `schema` is what it should be: protobuf does not tell the names of its fields.
fn json_body(ask: &Ask<'_>, schema: fn() -> Schema) -> Result<Bytes> {
    match media_type(ask.headers) {
        "" | "application/json" => Ok(ask.body.clone()),
        "application/yaml" => encoding::from_yaml(&ask.body),
        "application/vnd.kubernetes.protobuf" => encoding::from_protobuf(&schema(), &ask.body),
        _ => Err(ApiError::unsupported_media_type("application/json, application/yaml, application/vnd.kubernetes.protobuf")),
    }
}

fn patch_body(ask: &Ask<'_>, params: &Params) -> Result<(Patch, Bytes)> {
    let form = match media_type(ask.headers) {
        "application/json-patch+json" => Patch::Json,
        "application/merge-patch+json" => Patch::Merge,
        "application/strategic-merge-patch+json" => Patch::Strategic,
        "application/apply-patch+yaml" => Patch::Apply { force: params.force == Some(true) },
        _ => return Err(ApiError::unknown_patch()),
    };
    let mut errors = Errors::new();
    match form {
        Patch::Apply { .. } if params.field_manager.is_empty() => {
            errors.required(&Path::new("fieldManager"), "is required for apply patch")
        }
        Patch::Apply { .. } => return Ok((form, encoding::from_yaml(&ask.body)?)),
        _ if params.force.is_some() => errors.forbidden(&Path::new("force"), "may not be specified for non-apply patch"),
        _ => return Ok((form, ask.body.clone())),
    }
    Err(ApiError::invalid("PatchOptions", "meta.k8s.io", "", &errors))
}

fn media_type(headers: &HeaderMap) -> &str {
    text(headers, &header::CONTENT_TYPE).and_then(|value| value.split(';').next()).unwrap_or_default().trim()
}

pub(super) fn text<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn written_answer(kind: &Kind, ask: &Ask<'_>, accept: Accept, written: &Written, call: &Call) -> Result<Response> {
    let code = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = whole(code, vec![encoding::object(kind, ask.target.version, &written.json, accept.shape)?], accept.yaml)?;
    warn(&mut response, &call.warnings);
    Ok(response)
}

/// What a write came to, or what went wrong and of what the client was to be warned besides.
fn told<T>(written: Result<T>, call: &mut Call) -> Result<T> {
    written.map_err(|error| error.with_warnings(std::mem::take(&mut call.warnings)))
}

/// Adds `Warning` headers.
pub(super) fn warn(response: &mut Response, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
}

/// An answer that is whole.
fn whole(code: StatusCode, mut chunks: Vec<Bytes>, yaml: bool) -> Result<Response> {
    if yaml {
        let json: Vec<u8> = chunks.concat();
        return Ok(reply(code, "application/yaml", Body::from(encoding::yaml(&json)?)));
    }
    if chunks.len() == 1 {
        return Ok(reply(code, "application/json", Body::from(chunks.remove(0))));
    }
    let length: usize = chunks.iter().map(Bytes::len).sum();
    let stream = futures::stream::iter(chunks.into_iter().map(Ok::<_, std::convert::Infallible>));
    let mut response = reply(code, "application/json", Body::from_stream(stream));
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    Ok(response)
}

pub(super) fn reply(code: StatusCode, media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
