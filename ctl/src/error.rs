//! What can go wrong, in the words `kubectl` uses for it. It knows the shape of a Status, and no kind.

use std::fmt;

use serde_json::Value;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is said on stderr before the program ends with exit code 1. Its text is what `kubectl` prints, prefix included.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user, a file or the answer of a server was not what it had to be.
    #[error("error: {0}")]
    Usage(String),
    /// A sentence that carries no prefix.
    #[error("{0}")]
    Plain(String),
    /// The server refused.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// Nobody listens at the server's address.
    #[error(
        "The connection to the server {host} was refused - did you specify the right host or port? \
         (if it should be the local cluster: start it with `mini-ctl up`)"
    )]
    ConnectionRefused {
        /// Host and port.
        host: String,
    },
    /// The server cannot be talked to for another reason.
    #[error("Unable to connect to the server: {0}")]
    Unreachable(String),
    /// Several things went wrong, each worth a line.
    #[error("{}", lines(.0))]
    Several(Vec<Error>),
    /// What there was to say has been said; only the exit code is missing.
    #[error("")]
    Silent,
}

impl Error {
    /// The refusal, if the server answered with one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether the server says that the object (or the whole resource) is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.code == 404)
    }

    /// The same error, saying what was being done to which file, as `kubectl` does for objects that come from one.
    #[must_use]
    pub fn while_doing(self, verb: &str, source: &str) -> Self {
        match self {
            Self::Refused(mut refusal) => {
                refusal.message = format!("error when {verb} {source:?}: {}", refusal.message);
                Self::Refused(refusal)
            }
            Self::Usage(message) => Self::Usage(format!("error when {verb} {source:?}: {message}")),
            other => other,
        }
    }

    /// `Ok` if there are none, else the one error or all of them.
    ///
    /// # Errors
    /// The errors given.
    pub fn from_all(mut errors: Vec<Error>) -> Result<()> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }
}

/// A complaint of our own: `error: …`.
pub(crate) fn usage(message: impl Into<String>) -> Error {
    Error::Usage(message.into())
}

fn lines(errors: &[Error]) -> String {
    errors.iter().map(ToString::to_string).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A Status of the server that says no. Source: `meta/v1` Status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status code.
    pub code: u16,
    /// The machine-readable reason, such as `NotFound`; may be empty.
    pub reason: String,
    /// The sentence for humans.
    pub message: String,
    /// The kind (or resource) the Status is about; may be empty.
    pub kind: String,
    /// The object's name; may be empty.
    pub name: String,
    /// What is wrong, field by field: path and sentence.
    pub causes: Vec<(String, String)>,
    /// Whether the Status had details at all.
    pub detailed: bool,
}

impl Refusal {
    /// Reads a Status; a body that is none becomes the message.
    #[must_use]
    pub fn parse(code: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(status) if status["kind"] == "Status" => Self::from_status(code, &status),
            _ => Self { code, message: plain_message(code, body), ..Self::default() },
        }
    }

    /// Takes over a decoded Status; its own code, if any, wins.
    #[must_use]
    pub fn from_status(code: u16, status: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let details = &status["details"];
        let causes = details["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            code: status["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(code),
            reason: text(&status["reason"]),
            message: text(&status["message"]),
            kind: text(&details["kind"]),
            name: text(&details["name"]),
            causes: causes.iter().map(|cause| (text(&cause["field"]), text(&cause["message"]))).collect(),
            detailed: details.is_object(),
        }
    }

    /// `The Deployment "web" is invalid: …`, one cause inline, several as a list.
    fn fmt_invalid(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.kind.is_empty() || !self.name.is_empty() {
            write!(f, "The {} {:?} is invalid", self.kind, self.name)?;
        } else {
            f.write_str("The request is invalid")?;
            if !self.message.is_empty() && self.causes.is_empty() {
                write!(f, ": {}", self.message)?;
            }
        }
        let mut causes: Vec<String> = Vec::new();
        for (field, message) in &self.causes {
            let cause = format!("{field}: {message}");
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        match causes.as_slice() {
            [] => Ok(()),
            [cause] => write!(f, ": {cause}"),
            _ => {
                f.write_str(": ")?;
                causes.iter().try_for_each(|cause| write!(f, "\n* {cause}"))
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.as_str() {
            "Invalid" => self.fmt_invalid(f),
            "Unauthorized" => write!(f, "error: You must be logged in to the server ({})", self.message),
            "" => write!(f, "Error from server: {}", self.message),
            reason => write!(f, "Error from server ({reason}): {}", self.message),
        }
    }
}

fn plain_message(code: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => line.to_owned(),
        _ => format!("the server answered with status {code} and no explanation"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(status: &Value) -> String {
        Refusal::from_status(500, status).to_string()
    }

    #[test]
    fn a_status_reads_as_kubectl_prints_it() {
        let missing = json!({"kind": "Status", "reason": "NotFound", "code": 404, "message": "pods \"nope\" not found"});
        assert_eq!(said(&missing), "Error from server (NotFound): pods \"nope\" not found");
        let unnamed = json!({"kind": "Status", "message": "boom"});
        assert_eq!(said(&unnamed), "Error from server: boom");
        let unknown = json!({"kind": "Status", "reason": "Unauthorized", "message": "Unauthorized"});
        assert_eq!(said(&unknown), "error: You must be logged in to the server (Unauthorized)");
    }

    #[test]
    fn causes_of_an_invalid_object_are_listed_once() {
        let cause = json!({"field": "spec.replicas", "message": "Invalid value: -1: must be greater than or equal to 0"});
        let other = json!({"field": "spec.selector", "message": "Required value"});
        let status = |causes: Value| json!({"reason": "Invalid", "message": "long", "details": {"kind": "Deployment", "name": "web", "causes": causes}});
        assert_eq!(
            said(&status(json!([cause, cause]))),
            "The Deployment \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
        );
        assert_eq!(
            said(&status(json!([cause, other]))),
            "The Deployment \"web\" is invalid: \n* spec.replicas: Invalid value: -1: must be greater than or equal to 0\n* spec.selector: Required value"
        );
    }

    #[test]
    fn a_body_that_is_no_status_is_quoted() {
        assert_eq!(Refusal::parse(502, b"bad gateway\nmore").to_string(), "Error from server: bad gateway");
        assert_eq!(Refusal::parse(500, b"").to_string(), "Error from server: the server answered with status 500 and no explanation");
    }

    #[test]
    fn the_file_is_named_when_there_is_one() {
        let error = Error::Refused(Box::new(Refusal { reason: "BadRequest".into(), message: "no".into(), ..Refusal::default() }));
        assert_eq!(
            error.while_doing("creating", "web.yaml").to_string(),
            "Error from server (BadRequest): error when creating \"web.yaml\": no"
        );
    }
}
