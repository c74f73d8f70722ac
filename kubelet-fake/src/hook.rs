//! Running a hook of a container once, with upstream's words for what goes wrong.
//!
//! Must not know: when it is run, what follows.

use std::time::Duration;

use k8s_openapi::api::core::v1::LifecycleHandler;

use crate::{ask::Subject, pod::full_name};

/// What a hook calls itself.
const AGENT: &str = "kube-lifecycle/1.36";

/// Runs a hook to its end.
///
/// # Errors
/// The sentence that upstream keeps about it.
pub(crate) async fn run(subject: &Subject, handler: &LifecycleHandler) -> Result<(), String> {
    let (name, pod) = (&subject.container.name, full_name(&subject.pod));
    if let Some(exec) = &handler.exec {
        let command = exec.command.as_deref().unwrap_or_default();
        let failed = |why: &str, output: &str| {
            let shown = command.join(" ");
            format!("Exec lifecycle hook ([{shown}]) for Container {name:?} in Pod {pod:?} failed - error: {why}, message: {output:?}")
        };
        return match subject.exec(command).await {
            Ok((0, ..)) => Ok(()),
            Ok((code, output, complaints)) => {
                let why = format!("command '{}' exited with {code}: {complaints}", command.join(" "));
                Err(failed(&why, &output))
            }
            Err(error) => Err(failed(&format!("rpc error: code = Unknown desc = {error}"), "")),
        };
    }
    if let Some(action) = &handler.http_get {
        // Whatever the code of the answer, the hook has been heard.
        let sent = match subject.get(action) {
            Ok(get) => get.send(subject, AGENT).await.map(|_| ()),
            Err(why) => Err(why),
        };
        let path = action.path.as_deref().unwrap_or_default();
        return sent.map_err(|why| format!("HTTP lifecycle hook ({path}) for Container {name:?} in Pod {pod:?} failed - error: {why}"));
    }
    if let Some(sleep) = &handler.sleep {
        tokio::time::sleep(Duration::from_secs(sleep.seconds.try_into().unwrap_or(0))).await;
        return Ok(());
    }
    // The API has tcpSocket here for old times' sake; no kubelet runs it.
    Err("Cannot run handler: invalid handler".to_owned())
}
