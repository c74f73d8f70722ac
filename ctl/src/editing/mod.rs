//! Objects in a person's editor: shown, changed, sent, and shown again with what was wrong about them. For `edit` and for
//! `apply edit-last-applied`. It knows no kind. Source: kubectl's `editoptions.go`.

mod editor;
mod page;
mod save;

use std::{fs, path::Path, path::PathBuf};

use serde_json::{Value, json};

use self::{
    editor::Editor,
    page::{Reason, has_lines, header, same, validate, without_remarks},
};
use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Refusal, Result, usage},
    manifest::{Document, parse},
    output::{json_text, trimmed},
    patch::with_last_applied,
    print::notice,
    schemas::Schemas,
    selection::{Placed, place},
    server::Server,
    temporary,
    value::{map_mut, text},
    writing::{Validation, Writing},
    yaml,
};

/// What is edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The objects as they are.
    Objects,
    /// What was last applied, which is in an annotation of theirs.
    LastApplied,
}

/// How it is edited.
pub(crate) struct Editing<'a> {
    pub(crate) context: &'a Context,
    pub(crate) server: &'a Server,
    pub(crate) what: What,
    pub(crate) writing: Writing,
    pub(crate) validation: &'a Validation,
    /// Keep what is saved in the object, for `apply` to compare with.
    pub(crate) save_config: bool,
    /// Show the patch that is sent.
    pub(crate) output_patch: bool,
    /// With carriage returns at the ends of lines.
    pub(crate) windows_line_endings: bool,
    pub(crate) subresource: String,
    pub(crate) schemas: Schemas,
}

/// What came of one round.
#[derive(Default)]
struct Round {
    reasons: Vec<Reason>,
    /// So many objects are gone.
    gone: usize,
    /// So many could not be changed for a reason that may pass.
    retryable: usize,
}

impl Round {
    /// Notes what is wrong with an object; gives the line about it.
    fn add(&mut self, error: &Error, resource: &Resource, name: &str) -> String {
        let what = format!("{} {name:?}", resource.qualified_plural());
        match error.refusal() {
            Some(refusal) if refusal.reason == "Invalid" => {
                let details = refusal.causes.iter().map(|(field, message)| format!("{field}: {message}")).collect();
                self.reasons.push(Reason { head: format!("{what} was not valid"), details });
                format!("error: {what} is invalid")
            }
            Some(refusal) if refusal.code == 404 => {
                self.gone += 1;
                format!("error: {what} could not be found on the server")
            }
            Some(refusal) => {
                self.retryable += 1;
                format!("error: {what} could not be patched: {}", refusal.message)
            }
            None => {
                self.retryable += 1;
                format!("error: {what} could not be patched: {}", error.bare())
            }
        }
    }
}

/// What is to be done after a round.
enum Next {
    Done,
    Again(Vec<Reason>),
}

impl Editing<'_> {
    /// Lets the person edit these objects, together, until they are saved or given up.
    ///
    /// # Errors
    /// When they are given up, or cannot be saved. The file with the changes is then kept, and its name told.
    pub(crate) async fn edit(&self, originals: Vec<Placed>) -> Result<()> {
        let editor = Editor::chosen();
        let original = self.lines(&self.shown(&originals)?);
        let mut shown = original.clone();
        let mut reasons = Vec::new();
        let mut before: Option<(String, PathBuf)> = None;
        loop {
            let file = self.write(&(self.lines(&self.header(&reasons)) + &shown))?;
            let earlier = before.as_ref().map(|(_, file)| file.as_path());
            if let Err(error) = editor.open(&file) {
                return Err(kept(error, earlier));
            }
            let edited = fs::read_to_string(&file).map_err(|error| kept(usage(format!("read {}: {error}", file.display())), earlier))?;
            if let Some((earlier, earlier_file)) = before {
                if same(&earlier, &edited) {
                    return Err(kept(usage("Edit cancelled, no valid changes were saved."), Some(&file)));
                }
                remove(&earlier_file);
            }
            match self.round(&originals, &original, &edited, &file).await? {
                Next::Done => return Ok(()),
                Next::Again(why) => reasons = why,
            }
            shown = without_remarks(&edited);
            before = Some((edited, file));
        }
    }

    /// Looks at what was saved in the editor, and sends it.
    async fn round(&self, originals: &[Placed], original: &str, edited: &str, file: &Path) -> Result<Next> {
        if let Err(complaint) = validate(edited).or_else(|complaint| if self.validation.is_off() { Ok(()) } else { Err(complaint) }) {
            let message = format!("Invalid value: \"The edited file failed validation\": {complaint}");
            let refusal = Refusal { reason: "Invalid".into(), causes: vec![("<nil>".into(), message)], ..Refusal::default() };
            let mut round = Round::default();
            let first = &originals[0].target;
            notice(&round.add(&Error::Refused(Box::new(refusal)), &first.resource, &first.name));
            return Ok(Next::Again(round.reasons));
        }
        let nothing_to_do = match (same(original, edited), has_lines(edited)) {
            (true, _) => Some("Edit cancelled, no changes made."),
            (_, false) => Some("Edit cancelled, saved file was empty."),
            _ => None,
        };
        if let Some(why) = nothing_to_do {
            remove(file);
            notice(why);
            return Ok(Next::Done);
        }
        let catalog = self.context.catalog().await?;
        let known = |documents: Vec<Document>| {
            documents.iter().try_for_each(|document| catalog.of_object(&document.object, &document.source).map(drop)).map(|()| documents)
        };
        let documents = match parse("edited-file", edited.as_bytes()).and_then(known) {
            Ok(documents) => documents,
            Err(error) => {
                let head = format!("The edited file had a syntax error: {}", error.bare());
                return Ok(Next::Again(vec![Reason { head, details: Vec::new() }]));
            }
        };
        let mut updated = Vec::new();
        for document in documents {
            updated.push(self.taken_back(originals, document).await.map_err(|error| kept(error, Some(file)))?);
        }
        let round = self.save(originals, updated).await.map_err(|error| kept(error, Some(file)))?;
        if round.retryable > 0 {
            let program = self.context.program_name();
            notice(&format!("You can run `{program} replace -f {}` to try this update again.", file.display()));
            return Err(Error::Silent);
        }
        if round.gone > 0 {
            notice(&format!("The edits you made on deleted resources have been saved to {:?}", file.display().to_string()));
            return Err(Error::Silent);
        }
        if round.reasons.is_empty() {
            remove(file);
            return Ok(Next::Done);
        }
        Ok(Next::Again(round.reasons))
    }

    /// An edited object, with what was hidden from the editor.
    async fn taken_back(&self, originals: &[Placed], document: Document) -> Result<Placed> {
        let mut placed = place(self.context, document).await?;
        let wanted = self.context.namespace().await?;
        let target = &placed.target;
        if target.resource.namespaced && target.namespace != wanted {
            let own = &target.namespace;
            return Err(usage(format!(
                "the namespace from the provided object {own:?} does not match the namespace {wanted:?}. You must pass '--namespace={own}' to perform this operation."
            )));
        }
        let hidden = original_of(originals, &placed.object).map(|original| original.object["metadata"]["managedFields"].clone());
        if let Some(fields) = hidden.filter(|fields| !fields.is_null()) {
            map_mut(&mut placed.object["metadata"]).insert("managedFields".into(), fields);
        }
        if self.save_config {
            placed.object = with_last_applied(&placed.object);
        }
        Ok(placed)
    }

    /// The objects as the person sees them.
    fn shown(&self, originals: &[Placed]) -> Result<String> {
        let visible = |placed: &Placed| trimmed(placed.object.clone());
        let object = match originals {
            [one] => visible(one),
            many => json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": many.iter().map(visible).collect::<Vec<_>>()}),
        };
        if self.in_json() { json_text(&object) } else { Ok(yaml::to_string(&object)) }
    }

    fn in_json(&self) -> bool {
        self.writing.output.as_deref() == Some("json")
    }

    fn header(&self, reasons: &[Reason]) -> String {
        match self.what {
            _ if self.in_json() => String::new(),
            What::Objects => header(page::OBJECTS, reasons),
            What::LastApplied => header(page::LAST_APPLIED, reasons),
        }
    }

    /// The text with the ends of lines that are wanted.
    fn lines(&self, text: &str) -> String {
        if self.windows_line_endings { text.replace('\n', "\r\n") } else { text.to_owned() }
    }

    /// Writes a new file for the editor.
    fn write(&self, text: &str) -> Result<PathBuf> {
        let file = temporary::file(&format!("{}-edit", self.context.program_name()), if self.in_json() { ".json" } else { ".yaml" })?;
        fs::write(&file, text).map_err(|error| usage(format!("write {}: {error}", file.display())))?;
        Ok(file)
    }
}

/// The object that this one was before.
fn original_of<'a>(originals: &'a [Placed], object: &Value) -> Option<&'a Placed> {
    originals.iter().find(|original| text(&original.object["metadata"]["uid"]) == text(&object["metadata"]["uid"]))
}

/// The error; the changes are not lost with it.
fn kept(error: Error, file: Option<&Path>) -> Error {
    if let Some(file) = file.filter(|file| file.exists()) {
        notice(&format!("A copy of your changes has been stored to {:?}", file.display().to_string()));
    }
    error
}

/// Removes a file that is of no use any more; that one stays behind is no failure.
fn remove(file: &Path) {
    let _ = fs::remove_file(file);
}
