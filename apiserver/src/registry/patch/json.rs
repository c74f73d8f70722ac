//! RFC 6902: a list of operations, all or nothing.

use json_patch::PatchOperation;
use serde_json::Value;

use super::{PatchError, go_kind};
use crate::schema::decode;

/// Upstream's bound on the operations of one patch.
const MAX_OPERATIONS: usize = 10_000;
/// Upstream's bound on what `copy` may add, in bytes of JSON: a few copies of copies would fill any memory.
const MAX_COPIED: usize = 3 * 1024 * 1024;

/// Applies a JSON patch.
///
/// # Errors
/// [`PatchError::BadRequest`] if it is no list of operations, [`PatchError::TooLarge`] if it is too long a one,
/// [`PatchError::Invalid`] if an operation is unknown or does not apply.
pub fn json(target: &Value, patch: &[u8]) -> Result<Value, PatchError> {
    let operations = operations(patch)?;
    let mut object = target.clone();
    let mut copied = 0;
    for operation in &operations {
        let invalid = |error: &dyn std::fmt::Display| PatchError::Invalid(error.to_string());
        if let PatchOperation::Copy(copy) = operation {
            let source = copy.from.resolve(&object).map_err(|error| invalid(&error))?;
            copied += source.to_string().len();
            if copied > MAX_COPIED {
                let message = format!(
                    "Unable to complete the copy, the accumulated size increase of copy is {copied}, \
                     exceeding the limit {MAX_COPIED}"
                );
                return Err(PatchError::Invalid(message));
            }
        }
        if is_absence(operation, &object) {
            continue;
        }
        // The object is ours, so a failure half way need not be undone.
        json_patch::patch_unsafe(&mut object, std::slice::from_ref(operation)).map_err(|error| invalid(&error))?;
    }
    Ok(object)
}

/// Whether it tests, with upstream's word for it, that an object has no such field: that it is null.
fn is_absence(operation: &PatchOperation, object: &Value) -> bool {
    let PatchOperation::Test(test) = operation else { return false };
    let parent = || test.path.split_back().and_then(|(parent, _)| parent.resolve(object).ok());
    test.value.is_null() && test.path.resolve(object).is_err() && parent().is_some_and(Value::is_object)
}

fn operations(patch: &[u8]) -> Result<Vec<PatchOperation>, PatchError> {
    let bad = |message: &dyn std::fmt::Display| PatchError::BadRequest(format!("error decoding patch: {message}"));
    let mismatch = |found: &Value, wanted: &str| bad(&format!("json: cannot unmarshal {} into Go {wanted}", go_kind(found)));
    let list = match decode::parse(patch).map_err(|error| bad(&error))? {
        Value::Array(list) => list,
        Value::Null => return Ok(Vec::new()),
        other => return Err(mismatch(&other, "value of type []handlers.jsonPatchOp")),
    };
    if list.len() > MAX_OPERATIONS {
        let message = format!("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}", list.len());
        return Err(PatchError::TooLarge(message));
    }
    for item in &list {
        let Value::Object(item) = item else {
            return Err(mismatch(item, "value of type handlers.jsonPatchOp"));
        };
        for key in ["op", "path", "from"] {
            if let Some(found) = item.get(key).filter(|v| !v.is_string() && !v.is_null()) {
                return Err(mismatch(found, &format!("struct field jsonPatchOp.{key} of type string")));
            }
        }
    }
    serde_json::from_value(Value::Array(list)).map_err(|error| PatchError::Invalid(error.to_string()))
}
