//! What `configmap` and `secret` are filled with: files, folders, literals, and files of variables. Texts of complaints are kubectl's.

use std::{fmt::Display, fs, path::Path};

use crate::error::{Error, Result, usage};

/// The flags that say what is in it.
#[derive(clap::Args, Debug, Default)]
pub(super) struct Sources {
    /// A file, or a folder of files: [KEY=]PATH.
    #[arg(long, value_name = "[KEY=]PATH", value_delimiter = ',')]
    from_file: Vec<String>,
    /// A key and its value: KEY=VALUE.
    #[arg(long, value_name = "KEY=VALUE")]
    from_literal: Vec<String>,
    /// A file of lines KEY=VALUE.
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    from_env_file: Vec<String>,
}

impl Sources {
    /// All keys with their values, in the order of the flags. `what` is what it is called in a complaint; `env` reads a variable of the environment, for keys that
    /// come without a value.
    pub(super) fn entries(&self, what: &str, env: impl Fn(&str) -> String) -> Result<Vec<(String, Vec<u8>)>> {
        let others = !self.from_file.is_empty() || !self.from_literal.is_empty();
        if others && !self.from_env_file.is_empty() {
            return Err(usage("from-env-file cannot be combined with from-file or from-literal"));
        }
        let mut entries = Vec::new();
        for source in &self.from_file {
            entries.extend(file(source, None)?);
        }
        for literal in &self.from_literal {
            match literal.split_once('=') {
                Some((key, value)) if !key.is_empty() => entries.push((key.to_owned(), value.as_bytes().to_vec())),
                _ => return Err(usage(format!("invalid literal source {literal}, expected key=value"))),
            }
        }
        for path in &self.from_env_file {
            if stat(path)?.is_dir() {
                return Err(usage(format!("env {what} file cannot be a directory")));
            }
            let bytes = fs::read(path).map_err(|error| reading(path, &error))?;
            entries.extend(variables(path, &bytes, &env)?);
        }
        Ok(entries)
    }
}

/// What a `--from-file` stands for: one entry, or one for each file of a folder. Without a key in it, the key is the one given, or the file's name.
pub(super) fn file(source: &str, default_key: Option<&str>) -> Result<Vec<(String, Vec<u8>)>> {
    let (key, path) = match source.split_once('=') {
        None => (None, source),
        Some((_, path)) if path.contains('=') => return Err(usage("key names or file paths cannot contain '='")),
        Some(("", path)) => return Err(usage(format!("key name for file path {path} missing"))),
        Some((key, "")) => return Err(usage(format!("file path for key name {key} missing"))),
        Some((key, path)) => (Some(key), path),
    };
    if !stat(path)?.is_dir() {
        let base = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let key = key.or(default_key).map_or(base, str::to_owned);
        return Ok(vec![(key, fs::read(path).map_err(|error| reading(path, &error))?)]);
    }
    if key.is_some() {
        return Err(usage("cannot give a key name for a directory path"));
    }
    let listing = |error: std::io::Error| usage(format!("error listing files in {path}: {error}"));
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(listing)? {
        let entry = entry.map_err(listing)?;
        if entry.file_type().map_err(listing)?.is_file() {
            let bytes = fs::read(entry.path()).map_err(|error| reading(entry.path().display(), &error))?;
            entries.push((entry.file_name().to_string_lossy().into_owned(), bytes));
        }
    }
    entries.sort();
    Ok(entries)
}

/// The lines of a file of variables. Spaces before a key are no part of it; those behind it are, and make it a wrong one.
fn variables(path: &str, bytes: &[u8], env: impl Fn(&str) -> String) -> Result<Vec<(String, Vec<u8>)>> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut entries = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = std::str::from_utf8(line).map_err(|_| {
            let shown: Vec<String> = line.iter().map(ToString::to_string).collect();
            usage(format!("env file {path} contains invalid utf8 bytes at line {}: [{}]", at + 1, shown.join(" ")))
        })?;
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (key, value.to_owned()),
            None => (line, env(line)),
        };
        if !is_variable(key) {
            return Err(usage(format!(
                "{key:?} is not a valid key name: a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', \
                 and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is \
                 '[-._a-zA-Z][-._a-zA-Z0-9]*')"
            )));
        }
        entries.push((key.to_owned(), value.into_bytes()));
    }
    Ok(entries)
}

/// Whether it is the name of a variable in the sense that kubectl still has; the server takes more.
fn is_variable(key: &str) -> bool {
    let is_sign = |c: char| "-._".contains(c);
    key.starts_with(|c: char| c.is_ascii_alphabetic() || is_sign(c)) && key.chars().all(|c| c.is_ascii_alphanumeric() || is_sign(c))
}

fn stat(path: &str) -> Result<fs::Metadata> {
    fs::metadata(path).map_err(|error| reading(path, &error))
}

fn reading(path: impl Display, error: &std::io::Error) -> Error {
    usage(format!("error reading {path}: {}", reason(error)))
}

/// The system's reason, as Go writes it.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(sources: &Sources) -> Result<Vec<(String, String)>, String> {
        let found = sources.entries("config", |name| format!("${name}")).map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(|(key, value)| (key, String::from_utf8_lossy(&value).into_owned())).collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn literals_keep_everything_behind_the_first_equals_sign() {
        let literals = |literals: &[&str]| {
            entries(&Sources { from_literal: literals.iter().map(ToString::to_string).collect(), ..Sources::default() })
        };
        assert_eq!(literals(&["a=b=c", "d=", "e=\"f\""]), Ok(pairs(&[("a", "b=c"), ("d", ""), ("e", "\"f\"")])));
        for wrong in ["a", "=b"] {
            assert_eq!(literals(&[wrong]), Err(format!("error: invalid literal source {wrong}, expected key=value")));
        }
    }

    #[test]
    fn files_are_called_as_they_are_called_or_as_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().display().to_string();
        fs::write(folder.path().join("b.txt"), "B").unwrap();
        fs::write(folder.path().join("a.txt"), "A").unwrap();
        fs::create_dir(folder.path().join("deeper")).unwrap();
        let files = |source: String| entries(&Sources { from_file: vec![source], ..Sources::default() });
        assert_eq!(files(home.clone()), Ok(pairs(&[("a.txt", "A"), ("b.txt", "B")])));
        assert_eq!(files(format!("{home}/a.txt")), Ok(pairs(&[("a.txt", "A")])));
        assert_eq!(files(format!("x={home}/a.txt")), Ok(pairs(&[("x", "A")])));
        for (source, why) in [
            (format!("x={home}"), "cannot give a key name for a directory path".to_owned()),
            ("a=b=c".to_owned(), "key names or file paths cannot contain '='".to_owned()),
            ("a=".to_owned(), "file path for key name a missing".to_owned()),
            ("=a".to_owned(), "key name for file path a missing".to_owned()),
            (format!("{home}/nope"), format!("error reading {home}/nope: no such file or directory")),
        ] {
            assert_eq!(files(source), Err(format!("error: {why}")));
        }
    }

    #[test]
    fn files_of_variables_have_remarks_and_ask_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env").display().to_string();
        let file = |text: &str| {
            fs::write(&path, text).unwrap();
            entries(&Sources { from_env_file: vec![path.clone()], ..Sources::default() })
        };
        assert_eq!(file("\u{feff}# why\n\nA=b=c\n  D= e\r\nF\n"), Ok(pairs(&[("A", "b=c"), ("D", " e"), ("F", "$F")])));
        assert!(file("1a=b").unwrap_err().starts_with("error: \"1a\" is not a valid key name: a valid environment variable name must"));
        let both = Sources { from_env_file: vec![path.clone()], from_literal: vec!["a=b".into()], ..Sources::default() };
        assert_eq!(entries(&both).unwrap_err(), "error: from-env-file cannot be combined with from-file or from-literal");
    }
}
