//! Nodes as the verbs see them that take pods away from them: which are meant, and whether new pods may come.

use http::Method;
use serde_json::{Value, json};

use crate::{
    changing::Subject,
    context::Context,
    error::{Error, Result, usage},
    print::{notice, print},
    selection::{Files, Many, Selection, Target, expand, select},
    server::{Call, JSON, with_query},
    writing::DryRun,
};

/// The flags with which nodes are chosen.
#[derive(clap::Args, Debug)]
pub(crate) struct Choice {
    /// NODE…
    nodes: Vec<String>,
    /// The nodes with these labels: a=b, a!=b, a in (b,c), a, !a.
    #[arg(long, short = 'l', value_name = "SELECTOR", allow_hyphen_values = true)]
    selector: Option<String>,
    /// Do not change anything; ask the server (or, with "client", only look) what would happen.
    #[arg(long, value_name = "WHERE", default_value = "none", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    pub(crate) dry_run: DryRun,
}

impl Choice {
    /// Reads the nodes, all or none. `verb` is for the complaint about a command line without any.
    pub(crate) async fn read(&self, context: &Context, verb: &str) -> Result<Vec<Subject>> {
        let help = format!("See 'mini-ctl {verb} -h' for help and examples");
        if self.nodes.is_empty() && self.selector.is_none() {
            return Err(usage(format!("USAGE: {verb} NODE [flags]\n{help}")));
        }
        if !self.nodes.is_empty() && self.selector.is_some() {
            return Err(usage(format!("cannot specify both a node name and a --selector option\n{help}")));
        }
        let mut nodes = Vec::new();
        for target in self.targets(context).await? {
            let resource = &target.resource;
            if (resource.group.as_str(), resource.plural.as_str()) != ("", "nodes") {
                let got = format!("{}, Resource={}", resource.group_version(), resource.plural);
                return Err(usage(format!("expected resource of type node, got {got:?}")));
            }
            let object = target.fetch(context.server().await?, JSON).await?;
            nodes.push(Subject { target, object });
        }
        Ok(nodes)
    }

    async fn targets(&self, context: &Context) -> Result<Vec<Target>> {
        if self.selector.is_some() {
            let many = Many { selector: self.selector.clone(), ..Many::default() };
            let all = Selection::Every(vec![context.catalog().await?.find("nodes")?.clone()]);
            return expand(context, all, &many, false).await;
        }
        // A name alone is that of a node.
        let words: Vec<String> =
            self.nodes.iter().map(|word| if word.contains('/') { word.clone() } else { format!("nodes/{word}") }).collect();
        expand(context, select(context, &words, &Files::default()).await?, &Many::default(), false).await
    }
}

/// Lets no new pods come to the nodes, or lets them come again, and says so. What the server refuses is told, and is no failure.
pub(crate) async fn cordon(context: &Context, nodes: &[Subject], dry_run: DryRun, closed: bool) -> Result<()> {
    let un = if closed { "" } else { "un" };
    for node in nodes {
        let already = if is_closed(&node.object) == closed { "already " } else { "" };
        if already.is_empty()
            && dry_run != DryRun::Client
            && let Err(error) = close(context, &node.target, dry_run, closed).await
        {
            let why = error.refusal().map_or_else(|| error.to_string(), |refusal| refusal.message.clone());
            notice(&format!("error: unable to {un}cordon node {:?}: {why}", node.target.name));
            continue;
        }
        print(&format!("{} {already}{un}cordoned{}\n", node.target.slashed(), dry_run.told()))?;
    }
    Ok(())
}

fn is_closed(node: &Value) -> bool {
    node["spec"]["unschedulable"] == true
}

async fn close(context: &Context, node: &Target, dry_run: DryRun, closed: bool) -> Result<(), Error> {
    let body = json!({"spec": {"unschedulable": closed.then_some(true)}});
    let path = with_query(&node.path(), &[dry_run.parameter(), ("fieldManager", "kubectl-cordon")]);
    let call = Call { method: Method::PATCH, path: &path, content_type: "application/merge-patch+json", body: &body };
    context.server().await?.call(call).await.map(|_| ())
}
