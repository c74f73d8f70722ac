//! What went wrong, as Kubernetes tells its clients: a Status with code, reason, message and causes.
//!
//! The one place where the meaning of a storage error becomes an HTTP meaning.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Status, StatusCause, StatusDetails};
use serde_json::{Value, json};

use crate::{
    kinds::{Kind, field::Errors},
    registry::{apply::Conflicts, patch::PatchError},
};

/// A refusal or failure, told as a Status.
#[derive(Clone, Debug)]
pub struct ApiError(Box<Status>, Vec<String>);

/// The media types answers can have.
const FORMS: &str = "application/json, application/yaml";

/// What the API server's own code returns.
pub type Result<T, E = ApiError> = std::result::Result<T, E>;

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.message.as_deref().unwrap_or_default())
    }
}

impl std::error::Error for ApiError {}

impl ApiError {
    fn new(code: i32, reason: &str, message: impl Into<String>) -> Self {
        let status = Status {
            status: Some("Failure".to_owned()),
            code: Some(code),
            reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()),
            message: Some(message.into()),
            ..Status::default()
        };
        Self(Box::new(status), Vec::new())
    }

    fn about(mut self, name: &str, group: &str, kind: &str) -> Self {
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        self.0.details = Some(StatusDetails { name: filled(name), group: filled(group), kind: filled(kind), ..StatusDetails::default() });
        self
    }

    fn details(&mut self) -> &mut StatusDetails {
        self.0.details.get_or_insert_default()
    }

    fn cause(mut self, reason: &str, message: &str, field: &str) -> Self {
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let cause = StatusCause { reason: filled(reason), message: filled(message), field: filled(field) };
        self.details().causes.get_or_insert_default().push(cause);
        self
    }

    fn retry_after(mut self, seconds: i32) -> Self {
        self.details().retry_after_seconds = Some(seconds);
        self
    }

    /// Adds the token with which a list can go on.
    #[must_use]
    pub fn with_continue(mut self, token: &str) -> Self {
        self.0.metadata.continue_ = Some(token.to_owned());
        self
    }

    /// Adds what the client was to be warned of before this went wrong.
    #[must_use]
    pub fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.1 = warnings;
        self
    }

    /// What the client is to be warned of besides.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.1
    }

    /// The HTTP code.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.0.code.and_then(|code| u16::try_from(code).ok()).unwrap_or(500)
    }

    /// Seconds after which a try makes sense again.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<i32> {
        self.0.details.as_ref().and_then(|details| details.retry_after_seconds)
    }

    /// The Status as JSON, in upstream's order.
    #[must_use]
    pub fn status(&self) -> Value {
        let status = &self.0;
        let mut body = json!({ "kind": "Status", "apiVersion": "v1", "metadata": status.metadata, "status": status.status, "message": status.message });
        if let Some(reason) = &status.reason {
            body["reason"] = json!(reason);
        }
        if let Some(details) = &status.details {
            body["details"] = json!(details);
        }
        body["code"] = json!(status.code);
        body
    }

    /// 404: no such object.
    #[must_use]
    pub fn not_found(plural: &str, group: &str, name: &str) -> Self {
        let resource = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
        Self::new(404, "NotFound", format!("{resource} {name:?} not found")).about(name, group, plural)
    }

    /// 404: no such resource or path.
    #[must_use]
    pub fn no_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").about("", "", "")
    }

    /// 409: an object of that name is there.
    #[must_use]
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} {name:?} already exists", kind.qualified())).about(name, kind.group(), kind.plural)
    }

    /// 409: the write does not fit what is there now.
    #[must_use]
    pub fn conflict(plural: &str, group: &str, name: &str, why: &str) -> Self {
        let resource = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {resource} {name:?}: {why}")).about(name, group, plural)
    }

    /// 409: the object changed since the client read it.
    #[must_use]
    pub fn stale(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind.plural, kind.group(), name, why)
    }

    /// 409 for an apply that would change what others own.
    #[must_use]
    pub fn apply_conflict(conflicts: &Conflicts) -> Self {
        let error = Self::new(409, "Conflict", conflicts.to_string());
        let cause =
            |error: Self, (who, path): (String, String)| error.cause("FieldManagerConflict", &format!("conflict with {who}"), &path);
        conflicts.list().into_iter().fold(error, cause)
    }

    /// 400: the body is about another object than the path.
    #[must_use]
    pub fn wrong_name(given: &str, name: &str) -> Self {
        Self::bad_request(format!("the name of the object ({given}) does not match the name on the URL ({name})"))
    }

    /// 422: the object breaks its kind's rules.
    #[must_use]
    pub fn invalid(kind: &str, group: &str, name: &str, errors: &Errors) -> Self {
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let error = Self::new(422, "Invalid", format!("{qualified} {name:?} is invalid: {errors}")).about(name, group, kind);
        errors.causes().iter().fold(error, |error, cause| error.cause(cause.reason, &cause.message, &cause.field))
    }

    /// 422: the patch cannot be applied to the object.
    #[must_use]
    pub fn unprocessable() -> Self {
        Self::new(422, "Invalid", "the server rejected our request due to an error in our request").about("", "", "")
    }

    /// 422 without details.
    #[must_use]
    pub fn rejected(message: impl Into<String>) -> Self {
        Self::new(422, "Invalid", message)
    }

    /// 400: the request makes no sense.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 403: an admission step said no.
    #[must_use]
    pub fn forbidden(plural: &str, group: &str, name: &str, why: &str) -> Self {
        let resource = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
        let subject = if name.is_empty() { resource } else { format!("{resource} {name:?}") };
        Self::new(403, "Forbidden", format!("{subject} is forbidden: {why}")).about(name, group, plural)
    }

    /// 403: the namespace is on its way out.
    #[must_use]
    pub fn terminating_namespace(kind: &Kind, name: &str, namespace: &str) -> Self {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let cause = format!("namespace {namespace} is being terminated");
        Self::forbidden(kind.plural, kind.group(), name, &why).cause("NamespaceTerminating", &cause, "metadata.namespace")
    }

    /// 405: the resource does not know this verb.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource").about("", "", "")
    }

    /// 406: the client accepts no media type that is to be had.
    #[must_use]
    pub fn no_representation() -> Self {
        Self::new(406, "NotAcceptable", format!("406: Not Acceptable\n\nAvailable representations: {FORMS}")).about("", "", "")
    }

    /// 406: a media type would do, but the shape the client wants it to have is not to be had.
    #[must_use]
    pub fn not_acceptable() -> Self {
        Self::new(406, "NotAcceptable", format!("only the following media types are accepted: {FORMS}"))
    }

    /// 410: the revision asked for is no longer known.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 413: the body is too large.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        Self::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    /// 415: the body's form is unknown; `accepted` lists those that are.
    #[must_use]
    pub fn unsupported_media_type(accepted: &str) -> Self {
        let message = format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 415 for a patch of unknown form.
    #[must_use]
    pub fn unknown_patch() -> Self {
        Self::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").about("", "", "")
    }

    /// 429: more requests are under way than the server takes.
    #[must_use]
    pub fn too_many_requests() -> Self {
        Self::new(429, "TooManyRequests", "too many requests, please try again later").retry_after(1)
    }

    /// 429: a disruption budget does not allow it now. `seconds` says when to ask again, 0 that nobody knows.
    #[must_use]
    pub fn disruption(why: &str, seconds: i32) -> Self {
        let error = Self::new(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.");
        let error = error.cause("DisruptionBudget", why, "");
        if seconds > 0 { error.retry_after(seconds) } else { error }
    }

    /// 500 with upstream's odd form: no reason.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    /// 501: what is not there yet says so.
    #[must_use]
    pub fn not_implemented(what: &str) -> Self {
        Self::new(501, "NotImplemented", format!("{what} is not supported by this server yet"))
    }

    /// 503: nobody to carry the request out.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// 504: a revision that does not exist yet was asked for, and did not come.
    #[must_use]
    pub fn future_revision(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        Self::new(504, "Timeout", message).cause("ResourceVersionTooLarge", "Too large resource version", "").retry_after(1)
    }

    /// 504: the request took longer than it may.
    #[must_use]
    pub fn timeout(why: &str) -> Self {
        Self::new(504, "Timeout", format!("Timeout: {why}")).about("", "", "")
    }
}

impl From<mini_store::Error> for ApiError {
    fn from(error: mini_store::Error) -> Self {
        match &error {
            mini_store::Error::Compacted { .. } => Self::expired("The resourceVersion for the provided watch is too old."),
            other => Self::new(500, "InternalError", format!("Internal error occurred: {other}")),
        }
    }
}

impl From<PatchError> for ApiError {
    fn from(error: PatchError) -> Self {
        match &error {
            PatchError::BadRequest(_) => Self::bad_request(error.to_string()),
            PatchError::Invalid(_) => Self::unprocessable(),
            PatchError::TooLarge(_) => Self::new(413, "RequestEntityTooLarge", error.to_string()),
            PatchError::Internal(_) => Self::internal(error.to_string()),
        }
    }
}
