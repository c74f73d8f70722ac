//! `config view` and `config get-contexts`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::file::{Kubeconfig, Section};
use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    golang::file_error,
    output::{Output, Templates, typed_json},
    print::{TabWriter, print},
    value::{map_mut, text},
    yaml,
};

/// The fields that hold a secret, and what stands there instead.
const SECRET: &[(&str, &str)] = &[
    ("password", "REDACTED"),
    ("token", "REDACTED"),
    ("certificate-authority-data", "DATA+OMITTED"),
    ("client-certificate-data", "DATA+OMITTED"),
    ("client-key-data", "DATA+OMITTED"),
];
/// The fields that name a file.
pub(super) const FILES: &[&str] = &["certificate-authority", "client-certificate", "client-key"];

#[derive(clap::Args, Debug)]
pub(super) struct View {
    /// Only what the current context needs.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = clap::ArgAction::Set)]
    minify: bool,
    /// Also secrets.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = clap::ArgAction::Set)]
    raw: bool,
    /// What is in files instead of their names.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = clap::ArgAction::Set)]
    flatten: bool,
    /// Merge all kubeconfig files; there is one here.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    merge: Option<bool>,
    /// The form of the answer.
    #[arg(long, short, value_name = "FORM", default_value = "yaml")]
    output: String,
    #[command(flatten)]
    templates: Templates,
}

impl View {
    pub(super) fn run(&self, mut config: Kubeconfig, context: &Context) -> Result<()> {
        let form = self.templates.form(Some(&self.output), false)?.unwrap_or(Output::Yaml);
        if self.minify {
            minify(&mut config, context.demanded_context())?;
        }
        let mut value = config.value();
        for section in [Section::Users, Section::Contexts, Section::Clusters] {
            for entry in value[section.plural()].as_array_mut().into_iter().flatten() {
                let fields = &mut entry[section.singular()];
                if self.flatten {
                    FILES.iter().try_for_each(|field| embed(fields, field))?;
                }
                if !self.raw {
                    for (field, word) in SECRET {
                        if let Some(secret) = map_mut(fields).get_mut(*field) {
                            *secret = (*word).into();
                        }
                    }
                }
            }
        }
        match &form {
            Output::Json => print(&typed_json(&value)),
            Output::Yaml => print(&yaml::to_string(&value)),
            form => print(&form.render(&Resource::default(), &value)?),
        }
    }
}

/// Removes what the context in use does not need.
fn minify(config: &mut Kubeconfig, demanded: Option<&str>) -> Result<()> {
    let name = demanded.unwrap_or_else(|| config.current_name()).to_owned();
    if name.is_empty() {
        return Err(usage("current-context must exist in order to minify"));
    }
    let entry = config.entry(Section::Contexts, &name).ok_or_else(|| usage(format!("cannot locate context {name}")))?.clone();
    let (cluster, user) = (text(&entry["cluster"]).to_owned(), text(&entry["user"]).to_owned());
    if config.entry(Section::Clusters, &cluster).is_none() && !cluster.is_empty() {
        return Err(usage(format!("cannot locate cluster {cluster}")));
    }
    if config.entry(Section::Users, &user).is_none() && !user.is_empty() {
        return Err(usage(format!("cannot locate user {user}")));
    }
    config.keep(Section::Contexts, std::slice::from_ref(&name));
    config.keep(Section::Clusters, &[cluster]);
    config.keep(Section::Users, &[user]);
    config.set_current(&name);
    Ok(())
}

/// Takes what is in the file that a field names.
pub(super) fn embed(fields: &mut Value, field: &str) -> Result<()> {
    let file = text(&fields[field]).to_owned();
    if file.is_empty() {
        return Ok(());
    }
    let bytes = std::fs::read(&file).map_err(|error| usage(file_error(&file, &error)))?;
    fields[format!("{field}-data")] = STANDARD.encode(&bytes).into();
    map_mut(fields).remove(field);
    Ok(())
}

#[derive(clap::Args, Debug)]
pub(super) struct Contexts {
    /// NAME…
    words: Vec<String>,
    /// Leave out the line of column names.
    #[arg(long)]
    no_headers: bool,
    /// Names only: name.
    #[arg(long, short, value_name = "FORM", default_value = "")]
    output: String,
}

impl Contexts {
    pub(super) fn run(&self, config: &Kubeconfig, context: &Context) -> Result<()> {
        if !["", "name"].contains(&self.output.as_str()) {
            return Err(usage(format!(
                "--output {} is not available in mini-ctl config get-contexts; resetting to default output format",
                self.output
            )));
        }
        let current = config.current(context);
        let mut writer = TabWriter::table();
        let names_only = self.output == "name";
        if !self.no_headers && !names_only {
            writer.line("CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE");
        }
        let mut names: Vec<&str> = self.words.iter().map(String::as_str).collect();
        if names.is_empty() {
            names = config.entries(Section::Contexts).map(|entry| text(&entry["name"])).collect();
        }
        names.sort_unstable();
        let mut errors = Vec::new();
        for name in names {
            let Some(entry) = config.entry(Section::Contexts, name) else {
                errors.push(usage(format!("context {name} not found")));
                continue;
            };
            let mark = if name == current { "*" } else { "" };
            let field = |field: &str| text(&entry[field]);
            writer.line(&match names_only {
                true => name.to_owned(),
                false => [mark, name, field("cluster"), field("user"), field("namespace")].join("\t"),
            });
        }
        print(&writer.take())?;
        Error::from_all(errors)
    }
}
