//! From a name to addresses: `/etc/hosts`, `/etc/resolv.conf`, and which whole names are asked in which order. Pure.

use std::net::{IpAddr, SocketAddr};

/// The port of name servers.
const PORT: u16 = 53;
/// The most that resolvers read.
const MOST_SERVERS: usize = 3;

/// The lines of `/etc/hosts`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(Vec<(IpAddr, Vec<String>)>);

impl Hosts {
    /// Reads them; what is no address is passed over.
    pub fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address = words.next()?.parse().ok()?;
            Some((address, words.map(str::to_owned).collect()))
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// The addresses of a name, in order.
    pub fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let name = name.trim_end_matches('.');
        let has = |names: &[String]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        self.0.iter().filter(|(_, names)| has(names)).map(|(address, _)| *address).collect()
    }
}

/// What `/etc/resolv.conf` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// The servers to be asked, in order.
    pub servers: Vec<SocketAddr>,
    /// What is appended to names that are not whole.
    pub search: Vec<String>,
    /// A name with at least so many dots is first asked as it is.
    pub ndots: usize,
}

impl ResolvConf {
    /// Reads it; what is not known is passed over. Without a server the local host is asked, as resolvers do.
    pub fn parse(text: &str) -> Self {
        let mut conf = Self { servers: Vec::new(), search: Vec::new(), ndots: 1 };
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if conf.servers.len() < MOST_SERVERS => {
                    conf.servers.extend(words.next().and_then(|word| word.parse().ok()).map(|ip: IpAddr| SocketAddr::new(ip, PORT)));
                }
                Some("search" | "domain") => conf.search = words.map(|word| word.trim_end_matches('.').to_owned()).collect(),
                Some("options") => {
                    let ndots = words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok()).next_back();
                    conf.ndots = ndots.unwrap_or(conf.ndots).min(15);
                }
                _ => {}
            }
        }
        if conf.servers.is_empty() {
            conf.servers.push(SocketAddr::from(([127, 0, 0, 1], PORT)));
        }
        conf
    }

    /// The whole names that a name may mean, in the order in which they are asked.
    pub fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(whole) = name.strip_suffix('.') {
            return vec![whole.to_owned()];
        }
        let searched = self.search.iter().filter(|domain| !domain.is_empty()).map(|domain| format!("{name}.{domain}"));
        if name.matches('.').count() >= self.ndots {
            [name.to_owned()].into_iter().chain(searched).collect()
        } else {
            searched.chain([name.to_owned()]).collect()
        }
    }
}

/// What a name has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name that was found, whole.
    pub name: String,
    /// Its addresses, in order.
    pub addresses: Vec<IpAddr>,
    /// Who said so; `None`: `/etc/hosts`, or the name was an address.
    pub server: Option<SocketAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONF: &str =
        "# cluster\nsearch default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5 edns0\n";

    #[test]
    fn names_are_asked_in_the_order_that_ndots_says() {
        let conf = ResolvConf::parse(CONF);
        assert_eq!(conf.servers, ["10.96.0.10:53".parse().unwrap()]);
        let own = "web.default.svc.cluster.local web.svc.cluster.local web.cluster.local web";
        assert_eq!(conf.candidates("web").join(" "), own);
        assert_eq!(conf.candidates("a.b.c.d.e.f").first().unwrap(), "a.b.c.d.e.f");
        assert_eq!(conf.candidates("example.com."), ["example.com"]);
        let plain = ResolvConf::parse("");
        assert_eq!((plain.servers[0].to_string().as_str(), plain.candidates("web")), ("127.0.0.1:53", vec!["web".to_owned()]));
    }

    #[test]
    fn hosts_have_several_names_and_comments() {
        let hosts = Hosts::parse("127.0.0.1\tlocalhost\n::1 localhost\n10.1.2.3 foo.local Bar # not-me\n# 1.1.1.1 no\nnonsense here\n");
        let list = |name: &str| hosts.addresses(name).iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(
            (list("localhost"), list("bar"), list("not-me"), list("here")),
            ("127.0.0.1 ::1".into(), "10.1.2.3".into(), String::new(), String::new())
        );
    }
}
