//! `diff`: shows what `apply` would change, by asking the server what would come of it and letting a program compare.

use std::{
    collections::BTreeSet,
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    applying::{Applying, Changed},
    context::Context,
    error::{Error, Result, usage},
    manifest::labelled,
    output::{Templates, trimmed},
    pruning,
    schemas::Schemas,
    selection::{Files, Placed, Target, place},
    temporary,
    value::{map_mut, text},
    writing::{DryRun, Writing},
    yaml,
};

/// How often what is there is looked at again when it changes meanwhile.
const ATTEMPTS: u32 = 4;

/// Diff the live version against a would-be applied version.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Only objects with these labels.
    #[arg(long, short = 'l', value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    selector: String,
    /// Also show what `apply --prune` would delete.
    #[arg(long)]
    prune: bool,
    /// With --prune: only these kinds, each as group/version/kind, instead of the usual ones.
    #[arg(long, value_name = "KIND")]
    prune_allowlist: Vec<String>,
    /// Let the server merge (server-side apply).
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    server_side: bool,
    /// With --server-side: take over fields that others manage.
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    force_conflicts: bool,
    /// The name under which the server would note who sets the fields.
    #[arg(long, value_name = "NAME")]
    field_manager: Option<String>,
    /// Also who manages which field.
    #[arg(long)]
    show_managed_fields: bool,
    /// How many objects to compare at once; accepted, they are compared one by one.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    concurrency: u32,
}

/// That something differs is exit code 1; so what goes wrong is another one.
pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    match differences(&args, context).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::Silent),
        Err(error) => Err(Error::Exit { code: 2, message: error.to_string() }),
    }
}

/// Whether there are any, according to the program that compares.
async fn differences(args: &Args, context: &Context) -> Result<bool> {
    if args.force_conflicts && !args.server_side {
        return Err(usage("--force-conflicts only works with --server-side"));
    }
    args.files.required()?;
    if !args.words.is_empty() {
        return Err(usage(format!("Unexpected args: [{}]\nSee 'mini-ctl diff -h' for help and examples", args.words.join(" "))));
    }
    let documents = labelled(args.files.documents()?, &args.selector)?;
    let writing = Writing { dry_run: DryRun::Server, field_manager: args.field_manager.clone(), output: None, templates: Templates::default(), show_managed_fields: false };
    let server = context.server().await?;
    let applying = Applying { server, writing: &writing, validation: None, annotate: false, schemas: Schemas::default() };
    let pages = Pages::new()?;
    let (mut kept, mut namespaces) = (BTreeSet::new(), BTreeSet::new());
    for document in documents {
        let Placed { target, object } = place(context, document).await?;
        target.named()?;
        let (live, merged) = compared(args, &applying, &target, &object).await?;
        kept.extend(live.as_ref().map(|live| text(&live["metadata"]["uid"]).to_owned()));
        if target.resource.namespaced {
            namespaces.insert(target.namespace.clone());
        }
        let shown = |object: Value| if args.show_managed_fields { object } else { trimmed(object) };
        pages.add(live.map(shown), Some(shown(merged)))?;
    }
    if args.prune {
        let kinds = pruning::kinds(context.catalog().await?, &args.prune_allowlist)?;
        for Placed { object, .. } in pruning::doomed(server, &kinds, &namespaces, &args.selector, &kept).await? {
            pages.add(Some(object), None)?;
        }
    }
    compare(&pages.live, &pages.merged)
}

/// What is there, if anything is, and what would be.
async fn compared(args: &Args, applying: &Applying<'_>, target: &Target, object: &Value) -> Result<(Option<Value>, Value)> {
    let mut attempt = 1;
    loop {
        let live = match applying.server.get(&target.path()).await {
            Ok(live) => Some(live),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        let merged = if args.server_side {
            applying.server_side(target, object, args.force_conflicts).await
        } else if let Some(live) = &live {
            applying.update(target, object, live).await.map(|changed| match changed {
                Changed::To(merged) => merged,
                Changed::Not => live.clone(),
            })
        } else {
            applying.create(target, object).await
        };
        match merged {
            Err(error) if attempt < ATTEMPTS && error.is_conflict() => attempt += 1,
            merged => return merged.map(|merged| (live, merged)),
        }
    }
}

/// Two folders with a file for each object: as it is, and as it would be. They are removed in the end.
struct Pages {
    live: PathBuf,
    merged: PathBuf,
}

impl Pages {
    fn new() -> Result<Self> {
        Ok(Self { live: temporary::folder("LIVE")?, merged: temporary::folder("MERGED")? })
    }

    fn add(&self, live: Option<Value>, merged: Option<Value>) -> Result<()> {
        let file = file_name(merged.as_ref().or(live.as_ref()).unwrap_or(&Value::Null));
        let (live, merged) = masked(live, merged);
        for (folder, object) in [(&self.live, live), (&self.merged, merged)] {
            let path = folder.join(&file);
            fs::write(&path, object.as_ref().map(yaml::to_string).unwrap_or_default()).map_err(|error| usage(format!("write {}: {error}", path.display())))?;
        }
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        for folder in [&self.live, &self.merged] {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// `apps.v1.Deployment.default.web`.
fn file_name(object: &Value) -> String {
    let metadata = &object["metadata"];
    let version = text(&object["apiVersion"]).replace('/', ".");
    format!("{version}.{}.{}.{}", text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"]))
}

/// Both, with the values of a secret hidden, but not whether they differ.
fn masked(mut live: Option<Value>, mut merged: Option<Value>) -> (Option<Value>, Option<Value>) {
    let is_secret = |object: &Option<Value>| object.as_ref().is_some_and(|object| object["kind"] == "Secret" && object["apiVersion"] == "v1");
    if is_secret(&live) || is_secret(&merged) {
        let data = |object: &Option<Value>| object.as_ref().map(|object| object["data"].clone()).unwrap_or_default();
        let (before, after) = (data(&live), data(&merged));
        let differs = |key: &str| !before[key].is_null() && !after[key].is_null() && before[key] != after[key];
        for (object, changed) in [(&mut live, "*** (before)"), (&mut merged, "*** (after)")] {
            let Some(object) = object.as_mut().filter(|object| object["data"].is_object()) else { continue };
            for (key, value) in map_mut(&mut object["data"]).iter_mut() {
                *value = if differs(key) { changed } else { "***" }.into();
            }
        }
    }
    (live, merged)
}

/// Lets a program compare the folders.
fn compare(live: &Path, merged: &Path) -> Result<bool> {
    let chosen = env::var("KUBECTL_EXTERNAL_DIFF").ok().filter(|line| !line.is_empty());
    let words: Vec<&str> = chosen.as_deref().map_or_else(|| vec!["diff", "-u", "-N"], |line| line.split(' ').collect());
    // What could mean something to a shell is left out, as upstream does.
    let is_plain = |word: &&&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '=');
    let arguments = words[1..].iter().filter(is_plain);
    match Command::new(words[0]).args(arguments).arg(live).arg(merged).status() {
        Ok(status) => match status.code() {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            _ => Err(usage(format!("failed to run {:?}: {}", words[0], status.to_string().replace("exit status: ", "exit status ")))),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(usage(format!("failed to run {:?}: executable file not found in $PATH", words[0])))
        }
        Err(error) => Err(usage(format!("failed to run {:?}: {error}", words[0]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_is_named_after_its_object() {
        let object = |version: &str| json!({"apiVersion": version, "kind": "X", "metadata": {"name": "a", "namespace": "b"}});
        assert_eq!(file_name(&object("v1")), "v1.X.b.a");
        assert_eq!(file_name(&object("apps/v1")), "apps.v1.X.b.a");
    }

    #[test]
    fn secrets_show_that_they_differ_and_not_how() {
        let secret = |data: Value| Some(json!({"apiVersion": "v1", "kind": "Secret", "data": data}));
        let (live, merged) = masked(secret(json!({"a": "1", "b": "1", "c": "1"})), secret(json!({"a": "1", "b": "2", "d": "1"})));
        assert_eq!(live.unwrap()["data"], json!({"a": "***", "b": "*** (before)", "c": "***"}));
        assert_eq!(merged.unwrap()["data"], json!({"a": "***", "b": "*** (after)", "d": "***"}));
    }
}
