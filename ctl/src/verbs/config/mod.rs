//! `config`: the kubeconfig file. It needs no server.

mod change;
mod file;
mod property;
mod view;

use crate::{
    context::Context,
    error::{Result, usage},
    print::{TabWriter, notice, print},
    value::text,
};
use file::{Kubeconfig, Section};

/// Modify kubeconfig files using subcommands like "mini-ctl config set current-context my-context".
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Display the current-context.
    CurrentContext,
    /// Delete the specified cluster from the kubeconfig.
    DeleteCluster(Names),
    /// Delete the specified context from the kubeconfig.
    DeleteContext(Names),
    /// Delete the specified user from the kubeconfig.
    DeleteUser(Names),
    /// Display clusters defined in the kubeconfig.
    GetClusters,
    /// Describe one or many contexts.
    GetContexts(view::Contexts),
    /// Display users defined in the kubeconfig.
    GetUsers,
    /// Rename a context from the kubeconfig file.
    RenameContext(Names),
    /// Set an individual value in a kubeconfig file.
    Set(property::Set),
    /// Set a cluster entry in kubeconfig.
    SetCluster(change::Cluster),
    /// Set a context entry in kubeconfig.
    SetContext(change::ContextEntry),
    /// Set a user entry in kubeconfig.
    SetCredentials(change::User),
    /// Unset an individual value in a kubeconfig file.
    Unset(Names),
    /// Set the current-context in a kubeconfig file.
    #[command(alias = "use")]
    UseContext(Names),
    /// Display merged kubeconfig settings or a specified kubeconfig file.
    View(view::View),
}

/// The words of a subcommand, whose number it checks itself.
#[derive(clap::Args, Debug)]
struct Names {
    /// NAME
    words: Vec<String>,
}

impl Names {
    fn exactly<const N: usize>(self) -> Result<[String; N]> {
        self.words.try_into().map_err(|words: Vec<String>| unexpected(&words))
    }
}

/// What is said about too few or too many words.
fn unexpected(words: &[String]) -> crate::error::Error {
    usage(format!("Unexpected args: [{}]", words.join(" ")))
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let mut config = Kubeconfig::load(context.kubeconfig()?)?;
    match args.what {
        What::CurrentContext => match config.current(context) {
            "" => Err(usage("current-context is not set")),
            name => print(&format!("{name}\n")),
        },
        What::DeleteCluster(names) => delete(config, Section::Clusters, names),
        What::DeleteContext(names) => delete(config, Section::Contexts, names),
        What::DeleteUser(names) => delete(config, Section::Users, names),
        What::GetClusters => names(&config, Section::Clusters),
        What::GetContexts(contexts) => contexts.run(&config, context),
        What::GetUsers => names(&config, Section::Users),
        What::RenameContext(names) => rename(config, &names.exactly::<2>()?),
        What::Set(set) => set.run(config),
        What::SetCluster(cluster) => cluster.run(config, context),
        What::SetContext(entry) => entry.run(config, context),
        What::SetCredentials(user) => user.run(config),
        What::Unset(names) => {
            let [property] = names.exactly()?;
            property::unset(config, &property)
        }
        What::UseContext(names) => {
            let [name] = names.exactly()?;
            if config.entry(Section::Contexts, &name).is_none() {
                return Err(usage(format!("no context exists with the name: {name:?}")));
            }
            config.set_current(&name);
            config.save()?;
            print(&format!("Switched to context {name:?}.\n"))
        }
        What::View(view) => view.run(config, context),
    }
}

fn names(config: &Kubeconfig, section: Section) -> Result<()> {
    let mut writer = TabWriter::table();
    writer.line("NAME");
    config.entries(section).for_each(|entry| writer.line(text(&entry["name"])));
    print(&writer.take())
}

fn delete(mut config: Kubeconfig, section: Section, names: Names) -> Result<()> {
    let [name] = names.exactly()?;
    let (singular, file) = (section.singular(), config.path());
    if !config.remove(section, &name) {
        return Err(usage(format!("cannot delete {singular} {name}, not in {file}")));
    }
    if section == Section::Contexts && config.current_name() == name {
        notice("warning: this removed your active context, use \"mini-ctl config use-context\" to select a different one");
    }
    config.save()?;
    print(&format!("deleted {singular} {name} from {file}\n"))
}

fn rename(mut config: Kubeconfig, [old, new]: &[String; 2]) -> Result<()> {
    let file = config.path();
    let Some(entry) = config.entry(Section::Contexts, old).cloned() else {
        return Err(usage(format!("cannot rename the context {old:?}, it's not in {file}")));
    };
    if config.entry(Section::Contexts, new).is_some() {
        return Err(usage(format!("cannot rename the context {old:?}, the context {new:?} already exists in {file}")));
    }
    config.remove(Section::Contexts, old);
    *config.entry_mut(Section::Contexts, new) = entry;
    if config.current_name() == old {
        config.set_current(new);
    }
    config.save()?;
    print(&format!("Context {old:?} renamed to {new:?}.\n"))
}
