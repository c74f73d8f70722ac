//! Where objects keep their pods' specification, and how it is changed in many objects. It knows no kind: what has containers in one of
//! the known places has a pod template.

use serde_json::Value;

use super::{Flags, MANAGER, all, refused, wrong};
use crate::{
    changing::{Changing, Subject},
    context::Context,
    error::{Error, Result, usage},
    value::{list, text},
    writing::Recording,
};

/// Pods, what makes pods, and what makes those.
const PLACES: [&str; 3] = ["/spec/jobTemplate/spec/template/spec", "/spec/template/spec", "/spec"];

/// The specification of an object's pods.
pub(super) fn pod_spec(object: &mut Value) -> Option<&mut Value> {
    let place = PLACES.iter().find(|place| object.pointer(place).is_some_and(|spec| spec["containers"].is_array()))?;
    object.pointer_mut(place)
}

/// The lists of containers, in the order in which they are shown.
const LISTS: [&str; 2] = ["containers", "initContainers"];

/// The containers whose name fits, for change.
pub(super) fn chosen_mut<'a>(spec: &'a mut Value, pattern: &'a str) -> impl Iterator<Item = &'a mut Value> {
    let mut lists = [Vec::new(), Vec::new()];
    for (key, value) in spec.as_object_mut().into_iter().flatten() {
        if let (Some(at), Some(containers)) = (LISTS.iter().position(|list| list == key), value.as_array_mut()) {
            lists[at] = containers.iter_mut().collect();
        }
    }
    lists.into_iter().flatten().filter(move |container| fits(text(&container["name"]), pattern))
}

/// The containers whose name fits.
pub(super) fn chosen<'a>(spec: &'a Value, pattern: &'a str) -> impl Iterator<Item = &'a Value> {
    LISTS.iter().flat_map(|field| list(&spec[*field])).filter(move |container| fits(text(&container["name"]), pattern))
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(name: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return name == pattern };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(last)
}

/// A change to pod templates.
pub(super) struct Change<'a> {
    pub(super) context: &'a Context,
    pub(super) flags: &'a Flags,
    pub(super) recording: Option<&'a Recording>,
    /// What is said when it is done.
    pub(super) done: &'static str,
    /// What is said when the server refuses, before its own words.
    pub(super) failed: &'static str,
    /// Whether an object that is as wanted already is mentioned as well.
    pub(super) always: bool,
}

impl Change<'_> {
    /// Changes the templates of all objects. `missing` says what an object lacks that was named; with no more than that the object is
    /// left as it is.
    pub(super) async fn run(
        &self,
        subjects: &[Subject],
        missing: &dyn Fn(&Value) -> Vec<String>,
        edit: &dyn Fn(&mut Value) -> Result<()>,
    ) -> Result<()> {
        let (mut lacking, mut errors, mut said) = (Vec::new(), Vec::new(), 0);
        for subject in subjects {
            let mut object = subject.object.clone();
            let Some(spec) = pod_spec(&mut object) else {
                let resource = &subject.target.resource;
                let kind = format!("*{}.{}", resource.version, resource.kind);
                errors.push(wrong(subject, &format!("the object is not a pod or does not have a pod template: {kind}")));
                continue;
            };
            lacking.extend(missing(spec).into_iter().map(|what| Error::Plain(format!("error: {what}"))));
            if let Err(error) = edit(spec) {
                errors.push(wrong(subject, &error.bare()));
                continue;
            }
            let changed = match self.send(subject, edit).await {
                Ok(Some(object)) => object,
                Ok(None) if self.always => subject.object.clone(),
                Ok(None) => continue,
                Err(error) => {
                    errors.push(refused(self.failed, error));
                    continue;
                }
            };
            self.flags.writing.say_after(said, &subject.target.resource, &changed, self.done)?;
            said += 1;
        }
        lacking.extend(errors);
        all(lacking)
    }

    async fn send(&self, subject: &Subject, edit: &dyn Fn(&mut Value) -> Result<()>) -> Result<Option<Value>> {
        let Self { context, flags, .. } = *self;
        let changing = Changing { context, writing: &flags.writing, manager: MANAGER, local: flags.local, version: None };
        let change = |object: &mut Value| {
            let before = object.clone();
            edit(pod_spec(object).ok_or_else(|| usage("it has no pod template any more"))?)?;
            match self.recording {
                Some(recording) if *object != before || self.always => recording.note(context, object),
                _ => {}
            }
            Ok(())
        };
        changing.send(subject, &change).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_are_found_by_their_containers() {
        let spec = json!({"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]});
        for mut object in [
            json!({"spec": spec}),
            json!({"spec": {"template": {"spec": spec}}}),
            json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}),
        ] {
            assert_eq!(pod_spec(&mut object), Some(&mut spec.clone()));
        }
        assert_eq!(pod_spec(&mut json!({"data": {}})), None);
        let names = |pattern: &str| chosen(&spec, pattern).map(|container| text(&container["name"]).to_owned()).collect::<Vec<_>>();
        assert_eq!((names("*"), names("i"), names("x")), (vec!["c".into(), "i".into()], vec!["i".into()], vec![]));
        let mut changed = spec.clone();
        chosen_mut(&mut changed, "i").for_each(|container| container["image"] = "x".into());
        assert_eq!(changed["initContainers"][0], json!({"name": "i", "image": "x"}));
    }

    #[test]
    fn stars_stand_for_anything() {
        for (name, pattern, expected) in [
            ("nginx", "*", true),
            ("nginx", "nginx", true),
            ("nginx", "ng*", true),
            ("nginx", "*x", true),
            ("nginx", "n*i*x", true),
            ("nginx", "n*y", false),
            ("nginx", "gin", false),
        ] {
            assert_eq!(fits(name, pattern), expected, "{name} {pattern}");
        }
    }
}
