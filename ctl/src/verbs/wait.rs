//! `wait`: until something is true of each object, or gone, or there at all.

use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    context::Context,
    error::{Error, Result, usage},
    jsonpath::JsonPath,
    output::Templates,
    print::print,
    selection::{Files, Many, Selection, Target, expand, select},
    server::{JSON, Server, with_query},
    value::{list, plain, text},
    verbs::delete::until_gone,
};

pub(super) use mini_api::duration::parse as duration;

/// The pause between two looks where nothing can be watched.
pub(super) const POLL: Duration = Duration::from_millis(200);
/// What "for ever" means to kubectl.
pub(super) const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Wait for a specific condition on one or many resources.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME…, or TYPE/NAME…
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    many: Many,
    /// Every object of the type.
    #[arg(long)]
    all: bool,
    /// What to wait for: condition=NAME[=VALUE], delete, create, jsonpath='{.path}'[=VALUE].
    #[arg(long = "for", value_name = "WHAT", default_value = "")]
    goal: String,
    /// How long for each object; 0 looks once, negative is a week.
    #[arg(long, value_name = "DURATION", default_value = "30s", allow_hyphen_values = true, value_parser = patience)]
    timeout: Duration,
    /// The form in which the objects are printed [default: a sentence].
    #[arg(long, short, value_name = "FORM")]
    output: Option<String>,
    /// Also who manages which field, in YAML and JSON.
    #[arg(long)]
    show_managed_fields: bool,
    #[command(flatten)]
    templates: Templates,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq)]
enum Goal {
    Condition { name: String, value: String },
    Field { path: JsonPath, value: Option<String> },
    Gone,
    There,
}

impl Goal {
    /// Whether it is reached for an object that is there.
    fn is_met(&self, object: &Value) -> Result<bool> {
        Ok(match self {
            Self::Condition { name, value } => condition_is(object, name, value),
            Self::Field { path, value } => match (path.find(object).as_slice(), value) {
                ([], _) => false,
                ([_, _, ..], _) => return Err(usage("given jsonpath expression matches more than one value")),
                ([_], None) => true,
                ([one], Some(_)) if one.is_object() || one.is_array() => {
                    return Err(usage("jsonpath leads to a nested object or list which is not supported"));
                }
                ([one], Some(value)) => plain(one).trim() == value,
            },
            Self::Gone => false,
            Self::There => true,
        })
    }
}

/// A condition counts only if it is about the present generation of the object.
fn condition_is(object: &Value, name: &str, value: &str) -> bool {
    let generation = object["metadata"]["generation"].as_i64();
    let outdated = |observed: &Value| matches!((observed.as_i64(), generation), (Some(observed), Some(generation)) if observed < generation);
    let status = &object["status"];
    let condition = list(&status["conditions"]).iter().find(|condition| text(&condition["type"]).eq_ignore_ascii_case(name));
    condition.is_some_and(|condition| {
        text(&condition["status"]).eq_ignore_ascii_case(value) && !outdated(&condition["observedGeneration"]) && !outdated(&status["observedGeneration"])
    })
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let goal = goal(&args.goal)?;
    let form = args.templates.form(args.output.as_deref(), false)?;
    let selection = select(context, &args.words, &args.files).await?;
    let by_name = matches!(selection, Selection::Named(_));
    let targets = expand(context, selection, &args.many, args.all).await?;
    if targets.is_empty() && !by_name {
        return if goal == Goal::Gone { Ok(()) } else { Err(usage("no matching resources found")) };
    }
    let server = context.server().await?;
    let mut errors = Vec::new();
    for target in &targets {
        // Of what is gone already, nothing is said.
        if goal == Goal::Gone && target.fetch(server, JSON).await.is_err_and(|error| error.is_not_found()) {
            continue;
        }
        let deadline = Instant::now() + args.timeout;
        let reached = match args.timeout {
            Duration::ZERO => look_once(server, target, &goal).await,
            _ => timeout_at(deadline, until(server, target, &goal)).await.unwrap_or(Ok(None)),
        };
        match (reached, &form) {
            (Ok(Some(_)), None) => print(&format!("{} condition met\n", target.slashed()))?,
            (Ok(Some(object)), Some(form)) => {
                let object = if args.show_managed_fields { object } else { form.spared(object) };
                print(&form.render(&target.resource, &object)?)?;
            }
            (Ok(None), _) => errors.push(usage(match goal {
                _ if args.timeout.is_zero() => format!("condition not met for {}", target.plural_slashed()),
                Goal::There => "timed out waiting for the condition".to_owned(),
                _ => format!("timed out waiting for the condition on {}", target.plural_slashed()),
            })),
            (Err(error), _) => errors.push(error),
        }
    }
    Error::from_all(errors)
}

/// The object if the goal is reached.
async fn look_once(server: &Server, target: &Target, goal: &Goal) -> Result<Option<Value>> {
    match (target.fetch(server, JSON).await, goal) {
        (Err(error), Goal::Gone) if error.is_not_found() => Ok(Some(Value::Null)),
        (Err(error), Goal::There) if error.is_not_found() => Ok(None),
        (Ok(object), goal) => Ok(goal.is_met(&object)?.then_some(object)),
        (Err(error), _) => Err(error),
    }
}

/// The object once the goal is reached; the caller sets the limit.
async fn until(server: &Server, target: &Target, goal: &Goal) -> Result<Option<Value>> {
    if *goal == Goal::Gone {
        return match target.fetch(server, JSON).await {
            Ok(object) => until_gone(server, target, text(&object["metadata"]["uid"])).await.map(|()| Some(object)),
            Err(error) if error.is_not_found() => Ok(Some(Value::Null)),
            Err(error) => Err(error),
        };
    }
    loop {
        let object = match target.fetch(server, JSON).await {
            Ok(object) => object,
            Err(error) if error.is_not_found() && *goal == Goal::There => {
                sleep(POLL).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        if goal.is_met(&object)? {
            return Ok(Some(object));
        }
        let fields = format!("metadata.name={}", target.name);
        let version = text(&object["metadata"]["resourceVersion"]);
        let path = target.resource.path(Some(&target.namespace));
        let path = with_query(&path, &[("fieldSelector", &fields), ("watch", "true"), ("resourceVersion", version)]);
        let mut events = server.watch(&path, JSON).await?;
        while let Some(Ok(mut event)) = events.next().await {
            let object = event["object"].take();
            match text(&event["type"]) {
                "DELETED" => break,
                "ADDED" | "MODIFIED" if goal.is_met(&object)? => return Ok(Some(object)),
                _ => {}
            }
        }
        // The server ended the watch; it is asked again, but not without a pause.
        sleep(POLL).await;
    }
}

fn goal(text: &str) -> Result<Goal> {
    let (word, rest) = text.split_once('=').map_or((text, None), |(word, rest)| (word, Some(rest)));
    match (word.to_lowercase().as_str(), rest) {
        ("delete", None) => Ok(Goal::Gone),
        ("create", None) => Ok(Goal::There),
        ("condition", Some(rest)) => {
            let (name, value) = rest.split_once('=').unwrap_or((rest, "True"));
            Ok(Goal::Condition { name: name.into(), value: value.into() })
        }
        ("jsonpath", Some(rest)) => field(rest),
        _ => Err(usage(format!("unrecognized condition: {text:?}"))),
    }
}

/// `{.status.phase}`, with `=Running` or without, quoted or not.
fn field(text: &str) -> Result<Goal> {
    let text = text.trim_matches(['\'', '"']);
    let (path, value) = match text.rsplit_once("}=").map(|(path, value)| (format!("{path}}}"), value)) {
        Some((path, value)) => (path, Some(value)),
        None => match text.split_once("}'=") {
            Some((path, value)) => (format!("{path}}}"), Some(value)),
            // Without braces the last = is the one that counts, as far as no filter has it.
            None if !text.contains('{') && !text.contains('[') => {
                text.split_once('=').map_or((text.to_owned(), None), |(path, value)| (path.to_owned(), Some(value)))
            }
            None => (text.to_owned(), None),
        },
    };
    let value = value.map(|value| value.trim_matches(['\'', '"']).trim().to_owned());
    if path.is_empty() {
        return Err(usage("jsonpath expression cannot be empty"));
    }
    if value.as_deref() == Some("") {
        return Err(usage("jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3"));
    }
    Ok(Goal::Field { path: JsonPath::parse_relaxed(&path)?, value })
}

/// The same, where a negative one is for ever.
pub(super) fn patience(text: &str) -> Result<Duration, mini_api::duration::Error> {
    match text.strip_prefix('-') {
        Some(positive) => duration(positive).map(|_| A_WEEK),
        None => duration(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn goals_are_read() {
        let condition = |name: &str, value: &str| Goal::Condition { name: name.into(), value: value.into() };
        let phase = |value: Option<&str>| Goal::Field { path: JsonPath::parse("{.status.phase}").unwrap(), value: value.map(str::to_owned) };
        for (text, meant) in [
            ("condition=Ready", condition("Ready", "True")),
            ("condition=Ready=False", condition("Ready", "False")),
            ("delete", Goal::Gone),
            ("Create", Goal::There),
            ("jsonpath={.status.phase}=Running", phase(Some("Running"))),
            ("jsonpath='{.status.phase}'=Running", phase(Some("Running"))),
            ("jsonpath={.status.phase}=\"Running\"", phase(Some("Running"))),
            ("jsonpath=.status.phase=Running", phase(Some("Running"))),
            ("jsonpath={.status.phase}", phase(None)),
        ] {
            assert_eq!(goal(text).unwrap(), meant, "{text}");
        }
        for (text, why) in [
            ("colour=red", "unrecognized condition: \"colour=red\""),
            ("", "unrecognized condition: \"\""),
            ("jsonpath=", "jsonpath expression cannot be empty"),
            ("jsonpath={.a}=", "jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3"),
        ] {
            assert_eq!(goal(text).unwrap_err().to_string(), format!("error: {why}"), "{text}");
        }
    }

    #[test]
    fn a_condition_of_an_older_generation_does_not_count() {
        let object = |observed: i64| json!({"metadata": {"generation": 2}, "status": {"observedGeneration": observed, "conditions": [{"type": "Available", "status": "True"}]}});
        assert!(condition_is(&object(2), "available", "true"));
        assert!(!condition_is(&object(1), "Available", "True"));
        assert!(!condition_is(&object(2), "Progressing", "True"));
    }

    #[test]
    fn fields_are_compared_as_text() {
        let object = json!({"status": {"readyReplicas": 3, "list": [1, 2]}});
        assert!(goal("jsonpath={.status.readyReplicas}=3").unwrap().is_met(&object).unwrap());
        assert!(goal("jsonpath={.status.readyReplicas}").unwrap().is_met(&object).unwrap());
        assert!(!goal("jsonpath={.status.replicas}").unwrap().is_met(&object).unwrap());
        assert!(goal("jsonpath={.status.list}=3").unwrap().is_met(&object).is_err());
        assert!(goal("jsonpath={.status.list[*]}").unwrap().is_met(&object).is_err());
    }

    #[test]
    fn patience_may_be_endless() {
        assert_eq!(patience("-1s"), Ok(A_WEEK));
        assert_eq!(patience("5s"), Ok(Duration::from_secs(5)));
    }

    #[test]
    fn durations_are_gos() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for wrong in ["", "x", "5x", "s", "20"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
