//! `rollout`: how a workload comes from one template of its pods to the next, and back. One file for each thing to do.

mod history;
mod pause;
mod restart;
mod resume;
mod revisions;
mod status;
mod undo;

use clap::Subcommand;
use serde_json::Value;

use crate::{
    changing::{Changing, Subject, Subjects, Wanted, subjects},
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    print::notice,
    selection::{Files, Many},
    writing::Writing,
};

/// Manage the rollout of one or many resources.
#[derive(clap::Args, Debug)]
#[command(arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    step: Step,
}

/// What can be done.
#[derive(Subcommand, Debug)]
enum Step {
    History(history::Args),
    Pause(pause::Args),
    Restart(restart::Args),
    Resume(resume::Args),
    Status(status::Args),
    Undo(undo::Args),
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    match args.step {
        Step::History(args) => history::run(args, context).await,
        Step::Pause(args) => pause::run(args, context).await,
        Step::Restart(args) => restart::run(args, context).await,
        Step::Resume(args) => resume::run(args, context).await,
        Step::Status(args) => status::run(args, context).await,
        Step::Undo(args) => undo::run(args, context).await,
    }
}

/// What workloads are meant.
#[derive(clap::Args, Debug)]
struct Choice {
    /// TYPE [NAME…], or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Only objects with these labels: a=b, a!=b, a in (b,c), a, !a.
    #[arg(long, short = 'l', value_name = "SELECTOR", allow_hyphen_values = true)]
    selector: Option<String>,
}

impl Choice {
    /// That something is meant.
    fn required(&self) -> Result<()> {
        match self.words.is_empty() && self.files.filename.is_empty() {
            true => Err(usage("required resource not specified")),
            false => Ok(()),
        }
    }

    /// Reads the workloads. A type alone means all of it.
    async fn subjects(&self, context: &Context) -> Result<Subjects> {
        self.required()?;
        let many = Many { selector: self.selector.clone(), ..Many::default() };
        subjects(context, &Wanted { words: &self.words, files: &self.files, many: &many, all: true, local: false }).await
    }

    /// The same, saying so if there are none.
    async fn some_subjects(&self, context: &Context) -> Result<Subjects> {
        let subjects = self.subjects(context).await?;
        if subjects.list.is_empty() && subjects.errors.is_empty() {
            notice(&format!("No resources found in {} namespace.", context.namespace().await?));
        }
        Ok(subjects)
    }
}

/// A kind of workload that is rolled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Workload {
    Deployment,
    DaemonSet,
    StatefulSet,
}

impl Workload {
    fn of(resource: &Resource) -> Option<Self> {
        match (resource.group.as_str(), resource.kind.as_str()) {
            ("apps", "Deployment") => Some(Self::Deployment),
            ("apps", "DaemonSet") => Some(Self::DaemonSet),
            ("apps", "StatefulSet") => Some(Self::StatefulSet),
            _ => None,
        }
    }
}

/// The kind as messages about kinds have it: `ReplicaSet.apps`.
fn kind(resource: &Resource) -> String {
    match resource.group.as_str() {
        "" => resource.kind.clone(),
        group => format!("{}.{group}", resource.kind),
    }
}

/// What is said of a kind without revisions: `what` is it that would deal with them. kubectl knows some kinds by name, and says another
/// thing of the others.
fn without_revisions(resource: &Resource, what: &str) -> Error {
    const KNOWN: [(&str, &str); 5] =
        [("", "Pod"), ("", "ReplicationController"), ("apps", "ReplicaSet"), ("batch", "CronJob"), ("batch", "Job")];
    let kind = kind(resource);
    if KNOWN.contains(&(resource.group.as_str(), resource.kind.as_str())) {
        return usage(format!("no {what} has been implemented for {kind:?}"));
    }
    let what = what.split(' ').next().unwrap_or(what);
    usage(format!("error retrieving {what} for {kind:?}, no visitor method exists for {{{} {}}}", resource.group, resource.kind))
}

/// What is done to an object of a workload, or why not.
type Change<'a> = dyn Fn(Option<Workload>, &mut Value) -> Result<(), String> + 'a;

/// A change of some fields that `pause`, `resume` and `restart` make.
struct Switch<'a> {
    done: &'static str,
    /// What it does; or why not, in words that follow the object's name.
    change: &'a Change<'a>,
    /// What is said when the object is so already.
    idle: &'a dyn Fn(&Subject) -> Result<()>,
}

impl Switch<'_> {
    async fn run(&self, choice: &Choice, writing: &Writing, context: &Context) -> Result<()> {
        writing.form()?;
        let Subjects { list, mut errors, .. } = choice.some_subjects(context).await?;
        let changing = Changing { context, writing, manager: "kubectl-rollout", local: false, version: None };
        for subject in &list {
            let resource = &subject.target.resource;
            let change = |object: &mut Value| {
                (self.change)(Workload::of(resource), object)
                    .map_err(|why| Error::Plain(format!("error: {} {:?} {why}", resource.qualified_plural(), subject.target.name)))
            };
            let outcome = match changing.send(subject, &change).await {
                Ok(Some(object)) => writing.say(resource, &object, self.done),
                Ok(None) => (self.idle)(subject),
                Err(error) => Err(match error.refusal() {
                    Some(refusal) => usage(format!("failed to patch: {}", refusal.message)),
                    None => error,
                }),
            };
            errors.extend(outcome.err());
        }
        Error::from_all(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_without_revisions() {
        let resource = |group: &str, kind: &str| Resource { group: group.into(), kind: kind.into(), ..Resource::default() };
        for (group, kind, what, said) in [
            ("apps", "ReplicaSet", "history viewer", "error: no history viewer has been implemented for \"ReplicaSet.apps\""),
            ("", "ConfigMap", "history viewer", "error: error retrieving history for \"ConfigMap\", no visitor method exists for { ConfigMap}"),
            ("", "ConfigMap", "rollbacker", "error: error retrieving rollbacker for \"ConfigMap\", no visitor method exists for { ConfigMap}"),
        ] {
            assert_eq!(without_revisions(&resource(group, kind), what).to_string(), said);
        }
    }
}
