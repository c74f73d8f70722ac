//! What the user typed, as kubectl notes it for the cause of a change: the words first, then every flag by its long name with its
//! value. It knows no flag by name.

use std::{ffi::OsStr, path::Path};

use clap::{Arg, ArgMatches, Command, parser::ValueSource};

/// `mini-ctl set image deploy/web nginx=nginx:1.9 --record=true`.
pub(crate) fn line(program: &str, command: &Command, matches: &ArgMatches) -> String {
    let program = Path::new(program).file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    let (mut words, mut flags) = (vec![program.into_owned()], Vec::new());
    let (mut command, mut matches) = (command, matches);
    loop {
        let (plain, named): (Vec<&Arg>, Vec<&Arg>) = command
            .get_arguments()
            // What all verbs take is handed down to the innermost command.
            .filter(|argument| !argument.is_global_set() || matches.subcommand().is_none())
            .partition(|argument| argument.is_positional());
        let mut level: Vec<(usize, String)> = named.into_iter().flat_map(|argument| given(argument, matches)).collect();
        level.sort();
        flags.extend(level.into_iter().map(|(_, flag)| flag));
        let Some((word, inner)) = matches.subcommand() else {
            words.extend(plain.into_iter().flat_map(|argument| values(argument, matches)).flatten());
            break;
        };
        words.push(word.to_owned());
        let Some(next) = command.find_subcommand(word) else { break };
        (command, matches) = (next, inner);
    }
    [words, flags].concat().join(" ")
}

/// Each time a flag was given: where, and how.
fn given(argument: &Arg, matches: &ArgMatches) -> Vec<(usize, String)> {
    let Some(long) = argument.get_long() else { return Vec::new() };
    let values = values(argument, matches);
    let mut places = matches.indices_of(argument.get_id().as_str()).into_iter().flatten();
    let flag = |values: Vec<String>| {
        let place = places.by_ref().nth(values.len().saturating_sub(1)).unwrap_or_default();
        (place, format!("--{long}={}", values.join(",")))
    };
    values.into_iter().map(flag).collect()
}

/// The values an argument was given on the command line, occurrence by occurrence.
fn values(argument: &Arg, matches: &ArgMatches) -> Vec<Vec<String>> {
    let id = argument.get_id().as_str();
    if matches.value_source(id) != Some(ValueSource::CommandLine) {
        return Vec::new();
    }
    let occurrences = matches.get_raw_occurrences(id).into_iter().flatten();
    occurrences.map(|values| values.map(|value| value.to_string_lossy().into_owned()).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ArgAction;

    #[test]
    fn words_come_first_and_flags_by_their_long_names() {
        let set = Command::new("image").args([
            Arg::new("words").num_args(0..).action(ArgAction::Append),
            Arg::new("record").long("record").action(ArgAction::SetTrue),
            Arg::new("filename").long("filename").short('f').value_delimiter(',').action(ArgAction::Append),
            Arg::new("all").long("all").action(ArgAction::SetTrue),
            Arg::new("manager").long("manager").default_value("us"),
        ]);
        let command = Command::new("x")
            .arg(Arg::new("namespace").long("namespace").short('n').global(true))
            .subcommand(Command::new("set").subcommand(set));
        for (line_, expected) in [
            ("set image deploy/web nginx=nginx:1.9 --record", "kubectl set image deploy/web nginx=nginx:1.9 --record=true"),
            (
                "set image --record -n y -f a.yaml,b.yaml -f c.yaml x",
                "kubectl set image x --record=true --namespace=y --filename=a.yaml,b.yaml --filename=c.yaml",
            ),
            ("-n y set image a b", "kubectl set image a b --namespace=y"),
        ] {
            let mut command = command.clone();
            let matches = command.try_get_matches_from_mut(["x"].into_iter().chain(line_.split(' '))).unwrap();
            assert_eq!(line("/usr/bin/kubectl", &command, &matches), expected);
        }
    }
}
