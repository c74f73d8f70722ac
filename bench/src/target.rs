//! Which server is meant, and requests that name it.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::Path,
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use serde::Deserialize;

/// A request as it goes out.
pub(crate) type Outgoing = Request<Full<Bytes>>;

/// A server that speaks plain HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Where to connect.
    pub(crate) address: SocketAddr,
    host: HeaderValue,
}

impl Target {
    /// The server at an address.
    ///
    /// # Errors
    /// Never for a real address: its text is a valid header.
    pub(crate) fn at(address: SocketAddr) -> Result<Self> {
        Ok(Self { address, host: HeaderValue::try_from(address.to_string())? })
    }

    /// The server a URL such as `http://127.0.0.1:6443` names.
    ///
    /// # Errors
    /// When it is no such URL, wants TLS or a path, or its name cannot be resolved.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("read the address {url:?}"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => bail!("{url} wants TLS, which mini-bench does not speak: run `kubectl proxy` beside it and give its address"),
            _ => bail!("{url:?} is no address; write one like http://127.0.0.1:6443"),
        }
        if uri.path() != "/" || uri.query().is_some() {
            bail!("{url:?} has a path; write only the server, like http://127.0.0.1:6443");
        }
        let host = uri.host().with_context(|| format!("{url:?} names no host"))?.trim_matches(['[', ']']);
        let address = (host, uri.port_u16().unwrap_or(80))
            .to_socket_addrs()
            .with_context(|| format!("resolve {host}"))?
            .next()
            .with_context(|| format!("{host} has no address"))?;
        let authority = uri.authority().map_or(host, |authority| authority.as_str());
        Ok(Self { address, host: HeaderValue::try_from(authority)? })
    }

    /// The server of a kubeconfig's current context.
    ///
    /// # Errors
    /// When the file cannot be read, or names no server that [`Target::parse`] takes.
    pub(crate) fn from_kubeconfig(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        let server = server_of(&text).with_context(|| format!("find the server in {}", file.display()))?;
        Self::parse(&server)
    }

    /// A GET.
    ///
    /// # Errors
    /// When the path is none.
    pub(crate) fn get(&self, path: &str) -> Result<Outgoing> {
        Ok(self.request(Method::GET, path.parse()?, Bytes::new()))
    }

    /// A POST of JSON.
    ///
    /// # Errors
    /// When the path is none.
    pub(crate) fn post(&self, path: &str, body: Bytes) -> Result<Outgoing> {
        Ok(self.request(Method::POST, path.parse()?, body))
    }

    /// Any request, to a path parsed beforehand: cloning one costs next to nothing.
    pub(crate) fn request(&self, method: Method, path: Uri, body: Bytes) -> Outgoing {
        let json = HeaderValue::from_static("application/json");
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("mini-bench/", env!("CARGO_PKG_VERSION"))));
        headers.insert(header::ACCEPT, json.clone());
        headers.insert(header::CONTENT_TYPE, json);
        request
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kubeconfig {
    current_context: String,
    contexts: Vec<NamedContext>,
    clusters: Vec<NamedCluster>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Membership,
}

#[derive(Deserialize)]
struct Membership {
    cluster: String,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
struct Cluster {
    server: String,
}

fn server_of(kubeconfig: &str) -> Result<String> {
    let config: Kubeconfig = serde_yaml::from_str(kubeconfig)?;
    let current = config.current_context;
    let context = config.contexts.into_iter().find(|entry| entry.name == current).with_context(|| format!("no context {current:?}"))?;
    let cluster = context.context.cluster;
    let found = config.clusters.into_iter().find(|entry| entry.name == cluster).with_context(|| format!("no cluster {cluster:?}"))?;
    Ok(found.cluster.server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let target = Target::parse("http://127.0.0.1:6443").unwrap();
        assert_eq!(target.address, "127.0.0.1:6443".parse().unwrap());
        assert_eq!(target.get("/version").unwrap().headers()[header::HOST], "127.0.0.1:6443");
        assert_eq!(Target::parse("http://127.0.0.1/").unwrap().address.port(), 80);
        assert_eq!(Target::parse("http://[::1]:1").unwrap().address, "[::1]:1".parse().unwrap());
    }

    #[test]
    fn what_is_no_address_is_refused_with_advice() {
        for (url, advice) in [
            ("https://127.0.0.1:6443", "kubectl proxy"),
            ("127.0.0.1:6443", "write one like http://127.0.0.1:6443"),
            ("http://127.0.0.1:1/api", "has a path"),
            ("ftp://127.0.0.1", "write one like"),
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(error.contains(advice), "{url}: {error}");
        }
    }

    #[test]
    fn a_kubeconfig_is_read_by_its_current_context() {
        let text = r"
apiVersion: v1
kind: Config
current-context: b
contexts:
- {name: a, context: {cluster: one, user: x}}
- {name: b, context: {cluster: two, user: x}}
clusters:
- {name: one, cluster: {server: 'http://127.0.0.1:1'}}
- {name: two, cluster: {server: 'http://127.0.0.1:2'}}
users: []
";
        assert_eq!(server_of(text).unwrap(), "http://127.0.0.1:2");
        assert!(server_of(&text.replace("current-context: b", "current-context: c")).unwrap_err().to_string().contains("no context"));
    }
}
