//! The parameters of a request: read once, checked as upstream checks them.

use mini_api::selector::{FieldSelector, Selector};

use crate::{
    cache::select::Select,
    error::{ApiError, Result},
    kinds::{
        Field,
        field::{Errors, Path},
    },
    registry::FieldValidation,
};

/// The decoded pairs of a query string.
pub fn pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    form_urlencoded::parse(query.as_bytes()).into_owned()
}

/// All parameters the verbs know, unchecked.
#[derive(Clone, Debug, Default)]
pub struct Params {
    /// `watch`.
    pub watch: bool,
    /// `allowWatchBookmarks`.
    pub bookmarks: bool,
    /// `sendInitialEvents`.
    pub initial_events: Option<bool>,
    /// `resourceVersion`.
    pub resource_version: String,
    /// `resourceVersionMatch`.
    pub version_match: String,
    /// `limit`.
    pub limit: i64,
    /// `continue`.
    pub continue_token: String,
    /// `labelSelector`.
    pub label_selector: String,
    /// `fieldSelector`.
    pub field_selector: String,
    /// `timeoutSeconds`.
    pub timeout: Option<u64>,
    /// `dryRun`, each time it is given.
    pub dry_run: Vec<String>,
    /// `fieldManager`.
    pub field_manager: String,
    /// `force`, of apply patches.
    pub force: Option<bool>,
    /// `fieldValidation`.
    pub field_validation: String,
    /// `includeObject`, of Tables.
    pub include_object: String,
    /// `gracePeriodSeconds`.
    pub grace_period: Option<i64>,
    /// `propagationPolicy`.
    pub propagation: Option<String>,
    /// `orphanDependents`.
    pub orphan: Option<bool>,
    /// `pretty`.
    pub pretty: bool,
}

impl Params {
    /// Reads a query string.
    ///
    /// # Errors
    /// 400 for numbers and booleans that are none.
    pub fn parse(query: &str) -> Result<Self> {
        let mut params = Self::default();
        if query.is_empty() {
            return Ok(params);
        }
        for (key, value) in pairs(query) {
            match key.as_str() {
                "watch" => params.watch = boolean(&value),
                "allowWatchBookmarks" => params.bookmarks = boolean(&value),
                "sendInitialEvents" => params.initial_events = Some(boolean(&value)),
                "resourceVersion" => params.resource_version = value,
                "resourceVersionMatch" => params.version_match = value,
                "limit" => params.limit = number(&value)?,
                "continue" => params.continue_token = value,
                "labelSelector" => params.label_selector = value,
                "fieldSelector" => params.field_selector = value,
                "timeoutSeconds" => params.timeout = u64::try_from(number(&value)?).ok(),
                "dryRun" => params.dry_run.push(value),
                "fieldManager" => params.field_manager = value,
                "force" => params.force = Some(boolean(&value)),
                "fieldValidation" => params.field_validation = value,
                "includeObject" => params.include_object = value,
                "gracePeriodSeconds" => params.grace_period = Some(number(&value)?),
                "propagationPolicy" => params.propagation = Some(value),
                "orphanDependents" => params.orphan = Some(boolean(&value)),
                "pretty" => params.pretty = boolean(&value),
                _ => {}
            }
        }
        Ok(params)
    }

    /// What the selectors select among items with these fields.
    ///
    /// # Errors
    /// 400 in upstream's words.
    pub fn select(&self, known: &[Field]) -> Result<Select> {
        let labels = match self.label_selector.as_str() {
            "" => None,
            text => Some(Selector::parse(text).map_err(|error| ApiError::bad_request(error.to_string()))?),
        };
        let fields = match self.field_selector.as_str() {
            "" => None,
            text => Some(FieldSelector::parse(text).map_err(|error| ApiError::bad_request(error.to_string()))?),
        };
        Select::new(labels, fields.as_ref(), known).map_err(|label| ApiError::bad_request(unknown_field(&label, known)))
    }

    /// Whether nothing is to be stored. `options` names the options object in errors: `CreateOptions`, `PatchOptions`, …
    ///
    /// # Errors
    /// 422 for an unknown value.
    pub fn dry(&self, options: &str) -> Result<bool> {
        if self.dry_run.iter().all(|value| value == "All") {
            return Ok(!self.dry_run.is_empty());
        }
        let mut errors = Errors::new();
        errors.unsupported(&Path::new("dryRun"), &self.dry_run, &["All"]);
        Err(ApiError::invalid(options, "meta.k8s.io", "", &errors))
    }

    /// What to do about unknown fields.
    ///
    /// # Errors
    /// 422 for an unknown value.
    pub fn validation(&self, options: &str) -> Result<FieldValidation> {
        match self.field_validation.as_str() {
            "" | "Warn" => Ok(FieldValidation::Warn),
            "Ignore" => Ok(FieldValidation::Ignore),
            "Strict" => Ok(FieldValidation::Strict),
            other => {
                let mut errors = Errors::new();
                errors.unsupported(&Path::new("fieldValidation"), other, &["", "Ignore", "Strict", "Warn"]);
                Err(ApiError::invalid(options, "meta.k8s.io", "", &errors))
            }
        }
    }
}

/// Upstream takes everything but these for true.
fn boolean(value: &str) -> bool {
    !matches!(value, "false" | "0")
}

fn number(value: &str) -> Result<i64> {
    value.parse().map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing {value:?}: invalid syntax")))
}

/// What is said of a field that nothing can be selected by. Kinds with fields of their own say it in words of their own.
fn unknown_field(label: &str, known: &[Field]) -> String {
    if known.is_empty() {
        return format!(r#"{label:?} is not a known field selector: only "metadata.name", "metadata.namespace""#);
    }
    format!("field label not supported: {label}")
}
