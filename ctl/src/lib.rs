//! `mini-ctl`: the mouth of the house. It starts and stops the programs of a cluster, and speaks to any Kubernetes API server
//! in `kubectl`'s words.
//!
//! It knows verbs, not kinds: what there is to get, how it is called and how it looks in a table is asked from the server.
//! Only verbs that are about pods or rollouts (`describe`, `logs`, `exec`, `wait`, `scale` and their like) name a kind.

mod applying;
mod changing;
mod columns;
mod context;
mod discover;
mod editing;
mod error;
mod golang;
mod home;
mod jsonpath;
mod kustomize;
mod making;
mod manifest;
mod marks;
mod nodes;
mod output;
mod overriding;
mod patch;
mod pods;
mod print;
mod pruning;
mod remote;
mod schemas;
mod selection;
mod server;
mod sorting;
mod structs;
mod table;
mod tar;
mod template;
mod temporary;
mod terminal;
mod typed;
mod value;
mod verbs;
mod writing;
mod yaml;

use std::{ffi::OsString, num::IntErrorKind, process::ExitCode};

use clap::{
    Arg, ArgAction, Args as _, Command, FromArgMatches as _,
    error::{ContextKind, ContextValue},
};

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
                notice(text.strip_suffix('\n').unwrap_or(&text));
            }
            ExitCode::from(error.code())
        }
    }
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<()> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let program = arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_else(|| "mini-ctl".into());
    let mut command = command();
    let matches = match command.try_get_matches_from_mut(&arguments) {
        Ok(matches) => matches,
        Err(error) => return complain(&error, &arguments),
    };
    let globals = Globals::from_arg_matches(&matches).map_err(|error| usage(error.to_string()))?;
    let typed = typed::line(&program, &command, &matches);
    let context = Context::new(globals, program, typed);
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
    with_values(Globals::augment_args(command)).about("Starts a small Kubernetes cluster, and speaks to any cluster as kubectl does.")
}

/// The command of a command line: its words, as in `mini-ctl create job`, and what it takes.
fn asked(arguments: &[OsString]) -> (String, Command) {
    let (mut command, mut words) = (command(), vec!["mini-ctl".to_owned()]);
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        if let Some(inner) = command.find_subcommand(argument).cloned() {
            words.push(inner.get_name().to_owned());
            command = inner;
        }
    }
    (words.join(" "), command)
}

/// Switches take a value as well, as in kubectl: `--rm`, `--rm=true`, `--rm=false`.
fn with_values(command: Command) -> Command {
    let switch = |argument: Arg| match argument.get_action() {
        ArgAction::SetTrue => argument
            .action(ArgAction::Set)
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .value_parser(boolean)
            .hide_default_value(true),
        _ => argument,
    };
    command.mut_args(switch).mut_subcommands(with_values)
}

/// A truth value as Go reads it.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

/// Help goes to stdout and is no failure; any other complaint about arguments has exit code 1 and kubectl's words, where it has any.
fn complain(error: &clap::Error, arguments: &[OsString]) -> Result<()> {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand};
    let text = error.render().to_string();
    match error.kind() {
        DisplayHelp => return print::print(&text),
        DisplayHelpOnMissingArgumentOrSubcommand => return Err(Error::Plain(text.trim_end().to_owned())),
        _ => {}
    }
    if let Some(complaint) = in_their_words(error, arguments) {
        return Err(usage(complaint));
    }
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    let message = lines.join(" ");
    Err(usage(message.strip_prefix("error: ").unwrap_or(&message)))
}

/// What kubectl says about flags it does not know and values it cannot read.
fn in_their_words(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    use clap::error::ErrorKind::{InvalidSubcommand, UnknownArgument, ValueValidation};
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let argument = context(ContextKind::InvalidArg);
    let (words, command) = asked(arguments);
    let complaint = match error.kind() {
        InvalidSubcommand => return Some(format!("unknown command {:?} for {words:?}", context(ContextKind::InvalidSubcommand))),
        UnknownArgument => match (argument.strip_prefix("--"), argument.strip_prefix('-')) {
            (Some(long), _) => format!("unknown flag: --{long}"),
            (None, Some(short)) => format!("unknown shorthand flag: '{short}' in {argument}"),
            _ => return None,
        },
        ValueValidation => {
            let value = context(ContextKind::InvalidValue);
            let long = argument.split([' ', '[']).next().unwrap_or_default();
            let known = command.get_arguments().find(|known| known.get_long() == long.strip_prefix("--"));
            let flag = known.and_then(Arg::get_short).map_or_else(|| long.to_owned(), |short| format!("-{short}, {long}"));
            let source = std::error::Error::source(error)?;
            let why = match source.downcast_ref::<std::num::ParseIntError>().map(std::num::ParseIntError::kind) {
                Some(IntErrorKind::PosOverflow | IntErrorKind::NegOverflow) => {
                    format!("strconv.ParseInt: parsing {value:?}: value out of range")
                }
                Some(_) => format!("strconv.ParseInt: parsing {value:?}: invalid syntax"),
                None => source.to_string(),
            };
            format!("invalid argument {value:?} for {flag:?} flag: {why}")
        }
        _ => return None,
    };
    Some(format!("{complaint}\nSee '{words} --help' for usage."))
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
    fn wrong_arguments_are_told_in_kubectls_words() {
        for (line, why) in [
            ("mini-ctl get pods --nope", "unknown flag: --nope\nSee 'mini-ctl get --help' for usage."),
            ("mini-ctl delete pods x -9", "unknown shorthand flag: '9' in -9\nSee 'mini-ctl delete --help' for usage."),
            ("mini-ctl fly", "unknown command \"fly\" for \"mini-ctl\""),
            (
                "mini-ctl create deployment web --image=x --replicas=many",
                "invalid argument \"many\" for \"-r, --replicas\" flag: strconv.ParseInt: parsing \"many\": invalid syntax\n\
                 See 'mini-ctl create deployment --help' for usage.",
            ),
            (
                "mini-ctl delete pod x --all=maybe",
                "invalid argument \"maybe\" for \"--all\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax\n\
                 See 'mini-ctl delete --help' for usage.",
            ),
        ] {
            assert_eq!(said(line), format!("error: {why}"), "{line}");
        }
    }

    #[test]
    fn switches_take_a_value_or_none() {
        let told = |line: &str| command().try_get_matches_from(line.split(' ')).unwrap().subcommand().unwrap().1.clone();
        for (line, all, force) in [
            ("mini-ctl delete pod x", false, false),
            ("mini-ctl delete --all --force=false pod", true, false),
            ("mini-ctl delete --all=false --force=True pod x", false, true),
        ] {
            let matches = told(line);
            assert_eq!((matches.get_one("all"), matches.get_one("force")), (Some(&all), Some(&force)), "{line}");
        }
        let keys = told("mini-ctl run x -itq --image=y");
        assert_eq!((keys.get_one("stdin"), keys.get_one("tty"), keys.get_one("quiet")), (Some(&true), Some(&true), Some(&true)));
    }
}
