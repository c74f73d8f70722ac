//! Paths as texts.

/// The last part, without slashes at the end; of a root the root.
pub(crate) fn base(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { if path.is_empty() { "" } else { "/" } } else { trimmed.rsplit('/').next().unwrap_or(trimmed) }
}

/// What is before the last part: `.` if nothing is, `/` if only the root is.
pub(crate) fn parent(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rfind('/') {
        Some(at) => {
            let above = trimmed[..at].trim_end_matches('/');
            if above.is_empty() { "/" } else { above }
        }
        None if trimmed.is_empty() && !path.is_empty() => "/",
        None => ".",
    }
}

/// A name in a directory.
pub(crate) fn join(directory: &str, name: &str) -> String {
    let name = name.trim_start_matches('/');
    if directory.is_empty() || directory.ends_with('/') { format!("{directory}{name}") } else { format!("{directory}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        for (path, last, above) in [
            ("/a/b", "b", "/a"),
            ("a/b/", "b", "a"),
            ("a", "a", "."),
            ("/a", "a", "/"),
            ("/", "/", "/"),
            ("//", "/", "/"),
            ("a//b", "b", "a"),
            ("", "", "."),
        ] {
            assert_eq!((base(path), parent(path)), (last, above), "{path}");
        }
        assert_eq!([join("a", "b"), join("/", "b"), join("a/", "/b")], ["a/b", "/b", "a/b"]);
    }
}
