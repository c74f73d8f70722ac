//! What roles allow: verbs on resources, which are asked from the server.

use serde_json::{Value, json};

use crate::{
    discover::Catalog,
    error::{Error, Result, usage},
    server::warn,
};

/// The verbs that the server knows.
const VERBS: [&str; 14] = [
    "*", "get", "delete", "list", "create", "update", "patch", "watch", "proxy", "deletecollection", "use", "bind", "escalate", "impersonate",
];

const RBAC: &str = "rbac.authorization.k8s.io";

/// Verbs that only some resources have, some of which no server lists: verb, group and resource.
const SPECIAL: [(&str, &str, &str); 10] = [
    ("use", "policy", "podsecuritypolicies"),
    ("use", "extensions", "podsecuritypolicies"),
    ("bind", RBAC, "roles"),
    ("bind", RBAC, "clusterroles"),
    ("escalate", RBAC, "roles"),
    ("escalate", RBAC, "clusterroles"),
    ("impersonate", "", "users"),
    ("impersonate", "", "serviceaccounts"),
    ("impersonate", "", "groups"),
    ("impersonate", "authentication.k8s.io", "userextras"),
];

/// The flags that say what a role allows.
#[derive(clap::Args, Debug)]
pub(super) struct Rules {
    /// What may be done.
    #[arg(long, value_name = "VERB", value_delimiter = ',')]
    verb: Vec<String>,
    /// To what: RESOURCE[.GROUP][/SUBRESOURCE].
    #[arg(long, value_name = "RESOURCE", value_delimiter = ',')]
    resource: Vec<String>,
    /// Only to the objects of these names.
    #[arg(long, value_name = "NAME")]
    resource_name: Vec<String>,
}

impl Rules {
    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.verb.is_empty() && self.resource.is_empty() && self.resource_name.is_empty()
    }

    /// The verbs, each once; all of them if one of them is `*`.
    ///
    /// # Errors
    /// When there are none.
    pub(super) fn verbs(&self) -> Result<Vec<&str>> {
        let verbs = once(&self.verb);
        if verbs.is_empty() {
            return Err(usage("at least one verb must be specified"));
        }
        Ok(if verbs.contains(&"*") { vec!["*"] } else { verbs })
    }

    /// The resources as they were named, each once.
    pub(super) fn resources(&self) -> Vec<Named<'_>> {
        let named: Vec<Named<'_>> = once(&self.resource).into_iter().map(Named::parse).collect();
        match named.iter().find(|named| **named == Named::parse("*")) {
            Some(all) => vec![*all],
            None => named,
        }
    }

    /// One rule for each group of resources. Says which verbs are none of the usual.
    ///
    /// # Errors
    /// Resources that the server does not have, and verbs that they do not.
    pub(super) fn for_resources(&self, catalog: &Catalog, verbs: &[&str]) -> Result<Vec<Value>> {
        for verb in verbs.iter().filter(|verb| !VERBS.contains(verb)) {
            warn(&format!("'{verb}' is not a standard resource verb"));
        }
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for named in self.resources() {
            let (group, mut resource) = named.resolve(catalog, verbs)?;
            if !named.subresource.is_empty() {
                resource = format!("{resource}/{}", named.subresource);
            }
            match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, resources)) if resources.contains(&resource) => {}
                Some((_, resources)) => resources.push(resource),
                None => groups.push((group, vec![resource])),
            }
        }
        groups.sort();
        let names = once(&self.resource_name);
        let rule = |(group, resources): (String, Vec<String>)| {
            let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
            if !names.is_empty() {
                rule["resourceNames"] = json!(names);
            }
            rule
        };
        // The order of the resources of a group is the user's; only groups are sorted.
        Ok(groups.into_iter().map(rule).collect())
    }
}

/// The words, each once, in their order.
pub(super) fn once(words: &[String]) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for word in words.iter().filter(|word| !word.is_empty()) {
        if !found.contains(&word.as_str()) {
            found.push(word);
        }
    }
    found
}

/// A resource as the user names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Named<'a> {
    resource: &'a str,
    group: &'a str,
    subresource: &'a str,
}

impl<'a> Named<'a> {
    fn parse(text: &'a str) -> Self {
        let (main, subresource) = text.split_once('/').unwrap_or((text, ""));
        let (resource, group) = main.split_once('.').unwrap_or((main, ""));
        Self { resource, group, subresource }
    }

    /// Group and plural of what is meant.
    fn resolve(&self, catalog: &Catalog, verbs: &[&str]) -> Result<(String, String)> {
        if self.resource.is_empty() {
            return Err(usage("resource must be specified if apiGroup/subresource specified"));
        }
        let as_said = (self.group.to_owned(), self.resource.to_owned());
        if self.resource == "*" {
            return Ok(as_said);
        }
        let wanted = if self.group.is_empty() { self.resource.to_owned() } else { format!("{}.{}", self.resource, self.group) };
        let found = catalog.find(&wanted).ok().filter(|found| self.group.is_empty() || found.group == self.group);
        let known = found.map(|found| (found.group.clone(), found.plural.clone()));
        let (group, resource) = known.clone().unwrap_or(as_said);
        let mut special = false;
        for verb in verbs.iter().filter(|verb| SPECIAL.iter().any(|(special, ..)| special == *verb)) {
            special = SPECIAL.contains(&(*verb, group.as_str(), resource.as_str()));
            if !special {
                return Err(usage(format!("can not perform '{verb}' on '{resource}' in group '{group}'")));
            }
        }
        if known.is_some() || special {
            return Ok((group, resource));
        }
        let of_group = if self.group.is_empty() { String::new() } else { format!(" in group {:?}", self.group) };
        Err(Error::Plain(format!("the server doesn't have a resource type {:?}{of_group}", self.resource)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::tests::catalog;

    fn rules(verbs: &str, resources: &str) -> Result<Vec<Value>, String> {
        let split = |words: &str| words.split(',').map(str::to_owned).collect();
        let rules = Rules { verb: split(verbs), resource: split(resources), resource_name: Vec::new() };
        let verbs = rules.verbs().map_err(|error| error.to_string())?;
        rules.for_resources(&catalog(), &verbs).map_err(|error| error.to_string())
    }

    #[test]
    fn a_rule_is_made_for_each_group() {
        assert_eq!(
            rules("get,list,get", "ns,deploy/scale,po,pods/log,pod"),
            Ok(vec![
                json!({"apiGroups": [""], "resources": ["namespaces", "pods", "pods/log"], "verbs": ["get", "list"]}),
                json!({"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get", "list"]}),
            ])
        );
        assert_eq!(rules("*,get", "*"), Ok(vec![json!({"apiGroups": [""], "resources": ["*"], "verbs": ["*"]})]));
        assert_eq!(rules("impersonate", "users"), Ok(vec![json!({"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]})]));
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (verbs, resources, why) in [
            ("", "pods", "error: at least one verb must be specified"),
            ("get", "nopes", "the server doesn't have a resource type \"nopes\""),
            ("get", "pods.nope", "the server doesn't have a resource type \"pods\" in group \"nope\""),
            ("use", "pods", "error: can not perform 'use' on 'pods' in group ''"),
        ] {
            assert_eq!(rules(verbs, resources), Err(why.to_owned()));
        }
    }
}
