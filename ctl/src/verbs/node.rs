//! `node down` and `node up`: the cable of a node is pulled and plugged in again. Its kubelet is halted, not ended: it says nothing and hears nothing, and
//! whoever asks it waits in vain. When it goes on it has missed everything, and finds that time has passed, as a node does that was cut off.

use crate::{
    context::Context,
    error::{Result, usage},
    home::{Home, component::Component},
    print::print,
};

/// Pull the cable of a node, or plug it in again.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Cut nodes off: their kubelets run and cannot be heard.
    Down(Nodes),
    /// Bring nodes back that were cut off.
    Up(Nodes),
}

#[derive(clap::Args, Debug)]
struct Nodes {
    /// k8s-node-1, …
    #[arg(required = true)]
    nodes: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let home = context.home()?;
    let known: Vec<Component> = home.known_settings()?.components().collect();
    let _guard = home.lock()?;
    let (down, nodes) = match args.what {
        What::Down(nodes) => (true, nodes.nodes),
        What::Up(nodes) => (false, nodes.nodes),
    };
    for name in nodes {
        let node = Component::Kubelet(name.strip_prefix("node/").unwrap_or(&name).to_owned());
        if !known.contains(&node) && home.running(&node).is_none() {
            let names: Vec<String> =
                known.iter().filter(|component| matches!(component, Component::Kubelet(_))).map(ToString::to_string).collect();
            return Err(usage(format!("there is no node {:?} here; there are: {}", node.to_string(), names.join(", "))));
        }
        print(&format!("node/{node} {}\n", switch(&home, &node, down, context)?))?;
    }
    Ok(())
}

/// Switches one node, and says what it is now.
fn switch(home: &Home, node: &Component, down: bool, context: &Context) -> Result<&'static str> {
    let Some(process) = home.running(node) else {
        return Err(usage(format!("the kubelet of {node} does not run: `{} start {node}` starts it", context.program())));
    };
    Ok(match (process.is_halted(), down) {
        (true, true) => "is already cut off",
        (false, false) => "is already plugged in",
        (false, true) => {
            process.halt()?;
            "cut off"
        }
        (true, false) => {
            process.go_on()?;
            "plugged in"
        }
    })
}
