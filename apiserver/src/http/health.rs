//! `/healthz`, `/livez` and `/readyz`: each a list of checks, in upstream's form. `/readyz/etcd` is one of them by itself.
//!
//! | check | what is asked |
//! |---|---|
//! | `ping` | whether there is an answer at all |
//! | `etcd` | the store, under upstream's name for it: whether its one writer is alive and takes writes |
//! | `informer-sync` | whether the cache shows everything that is acknowledged |
//! | `shutdown` | whether the server was not asked to stop |

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use super::{App, query, verbs::reply};

/// How long a check may take, as upstream's of etcd.
const PATIENCE: Duration = Duration::from_secs(2);

/// One thing that must be well.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    Ping,
    Etcd,
    InformerSync,
    Shutdown,
}

impl Check {
    fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Etcd => "etcd",
            Self::InformerSync => "informer-sync",
            Self::Shutdown => "shutdown",
        }
    }

    /// What is wrong, if anything is.
    async fn ask(self, app: &App) -> Result<(), String> {
        let late = |_| format!("no answer within {PATIENCE:?}");
        match self {
            Self::Ping => Ok(()),
            Self::Etcd => {
                tokio::time::timeout(PATIENCE, app.registry.store_alive()).await.map_err(late)?.map_err(|error| error.to_string())
            }
            Self::InformerSync => tokio::time::timeout(PATIENCE, app.registry.fresh()).await.map_err(late),
            Self::Shutdown if app.stopping.is_cancelled() => Err("process is shutting down".to_owned()),
            Self::Shutdown => Ok(()),
        }
    }
}

const LIVE: &[Check] = &[Check::Ping, Check::Etcd];
const READY: &[Check] = &[Check::Ping, Check::Etcd, Check::InformerSync, Check::Shutdown];

/// What a path asks for.
pub(super) enum Asked {
    /// All checks of a list, and its name.
    All(&'static str, &'static [Check]),
    /// One of them.
    One(Check),
}

/// What `path` asks for, if it is one of these.
pub(super) fn asked(path: &str) -> Option<Asked> {
    let path = path.trim_matches('/');
    let lists = [("healthz", LIVE), ("livez", LIVE), ("readyz", READY)];
    let (name, checks, rest) = lists.into_iter().find_map(|(name, checks)| Some((name, checks, path.strip_prefix(name)?)))?;
    if rest.is_empty() {
        return Some(Asked::All(name, checks));
    }
    let single = rest.strip_prefix('/')?;
    checks.iter().find(|check| check.name() == single).copied().map(Asked::One)
}

impl Asked {
    /// The answer.
    pub(super) async fn answer(self, app: &App, query: &str) -> Response {
        let check = match self {
            Self::All(name, checks) => return all(app, name, checks, query).await,
            Self::One(check) => check,
        };
        match check.ask(app).await {
            Ok(()) => page(StatusCode::OK, "ok".to_owned()),
            Err(why) => page(StatusCode::INTERNAL_SERVER_ERROR, format!("internal server error: {why}\n")),
        }
    }
}

/// Every check but those the client excludes.
async fn all(app: &App, name: &str, checks: &[Check], query: &str) -> Response {
    let pairs: Vec<(String, String)> = query::pairs(query).collect();
    let mut excluded: Vec<&str> = pairs.iter().filter(|(key, _)| key == "exclude").map(|(_, value)| value.as_str()).collect();
    let (mut lines, mut failed) = (String::new(), false);
    for check in checks {
        let check_name = check.name();
        if excluded.contains(&check_name) {
            excluded.retain(|excluded| *excluded != check_name);
            lines += &format!("[+]{check_name} excluded: ok\n");
            continue;
        }
        match check.ask(app).await {
            Ok(()) => lines += &format!("[+]{check_name} ok\n"),
            Err(why) => {
                // The page is public, the log is not.
                tracing::warn!(check = check_name, why, "{name} check failed");
                lines += &format!("[-]{check_name} failed: reason withheld\n");
                failed = true;
            }
        }
    }
    if !excluded.is_empty() {
        let unknown: Vec<String> = excluded.iter().map(|check| format!("{check:?}")).collect();
        lines += &format!("warn: some health checks cannot be excluded: no matches for {}\n", unknown.join(","));
    }
    if failed {
        return page(StatusCode::INTERNAL_SERVER_ERROR, format!("{lines}{name} check failed\n"));
    }
    let verbose = pairs.iter().any(|(key, _)| key == "verbose");
    page(StatusCode::OK, if verbose { format!("{lines}{name} check passed\n") } else { "ok".to_owned() })
}

fn page(code: StatusCode, text: String) -> Response {
    let mut response = reply(code, "text/plain; charset=utf-8", Body::from(text));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
