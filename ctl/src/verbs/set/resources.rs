//! `set resources`: what containers ask for and may use.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Flags, Labelled,
    templates::{Change, chosen, chosen_mut},
};
use crate::{
    context::Context,
    error::{Result, usage},
    value::map_mut,
    writing::Recording,
};

/// Update resource requests/limits on objects with pod templates.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME… or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    labelled: Labelled,
    /// Only containers with this name; * stands for anything.
    #[arg(long, short, value_name = "NAME", default_value = "*")]
    containers: String,
    /// What a container may use: cpu=200m,memory=512Mi.
    #[arg(long, value_name = "RESOURCES", default_value = "")]
    limits: String,
    /// What a container asks for: cpu=100m,memory=256Mi.
    #[arg(long, value_name = "RESOURCES", default_value = "")]
    requests: String,
    #[command(flatten)]
    recording: Recording,
}

/// Quantities by the name of the resource, as the server writes them.
type Amounts = BTreeMap<String, String>;

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    args.recording.warn();
    let subjects = args.flags.subjects(context, &args.words, &args.labelled).await?.all()?;
    args.flags.one_place()?;
    args.flags.one_choice(&args.labelled)?;
    if args.limits.is_empty() && args.requests.is_empty() {
        return Err(usage("you must specify an update to requests or limits (in the form of --requests/--limits)"));
    }
    let amounts = [("limits", parse(&args.limits)?), ("requests", parse(&args.requests)?)];
    let change = Change {
        context,
        flags: &args.flags,
        recording: Some(&args.recording),
        done: "resource requirements updated",
        failed: "failed to patch resources update to pod template ",
        always: false,
    };
    let pattern = args.containers.as_str();
    let missing = |spec: &Value| match chosen(spec, pattern).next() {
        Some(_) => Vec::new(),
        None => vec![format!("unable to find container named {pattern}")],
    };
    change.run(&subjects, &missing, &|spec| edit(spec, pattern, &amounts)).await
}

fn parse(text: &str) -> Result<Amounts> {
    let one = |statement: &str| match statement.split('=').collect::<Vec<_>>().as_slice() {
        [name, quantity] => {
            let quantity = mini_api::quantity::canonical(quantity).map_err(|error| usage(error.to_string()))?;
            Ok(((*name).to_owned(), quantity))
        }
        _ => Err(usage(format!("Invalid argument syntax {statement}, expected <resource>=<value>"))),
    };
    text.split(',').filter(|_| !text.is_empty()).map(one).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "as every change of a template")]
fn edit(spec: &mut Value, pattern: &str, amounts: &[(&str, Amounts)]) -> Result<()> {
    for container in chosen_mut(spec, pattern) {
        let resources = map_mut(map_mut(container).entry("resources").or_insert(Value::Null));
        for (field, amounts) in amounts.iter().filter(|(_, amounts)| !amounts.is_empty()) {
            let have = map_mut(resources.entry(*field).or_insert(Value::Null));
            have.extend(amounts.iter().map(|(name, quantity)| (name.clone(), quantity.clone().into())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn amounts_are_added_to_what_is_there() {
        let mut spec = json!({"containers": [{"name": "a", "resources": {"limits": {"cpu": "1"}}}, {"name": "b"}]});
        edit(&mut spec, "a", &[("limits", parse("memory=1024Mi").unwrap()), ("requests", parse("").unwrap())]).unwrap();
        assert_eq!(spec["containers"][0]["resources"], json!({"limits": {"cpu": "1", "memory": "1Gi"}}));
        assert_eq!(spec["containers"][1], json!({"name": "b"}));
    }

    #[test]
    fn what_is_no_amount() {
        for (text, said) in [
            ("cpu", "error: Invalid argument syntax cpu, expected <resource>=<value>"),
            ("cpu=1=2", "error: Invalid argument syntax cpu=1=2, expected <resource>=<value>"),
            ("cpu=x", "error: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), said);
        }
    }
}
