//! What verbs have in common that change some fields of objects which are there: the objects are read, changed here, and only what
//! differs is sent back; when somebody else was quicker, it is all done again with what is there now. It knows no kind.

use http::Method;
use serde_json::{Value, json};

use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    manifest, patch,
    selection::{Files, Many, Selection, Target, expand, select},
    server::{Call, JSON},
    value::{map_mut, name, namespace, text},
    writing::Writing,
};

/// How often a conflict is met with another try.
const ATTEMPTS: u32 = 10;

/// What a command line points at.
pub(crate) struct Wanted<'a> {
    pub(crate) words: &'a [String],
    pub(crate) files: &'a Files,
    pub(crate) many: &'a Many,
    /// Every object of the types.
    pub(crate) all: bool,
    /// What the files say is what is changed; no server is asked.
    pub(crate) local: bool,
}

/// An object that is to be changed.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) target: Target,
    pub(crate) object: Value,
}

/// The objects that a command line points at, as far as they could be read.
pub(crate) struct Subjects {
    pub(crate) list: Vec<Subject>,
    /// What is said of those that could not.
    pub(crate) errors: Vec<Error>,
    /// Whether one object, and no more, was named.
    pub(crate) single: bool,
}

impl Subjects {
    /// The objects, if all of them could be read.
    ///
    /// # Errors
    /// What is said of those that could not.
    pub(crate) fn all(self) -> Result<Vec<Subject>> {
        Error::from_all(self.errors).map(|()| self.list)
    }
}

/// Reads what a command line points at.
///
/// # Errors
/// When it points at nothing, or the forms do not go together. What is wrong with single objects is in the answer.
pub(crate) async fn subjects(context: &Context, wanted: &Wanted<'_>) -> Result<Subjects> {
    if wanted.local {
        return from_files(wanted);
    }
    if wanted.words.is_empty() && wanted.files.filename.is_empty() {
        return Err(nothing_named());
    }
    let selection = select(context, wanted.words, wanted.files).await?;
    let single = matches!(&selection, Selection::Named(targets) if targets.len() == 1);
    let targets = expand(context, selection, wanted.many, wanted.all).await?;
    let server = context.server().await?;
    let (mut list, mut errors) = (Vec::new(), Vec::new());
    for target in targets {
        match target.fetch(server, JSON).await {
            Ok(object) => list.push(Subject { target, object }),
            Err(error) => errors.push(error),
        }
    }
    Ok(Subjects { list, errors, single })
}

/// What is said when neither words nor files point at anything.
fn nothing_named() -> Error {
    usage(
        "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   \
         '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'",
    )
}

fn from_files(wanted: &Wanted<'_>) -> Result<Subjects> {
    if !wanted.words.is_empty() || wanted.files.filename.is_empty() {
        return Err(usage(
            "you must specify resources by --filename when --local is set.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   \
             '--filename=rsrc.json'",
        ));
    }
    let documents = manifest::read(&wanted.files.filename, wanted.files.recursive)?;
    let list: Vec<Subject> = documents.into_iter().map(|document| unasked(document.object, document.source)).collect();
    Ok(Subjects { single: list.len() == 1, list, errors: Vec::new() })
}

/// An object of which no server was asked what it is.
fn unasked(object: Value, source: String) -> Subject {
    let (group, version) = text(&object["apiVersion"]).split_once('/').unwrap_or(("", text(&object["apiVersion"])));
    let kind = text(&object["kind"]).to_owned();
    let resource = Resource { group: group.into(), version: version.into(), kind, ..Resource::default() };
    let target = Target { resource, namespace: namespace(&object).unwrap_or_default().into(), name: name(&object).into(), source };
    Subject { target, object }
}

/// How changes are sent.
pub(crate) struct Changing<'a> {
    pub(crate) context: &'a Context,
    pub(crate) writing: &'a Writing,
    /// Who sets the fields unless the user says otherwise.
    pub(crate) manager: &'static str,
    /// Whether nothing is to be sent.
    pub(crate) local: bool,
    /// The version the object must have.
    pub(crate) version: Option<&'a str>,
}

impl Changing<'_> {
    /// Sends what `change` makes of an object, as far as it differs. `None` if nothing does, else the object as it is now.
    ///
    /// # Errors
    /// Those of `change`, and what the server says.
    pub(crate) async fn send(&self, subject: &Subject, change: &dyn Fn(&mut Value) -> Result<()>) -> Result<Option<Value>> {
        let path = self.writing.query(&subject.target.path(), self.manager, &[]);
        let mut before = subject.object.clone();
        for attempt in 1.. {
            let mut after = before.clone();
            change(&mut after)?;
            let mut patch = patch::json_merge(Some(&before), &after, &before);
            if patch == json!({}) && self.version.is_none() {
                return Ok(None);
            }
            if self.local || self.writing.stays_here() {
                return Ok(Some(after));
            }
            let version = self.version.or_else(|| replaces_a_list(&patch).then(|| text(&before["metadata"]["resourceVersion"])));
            if let Some(version) = version {
                map_mut(map_mut(&mut patch).entry("metadata").or_insert(Value::Null)).insert("resourceVersion".into(), version.into());
            }
            let server = self.context.server().await?;
            let call = Call { method: Method::PATCH, path: &path, content_type: "application/merge-patch+json", body: &patch };
            match server.call(call).await {
                // Somebody else, a controller writing its status, say, came in between.
                Err(error) if self.version.is_none() && attempt < ATTEMPTS && error.is_conflict() => {
                    before = subject.target.fetch(server, JSON).await?;
                }
                outcome => return outcome.map(Some),
            }
        }
        unreachable!("the last attempt returns")
    }
}

/// A list goes as a whole, and must not undo what others did to it meanwhile.
fn replaces_a_list(patch: &Value) -> bool {
    match patch {
        Value::Array(_) => true,
        Value::Object(fields) => fields.values().any(replaces_a_list),
        _ => false,
    }
}

/// Takes apart what comes before and after the first word that says a change: resources, then changes.
///
/// # Errors
/// The first word that comes too late.
pub(crate) fn split(words: &[String], is_change: impl Fn(&str) -> bool) -> Result<(&[String], &[String]), &str> {
    let first = words.iter().position(|word| is_change(word)).unwrap_or(words.len());
    let (resources, changes) = words.split_at(first);
    match changes.iter().find(|word| !is_change(word)) {
        Some(late) => Err(late),
        None => Ok((resources, changes)),
    }
}

/// Whether a word sets or removes something by name: `key=value` or `key-`.
pub(crate) fn is_pair(word: &str) -> bool {
    (word.contains('=') && !word.starts_with('=')) || (word.ends_with('-') && word != "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_come_before_changes() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let line = words("deploy web a=b c-");
        let (resources, changes) = split(&line, is_pair).unwrap();
        assert_eq!((resources, changes), (&line[..2], &line[2..]));
        assert_eq!(split(&words("deploy/web a=b web"), is_pair).unwrap_err(), "web");
        for (word, pair) in [("a=b", true), ("a-", true), ("a=", true), ("=b", false), ("-", false), ("a", false)] {
            assert_eq!(is_pair(word), pair, "{word}");
        }
    }

    #[test]
    fn only_lists_need_the_version() {
        assert!(replaces_a_list(&json!({"spec": {"taints": []}})));
        assert!(!replaces_a_list(&json!({"metadata": {"labels": {"a": null}}})));
    }

    #[test]
    fn an_object_tells_by_itself_how_it_is_called() {
        let subject = unasked(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}), String::new());
        assert_eq!(subject.target.slashed(), "deployment.apps/web");
    }
}
