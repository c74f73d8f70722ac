//! The verbs. One file each, and one word in the list below; a file has `Args` (its flags, and its help) and `run`.

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::{
    context::Context,
    error::{Result, usage},
};

/// The word a user types for a verb: that of its module, or the one given.
macro_rules! word {
    ($verb:ident) => {
        stringify!($verb)
    };
    ($verb:ident $word:literal) => {
        $word
    };
}

macro_rules! verbs {
    ($($verb:ident $(as $word:literal)?),* $(,)?) => {
        $(mod $verb;)*

        /// One subcommand for each verb.
        pub(crate) fn commands() -> Vec<Command> {
            vec![$(<$verb::Args as Args>::augment_args(Command::new(word!($verb $($word)?)))),*]
        }

        /// Runs one verb with the arguments it was given.
        ///
        /// # Errors
        /// Whatever the verb complains about.
        pub(crate) async fn run(word: &str, matches: &ArgMatches, context: &Context) -> Result<()> {
            match word {
                $(word!($verb $($word)?) => {
                    let arguments = $verb::Args::from_arg_matches(matches).map_err(|error| usage(error.to_string()))?;
                    Box::pin($verb::run(arguments, context)).await
                })*
                _ => Err(usage(format!("unknown verb {word:?}"))),
            }
        }
    };
}

verbs! {
    up, status, stop, start, node, down, lab, dashboard,
    apply, create, replace, edit, patch, diff, kustomize, expose, run, delete, autoscale, scale, set, rollout, label, annotate, wait,
    get, describe, events, explain,
    logs, exec, attach, cp, port_forward as "port-forward", debug, top,
    taint, cordon, uncordon, drain,
    proxy, trace, explain_scheduling as "explain-scheduling",
    config, auth, options, completion, complete as "__complete",
    version, cluster_info as "cluster-info", api_resources as "api-resources", api_versions as "api-versions",
}
