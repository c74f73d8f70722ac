//! What every verb is given: the flags all verbs share, the folder of the cluster, and the server once it is asked for.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use mini_api::duration::parse as duration;
use tokio::sync::OnceCell;

use crate::{
    discover::Catalog,
    error::{Result, usage},
    home::Home,
    server::{Server, Source},
};

/// The flags that every verb takes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Globals {
    /// The kubeconfig file [default: the one that `up` wrote, else $KUBECONFIG].
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig file to use.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Cluster")]
    context: Option<String>,
    /// The address of the API server, instead of a kubeconfig file.
    #[arg(long, short, global = true, value_name = "URL", help_heading = "Cluster")]
    server: Option<String>,
    /// The namespace to work in.
    #[arg(long, short, global = true, value_name = "NAME", help_heading = "Cluster")]
    namespace: Option<String>,
    /// How long to wait for an answer of the server, such as 5s, 2m, 3h; 0 is for ever.
    #[arg(long, global = true, value_name = "DURATION", default_value = "0", help_heading = "Cluster")]
    request_timeout: String,
    /// The folder where `up` keeps everything [default: ~/.mini].
    #[arg(long, global = true, value_name = "DIR", env = "MINI_HOME", help_heading = "Cluster")]
    data_dir: Option<PathBuf>,
}

struct Connected {
    server: Server,
    /// The namespace of the kubeconfig's context.
    namespace: String,
}

/// The world of one run of the program.
pub(crate) struct Context {
    globals: Globals,
    program: String,
    typed: String,
    connected: OnceCell<Connected>,
    catalog: OnceCell<Catalog>,
}

impl Context {
    /// Nothing is read or sent before it is asked for. `program` is how the user calls us, `typed` all of
    /// the command line as kubectl would note it.
    pub(crate) fn new(globals: Globals, program: String, typed: String) -> Self {
        Self { globals, program, typed, connected: OnceCell::new(), catalog: OnceCell::new() }
    }

    /// How the user calls this program for this cluster, for hints on what to type.
    pub(crate) fn program(&self) -> String {
        match &self.globals.data_dir {
            Some(folder) if std::env::var_os("MINI_HOME").is_none_or(|home| home != *folder) => {
                format!("{} --data-dir {}", self.program, folder.display())
            }
            _ => self.program.clone(),
        }
    }

    /// The name of this program as the user calls it, without the folder it is in.
    pub(crate) fn program_name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or_default()
    }

    /// The command line, as it is noted for the cause of a change.
    pub(crate) fn typed(&self) -> &str {
        &self.typed
    }

    /// The world of a run that has these flags.
    pub(crate) fn with(&self, globals: Globals) -> Self {
        Self::new(globals, self.program.clone(), self.typed.clone())
    }

    /// The folder of the cluster.
    pub(crate) fn home(&self) -> Result<Home> {
        let folder = match &self.globals.data_dir {
            Some(folder) => folder.clone(),
            None => std::env::home_dir()
                .ok_or_else(|| usage("there is no home directory: say where to keep things with --data-dir"))?
                .join(".mini"),
        };
        let folder = std::path::absolute(&folder).map_err(|error| usage(format!("--data-dir {}: {error}", folder.display())))?;
        Ok(Home::new(folder))
    }

    /// The API server.
    pub(crate) async fn server(&self) -> Result<&Server> {
        Ok(&self.connected().await?.server)
    }

    /// What the server serves.
    pub(crate) async fn catalog(&self) -> Result<&Catalog> {
        let server = self.server().await?;
        self.catalog.get_or_try_init(|| Catalog::fetch(server)).await
    }

    /// The namespace to work in when an object does not say.
    pub(crate) async fn namespace(&self) -> Result<&str> {
        match &self.globals.namespace {
            Some(namespace) => Ok(namespace),
            None => Ok(&self.connected().await?.namespace),
        }
    }

    /// The namespace if the user insists on one.
    pub(crate) fn demanded_namespace(&self) -> Option<&str> {
        self.globals.namespace.as_deref()
    }

    /// The server's address if the user insists on one.
    pub(crate) fn demanded_server(&self) -> Option<&str> {
        self.globals.server.as_deref()
    }

    /// The context of the kubeconfig file if the user insists on one.
    pub(crate) fn demanded_context(&self) -> Option<&str> {
        self.globals.context.as_deref()
    }

    /// The kubeconfig file, which need not be there.
    ///
    /// # Errors
    /// When there is no place where it could be.
    pub(crate) fn kubeconfig(&self) -> Result<PathBuf> {
        if let Some(file) = &self.globals.kubeconfig {
            return Ok(file.clone());
        }
        let ours = self.home()?.kubeconfig();
        match std::env::var_os("KUBECONFIG").filter(|file| !file.is_empty()) {
            Some(file) if !ours.exists() => Ok(file.into()),
            _ => Ok(ours),
        }
    }

    async fn connected(&self) -> Result<&Connected> {
        let connect = || async {
            let patience = patience(&self.globals.request_timeout)?;
            let (server, namespace) = Server::new(self.source()?, patience).await?;
            Ok(Connected { server, namespace })
        };
        self.connected.get_or_try_init(connect).await
    }

    /// What the user names wins; then the cluster of this folder, so that a $KUBECONFIG for some other cluster is not
    /// changed by accident; then $KUBECONFIG.
    fn source(&self) -> Result<Source> {
        if let Some(url) = &self.globals.server {
            return Ok(Source::Url(url.clone()));
        }
        let context = self.globals.context.clone();
        if let Some(file) = &self.globals.kubeconfig {
            return Ok(Source::File(file.clone(), context));
        }
        let ours = self.home()?.kubeconfig();
        if ours.exists() {
            return Ok(Source::File(ours, context));
        }
        match std::env::var_os("KUBECONFIG").filter(|file| !file.is_empty()) {
            Some(file) => Ok(Source::File(file.into(), context)),
            None => Err(usage(format!(
                "no cluster to speak to: there is no {}; start one with `{} up`, or name another with --kubeconfig or --server",
                ours.display(),
                self.program()
            ))),
        }
    }
}

/// How long to wait for an answer; none is for ever.
fn patience(text: &str) -> Result<Option<Duration>> {
    let seconds = text.parse().map(Duration::from_secs);
    let patience = seconds.or_else(|_| duration(text)).map_err(|_| {
        usage(
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)",
        )
    })?;
    Ok(Some(patience).filter(|patience| !patience.is_zero()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_seconds_or_a_duration() {
        assert_eq!(patience("0").unwrap(), None);
        assert_eq!(patience("5").unwrap(), Some(Duration::from_secs(5)));
        assert_eq!(patience("2m").unwrap(), Some(Duration::from_secs(120)));
        assert!(patience("nope").unwrap_err().to_string().starts_with("error: Invalid timeout value."));
    }
}
