//! `rollout history`: which templates a workload has had, and what they said.

use serde_json::Value;

use super::{
    Choice, Workload,
    revisions::{Revision, keepers, revisions},
    without_revisions,
};
use crate::{
    changing::{Subject, Subjects},
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    output::Output,
    print::{TabWriter, print},
    verbs::describe,
    writing::Writing,
};

/// View rollout history.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Show the template of this revision.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_hyphen_values = true)]
    revision: i64,
    #[command(flatten)]
    writing: Writing,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    args.choice.required()?;
    if args.revision < 0 {
        return Err(usage(format!("revision must be a positive integer: {}", args.revision)));
    }
    let form = args.writing.form()?;
    let Subjects { list, mut errors, .. } = args.choice.subjects(context).await?;
    for subject in &list {
        errors.extend(show(&args, form.as_ref(), context, subject).await.err());
    }
    Error::from_all(errors)
}

async fn show(args: &Args, form: Option<&Output>, context: &Context, subject: &Subject) -> Result<()> {
    let resource = &subject.target.resource;
    let workload = Workload::of(resource).ok_or_else(|| without_revisions(resource, "history viewer"))?;
    let mut revisions = revisions(context, subject, workload).await?;
    if args.revision > 0 && !revisions.is_empty() {
        revisions.retain(|number, _| *number == args.revision);
        if revisions.is_empty() {
            return Err(usage("unable to find the specified revision"));
        }
    }
    if form.is_some() {
        for (said, revision) in revisions.values().enumerate() {
            let (resource, object) = raw(context, subject, workload, revision).await?;
            args.writing.say_after(said, &resource, &object, "")?;
        }
        return Ok(());
    }
    let with = if args.revision > 0 { format!("with revision #{}", args.revision) } else { String::new() };
    let text = match revisions.values().next() {
        None => "No rollout history found.".to_owned(),
        Some(revision) if args.revision > 0 => describe::template_text(&revision.template),
        Some(_) => {
            let mut writer = TabWriter::page();
            writer.line("REVISION\tCHANGE-CAUSE");
            for (number, Revision { cause, .. }) in &revisions {
                writer.line(&format!("{number}\t{}", if cause.is_empty() { "<none>" } else { cause }));
            }
            writer.take()
        }
    };
    print(&format!("{} {with}\n{text}\n", subject.target.slashed()))
}

/// In the forms of objects it is what keeps the template that is printed, or the workload as it was with it.
async fn raw(context: &Context, subject: &Subject, workload: Workload, revision: &Revision) -> Result<(Resource, Value)> {
    if workload == Workload::Deployment {
        return Ok((keepers(context, workload).await?, revision.keeper.clone()));
    }
    let mut object = subject.object.clone();
    object["spec"]["template"] = revision.template.clone();
    Ok((subject.target.resource.clone(), object))
}
