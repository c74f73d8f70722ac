//! `completion`: what a shell has to run so that it completes our command lines. The scripts only ask `__complete`.

use crate::{
    context::Context,
    error::{Error, Result, usage},
    print::print,
};

/// The shells, and the script for each.
const SHELLS: &[(&str, &str)] = &[
    ("bash", include_str!("bash.sh")),
    ("fish", include_str!("fish.fish")),
    ("powershell", include_str!("powershell.ps1")),
    ("zsh", include_str!("zsh.zsh")),
];

/// Output shell completion code for the specified shell (bash, zsh, fish, or powershell).
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// SHELL
    words: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let wrong = |why: &str| -> Error { usage(format!("{why}\nSee 'mini-ctl completion -h' for help and examples")) };
    let shell = match args.words.as_slice() {
        [] => return Err(wrong("Shell not specified.")),
        [shell] => shell,
        _ => return Err(wrong("Too many arguments. Expected only the shell type.")),
    };
    let (_, script) = SHELLS.iter().find(|(name, _)| name == shell).ok_or_else(|| wrong(&format!("Unsupported shell type {shell:?}.")))?;
    print(&script.replace("NAME", context.program_name()))
}
