//! Asking a probe once, with upstream's words for the answer.
//!
//! Must not know: when it is asked, what follows.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ExecAction, GRPCAction, HTTPGetAction, Probe, TCPSocketAction};
use mini_api::dial::failure;
use tokio::time::timeout;

use crate::{
    ask::{Subject, grpc},
    pod::prober::{Answer, Due},
    runtime::RuntimeError,
};

/// How often a probe that cannot be asked is tried at once.
const TRIES: usize = 3;
/// What a probe calls itself.
const AGENT: &str = "kube-probe/1.36";
const GRPC_AGENT: &str = "kube-probe/1.36 grpc-go/1.72.2";

/// Asks.
pub(crate) async fn ask(subject: &Subject, due: &Due) -> Answer {
    let Some(probe) = due.kind.of(&subject.container) else { return Answer::Success };
    let mut answer = once(subject, probe).await;
    for _ in 1..TRIES {
        if !matches!(answer, Answer::Error(_)) {
            break;
        }
        answer = once(subject, probe).await;
    }
    answer
}

async fn once(subject: &Subject, probe: &Probe) -> Answer {
    let patience = Duration::from_secs(u64::try_from(probe.timeout_seconds.unwrap_or(1)).unwrap_or(0).max(1));
    if let Some(action) = &probe.exec {
        exec(subject, action, patience).await
    } else if let Some(action) = &probe.http_get {
        get(subject, action, patience).await
    } else if let Some(action) = &probe.tcp_socket {
        connect(subject, action, patience).await
    } else if let Some(action) = &probe.grpc {
        check(subject, action, patience).await
    } else {
        Answer::Error(format!("missing probe handler for {}:{}", crate::pod::full_name(&subject.pod), subject.container.name))
    }
}

async fn exec(subject: &Subject, action: &ExecAction, patience: Duration) -> Answer {
    let command = action.command.as_deref().unwrap_or_default();
    match timeout(patience, subject.exec(command)).await {
        Err(_) => Answer::Failure(format!("command timed out: {:?} timed out after {}s", command.join(" "), patience.as_secs())),
        Ok(Ok((0, ..))) => Answer::Success,
        Ok(Ok((_, output, _))) => Answer::Failure(output),
        Ok(Err(error @ RuntimeError::NotFound(_))) => Answer::Error(format!("rpc error: code = NotFound desc = {error}")),
        Ok(Err(error)) => Answer::Error(format!("rpc error: code = Unknown desc = {error}")),
    }
}

async fn get(subject: &Subject, action: &HTTPGetAction, patience: Duration) -> Answer {
    let get = match subject.get(action) {
        Ok(get) => get,
        Err(why) => return Answer::Error(why),
    };
    let url = get.url();
    match timeout(patience, get.send(subject, AGENT)).await {
        Err(_) => Answer::Failure(format!("Get {url:?}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)")),
        Ok(Err(why)) => Answer::Failure(why),
        Ok(Ok(page)) => match page.code {
            200..300 => Answer::Success,
            300..400 => Answer::Warning(format!("Probe terminated redirects, Response body: {}", page.body)),
            code => Answer::Failure(format!("HTTP probe failed with statuscode: {code}")),
        },
    }
}

async fn connect(subject: &Subject, action: &TCPSocketAction, patience: Duration) -> Answer {
    let address = subject.port(&action.port).map(|port| subject.address(action.host.as_deref(), port));
    let address = match address {
        Ok(Ok(address)) => address,
        Ok(Err(why)) => return Answer::Failure(why),
        Err(why) => return Answer::Error(why),
    };
    match timeout(patience, subject.runtime.dial(address)).await {
        Err(_) => Answer::Failure(format!("dial tcp {address}: i/o timeout")),
        Ok(Err(error)) => Answer::Failure(failure(address, &error)),
        Ok(Ok(_)) => Answer::Success,
    }
}

async fn check(subject: &Subject, action: &GRPCAction, patience: Duration) -> Answer {
    let port = u16::try_from(action.port).unwrap_or_default();
    let address = match subject.address(None, port) {
        Ok(address) => address,
        Err(why) => return Answer::Failure(why),
    };
    let (name, seconds) = (address.to_string(), patience.as_secs());
    let deadline = tokio::time::Instant::now() + patience;
    let connection = match tokio::time::timeout_at(deadline, subject.runtime.dial(address)).await {
        Ok(Ok(connection)) => connection,
        missed => {
            // It keeps trying to connect until the time is over.
            if missed.is_ok() {
                tokio::time::sleep_until(deadline).await;
            }
            return Answer::Failure(format!("timeout: failed to connect service {name:?} within {seconds}s: context deadline exceeded"));
        }
    };
    let service = action.service.as_deref().unwrap_or_default();
    match tokio::time::timeout_at(deadline, grpc::check(connection, &name, service, GRPC_AGENT)).await {
        Err(_) => Answer::Failure(format!("timeout: health rpc did not complete within {seconds}s")),
        Ok(Err(why)) => Answer::Failure(why),
        Ok(Ok(())) => Answer::Success,
    }
}
