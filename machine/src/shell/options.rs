//! What `set` turns on and off.

/// Declares the options in ash's order: name, letter, whether `set -o` tells of it.
macro_rules! options {
    ($($name:ident $letter:literal $told:literal $what:literal),+ $(,)?) => {
        /// What is turned on.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(super) struct Options {
            $(#[doc = $what] pub(super) $name: bool,)+
        }

        impl Options {
            /// All options: name, letter (a space: none), whether it is on.
            fn all(self) -> Vec<(&'static str, char, bool, bool)> {
                vec![$((stringify!($name), $letter, $told, self.$name)),+]
            }

            /// The option of a name or letter.
            fn find(&mut self, name: &str) -> Option<&mut bool> {
                match name {
                    $(_ if name == stringify!($name) || name.chars().eq([$letter]) => Some(&mut self.$name),)+
                    _ => None,
                }
            }
        }
    };
}

options! {
    errexit 'e' true "A command that fails ends the shell.",
    noglob 'f' true "Patterns are no names of files.",
    ignoreeof 'I' true "The end of input does not end an interactive shell.",
    interactive 'i' false "A person types the commands.",
    monitor 'm' true "Jobs have process groups of their own.",
    noexec 'n' true "Commands are read and not run.",
    stdin 's' false "Commands are read from the standard input.",
    command 'c' false "Commands are an argument.",
    xtrace 'x' true "Commands are shown before they are run.",
    verbose 'v' true "Input is shown as it is read.",
    noclobber 'C' true "`>` does not overwrite.",
    allexport 'a' true "Variables that are set are exported.",
    notify 'b' true "The end of a job is told at once.",
    nounset 'u' true "A variable that is not set is an error.",
    errtrace 'E' true "Kept, and means nothing.",
    vi 'V' true "Kept, and means nothing.",
    pipefail ' ' true "A pipeline fails if any part of it does.",
}

impl Options {
    /// What `$-` shows.
    pub(super) fn letters(self) -> String {
        self.all().into_iter().rev().filter(|(_, letter, _, on)| *on && *letter != ' ').map(|(_, letter, ..)| letter).collect()
    }

    /// Turns an option on or off, by name or letter; `false`: there is none such.
    pub(super) fn set(&mut self, name: &str, on: bool) -> bool {
        match self.find(name).filter(|_| name != " ") {
            Some(option) => {
                *option = on;
                true
            }
            None => false,
        }
    }

    /// What `set -o` prints, and with `commands` what `set +o` prints.
    pub(super) fn listing(self, commands: bool) -> String {
        let told = self.all().into_iter().filter(|(_, _, told, _)| *told);
        let line = |(name, _, _, on): (&str, char, bool, bool)| match (commands, on) {
            (true, true) => format!("set -o {name}\n"),
            (true, false) => format!("set +o {name}\n"),
            (false, on) => format!("{name:<16}{}\n", if on { "on" } else { "off" }),
        };
        told.map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_known_by_name_and_letter() {
        let mut options = Options::default();
        assert!(options.set("e", true) && options.set("xtrace", true) && options.set("u", true) && options.set("c", true));
        assert_eq!(options.letters(), "uxce");
        assert!(options.set("errexit", false) && !options.set("Z", true) && !options.set(" ", true));
        assert!(options.set("pipefail", true) && options.pipefail);
        assert!(options.listing(false).starts_with("errexit         off\n"));
        assert!(options.listing(true).contains("set -o xtrace\n"));
    }
}
