//! How a command in a container ended, as the Status that is said last.
//!
//! Must not know: how it is carried.

use serde_json::{Value, json};

/// It ended well.
pub(super) fn success() -> Value {
    json!({ "metadata": {}, "status": "Success" })
}

/// It ended with another code than 0.
pub(super) fn exited(command: &[String], code: i32) -> Value {
    let command = command.join(" ");
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: error executing command [{command}], exit code {code}"),
        "reason": "NonZeroExitCode",
        "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
    })
}

/// It did not come about.
pub(super) fn failed(why: &str) -> Value {
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("Internal error occurred: {why}"),
        "reason": "InternalError",
        "details": { "causes": [{ "message": why }] },
        "code": 500,
    })
}
