//! `config set-cluster`, `set-context` and `set-credentials`.

use serde_json::{Value, json};

use super::{
    file::{Kubeconfig, Section},
    unexpected, view,
};
use crate::{
    context::Context,
    error::{Result, usage},
    golang::file_error,
    print::print,
    value::{map_mut, text},
};

/// Sets the fields that are given.
fn set(fields: &mut Value, given: &[(&str, Option<&str>)]) {
    for (field, value) in given {
        if let Some(value) = value {
            fields[*field] = (*value).into();
        }
    }
}

/// A file as the kubeconfig file names it: from its own folder on, if it lies there.
fn local(config: &Kubeconfig, file: Option<&str>) -> Option<String> {
    let file = std::path::absolute(file?).ok()?;
    let own = std::path::absolute(config.path()).ok()?;
    let near = own.parent().and_then(|folder| file.strip_prefix(folder).ok());
    Some(near.unwrap_or(&file).display().to_string())
}

/// Keeps what is in a file instead of its name.
fn embed(config: &Kubeconfig, fields: &mut Value, field: &str) -> Result<()> {
    let file = text(&fields[field]).to_owned();
    if !file.is_empty() {
        // Names are from the folder of the kubeconfig file on.
        let own = std::path::absolute(config.path()).ok();
        let file = own.and_then(|own| own.parent().map(|folder| folder.join(&file))).unwrap_or_else(|| file.into());
        let shown = file.display().to_string();
        std::fs::metadata(&file).map_err(|error| {
            let why = file_error(&shown, &error).replacen("open ", "stat ", 1);
            usage(format!("could not stat {field} file {shown}: {why}"))
        })?;
        fields[field] = shown.into();
    }
    view::embed(fields, field)
}

#[derive(clap::Args, Debug)]
pub(super) struct Cluster {
    /// NAME
    words: Vec<String>,
    /// The file with the certificate of who signed the server's.
    #[arg(long, value_name = "FILE")]
    certificate_authority: Option<String>,
    /// Keep what is in the file instead of its name.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = clap::ArgAction::Set)]
    embed_certs: bool,
    /// Believe any certificate.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    insecure_skip_tls_verify: Option<bool>,
    /// The proxy to go through.
    #[arg(long, value_name = "URL")]
    proxy_url: Option<String>,
    /// The name that the server's certificate has to be for.
    #[arg(long, value_name = "NAME")]
    tls_server_name: Option<String>,
}

impl Cluster {
    pub(super) fn run(&self, mut config: Kubeconfig, context: &Context) -> Result<()> {
        let [name] = self.words.as_slice() else { return Err(unexpected(&self.words)) };
        if self.insecure_skip_tls_verify == Some(true) && self.certificate_authority.is_some() {
            return Err(usage("you cannot specify a certificate authority and insecure mode at the same time"));
        }
        let authority = local(&config, self.certificate_authority.as_deref());
        let mut changed = config.entry(Section::Clusters, name).cloned().unwrap_or_else(|| json!({}));
        let fields = &mut changed;
        set(
            fields,
            &[
                ("server", context.demanded_server()),
                ("certificate-authority", authority.as_deref()),
                ("proxy-url", self.proxy_url.as_deref()),
                ("tls-server-name", self.tls_server_name.as_deref()),
            ],
        );
        let without = |fields: &mut Value, names: &[&str]| names.iter().for_each(|name| drop(map_mut(fields).remove(*name)));
        if self.certificate_authority.is_some() {
            without(fields, &["certificate-authority-data", "insecure-skip-tls-verify"]);
        }
        if let Some(insecure) = self.insecure_skip_tls_verify {
            fields["insecure-skip-tls-verify"] = insecure.into();
            if insecure {
                without(fields, &["certificate-authority", "certificate-authority-data"]);
            }
        }
        if self.embed_certs {
            embed(&config, fields, "certificate-authority")?;
        }
        *config.entry_mut(Section::Clusters, name) = changed;
        config.save()?;
        print(&format!("Cluster {name:?} set.\n"))
    }
}

#[derive(clap::Args, Debug)]
pub(super) struct ContextEntry {
    /// NAME
    words: Vec<String>,
    /// The context that is current.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = clap::ArgAction::Set)]
    current: bool,
    /// Its cluster.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Its user.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

impl ContextEntry {
    pub(super) fn run(&self, mut config: Kubeconfig, context: &Context) -> Result<()> {
        let name = match (self.words.as_slice(), self.current) {
            ([], true) if config.current_name().is_empty() => return Err(usage("no current context is set")),
            ([], true) => config.current_name().to_owned(),
            ([name], false) => name.clone(),
            ([_], true) => return Err(usage("you cannot specify both a context name and --current")),
            ([], false) => return Err(usage("you must specify a non-empty context name or --current")),
            (words, _) => return Err(unexpected(words)),
        };
        let what = if config.entry(Section::Contexts, &name).is_some() { "modified" } else { "created" };
        let given = [("cluster", self.cluster.as_deref()), ("user", self.user.as_deref()), ("namespace", context.demanded_namespace())];
        set(config.entry_mut(Section::Contexts, &name), &given);
        config.save()?;
        print(&format!("Context {name:?} {what}.\n"))
    }
}

#[derive(clap::Args, Debug)]
pub(super) struct User {
    /// NAME
    words: Vec<String>,
    /// The file with the user's certificate.
    #[arg(long, value_name = "FILE")]
    client_certificate: Option<String>,
    /// The file with the key for it.
    #[arg(long, value_name = "FILE")]
    client_key: Option<String>,
    /// Keep what is in the files instead of their names.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = clap::ArgAction::Set)]
    embed_certs: bool,
    /// The bearer token.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// The name, for servers that take passwords.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// The password.
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
    /// The command that gets credentials.
    #[arg(long, value_name = "COMMAND")]
    exec_command: Option<String>,
    /// The version of what it prints.
    #[arg(long, value_name = "VERSION")]
    exec_api_version: Option<String>,
    /// Its arguments.
    #[arg(long, value_name = "ARG", value_delimiter = ',')]
    exec_arg: Vec<String>,
    /// Its environment: KEY=VALUE, or KEY- to remove one.
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',')]
    exec_env: Vec<String>,
}

impl User {
    pub(super) fn run(&self, mut config: Kubeconfig) -> Result<()> {
        let [name] = self.words.as_slice() else { return Err(unexpected(&self.words)) };
        let basic = self.username.is_some() || self.password.is_some();
        if self.token.is_some() && basic {
            return Err(usage("you cannot specify more than one authentication method at the same time: --token, --username/--password"));
        }
        let (certificate, key) = (local(&config, self.client_certificate.as_deref()), local(&config, self.client_key.as_deref()));
        let mut changed = config.entry(Section::Users, name).cloned().unwrap_or_else(|| json!({}));
        let fields = &mut changed;
        if self.token.is_some() || basic {
            let others: &[&str] = if basic { &["token"] } else { &["username", "password"] };
            others.iter().for_each(|other| drop(map_mut(fields).remove(*other)));
        }
        set(
            fields,
            &[
                ("token", self.token.as_deref()),
                ("username", self.username.as_deref()),
                ("password", self.password.as_deref()),
                ("client-certificate", certificate.as_deref()),
                ("client-key", key.as_deref()),
            ],
        );
        if self.exec_command.is_some() || self.exec_api_version.is_some() || !self.exec_arg.is_empty() || !self.exec_env.is_empty() {
            self.set_exec(&mut fields["exec"])?;
        }
        if self.embed_certs {
            ["client-certificate", "client-key"].iter().try_for_each(|field| embed(&config, fields, field))?;
        }
        *config.entry_mut(Section::Users, name) = changed;
        config.save()?;
        print(&format!("User {name:?} set.\n"))
    }

    fn set_exec(&self, exec: &mut Value) -> Result<()> {
        map_mut(exec).entry("provideClusterInfo").or_insert(false.into());
        set(exec, &[("command", self.exec_command.as_deref()), ("apiVersion", self.exec_api_version.as_deref())]);
        if !self.exec_arg.is_empty() {
            exec["args"] = json!(self.exec_arg);
        }
        if !exec["env"].is_array() {
            exec["env"] = if self.exec_env.is_empty() { Value::Null } else { json!([]) };
        }
        for pair in &self.exec_env {
            let (key, value) = match (pair.split_once('='), pair.strip_suffix('-')) {
                (Some((key, value)), _) => (key, Some(value)),
                (None, Some(key)) => (key, None),
                (None, None) => return Err(usage(format!("invalid exec-env parameter: {pair}"))),
            };
            if let Some(env) = exec["env"].as_array_mut() {
                env.retain(|known| text(&known["name"]) != key);
                env.extend(value.map(|value| json!({"name": key, "value": value})));
            }
        }
        Ok(())
    }
}
