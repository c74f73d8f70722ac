//! Files and folders in the system's place for such, named as kubectl names its own: a prefix and a number.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
};

use crate::error::{Result, usage};

/// Makes a new, empty file that only this user may read: `kubectl-edit-123.yaml`.
///
/// # Errors
/// When the system does not let us.
pub(crate) fn file(prefix: &str, suffix: &str) -> Result<PathBuf> {
    use std::os::unix::fs::OpenOptionsExt;
    first_free(prefix, suffix, |path| fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop))
}

/// Makes a new, empty folder that only this user may read: `LIVE-123`.
///
/// # Errors
/// When the system does not let us.
pub(crate) fn folder(prefix: &str) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    first_free(prefix, "", |path| fs::DirBuilder::new().mode(0o700).create(path))
}

fn first_free(prefix: &str, suffix: &str, make: impl Fn(&Path) -> io::Result<()>) -> Result<PathBuf> {
    // Two of our programs that run at the same time begin with different numbers.
    let start = u64::from(process::id()) * 1000;
    for number in start.. {
        let path = std::env::temp_dir().join(format!("{prefix}-{number}{suffix}"));
        match make(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(usage(format!("make {}: {error}", path.display()))),
        }
    }
    Err(usage("no name is free for a temporary file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_once() {
        let (one, two) = (file("mini-ctl-test", ".yaml").unwrap(), file("mini-ctl-test", ".yaml").unwrap());
        assert_ne!(one, two);
        for path in [one, two] {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let number = name.strip_prefix("mini-ctl-test-").and_then(|rest| rest.strip_suffix(".yaml")).unwrap();
            assert!(number.parse::<u64>().is_ok(), "{name}");
            fs::remove_file(path).unwrap();
        }
        let folder = folder("mini-ctl-test").unwrap();
        assert!(folder.is_dir());
        fs::remove_dir(folder).unwrap();
    }
}
