//! The recordings: reading them, and asking our server the same.

use std::path::PathBuf;

use mini_tests::{
    http::{Answer, Http},
    root,
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

/// The revision the recorder's list was at, as later requests name it.
const RECORDED_REVISION: &str = "resourceVersion=662";

/// One question, and what upstream answered.
#[derive(Deserialize)]
pub(super) struct Case {
    /// The file it is in.
    #[serde(skip)]
    file: &'static str,
    name: String,
    pub(super) request: Request,
    pub(super) response: Value,
}

/// A request as it was recorded.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    content_type: Option<String>,
    accept: Option<String>,
    /// As it was sent: the order of its fields matters.
    body: Option<Box<RawValue>>,
}

/// What earlier answers told, for the requests that repeat it.
#[derive(Default)]
pub(super) struct Told {
    /// The metadata of the object that was read before it was PUT.
    pub(super) object: Option<Value>,
    /// Continue token and revision of the first part of a list.
    pub(super) list: Option<(String, String)>,
}

impl Case {
    /// How the list of differences calls it. Some names are told twice, with different paths.
    pub(super) fn title(&self) -> String {
        let group = self.request.path.starts_with("/apis/events") || self.request.path.starts_with("/apis/autoscaling/v1");
        let other = if self.file == "tables" && group { " in the other version" } else { "" };
        format!("{}: {}{other}", self.file, self.name)
    }

    /// Upstream's answer, in the form of [`Request::ask`].
    pub(super) fn answer(&self) -> Value {
        let mut answer = self.response.clone();
        if let Some(map) = answer.as_object_mut() {
            map.remove("retry-after");
        }
        answer
    }
}

/// All cases of some files, in order; none where the recordings are not there.
pub(super) fn cases(files: &[&'static str]) -> Vec<Case> {
    let Some(folder) = folder() else { return Vec::new() };
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(folder.join(format!("{file}.jsonl"))).expect("read a recording");
        for line in text.lines() {
            let case: Case = serde_json::from_str(line).expect("a recording is JSON");
            cases.push(Case { file, ..case });
        }
    }
    cases
}

fn folder() -> Option<PathBuf> {
    let folder = root().parent()?.join("shared/upstream");
    folder.is_dir().then_some(folder)
}

impl Request {
    /// Asks our server the same. The answer has the code, the body or the frames of the watch, and the warnings.
    pub(super) async fn ask(&self, http: &Http, told: &Told, recorded: &Value) -> Value {
        let mut headers = vec![("user-agent", "recorder/1")];
        headers.extend(self.content_type.as_deref().map(|form| ("content-type", form)));
        headers.extend(self.accept.as_deref().map(|form| ("accept", form)));
        let answer = http.send(&self.method, &self.path(told), &headers, self.body(told)).await;
        let mut same = if recorded.get("events").is_some() {
            let frames: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).expect("a frame is JSON")).collect();
            json!({ "code": answer.code, "events": frames })
        } else {
            json!({ "code": answer.code, "body": answer.json() })
        };
        if recorded.get("content-type").is_some() {
            same["content-type"] = header(&answer, "content-type").into();
        }
        // The recorder kept the first.
        if let Some(warning) = answer.warnings().into_iter().next() {
            same["warning"] = warning.into();
        }
        same
    }

    fn path(&self, told: &Told) -> String {
        let mut path = self.path.clone();
        if let Some((token, revision)) = &told.list {
            if let Some((before, _)) = path.split_once("continue=") {
                path = format!("{before}continue={token}");
            }
            path = path.replace(RECORDED_REVISION, &format!("resourceVersion={revision}"));
        }
        // The recorder hung up when it had seen enough.
        if path.contains("watch=1") { path + "&timeoutSeconds=1" } else { path }
    }

    fn body(&self, told: &Told) -> String {
        let body = self.body.as_deref().map_or("", RawValue::get);
        // A body that was no JSON is written as text.
        let body = serde_json::from_str::<String>(body).unwrap_or_else(|_| if body == "null" { String::new() } else { body.to_owned() });
        let body = unmask(&body);
        let (Ok(mut object), Some(read)) = (serde_json::from_str::<Value>(&body), &told.object) else { return body };
        if self.method != "PUT" || object.pointer("/metadata/uid").is_none() {
            return body;
        }
        let metadata = &mut object["metadata"];
        // What the recorder made up is shorter than what it had read.
        if metadata["uid"].as_str().is_some_and(|uid| uid.len() == 36) {
            metadata["uid"] = read["uid"].clone();
        }
        if metadata["resourceVersion"] != "1" {
            metadata["resourceVersion"] = read["resourceVersion"].clone();
        }
        for field in ["creationTimestamp", "managedFields"] {
            metadata[field] = read[field].clone();
        }
        object.to_string()
    }
}

fn header(answer: &Answer, name: &str) -> String {
    answer.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// `<x*70>` stands for seventy times x.
fn unmask(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let tail = &rest[at + 1..];
        let run = tail.split_once('*').and_then(|(letter, tail)| Some((letter, tail.split_once('>')?)));
        match run.and_then(|(letter, (count, tail))| Some((letter.repeat(count.parse().ok()?), tail))) {
            Some((run, tail)) if run.len() > 1 => {
                out.push_str(&rest[..at]);
                out.push_str(&run);
                rest = tail;
            }
            _ => {
                out.push_str(&rest[..=at]);
                rest = tail;
            }
        }
    }
    out + rest
}
