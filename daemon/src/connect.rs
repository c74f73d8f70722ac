//! The flags by which a program finds the API server, and the client they make.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;
use futures::future::BoxFuture;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
};
use kube::{
    Client, Config,
    client::{Body, ConfigExt, retry::RetryPolicy},
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::net::UnixStream;
use tower::{ServiceBuilder, retry::RetryLayer};

/// Where the API server is.
#[derive(Args, Clone, Debug, Default)]
pub struct ConnectArgs {
    /// The kubeconfig file to read.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The API server's address, such as http://127.0.0.1:6443, instead of the kubeconfig's.
    #[arg(long, value_name = "URL")]
    pub server: Option<http::Uri>,
    /// The Unix socket on which that API server listens as well: it is on this machine, and is reached with less work so.
    #[arg(long, value_name = "FILE")]
    pub socket: Option<PathBuf>,
}

impl ConnectArgs {
    /// A client that names itself `agent`, which upstream's rules turn into the manager name of the fields it writes.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read or no server is named anywhere.
    pub fn client<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<Client>> {
        Box::pin(self.connect(agent))
    }

    /// The API server's host and port.
    ///
    /// # Errors
    /// As [`Self::client`]'s.
    pub fn address(&self) -> BoxFuture<'_, Result<String>> {
        Box::pin(async {
            let url = self.config().await?.cluster_url;
            let host = url.host().with_context(|| format!("the API server's address {url} has no host"))?;
            let usual = if url.scheme_str() == Some("https") { 443 } else { 80 };
            Ok(format!("{host}:{}", url.port_u16().unwrap_or(usual)))
        })
    }

    async fn connect(&self, agent: &str) -> Result<Client> {
        let config = self.config().await?;
        match &self.socket {
            Some(socket) => through(socket, named(config, agent)?),
            None => client(config, agent),
        }
    }

    async fn config(&self) -> Result<Config> {
        Ok(match (&self.server, &self.kubeconfig) {
            (Some(server), _) => Config::new(server.clone()),
            (None, Some(file)) => {
                let kubeconfig = Kubeconfig::read_from(file).with_context(|| format!("read kubeconfig {}", file.display()))?;
                Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?
            }
            (None, None) => Config::infer().await.context("find an API server; name one with --server or --kubeconfig")?,
        })
    }
}

/// A client for `config` that names itself `agent`.
///
/// # Errors
/// When the configuration is unusable, such as an address that is none.
pub fn client(config: Config, agent: &str) -> Result<Client> {
    Ok(Client::try_from(named(config, agent)?)?)
}

fn named(mut config: Config, agent: &str) -> Result<Config> {
    config.headers.push((http::header::USER_AGENT, format!("{agent}/{}", env!("CARGO_PKG_VERSION")).parse()?));
    Ok(config)
}

/// A client that reaches the server of `config` by its socket; otherwise as kube makes one, but for the timeouts, which are for
/// connections that get lost: who is at the other end of a socket cannot vanish without a word.
fn through(socket: &Path, config: Config) -> Result<Client> {
    let socket: Arc<Path> = socket.into();
    let connector = tower::service_fn(move |_: http::Uri| {
        let socket = socket.clone();
        Box::pin(async move { UnixStream::connect(&socket).await.map(TokioIo::new) })
    });
    let layers = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.default_retry.then(|| RetryLayer::new(RetryPolicy::server_retry())))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(tower::BoxError::from);
    let client = legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    Ok(Client::new(layers.service(client), config.default_namespace))
}

/// The address of this machine from which `towards`, a host and a port, would be called. Nothing is sent.
///
/// # Errors
/// When there is no way there.
pub async fn own_address(towards: &str) -> std::io::Result<IpAddr> {
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect(towards).await?;
    Ok(socket.local_addr()?.ip())
}

/// Waits until the API server says it is ready.
///
/// # Errors
/// Never by itself: whoever awaits it decides how long that may take.
pub async fn wait_ready(client: &Client) -> Result<()> {
    let mut pause = Duration::from_millis(5);
    loop {
        let request = http::Request::get("/readyz").body(Vec::new())?;
        match client.request_text(request).await {
            Ok(_) => return Ok(()),
            Err(error) => tracing::debug!(%error, "the API server is not ready yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ones_own_address_is_where_one_calls_from() {
        assert_eq!(own_address("127.0.0.1:9").await.unwrap(), IpAddr::from([127, 0, 0, 1]));
        assert!(own_address("nowhere").await.is_err());
    }
}
