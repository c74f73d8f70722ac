//! `create`: makes objects, from files or from what its flags say. It sends what it is given, and fails if that is there already.

mod generators;

use clap::{ArgMatches, Command, FromArgMatches};
use http::Method;
use mini_api::selector::Selector;
use serde_json::Value;

use crate::{
    context::Context,
    error::{Error, Result, usage},
    making::Making,
    manifest::Document,
    patch,
    selection::{Files, Placed, place},
    server::{Call, JSON},
    value::strings,
    writing::Validation,
};

/// Who sets the fields, unless the user says otherwise.
const MANAGER: &str = "kubectl-create";

/// Either files, or the word of a generator with flags of its own.
#[derive(Debug)]
pub(super) struct Args {
    flags: Flags,
    generator: Option<(String, ArgMatches)>,
}

/// Create a resource from a file, from stdin, or from what flags say about it.
#[derive(clap::Args, Debug)]
struct Flags {
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Only the objects of the files with these labels.
    #[arg(long, short = 'l', value_name = "SELECTOR", allow_hyphen_values = true)]
    selector: Option<String>,
    #[command(flatten)]
    making: Making,
    #[command(flatten)]
    validation: Validation,
}

impl clap::Args for Args {
    fn augment_args(command: Command) -> Command {
        <Flags as clap::Args>::augment_args(command).subcommands(generators::commands())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let generator = matches.subcommand().map(|(word, matches)| (word.to_owned(), matches.clone()));
        Ok(Self { flags: Flags::from_arg_matches(matches)?, generator })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if let Some((word, matches)) = &args.generator {
        return generators::run(word, matches, context).await;
    }
    let flags = args.flags;
    flags.making.writing.form()?;
    if !flags.words.is_empty() {
        return Err(usage(format!("Unexpected args: [{}]\nSee 'mini-ctl create -h' for help and examples", flags.words.join(" "))));
    }
    flags.files.required()?;
    let selector = Selector::parse(flags.selector.as_deref().unwrap_or_default()).map_err(|error| usage(error.to_string()))?;
    let mut documents = flags.files.documents()?;
    documents.retain(|document| selects(&selector, &document.object));
    if documents.is_empty() {
        return Err(usage("no objects passed to create"));
    }
    let mut errors = Vec::new();
    for document in documents {
        if let Err(error) = create(&flags, context, document).await {
            let fatal = matches!(error, Error::ConnectionRefused { .. } | Error::Unreachable(_));
            errors.push(error);
            if fatal {
                break;
            }
        }
    }
    Error::from_all(errors)
}

fn selects(selector: &Selector, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    selector.matches_with(|key| strings(labels).find(|(label, _)| *label == key).map(|(_, value)| value))
}

/// Creates an object of a file.
async fn create(flags: &Flags, context: &Context, document: Document) -> Result<()> {
    let Placed { target, object } = place(context, document).await?;
    let mut object = if flags.making.save_config { patch::with_last_applied(&object) } else { object };
    let writing = &flags.making.writing;
    if !writing.stays_here() {
        let path = writing.query(&target.resource.path(Some(&target.namespace)), MANAGER, &[flags.validation.parameter()]);
        let call = Call { method: Method::POST, path: &path, content_type: JSON, body: &object };
        object = context.server().await?.call(call).await.map_err(|error| error.while_doing("creating", &target.source))?;
    }
    flags.making.tell(&target.resource, &object, "created")
}
