//! Security contexts of pods and containers: users, profiles, system controls.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext, Sysctl, WindowsSecurityContextOptions,
};
use mini_api::name;

use super::{
    super::{
        field::{Errors, Path},
        unset::{flag, list, text},
    },
    volume::descending_path,
};

const PROFILES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];

/// What is wrong with the security context of a pod.
pub(super) fn of_pod(context: &PodSecurityContext, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    id(context.fs_group, &path.child("fsGroup"), errors);
    id(context.run_as_user, &path.child("runAsUser"), errors);
    id(context.run_as_group, &path.child("runAsGroup"), errors);
    let groups = path.child("supplementalGroups");
    for (index, group) in list(&context.supplemental_groups).iter().enumerate() {
        id(Some(*group), &groups.index(index), errors);
    }
    sysctls(list(&context.sysctls), spec, &path.child("sysctls"), errors);
    one_of(&context.fs_group_change_policy, &["Always", "OnRootMismatch"], &path.child("fsGroupChangePolicy"), errors);
    seccomp(context.seccomp_profile.as_ref(), &path.child("seccompProfile"), errors);
    windows(context.windows_options.as_ref(), &path.child("windowsOptions"), errors);
    app_armor(context.app_armor_profile.as_ref(), &path.child("appArmorProfile"), errors);
    one_of(&context.supplemental_groups_policy, &["Merge", "Strict"], &path.child("supplementalGroupsPolicy"), errors);
    one_of(&context.se_linux_change_policy, &["MountOption", "Recursive"], &path.child("seLinuxChangePolicy"), errors);
}

/// What is wrong with the security context of a container.
pub(super) fn of_container(context: &SecurityContext, host_users: bool, path: &Path<'_>, errors: &mut Errors) {
    id(context.run_as_user, &path.child("runAsUser"), errors);
    id(context.run_as_group, &path.child("runAsGroup"), errors);
    one_of(&context.proc_mount, &["Default", "Unmasked"], &path.child("procMount"), errors);
    if host_users && context.proc_mount.as_deref() == Some("Unmasked") {
        errors.invalid(&path.child("procMount"), "Unmasked", "`hostUsers` must be false to use `Unmasked`");
    }
    seccomp(context.seccomp_profile.as_ref(), &path.child("seccompProfile"), errors);
    if context.allow_privilege_escalation == Some(false) {
        if flag(context.privileged) {
            errors.invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
        }
        let added = context.capabilities.iter().flat_map(|capabilities| list(&capabilities.add));
        for _ in added.filter(|capability| *capability == "CAP_SYS_ADMIN") {
            errors.invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
        }
    }
    windows(context.windows_options.as_ref(), &path.child("windowsOptions"), errors);
    app_armor(context.app_armor_profile.as_ref(), &path.child("appArmorProfile"), errors);
}

/// What is wrong with a field that must hold one of `known`, if anything.
pub(super) fn one_of(value: &Option<String>, known: &[&str], path: &Path<'_>, errors: &mut Errors) {
    if let Some(value) = value.as_deref().filter(|value| !known.contains(value)) {
        errors.unsupported(path, value, known);
    }
}

fn id(id: Option<i64>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(id) = id.filter(|id| !(0..=i64::from(i32::MAX)).contains(id)) {
        errors.invalid(path, id, "must be between 0 and 2147483647, inclusive");
    }
}

fn seccomp(profile: Option<&SeccompProfile>, path: &Path<'_>, errors: &mut Errors) {
    let Some(profile) = profile else { return };
    match profile.type_.as_str() {
        "" => errors.required(&path.child("type"), "type is required when seccompProfile is set"),
        kind if !PROFILES.contains(&kind) => errors.unsupported(&path.child("type"), kind, PROFILES),
        _ => {}
    }
    let file = path.child("localhostProfile");
    match &profile.localhost_profile {
        None if profile.type_ == "Localhost" => errors.required(&file, "must be set when seccomp type is Localhost"),
        Some(local) if profile.type_ == "Localhost" => descending_path(local, &file, errors),
        Some(_) => errors.invalid(&file, profile, "can only be set when seccomp type is Localhost"),
        None => {}
    }
}

fn app_armor(profile: Option<&AppArmorProfile>, path: &Path<'_>, errors: &mut Errors) {
    let Some(profile) = profile else { return };
    let file = path.child("localhostProfile");
    match (profile.type_.as_str(), profile.localhost_profile.as_deref()) {
        ("Localhost", None | Some("")) => errors.required(&file, "must be set when AppArmor type is Localhost"),
        ("Localhost", Some(local)) if local.trim() != local => errors.invalid(&file, local, "must not be padded with whitespace"),
        ("Localhost", Some(local)) if local.len() > 4095 => errors.too_long(&file, 4095),
        ("RuntimeDefault" | "Unconfined", Some(local)) => errors.invalid(&file, local, "can only be set when AppArmor type is Localhost"),
        ("Localhost" | "RuntimeDefault" | "Unconfined", _) => {}
        ("", _) => errors.required(&path.child("type"), "type is required when appArmorProfile is set"),
        (kind, _) => errors.unsupported(&path.child("type"), kind, PROFILES),
    }
}

fn sysctls(sysctls: &[Sysctl], spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, sysctl) in sysctls.iter().enumerate() {
        let path = path.index(index);
        let (name, path) = (sysctl.name.as_str(), path.child("name"));
        if name.is_empty() {
            errors.required(&path, "");
        } else if !is_sysctl(name) {
            let pattern = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
            errors.invalid(&path, name, &format!("must have at most 253 characters and match regex {pattern}"));
        } else if !seen.insert(name) {
            errors.duplicate(&path, name);
        }
        let dotted = name.replace('/', ".");
        let is_net = dotted.starts_with("net.");
        let is_ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."].iter().any(|prefix| dotted.starts_with(prefix)) || dotted == "kernel.sem";
        if is_net && flag(spec.host_network) {
            errors.invalid(&path, name, "may not be specified when 'hostNetwork' is true");
        } else if is_ipc && flag(spec.host_ipc) {
            errors.invalid(&path, name, "may not be specified when 'hostIPC' is true");
        }
    }
}

fn is_sysctl(name: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    name.len() <= 253
        && name.split(['.', '/']).all(|segment| {
            let bytes = segment.as_bytes();
            is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(|byte| is_end(Some(byte)) || matches!(byte, b'-' | b'_'))
        })
}

fn windows(options: Option<&WindowsSecurityContextOptions>, path: &Path<'_>, errors: &mut Errors) {
    let Some(options) = options else { return };
    if let Some(spec) = &options.gmsa_credential_spec_name {
        errors.invalid_all(&path.child("gmsaCredentialSpecName"), spec, name::dns1123_subdomain(spec));
    }
    if options.gmsa_credential_spec.as_deref() == Some("") {
        errors.invalid(&path.child("gmsaCredentialSpec"), "", "gmsaCredentialSpec cannot be an empty string");
    }
    if options.run_as_user_name.is_some() && text(&options.run_as_user_name).is_empty() {
        errors.invalid(&path.child("runAsUserName"), "", "runAsUserName cannot be an empty string");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(json: Value) -> String {
        let context: SecurityContext = serde_json::from_value(json).unwrap();
        let mut errors = Errors::new();
        of_container(&context, true, &Path::new("s"), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn contexts() {
        for (json, want) in [
            (json!({"runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}), ""),
            (json!({"runAsUser": -1}), "s.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"),
            (
                json!({"seccompProfile": {"type": "Localhost"}}),
                "s.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost",
            ),
            (
                json!({"appArmorProfile": {"type": "Foo"}}),
                "s.appArmorProfile.type: Unsupported value: \"Foo\": supported values: \"Localhost\", \"RuntimeDefault\", \"Unconfined\"",
            ),
            (json!({"procMount": "Unmasked"}), "s.procMount: Invalid value: \"Unmasked\": `hostUsers` must be false to use `Unmasked`"),
        ] {
            assert_eq!(said(json), want);
        }
    }

    #[test]
    fn names_of_system_controls() {
        assert!(is_sysctl("net.ipv4.ip_forward") && is_sysctl("net/ipv4/tcp_x") && !is_sysctl("Net.x") && !is_sysctl("net..x"));
    }
}
