//! Which program a person edits with, and how it is run on a file. Source: kubectl's `editor`.

use std::{env, ffi::OsString, io::ErrorKind, path::Path, process::Command};

use crate::error::{Result, usage};

/// An editor: what is run, and whether it is a line for the shell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Editor {
    words: Vec<String>,
    shell: bool,
}

impl Editor {
    /// The one the person has chosen, or vi.
    pub(super) fn chosen() -> Self {
        let chosen = |name: &str| env::var(name).ok().filter(|line| !line.is_empty());
        let line = chosen("KUBE_EDITOR").or_else(|| chosen("EDITOR")).unwrap_or_else(|| "vi".into());
        Self::from_line(&line, &chosen("SHELL").unwrap_or_else(|| "/bin/bash".into()))
    }

    fn from_line(line: &str, shell: &str) -> Self {
        if line.contains(['"', '\'', '\\']) && line.contains(' ') {
            return Self { words: vec![shell.into(), "-c".into(), line.into()], shell: true };
        }
        Self { words: line.split(' ').map(str::to_owned).collect(), shell: false }
    }

    /// Lets the person edit the file.
    ///
    /// # Errors
    /// When the editor cannot be run or ends badly.
    pub(super) fn open(&self, file: &Path) -> Result<()> {
        let mut words: Vec<OsString> = self.words.iter().map(OsString::from).collect();
        match words.last_mut().filter(|_| self.shell) {
            Some(line) => line.push(format!(" {:?}", file.display().to_string())),
            None => words.push(file.into()),
        }
        let line = self.words.join(" ");
        match Command::new(&words[0]).args(&words[1..]).status() {
            Ok(status) if status.success() => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(usage(format!("unable to launch the editor {line:?}"))),
            _ => Err(usage(format!("there was a problem with the editor {line:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_quotes_goes_to_the_shell() {
        for (line, words, shell) in [
            ("vi", vec!["vi"], false),
            ("code --wait", vec!["code", "--wait"], false),
            ("sed -i 's/a b/c/'", vec!["/bin/sh", "-c", "sed -i 's/a b/c/'"], true),
            ("my'editor", vec!["my'editor"], false),
        ] {
            let words = words.into_iter().map(str::to_owned).collect();
            assert_eq!(Editor::from_line(line, "/bin/sh"), Editor { words, shell });
        }
    }
}
