//! `apply edit-last-applied`: lets a person change what was last applied, without applying it.

use crate::{
    applying::MANAGER,
    context::Context,
    editing::{Editing, What},
    error::{Error, Result, usage},
    manifest::Document,
    output::Templates,
    patch::last_applied,
    schemas::Schemas,
    selection::{Files, Many, expand, nothing_given, place, select},
    server::JSON,
    writing::{DryRun, Validation, Writing},
};

/// Edit latest last-applied-configuration annotations of a resource or object.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE [NAME…], or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Write carriage returns at the ends of lines.
    #[arg(long)]
    windows_line_endings: bool,
    /// The name under which the server notes who set the fields.
    #[arg(long, value_name = "NAME")]
    field_manager: Option<String>,
    /// Edit as yaml or json, and print the object so afterwards.
    #[arg(long, short, value_name = "FORM", value_parser = ["yaml", "json"])]
    output: Option<String>,
    #[command(flatten)]
    validation: Validation,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if args.words.is_empty() && args.files.is_empty() {
        return Err(nothing_given());
    }
    let server = context.server().await?;
    let selection = select(context, &args.words, &args.files).await?;
    let (mut originals, mut errors) = (Vec::new(), Vec::new());
    for target in expand(context, selection, &Many::default(), true).await? {
        match target.fetch(server, JSON).await {
            Ok(live) => {
                if let Some(object) = last_applied(&live) {
                    originals.push(place(context, Document { object, source: String::new() }).await?);
                }
            }
            Err(error) => errors.push(error),
        }
    }
    Error::from_all(errors)?;
    if originals.is_empty() {
        return Err(usage(
            "no last-applied-configuration annotation found on resources, to create the annotation, use command `mini-ctl apply set-last-applied --create-annotation`",
        ));
    }
    let field_manager = args.field_manager.or_else(|| Some(MANAGER.into()));
    let editing = Editing {
        context,
        server,
        what: What::LastApplied,
        writing: Writing { dry_run: DryRun::None, field_manager, output: args.output, show_managed_fields: false, templates: Templates::default() },
        validation: &args.validation,
        save_config: false,
        output_patch: false,
        windows_line_endings: args.windows_line_endings,
        subresource: String::new(),
        schemas: Schemas::default(),
    };
    editing.edit(originals).await
}
