//! The page of a CertificateSigningRequest: who asks, and for what.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    Describer, View,
    der::{Der, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET},
    events, nothing_else,
    page::Page,
    selector::labels,
};
use crate::value::{list, name, some_text, text};

pub(super) const DESCRIBER: Describer = Describer {
    group: "certificates.k8s.io",
    kind: "CertificateSigningRequest",
    related: nothing_else,
    events: events::own,
    render,
};

/// Parts of a name, by the last byte of their identifier: one for each, whatever the request has.
const ONE: [(&str, u8); 2] = [("Common Name", 3), ("Serial Number", 5)];
/// Parts of a name of which there may be several.
const MANY: [(&str, u8); 7] =
    [("Organization", 10), ("Organizational Unit", 11), ("Country", 6), ("Locality", 7), ("Province", 8), ("StreetAddress", 9), ("PostalCode", 17)];
/// Other names, by their tag.
const OTHERS: [(&str, u8); 4] = [("DNS Names", 0x82), ("Email Addresses", 0x81), ("URIs", 0x86), ("IP Addresses", 0x87)];

/// The identifier of the attribute that holds what a certificate shall say besides.
const EXTENSIONS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
/// The identifier of other names.
const OTHER_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
/// What the identifiers of the parts of a name begin with.
const NAME_PART: &[u8] = &[0x55, 0x04];

fn render(view: &View<'_>, page: &mut Page) {
    let request = view.object;
    let (metadata, spec) = (&request["metadata"], &request["spec"]);
    page.field(0, "Name", name(request));
    page.field(0, "Labels", labels(&metadata["labels"]));
    page.field(0, "Annotations", labels(&metadata["annotations"]));
    page.field(0, "CreationTimestamp", view.clock.date(&metadata["creationTimestamp"]));
    page.field(0, "Requesting User", text(&spec["username"]));
    page.optional(0, "Signer", &spec["signerName"]);
    if let Some(seconds) = spec["expirationSeconds"].as_i64() {
        page.field(0, "Requested Duration", mini_api::age::human(seconds));
    }
    page.field(0, "Status", state(&request["status"]));
    let asked = Asked::read(text(&spec["request"])).unwrap_or_default();
    page.line(0, "Subject:");
    for (title, part) in ONE {
        let last = asked.parts(part).pop().unwrap_or_default();
        page.line(0, &format!("\t{title}:\t{last}"));
    }
    MANY.iter().for_each(|(title, part)| values(page, title, &asked.parts(*part)));
    if !asked.others.is_empty() {
        page.line(0, "Subject Alternative Names:");
    }
    for (title, tag) in OTHERS {
        let found = asked.others.iter().filter(|(found, _)| *found == tag).map(|(_, value)| value.clone());
        values(page, title, &found.collect::<Vec<_>>());
    }
    page.events(view.events, view.clock);
}

/// Values one under the other, if there are any.
fn values(page: &mut Page, title: &str, values: &[String]) {
    if !values.is_empty() {
        page.line(0, &format!("\t{title}:\t{}", values.join("\n\t\t")));
    }
}

/// What became of it.
fn state(status: &Value) -> String {
    let has = |kind: &str| list(&status["conditions"]).iter().any(|condition| condition["type"] == kind);
    let mut state = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    }
    .to_owned();
    if has("Failed") {
        state.push_str(",Failed");
    }
    if some_text(&status["certificate"]).is_some() {
        state.push_str(",Issued");
    }
    state
}

/// What a certificate is asked for.
#[derive(Debug, Default)]
struct Asked {
    /// The parts of the subject's name, under the last byte of their identifier.
    subject: Vec<(u8, String)>,
    /// Its other names, under their tag.
    others: Vec<(u8, String)>,
}

impl Asked {
    /// Reads the request as it stands in the object: PEM, in base64. `None` if it is none.
    fn read(text: &str) -> Option<Self> {
        let pem = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
        let body: String = pem.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN")).skip(1).take_while(|line| !line.starts_with("-----")).collect();
        let bytes = STANDARD.decode(body).ok()?;
        let mut info = Der(&bytes).within(SEQUENCE)?.within(SEQUENCE)?;
        let _version = info.next()?;
        let subject = info.within(SEQUENCE)?;
        let _key = info.within(SEQUENCE)?;
        let mut asked = Self::default();
        for (_, part) in subject.flat_map(|(_, parts)| Der(parts)) {
            let mut part = Der(part);
            let identifier = part.within(OBJECT_IDENTIFIER)?.0;
            let value = String::from_utf8_lossy(part.next()?.1).into_owned();
            if let Some([last]) = identifier.strip_prefix(NAME_PART) {
                asked.subject.push((*last, value));
            }
        }
        for (_, attributes) in info {
            for (_, attribute) in Der(attributes) {
                let mut attribute = Der(attribute);
                if attribute.within(OBJECT_IDENTIFIER)?.0 == EXTENSIONS {
                    let extensions = attribute.within(SET)?.within(SEQUENCE)?;
                    asked.others.extend(extensions.filter_map(|(_, extension)| other_names(Der(extension))).flatten());
                }
            }
        }
        Some(asked)
    }

    fn parts(&self, wanted: u8) -> Vec<String> {
        self.subject.iter().filter(|(part, _)| *part == wanted).map(|(_, value)| value.clone()).collect()
    }
}

/// The other names that an extension holds, if it is the one for them.
fn other_names(mut extension: Der<'_>) -> Option<Vec<(u8, String)>> {
    let identifier = extension.within(OBJECT_IDENTIFIER)?.0;
    // Whether it is critical may stand in between.
    let (_, value) = extension.find(|(tag, _)| *tag == OCTET_STRING)?;
    let names = Der(value).within(SEQUENCE)?;
    (identifier == OTHER_NAMES).then(|| names.filter(|(tag, _)| OTHERS.iter().any(|(_, known)| known == tag)).map(other_name).collect())
}

fn other_name((tag, value): (u8, &[u8])) -> (u8, String) {
    let value = match (tag, value) {
        (0x87, &[a, b, c, d]) => Ipv4Addr::new(a, b, c, d).to_string(),
        (0x87, long) => <[u8; 16]>::try_from(long).map(|long| Ipv6Addr::from(long).to_string()).unwrap_or_default(),
        (_, text) => String::from_utf8_lossy(text).into_owned(),
    };
    (tag, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// Made by `openssl req -new -subj /C=DE/O=dev/O=ops/CN=jane -addext subjectAltName=DNS:a.example.com,IP:10.0.0.1,IP:2001:db8::1,email:a@b.c`.
    const REQUEST: &str = "\
        LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQkFqQ0J0UUlCQURBNE1Rc3dDUVlEVlFRR0V3SkVSVEVNTUFvR0ExVUVDZ3dEWkdWMk1R\
        d3dDZ1lEVlFRSwpEQU52Y0hNeERUQUxCZ05WQkFNTUJHcGhibVV3S2pBRkJnTXJaWEFESVFCK2hlSUVWc2RTNEZUVXYrUXFCYUx1CkFBQWNkSFZKWWw5ZnBq\
        OS9HODRkYWFCS01FZ0dDU3FHU0liM0RRRUpEakU3TURrd053WURWUjBSQkRBd0xvSU4KWVM1bGVHRnRjR3hsTG1OdmJZY0VDZ0FBQVljUUlBRU51QUFBQUFB\
        QUFBQUFBQUFBQVlFRllVQmlMbU13QlFZRApLMlZ3QTBFQW56T1RuYU1qbEJzV0hsWXhpSjdXUzNNZlplYWVaSFEzdWt5bWRYRlRlaXh1NFRMcXF1TzU3R1Rl\
        CkNLYjVBMVB3UzdGQ3I5cWNydkFEZXk5NStpWVlCZz09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=";

    /// What kubectl 1.32 printed of our own server's object.
    #[test]
    fn as_kubectl_prints_it() {
        let request = json!({
            "metadata": {"name": "jane", "labels": {"a": "b", "c": "d"}, "creationTimestamp": "2026-11-30T03:14:51Z"},
            "spec": {"username": "system:anonymous", "signerName": "kubernetes.io/kube-apiserver-client", "expirationSeconds": 86400, "request": REQUEST},
            "status": {"conditions": [{"type": "Approved"}]},
        });
        assert_eq!(
            described(&DESCRIBER, &request, Vec::new(), &[]),
            "\
Name:                jane
Labels:              a=b,c=d
Annotations:         <none>
CreationTimestamp:   Mon, 30 Nov 2026 03:14:51 +0000
Requesting User:     system:anonymous
Signer:              kubernetes.io/kube-apiserver-client
Requested Duration:  24h
Status:              Approved
Subject:
  Common Name:    jane
  Serial Number:  \n  Organization:   dev
                  ops
  Country:        DE
Subject Alternative Names:
         DNS Names:        a.example.com
         Email Addresses:  a@b.c
         IP Addresses:     10.0.0.1
                           2001:db8::1
Events:  <none>
"
        );
    }

    #[test]
    fn what_became_of_it() {
        let with = |kinds: &[&str], certificate: &str| {
            let conditions: Vec<Value> = kinds.iter().map(|kind| json!({"type": kind})).collect();
            state(&json!({"conditions": conditions, "certificate": certificate}))
        };
        for (kinds, certificate, shown) in [
            (&[][..], "", "Pending"),
            (&["Approved"], "x", "Approved,Issued"),
            (&["Approved", "Denied"], "", "Denied"),
            (&["Approved", "Failed"], "", "Approved,Failed"),
        ] {
            assert_eq!(with(kinds, certificate), shown);
        }
    }
}
