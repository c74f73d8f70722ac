//! `apply set-last-applied`: makes a file be what was last applied, without applying it.

use http::Method;
use serde_json::{Value, json};

use crate::{
    applying::MANAGER,
    context::Context,
    error::{Result, usage},
    patch::{LAST_APPLIED, go_json, last_applied},
    print::print,
    selection::{Files, nothing_given, place},
    server::{Call, JSON},
    writing::Writing,
};

/// Set the last-applied-configuration annotation on a live object to match the contents of a file.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    files: Files,
    /// Also where there is no such annotation yet.
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    create_annotation: bool,
    #[command(flatten)]
    writing: Writing,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    args.writing.form()?;
    if args.files.is_empty() {
        return Err(nothing_given());
    }
    let server = context.server().await?;
    let mut changes = Vec::new();
    for document in args.files.documents()? {
        let placed = place(context, document).await?;
        placed.target.named()?;
        let live = placed.target.fetch(server, JSON).await?;
        let before = last_applied(&live);
        if before.is_none() && !args.create_annotation {
            return Err(usage(format!(
                "no last-applied-configuration annotation found on resource: {}, to create the annotation, run the command with --create-annotation",
                placed.target.name
            )));
        }
        if before.as_ref() == Some(&placed.object) {
            print(&format!("set-last-applied {}: no changes required.\n", placed.target.name))?;
        } else {
            changes.push((placed, live));
        }
    }
    for (at, (placed, live)) in changes.into_iter().enumerate() {
        let configured: Value = if args.writing.stays_here() {
            live
        } else {
            let body = json!({"metadata": {"annotations": {LAST_APPLIED: go_json(&placed.object) + "\n"}}});
            let path = args.writing.query(&placed.target.path(), MANAGER, &[]);
            server.call(Call { method: Method::PATCH, path: &path, content_type: "application/merge-patch+json", body: &body }).await?
        };
        args.writing.say_after(at, &placed.target.resource, &configured, "configured")?;
    }
    Ok(())
}
