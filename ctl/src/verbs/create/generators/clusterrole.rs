//! `create clusterrole`: what may be done everywhere, to resources and to plain paths; or the sum of other roles.

use serde_json::{Value, json};

use super::{
    Generating,
    rules::{Rules, once},
};
use crate::{
    context::Context,
    error::{Result, usage},
    making::Kind,
};

const KIND: Kind =
    Kind { group: "rbac.authorization.k8s.io", version: "v1", kind: "ClusterRole", plural: "clusterroles", namespaced: false };

/// The verbs of plain paths.
const VERBS: [&str; 8] = ["*", "get", "post", "put", "delete", "patch", "head", "options"];

/// Create a cluster role.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
    #[command(flatten)]
    rules: Rules,
    /// A path that is no resource.
    #[arg(long = "non-resource-url", value_name = "PATH", value_delimiter = ',')]
    paths: Vec<String>,
    /// The labels of the roles that it is the sum of: a=b.
    #[arg(long, value_name = "LABELS", value_delimiter = ',', value_parser = pair)]
    aggregation_rule: Vec<(String, String)>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let mut role = KIND.named(args.generating.name("clusterrole")?);
    if !args.aggregation_rule.is_empty() {
        if !args.rules.is_empty() || !args.paths.is_empty() {
            return Err(usage("aggregation rule must be specified without nonResourceURLs, verbs, resources or resourceNames"));
        }
        let labels: serde_json::Map<String, Value> =
            args.aggregation_rule.into_iter().map(|(key, value)| (key, value.into())).collect();
        role["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": labels}]});
        role["rules"] = Value::Null;
        return args.generating.create(context, &KIND, role).await;
    }
    let (verbs, paths) = (args.rules.verbs()?, once(&args.paths));
    let resources = args.rules.resources();
    if resources.is_empty() && paths.is_empty() {
        return Err(usage("one of resource or nonResourceURL must be specified"));
    }
    let mut rules = Vec::new();
    if !resources.is_empty() {
        rules = args.rules.for_resources(context.catalog().await?, &verbs)?;
    }
    rules.extend(for_paths(&verbs, &paths)?);
    role["rules"] = rules.into();
    args.generating.create(context, &KIND, role).await
}

fn for_paths(verbs: &[&str], paths: &[&str]) -> Result<Option<Value>> {
    if paths.is_empty() {
        return Ok(None);
    }
    if let Some(verb) = verbs.iter().find(|verb| !VERBS.contains(verb)) {
        return Err(usage(format!("invalid verb: '{verb}' for nonResourceURL")));
    }
    for path in paths.iter().filter(|path| **path != "*") {
        if !path.starts_with('/') {
            return Err(usage("nonResourceURL should start with /"));
        }
        if path.strip_suffix('*').unwrap_or(path).contains('*') {
            return Err(usage("nonResourceURL only supports wildcard matches when '*' is at the end"));
        }
    }
    Ok(Some(json!({"nonResourceURLs": paths, "verbs": verbs})))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("malformed pair, expect string=string")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_verbs_of_their_own() {
        assert_eq!(for_paths(&["get"], &["/x", "/y/*", "*"]).unwrap(), Some(json!({"nonResourceURLs": ["/x", "/y/*", "*"], "verbs": ["get"]})));
        for (verb, path, why) in [
            ("list", "/x", "invalid verb: 'list' for nonResourceURL"),
            ("get", "x", "nonResourceURL should start with /"),
            ("get", "/*/x", "nonResourceURL only supports wildcard matches when '*' is at the end"),
        ] {
            assert_eq!(for_paths(&[verb], &[path]).unwrap_err().to_string(), format!("error: {why}"));
        }
    }
}
