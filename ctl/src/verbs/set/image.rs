//! `set image`: the images of containers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Flags, Labelled,
    templates::{Change, chosen, chosen_mut},
};
use crate::{
    changing::{is_pair, split},
    context::Context,
    error::{Error, Result, usage},
    writing::Recording,
};

/// Update the image of a pod template.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME… or TYPE/NAME…, then CONTAINER=IMAGE…; * is every container
    words: Vec<String>,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    labelled: Labelled,
    #[command(flatten)]
    recording: Recording,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    args.recording.warn();
    let (resources, pairs) =
        split(&args.words, is_pair).map_err(|late| usage(format!("all resources must be specified before image changes: {late}")))?;
    let images = parse(pairs)?;
    let subjects = args.flags.subjects(context, resources, &args.labelled).await?.all()?;
    check(&args, &images)?;
    let change = Change {
        context,
        flags: &args.flags,
        recording: Some(&args.recording),
        done: "image updated",
        failed: "failed to patch image update to pod template: ",
        always: false,
    };
    change.run(&subjects, &|spec| missing(spec, &images), &|spec| edit(spec, &images)).await
}

fn parse(pairs: &[String]) -> Result<BTreeMap<&str, &str>> {
    let wrong: Vec<&str> = pairs.iter().map(String::as_str).filter(|pair| !pair.contains('=')).collect();
    if !wrong.is_empty() {
        return Err(usage(format!("invalid image format: {}", wrong.join(", "))));
    }
    Ok(pairs.iter().filter_map(|pair| pair.split_once('=')).collect())
}

fn check(args: &Args, images: &BTreeMap<&str, &str>) -> Result<()> {
    let mut errors = Vec::new();
    errors.extend(args.flags.one_choice(&args.labelled).err());
    if images.is_empty() {
        errors.push(usage("at least one image update is required"));
    } else if images.len() > 1 && images.contains_key("*") {
        errors.push(usage("all containers are already specified by *, but saw more than one container_name=container_image pairs"));
    }
    errors.extend(args.flags.one_place().err());
    Error::from_all(errors)
}

fn missing(spec: &Value, images: &BTreeMap<&str, &str>) -> Vec<String> {
    let absent = images.keys().filter(|name| chosen(spec, whole(name)).all(|container| !is(container, name)));
    absent.map(|name| format!("unable to find container named {name:?}")).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "as every change of a template")]
fn edit(spec: &mut Value, images: &BTreeMap<&str, &str>) -> Result<()> {
    for (name, image) in images {
        for container in chosen_mut(spec, whole(name)).filter(|container| is(container, name)) {
            container["image"] = (*image).into();
        }
    }
    Ok(())
}

/// A name stands for itself here, stars and all, unless it is nothing but a star.
fn whole(name: &str) -> &str {
    if name.contains('*') { "*" } else { name }
}

fn is(container: &Value, name: &str) -> bool {
    name == "*" || container["name"] == *name
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn images_are_set_by_the_name_of_the_container() {
        let spec = json!({"containers": [{"name": "a", "image": "1"}], "initContainers": [{"name": "b", "image": "1"}]});
        let after = |pairs: &[(&'static str, &'static str)]| {
            let images = pairs.iter().copied().collect();
            let mut spec = spec.clone();
            edit(&mut spec, &images).unwrap();
            let image = |list: &str| spec[list][0]["image"].as_str().unwrap_or_default().to_owned();
            (image("containers"), image("initContainers"), missing(&spec, &images))
        };
        assert_eq!(after(&[("a", "2")]), ("2".into(), "1".into(), vec![]));
        assert_eq!(after(&[("*", "3")]), ("3".into(), "3".into(), vec![]));
        assert_eq!(after(&[("b", "4"), ("c", "5")]), ("1".into(), "4".into(), vec!["unable to find container named \"c\"".into()]));
    }

    #[test]
    fn nothing_can_be_removed() {
        assert_eq!(parse(&["a=b".into(), "c-".into()]).unwrap_err().to_string(), "error: invalid image format: c-");
    }
}
