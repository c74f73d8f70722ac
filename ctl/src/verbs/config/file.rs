//! A kubeconfig file: three lists of named entries, and which context is current.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{
    context::Context,
    error::{Result, usage},
    golang::file_error,
    value::{list, map_mut, text},
    yaml,
};

/// One of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Clusters,
    Contexts,
    Users,
}

impl Section {
    pub(super) const ALL: [Self; 3] = [Self::Clusters, Self::Contexts, Self::Users];

    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Clusters => "clusters",
            Self::Contexts => "contexts",
            Self::Users => "users",
        }
    }

    /// What an entry is called, and the field in which it holds what it has beside a name.
    pub(super) fn singular(self) -> &'static str {
        match self {
            Self::Clusters => "cluster",
            Self::Contexts => "context",
            Self::Users => "user",
        }
    }

    /// The fields that are written even where they are empty.
    fn always(self) -> &'static [&'static str] {
        match self {
            Self::Clusters => &["server"],
            Self::Contexts => &["cluster", "user"],
            Self::Users => &[],
        }
    }
}

/// A file and what is in it.
#[derive(Debug)]
pub(super) struct Kubeconfig {
    file: PathBuf,
    value: Value,
}

impl Kubeconfig {
    /// Reads a file; one that is not there is empty.
    pub(super) fn load(file: PathBuf) -> Result<Self> {
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(usage(file_error(&file.display().to_string(), &error))),
        };
        let value: Value = serde_yaml::from_str(&text).map_err(|error| usage(format!("error loading config file \"{}\": {error}", file.display())))?;
        Ok(Self { file, value: normal(&value) })
    }

    /// Writes the file.
    pub(super) fn save(&self) -> Result<()> {
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder).map_err(|error| usage(file_error(&folder.display().to_string(), &error)))?;
        }
        std::fs::write(&self.file, yaml::to_string(&normal(&self.value))).map_err(|error| usage(file_error(&self.path(), &error)))
    }

    pub(super) fn path(&self) -> String {
        self.file.display().to_string()
    }

    pub(super) fn value(&self) -> Value {
        normal(&self.value)
    }

    /// The name of the current context; may be empty.
    pub(super) fn current_name(&self) -> &str {
        text(&self.value["current-context"])
    }

    /// The name of the context that is used, which the user may demand.
    pub(super) fn current<'a>(&'a self, context: &'a Context) -> &'a str {
        context.demanded_context().unwrap_or_else(|| self.current_name())
    }

    pub(super) fn set_current(&mut self, name: &str) {
        self.value["current-context"] = name.into();
    }

    pub(super) fn entries(&self, section: Section) -> impl Iterator<Item = &Value> {
        list(&self.value[section.plural()]).iter()
    }

    /// What the entry of this name holds.
    pub(super) fn entry(&self, section: Section, name: &str) -> Option<&Value> {
        self.entries(section).find(|entry| text(&entry["name"]) == name).map(|entry| &entry[section.singular()])
    }

    /// The same, to be changed; it is made if it is not there.
    pub(super) fn entry_mut(&mut self, section: Section, name: &str) -> &mut Value {
        let entries = &mut self.value[section.plural()];
        if !entries.is_array() {
            *entries = json!([]);
        }
        let count = list(entries).len();
        let at = list(entries).iter().position(|entry| text(&entry["name"]) == name).unwrap_or(count);
        if at == count
            && let Some(entries) = entries.as_array_mut()
        {
            entries.push(json!({"name": name, section.singular(): {}}));
        }
        &mut entries[at][section.singular()]
    }

    /// Removes an entry; tells whether it was there.
    pub(super) fn remove(&mut self, section: Section, name: &str) -> bool {
        let Some(entries) = self.value[section.plural()].as_array_mut() else { return false };
        let before = entries.len();
        entries.retain(|entry| text(&entry["name"]) != name);
        entries.len() < before
    }

    /// Keeps only those entries whose name is among these.
    pub(super) fn keep(&mut self, section: Section, names: &[String]) {
        if let Some(entries) = self.value[section.plural()].as_array_mut() {
            entries.retain(|entry| names.iter().any(|name| *name == text(&entry["name"])));
        }
    }

    /// Sets or (with none) removes something at the top.
    pub(super) fn set_top(&mut self, key: &str, value: Option<Value>) {
        match value {
            Some(value) => self.value[key] = value,
            None => {
                map_mut(&mut self.value).remove(key);
            }
        }
    }
}

/// The file as kubectl writes it: all lists, by name; fields that are empty are left out.
fn normal(value: &Value) -> Value {
    let mut normal = json!({"apiVersion": "v1", "kind": "Config", "preferences": value["preferences"]});
    if !normal["preferences"].is_object() {
        normal["preferences"] = json!({});
    }
    normal["current-context"] = text(&value["current-context"]).into();
    if value["extensions"].is_array() {
        normal["extensions"] = value["extensions"].clone();
    }
    for section in Section::ALL {
        let mut entries = list(&value[section.plural()]).to_vec();
        for entry in &mut entries {
            let fields = map_mut(&mut entry[section.singular()]);
            fields.retain(|_, value| !(value.is_null() || *value == "" || *value == false || *value == json!([])));
            for field in section.always() {
                fields.entry(*field).or_insert_with(|| "".into());
            }
        }
        entries.sort_by(|a, b| text(&a["name"]).cmp(text(&b["name"])));
        normal[section.plural()] = if entries.is_empty() { Value::Null } else { entries.into() };
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_put_in_order() {
        let value = json!({"clusters": [{"name": "b", "cluster": {"insecure-skip-tls-verify": false}}, {"name": "a", "cluster": {"server": "x"}}], "current-context": "c"});
        assert_eq!(
            yaml::to_string(&normal(&value)),
            "apiVersion: v1\nclusters:\n- cluster:\n    server: x\n  name: a\n- cluster:\n    server: \"\"\n  name: b\ncontexts: null\n\
             current-context: c\nkind: Config\npreferences: {}\nusers: null\n"
        );
    }

    #[test]
    fn entries_are_made_changed_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Kubeconfig::load(folder.path().join("config")).unwrap();
        config.entry_mut(Section::Users, "bob")["token"] = "t".into();
        config.save().unwrap();
        let mut config = Kubeconfig::load(folder.path().join("config")).unwrap();
        assert_eq!(config.entry(Section::Users, "bob").unwrap()["token"], "t");
        assert!(config.remove(Section::Users, "bob"));
        assert!(!config.remove(Section::Users, "bob"));
    }
}
