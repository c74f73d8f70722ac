//! `cluster-info dump`: everything that may help to see what is wrong with a cluster.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};

use crate::{
    context::Context,
    discover::{Catalog, Resource},
    error::{Result, usage},
    output::{Output, Templates, typed_json},
    print::print_bytes,
    server::{Server, escape, with_query},
    value::{list, map_mut, name, text},
    verbs::wait::duration,
};

/// What is dumped of each namespace: the resource, and the file for it.
const PARTS: &[(&str, &str)] = &[
    ("events", "events"),
    ("replicationcontrollers", "replication-controllers"),
    ("services", "services"),
    ("daemonsets.apps", "daemonsets"),
    ("deployments.apps", "deployments"),
    ("replicasets.apps", "replicasets"),
    ("pods", "pods"),
];

/// Dump information about the cluster that is suitable for debugging and diagnosing.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Of all namespaces.
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// Of these namespaces [default: the current one, and kube-system].
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// The form of the objects.
    #[arg(long, short, value_name = "FORM", default_value = "json")]
    output: String,
    /// A folder to write files into, instead of the standard output.
    #[arg(long, value_name = "DIR", default_value = "")]
    output_directory: String,
    /// How long to wait for a pod that runs.
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = duration)]
    pod_running_timeout: Duration,
    /// Also who manages which field, in YAML and JSON.
    #[arg(long)]
    show_managed_fields: bool,
    #[command(flatten)]
    templates: Templates,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let form = args.templates.form(Some(&args.output), false)?.unwrap_or(Output::Json);
    let (server, catalog) = (context.server().await?, context.catalog().await?);
    let folder = (!matches!(args.output_directory.as_str(), "" | "-")).then(|| PathBuf::from(&args.output_directory));
    let dump = Dump { server, catalog, form, folder, show_managed_fields: args.show_managed_fields };
    dump.list("nodes", None, "nodes").await?;
    let namespaces = if args.all_namespaces {
        let all = server.get("/api/v1/namespaces").await?;
        list(&all["items"]).iter().map(|namespace| name(namespace).to_owned()).collect()
    } else if args.namespaces.is_empty() {
        // In this order, each once.
        let own = context.namespace().await?.to_owned();
        let mut namespaces = vec!["kube-system".to_owned()];
        namespaces.extend((own != "kube-system").then_some(own));
        namespaces
    } else {
        args.namespaces
    };
    for namespace in &namespaces {
        let mut pods = Value::Null;
        for (resource, file) in PARTS {
            pods = dump.list(resource, Some(namespace), &format!("{namespace}/{file}")).await?;
        }
        for pod in list(&pods["items"]) {
            dump.logs(namespace, pod).await?;
        }
    }
    match &dump.folder {
        Some(folder) => crate::print::print(&format!("Cluster info dumped to {}\n", folder.display())),
        None => Ok(()),
    }
}

struct Dump<'a> {
    server: &'a Server,
    catalog: &'a Catalog,
    form: Output,
    folder: Option<PathBuf>,
    show_managed_fields: bool,
}

impl Dump<'_> {
    /// Writes a part: into its file if there is a folder.
    fn write(&self, file: &str, bytes: &[u8]) -> Result<()> {
        let Some(folder) = &self.folder else { return print_bytes(bytes) };
        let path = folder.join(file);
        let folder = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(folder)
            .and_then(|()| {
                use std::io::Write;
                std::fs::OpenOptions::new().create(true).append(true).open(&path)?.write_all(bytes)
            })
            .map_err(|error| usage(crate::golang::file_error(&path.display().to_string(), &error)))
    }

    /// Dumps every object of a resource, and gives them back.
    async fn list(&self, resource: &str, namespace: Option<&str>, file: &str) -> Result<Value> {
        let resource = self.catalog.find(resource)?;
        let mut answer = self.server.get(&resource.path(namespace)).await?;
        let objects: Vec<Value> = list(&answer["items"]).iter().map(|object| self.spared(object.clone())).collect();
        let version = text(&answer["metadata"]["resourceVersion"]).to_owned();
        let all = json!({"kind": format!("{}List", resource.kind), "apiVersion": resource.group_version(), "metadata": {"resourceVersion": version}, "items": objects});
        let (printed, ending) = match &self.form {
            Output::Json => (typed_json(&all), "json"),
            // Documents that follow each other are kept apart.
            Output::Yaml if resource.plural != "nodes" => {
                (format!("---\n{}", self.form.render(&Resource::default(), &all)?), "yaml")
            }
            Output::Yaml => (self.form.render(&Resource::default(), &all)?, "yaml"),
            form => (form.render(resource, &all)?, "txt"),
        };
        self.write(&format!("{file}.{ending}"), printed.as_bytes())?;
        Ok(answer.take())
    }

    fn spared(&self, mut object: Value) -> Value {
        // In a list that kubectl has decoded its elements say no kind.
        let fields = map_mut(&mut object);
        fields.remove("kind");
        fields.remove("apiVersion");
        if self.show_managed_fields { object } else { self.form.spared(object) }
    }

    /// Dumps what the containers of a pod have written.
    async fn logs(&self, namespace: &str, pod: &Value) -> Result<()> {
        let file = format!("{namespace}/{}/logs.txt", name(pod));
        for kind in ["initContainers", "containers", "ephemeralContainers"] {
            for container in list(&pod["spec"][kind]) {
                let title = format!("logs for container {} of pod {namespace}/{}", name_of(container), name(pod));
                self.write(&file, format!("==== START {title} ====\n").as_bytes())?;
                let path = format!("/api/v1/namespaces/{}/pods/{}/log", escape(namespace), escape(name(pod)));
                match self.server.get_bytes(&with_query(&path, &[("container", name_of(container))])).await {
                    Ok(log) => self.write(&file, &log)?,
                    Err(error) => self.write(&file, format!("Request log error: {}\n", plain(&error)).as_bytes())?,
                }
                self.write(&file, format!("==== END {title} ====\n").as_bytes())?;
            }
        }
        Ok(())
    }
}

fn name_of(container: &Value) -> &str {
    text(&container["name"])
}

fn plain(error: &crate::error::Error) -> String {
    error.refusal().map_or_else(|| error.to_string(), |refusal| refusal.message.clone())
}
