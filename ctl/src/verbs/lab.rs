//! `lab`: the labs of the course, which this program carries with it: what there is, a folder to begin with, and how far one has come.

mod goals;

use std::path::PathBuf;

use clap::{Args as _, FromArgMatches as _};

use self::goals::Goal;
use super::up;
use crate::{
    context::Context,
    error::{Error, Result, usage},
    print::{TabWriter, print},
};

/// The files of the labs, made by `build.rs`.
mod files {
    include!(concat!(env!("OUT_DIR"), "/labs.rs"));
}

/// Where a lab says what is to be reached.
const GOALS: &str = "goals.yaml";
/// Where it says what to type.
const README: &str = "README.md";

/// List the labs of the course, begin one, or see what is still missing.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// The labs, in the order in which they are taught.
    List,
    /// Write a lab's files into a folder, and bring up its cluster if there is none.
    Start(StartArgs),
    /// Look which goals of a lab are reached.
    Check {
        /// The lab.
        lab: String,
    },
}

#[derive(clap::Args, Debug)]
struct StartArgs {
    /// The lab.
    lab: String,
    /// The folder [default: one of the lab's name].
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// A lab.
struct Lab {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    match args.what {
        What::List => list(),
        What::Start(args) => start(&args, context).await,
        What::Check { lab } => check(&find(&lab)?, context).await,
    }
}

/// The labs and what they teach, in the order of the table.
fn index() -> impl Iterator<Item = (&'static str, &'static str)> {
    files::INDEX.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| [")?.split_once(']')?;
        Some((name, rest.split_once('|')?.1.trim_end_matches('|').trim()))
    })
}

fn find(name: &str) -> Result<Lab> {
    let found = files::LABS.iter().find(|(known, _)| *known == name);
    let lab = found.map(|(name, files)| Lab { name, files });
    lab.ok_or_else(|| usage(format!("there is no lab {name:?}; `mini-ctl lab list` shows them")))
}

impl Lab {
    fn file(&self, name: &str) -> &'static str {
        self.files.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
    }

    fn goals(&self) -> Result<Vec<Goal>> {
        goals::read(self.file(GOALS)).map_err(|error| usage(format!("{}/{GOALS}: {error}", self.name)))
    }

    /// The flags of its `mini-ctl up`.
    fn up(&self) -> Vec<&'static str> {
        let line = self.file(README).lines().find_map(|line| line.strip_prefix("$ mini-ctl up"));
        line.unwrap_or_default().split_whitespace().collect()
    }
}

fn list() -> Result<()> {
    let mut table = TabWriter::table();
    table.line("LAB\tWHAT IS LEARNT");
    index().for_each(|(name, what)| table.line(&format!("{name}\t{}", what.replace('`', ""))));
    print(&table.take())
}

async fn start(args: &StartArgs, context: &Context) -> Result<()> {
    let lab = find(&args.lab)?;
    let goals = lab.goals()?;
    let folder = args.folder.clone().unwrap_or_else(|| lab.name.into());
    let complain = |error: std::io::Error| usage(format!("write {}: {error}", folder.display()));
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(usage(format!("{} is there already: remove it, or choose another with --folder", folder.display())));
    }
    std::fs::create_dir_all(&folder).map_err(complain)?;
    for (name, text) in lab.files.iter().filter(|(name, _)| *name != GOALS) {
        std::fs::write(folder.join(name), text).map_err(complain)?;
    }
    let home = context.home()?;
    if home.all_running().is_empty() {
        up(&lab, context).await?;
    } else {
        print(&format!("A cluster is running already in {}. This lab expects `mini-ctl up {}`.\n", home.folder().display(), lab.up().join(" ")))?;
    }
    let goals: String = goals.iter().map(|goal| format!("  - {}\n", goal.say)).collect();
    let program = context.program();
    print(&format!(
        "\nThe files of the lab are in {folder}; {folder}/{README} says what to type.\n\nThe goals:\n{goals}\n\
         `{program} lab check {name}` tells what is still missing.\n",
        folder = folder.display(),
        name = lab.name
    ))
}

/// Brings up the lab's cluster.
async fn up(lab: &Lab, context: &Context) -> Result<()> {
    let words = std::iter::once("up").chain(lab.up());
    let matches = up::Args::augment_args(clap::Command::new("up")).try_get_matches_from(words);
    let args = matches.and_then(|matches| up::Args::from_arg_matches(&matches)).map_err(|error| usage(error.to_string()))?;
    Box::pin(up::run(args, context)).await
}

async fn check(lab: &Lab, context: &Context) -> Result<()> {
    let goals = lab.goals()?;
    let mut reached = 0;
    for goal in &goals {
        match goal.missing(context).await? {
            None => {
                reached += 1;
                print(&format!("[x] {}\n", goal.say))?;
            }
            Some(why) => print(&format!("[ ] {}: {why}\n", goal.say))?,
        }
    }
    if reached == goals.len() {
        return print("The lab is done.\n");
    }
    print(&format!("{reached} of {} goals are reached.\n", goals.len()))?;
    Err(Error::Silent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lab_is_told_once_and_has_goals_that_its_readme_reaches() {
        let told: Vec<&str> = index().map(|(name, _)| name).collect();
        assert_eq!(told.len(), files::LABS.len(), "{told:?}");
        for name in told {
            let lab = find(name).unwrap_or_else(|_| panic!("{name} is told, and is none"));
            assert!(!lab.goals().unwrap().is_empty(), "{name} has no goals");
            assert!(lab.file(README).contains(&format!("$ mini-ctl lab check {name}\n")), "{name} is never checked");
        }
    }

    #[test]
    fn the_flags_of_a_lab_are_those_of_its_readme() {
        assert_eq!(find("scale").unwrap().up(), ["--nodes", "2"]);
        assert!(find("nothing").err().unwrap().to_string().contains("there is no lab \"nothing\""));
    }
}
