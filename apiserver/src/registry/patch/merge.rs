//! RFC 7396: an object like the target, in which `null` deletes.

use serde_json::Value;

use super::{PatchError, object};

/// Applies a merge patch.
///
/// # Errors
/// [`PatchError::BadRequest`] if the patch is no object.
pub fn merge(target: &Value, patch: &[u8]) -> Result<Value, PatchError> {
    let patch = object(patch, "error decoding patch: ")?;
    let mut merged = target.clone();
    json_patch::merge(&mut merged, &Value::Object(patch));
    Ok(merged)
}
