//! `kustomize`: prints the objects of a kustomization. It needs no cluster.

use std::path::Path;

use crate::{
    context::Context,
    error::{Result, usage},
    kustomize::{build, to_yaml},
    print::print,
};

/// Build a kustomization target from a directory.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The folder with a kustomization.yaml [default: this one].
    folders: Vec<String>,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<String>,
}

pub(super) async fn run(args: Args, _context: &Context) -> Result<()> {
    let folder = match args.folders.as_slice() {
        [] => ".",
        [folder] => folder,
        _ => return Err(usage("specify one path to kustomization.yaml")),
    };
    let text = to_yaml(&build(folder)?);
    match args.output.as_deref() {
        None => print(&text),
        Some(file) => std::fs::write(Path::new(file), text).map_err(|error| usage(format!("write {file}: {error}"))),
    }
}
