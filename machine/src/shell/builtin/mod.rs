//! What the shell does itself. Adding one is its function in the file of its kind and one line in the list.

mod directory;
mod flow;
mod jobs;
pub(crate) mod kill;
mod look;
mod output;
mod read;
mod variables;

use futures::future::BoxFuture;

use super::{Flow, Shell};

/// How a builtin is run, its own name first among the arguments. Answers the status.
type Run = for<'a> fn(&'a mut Shell, &'a [String]) -> BoxFuture<'a, Result<i32, Flow>>;

/// A builtin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Builtin {
    /// Its name.
    pub(super) name: &'static str,
    /// Whether what goes wrong in it ends the shell, and assignments before it stay.
    pub(super) special: bool,
    /// What it does.
    pub(super) run: Run,
}

/// Declares the builtins by name.
macro_rules! builtins {
    (@special) => { false };
    (@special special) => { true };
    ($($name:literal $($special:ident)? => $run:path),+ $(,)?) => {
        /// All builtins, by name.
        const BUILTINS: &[Builtin] = &[
            $(Builtin { name: $name, special: builtins!(@special $($special)?), run: |shell, args| Box::pin($run(shell, args)) }),+
        ];
    };
}

builtins! {
    "." special => flow::dot,
    ":" special => flow::succeed,
    "[" => output::test,
    "[[" => output::test,
    "bg" => jobs::background,
    "break" special => flow::leave_loop,
    "cd" => directory::change,
    "chdir" => directory::change,
    "command" => look::command,
    "continue" special => flow::leave_loop,
    "echo" => output::echo,
    "eval" special => flow::eval,
    "exec" special => flow::exec,
    "exit" special => flow::exit,
    "export" special => variables::declare,
    "false" => flow::fail,
    "fg" => jobs::foreground,
    "getopts" => variables::getopts,
    "hash" => look::hash,
    "help" => look::help,
    "jobs" => jobs::list,
    "kill" => kill::builtin,
    "let" => variables::calculate,
    "local" special => variables::local,
    "printf" => output::printf,
    "pwd" => directory::tell,
    "read" => read::read,
    "readonly" special => variables::declare,
    "return" special => flow::leave,
    "set" special => variables::set,
    "shift" special => variables::shift,
    "source" special => flow::dot,
    "test" => output::test,
    "times" special => look::times,
    "trap" special => jobs::trap,
    "true" => flow::succeed,
    "type" => look::kinds,
    "ulimit" => look::limits,
    "umask" => directory::mask,
    "unset" special => variables::unset,
    "wait" => jobs::wait,
}

/// The builtin of a name.
pub(super) fn find(name: &str) -> Option<&'static Builtin> {
    BUILTINS.binary_search_by(|builtin| builtin.name.cmp(name)).ok().map(|at| &BUILTINS[at])
}

impl Shell {
    /// Writes to the standard output; answers the status.
    async fn print(&self, text: impl AsRef<[u8]> + Send) -> i32 {
        i32::from(self.ctx.out(text).await.is_err())
    }

    /// Says what is wrong as the applet of the same name would, in the name of the program this process is.
    async fn complain_as_program(&self, message: &str) {
        let called = self.ctx.args().first().map_or("sh", String::as_str);
        let name = called.rsplit('/').next().unwrap_or(called).trim_start_matches('-');
        self.ctx.err(format!("{name}: {message}\n")).await;
    }

    /// The number that an argument is.
    async fn number(&mut self, text: &str) -> Result<usize, Flow> {
        match text.parse::<i32>().ok().and_then(|number| usize::try_from(number).ok()).filter(|_| !text.starts_with('+')) {
            Some(number) => Ok(number),
            None => Err(self.raise(2, &format!("Illegal number: {text}")).await),
        }
    }

    /// Reads options of one letter each that stand before the operands; those in `valued` take a value. Answers options and operands.
    async fn letters<'a>(&mut self, args: &'a [String], known: &str, valued: &str) -> Result<(Vec<(char, &'a str)>, &'a [String]), Flow> {
        let mut found = Vec::new();
        let mut rest = args.get(1..).unwrap_or_default();
        while let Some((arg, after)) = rest.split_first() {
            if !arg.starts_with('-') || arg == "-" {
                break;
            }
            rest = after;
            if arg == "--" {
                break;
            }
            for (at, letter) in arg.char_indices().skip(1) {
                if valued.contains(letter) {
                    let inside = &arg[at + letter.len_utf8()..];
                    let value = if inside.is_empty() { rest.first().map(String::as_str) } else { Some(inside) };
                    let Some(value) = value else {
                        return Err(self.raise(2, &format!("-{letter} requires an argument")).await);
                    };
                    if inside.is_empty() {
                        rest = rest.get(1..).unwrap_or_default();
                    }
                    found.push((letter, value));
                    break;
                }
                if !known.contains(letter) {
                    return Err(self.raise(2, &format!("illegal option -{letter}")).await);
                }
                found.push((letter, ""));
            }
        }
        Ok((found, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order() {
        assert!(BUILTINS.is_sorted_by(|one, other| one.name < other.name));
        assert!(
            find("cd").is_some_and(|builtin| !builtin.special) && find(".").is_some_and(|builtin| builtin.special) && find("ls").is_none()
        );
    }
}
