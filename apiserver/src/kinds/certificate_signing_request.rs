//! CertificateSigningRequests: somebody asks a signer for a certificate, and somebody else approves.

use std::collections::BTreeSet;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use k8s_openapi::{
    api::certificates::v1::{
        CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec, CertificateSigningRequestStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use mini_api::{age, name};
use serde_json::Value;

use super::{
    Field, field,
    field::{Errors, Path},
    review::{ANONYMOUS, UNAUTHENTICATED},
    rules::{Column, Rules, column, parts},
    unset::{list, text},
};

/// What lists of CertificateSigningRequests can be selected by.
pub(super) const FIELDS: &[Field] = &[field("spec.signerName", &["/spec/signerName"])];

/// What certificates can be good for.
const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];
/// Conditions that are true or not there.
const DECISIONS: [&str; 3] = ["Approved", "Denied", "Failed"];
/// The signer of before there were signers.
const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
/// Seconds a certificate is good for, at least.
const EXPIRATION_MIN: i32 = 600;
/// The longest name of a signer, in bytes: a DNS name, `/`, and two names of a resource.
const SIGNER_MAX: usize = name::SUBDOMAIN_MAX + 1 + name::SUBDOMAIN_MAX + 1 + name::LABEL_MAX;

/// What is special about a CertificateSigningRequest.
pub(super) const RULES: Rules<CertificateSigningRequest> = Rules {
    defaults: |request| {
        request.status.get_or_insert_default();
    },
    on_create: |request| {
        let spec = &mut request.spec;
        (spec.uid, spec.extra) = (None, None);
        (spec.username, spec.groups) = (Some(ANONYMOUS.to_owned()), Some(vec![UNAUTHENTICATED.to_owned()]));
        request.status = Some(CertificateSigningRequestStatus::default());
    },
    on_update: |new, old| new.spec.clone_from(&old.spec),
    on_status: tell_moments,
    validate,
    validate_status,
    columns: COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

/// A condition that does not say when it was written was written now, and has been as it is since it became so.
fn tell_moments(new: &mut CertificateSigningRequest, old: &CertificateSigningRequest, now: Timestamp) {
    let now = Time(now);
    for condition in new.status.iter_mut().flat_map(|status| status.conditions.iter_mut().flatten()) {
        condition.last_update_time.get_or_insert_with(|| now.clone());
        let before = conditions(old)
            .iter()
            .find(|one| (&one.type_, &one.status) == (&condition.type_, &condition.status) && one.last_transition_time.is_some());
        let since = before.and_then(|before| before.last_transition_time.clone());
        condition.last_transition_time.get_or_insert_with(|| since.unwrap_or(now.clone()));
    }
}

fn validate(request: &CertificateSigningRequest, errors: &mut Errors) {
    let (path, spec) = (Path::new("spec"), &request.spec);
    if pem_blocks(&spec.request.0).first().is_none_or(|(kind, _)| kind != "CERTIFICATE REQUEST") {
        errors.invalid(&path.child("request"), &spec.request, "PEM block type must be CERTIFICATE REQUEST");
    }
    validate_usages(list(&spec.usages), &path.child("usages"), errors);
    validate_signer(spec, &path.child("signerName"), errors);
    if let Some(seconds) = spec.expiration_seconds.filter(|seconds| *seconds < EXPIRATION_MIN) {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.invalid(&path.child("expirationSeconds"), seconds, detail);
    }
    let status = Path::new("status");
    validate_conditions(conditions(request), &status.child("conditions"), errors);
}

fn validate_usages(usages: &[String], path: &Path<'_>, errors: &mut Errors) {
    if usages.is_empty() {
        errors.required(path, "");
    }
    for (index, usage) in usages.iter().enumerate().filter(|(_, usage)| !USAGES.contains(&usage.as_str())) {
        errors.unsupported(&path.index(index), usage, USAGES);
    }
    let mut seen = BTreeSet::new();
    for (index, usage) in usages.iter().enumerate() {
        if !seen.insert(usage) {
            errors.duplicate(&path.index(index), usage);
        }
    }
}

fn validate_signer(spec: &CertificateSigningRequestSpec, path: &Path<'_>, errors: &mut Errors) {
    let signer = spec.signer_name.as_str();
    if signer == LEGACY_SIGNER {
        return errors.invalid(path, signer, "the legacy signerName is not allowed via this API version");
    }
    if signer.is_empty() {
        return errors.required(path, "");
    }
    let Some((domain, rest)) = signer.split_once('/').filter(|(_, rest)| !rest.contains('/')) else {
        return errors.invalid(path, signer, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
    };
    if domain.len() > name::SUBDOMAIN_MAX {
        errors.too_long(path, name::SUBDOMAIN_MAX);
    }
    for label in domain.split('.') {
        for wrong in name::dns1123_label(label) {
            errors.invalid(path, domain, &format!("validating label {label:?}: {wrong}"));
        }
    }
    if !domain.contains('.') {
        errors.invalid(path, domain, "should be a domain with at least two segments separated by dots");
    }
    for label in rest.split('.') {
        for wrong in name::dns1123_subdomain(label) {
            errors.invalid(path, rest, &format!("validating label {label:?}: {wrong}"));
        }
    }
    if signer.len() > SIGNER_MAX {
        errors.too_long(path, SIGNER_MAX);
    }
}

fn validate_conditions(conditions: &[CertificateSigningRequestCondition], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, condition) in conditions.iter().enumerate() {
        let path = path.index(index);
        let kind = condition.type_.as_str();
        if kind.is_empty() {
            errors.required(&path.child("type"), "");
        }
        let states: &[&str] = if DECISIONS.contains(&kind) { &["True"] } else { &["False", "True", "Unknown"] };
        match condition.status.as_str() {
            "" => errors.required(&path.child("status"), ""),
            state if !states.contains(&state) => errors.unsupported(&path.child("status"), state, states),
            _ => {}
        }
        if (kind == "Approved" && seen.contains("Denied")) || (kind == "Denied" && seen.contains("Approved")) {
            errors.invalid(&path.child("type"), kind, "Approved and Denied conditions are mutually exclusive");
        }
        if !seen.insert(kind) {
            errors.duplicate(&path.child("type"), kind);
        }
    }
}

fn validate_status(new: &CertificateSigningRequest, old: &CertificateSigningRequest, errors: &mut Errors) {
    validate(new, errors);
    let status = Path::new("status");
    let path = status.child("certificate");
    let (now, before) = (certificate(new), certificate(old));
    if now != before && !now.is_empty() {
        validate_certificate(now, &path, errors);
    }
    let count = |request: &CertificateSigningRequest, kind: &str| conditions(request).iter().filter(|one| one.type_ == kind).count();
    for kind in DECISIONS {
        if count(new, kind) < count(old, kind) {
            errors.forbidden(&status.child("conditions"), &format!("updates may not remove a condition of type {kind:?}"));
        }
    }
    if now != before && !before.is_empty() {
        errors.forbidden(&path, "updates may not modify existing certificate content");
    }
}

fn validate_certificate(pem: &[u8], path: &Path<'_>, errors: &mut Errors) {
    let blocks = pem_blocks(pem);
    let mut invalid = |detail: &str| errors.invalid(path, "<certificate data>", detail);
    if let Some((kind, _)) = blocks.iter().find(|(kind, _)| kind != "CERTIFICATE") {
        invalid(&format!("only CERTIFICATE PEM blocks are allowed, found {kind:?}"));
    } else if blocks.is_empty() {
        invalid("must contain at least one CERTIFICATE PEM block");
    }
}

/// The blocks of a PEM file: what each is, and its bytes. What is around them and what is no block does not count.
fn pem_blocks(pem: &[u8]) -> Vec<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(pem);
    let mut blocks = Vec::new();
    let mut rest: &str = &text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        rest = after;
        let Some((kind, after)) = after.split_once("-----") else { break };
        let Some((body, after)) = after.split_once(&format!("-----END {kind}-----")) else { continue };
        let body: String = body.chars().filter(|char| !char.is_ascii_whitespace()).collect();
        if let Ok(bytes) = BASE64_STANDARD.decode(body) {
            blocks.push((kind.to_owned(), bytes));
        }
        rest = after;
    }
    blocks
}

fn conditions(request: &CertificateSigningRequest) -> &[CertificateSigningRequestCondition] {
    request.status.as_ref().map(|status| list(&status.conditions)).unwrap_or_default()
}

fn certificate(request: &CertificateSigningRequest) -> &[u8] {
    request.status.as_ref().and_then(|status| status.certificate.as_ref()).map(|certificate| certificate.0.as_slice()).unwrap_or_default()
}

const COLUMNS: &[Column<CertificateSigningRequest>] = &[
    Column::name(),
    Column::age(),
    column("SignerName", |request: &CertificateSigningRequest, _| {
        let signer = request.spec.signer_name.as_str();
        Value::from(if signer.is_empty() { "<none>" } else { signer })
    })
    .about("signerName indicates the requested signer, and is a qualified name."),
    column("Requestor", |request: &CertificateSigningRequest, _| Value::from(text(&request.spec.username))),
    column("RequestedDuration", |request: &CertificateSigningRequest, _| {
        let seconds = request.spec.expiration_seconds;
        Value::from(seconds.map_or_else(|| "<none>".to_owned(), |seconds| age::human(seconds.into())))
    }),
    column("Condition", |request: &CertificateSigningRequest, _| Value::from(state(request))),
];

/// How far it is: `Approved,Issued`.
fn state(request: &CertificateSigningRequest) -> String {
    let has = |kind: &str| conditions(request).iter().any(|condition| condition.type_ == kind);
    let decided = DECISIONS[..2].iter().rev().find(|kind| has(kind)).copied().unwrap_or("Pending");
    let failed = if has("Failed") { ",Failed" } else { "" };
    let issued = if certificate(request).is_empty() { "" } else { ",Issued" };
    format!("{decided}{failed}{issued}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";

    fn request(signer: &str, usages: Value, status: Value) -> CertificateSigningRequest {
        let spec = json!({"request": BASE64_STANDARD.encode(PEM), "signerName": signer, "usages": usages});
        serde_json::from_value(json!({ "spec": spec, "status": status })).unwrap()
    }

    fn said(request: &CertificateSigningRequest) -> String {
        let mut errors = Errors::new();
        validate(request, &mut errors);
        errors.to_string()
    }

    #[test]
    fn what_is_wrong() {
        for (signer, usages, want) in [
            ("example.com/a", json!(["client auth"]), "[]"),
            ("example.com/a", json!([]), "spec.usages: Required value"),
            ("example.com/a", json!(["any", "any"]), "spec.usages[1]: Duplicate value: \"any\""),
            (
                "a",
                json!(["any"]),
                "spec.signerName: Invalid value: \"a\": must be a fully qualified domain and path of the form 'example.com/signer-name'",
            ),
            (
                "a/b",
                json!(["any"]),
                "spec.signerName: Invalid value: \"a\": should be a domain with at least two segments separated by dots",
            ),
            (
                LEGACY_SIGNER,
                json!(["any"]),
                "spec.signerName: Invalid value: \"kubernetes.io/legacy-unknown\": the legacy signerName is not allowed via this API version",
            ),
        ] {
            assert_eq!(said(&request(signer, usages, json!({}))), want);
        }
        let mut empty = request("example.com/a", json!(["any"]), json!({}));
        empty.spec.request.0.clear();
        assert_eq!(said(&empty), "spec.request: Invalid value: \"\": PEM block type must be CERTIFICATE REQUEST");
    }

    #[test]
    fn decisions_stay() {
        let with = |status| request("example.com/a", json!(["any"]), status);
        let approved = with(json!({"conditions": [{"type": "Approved", "status": "True"}]}));
        let mut errors = Errors::new();
        validate_status(&with(json!({})), &approved, &mut errors);
        assert_eq!(errors.to_string(), "status.conditions: Forbidden: updates may not remove a condition of type \"Approved\"");
        let both = with(json!({"conditions": [{"type": "Approved", "status": "True"}, {"type": "Denied", "status": "True"}]}));
        assert_eq!(
            said(&both),
            "status.conditions[1].type: Invalid value: \"Denied\": Approved and Denied conditions are mutually exclusive"
        );
        assert_eq!(state(&approved), "Approved");
        assert_eq!(state(&with(json!({}))), "Pending");
    }

    #[test]
    fn conditions_tell_since_when() {
        let with = |status| request("example.com/a", json!(["any"]), status);
        let told = "2026-01-01T00:00:00Z";
        let old = with(json!({"conditions": [{"type": "Failed", "status": "True", "lastTransitionTime": told}]}));
        let mut new = with(json!({"conditions": [{"type": "Failed", "status": "True"}, {"type": "Approved", "status": "True"}]}));
        tell_moments(&mut new, &old, Timestamp::UNIX_EPOCH);
        let times = conditions(&new).iter().map(|one| json!([one.last_update_time, one.last_transition_time]));
        let epoch = "1970-01-01T00:00:00Z";
        assert_eq!(times.collect::<Vec<_>>(), [json!([epoch, told]), json!([epoch, epoch])]);
    }

    #[test]
    fn certificates_are_certificates() {
        let with = |pem: &str| request("example.com/a", json!(["any"]), json!({"certificate": BASE64_STANDARD.encode(pem)}));
        for (pem, want) in [
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "[]"),
            ("x", "status.certificate: Invalid value: \"<certificate data>\": must contain at least one CERTIFICATE PEM block"),
            (
                PEM,
                "status.certificate: Invalid value: \"<certificate data>\": only CERTIFICATE PEM blocks are allowed, found \"CERTIFICATE REQUEST\"",
            ),
        ] {
            let mut errors = Errors::new();
            validate_status(&with(pem), &request("example.com/a", json!(["any"]), json!({})), &mut errors);
            assert_eq!(errors.to_string(), want);
        }
    }
}
