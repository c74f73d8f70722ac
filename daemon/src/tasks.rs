//! Named, supervised tasks: each has a span, an owner that awaits it, and a death that is noticed.
//!
//! A [`Tasks`] set ends as a whole: when one member fails or panics, or the set's token is cancelled, the others are asked to
//! stop (they watch the token) and [`Tasks::join`] returns the first error.

use std::future::Future;

use anyhow::{Context, Result, anyhow};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// A set of named tasks. Dropping it aborts them.
#[derive(Default)]
pub struct Tasks {
    set: JoinSet<(String, Result<()>)>,
    token: CancellationToken,
}

impl Tasks {
    /// An empty set that nobody has asked to stop.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the set is to stop. Members end soon, and cleanly, after it is.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// A nested set that is asked to stop with this one. Its owner must still join it.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { set: JoinSet::new(), token: self.token.child_token() }
    }

    /// Starts a member. Its error, or its panic, stops the whole set.
    pub fn spawn(&mut self, name: impl Into<String>, task: impl Future<Output = Result<()>> + Send + 'static) {
        let name = name.into();
        let span = tracing::info_span!("task", name = %name);
        self.set.spawn(async move { (name, task.await) }.instrument(span));
    }

    /// Waits until every member has ended.
    ///
    /// # Errors
    /// The first error or panic among the members, with the member's name.
    pub async fn join(mut self) -> Result<()> {
        let mut first = None;
        while let Some(ended) = self.set.join_next().await {
            let result = match ended {
                Ok((name, result)) => result.with_context(|| format!("task {name}")),
                Err(error) => Err(anyhow!(error).context("a task died")),
            };
            if let Err(error) = result {
                self.token.cancel();
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(()), Err)
    }
}

/// Starts short-lived work, such as one request or one connection, whose owner awaits or aborts the handle.
#[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
pub fn detach<F>(name: &'static str, work: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(work.instrument(tracing::debug_span!("work", name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_failure_stops_the_set_and_is_named() {
        let mut tasks = Tasks::new();
        let token = tasks.token();
        tasks.spawn("patient", async move {
            token.cancelled().await;
            Ok(())
        });
        tasks.spawn("broken", async { Err(anyhow!("no")) });
        let error = tasks.join().await.unwrap_err();
        assert_eq!(format!("{error:#}"), "task broken: no");
    }

    #[tokio::test]
    async fn a_child_stops_with_its_parent() {
        let parent = Tasks::new();
        let mut child = parent.child();
        let token = child.token();
        child.spawn("member", async move {
            token.cancelled().await;
            Ok(())
        });
        parent.token().cancel();
        child.join().await.unwrap();
    }
}
