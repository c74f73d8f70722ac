//! `apply view-last-applied`: prints what was last applied, from the annotation in which it is kept.

use crate::{
    context::Context,
    error::{Error, Result, usage},
    output::json_indented,
    patch::last_applied,
    print::print,
    selection::{Files, Many, expand, nothing_given, select},
    server::JSON,
    yaml,
};

/// View the latest last-applied-configuration annotations of resources or files.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME…, or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Only objects with these labels.
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<String>,
    /// Every object of the type.
    #[arg(long)]
    all: bool,
    /// yaml or json.
    #[arg(long, short, value_name = "FORM", default_value = "yaml")]
    output: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if !matches!(args.output.as_str(), "yaml" | "json") {
        return Err(usage(format!(
            "Unexpected -o output mode: {}, the flag 'output' must be one of yaml|json\nSee 'mini-ctl apply view-last-applied -h' for help and examples",
            args.output
        )));
    }
    if args.words.is_empty() && args.files.is_empty() {
        return Err(nothing_given());
    }
    let server = context.server().await?;
    let many = Many { selector: args.selector, ..Many::default() };
    let selection = select(context, &args.words, &args.files).await?;
    let (mut shown, mut errors) = (String::new(), Vec::new());
    for target in expand(context, selection, &many, args.all).await? {
        match target.fetch(server, JSON).await {
            Ok(live) => match last_applied(&live) {
                Some(applied) if args.output == "json" => shown += &json_indented(&applied, 2)?,
                Some(applied) => shown += &yaml::to_string(&applied),
                None => {}
            },
            Err(error) => errors.push(error),
        }
    }
    Error::from_all(errors)?;
    print(&shown)
}
