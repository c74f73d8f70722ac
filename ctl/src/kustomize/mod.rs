//! Kustomizations: a folder whose `kustomization.yaml` says which objects are taken, made and changed. What is not supported of it is
//! refused by name. Source: the documentation of kustomize, and what `kubectl kustomize` prints.

mod change;
mod generate;
mod places;

use std::path::{Path, PathBuf};

use serde_json::Value;

use self::change::Layer;
use crate::{
    error::{Result, usage},
    manifest::{self, Document},
    print::notice,
    value::{list, name, text},
    yaml,
};

const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The fields that are understood.
const KNOWN: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "resources",
    "bases",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "commonAnnotations",
    "images",
    "replicas",
    "configMapGenerator",
    "secretGenerator",
    "generatorOptions",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
];

/// The fields that kustomize has and this does not.
const UNSUPPORTED: &[&str] = &[
    "buildMetadata",
    "components",
    "configurations",
    "crds",
    "generators",
    "helmCharts",
    "helmChartInflationGenerator",
    "helmGlobals",
    "inventory",
    "openapi",
    "replacements",
    "sortOptions",
    "transformers",
    "validators",
    "vars",
];

/// How deep one kustomization may stand on another.
const DEPTH: usize = 20;

/// An object on its way.
struct Item {
    object: Value,
    /// What it was called in the layers below, in the files first of all.
    names: Vec<String>,
    /// Whether its name ends in a hash of what is in it.
    hashed: bool,
}

impl Item {
    fn new(object: Value, hashed: bool) -> Self {
        let names = vec![name(&object).to_owned()];
        Self { object, names, hashed }
    }

    fn kind(&self) -> &str {
        text(&self.object["kind"])
    }

    /// Whether it is or was called so.
    fn is_called(&self, wanted: &str) -> bool {
        name(&self.object) == wanted || self.names.iter().any(|name| name == wanted)
    }
}

/// Builds the objects of a folder.
///
/// # Errors
/// What is missing, wrong, or not supported.
pub(crate) fn build(folder: &str) -> Result<Vec<Document>> {
    let path = Path::new(folder);
    if is_remote(folder) {
        return Err(usage(format!("mini-ctl does not download: fetch {folder} and name the folder")));
    }
    let mut items = layer(path, DEPTH)?;
    generate::add_hashes(&mut items);
    items.sort_by_cached_key(|item| (places::rank(item.kind()), sort_key(&item.object)));
    Ok(items.into_iter().map(|item| Document { object: item.object, source: folder.to_owned() }).collect())
}

/// By what objects are sorted whose kinds have no order: what is empty comes last.
fn sort_key(object: &Value) -> [String; 4] {
    let last = |text: &str| if text.is_empty() { "~".to_owned() } else { text.to_owned() };
    let version = text(&object["apiVersion"]);
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let kind = format!("{version}_{}", text(&object["kind"]));
    [last(group), kind, last(text(&object["metadata"]["namespace"])), last(name(object))]
}

/// The objects as YAML.
pub(crate) fn to_yaml(documents: &[Document]) -> String {
    documents.iter().map(|document| yaml::to_string(&document.object)).collect::<Vec<_>>().join("---\n")
}

/// Builds one folder, with those it stands on.
fn layer(folder: &Path, depth: usize) -> Result<Vec<Item>> {
    if depth == 0 {
        return Err(usage(format!("kustomizations stand on each other in a circle, or too deep: {}", folder.display())));
    }
    let kustomization = read(folder)?;
    let mut items = Vec::new();
    for entry in list(&kustomization["resources"]).iter().chain(list(&kustomization["bases"])).map(text) {
        items.extend(resource(folder, entry, depth)?);
    }
    items.extend(generate::config_maps(folder, &kustomization)?);
    items.extend(generate::secrets(folder, &kustomization)?);
    Layer { folder, kustomization: &kustomization }.change(&mut items)?;
    Ok(items)
}

fn is_remote(entry: &str) -> bool {
    entry.contains("://") || entry.starts_with("git@") || entry.starts_with("github.com/")
}

/// The objects of an entry: a file, or a folder with a kustomization.
fn resource(folder: &Path, entry: &str, depth: usize) -> Result<Vec<Item>> {
    if is_remote(entry) {
        return Err(usage(format!("mini-ctl does not download: fetch {entry}, which {} asks for", folder.display())));
    }
    let path = folder.join(entry);
    if path.is_dir() {
        return layer(&path, depth - 1);
    }
    let documents = manifest::parse(&path.display().to_string(), read_file(&path)?.as_slice()).map_err(|error| {
        usage(format!("accumulating resources: accumulation err='accumulating resources from '{entry}': {}'", error.bare()))
    })?;
    Ok(documents.into_iter().map(|document| Item::new(document.object, false)).collect())
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| usage(manifest::cannot_open(&path.display().to_string(), &error)))
}

/// Reads the kustomization of a folder.
fn read(folder: &Path) -> Result<Value> {
    if !folder.is_dir() {
        let shown = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        return Err(usage(format!(
            "must build at directory: not a valid directory: evalsymlink failure on '{}' : lstat {}: no such file or directory",
            folder.display(),
            shown.display()
        )));
    }
    let found: Vec<PathBuf> = FILES.iter().map(|file| folder.join(file)).filter(|path| path.is_file()).collect();
    let [file] = found.as_slice() else {
        let shown = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        return Err(usage(match found.len() {
            0 => {
                format!(
                    "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{}'",
                    shown.display()
                )
            }
            _ => format!("Found multiple kustomization files under: {}\n", shown.display()),
        }));
    };
    let bytes = read_file(file)?;
    let input = String::from_utf8_lossy(&bytes);
    let invalid = |complaint: String| usage(format!("invalid Kustomization: {complaint}"));
    let values = manifest::documents(&input).map_err(invalid)?;
    let Some(kustomization @ Value::Object(fields)) = values.first() else {
        return Err(usage("kustomization.yaml is empty"));
    };
    if let Some(field) = fields.keys().map(String::as_str).find(|field| !KNOWN.contains(field)) {
        if UNSUPPORTED.contains(&field) {
            return Err(usage(format!("mini-ctl does not support the field {field:?} of {}", file.display())));
        }
        return Err(invalid(format!("json: unknown field {field:?}")));
    }
    if kustomization["commonLabels"].is_object() {
        notice(
            "# Warning: 'commonLabels' is deprecated. Please use 'labels' instead. Run 'kustomize edit fix' to update your Kustomization automatically.",
        );
    }
    Ok(kustomization.clone())
}

/// That an entry of a kustomization has no fields but these.
fn only(entry: &Value, what: &str, known: &[&str]) -> Result<()> {
    let unknown = entry.as_object().into_iter().flatten().find(|(field, value)| !known.contains(&field.as_str()) && !value.is_null());
    match unknown {
        Some((field, _)) => Err(usage(format!("mini-ctl does not support the field {field:?} of an entry of {what:?} in a kustomization"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
