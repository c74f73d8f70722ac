//! What a lab wants to be reached, as its `goals.yaml` declares it: how an object is to be, or how many there are to be.

use serde::Deserialize;

use crate::{
    context::Context,
    error::{Result, usage},
    jsonpath::JsonPath,
    selection::{Files, Selection, Target, select},
    server::{JSON, Server, with_query},
    value::{list, plain},
};

/// One goal: an object as it is to be, or a number of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Goal {
    /// What a person reads.
    pub(super) say: String,
    /// TYPE/NAME of an object that is to be there.
    get: Option<String>,
    /// Where something is to stand in it.
    path: Option<String>,
    /// What it is to be; a number at least, `>=1`.
    is: Option<String>,
    /// The TYPE of objects that are counted.
    list: Option<String>,
    #[serde(default)]
    selector: String,
    #[serde(default)]
    fields: String,
    /// How many there are to be.
    count: Option<String>,
    /// Where, if not in the usual namespace.
    namespace: Option<String>,
}

/// Reads a file of goals.
pub(super) fn read(text: &str) -> Result<Vec<Goal>> {
    let goals: Vec<Goal> = serde_yaml::from_str(text).map_err(|error| usage(error.to_string()))?;
    for goal in &goals {
        if (goal.get.is_some(), goal.list.is_some() && goal.count.is_some()) != (goal.list.is_none(), goal.get.is_none()) {
            return Err(usage(format!("{:?}: say either what to get, or what to list and its count", goal.say)));
        }
        goal.path.as_deref().map(JsonPath::parse).transpose()?;
    }
    Ok(goals)
}

impl Goal {
    /// What is still missing; `None` if it is reached.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub(super) async fn missing(&self, context: &Context) -> Result<Option<String>> {
        let server = context.server().await?;
        let namespace = match &self.namespace {
            Some(namespace) => namespace,
            None => context.namespace().await?,
        };
        let (Some(kind), Some(count)) = (&self.list, &self.count) else { return self.differs(context, server, namespace).await };
        let resource = context.catalog().await?.find(kind)?;
        let path = with_query(&resource.path(Some(namespace)), &[("labelSelector", &self.selector), ("fieldSelector", &self.fields)]);
        let answer = server.get(&path).await?;
        Ok(differs(&list(&answer["items"]).len().to_string(), count))
    }

    /// How the object differs from what is wanted of it.
    async fn differs(&self, context: &Context, server: &Server, namespace: &str) -> Result<Option<String>> {
        let words: Vec<String> = self.get.iter().cloned().collect();
        let target = match select(context, &words, &Files::default()).await? {
            Selection::Named(targets) if targets.len() == 1 => targets.into_iter().next(),
            _ => None,
        };
        let Some(target) = target else { return Err(usage(format!("{words:?} is no TYPE/NAME"))) };
        let object = match (Target { namespace: namespace.to_owned(), ..target }).fetch(server, JSON).await {
            Ok(object) => object,
            Err(error) if error.is_not_found() => return Ok(Some("it is not there".to_owned())),
            Err(error) => return Err(error),
        };
        let Some(path) = &self.path else { return Ok(None) };
        let found: Vec<String> = JsonPath::parse(path)?.find(&object).iter().map(|value| plain(value)).collect();
        Ok(match &self.is {
            Some(is) => differs(&found.join(" "), is),
            None => found.is_empty().then(|| "it has none".to_owned()),
        })
    }
}

/// How what is found differs from what is wanted: the same text, or a number that is at least so large.
fn differs(found: &str, wanted: &str) -> Option<String> {
    let reached = match wanted.strip_prefix(">=") {
        Some(least) => found.parse::<i64>().ok().zip(least.trim().parse().ok()).is_some_and(|(found, least): (i64, i64)| found >= least),
        None => found == wanted,
    };
    let found = if found.is_empty() { "nothing" } else { found };
    (!reached).then(|| format!("it is {found}, and should be {}", wanted.replace(">=", "at least ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_read_or_refused() {
        let goals = read("- say: a\n  get: pod/web\n  path: '{.status.phase}'\n  is: Running\n- say: b\n  list: pods\n  count: \"2\"\n").unwrap();
        assert_eq!((goals[0].is.as_deref(), goals[1].count.as_deref()), (Some("Running"), Some("2")));
        for wrong in [
            "- say: a\n",
            "- get: pod/web\n",
            "- say: a\n  get: pod/web\n  path: '{.a'\n",
            "- say: a\n  get: pod/web\n  list: pods\n  count: \"1\"\n",
            "- say: a\n  list: pods\n",
            "- say: a\n  get: pod/web\n  wants: b\n",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_differs_is_said() {
        assert_eq!(differs("3", "3"), None);
        assert_eq!(differs("3", ">=2"), None);
        assert_eq!(differs("1", ">=2").as_deref(), Some("it is 1, and should be at least 2"));
        assert_eq!(differs("", "Running").as_deref(), Some("it is nothing, and should be Running"));
    }
}
