//! What roles allow, rule by rule, as kubectl sums it up.

use serde_json::Value;

use super::page::{Page, go_list};
use crate::value::{list, text};

/// The table of what is allowed.
pub(super) fn show(page: &mut Page, role: &Value) {
    page.field(0, "Name", text(&role["metadata"]["name"]));
    page.labels_and_annotations(role);
    page.line(0, "PolicyRule:");
    page.line(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs");
    page.line(1, "---------\t-----------------\t--------------\t-----");
    for allowed in compact(list(&role["rules"])) {
        let verbs = allowed.verbs.join(" ");
        let (urls, names) = (go_list(&allowed.url.into()), go_list(&allowed.name.into()));
        page.line(1, &format!("{}\t{urls}\t{names}\t[{verbs}]", qualified(allowed.resource, allowed.group)));
    }
}

/// What is allowed with one resource, or one of its objects, or one URL.
#[derive(Debug, PartialEq, Eq)]
struct Allowed<'a> {
    verbs: Vec<&'a str>,
    group: &'a str,
    resource: &'a str,
    /// At most one.
    name: Vec<&'a str>,
    /// At most one.
    url: Vec<&'a str>,
}

impl Allowed<'_> {
    /// What kubectl sorts by: the rule as Go prints it.
    fn key(&self) -> String {
        let (verbs, name, url) = (self.verbs.join(" "), self.name.join(" "), self.url.join(" "));
        format!("{verbs}],APIGroups:[{}],Resources:[{}],ResourceNames:[{name}],NonResourceURLs:[{url}],", self.group, self.resource)
    }
}

/// The rules taken apart, and those for the same resource brought together again.
fn compact(rules: &[Value]) -> Vec<Allowed<'_>> {
    let mut all: Vec<Allowed<'_>> = Vec::new();
    for rule in rules {
        let texts = |field: &str| list(&rule[field]).iter().map(text).collect::<Vec<&str>>();
        let (verbs, names) = (texts("verbs"), texts("resourceNames"));
        let names: Vec<Vec<&str>> = if names.is_empty() { vec![Vec::new()] } else { names.into_iter().map(|name| vec![name]).collect() };
        for group in texts("apiGroups") {
            for resource in texts("resources") {
                for verb in &verbs {
                    names.iter().for_each(|name| allow(&mut all, verb, group, resource, name));
                }
            }
        }
        for url in texts("nonResourceURLs") {
            all.extend(verbs.iter().map(|verb| Allowed { verbs: vec![verb], group: "", resource: "", name: Vec::new(), url: vec![url] }));
        }
    }
    all.sort_by_key(Allowed::key);
    all
}

fn allow<'a>(all: &mut Vec<Allowed<'a>>, verb: &'a str, group: &'a str, resource: &'a str, name: &[&'a str]) {
    let same = |known: &&mut Allowed<'a>| known.url.is_empty() && (known.group, known.resource, &*known.name) == (group, resource, name);
    match all.iter_mut().find(same) {
        Some(known) if known.verbs.contains(&verb) => {}
        Some(known) => known.verbs.push(verb),
        None => all.push(Allowed { verbs: vec![verb], group, resource, name: name.to_vec(), url: Vec::new() }),
    }
}

/// `deployments.apps/scale`
fn qualified(resource: &str, group: &str) -> String {
    let (plural, part) = resource.split_once('/').map_or((resource, String::new()), |(plural, part)| (plural, format!("/{part}")));
    if group.is_empty() { resource.to_owned() } else { format!("{plural}.{group}{part}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What kubectl 1.32 printed of such a role.
    #[test]
    fn rules_are_taken_apart_and_brought_together() {
        let role = json!({"metadata": {"name": "reader"}, "rules": [
            {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["watch", "get"]},
            {"apiGroups": ["apps", "extensions"], "resources": ["deployments", "deployments/scale"], "verbs": ["*"]},
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"], "verbs": ["get"]},
            {"nonResourceURLs": ["/healthz", "/api/*"], "verbs": ["get", "post"]},
        ]});
        let mut page = Page::default();
        show(&mut page, &role);
        assert_eq!(
            page.finish(),
            "\
Name:         reader
Labels:       <none>
Annotations:  <none>
PolicyRule:
  Resources                     Non-Resource URLs  Resource Names  Verbs
  ---------                     -----------------  --------------  -----
  deployments.apps/scale        []                 []              [*]
  deployments.apps              []                 []              [*]
  deployments.extensions/scale  []                 []              [*]
  deployments.extensions        []                 []              [*]
  pods                          []                 []              [get list watch]
  pods/log                      []                 []              [get list]
                                [/api/*]           []              [get]
                                [/healthz]         []              [get]
  secrets                       []                 [a]             [get]
  secrets                       []                 [b]             [get]
                                [/api/*]           []              [post]
                                [/healthz]         []              [post]
"
        );
    }
}
