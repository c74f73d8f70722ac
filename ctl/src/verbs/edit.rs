//! `edit`: lets a person change objects in an editor.

use crate::{
    context::Context,
    editing::{Editing, What},
    error::{Error, Result, usage},
    output::Templates,
    schemas::Schemas,
    selection::{Files, Many, Placed, expand, nothing_given, select},
    server::JSON,
    writing::{DryRun, Validation, Writing},
};

/// Edit a resource on the server.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE [NAME…], or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Show the patch that is sent.
    #[arg(long)]
    output_patch: bool,
    /// Write carriage returns at the ends of lines.
    #[arg(long)]
    windows_line_endings: bool,
    /// Keep what is saved in the object, for `apply` to compare with later.
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    save_config: bool,
    /// Edit the subresource of this name instead.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    subresource: String,
    /// The name under which the server notes who set the fields.
    #[arg(long, value_name = "NAME")]
    field_manager: Option<String>,
    /// Edit as yaml or json, and print the object so afterwards.
    #[arg(long, short, value_name = "FORM")]
    output: Option<String>,
    /// Also who manages which field.
    #[arg(long)]
    show_managed_fields: bool,
    #[command(flatten)]
    validation: Validation,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if let Some(form) = args.output.as_deref().filter(|form| !matches!(*form, "yaml" | "json")) {
        return Err(usage(format!("unable to match a printer suitable for the output format {form:?}, allowed formats are: json,yaml")));
    }
    if args.words.is_empty() && args.files.is_empty() {
        return Err(nothing_given());
    }
    let server = context.server().await?;
    let selection = select(context, &args.words, &args.files).await?;
    let (mut originals, mut errors) = (Vec::new(), Vec::new());
    for target in expand(context, selection, &Many::default(), true).await? {
        let fetched = match args.subresource.as_str() {
            "" => target.fetch(server, JSON).await,
            subresource => server.get(&format!("{}/{subresource}", target.path())).await,
        };
        match fetched {
            Ok(object) => originals.push(Placed { target, object }),
            Err(error) => errors.push(error),
        }
    }
    Error::from_all(errors)?;
    if originals.is_empty() {
        return Err(usage("edit cancelled, no objects found"));
    }
    let writing = Writing {
        dry_run: DryRun::None,
        field_manager: args.field_manager,
        output: args.output,
        show_managed_fields: args.show_managed_fields,
        templates: Templates::default(),
    };
    let editing = Editing {
        context,
        server,
        what: What::Objects,
        writing,
        validation: &args.validation,
        save_config: args.save_config,
        output_patch: args.output_patch,
        windows_line_endings: args.windows_line_endings,
        subresource: args.subresource,
        schemas: Schemas::default(),
    };
    editing.edit(originals).await
}
