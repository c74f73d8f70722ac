//! `apply`: makes the cluster be as the files say. Creates what is not there; changes what differs, and only that, leaving
//! alone what others have set; says which of the two, or that nothing had to be done.

mod edit_last_applied;
mod migrate;
mod set_last_applied;
mod view_last_applied;

use std::{collections::BTreeSet, time::Duration};

use clap::{ArgAction, Subcommand};
use http::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    applying::{Applying, Changed},
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    manifest::{Document, labelled},
    output::{Output, list_of, trimmed},
    patch,
    print::print,
    pruning,
    schemas::Schemas,
    selection::{Files, Placed, Target, place},
    server::{Call, JSON, warn},
    value::{name, text},
    verbs::{
        delete::{Cascade, until_gone},
        wait::duration,
    },
    writing::{DryRun, Recording, Validation, Writing},
};

/// Apply a configuration to a resource by file name or stdin.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    inner: Option<Inner>,
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Only objects with these labels.
    #[arg(long, short = 'l', value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    selector: String,
    /// With --prune: whatever their labels.
    #[arg(long)]
    all: bool,
    /// Delete what was applied before and is in the files no more.
    #[arg(long)]
    prune: bool,
    /// With --prune: only these kinds, each as group/version/kind, instead of the usual ones.
    #[arg(long, value_name = "KIND")]
    prune_allowlist: Vec<String>,
    /// Take the file's value where others have set another one.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    overwrite: bool,
    /// Delete the object and make it anew when it cannot be changed.
    #[arg(long)]
    force: bool,
    /// With --force or --prune: seconds an object is given to end well; negative: what the object says.
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_hyphen_values = true)]
    grace_period: i64,
    /// With --force: how long to wait until it is gone; 0 is for ever.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    timeout: Duration,
    /// With --force or --prune: what happens to the objects it owns.
    #[arg(long, value_name = "HOW", default_value = "background", num_args = 0..=1, require_equals = true, default_missing_value = "background", ignore_case = true)]
    cascade: Cascade,
    /// Accepted; there is always a wait until an object to be made anew is gone.
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    wait: bool,
    /// Let the server merge (server-side apply).
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    server_side: bool,
    /// With --server-side: take over fields that others manage.
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    force_conflicts: bool,
    #[command(flatten)]
    recording: Recording,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    validation: Validation,
}

#[derive(Subcommand, Debug)]
enum Inner {
    #[command(name = "view-last-applied")]
    View(view_last_applied::Args),
    #[command(name = "set-last-applied")]
    Set(set_last_applied::Args),
    #[command(name = "edit-last-applied")]
    Edit(edit_last_applied::Args),
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    match args.inner {
        Some(Inner::View(args)) => view_last_applied::run(args, context).await,
        Some(Inner::Set(args)) => set_last_applied::run(args, context).await,
        Some(Inner::Edit(args)) => edit_last_applied::run(args, context).await,
        None => apply(args, context).await,
    }
}

async fn apply(args: Args, context: &Context) -> Result<()> {
    args.recording.warn();
    let form = args.writing.form()?;
    check(&args)?;
    // All files are read before anything is sent: half a mistake is worse than a whole one.
    let documents = args.files.documents()?;
    let server = context.server().await?;
    let doomed = if args.prune { pruning::kinds(context.catalog().await?, &args.prune_allowlist)? } else { Vec::new() };
    let writing = &args.writing;
    let applying = Applying { server, writing, validation: Some(&args.validation), annotate: true, schemas: Schemas::default() };
    let apply = Apply { context, args: &args, applying };
    let (mut errors, mut applied) = (Vec::new(), Vec::new());
    for document in labelled(documents, &args.selector)? {
        match apply.one(document, form.is_some()).await {
            Ok(placed) => applied.push(placed),
            Err(error) => {
                let fatal = matches!(error, Error::ConnectionRefused { .. } | Error::Unreachable(_));
                errors.push(error);
                if fatal {
                    break;
                }
            }
        }
    }
    if applied.is_empty() && errors.is_empty() {
        return Err(usage("no objects passed to apply"));
    }
    Error::from_all(errors)?;
    if let Some(form) = form.filter(|form| !matches!(form, Output::Name)) {
        print_all(&args, &form, &applied)?;
    }
    if args.prune {
        apply.prune(&doomed, &applied).await?;
    }
    Ok(())
}

fn check(args: &Args) -> Result<()> {
    let complaint = if args.force_conflicts && !args.server_side {
        "--force-conflicts only works with --server-side"
    } else if args.server_side && args.writing.stays_here() {
        "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"
    } else if args.files.is_empty() {
        return args.files.required();
    } else if args.server_side && args.force {
        "--force cannot be used with --server-side"
    } else if args.writing.dry_run == DryRun::Server && args.force {
        "--dry-run=server cannot be used with --force"
    } else if !args.words.is_empty() {
        return Err(usage(format!("Unexpected args: [{}]\nSee 'mini-ctl apply -h' for help and examples", args.words.join(" "))));
    } else if args.all && !args.selector.is_empty() {
        "cannot set --all and --selector at the same time"
    } else if args.prune && !args.all && args.selector.is_empty() {
        "all resources selected for prune without explicitly passing --all. To prune all resources, pass the --all flag. \
         If you did not mean to prune all resources, specify a label selector"
    } else {
        return Ok(());
    };
    Err(usage(complaint))
}

/// All objects in one form: a single one as it is, several as a list.
fn print_all(args: &Args, form: &Output, applied: &[Placed]) -> Result<()> {
    let shown = |placed: &Placed| if args.writing.show_managed_fields { placed.object.clone() } else { trimmed(placed.object.clone()) };
    match applied {
        [one] => print(&form.render(&one.target.resource, &shown(one))?),
        many => print(&list_of(form, many.iter().map(shown).collect())?),
    }
}

struct Apply<'a> {
    context: &'a Context,
    args: &'a Args,
    applying: Applying<'a>,
}

impl Apply<'_> {
    /// Applies one object; gives it as it is now. `quiet` if it is printed in another form later.
    async fn one(&self, document: Document, quiet: bool) -> Result<Placed> {
        let Placed { target, mut object } = place(self.context, document).await?;
        if target.name.is_empty() {
            return Err(match object["metadata"]["generateName"].as_str() {
                Some(prefix) => usage(format!("from {prefix}: cannot use generate name with apply")),
                None => self.retrieving(&target, usage("resource name may not be empty")),
            });
        }
        self.args.recording.note(self.context, &mut object);
        let (object, what) = self.made(&target, object).await?;
        if !text(&object["metadata"]["deletionTimestamp"]).is_empty() {
            warn(&format!("Detected changes to resource {} which is currently being deleted.", name(&object)));
        }
        if !quiet || self.args.writing.output.as_deref() == Some("name") {
            self.args.writing.say(&target.resource, &object, what)?;
        }
        Ok(Placed { target, object })
    }

    /// Makes the object be what the file says; gives what it is, and how that came to be.
    async fn made(&self, target: &Target, object: Value) -> Result<(Value, &'static str)> {
        let (applying, args) = (&self.applying, self.args);
        if args.server_side {
            let applied = applying.server_side(target, &object, args.force_conflicts).await?;
            return Ok((self.migrated(target, &object, applied).await, "serverside-applied"));
        }
        let live = match applying.server.get(&target.path()).await {
            Ok(live) => live,
            Err(error) if error.is_not_found() => {
                let created = applying.create(target, &object).await.map_err(|error| error.while_doing("creating", &target.source))?;
                return Ok((created, "created"));
            }
            Err(error) => return Err(self.retrieving(target, error)),
        };
        if args.writing.stays_here() {
            return Ok((live, "configured"));
        }
        if live["metadata"]["annotations"][patch::LAST_APPLIED].is_null() {
            warn(&format!(
                "resource {}/{} is missing the {} annotation which is required by mini-ctl apply. mini-ctl apply should only be used on resources \
                 created declaratively by either mini-ctl create --save-config or mini-ctl apply. The missing annotation will be patched automatically.",
                target.resource.plural,
                target.name,
                patch::LAST_APPLIED
            ));
        }
        let refused = |error: &Error| error.refusal().is_some_and(|refusal| refusal.code == 409 || refusal.reason == "Invalid");
        match applying.update(target, &object, &live).await {
            Ok(Changed::To(changed)) => Ok((changed, "configured")),
            Ok(Changed::Not) => Ok((live, "unchanged")),
            Err(error) if args.force && refused(&error) => Ok((self.anew(target, &object, &live).await?, "configured")),
            Err(error) => Err(error),
        }
    }

    fn retrieving(&self, target: &Target, error: Error) -> Error {
        error.while_doing(&format!("retrieving current configuration of:\n{}\nfrom server for:", target.described()), &target.source)
    }

    /// Deletes the object and makes it anew, or again what it was.
    async fn anew(&self, target: &Target, object: &Value, live: &Value) -> Result<Value> {
        let applying = &self.applying;
        self.delete(target).await?;
        let gone = until_gone(applying.server, target, "");
        match self.args.timeout {
            Duration::ZERO => gone.await?,
            patience => timeout(patience, gone).await.map_err(|_| usage("timed out waiting for the condition"))??,
        }
        let refused = match applying.create(target, object).await {
            Ok(created) => return Ok(created),
            Err(error) => error,
        };
        let mut before = live.clone();
        before["metadata"]["resourceVersion"] = Value::Null;
        before["metadata"]["uid"] = Value::Null;
        Err(match (Applying { annotate: false, schemas: Schemas::default(), ..*applying }).create(target, &before).await {
            Ok(_) => refused,
            Err(again) => usage(format!(
                "An error occurred force-replacing the existing object with the newly provided one:\n\n{}.\n\nAdditionally, an error occurred \
                 attempting to restore the original object:\n\n{}",
                refused.bare(),
                again.bare()
            )),
        })
    }

    async fn prune(&self, kinds: &[Resource], applied: &[Placed]) -> Result<()> {
        let kept = applied.iter().map(|placed| text(&placed.object["metadata"]["uid"]).to_owned()).collect();
        let namespaced = applied.iter().filter(|placed| placed.target.resource.namespaced);
        let mut namespaces: BTreeSet<String> = namespaced.map(|placed| placed.target.namespace.clone()).collect();
        namespaces.extend(self.context.demanded_namespace().map(str::to_owned));
        for Placed { target, object } in pruning::doomed(self.applying.server, kinds, &namespaces, &self.args.selector, &kept).await? {
            if !self.args.writing.stays_here() {
                self.delete(&target).await?;
            }
            self.args.writing.say(&target.resource, &object, "pruned")?;
        }
        Ok(())
    }

    /// Deletes an object as the flags say.
    async fn delete(&self, target: &Target) -> Result<()> {
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": self.args.cascade.policy()});
        if self.args.grace_period >= 0 {
            options["gracePeriodSeconds"] = self.args.grace_period.into();
        }
        if self.args.writing.dry_run == DryRun::Server {
            options["dryRun"] = json!(["All"]);
        }
        self.applying.server.call(Call { method: Method::DELETE, path: &target.path(), content_type: JSON, body: &options }).await?;
        Ok(())
    }
}
