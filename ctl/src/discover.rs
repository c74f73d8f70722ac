//! Which resources the server has, asked from the server: names, short names, categories, paths. It knows no kind.

use serde_json::Value;

use crate::{
    error::{Error, Result, usage},
    server::{Server, escape},
    value::{list, some_text, text},
};

/// The aggregated form first, the one-request-per-version form if the server does not have it.
const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

/// One resource of one group-version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) namespaced: bool,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) verbs: Vec<String>,
    /// Whether this is the version its group prefers.
    pub(crate) preferred: bool,
}

impl Resource {
    /// `v1` or `apps/v1`.
    pub(crate) fn group_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `pods` or `deployments.apps`: how messages about the whole resource name it.
    pub(crate) fn qualified_plural(&self) -> String {
        self.qualify(&self.plural)
    }

    /// `pod` or `deployment.apps`: how messages about one object name it.
    pub(crate) fn qualified_singular(&self) -> String {
        let singular = if self.singular.is_empty() { self.kind.to_lowercase() } else { self.singular.clone() };
        self.qualify(&singular)
    }

    fn qualify(&self, name: &str) -> String {
        if self.group.is_empty() { name.to_owned() } else { format!("{name}.{}", self.group) }
    }

    /// The path of all its objects, in one namespace if it has any and one is given.
    pub(crate) fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let scope = match namespace {
            Some(namespace) if self.namespaced => format!("/namespaces/{}", escape(namespace)),
            _ => String::new(),
        };
        format!("{root}/{}{scope}/{}", self.group_version(), self.plural)
    }

    /// The path of one object.
    pub(crate) fn object_path(&self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.path(Some(namespace)), escape(name))
    }

    /// Whether it can be asked to do `verb`.
    pub(crate) fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|have| have == verb)
    }

    /// Whether `word`, in lower case, is one of its names.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        self.plural == word
            || self.singular == word
            || self.short_names.iter().any(|short| short == word)
            || self.kind.to_lowercase() == word
    }
}

/// Everything the server serves, in its own order of groups and versions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    resources: Vec<Resource>,
}

impl Catalog {
    /// Asks the server.
    pub(crate) async fn fetch(server: &Server) -> Result<Self> {
        let (core, groups) = futures::try_join!(server.get_as("/api", ACCEPT), server.get_as("/apis", ACCEPT))?;
        let mut resources = Vec::new();
        for answer in [core, groups] {
            match text(&answer["kind"]) {
                "APIGroupDiscoveryList" => resources.extend(aggregated(&answer)),
                _ => resources.extend(one_by_one(server, &answer).await?),
            }
        }
        Ok(Self { resources })
    }

    /// All resources, every version.
    pub(crate) fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// Finds what the user means by `pods`, `po`, `Pod`, `deployments.apps` or `deployments.v1.apps`.
    pub(crate) fn find(&self, name: &str) -> Result<&Resource> {
        self.lookup(name).ok_or_else(|| unknown(name))
    }

    fn lookup(&self, name: &str) -> Option<&Resource> {
        let lower = name.to_lowercase();
        let (word, qualifier) = match lower.split_once('.') {
            Some((word, qualifier)) => (word, Some(qualifier)),
            None => (lower.as_str(), None),
        };
        let fits = |resource: &&Resource| {
            resource.is_called(word)
                && match qualifier {
                    None => resource.preferred,
                    Some(group) if group == resource.group => resource.preferred,
                    Some(both) => {
                        both == format!("{}.{}", resource.version, resource.group) || both == resource.version && resource.group.is_empty()
                    }
                }
        };
        let candidates = || self.resources.iter().filter(fits);
        // A whole name beats a short name of something else, as in upstream's mappers.
        candidates().find(|resource| resource.plural == word || resource.singular == word).or_else(|| candidates().next())
    }

    /// Takes apart `deploy,rs,pod` or a category such as `all`.
    pub(crate) fn find_many(&self, names: &str) -> Result<Vec<&Resource>> {
        let mut found: Vec<&Resource> = Vec::new();
        for name in names.split(',') {
            let meant = match self.lookup(name) {
                Some(resource) => vec![resource],
                None => self.category(name).collect(),
            };
            if meant.is_empty() {
                return Err(unknown(name));
            }
            for resource in meant {
                if !found.contains(&resource) {
                    found.push(resource);
                }
            }
        }
        Ok(found)
    }

    fn category<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Resource> {
        self.resources.iter().filter(move |resource| {
            resource.preferred && resource.can("list") && resource.categories.iter().any(|category| category == name)
        })
    }

    /// The resource of an object, by its `apiVersion` and `kind`.
    pub(crate) fn of_object(&self, object: &Value, source: &str) -> Result<&Resource> {
        let (group_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        self.of_kind(group_version, kind).ok_or_else(|| {
            let metadata = &object["metadata"];
            Error::Usage(format!(
                "resource mapping not found for name: {:?} namespace: {:?} from {source:?}: no matches for kind {kind:?} in version {group_version:?}\n\
                 ensure CRDs are installed first",
                text(&metadata["name"]),
                text(&metadata["namespace"]),
            ))
        })
    }

    /// The resource of a kind in a group-version.
    pub(crate) fn of_kind(&self, group_version: &str, kind: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.kind == kind && resource.group_version() == group_version)
    }
}

fn unknown(name: &str) -> Error {
    usage(format!("the server doesn't have a resource type {:?}", name.split('.').next().unwrap_or(name)))
}

fn words(value: &Value) -> Vec<String> {
    list(value).iter().map(|word| text(word).to_owned()).collect()
}

/// Reads `apidiscovery.k8s.io/v2`.
fn aggregated(answer: &Value) -> Vec<Resource> {
    let mut resources = Vec::new();
    for group in list(&answer["items"]) {
        for (at, version) in list(&group["versions"]).iter().enumerate() {
            for resource in list(&version["resources"]) {
                resources.push(Resource {
                    group: text(&group["metadata"]["name"]).to_owned(),
                    version: text(&version["version"]).to_owned(),
                    plural: text(&resource["resource"]).to_owned(),
                    singular: text(&resource["singularResource"]).to_owned(),
                    kind: text(&resource["responseKind"]["kind"]).to_owned(),
                    namespaced: text(&resource["scope"]) == "Namespaced",
                    short_names: words(&resource["shortNames"]),
                    categories: words(&resource["categories"]),
                    verbs: words(&resource["verbs"]),
                    preferred: at == 0,
                });
            }
        }
    }
    prefer_newest_that_has_it(&mut resources);
    resources
}

/// Reads `/api` or `/apis`, and asks for every group-version they name.
async fn one_by_one(server: &Server, answer: &Value) -> Result<Vec<Resource>> {
    let mut resources = Vec::new();
    let core = list(&answer["versions"]).iter().map(|version| ("", text(version), true));
    let groups = list(&answer["groups"]).iter().flat_map(|group| {
        let preferred = text(&group["preferredVersion"]["version"]);
        list(&group["versions"]).iter().map(move |version| {
            let version = text(&version["version"]);
            (text(&group["name"]), version, version == preferred)
        })
    });
    for (group, version, preferred) in core.chain(groups) {
        let path = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let answer = server.get(&path).await?;
        let whole = list(&answer["resources"]).iter().filter(|resource| !text(&resource["name"]).contains('/'));
        resources.extend(whole.map(|resource| Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: text(&resource["name"]).to_owned(),
            singular: some_text(&resource["singularName"]).unwrap_or_default().to_owned(),
            kind: text(&resource["kind"]).to_owned(),
            namespaced: resource["namespaced"] == true,
            short_names: words(&resource["shortNames"]),
            categories: words(&resource["categories"]),
            verbs: words(&resource["verbs"]),
            preferred,
        }));
    }
    prefer_newest_that_has_it(&mut resources);
    Ok(resources)
}

/// A resource that the preferred version of its group lacks is preferred in the first version that has it.
fn prefer_newest_that_has_it(resources: &mut [Resource]) {
    for at in 0..resources.len() {
        let (group, plural) = (resources[at].group.clone(), resources[at].plural.clone());
        let same = |resource: &&Resource| resource.group == group && resource.plural == plural;
        if !resources.iter().filter(same).any(|resource| resource.preferred) {
            resources[at].preferred = true;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn catalog() -> Catalog {
        let resource = |name: &str, kind: &str, short: &str, scope: &str, categories: Value| {
            json!({"resource": name, "singularResource": kind.to_lowercase(), "responseKind": {"kind": kind}, "scope": scope,
                "shortNames": [short], "categories": categories, "verbs": ["get", "list", "watch"]})
        };
        let answer = json!({"kind": "APIGroupDiscoveryList", "items": [
            {"metadata": {}, "versions": [{"version": "v1", "resources": [
                resource("namespaces", "Namespace", "ns", "Cluster", json!([])),
                resource("pods", "Pod", "po", "Namespaced", json!(["all"])),
            ]}]},
            {"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [
                resource("deployments", "Deployment", "deploy", "Namespaced", json!(["all"])),
            ]}]},
            {"metadata": {"name": "extensions"}, "versions": [{"version": "v1beta1", "resources": [
                resource("deployments", "Deployment", "deploy", "Namespaced", json!([])),
            ]}]},
            {"metadata": {"name": "autoscaling"}, "versions": [
                {"version": "v2", "resources": [resource("scalers", "Scaler", "sc", "Namespaced", json!([]))]},
                {"version": "v1", "resources": [resource("scalers", "Scaler", "sc", "Namespaced", json!([])), resource("olds", "Old", "o", "Namespaced", json!([]))]},
            ]},
        ]});
        Catalog { resources: aggregated(&answer) }
    }

    #[test]
    fn a_resource_is_found_by_any_of_its_names() {
        let catalog = catalog();
        for name in ["pods", "pod", "po", "Pod", "pods.v1"] {
            assert_eq!(catalog.find(name).unwrap().plural, "pods", "{name}");
        }
        for (name, group_version) in [
            ("deploy", "apps/v1"),
            ("deployments.extensions", "extensions/v1beta1"),
            ("deployments.v1.apps", "apps/v1"),
            ("scalers", "autoscaling/v2"),
            ("scalers.v1.autoscaling", "autoscaling/v1"),
            ("olds", "autoscaling/v1"),
        ] {
            assert_eq!(catalog.find(name).unwrap().group_version(), group_version, "{name}");
        }
        assert_eq!(catalog.find("nope").unwrap_err().to_string(), "error: the server doesn't have a resource type \"nope\"");
    }

    #[test]
    fn lists_and_categories_are_taken_apart() {
        let catalog = catalog();
        let plurals = |names: &str| catalog.find_many(names).unwrap().iter().map(|resource| resource.plural.clone()).collect::<Vec<_>>();
        assert_eq!(plurals("deploy,po,deployments"), ["deployments", "pods"]);
        assert_eq!(plurals("all"), ["pods", "deployments"]);
    }

    #[test]
    fn paths_and_names() {
        let catalog = catalog();
        let deployment = catalog.find("deploy").unwrap();
        assert_eq!(deployment.object_path("default", "web"), "/apis/apps/v1/namespaces/default/deployments/web");
        assert_eq!(deployment.path(None), "/apis/apps/v1/deployments");
        assert_eq!(deployment.qualified_singular(), "deployment.apps");
        assert_eq!(catalog.find("ns").unwrap().object_path("x", "y"), "/api/v1/namespaces/y");
        assert_eq!(catalog.find("ns").unwrap().qualified_plural(), "namespaces");
    }

    #[test]
    fn an_object_of_an_unknown_kind_is_named() {
        let object = json!({"apiVersion": "x/v1", "kind": "Widget", "metadata": {"name": "w"}});
        assert_eq!(
            catalog().of_object(&object, "w.yaml").unwrap_err().to_string(),
            "error: resource mapping not found for name: \"w\" namespace: \"\" from \"w.yaml\": no matches for kind \"Widget\" in version \"x/v1\"\nensure CRDs are installed first"
        );
    }
}
