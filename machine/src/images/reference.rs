//! The name of an image, taken apart.

/// The name of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Registry and folders, such as `docker.io/library`.
    pub home: String,
    /// The last part, such as `nginx`.
    pub name: String,
    /// The tag, `latest` where there is none.
    pub tag: String,
}

impl Reference {
    /// Reads a reference, canonical or not.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.split('@').next().unwrap_or_default();
        let (home, last) = text.rsplit_once('/').unwrap_or(("docker.io/library", text));
        let (name, tag) = last.split_once(':').unwrap_or((last, "latest"));
        Self { home: home.to_owned(), name: name.to_owned(), tag: tag.to_owned() }
    }

    /// Whether it is an official image of this name, or somebody's who has nothing else of it.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// The tag if it begins with a number, else this one.
    pub(super) fn version<'a>(&'a self, latest: &'a str) -> &'a str {
        let number = self.tag.split('-').next().unwrap_or_default();
        if number.starts_with(|first: char| first.is_ascii_digit()) { number } else { latest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        for (text, home, name, tag) in [
            ("nginx", "docker.io/library", "nginx", "latest"),
            ("docker.io/library/nginx:1.7.9", "docker.io/library", "nginx", "1.7.9"),
            ("localhost:5000/a/b:c", "localhost:5000/a", "b", "c"),
            ("quay.io/x/y@sha256:ab", "quay.io/x", "y", "latest"),
        ] {
            let want = Reference { home: home.into(), name: name.into(), tag: tag.into() };
            assert_eq!(Reference::parse(text), want);
        }
        assert_eq!(Reference::parse("nginx:1.25-alpine").version("9"), "1.25");
        assert_eq!(Reference::parse("nginx:stable").version("9"), "9");
    }
}
