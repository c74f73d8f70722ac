//! `create poddisruptionbudget`.

use mini_api::selector::{Operator, Selector};
use serde_json::{Map, Value, json};

use super::Generating;
use crate::{
    context::Context,
    error::{Error, Result, usage},
    making::{Kind, failed},
};

const KIND: Kind = Kind { group: "policy", version: "v1", kind: "PodDisruptionBudget", plural: "poddisruptionbudgets", namespaced: true };

/// Create a pod disruption budget with the specified name.
#[derive(clap::Args, Debug)]
#[command(visible_alias = "pdb")]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
    /// The pods it protects.
    #[arg(long, value_name = "SELECTOR", default_value = "", allow_hyphen_values = true)]
    selector: String,
    /// How many, or which share, must stay.
    #[arg(long, value_name = "COUNT", default_value = "")]
    min_available: String,
    /// How many, or which share, may be missing.
    #[arg(long, value_name = "COUNT", default_value = "")]
    max_unavailable: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let mut budget = KIND.named(args.generating.name("poddisruptionbudget")?);
    budget["spec"] = spec(&args.selector, &args.min_available, &args.max_unavailable)?;
    budget["status"] = json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0});
    args.generating.create(context, &KIND, budget).await.map_err(failed("create poddisruptionbudgets"))
}

fn spec(selector: &str, min: &str, max: &str) -> Result<Value> {
    if selector.is_empty() {
        return Err(usage("a selector must be specified"));
    }
    let (field, flag, text) = match (min, max) {
        ("", "") => return Err(usage("one of min-available or max-unavailable must be specified")),
        (min, "") => ("minAvailable", "min-available", min),
        ("", max) => ("maxUnavailable", "max-unavailable", max),
        _ => return Err(usage("min-available and max-unavailable cannot be both specified")),
    };
    let digits = text.strip_suffix('%').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(usage(format!("invalid format specified for {flag}")));
    }
    Ok(json!({"selector": label_selector(selector)?, field: count(text)}))
}

/// A number, or else a text.
fn count(text: &str) -> Value {
    text.parse::<i32>().map_or_else(|_| text.into(), Value::from)
}

/// A selector as users write it, as the field of an object. Source: `meta/v1` `ParseToLabelSelector`.
fn label_selector(text: &str) -> Result<Value> {
    let parsed =
        Selector::parse(text).map_err(|error| usage(format!("couldn't parse the selector string {text:?}: {error}")))?;
    let (mut labels, mut expressions) = (Map::new(), Vec::new());
    for requirement in parsed.requirements() {
        let (key, values) = (requirement.key(), requirement.values());
        let operator = match requirement.operator() {
            Operator::Equals | Operator::DoubleEquals => {
                labels.insert(key.to_owned(), values.first().cloned().unwrap_or_default().into());
                continue;
            }
            Operator::In => "In",
            Operator::NotIn => "NotIn",
            Operator::Exists => "Exists",
            Operator::DoesNotExist => "DoesNotExist",
            Operator::NotEquals => return Err(no_operator("!=")),
            Operator::GreaterThan => return Err(no_operator("gt")),
            Operator::LessThan => return Err(no_operator("lt")),
        };
        expressions.push(if values.is_empty() {
            json!({"key": key, "operator": operator})
        } else {
            json!({"key": key, "operator": operator, "values": values})
        });
    }
    let mut selector = json!({});
    if !labels.is_empty() {
        selector["matchLabels"] = labels.into();
    }
    if !expressions.is_empty() {
        selector["matchExpressions"] = expressions.into();
    }
    Ok(selector)
}

fn no_operator(operator: &str) -> Error {
    usage(format!("{operator:?} is not a valid label selector operator"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_have_a_selector_and_one_of_two_numbers() {
        let selector = json!({"matchLabels": {"g": "h"}, "matchExpressions": [
            {"key": "a", "operator": "In", "values": ["b", "c"]}, {"key": "d", "operator": "Exists"},
            {"key": "e", "operator": "DoesNotExist"}, {"key": "f", "operator": "NotIn", "values": ["x"]},
        ]});
        let spec_ = spec("a in (c,b),d,!e,f notin (x),g=h", "", "1").unwrap();
        assert_eq!(spec_, json!({"selector": selector, "maxUnavailable": 1}));
        assert_eq!(spec("a=b", "50%", "").unwrap()["minAvailable"], "50%");
        for (selector, min, max, why) in [
            ("", "1", "", "a selector must be specified"),
            ("a=b", "", "", "one of min-available or max-unavailable must be specified"),
            ("a=b", "1", "2", "min-available and max-unavailable cannot be both specified"),
            ("a=b", "x", "", "invalid format specified for min-available"),
            ("a!=b", "1", "", "\"!=\" is not a valid label selector operator"),
        ] {
            assert_eq!(spec(selector, min, max).unwrap_err().to_string(), format!("error: {why}"));
        }
    }
}
