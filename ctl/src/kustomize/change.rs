//! What a kustomization does to the objects: patches, namespace, names, labels, annotations, replicas, images; in kustomize's order.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    Item, only,
    places::{self, Use},
    read_file,
};
use crate::{
    error::{Result, usage},
    manifest,
    patch::{Schema, json_patched, strategically},
    value::{list, map_mut, name, strings, text},
};

/// One kustomization, and where it lies.
pub(super) struct Layer<'a> {
    pub(super) folder: &'a Path,
    pub(super) kustomization: &'a Value,
}

impl Layer<'_> {
    /// Changes the objects.
    ///
    /// # Errors
    /// What is wrong with the kustomization, or does not fit the objects.
    pub(super) fn change(&self, items: &mut Vec<Item>) -> Result<()> {
        let what = self.kustomization;
        for patch in list(&what["patchesStrategicMerge"]) {
            self.patch(items, &json!({"patch": self.text_or_file(text(patch))?}))?;
        }
        for patch in list(&what["patches"]) {
            only(patch, "patches", &["patch", "path", "target", "options"])?;
            self.patch(items, patch)?;
        }
        if let Some(namespace) = what["namespace"].as_str() {
            set_namespace(items, namespace);
        }
        rename(items, text(&what["namePrefix"]), text(&what["nameSuffix"]));
        for entry in list(&what["labels"]) {
            only(entry, "labels", &["pairs", "includeSelectors", "includeTemplates"])?;
            let (selectors, templates) = (entry["includeSelectors"] == true, entry["includeTemplates"] == true);
            add_labels(items, &entry["pairs"], |place| selectors || templates && place == Use::Template);
        }
        add_labels(items, &what["commonLabels"], |_| true);
        add_annotations(items, &what["commonAnnotations"]);
        for patch in list(&what["patchesJson6902"]) {
            only(patch, "patchesJson6902", &["patch", "path", "target"])?;
            self.patch(items, patch)?;
        }
        for entry in list(&what["replicas"]) {
            set_replicas(items, entry)?;
        }
        for entry in list(&what["images"]) {
            only(entry, "images", &["name", "newName", "newTag", "digest"])?;
            set_image(items, entry);
        }
        Ok(())
    }

    /// An old field takes a patch, or the name of a file with one.
    fn text_or_file(&self, entry: &str) -> Result<String> {
        if entry.contains('\n') || entry.contains(": ") {
            return Ok(entry.to_owned());
        }
        Ok(String::from_utf8_lossy(&read_file(&self.folder.join(entry))?).into_owned())
    }

    /// Applies a patch, which is a part of an object, or a list of operations, to those it is for.
    fn patch(&self, items: &mut Vec<Item>, entry: &Value) -> Result<()> {
        let input = match (entry["patch"].as_str(), entry["path"].as_str()) {
            (Some(patch), _) => patch.to_owned(),
            (None, Some(path)) => String::from_utf8_lossy(&read_file(&self.folder.join(path))?).into_owned(),
            (None, None) => return Err(usage("must specify one of patch and path")),
        };
        let patches =
            manifest::documents(&input).map_err(|complaint| usage(format!("unable to parse patch from [{input}]: {complaint}")))?;
        for patch in patches.into_iter().filter(|patch| !patch.is_null()) {
            one_patch(items, entry, &patch)?;
        }
        Ok(())
    }
}

fn one_patch(items: &mut Vec<Item>, entry: &Value, patch: &Value) -> Result<()> {
    let target = &entry["target"];
    only(target, "target", &["group", "version", "kind", "name", "namespace"])?;
    let is_operations = patch.is_array();
    if is_operations && target.is_null() {
        return Err(usage("must specify a target for JSON patch"));
    }
    let wanted = |item: &Item| match target {
        Value::Null => item.kind() == text(&patch["kind"]) && item.is_called(name(patch)),
        target => fits(item, target),
    };
    let found: Vec<usize> = (0..items.len()).filter(|at| wanted(&items[*at])).collect();
    if found.is_empty() && target.is_null() {
        return Err(usage(format!(
            "no resource matches strategic merge patch \"{}.{}\": no matches for Id",
            text(&patch["kind"]),
            name(patch)
        )));
    }
    for at in found.into_iter().rev() {
        let object = &items[at].object;
        let patched = if is_operations {
            Some(json_patched(object, patch).map_err(usage)?)
        } else {
            strategically(object, patch, &Schema::well_known())
        };
        let Some(mut patched) = patched else {
            items.remove(at);
            continue;
        };
        if !is_operations {
            // A patch says with these for whom it is, and changes nothing with them.
            for field in ["kind", "apiVersion"] {
                patched[field] = object[field].clone();
            }
            patched["metadata"]["name"] = object["metadata"]["name"].clone();
        }
        items[at].object = patched;
    }
    Ok(())
}

/// Whether an object is one of those that a patch is for.
fn fits(item: &Item, target: &Value) -> bool {
    let version = text(&item.object["apiVersion"]);
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let same = |field: &str, own: &str| target[field].as_str().is_none_or(|wanted| wanted == own);
    same("group", group)
        && same("version", version)
        && same("kind", item.kind())
        && same("namespace", text(&item.object["metadata"]["namespace"]))
        && target["name"].as_str().is_none_or(|wanted| item.is_called(wanted))
}

fn set_namespace(items: &mut [Item], namespace: &str) {
    let accounts: Vec<String> =
        items.iter().filter(|item| item.kind() == "ServiceAccount").map(|item| name(&item.object).to_owned()).collect();
    for item in items {
        if item.kind() == "Namespace" {
            item.object["metadata"]["name"] = namespace.into();
        } else if places::has_namespace(item.kind()) {
            map_mut(&mut item.object["metadata"]).insert("namespace".into(), namespace.into());
        }
        if let Some(Value::Array(subjects)) = item.object.get_mut("subjects") {
            let ours = |name: &str| name == "default" || accounts.iter().any(|account| account == name);
            for subject in subjects.iter_mut().filter(|subject| subject["kind"] == "ServiceAccount" && ours(text(&subject["name"]))) {
                subject["namespace"] = namespace.into();
            }
        }
    }
}

/// Gives the objects longer names, and those names to all who mean them.
fn rename(items: &mut [Item], prefix: &str, suffix: &str) {
    if prefix.is_empty() && suffix.is_empty() {
        return;
    }
    let longer = |name: &str| format!("{prefix}{name}{suffix}");
    let mut renamed = Vec::new();
    for item in items.iter_mut().filter(|item| !places::keeps_its_name(item.kind())) {
        let before = name(&item.object).to_owned();
        item.object["metadata"]["name"] = longer(&before).into();
        renamed.push((item.kind().to_owned(), before.clone()));
        item.names.push(before);
    }
    for item in items {
        places::references(&mut item.object, "", &mut |kind, name| {
            if renamed.iter().any(|(of, before)| of == kind && before == name) {
                *name = longer(name);
            }
        });
    }
}

fn add_labels(items: &mut [Item], labels: &Value, also: impl Fn(Use) -> bool) {
    for item in items {
        add(&mut item.object, "metadata/labels", labels, true);
        let kind = item.kind().to_owned();
        for (path, what, create) in places::labels(&kind) {
            if also(what) {
                add(&mut item.object, path, labels, create);
            }
        }
    }
}

fn add_annotations(items: &mut [Item], annotations: &Value) {
    for item in items {
        add(&mut item.object, "metadata/annotations", annotations, true);
        let kind = item.kind().to_owned();
        for path in places::annotations(&kind) {
            add(&mut item.object, path, annotations, true);
        }
    }
}

/// Adds entries to the map at a path, which is made if there is none and `create` is set.
fn add(object: &mut Value, path: &str, entries: &Value, create: bool) {
    let mut place = object;
    if entries.as_object().is_none_or(serde_json::Map::is_empty) {
        return;
    }
    for field in path.split('/') {
        if !create && place[field].is_null() {
            return;
        }
        place = map_mut(place).entry(field).or_insert(Value::Null);
    }
    for (key, value) in strings(entries) {
        map_mut(place).insert(key.to_owned(), value.into());
    }
}

fn set_replicas(items: &mut [Item], entry: &Value) -> Result<()> {
    let wanted = text(&entry["name"]);
    let mut found = false;
    for item in items.iter_mut().filter(|item| places::has_replicas(item.kind()) && item.is_called(wanted)) {
        item.object["spec"]["replicas"] = entry["count"].clone();
        found = true;
    }
    if found {
        return Ok(());
    }
    Err(usage(format!(
        "resource with name {wanted} does not match a config with the following GVK [Deployment.apps ReplicationController ReplicaSet.apps StatefulSet.apps]"
    )))
}

fn set_image(items: &mut [Item], entry: &Value) {
    for item in items {
        places::images(&mut item.object, &mut |image| {
            let (base, digest) = image.split_once('@').map_or((image.as_str(), None), |(base, digest)| (base, Some(digest)));
            let (base, tag) = match base.rsplit_once(':') {
                Some((base, tag)) if !tag.contains('/') => (base, Some(tag)),
                _ => (base, None),
            };
            if base != text(&entry["name"]) {
                return;
            }
            let base = entry["newName"].as_str().unwrap_or(base);
            *image = match (entry["newTag"].as_str(), entry["digest"].as_str(), tag, digest) {
                (_, Some(digest), ..) => format!("{base}@{digest}"),
                (Some(tag), ..) => format!("{base}:{tag}"),
                (.., Some(tag), Some(digest)) => format!("{base}:{tag}@{digest}"),
                (.., Some(tag), None) => format!("{base}:{tag}"),
                (.., None, Some(digest)) => format!("{base}@{digest}"),
                _ => base.to_owned(),
            };
        });
    }
}
