//! Where a path leads: to which kind, version, namespace, object and subresource.

use std::{borrow::Cow, collections::HashMap};

use percent_encoding::percent_decode_str;

use crate::kinds::Kind;

/// Paths of resources.
pub struct Routes {
    /// The kinds of each group-version that is served, by their plurals.
    routes: HashMap<String, Kinds>,
    namespaced: Vec<bool>,
}

/// The places of kinds in the table, and of the version in their rows.
type Kinds = HashMap<String, (usize, usize)>;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A group-version's list of resources: `apps/v1`, or `v1`.
    Version(String),
    /// A resource, an object of it, or a part of that.
    Resource(Resource),
    /// Nothing that is served, below a group-version that is.
    Unknown,
    /// Nothing that is served at all.
    Nowhere,
}

/// A resource path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The kind's place in the table.
    pub kind: usize,
    /// The version's place in its row.
    pub version: usize,
    /// The namespace, if the path names one.
    pub namespace: Option<String>,
    /// The object, if the path names one.
    pub name: Option<String>,
    /// The part of it, if the path names one.
    pub subresource: Option<String>,
    /// What follows the part, undecoded: empty or from a slash on.
    pub tail: String,
}

impl Routes {
    /// The routes of a table.
    #[must_use]
    pub fn new(table: &[Kind]) -> Self {
        let mut routes: HashMap<_, Kinds> = HashMap::new();
        for (index, kind) in table.iter().enumerate() {
            for (place, version) in kind.versions.iter().enumerate() {
                routes.entry(version.api_version.clone()).or_default().insert(kind.plural.to_owned(), (index, place));
            }
        }
        Self { routes, namespaced: table.iter().map(|kind| kind.namespaced).collect() }
    }

    /// Where the path leads.
    #[must_use]
    pub fn find(&self, path: &str) -> Target {
        let segments: Vec<Cow<'_, str>> =
            path.trim_matches('/').split('/').map(|segment| percent_decode_str(segment).decode_utf8_lossy()).collect();
        let segments: Vec<&str> = segments.iter().map(Cow::as_ref).collect();
        let (api_version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => (Cow::Borrowed(*version), rest),
            ["apis", group, version, rest @ ..] => (Cow::Owned(format!("{group}/{version}")), rest),
            _ => return Target::Nowhere,
        };
        let Some(kinds) = self.routes.get(&*api_version) else {
            return if segments[0] == "apis" && self.routes.keys().any(|known| known.starts_with(&format!("{}/", segments[1]))) {
                Target::Unknown
            } else {
                Target::Nowhere
            };
        };
        self.below(&api_version, kinds, rest, path).unwrap_or(Target::Unknown)
    }

    fn below(&self, api_version: &str, kinds: &Kinds, rest: &[&str], path: &str) -> Option<Target> {
        let (namespace, plural, tail) = match rest {
            [] | [""] => return Some(Target::Version(api_version.to_owned())),
            // A namespace has parts of its own, which are no resources.
            ["namespaces", _, "status" | "finalize", ..] | ["namespaces"] | ["namespaces", _] => (None, "namespaces", &rest[1..]),
            ["namespaces", namespace, plural, tail @ ..] => (Some((*namespace).to_owned()), *plural, tail),
            [plural, tail @ ..] => (None, *plural, tail),
        };
        let (kind, version) = *kinds.get(plural)?;
        if namespace.is_some() && !self.namespaced[kind] {
            return None;
        }
        // An object in a namespace cannot be named without it.
        if namespace.is_none() && self.namespaced[kind] && !tail.is_empty() {
            return None;
        }
        let name = tail.first().map(|name| (*name).to_owned());
        let subresource = tail.get(1).map(|part| (*part).to_owned());
        let tail = after(path, tail.len().saturating_sub(2));
        Some(Target::Resource(Resource { kind, version, namespace, name, subresource, tail }))
    }
}

/// The last so many segments of a path, with the slash before them; a slash at the end of the path is part of it too.
fn after(path: &str, segments: usize) -> String {
    let bare = path.trim_end_matches('/');
    let cut = (0..segments).fold(bare, |rest, _| rest.rfind('/').map_or("", |slash| &rest[..slash]));
    path[cut.len()..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn what_follows_a_part_is_kept_as_it_came() {
        let routes = Routes::new(&kinds::table());
        let find = |path: &str| match routes.find(path) {
            Target::Resource(resource) => (resource.name.unwrap_or_default(), resource.subresource.unwrap_or_default(), resource.tail),
            other => panic!("{path}: {other:?}"),
        };
        let found = |name: &str, part: &str, tail: &str| (name.to_owned(), part.to_owned(), tail.to_owned());
        let pod = "/api/v1/namespaces/default/pods/http%3Aweb:80";
        assert_eq!(find(&format!("{pod}/proxy")), found("http:web:80", "proxy", ""));
        assert_eq!(find(&format!("{pod}/proxy/")), found("http:web:80", "proxy", "/"));
        assert_eq!(find(&format!("{pod}/proxy/a%2Fb/proxy//c/")), found("http:web:80", "proxy", "/a%2Fb/proxy//c/"));
        assert_eq!(find("/api/v1/nodes/n/proxy/pods"), found("n", "proxy", "/pods"));
        assert_eq!(find("/api/v1/nodes/n/status"), found("n", "status", ""));
        assert_eq!(find("/api/v1/namespaces/x/finalize"), found("x", "finalize", ""));
        assert_eq!(find("/api/v1/nodes/n/"), found("n", "", "/"));
    }
}
