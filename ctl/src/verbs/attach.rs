//! `attach`: talks with the process that a container runs.

use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;

use crate::{
    context::Context,
    error::{Error, Result, usage},
    pods,
    print::{notice, print, print_bytes},
    server::{Server, with_query},
    value::{list, name, text},
    verbs::{
        exec::{Keys, hand_over, has_terminal},
        wait::duration,
    },
};

/// Attach to a process that is already running inside an existing container.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// POD, TYPE/NAME, or TYPE NAME
    words: Vec<String>,
    /// To this container.
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

/// A container that is to be attached to.
pub(super) struct Session<'a> {
    pub(super) pod: &'a Value,
    pub(super) container: &'a str,
    pub(super) keys: Keys,
    pub(super) quiet: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let word = match &args.words[..] {
        [] => return Err(usage("at least 1 argument is required for attach")),
        [word] => word.clone(),
        [kind, name] => format!("{kind}/{name}"),
        words => {
            let (count, words) = (words.len(), words.join(" "));
            return Err(usage(format!("expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw {count}: [{words}]")));
        }
    };
    let server = context.server().await?;
    let (resource, object) = pods::named(context, &word).await?;
    let pod = pods::behind(server, &resource, object, args.pod_running_timeout).await?;
    if pods::is_over(&pod) {
        let phase = text(&pod["status"]["phase"]);
        return Err(usage(format!("cannot attach a container in a completed pod; current phase is {phase}")));
    }
    let container = match &args.container {
        Some(container) if pods::container(&pod, container).is_some() => container.clone(),
        Some(container) => return Err(usage(format!("cannot attach to the container: container {container} not found in pod {}", name(&pod)))),
        None => pods::default_container(&pod, args.quiet)?,
    };
    Session { pod: &pod, container: &container, keys: args.keys, quiet: args.quiet }.attach(server).await
}

impl Session<'_> {
    /// Attaches to what was made to be attached to; its log will do where it cannot be, or has ended already.
    pub(super) async fn meet(self, server: &Server, is_over: bool) -> Result<()> {
        let log = with_query(&pods::path(self.pod, "/log"), &[("container", self.container)]);
        if !is_over {
            let name = name(self.pod);
            match self.attach(server).await {
                Err(error @ (Error::Usage(_) | Error::Refused(_))) => {
                    let why = error.to_string();
                    let why = why.strip_prefix("error: ").unwrap_or(&why);
                    notice(&format!("warning: couldn't attach to pod/{name}, falling back to streaming logs: {why}"));
                }
                attached => return attached,
            }
        }
        let mut pieces = server.stream(&log, "*/*").await?;
        while let Some(piece) = pieces.next().await {
            print_bytes(&piece?)?;
        }
        Ok(())
    }

    /// Talks with it until it ends.
    pub(super) async fn attach(self, server: &Server) -> Result<()> {
        let Self { pod, container, mut keys, quiet } = self;
        let has_terminal = has_terminal(pod, container);
        if keys.tty && !has_terminal && !quiet {
            notice(&format!("error: Unable to use a TTY - container {container} did not allocate one"));
        }
        keys.tty = has_terminal;
        let wanted = keys.wanted(quiet);
        if !quiet {
            notice("If you don't see a command prompt, try pressing enter.");
        }
        hand_over(server, &wanted.path(pod, "attach", container, &[]), wanted, true).await?;
        if quiet || !wanted.tty {
            return Ok(());
        }
        let again = format!("'mini-ctl attach {} -c {container} -i -t'", name(pod));
        let ephemeral = list(&pod["spec"]["ephemeralContainers"]).iter().any(|known| known["name"] == container);
        print(&if ephemeral {
            format!(
                "Session ended, the ephemeral container will not be restarted but may be reattached using {again} if it is still running\n"
            )
        } else {
            format!("Session ended, resume using {again} command when the pod is running\n")
        })
    }
}
