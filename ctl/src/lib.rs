//! `mini-ctl`: the mouth of the house. It starts and stops the programs of a cluster, and speaks to any Kubernetes API server
//! in `kubectl`'s words.
//!
//! It knows verbs, not kinds: what there is to get, how it is called and how it looks in a table is asked from the server.
//! Only verbs that are about pods or rollouts (`describe`, `logs`, `wait`, `scale`) name a kind.

mod context;
mod discover;
mod error;
mod home;
mod jsonpath;
mod manifest;
mod patch;
mod print;
mod selection;
mod server;
mod table;
mod value;
mod verbs;
mod yaml;

use std::{ffi::OsString, process::ExitCode};

use clap::{Args as _, Command, FromArgMatches as _};

pub use crate::error::{Error, Refusal, Result};
use crate::{
    context::{Context, Globals},
    error::usage,
    print::notice,
};

/// Runs the program with the given arguments, the first of which is its own name.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = error.to_string();
            if !text.is_empty() {
                notice(&text);
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<()> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let program = arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_else(|| "mini-ctl".into());
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return complain(&error),
    };
    let globals = Globals::from_arg_matches(&matches).map_err(|error| usage(error.to_string()))?;
    let context = Context::new(globals, program);
    let (verb, matches) = matches.subcommand().ok_or_else(|| usage("say what to do; `mini-ctl --help` lists the verbs"))?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| usage(format!("start the runtime: {error}")))?;
    runtime.block_on(verbs::run(verb, matches, &context))
}

fn command() -> Command {
    let command = Command::new("mini-ctl")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(verbs::commands());
    // The flags bring the text of their struct with them, so ours comes last.
    Globals::augment_args(command).about("Starts a small Kubernetes cluster, and speaks to any cluster as kubectl does.")
}

/// Help goes to stdout and is no failure; any other complaint about arguments is one line and exit code 1, as in kubectl.
fn complain(error: &clap::Error) -> Result<()> {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand};
    match error.kind() {
        DisplayHelp => print::print(&error.render().to_string()),
        DisplayHelpOnMissingArgumentOrSubcommand => Err(Error::Plain(error.render().to_string().trim_end().to_owned())),
        _ => {
            let text = error.render().to_string();
            let lines: Vec<&str> = text
                .lines()
                .map(str::trim)
                .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
                .filter(|line| !line.is_empty())
                .collect();
            let message = lines.join(" ");
            Err(usage(message.strip_prefix("error: ").unwrap_or(&message)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        run(line.split(' ').map(OsString::from)).unwrap_err().to_string()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn wrong_arguments_are_one_line() {
        let unknown = said("mini-ctl get pods --nope");
        assert!(unknown.starts_with("error: unexpected argument '--nope' found"), "{unknown}");
        assert_eq!(unknown.lines().count(), 1);
        assert!(said("mini-ctl fly").starts_with("error: unrecognized subcommand 'fly'"));
    }
}
