//! The desk at which the scheduler is asked to explain itself: routes on its admin port. The loop that owns the state answers,
//! between two pods; a copy that does not schedule says so.
//!
//! | request | answer |
//! |---|---|
//! | `GET /explain/namespaces/{namespace}/pods/{name}` | the [explanation](crate::explain) of a pod |
//! | `POST /explain`, a Pod with its defaults as body | what would become of such a pod; nothing changes |

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{StatusCode, header},
    response::Response,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    explain::Explanation,
    pod::{PodInfo, PodView},
    scheduler::{Question, Unanswered},
};

/// How many questions may wait.
const MOST_QUESTIONS: usize = 64;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest pod that may be asked about, in bytes; the API server takes no larger one.
const MOST_BODY: usize = 3 << 20;

/// A question, and where the answer goes.
pub(crate) type Asked = (Question, oneshot::Sender<Result<Explanation, Unanswered>>);

/// Where questions are asked, whether or not anybody is there to answer.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    /// Leads to the loop that schedules now, if one does.
    loops: Arc<watch::Sender<Option<mpsc::Sender<Asked>>>>,
}

/// The questions that one loop answers.
#[derive(Debug)]
pub(crate) struct Questions(mpsc::Receiver<Asked>);

impl Questions {
    /// The next one; never, when nobody can ask any more.
    pub(crate) async fn next(&mut self) -> Asked {
        match self.0.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }
}

impl Desk {
    /// Leads all questions from now on to whoever holds what is returned.
    pub(crate) fn open(&self) -> Questions {
        let (asking, asked) = mpsc::channel(MOST_QUESTIONS);
        self.loops.send_replace(Some(asking));
        Questions(asked)
    }

    /// The routes of the desk.
    pub fn routes(self) -> Router {
        let of_pod = |State(desk): State<Self>, Path((namespace, name)): Path<(String, String)>| async move {
            desk.answer(Question::Pod(namespace, name)).await
        };
        let what_if = |State(desk): State<Self>, body: Body| async move {
            match read(body).await {
                Ok(pod) => desk.answer(Question::WhatIf(Box::new(pod))).await,
                Err(why) => refusal(StatusCode::BAD_REQUEST, "BadRequest", &why, ""),
            }
        };
        Router::new().route("/explain/namespaces/{namespace}/pods/{name}", get(of_pod)).route("/explain", post(what_if)).with_state(self)
    }

    async fn answer(&self, question: Question) -> Response {
        let absent = || {
            refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "this scheduler does not schedule: it is starting or stopping, or another copy leads",
                "",
            )
        };
        let Some(questions) = self.loops.borrow().clone() else { return absent() };
        let (answer, answered) = oneshot::channel();
        let asking = async {
            questions.send((question, answer)).await.ok()?;
            answered.await.ok()
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(Some(Ok(explanation))) => match serde_json::to_vec(&explanation) {
                Ok(text) => reply(StatusCode::OK, text),
                Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", &error.to_string(), ""),
            },
            Ok(Some(Err(Unanswered::NotReady))) => {
                refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "this scheduler does not know the cluster yet", "")
            }
            Ok(Some(Err(Unanswered::Unknown(name)))) => refusal(
                StatusCode::NOT_FOUND,
                "NotFound",
                &format!("the scheduler knows no pod {name:?}: it is new, ended, being deleted, or another scheduler's"),
                &name,
            ),
            Ok(Some(Err(Unanswered::NotMine(scheduler)))) => {
                let why = format!("the pod asks for the scheduler {scheduler:?}, which is not this one");
                refusal(StatusCode::BAD_REQUEST, "BadRequest", &why, "")
            }
            Ok(None) => absent(),
            Err(_) => refusal(StatusCode::GATEWAY_TIMEOUT, "Timeout", "the scheduler did not answer in time", ""),
        }
    }
}

async fn read(body: Body) -> Result<PodInfo, String> {
    let bytes = to_bytes(body, MOST_BODY).await.map_err(|error| error.to_string())?;
    let pod: PodView = serde_json::from_slice(&bytes).map_err(|error| format!("the body is no Pod: {error}"))?;
    Ok(pod.into())
}

fn refusal(code: StatusCode, reason: &str, message: &str, pod: &str) -> Response {
    let mut status: Value = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code.as_u16(),
    });
    if !pod.is_empty() {
        status["details"] = json!({"name": pod, "kind": "pods"});
    }
    reply(code, status.to_string().into_bytes())
}

fn reply(code: StatusCode, text: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
