//! From a path to a program: executable files and scripts.

use std::sync::Arc;

use super::{Program, core::Core, machine::MAGIC, process::start_size};
use crate::{
    Errno,
    files::view::{Asker, Last},
};

/// How many interpreters may interpret interpreters.
const MOST_INTERPRETERS: usize = 4;
/// How much of the first line of a script counts.
const LONGEST_INTERPRETER: usize = 255;

/// A program to be run.
pub(crate) struct Loaded {
    pub(crate) program: Program,
    pub(crate) args: Vec<String>,
    /// What `ps` calls it: the base of the file's name, at most 15 bytes.
    pub(crate) name: String,
    /// How much arguments and environment take.
    pub(crate) size: u64,
}

impl Core {
    /// The program that a file is, or that interprets it.
    pub(crate) fn load(
        self: &Arc<Self>,
        asker: Asker<'_>,
        path: &str,
        args: Vec<String>,
        env: &[(String, String)],
    ) -> Result<Loaded, Errno> {
        let name = short_name(path);
        let (mut path, mut args) = (path.to_owned(), args);
        for _ in 0..=MOST_INTERPRETERS {
            let bytes = self.view.executable(asker, &path)?;
            if let Some(tag) = bytes.strip_prefix(MAGIC) {
                let tag = tag.split(|byte| *byte == b'\n').next().and_then(|tag| std::str::from_utf8(tag).ok());
                let program = tag.and_then(|tag| self.sandbox.machine.programs.get(tag)).ok_or(Errno::ENOEXEC)?;
                let size = start_size(&args, env)?;
                return Ok(Loaded { program, args, name, size });
            }
            let (interpreter, option) = interpreter(&bytes).ok_or(Errno::ENOEXEC)?;
            let rest = args.into_iter().skip(1);
            args = [interpreter.clone()].into_iter().chain(option).chain([path]).chain(rest).collect();
            path = interpreter;
        }
        Err(Errno::ELOOP)
    }

    /// The executable file of a name: itself if it has a slash, else the first in the directories of `path` that may be executed.
    pub(crate) fn find(&self, asker: Asker<'_>, name: &str, path: &str) -> Result<String, Errno> {
        if name.contains('/') {
            return Ok(name.to_owned());
        }
        let mut failure = Errno::ENOENT;
        for directory in path.split(':') {
            let candidate = match directory {
                "" => name.to_owned(),
                directory => format!("{}/{name}", directory.trim_end_matches('/')),
            };
            match self.view.executable(asker, &candidate) {
                Ok(_) if !name.is_empty() => return Ok(candidate),
                Err(Errno::EACCES) if self.view.find(asker, &candidate, Last::Follow).is_ok() => failure = Errno::EACCES,
                _ => {}
            }
        }
        Err(failure)
    }
}

/// The base of a path, as much as the kernel keeps.
pub(crate) fn short_name(path: &str) -> String {
    let base = path.rsplit('/').next().unwrap_or(path);
    let end = (0..=base.len().min(15)).rev().find(|end| base.is_char_boundary(*end)).unwrap_or(0);
    base[..end].to_owned()
}

/// The interpreter that the first line of a script names, and its one argument.
fn interpreter(bytes: &[u8]) -> Option<(String, Option<String>)> {
    let line = bytes.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(&line[..line.len().min(LONGEST_INTERPRETER)]).into_owned();
    let line = line.trim_matches([' ', '\t']);
    let (path, option) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let option = option.trim_matches([' ', '\t']);
    (!path.is_empty()).then(|| (path.to_owned(), (!option.is_empty()).then(|| option.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_interpreter() {
        for (text, expected) in [
            ("#!/bin/sh\necho", Some(("/bin/sh", None))),
            ("#! /usr/bin/env  python3 -u \n", Some(("/usr/bin/env", Some("python3 -u")))),
            ("#!/bin/sh", Some(("/bin/sh", None))),
            ("#!\n", None),
            ("#", None),
            ("echo", None),
        ] {
            let expected = expected.map(|(path, option)| (path.to_owned(), option.map(str::to_owned)));
            assert_eq!(interpreter(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(short_name("/usr/bin/a-very-long-name-indeed"), "a-very-long-nam");
    }
}
