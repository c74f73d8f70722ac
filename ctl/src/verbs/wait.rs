//! `wait`: until something is true of each object, or gone, or there at all.

use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    context::Context,
    error::{Error, Result, usage},
    jsonpath::JsonPath,
    print::print,
    selection::{Files, Many, Selection, Target, expand, select},
    server::{JSON, Server, with_query},
    value::{list, plain, text},
    verbs::delete::until_gone,
};

/// The pause between two looks where nothing can be watched.
pub(super) const POLL: Duration = Duration::from_millis(200);
/// What "for ever" means to kubectl.
const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

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
    #[arg(long = "for", value_name = "WHAT", value_parser = goal)]
    goal: Option<Goal>,
    /// How long for each object; 0 looks once, negative is a week.
    #[arg(long, value_name = "DURATION", default_value = "30s", allow_hyphen_values = true, value_parser = patience)]
    timeout: Duration,
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
    fn is_met(&self, object: &Value) -> bool {
        match self {
            Self::Condition { name, value } => condition_is(object, name, value),
            Self::Field { path, value } => {
                let found = path.find(object);
                match value {
                    None => !found.is_empty(),
                    Some(value) => matches!(found.as_slice(), [one] if plain(one) == *value),
                }
            }
            Self::Gone => false,
            Self::There => true,
        }
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
    let Some(goal) = args.goal else {
        return Err(usage("unrecognized condition: \"\""));
    };
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
            _ => timeout_at(deadline, until(server, target, &goal)).await.unwrap_or(Ok(false)),
        };
        match reached {
            Ok(true) => print(&format!("{} condition met\n", target.slashed()))?,
            Ok(false) => errors.push(usage(format!("timed out waiting for the condition on {}", target.plural_slashed()))),
            Err(error) => errors.push(error),
        }
    }
    Error::from_all(errors)
}

async fn look_once(server: &Server, target: &Target, goal: &Goal) -> Result<bool> {
    match (target.fetch(server, JSON).await, goal) {
        (Err(error), Goal::Gone) if error.is_not_found() => Ok(true),
        (Err(error), Goal::There) if error.is_not_found() => Ok(false),
        (Ok(object), goal) => Ok(goal.is_met(&object)),
        (Err(error), _) => Err(error),
    }
}

/// Ends when the goal is reached; the caller sets the limit.
async fn until(server: &Server, target: &Target, goal: &Goal) -> Result<bool> {
    if *goal == Goal::Gone {
        return match target.fetch(server, JSON).await {
            Ok(object) => until_gone(server, target, text(&object["metadata"]["uid"])).await.map(|()| true),
            Err(error) if error.is_not_found() => Ok(true),
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
        if goal.is_met(&object) {
            return Ok(true);
        }
        let fields = format!("metadata.name={}", target.name);
        let version = text(&object["metadata"]["resourceVersion"]);
        let path = target.resource.path(Some(&target.namespace));
        let path = with_query(&path, &[("fieldSelector", &fields), ("watch", "true"), ("resourceVersion", version)]);
        let mut events = server.watch(&path, JSON).await?;
        while let Some(Ok(event)) = events.next().await {
            match text(&event["type"]) {
                "DELETED" => break,
                "ADDED" | "MODIFIED" if goal.is_met(&event["object"]) => return Ok(true),
                _ => {}
            }
        }
        // The server ended the watch; it is asked again, but not without a pause.
        sleep(POLL).await;
    }
}

fn goal(text: &str) -> Result<Goal, String> {
    let (word, rest) = text.split_once('=').map_or((text, None), |(word, rest)| (word, Some(rest)));
    match (word.to_lowercase().as_str(), rest) {
        ("delete", None) => Ok(Goal::Gone),
        ("create", None) => Ok(Goal::There),
        ("condition", Some(rest)) if !rest.is_empty() => {
            let (name, value) = rest.split_once('=').unwrap_or((rest, "True"));
            Ok(Goal::Condition { name: name.into(), value: value.into() })
        }
        ("jsonpath", Some(rest)) => {
            let rest = rest.trim_matches('\'');
            let (path, value) = match rest.rsplit_once("}=").or_else(|| rest.rsplit_once("}'=")) {
                Some((path, value)) => (format!("{path}}}"), Some(value.trim_matches('\'').to_owned())),
                None => (rest.to_owned(), None),
            };
            if value.as_deref() == Some("") {
                return Err("jsonpath wait has to have a value after equal sign".into());
            }
            let path = JsonPath::parse(&path).map_err(|error| error.to_string())?;
            Ok(Goal::Field { path, value })
        }
        _ => Err(format!("unrecognized condition: {text:?}")),
    }
}

/// A duration as Go writes it, such as `1h30m`, `45s`, `500ms`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("time: invalid duration {text:?}");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..end].parse().map_err(|_| wrong())?;
        let unit_end = rest[end..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| end + at);
        total += number
            * match &rest[end..unit_end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return Err(wrong()),
            };
        rest = &rest[unit_end..];
    }
    if text.is_empty() { Err(wrong()) } else { Duration::try_from_secs_f64(total).map_err(|_| wrong()) }
}

fn patience(text: &str) -> Result<Duration, String> {
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
        assert_eq!(goal("condition=Ready"), Ok(condition("Ready", "True")));
        assert_eq!(goal("condition=Ready=False"), Ok(condition("Ready", "False")));
        assert_eq!(goal("delete"), Ok(Goal::Gone));
        let path = JsonPath::parse("{.status.phase}").unwrap();
        assert_eq!(goal("jsonpath={.status.phase}=Running"), Ok(Goal::Field { path: path.clone(), value: Some("Running".into()) }));
        assert_eq!(goal("jsonpath='{.status.phase}'=Running"), Ok(Goal::Field { path: path.clone(), value: Some("Running".into()) }));
        assert_eq!(goal("jsonpath={.status.phase}"), Ok(Goal::Field { path, value: None }));
        assert_eq!(goal("colour=red"), Err("unrecognized condition: \"colour=red\"".into()));
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
        let object = json!({"status": {"readyReplicas": 3}});
        assert!(goal("jsonpath={.status.readyReplicas}=3").unwrap().is_met(&object));
        assert!(goal("jsonpath={.status.readyReplicas}").unwrap().is_met(&object));
        assert!(!goal("jsonpath={.status.replicas}").unwrap().is_met(&object));
    }

    #[test]
    fn durations_are_gos() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("20"), Ok(Duration::from_secs(20)));
        assert_eq!(patience("-1s"), Ok(A_WEEK));
        for wrong in ["", "x", "5x", "s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
