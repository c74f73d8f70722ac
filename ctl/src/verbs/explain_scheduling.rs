//! `explain-scheduling`: why a pod is on its node, or on none. The scheduler is asked, through the API server; here its answer is
//! laid out.

mod page;

use clap::ValueEnum;
use http::Method;
use serde_json::{Value, json};

use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    manifest::Document,
    pods,
    print::print,
    selection::{Files, Many, Target, expand, namespace_for, select},
    server::{Call, JSON, Server, escape, with_query},
    value::{list, map_mut, name, namespace},
    output::json_text,
    yaml,
};

/// Where the scheduler is asked, by way of the API server.
const DESK: &str = "/components/scheduler/explain";

/// Explain why a pod is on its node, or why it waits; or what would become of one.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME…, or TYPE/NAME…: pods, or what has pods, such as a deployment.
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    many: Many,
    /// Ask about the pods of the files, which are not applied; nothing changes.
    #[arg(long)]
    what_if: bool,
    /// Print every node and score, or what the scheduler answered as it is.
    #[arg(long, short, value_name = "FORM", ignore_case = true)]
    output: Option<Form>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Wide,
    Json,
    Yaml,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let (mut told, mut errors) = (Vec::new(), Vec::new());
    let answers = if args.what_if { what_if(&args, context).await? } else { as_it_is(&args, context).await? };
    for answer in answers {
        match answer {
            Ok(explanation) => told.push(explanation),
            Err(error) => errors.push(error),
        }
    }
    print(&render(&told, args.output)?)?;
    Error::from_all(errors)
}

fn render(told: &[Value], form: Option<Form>) -> Result<String> {
    if told.is_empty() {
        return Ok(String::new());
    }
    let whole = || if let [only] = told { only.clone() } else { json!({"kind": "List", "apiVersion": "v1", "items": told}) };
    match form {
        Some(Form::Json) => json_text(&whole()),
        Some(Form::Yaml) => Ok(yaml::to_string(&whole())),
        Some(Form::Wide) | None => {
            let now = mini_daemon::clock::now();
            let pages: Vec<String> = told.iter().map(|told| page::render(told, form == Some(Form::Wide), now)).collect();
            Ok(pages.join("\n"))
        }
    }
}

/// What the scheduler says about pods that exist.
async fn as_it_is(args: &Args, context: &Context) -> Result<Vec<Result<Value>>> {
    let server = context.server().await?;
    let selection = select(context, &args.words, &args.files).await?;
    let mut answers = Vec::new();
    for target in expand(context, selection, &args.many, false).await? {
        match pods(server, &target).await {
            Err(error) => answers.push(Err(error)),
            Ok(pods) => {
                for pod in pods {
                    let path = format!("{DESK}/namespaces/{}/pods/{}", escape(namespace(&pod).unwrap_or_default()), escape(name(&pod)));
                    answers.push(server.get(&path).await);
                }
            }
        }
    }
    Ok(answers)
}

/// The pods that are meant: the object itself, or those it selects.
async fn pods(server: &Server, target: &Target) -> Result<Vec<Value>> {
    let object = target.fetch(server, JSON).await?;
    if is_pods(&target.resource) {
        return Ok(vec![object]);
    }
    let selector = template(&object).and_then(|_| pods::selector_of(&object));
    let selector = selector.ok_or_else(|| usage(format!("{} has no pods to explain", target.slashed())))?;
    let path = with_query(&format!("/api/v1/namespaces/{}/pods", escape(&target.namespace)), &[("labelSelector", &selector)]);
    let pods = list(&server.get(&path).await?["items"]).to_vec();
    if pods.is_empty() { Err(usage(format!("no pods found for {}", target.slashed()))) } else { Ok(pods) }
}

fn is_pods(resource: &Resource) -> bool {
    resource.group.is_empty() && resource.plural == "pods"
}

/// What an object makes its pods from.
fn template(object: &Value) -> Option<&Value> {
    ["/spec/template", "/spec/jobTemplate/spec/template"].into_iter().find_map(|path| object.pointer(path).filter(|found| found["spec"].is_object()))
}

/// What the scheduler would say about pods of the files.
async fn what_if(args: &Args, context: &Context) -> Result<Vec<Result<Value>>> {
    if args.files.is_empty() || !args.words.is_empty() {
        return Err(usage("--what-if asks about pods that do not exist: name a file, with -f"));
    }
    let documents = args.files.documents()?;
    let (server, catalog) = (context.server().await?, context.catalog().await?);
    let mut answers = Vec::new();
    for Document { object, source } in &documents {
        let resource = catalog.of_object(object, source)?;
        let Some(pod) = pod_of(object, is_pods(resource)) else { continue };
        let place = namespace_for(context, namespace(object)).await?;
        let answer = supposed(server, &place, &pod).await.map(|mut told| {
            told["pod"]["name"] = name(object).into();
            told
        });
        answers.push(answer.map_err(|error| error.while_doing("explaining", source)));
    }
    if answers.is_empty() { Err(usage("no object of the files has pods")) } else { Ok(answers) }
}

/// The pod that an object is, or makes. Its name is left to the server: the one that is meant may be taken.
fn pod_of(object: &Value, is_pod: bool) -> Option<Value> {
    let from = if is_pod { object } else { template(object)? };
    let mut pod = from.clone();
    (pod["apiVersion"], pod["kind"]) = ("v1".into(), "Pod".into());
    let metadata = map_mut(&mut map_mut(&mut pod)["metadata"]);
    ["name", "namespace", "uid", "resourceVersion"].iter().for_each(|field| drop(metadata.remove(*field)));
    metadata.insert("generateName".to_owned(), format!("{}-", name(object)).into());
    Some(pod)
}

/// Has the API server fill in what the pod leaves out, without storing it, and asks about the result.
async fn supposed(server: &Server, namespace: &str, pod: &Value) -> Result<Value> {
    let path = with_query(&format!("/api/v1/namespaces/{}/pods", escape(namespace)), &[("dryRun", "All"), ("fieldValidation", "Strict")]);
    let whole = server.call(Call { method: Method::POST, path: &path, content_type: JSON, body: pod }).await?;
    server.call(Call { method: Method::POST, path: DESK, content_type: JSON, body: &whole }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_made_of_whatever_has_a_template() {
        let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}});
        let deployment = json!({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": template}});
        let cron = json!({"kind": "CronJob", "metadata": {"name": "web"}, "spec": {"jobTemplate": {"spec": {"template": template}}}});
        let made = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": "b"}, "generateName": "web-"}, "spec": {"containers": []}});
        assert_eq!(pod_of(&deployment, false).as_ref(), Some(&made));
        assert_eq!(pod_of(&cron, false).as_ref(), Some(&made));
        let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "x", "labels": {"a": "b"}}, "spec": {"containers": []}});
        assert_eq!(pod_of(&pod, true), Some(made));
        assert_eq!(pod_of(&json!({"kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {}}}), false), None);
    }
}
