//! The part of the server's OpenAPI v3 document that merging needs: for each field, how it merges and by which key.

use serde_json::Value;

use crate::value::{list, text};

/// How a field of a map is merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Strategy {
    /// Elements are merged one by one, not replaced as a whole (for lists).
    pub(crate) merges: bool,
    /// Replaced as a whole (for maps).
    pub(crate) replaces: bool,
    /// Fields that are not in the patch are to be cleared.
    pub(crate) retain_keys: bool,
    /// The field that tells list elements apart; lists of scalars have none.
    pub(crate) merge_key: Option<String>,
}

/// The schema of one place in an object. Where nothing is known, lists are atomic and maps are merged.
#[derive(Clone, Debug)]
pub(crate) struct Schema<'a> {
    document: Option<&'a Value>,
    node: Option<&'a Value>,
    /// Where there is no document but lists merge as is [well known](WELL_KNOWN): the field that this is.
    within: Option<&'static str>,
}

/// Lists that are merged in objects of the server's built-in kinds, the field they must be in, if it matters, and the key.
const WELL_KNOWN: &[(&str, &str, &str)] = &[
    ("containers", "", "name"),
    ("initContainers", "", "name"),
    ("ephemeralContainers", "", "name"),
    ("volumes", "", "name"),
    ("imagePullSecrets", "", "name"),
    ("secrets", "", "name"),
    ("env", "", "name"),
    ("volumeMounts", "", "mountPath"),
    ("volumeDevices", "", "devicePath"),
    ("hostAliases", "", "ip"),
    ("topologySpreadConstraints", "", "topologyKey"),
    ("ports", "containers", "containerPort"),
    ("ports", "initContainers", "containerPort"),
    ("ports", "spec", "port"),
    ("conditions", "", "type"),
    ("ownerReferences", "", "uid"),
    ("finalizers", "", ""),
    ("spec", "", ""),
];

impl<'a> Schema<'a> {
    /// The schema of a kind in the OpenAPI v3 document of its group-version; `None` if the document has none.
    pub(crate) fn of_kind(document: &'a Value, group: &str, version: &str, kind: &str) -> Option<Self> {
        let schemas = document["components"]["schemas"].as_object()?;
        let named = |schema: &&Value| {
            list(&schema["x-kubernetes-group-version-kind"])
                .iter()
                .any(|name| text(&name["group"]) == group && text(&name["version"]) == version && text(&name["kind"]) == kind)
        };
        let node = schemas.values().find(named)?;
        Some(Self { document: Some(document), node: Some(node), within: None })
    }

    /// The schema of something nobody describes.
    pub(crate) fn unknown() -> Self {
        Self { document: None, node: None, within: None }
    }

    /// The schema of an object of a built-in kind, as far as it is known without asking a server.
    pub(crate) fn well_known() -> Self {
        Self { within: Some(""), ..Self::unknown() }
    }

    fn well_known_field(&self, name: &str, parent: &str) -> (Self, Strategy) {
        let fits =
            |(field, within, _): &&(&'static str, &'static str, &'static str)| *field == name && (within.is_empty() || *within == parent);
        let Some((field, _, key)) = WELL_KNOWN.iter().find(fits) else { return (Self::well_known(), Strategy::default()) };
        let strategy = Strategy {
            merges: *field != "spec",
            merge_key: Some(*key).filter(|key| !key.is_empty()).map(str::to_owned),
            ..Strategy::default()
        };
        (Self { within: Some(field), ..Self::unknown() }, strategy)
    }

    /// The schema of a field, and how the field is merged.
    pub(crate) fn field(&self, name: &str) -> (Self, Strategy) {
        if let Some(parent) = self.within {
            return self.well_known_field(name, parent);
        }
        let node = self.node.and_then(|node| node["properties"].get(name).or_else(|| node.get("additionalProperties")));
        let Some(node) = node else { return (Self::unknown(), Strategy::default()) };
        let strategies = text(&node["x-kubernetes-patch-strategy"]);
        let has = |wanted: &str| strategies.split(',').any(|strategy| strategy == wanted);
        let strategy = Strategy {
            merges: has("merge"),
            replaces: has("replace"),
            retain_keys: has("retainKeys"),
            merge_key: node["x-kubernetes-patch-merge-key"].as_str().map(str::to_owned),
        };
        (self.resolve(node), strategy)
    }

    /// The schema of a list's elements.
    pub(crate) fn items(&self) -> Self {
        match self.node.and_then(|node| node.get("items")) {
            Some(node) => self.resolve(node),
            None => Self { within: self.within, ..Self::unknown() },
        }
    }

    /// Follows a reference, which OpenAPI writes bare or, to give it a description, as the only member of `allOf`.
    fn resolve(&self, node: &'a Value) -> Self {
        let reference = node["$ref"].as_str().or_else(|| node["allOf"][0]["$ref"].as_str());
        let target = match reference.and_then(|reference| reference.strip_prefix("#/components/schemas/")) {
            Some(name) => self.document.and_then(|document| document["components"]["schemas"].get(name)),
            None => Some(node),
        };
        Self { document: self.document, node: target, within: None }
    }
}
