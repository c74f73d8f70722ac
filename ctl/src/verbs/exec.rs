//! `exec`: runs a command in a container and talks with it.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::io::{stderr, stdout};

use crate::{
    context::Context,
    error::{Result, usage},
    pods,
    print::notice,
    remote::{Io, Wanted, talk},
    selection::{Files, Selection, select},
    server::{JSON, Server},
    terminal::{self, Raw},
    value::text,
    verbs::wait::duration,
};

/// Execute a command in a container.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// POD, or TYPE/NAME
    words: Vec<String>,
    /// The command and its arguments.
    #[arg(last = true)]
    command: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// In this container.
    #[arg(long, short, value_name = "NAME")]
    container: Option<String>,
    #[command(flatten)]
    keys: Keys,
    /// Only print what comes from the container.
    #[arg(long, short)]
    quiet: bool,
    /// How long to wait for a pod.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1m")]
    pod_running_timeout: Duration,
}

/// The flags with which a verb hands over the keyboard.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(super) struct Keys {
    /// Pass stdin to the container.
    #[arg(long, short = 'i')]
    pub(super) stdin: bool,
    /// Stdin is a terminal.
    #[arg(long, short)]
    pub(super) tty: bool,
}

impl Keys {
    /// What is wanted of a process then. Says so when there is no terminal to hand over.
    pub(super) fn wanted(self, quiet: bool) -> Wanted {
        let tty = self.stdin && self.tty && terminal::is_there();
        if self.stdin && self.tty && !tty && !quiet {
            notice("Unable to use a TTY - input is not a terminal or the right kind of file");
        }
        // With a terminal there is one stream for everything that is written.
        Wanted { stdin: self.stdin, stderr: !tty, tty }
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let (word, command) = meant(&args)?;
    let server = context.server().await?;
    let (resource, object) = match word {
        Some(word) => pods::named(context, &word).await?,
        None => match select(context, &[], &args.files).await? {
            Selection::Named(targets) if !targets.is_empty() => (targets[0].resource.clone(), targets[0].fetch(server, JSON).await?),
            _ => return Err(usage("pod, type/name or --filename must be specified")),
        },
    };
    let pod = pods::behind(server, &resource, object, args.pod_running_timeout).await?;
    if pods::is_over(&pod) {
        let phase = text(&pod["status"]["phase"]);
        return Err(usage(format!("cannot exec into a container in a completed pod; current phase is {phase}")));
    }
    let container = match &args.container {
        Some(container) => container.clone(),
        None => pods::default_container(&pod, args.quiet)?,
    };
    let wanted = args.keys.wanted(args.quiet);
    hand_over(server, &wanted.path(&pod, "exec", &container, &command), wanted, false).await
}

/// The pod that is named, unless it is in a file, and the command.
fn meant(args: &Args) -> Result<(Option<String>, Vec<String>)> {
    let from_file = !args.files.is_empty();
    let (mut words, mut command) = (args.words.iter().cloned(), args.command.clone());
    let pod = if from_file && command.is_empty() { None } else { words.next() };
    let rest: Vec<String> = words.collect();
    if command.is_empty() && !rest.is_empty() {
        if !args.quiet {
            notice(
                "mini-ctl exec [POD] [COMMAND] is DEPRECATED and will be removed in a future version. \
                 Use mini-ctl exec [POD] -- [COMMAND] instead.",
            );
        }
        command = rest;
    }
    match (pod.is_none() && !from_file, command.is_empty()) {
        (true, _) => Err(usage("pod, type/name or --filename must be specified")),
        (false, true) => Err(usage("you must specify at least one command for the container")),
        (false, false) => Ok((pod, command)),
    }
}

/// Talks with a process as if it ran here. Its terminal is told another size first if it is to draw its screen anew.
pub(super) async fn hand_over(server: &Server, path: &str, wanted: Wanted, redraws: bool) -> Result<()> {
    let _raw = if wanted.tty { Some(Raw::begin()?) } else { None };
    let sizes = if wanted.tty {
        let now = terminal::size();
        let other = now.filter(|_| redraws).map(|(width, height)| (width.saturating_add(1), height.saturating_add(1)));
        stream::iter(other.into_iter().chain(now)).chain(terminal::sizes()).boxed()
    } else {
        stream::pending().boxed()
    };
    let input = wanted.stdin.then(terminal::input);
    talk(server, path, Io { input, out: &mut stdout(), err: &mut stderr(), sizes }).await
}

/// Whether a container of a pod has a terminal.
pub(super) fn has_terminal(pod: &Value, container: &str) -> bool {
    pods::container(pod, container).is_some_and(|container| container["tty"] == true)
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches};

    use super::*;

    fn read(line: &str) -> Result<(Option<String>, String)> {
        let matches = Args::augment_args(Command::new("exec")).try_get_matches_from(line.split(' ')).unwrap();
        meant(&Args::from_arg_matches(&matches).unwrap()).map(|(pod, command)| (pod, command.join(" ")))
    }

    #[test]
    fn the_forms_kubectl_knows() {
        let pod = |command: &str| (Some("web".to_owned()), command.to_owned());
        assert_eq!(read("exec web -- ls -l").unwrap(), pod("ls -l"));
        assert_eq!(read("exec -it web -c c -- sh -c x").unwrap(), pod("sh -c x"));
        assert_eq!(read("exec -it web ls").unwrap(), pod("ls"), "which is deprecated");
        assert_eq!(read("exec -f pod.yaml -- ls").unwrap(), (None, "ls".to_owned()));
        assert_eq!(read("exec -f pod.yaml ls").unwrap(), (None, "ls".to_owned()));
        assert_eq!(read("exec").unwrap_err().to_string(), "error: pod, type/name or --filename must be specified");
        assert_eq!(read("exec -- ls").unwrap_err().to_string(), "error: pod, type/name or --filename must be specified");
        assert_eq!(read("exec web").unwrap_err().to_string(), "error: you must specify at least one command for the container");
    }
}
