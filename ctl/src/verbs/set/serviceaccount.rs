//! `set serviceaccount`: the account under which pods speak to the server.

use super::{Flags, Labelled, templates::Change};
use crate::{
    context::Context,
    error::{Result, usage},
    writing::Recording,
};

/// Update the service account of a resource.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME… or TYPE/NAME…, then ACCOUNT
    words: Vec<String>,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    recording: Recording,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    args.recording.warn();
    args.flags.one_place()?;
    let Some((account, resources)) = args.words.split_last() else {
        return Err(usage("serviceaccount is required"));
    };
    let subjects = args.flags.subjects(context, resources, &Labelled::default()).await?.all()?;
    let change = Change {
        context,
        flags: &args.flags,
        recording: Some(&args.recording),
        done: "serviceaccount updated",
        failed: "failed to patch ServiceAccountName ",
        always: true,
    };
    let edit = |spec: &mut serde_json::Value| {
        spec["serviceAccountName"] = account.as_str().into();
        Ok(())
    };
    change.run(&subjects, &|_| Vec::new(), &edit).await
}
