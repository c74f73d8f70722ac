//! `auth can-i`: whether the server would let one do something, or all that it would.

use http::Method;
use serde_json::{Value, json};

use crate::{
    context::Context,
    error::{Error, Result, usage},
    print::{TabWriter, notice, print},
    server::{Call, JSON, warn},
    value::{list, some_text, text},
};

/// What can be done to resources, and to other paths.
const VERBS: &[&str] = &[
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "impersonate",
    "*",
    "approve",
    "sign",
    "escalate",
    "attest",
];
const PATH_VERBS: &[&str] = &["get", "put", "post", "head", "options", "delete", "patch", "*"];
/// What is no resource of any server, and yet can be permitted.
const NO_RESOURCES: &[&str] = &["users", "groups"];

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// VERB TYPE, VERB TYPE/NAME or VERB /PATH
    words: Vec<String>,
    /// In all namespaces.
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// All that is allowed.
    #[arg(long)]
    list: bool,
    /// With --list, leave out the line of column names.
    #[arg(long)]
    no_headers: bool,
    /// Say nothing; the exit code tells.
    #[arg(long, short)]
    quiet: bool,
    /// The part of the objects, such as log or scale.
    #[arg(long, value_name = "NAME", default_value = "")]
    subresource: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if args.list {
        return list_all(&args, context).await;
    }
    let [verb, what] = args.words.as_slice() else {
        return Err(usage(
            "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'mini-ctl auth can-i -h' for help and examples.",
        ));
    };
    let namespace = if args.all_namespaces { "" } else { context.namespace().await? };
    let spec = if what.starts_with('/') {
        if !args.subresource.is_empty() {
            return Err(usage("--subresource can not be used with NonResourceURL"));
        }
        if !PATH_VERBS.contains(&verb.as_str()) {
            warn(&format!("verb '{verb}' is not a known verb\n"));
        }
        json!({"nonResourceAttributes": {"path": what, "verb": verb}})
    } else {
        let (kind, name) = what.split_once('/').unwrap_or((what, ""));
        let (group, resource) = resource(context, &args, kind).await?;
        if !VERBS.contains(&verb.as_str()) {
            warn(&format!("verb '{verb}' is not a known verb\n"));
        }
        json!({"resourceAttributes": {
            "group": group, "name": name, "namespace": namespace, "resource": resource, "subresource": args.subresource, "verb": verb,
        }})
    };
    if args.no_headers {
        return Err(usage("--no-headers cannot be set without --list specified"));
    }
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = context.server().await?.call(Call { method: Method::POST, path, content_type: JSON, body: &review }).await?;
    let status = &answer["status"];
    let allowed = status["allowed"] == true;
    let reasons = ["reason", "evaluationError"].iter().filter_map(|field| some_text(&status[*field])).map(|reason| format!(" - {reason}"));
    let said = if allowed { "yes".to_owned() } else { format!("no{}", reasons.collect::<String>()) };
    if !args.quiet {
        print(&format!("{said}\n"))?;
    }
    if allowed { Ok(()) } else { Err(Error::Silent) }
}

/// The group and plural of what the user means. What the server does not have is asked about as it stands.
async fn resource(context: &Context, args: &Args, kind: &str) -> Result<(String, String)> {
    if kind == "*" {
        return Ok((String::new(), kind.to_owned()));
    }
    match context.catalog().await?.find(&kind.to_lowercase()) {
        Ok(resource) => {
            if !resource.namespaced && !args.all_namespaces {
                let group = if resource.group.is_empty() { String::new() } else { format!(" in group '{}'", resource.group) };
                warn(&format!("resource '{}' is not namespace scoped{group}\n", resource.plural));
            }
            Ok((resource.group.clone(), resource.plural.clone()))
        }
        Err(_) => {
            if !NO_RESOURCES.contains(&kind) {
                let lower = kind.to_lowercase();
                let (resource, group) = lower.split_once('.').unwrap_or((&lower, ""));
                let group = if group.is_empty() { String::new() } else { format!(" in group '{group}'") };
                warn(&format!("the server doesn't have a resource type '{resource}'{group}\n"));
            }
            Ok((String::new(), kind.to_owned()))
        }
    }
}

async fn list_all(args: &Args, context: &Context) -> Result<()> {
    if !args.words.is_empty() {
        return Err(usage("list option must be specified with no arguments"));
    }
    if args.quiet || args.all_namespaces || !args.subresource.is_empty() {
        return Err(usage("list option can't be specified with neither quiet, all-namespaces nor subresource options"));
    }
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": context.namespace().await?}});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let answer = context.server().await?.call(Call { method: Method::POST, path, content_type: JSON, body: &review }).await?;
    let status = &answer["status"];
    if status["incomplete"] == true {
        notice(&format!("warning: the list may be incomplete: {}", text(&status["evaluationError"])));
    }
    let mut writer = TabWriter::table();
    if !args.no_headers {
        writer.line("Resources\tNon-Resource URLs\tResource Names\tVerbs");
    }
    rules(status).into_iter().for_each(|line| writer.line(&line));
    print(&writer.take())
}

/// A line for each resource and for each set of paths, in the order of verbs, groups and resources.
fn rules(status: &Value) -> Vec<String> {
    let words = |value: &Value| list(value).iter().map(|word| text(word).to_owned()).collect::<Vec<_>>();
    let shown = |words: &[String]| format!("[{}]", words.join(" "));
    let mut lines: Vec<((String, String, String), String)> = Vec::new();
    for rule in list(&status["resourceRules"]) {
        let (verbs, names) = (shown(&words(&rule["verbs"])), shown(&words(&rule["resourceNames"])));
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                let (kind, part) = resource.split_once('/').map_or((resource.as_str(), None), |(kind, part)| (kind, Some(part)));
                let dotted = if group.is_empty() { String::new() } else { format!(".{group}") };
                let slashed = part.map(|part| format!("/{part}")).unwrap_or_default();
                let line = format!("{kind}{dotted}{slashed}\t[]\t{names}\t{verbs}");
                lines.push(((verbs.clone(), format!("[{group}]"), resource.clone()), line));
            }
        }
    }
    for rule in list(&status["nonResourceRules"]) {
        let verbs = shown(&words(&rule["verbs"]));
        let paths = shown(&words(&rule["nonResourceURLs"]));
        lines.push(((verbs.clone(), "[]".into(), String::new()), format!("\t{paths}\t[]\t{verbs}")));
    }
    lines.sort();
    lines.dedup();
    lines.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_taken_apart() {
        let status = json!({
            "resourceRules": [
                {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
                {"verbs": ["get", "list"], "apiGroups": ["", "apps"], "resources": ["pods", "deployments/scale"], "resourceNames": ["a"]},
            ],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        });
        assert_eq!(
            rules(&status),
            [
                "*.*\t[]\t[]\t[*]",
                "\t[*]\t[]\t[*]",
                "deployments/scale\t[]\t[a]\t[get list]",
                "pods\t[]\t[a]\t[get list]",
                "deployments.apps/scale\t[]\t[a]\t[get list]",
                "pods.apps\t[]\t[a]\t[get list]",
            ]
        );
    }
}
