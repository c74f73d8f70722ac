//! `set selector`: which pods a Service finds.

use mini_api::selector::{Operator, Requirement, Selector};
use serde_json::{Map, Value};

use super::{Flags, Labelled, MANAGER};
use crate::{
    changing::Changing,
    context::Context,
    error::{Error, Result, usage},
    writing::Recording,
};

/// Set the selector on a resource.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME… or TYPE/NAME…, then SELECTOR
    words: Vec<String>,
    #[command(flatten)]
    flags: Flags,
    /// Only if the object has this resource version.
    #[arg(long, value_name = "VERSION")]
    resource_version: Option<String>,
    #[command(flatten)]
    recording: Recording,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    args.recording.warn();
    let Some((selector, resources)) = args.words.split_last() else {
        return Err(usage("one selector is required"));
    };
    let selector =
        Selector::parse(selector).map_err(|error| usage(format!("couldn't parse the selector string {selector:?}: {error}")))?;
    let subjects = args.flags.subjects(context, resources, &Labelled::default()).await?;
    let (list, mut errors, mut said) = (subjects.list, subjects.errors, 0);
    for subject in &list {
        let resource = &subject.target.resource;
        let change = |object: &mut Value| {
            if (resource.group.as_str(), resource.kind.as_str()) != ("", "Service") {
                return Err(usage("setting a selector is only supported for Services"));
            }
            object["spec"]["selector"] = labels(&selector)?.into();
            args.recording.note(context, object);
            Ok(())
        };
        let version = args.resource_version.as_deref();
        let changing = Changing { context, writing: &args.flags.writing, manager: MANAGER, local: args.flags.local, version };
        match changing.send(subject, &change).await {
            Ok(changed) => {
                args.flags.writing.say_after(said, resource, changed.as_ref().unwrap_or(&subject.object), "selector updated")?;
                said += 1;
            }
            Err(error) => errors.push(error),
        }
    }
    Error::from_all(errors)
}

/// The labels that a selector asks for, if it asks for nothing else.
fn labels(selector: &Selector) -> Result<Map<String, Value>> {
    let equals = |requirement: &Requirement| matches!(requirement.operator(), Operator::Equals | Operator::DoubleEquals);
    let (plain, others): (Vec<&Requirement>, Vec<&Requirement>) = selector.requirements().iter().partition(|one| equals(one));
    if others.is_empty() {
        let value = |requirement: &Requirement| requirement.values().first().cloned().unwrap_or_default();
        return Ok(plain.into_iter().map(|requirement| (requirement.key().to_owned(), value(requirement).into())).collect());
    }
    let others: Vec<String> = others
        .into_iter()
        .map(|requirement| {
            let operator = match requirement.operator() {
                Operator::NotIn | Operator::NotEquals => "NotIn",
                Operator::Exists => "Exists",
                Operator::DoesNotExist => "DoesNotExist",
                _ => "In",
            };
            format!("{{{} {operator} [{}]}}", requirement.key(), requirement.values().join(" "))
        })
        .collect();
    Err(usage(format!("match expression [{}] not supported on this object", others.join(" "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_labels_can_be_asked_for() {
        let read = |text: &str| labels(&Selector::parse(text).unwrap());
        assert_eq!(Value::from(read("a=b,c==d").unwrap()), serde_json::json!({"a": "b", "c": "d"}));
        for (text, said) in [
            ("a in (c,b)", "error: match expression [{a In [b c]}] not supported on this object"),
            ("x=y,!a,b", "error: match expression [{a DoesNotExist []} {b Exists []}] not supported on this object"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), said);
        }
    }
}
