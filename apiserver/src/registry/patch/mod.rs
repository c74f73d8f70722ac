//! The three ways to say what should change: JSON patch, merge patch, strategic merge patch.
//!
//! Each turns a tree and the bytes of a request into a new tree; the result is decoded again afterwards, so nothing
//! here checks types. Server-side apply, which needs ownership, does not live here.

mod json;
mod merge;
mod strategic;

use serde_json::{Map, Value};

pub use self::json::json;
pub use self::merge::merge;
pub use self::strategic::strategic;
use crate::schema::decode;

/// Why a patch could not be applied. Displayed in upstream's words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// Not a patch of this form: 400.
    #[error("{0}")]
    BadRequest(String),
    /// A patch, but not one for this object: 422. Upstream keeps the reason to itself, and gives empty details.
    #[error("the server rejected our request due to an error in our request")]
    Invalid(String),
    /// More operations than are allowed: 413.
    #[error("Request entity too large: {0}")]
    TooLarge(String),
    /// A patch that contradicts itself or the type: 500, as upstream has it.
    #[error("{0}")]
    Internal(String),
}

/// The patch as an object, for the two forms of which it must be one.
fn object(patch: &[u8], context: &str) -> Result<Map<String, Value>, PatchError> {
    let bad = |message: &str| PatchError::BadRequest(format!("{context}{message}"));
    match decode::parse(patch) {
        Ok(Value::Object(patch)) => Ok(patch),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(other) => {
            let found = go_kind(&other);
            Err(bad(&format!("json: cannot unmarshal {found} into Go value of type map[string]interface {{}}")))
        }
        Err(error) => Err(bad(&error.to_string())),
    }
}

/// What Go's JSON decoder calls a value.
fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests;
