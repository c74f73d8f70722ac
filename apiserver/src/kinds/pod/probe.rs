//! Probes and hooks of a container: exactly one handler each.

use k8s_openapi::{
    api::core::v1::{ExecAction, GRPCAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction, TCPSocketAction},
    apimachinery::pkg::util::intstr::IntOrString,
};
use mini_api::name;

use super::{
    super::{
        address,
        field::{Errors, Path},
        unset::{list, text},
    },
    Context,
};

/// A probe whose failure restarts the container: it succeeds at once.
pub(super) fn restarting(probe: &Probe, path: &Path<'_>, errors: &mut Errors) {
    any(probe, path, errors);
    let threshold = probe.success_threshold.unwrap_or_default();
    if threshold != 1 {
        errors.invalid(&path.child("successThreshold"), threshold, "must be 1");
    }
}

/// The probe that tells whether a container serves: it restarts nothing, so it needs no grace.
pub(super) fn readiness(probe: &Probe, path: &Path<'_>, errors: &mut Errors) {
    any(probe, path, errors);
    if let Some(seconds) = probe.termination_grace_period_seconds {
        errors.invalid(&path.child("terminationGracePeriodSeconds"), seconds, "must not be set for readinessProbes");
    }
}

fn any(probe: &Probe, path: &Path<'_>, errors: &mut Errors) {
    let handlers = Handlers {
        exec: probe.exec.as_ref(),
        http_get: probe.http_get.as_ref(),
        tcp_socket: probe.tcp_socket.as_ref(),
        grpc: probe.grpc.as_ref(),
        sleep: None,
    };
    handlers.validate(None, path, errors);
    for (field, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        if let Some(negative) = value.filter(|value| *value < 0) {
            errors.invalid(&path.child(field), negative, "must be greater than or equal to 0");
        }
    }
    if let Some(seconds) = probe.termination_grace_period_seconds.filter(|seconds| *seconds <= 0) {
        errors.invalid(&path.child("terminationGracePeriodSeconds"), seconds, "must be greater than 0");
    }
}

/// What is wrong with the hooks of a container.
pub(super) fn lifecycle(lifecycle: &Lifecycle, context: &Context<'_>, path: &Path<'_>, errors: &mut Errors) {
    for (field, hook) in [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)] {
        if let Some(hook) = hook {
            Handlers::from(hook).validate(context.grace, &path.child(field), errors);
        }
    }
    if lifecycle.stop_signal.is_some() && context.os.is_none() {
        errors.forbidden(&path.child("stopSignal"), "may not be set for containers with empty `spec.os.name`");
    }
}

/// What a probe or hook can do.
struct Handlers<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HTTPGetAction>,
    tcp_socket: Option<&'a TCPSocketAction>,
    grpc: Option<&'a GRPCAction>,
    sleep: Option<&'a SleepAction>,
}

impl<'a> From<&'a LifecycleHandler> for Handlers<'a> {
    fn from(hook: &'a LifecycleHandler) -> Self {
        Self {
            exec: hook.exec.as_ref(),
            http_get: hook.http_get.as_ref(),
            tcp_socket: hook.tcp_socket.as_ref(),
            grpc: None,
            sleep: hook.sleep.as_ref(),
        }
    }
}

impl Handlers<'_> {
    /// Checks the first handler there is, and that there is no other.
    fn validate(&self, grace: Option<i64>, path: &Path<'_>, errors: &mut Errors) {
        let mut present = [
            ("exec", self.exec.is_some()),
            ("httpGet", self.http_get.is_some()),
            ("tcpSocket", self.tcp_socket.is_some()),
            ("grpc", self.grpc.is_some()),
            ("sleep", self.sleep.is_some()),
        ]
        .into_iter()
        .filter(|(_, there)| *there)
        .map(|(field, _)| field);
        let Some(first) = present.next() else { return errors.required(path, "must specify a handler type") };
        self.first(grace, &path.child(first), errors);
        for other in present {
            errors.forbidden(&path.child(other), "may not specify more than 1 handler type");
        }
    }

    fn first(&self, grace: Option<i64>, path: &Path<'_>, errors: &mut Errors) {
        if let Some(exec) = self.exec {
            if list(&exec.command).is_empty() {
                errors.required(&path.child("command"), "");
            }
        } else if let Some(action) = self.http_get {
            http_get(action, path, errors);
        } else if let Some(action) = self.tcp_socket {
            address::port_or_name(&action.port, &path.child("port"), errors);
        } else if let Some(action) = self.grpc {
            address::port_or_name(&IntOrString::Int(action.port), &path.child("port"), errors);
        } else if let (Some(sleep), Some(grace)) = (self.sleep, grace)
            && !(0..=grace).contains(&sleep.seconds)
        {
            let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
            errors.invalid(path, sleep.seconds, &detail);
        }
    }
}

fn http_get(action: &HTTPGetAction, path: &Path<'_>, errors: &mut Errors) {
    if text(&action.path).is_empty() {
        errors.required(&path.child("path"), "");
    }
    address::port_or_name(&action.port, &path.child("port"), errors);
    if !matches!(text(&action.scheme), "HTTP" | "HTTPS") {
        errors.unsupported(&path.child("scheme"), text(&action.scheme), &["HTTP", "HTTPS"]);
    }
    for header in list(&action.http_headers) {
        errors.invalid_all(&path.child("httpHeaders"), &header.name, name::http_header(&header.name));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(json: Value) -> String {
        let probe: Probe = serde_json::from_value(json).unwrap();
        let mut errors = Errors::new();
        restarting(&probe, &Path::new("p"), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn one_handler_each() {
        for (json, want) in [
            (json!({"tcpSocket": {"port": 80}, "successThreshold": 1}), ""),
            (json!({"successThreshold": 1}), "p: Required value: must specify a handler type"),
            (
                json!({"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}, "successThreshold": 1}),
                "p.tcpSocket: Forbidden: may not specify more than 1 handler type",
            ),
            (json!({"tcpSocket": {"port": 80}, "successThreshold": 2}), "p.successThreshold: Invalid value: 2: must be 1"),
            (json!({"exec": {}, "successThreshold": 1}), "p.exec.command: Required value"),
            (
                json!({"tcpSocket": {"port": 80}, "successThreshold": 1, "periodSeconds": -1}),
                "p.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
            ),
        ] {
            assert_eq!(said(json), want);
        }
    }
}
