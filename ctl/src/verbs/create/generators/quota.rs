//! `create quota`.

use mini_api::quantity;
use serde_json::{Map, Value, json};

use super::Generating;
use crate::{
    context::Context,
    error::{Result, usage},
    making::{Kind, failed},
};

const KIND: Kind = Kind { group: "", version: "v1", kind: "ResourceQuota", plural: "resourcequotas", namespaced: true };

/// Create a quota with the specified name.
#[derive(clap::Args, Debug)]
#[command(visible_alias = "resourcequota")]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
    /// What there may be of each resource at most: cpu=1,pods=2.
    #[arg(long, value_name = "RESOURCE=QUANTITY,…", default_value = "")]
    hard: String,
    /// The pods it counts: those of all these scopes.
    #[arg(long, value_name = "SCOPE,…", default_value = "")]
    scopes: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let mut quota = KIND.named(args.generating.name("quota")?);
    quota["spec"] = spec(&args.hard, &args.scopes)?;
    quota["status"] = json!({});
    args.generating.create(context, &KIND, quota).await.map_err(failed("create quota"))
}

fn spec(hard: &str, scopes: &str) -> Result<Value> {
    let mut spec = json!({});
    let limit = |word: &str| match word.split_once('=') {
        Some((resource, quantity)) if !quantity.contains('=') => {
            let quantity = quantity::canonical(quantity).map_err(|error| usage(error.to_string()))?;
            Ok((resource.to_owned(), quantity.into()))
        }
        _ => Err(usage(format!("Invalid argument syntax {word}, expected <resource>=<value>"))),
    };
    if !hard.is_empty() {
        spec["hard"] = hard.split(',').map(limit).collect::<Result<Map<_, _>>>()?.into();
    }
    if !scopes.is_empty() {
        spec["scopes"] = scopes.split(',').map(Value::from).collect::<Vec<_>>().into();
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_quantities() {
        assert_eq!(spec("cpu=1000m,pods=2", "A,B").unwrap(), json!({"hard": {"cpu": "1", "pods": "2"}, "scopes": ["A", "B"]}));
        assert_eq!(spec("", "").unwrap(), json!({}));
        for wrong in ["cpu", "cpu=1=2"] {
            assert_eq!(
                spec(wrong, "").unwrap_err().to_string(),
                format!("error: Invalid argument syntax {wrong}, expected <resource>=<value>")
            );
        }
        assert!(spec("cpu=x", "").is_err());
    }
}
