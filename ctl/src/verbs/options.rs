//! `options`: the flags that every verb takes.

use clap::Arg;

use crate::{context::Context, error::Result, print::print};

/// Print the list of flags inherited by all commands.
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) async fn run(_: Args, _: &Context) -> Result<()> {
    let command = crate::command();
    let mut flags: Vec<&Arg> = command.get_arguments().filter(|argument| argument.is_global_set()).collect();
    flags.sort_by_key(|flag| flag.get_long());
    print(&format!("The following options can be passed to any command:\n{}", flags.into_iter().map(shown).collect::<String>()))
}

fn shown(flag: &Arg) -> String {
    let short = flag.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    let default = flag.get_default_values().first().map_or_else(|| "''".to_owned(), |value| value.to_string_lossy().into_owned());
    let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
    format!("\n    {short}--{}={default}:\n\t{help}\n", flag.get_long().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_shown_with_its_short_form() {
        let flag = Arg::new("n").long("namespace").short('n').help("Where.");
        assert_eq!(shown(&flag), "\n    -n, --namespace='':\n\tWhere.\n");
    }
}
