//! `drain`: empties nodes, politely: what no controller would replace, and what disruption budgets protect, is not simply taken away.

mod evict;
mod pods;

use std::time::Duration;

use mini_api::selector::Selector;

use self::{evict::Eviction, pods::Pods};
use crate::{
    changing::Subject,
    context::Context,
    error::{Error, Result, usage},
    nodes::{self, Choice},
    print::{notice, print},
    server::warn,
    value::name,
    verbs::wait::duration,
    writing::DryRun,
};

/// Drain node in preparation for maintenance.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Also pods that no controller would replace.
    #[arg(long)]
    force: bool,
    /// Leave the pods of DaemonSets where they are.
    #[arg(long)]
    ignore_daemonsets: bool,
    /// Also pods whose data would be lost with them.
    #[arg(long)]
    delete_emptydir_data: bool,
    /// Delete pods instead of asking for their eviction; disruption budgets are not asked.
    #[arg(long)]
    disable_eviction: bool,
    /// Seconds each pod is given to end well; negative: what the pod says.
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_hyphen_values = true)]
    grace_period: i64,
    /// How long to try; 0 is for ever.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    timeout: Duration,
    /// Only pods with these labels.
    #[arg(long, value_name = "SELECTOR", default_value = "", allow_hyphen_values = true)]
    pod_selector: String,
    /// Do not wait for pods that have been ending for more than so many seconds; 0 waits for all.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    skip_wait_for_delete_timeout: i64,
    /// Ask for so many pods at a time; accepted, for what this server holds comes in one piece.
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    chunk_size: i64,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if Selector::parse(&args.pod_selector).is_err() {
        return Err(usage("--pod-selector=<pod_selector> must be a valid label selector"));
    }
    let nodes = args.choice.read(context, "drain").await?;
    nodes::cordon(context, &nodes, args.choice.dry_run, true).await?;
    let mut failed: Vec<(&str, Trouble)> = Vec::new();
    for node in &nodes {
        match drain(&args, context, node).await {
            Ok(()) => print(&format!("{} drained{}\n", node.target.slashed(), args.choice.dry_run.told()))?,
            Err(trouble) => {
                let name = &node.target.name;
                notice(&format!("error: unable to drain node {name:?} due to error: {}, continuing command...", trouble.text()));
                failed.push((name, trouble));
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    notice("There are pending nodes to be drained:");
    failed.iter().for_each(|(node, _)| notice(&format!(" {node}")));
    let lines: Vec<String> = match failed.as_slice() {
        [(_, Trouble::One(error))] => return Err(usage(error)),
        [(_, Trouble::Several(errors))] => errors.clone(),
        _ => failed.iter().map(|(_, trouble)| trouble.text()).collect(),
    };
    Err(Error::Plain(lines.join("\n")))
}

/// Why a node could not be emptied. kubectl ends with another word for the one than for the others.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    One(String),
    Several(Vec<String>),
}

impl Trouble {
    /// In one line, as Go has it.
    fn text(&self) -> String {
        match self {
            Self::One(error) => error.clone(),
            Self::Several(errors) => match errors.as_slice() {
                [one] => one.clone(),
                _ => format!("[{}]", errors.join(", ")),
            },
        }
    }
}

/// Empties one node, or says why not.
async fn drain(args: &Args, context: &Context, node: &Subject) -> Result<(), Trouble> {
    let plain = |error: Error| Trouble::Several(vec![said(&error)]);
    let pods = Pods::on(args, context, &node.target.name).await.map_err(plain)?;
    if !pods.refused.is_empty() {
        return Err(Trouble::Several(pods.refused.lines("cannot delete ")));
    }
    if !pods.warned.is_empty() {
        warn(&pods.warned.lines("").join("; "));
    }
    if args.choice.dry_run == DryRun::Client {
        for pod in &pods.leaving {
            print(&format!("evicting pod {} (dry run)\n", pods::slashed(pod))).map_err(plain)?;
        }
        return Ok(());
    }
    let eviction = Eviction::new(args, context).await.map_err(plain)?;
    let Err(trouble) = eviction.all(&pods.leaving).await else { return Ok(()) };
    if let Ok(pending) = Pods::on(args, context, &node.target.name).await
        && !pending.leaving.is_empty()
    {
        notice(&format!("There are pending pods in node {:?} when an error occurred: {}", node.target.name, trouble.text()));
        pending.leaving.iter().for_each(|pod| notice(&format!("pod/{}", name(pod))));
    }
    Err(trouble)
}

/// An error in the server's words, or ours.
fn said(error: &Error) -> String {
    match error {
        Error::Refused(refusal) => refusal.message.clone(),
        Error::Usage(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_complaints_stand_in_brackets() {
        assert_eq!(Trouble::One("a".into()).text(), "a");
        assert_eq!(Trouble::Several(vec!["a".into()]).text(), "a");
        assert_eq!(Trouble::Several(vec!["a".into(), "b".into()]).text(), "[a, b]");
    }
}
