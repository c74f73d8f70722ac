//! `set`: changes one thing that many objects have in common, most of all in their pod templates. One file for each thing.

mod env;
mod env_sources;
mod image;
mod resources;
mod selector;
mod serviceaccount;
mod subject;
mod templates;

use clap::Subcommand;

use crate::{
    changing::{Subjects, Wanted, subjects},
    context::Context,
    error::{Error, Result, usage},
    selection::{Files, Many},
    writing::{DryRun, Writing},
};

/// Who sets the fields.
const MANAGER: &str = "kubectl-set";

/// Set specific features on objects.
#[derive(clap::Args, Debug)]
#[command(arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    thing: Thing,
}

/// What can be set.
#[derive(Subcommand, Debug)]
#[command(rename_all = "lower")]
enum Thing {
    Env(Box<env::Args>),
    Image(image::Args),
    Resources(resources::Args),
    Selector(selector::Args),
    #[command(alias = "sa")]
    Serviceaccount(serviceaccount::Args),
    Subject(subject::Args),
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    match args.thing {
        Thing::Env(args) => env::run(*args, context).await,
        Thing::Image(args) => image::run(args, context).await,
        Thing::Resources(args) => resources::run(args, context).await,
        Thing::Selector(args) => selector::run(args, context).await,
        Thing::Serviceaccount(args) => serviceaccount::run(args, context).await,
        Thing::Subject(args) => subject::run(args, context).await,
    }
}

/// The flags of everything that can be set.
#[derive(clap::Args, Debug)]
struct Flags {
    #[command(flatten)]
    files: Files,
    /// Every object of the type.
    #[arg(long)]
    all: bool,
    /// Do not ask the server; change what the files say.
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    writing: Writing,
}

/// The flag of those that can be pointed at objects by their labels.
#[derive(clap::Args, Debug, Default)]
struct Labelled {
    /// Only objects with these labels: a=b, a!=b, a in (b,c), a, !a.
    #[arg(long, short = 'l', value_name = "SELECTOR", allow_hyphen_values = true)]
    selector: Option<String>,
}

impl Flags {
    /// Reads what is to be changed.
    async fn subjects(&self, context: &Context, words: &[String], labelled: &Labelled) -> Result<Subjects> {
        self.writing.form()?;
        let many = Many { selector: labelled.selector.clone(), ..Many::default() };
        let wanted = Wanted { words, files: &self.files, many: &many, all: self.all, local: self.local };
        subjects(context, &wanted).await
    }

    /// That not two ways to choose are given.
    fn one_choice(&self, labelled: &Labelled) -> Result<()> {
        match self.all && labelled.selector.is_some() {
            true => Err(usage("cannot set --all and --selector at the same time")),
            false => Ok(()),
        }
    }

    /// That a server is not both asked and not.
    fn one_place(&self) -> Result<()> {
        match self.local && self.writing.dry_run == DryRun::Server {
            true => Err(usage("cannot specify --local and --dry-run=server - did you mean --dry-run=client?")),
            false => Ok(()),
        }
    }
}

/// What is said of an object that cannot be changed so. kubectl ends it with an empty line where it stands among others.
fn wrong(subject: &crate::changing::Subject, why: &str) -> Error {
    Error::Plain(format!("error: {} {why}\n", subject.target.plural_slashed()))
}

/// What is said when the server refuses.
fn refused(what: &str, error: Error) -> Error {
    match error.refusal() {
        Some(refusal) => usage(format!("{what}{}", refusal.message)),
        None => error,
    }
}

/// The one error, or all of them.
fn all(mut errors: Vec<Error>) -> Result<()> {
    match errors.as_mut_slice() {
        [Error::Plain(text)] => {
            text.truncate(text.trim_end().len());
            Error::from_all(errors)
        }
        _ => Error::from_all(errors),
    }
}
