//! Labels and annotations: maps of strings in `metadata` that a person sets, removes and lists. `label` and `annotate` differ only in
//! what they say.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    changing::{Changing, Subject, Subjects, Wanted, is_pair, split, subjects},
    context::Context,
    error::{Error, Result, usage},
    print::print,
    selection::{Files, Many},
    value::{map_mut, strings},
    writing::{CHANGE_CAUSE, DryRun, Recording, Writing},
};

/// The flags of both verbs.
#[derive(clap::Args, Debug)]
pub(crate) struct Flags {
    /// TYPE NAME… or TYPE/NAME…, then KEY=VALUE… to set and KEY-… to remove
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    many: Many,
    /// Every object of the type.
    #[arg(long)]
    all: bool,
    /// Allow to change values that are there already.
    #[arg(long)]
    overwrite: bool,
    /// Print what the objects have.
    #[arg(long)]
    list: bool,
    /// Do not ask the server; change what the files say.
    #[arg(long)]
    local: bool,
    /// Only if the (one) object has this resource version.
    #[arg(long, value_name = "VERSION")]
    resource_version: Option<String>,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    recording: Recording,
}

/// One of the two maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marks {
    Labels,
    Annotations,
}

/// What the words of a command line ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Edits<'a> {
    set: BTreeMap<&'a str, &'a str>,
    remove: Vec<&'a str>,
}

impl Marks {
    /// One of them.
    fn word(self) -> &'static str {
        match self {
            Self::Labels => "label",
            Self::Annotations => "annotation",
        }
    }

    /// The field in `metadata`.
    fn field(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Annotations => "annotations",
        }
    }

    fn manager(self) -> &'static str {
        match self {
            Self::Labels => "kubectl-label",
            Self::Annotations => "kubectl-annotate",
        }
    }

    /// How messages call a file for this verb.
    fn example(self) -> &'static str {
        match self {
            Self::Labels => "pod",
            Self::Annotations => "rsrc",
        }
    }

    fn parse(self, words: &[String]) -> Result<Edits<'_>> {
        let mut edits = Edits::default();
        for word in words {
            let Some((key, value)) = word.split_once('=') else {
                edits.remove.push(word.strip_suffix('-').unwrap_or(word));
                continue;
            };
            if self == Self::Labels {
                if value.contains('=') {
                    return Err(usage(format!("invalid label spec: {word}")));
                }
                let wrong = mini_api::name::label_value(value);
                if !wrong.is_empty() {
                    return Err(usage(format!("invalid label value: {word:?}: {}", wrong.join(";"))));
                }
            }
            edits.set.insert(key, value);
        }
        let both: Vec<&str> = edits.remove.iter().copied().filter(|key| edits.set.contains_key(key)).collect();
        match self {
            _ if both.is_empty() => Ok(edits),
            Self::Labels => Err(usage("can not both modify and remove a label in the same command")),
            Self::Annotations => {
                let both = both.join(", ");
                Err(usage(format!("can not both modify and remove the following annotation(s) in the same command: {both}")))
            }
        }
    }

    /// That nothing is changed which is there already. The cause of a change may always be.
    fn protect(self, object: &Value, edits: &Edits<'_>) -> Result<()> {
        let have = &object["metadata"][self.field()];
        let values = edits.set.keys().filter_map(|key| Some((*key, have[*key].as_str()?)));
        let taken: Vec<String> = match self {
            // The same value again is no change.
            Self::Labels => values
                .filter(|(key, value)| edits.set[key] != *value)
                .map(|(key, value)| format!("'{key}' already has a value ({value}), and --overwrite is false"))
                .collect(),
            Self::Annotations => values
                .filter(|(key, value)| *key != CHANGE_CAUSE && edits.set[key] != *value)
                .map(|(key, value)| format!("'{key}' already has a value ({value})"))
                .collect(),
        };
        match self {
            _ if taken.is_empty() => Ok(()),
            Self::Labels => Error::from_all(taken.into_iter().map(usage).collect()),
            Self::Annotations => {
                Err(usage(format!("--overwrite is false but found the following declared annotation(s): {}", taken.join("; "))))
            }
        }
    }

    fn edit(self, object: &mut Value, edits: &Edits<'_>) {
        let metadata = map_mut(map_mut(object).entry("metadata").or_insert(Value::Null));
        let have = map_mut(metadata.entry(self.field()).or_insert(Value::Null));
        have.extend(edits.set.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
        edits.remove.iter().for_each(|key| drop(have.remove(*key)));
    }

    /// What is said of an object that was changed.
    fn done(self, before: &Value, after: &Value, overwrite: bool) -> &'static str {
        match self {
            Self::Annotations => "annotated",
            Self::Labels if before == after => "not labeled",
            // This is how kubectl knows.
            Self::Labels if !overwrite && after.to_string().len() < before.to_string().len() => "unlabeled",
            Self::Labels => "labeled",
        }
    }
}

impl Flags {
    /// What does not go together, in the order in which kubectl finds it.
    fn check(&self, marks: Marks, resources: &[String], edits: &Edits<'_>) -> Result<()> {
        let named = !self.files.filename.is_empty();
        let wrong = if self.list && self.writing.output.is_some() {
            "--list and --output may not be specified together".into()
        } else if self.all && self.many.selector.is_some() {
            "cannot set --all and --selector at the same time".into()
        } else if self.all && self.many.field_selector.is_some() {
            "cannot set --all and --field-selector at the same time".into()
        } else if self.local && self.writing.dry_run == DryRun::Server {
            "cannot specify --local and --dry-run=server - did you mean --dry-run=client?".into()
        } else if self.local && !resources.is_empty() {
            let file = marks.example();
            format!("can only use local files by -f {file}.yaml or --filename={file}.json when --local=true is set")
        } else if self.local && !named {
            let file = marks.example();
            format!("one or more files must be specified as -f {file}.yaml or --filename={file}.json")
        } else if !named && resources.is_empty() {
            "one or more resources must be specified as <resource> <name> or <resource>/<name>".into()
        } else if !self.list && *edits == Edits::default() {
            format!("at least one {} update is required", marks.word())
        } else {
            return Ok(());
        };
        Err(usage(wrong))
    }
}

/// Sets, removes or lists labels or annotations.
///
/// # Errors
/// What kubectl complains about, and what the server says.
pub(crate) async fn run(marks: Marks, flags: Flags, context: &Context) -> Result<()> {
    flags.recording.warn();
    flags.writing.form()?;
    let word = marks.word();
    let (resources, changes) =
        split(&flags.words, is_pair).map_err(|late| usage(format!("all resources must be specified before {word} changes: {late}")))?;
    let edits = marks.parse(changes)?;
    flags.check(marks, resources, &edits)?;
    let wanted = Wanted { words: resources, files: &flags.files, many: &flags.many, all: flags.all, local: flags.local };
    let Subjects { list, mut errors, single } = subjects(context, &wanted).await?;
    if !single && flags.resource_version.is_some() {
        return Err(usage("--resource-version may only be used with a single resource"));
    }
    let mut said = 0;
    for subject in &list {
        let outcome = match flags.list {
            true => show(marks, subject, &edits, single),
            false => change(marks, &flags, context, subject, &edits, said).await,
        };
        match outcome {
            Ok(()) => said += 1,
            Err(error) => errors.push(error),
        }
    }
    Error::from_all(errors)
}

fn show(marks: Marks, subject: &Subject, edits: &Edits<'_>, single: bool) -> Result<()> {
    let mut object = subject.object.clone();
    marks.edit(&mut object, edits);
    let mut page = String::new();
    if !single {
        let resource = &subject.target.resource;
        page = format!("Listing {} for {}.{}/{}:\n", marks.field(), resource.kind, resource.group, subject.target.name);
    }
    let indent = if single { "" } else { " " };
    for (key, value) in strings(&object["metadata"][marks.field()]) {
        page.push_str(&format!("{indent}{key}={value}\n"));
    }
    print(&page)
}

async fn change(marks: Marks, flags: &Flags, context: &Context, subject: &Subject, edits: &Edits<'_>, said: usize) -> Result<()> {
    let sends = !flags.local && !flags.writing.stays_here();
    if sends && marks == Marks::Labels {
        for key in edits.remove.iter().filter(|key| subject.object["metadata"]["labels"][**key].is_null()) {
            print(&format!("label {key:?} not found.\n"))?;
        }
    }
    let edit = |object: &mut Value| {
        if !flags.overwrite {
            marks.protect(object, edits)?;
        }
        if sends {
            flags.recording.note(context, object);
        }
        marks.edit(object, edits);
        Ok(())
    };
    let mut meant = subject.object.clone();
    edit(&mut meant)?;
    let version = flags.resource_version.as_deref();
    let changing = Changing { context, writing: &flags.writing, manager: marks.manager(), local: flags.local, version };
    let changed = changing.send(subject, &edit).await?;
    let done = marks.done(&subject.object, &meant, flags.overwrite);
    // Only annotations are printed as one stream of documents.
    let others = if marks == Marks::Annotations { said } else { 0 };
    flags.writing.say_after(others, &subject.target.resource, changed.as_ref().unwrap_or(&subject.object), done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn words_are_edits() {
        let line = words("a=b c= d-");
        let edits = Marks::Labels.parse(&line).unwrap();
        assert_eq!(edits, Edits { set: BTreeMap::from([("a", "b"), ("c", "")]), remove: vec!["d"] });
        assert_eq!(Marks::Annotations.parse(&words("a=b=c")).unwrap().set["a"], "b=c");
    }

    #[test]
    fn words_that_do_not_go_together() {
        for (marks, line, said) in [
            (Marks::Labels, "a=b=c", "error: invalid label spec: a=b=c"),
            (Marks::Labels, "a=b a-", "error: can not both modify and remove a label in the same command"),
            (
                Marks::Annotations,
                "a=b c=d c- a-",
                "error: can not both modify and remove the following annotation(s) in the same command: c, a",
            ),
        ] {
            assert_eq!(marks.parse(&words(line)).unwrap_err().to_string(), said);
        }
        assert!(
            Marks::Labels
                .parse(&words("a=-b"))
                .unwrap_err()
                .to_string()
                .starts_with("error: invalid label value: \"a=-b\": a valid label ")
        );
    }

    #[test]
    fn what_is_there_is_kept() {
        let object = json!({"metadata": {"labels": {"a": "1", "b": "2"}, "annotations": {"a": "1", "b": "2", CHANGE_CAUSE: "x"}}});
        let said = |marks: Marks, line: &str| marks.protect(&object, &marks.parse(&words(line)).unwrap()).unwrap_err().to_string();
        assert_eq!(said(Marks::Labels, "a=9"), "error: 'a' already has a value (1), and --overwrite is false");
        assert_eq!(
            said(Marks::Annotations, "a=9 b=9"),
            "error: --overwrite is false but found the following declared annotation(s): 'a' already has a value (1); 'b' already has a value (2)"
        );
        assert!(Marks::Labels.protect(&object, &Marks::Labels.parse(&words("a=1")).unwrap()).is_ok());
        let cause = words(&format!("{CHANGE_CAUSE}=y"));
        assert!(Marks::Annotations.protect(&object, &Marks::Annotations.parse(&cause).unwrap()).is_ok());
    }

    #[test]
    fn what_was_done_is_known_by_the_length() {
        let (short, long) = (json!({"metadata": {"labels": {}}}), json!({"metadata": {"labels": {"a": "1"}}}));
        for (before, after, overwrite, done) in [
            (&short, &long, false, "labeled"),
            (&long, &short, false, "unlabeled"),
            (&long, &short, true, "labeled"),
            (&long, &long, false, "not labeled"),
        ] {
            assert_eq!(Marks::Labels.done(before, after, overwrite), done);
        }
    }
}
