//! `stop`: ends single programs of the cluster, to see what the others do without them.

use super::up::STOP_PATIENCE;
use crate::{
    context::Context,
    error::{Result, usage},
    home::component::Component,
    print::print,
};

/// Stop components: apiserver, scheduler, controllers, or a node's kubelet by the node's name.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// apiserver, scheduler, controllers, k8s-node-1, …
    #[arg(required = true)]
    components: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let home = context.home()?;
    let settings = home.known_settings()?;
    let _guard = home.lock()?;
    for component in named(&args.components) {
        let Some(process) = home.running(&component) else {
            if !settings.components().any(|known| known == component) {
                return Err(unknown(&component, settings.components()));
            }
            print(&format!("{component} is not running\n"))?;
            continue;
        };
        process.terminate()?;
        process.wait_or_kill(STOP_PATIENCE).await?;
        home.forget(&component);
        print(&format!("{component} stopped\n"))?;
    }
    Ok(())
}

/// Reads `k8s-node-2` and `kubelet k8s-node-2` alike.
pub(super) fn named(words: &[String]) -> impl Iterator<Item = Component> {
    words.iter().filter(|word| *word != "kubelet").map(|word| Component::parse(word.strip_prefix("kubelet/").unwrap_or(word)))
}

/// There is no such component; these there are.
pub(super) fn unknown(component: &Component, known: impl Iterator<Item = Component>) -> crate::error::Error {
    let names: Vec<String> = known.map(|known| known.to_string()).collect();
    usage(format!("there is no component {:?}; there are: {}", component.to_string(), names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubelets_are_named_by_their_node() {
        let words: Vec<String> = ["scheduler", "kubelet", "k8s-node-2", "kubelet/k8s-node-3"].map(str::to_owned).into();
        let all: Vec<String> = named(&words).map(|component| component.to_string()).collect();
        assert_eq!(all, ["scheduler", "k8s-node-2", "k8s-node-3"]);
    }

    #[test]
    fn an_unknown_component_is_told_the_known_ones() {
        let error = unknown(&Component::parse("schedular"), [Component::Apiserver, Component::Scheduler].into_iter());
        assert_eq!(error.to_string(), "error: there is no component \"schedular\"; there are: apiserver, scheduler");
    }
}
