//! Who owns what an apply would change, in upstream's words.

use std::fmt;

use super::super::{
    fieldset::{FieldSet, PathElement},
    managed::{Entry, Operation},
};

/// Fields others own, by owner.
#[derive(Debug)]
pub struct Conflicts(Vec<(Entry, FieldSet)>);

impl Conflicts {
    pub(super) fn new(mut owners: Vec<(Entry, FieldSet)>) -> Self {
        owners.sort_by_key(|(entry, _)| named(entry));
        Self(owners)
    }

    /// Each conflict: with whom, and about which field.
    #[must_use]
    pub fn list(&self) -> Vec<(String, String)> {
        let of = |(entry, set): &(Entry, FieldSet)| set.paths().iter().map(|path| (named(entry), print(path))).collect::<Vec<_>>();
        self.0.iter().flat_map(of).collect()
    }

    /// Those that are not about fields of this set.
    #[must_use]
    pub fn beyond(self, allowed: &FieldSet) -> Self {
        let rest = self.0.into_iter().map(|(entry, set)| (entry, set.difference(allowed)));
        Self(rest.filter(|(_, set)| !set.is_empty()).collect())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.list();
        if let [(who, path)] = &all[..] {
            return write!(f, "Apply failed with 1 conflict: conflict with {who}: {path}");
        }
        write!(f, "Apply failed with {} conflicts: ", all.len())?;
        let mut last = None;
        for (who, path) in &all {
            if last != Some(who) {
                let newline = if last.is_some() { "\n" } else { "" };
                write!(f, "{newline}conflicts with {who}:")?;
                last = Some(who);
            }
            write!(f, "\n- {path}")?;
        }
        Ok(())
    }
}

/// `"kubelet" with subresource "status" using v1`. Appliers are known by their name alone.
fn named(entry: &Entry) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let mut out = format!("{:?}", text(&entry.manager));
    if let Some(subresource) = entry.subresource.as_deref().filter(|name| !name.is_empty()) {
        out += &format!(" with subresource {subresource:?}");
    }
    if entry.operation.as_deref() == Some(Operation::Update.as_str()) {
        out += &format!(" using {}", text(&entry.api_version));
    }
    out
}

/// `.spec.containers[name="c"].image`
fn print(path: &[&PathElement]) -> String {
    path.iter().map(ToString::to_string).collect()
}
