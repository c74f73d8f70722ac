//! What can go wrong, in the words `kubectl` uses for it. It knows the shape of a Status, and no kind.

use std::fmt;

use serde_json::Value;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is said on stderr before the program ends with exit code 1, or another. Its text is what `kubectl` prints, prefix included.
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
        "The connection to the server {host} was refused - did you specify the right host or port?{}",
        if *is_ours { " (if it should be the local cluster: start it with `mini-ctl up`)" } else { "" }
    )]
    ConnectionRefused {
        /// Host and port.
        host: String,
        /// Whether it may be a cluster that we can start.
        is_ours: bool,
    },
    /// The server cannot be talked to for another reason.
    #[error("Unable to connect to the server: {0}")]
    Unreachable(String),
    /// Several things went wrong, each worth a line.
    #[error("{}", lines(.0))]
    Several(Vec<Error>),
    /// Something that was run for the user ended with a code of its own, which becomes ours.
    #[error("{message}")]
    Exit {
        /// The code.
        code: u8,
        /// What is said.
        message: String,
    },
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

    /// What it says, without a prefix.
    #[must_use]
    pub fn bare(&self) -> String {
        match self {
            Self::Usage(message) => message.clone(),
            // One among others, and several itself: as Go writes lists of errors.
            Self::Several(errors) => format!("[{}]", errors.iter().map(Self::bare).collect::<Vec<_>>().join(", ")),
            other => other.to_string(),
        }
    }

    /// The code the program ends with.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Exit { code, .. } => *code,
            _ => 1,
        }
    }

    /// Whether the server says that the object (or the whole resource) is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.code == 404)
    }

    /// Whether the server says that somebody else came in between.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.code == 409)
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

/// A line for each; complaints of our own lose their prefix among others, as in kubectl.
fn lines(errors: &[Error]) -> String {
    errors.iter().map(Error::bare).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
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
            _ => Self::unexplained(code, body),
        }
    }

    /// What is made of an answer that explains nothing, in client-go's words.
    fn unexplained(code: u16, body: &[u8]) -> Self {
        let (reason, message) = match code {
            400 => ("BadRequest", "the server rejected our request for an unknown reason"),
            401 => ("Unauthorized", "the server has asked for the client to provide credentials"),
            403 => ("Forbidden", "the server does not allow access to the requested resource"),
            404 => ("NotFound", "the server could not find the requested resource"),
            405 => ("MethodNotAllowed", "the server does not allow this method on the requested resource"),
            406 => ("NotAcceptable", "the server was unable to respond with a content type that the client supports"),
            409 => ("Conflict", "the server reported a conflict"),
            410 => ("Expired", "the server says that what was asked for is gone"),
            413 => ("RequestEntityTooLarge", "the request is too large"),
            415 => ("UnsupportedMediaType", "the body of the request was in an unknown format"),
            422 => ("Invalid", "the server rejected our request due to an error in our request"),
            429 => ("TooManyRequests", "the server has received too many requests and has asked us to try again later"),
            503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
            504 => ("Timeout", "the server was unable to return a response in the time allotted, but may still be processing the request"),
            _ => {
                let text = String::from_utf8_lossy(body);
                let text = if text.trim().is_empty() { "unknown" } else { text.trim() };
                let message = format!("an error on the server ({text:?}) has prevented the request from succeeding");
                return Self { code, reason: if code >= 500 { "InternalError" } else { "" }.to_owned(), message, ..Self::default() };
            }
        };
        Self { code, reason: reason.to_owned(), message: message.to_owned(), ..Self::default() }
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
    fn an_answer_that_is_no_status_is_explained_by_its_code() {
        let said = |code, body: &[u8]| Refusal::parse(code, body).to_string();
        let gateway =
            r#"Error from server (InternalError): an error on the server ("bad gateway") has prevented the request from succeeding"#;
        assert_eq!(said(502, b"bad gateway\n"), gateway);
        assert_eq!(said(500, b""), gateway.replace("bad gateway", "unknown"));
        assert_eq!(said(404, b"404 page not found"), "Error from server (NotFound): the server could not find the requested resource");
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
