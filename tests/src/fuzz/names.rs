//! The rules of names agree with each other, and every complaint says something.

use mini_api::name;

use super::dice::Dice;

const WORDS: [&str; 22] = [
    "a",
    "0",
    "z9",
    "A",
    "-",
    ".",
    "_",
    "/",
    "a.b",
    "..",
    "--",
    "*.",
    "example.com/",
    "$(A)",
    "C_IDENT",
    "10.0.0.1",
    "::1",
    "fe80::1%eth0",
    "010.1.1.1",
    "100%",
    " ",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

const RULES: [fn(&str) -> Vec<String>; 15] = [
    name::dns1123_label,
    name::dns1123_subdomain,
    name::dns1035_label,
    name::wildcard_subdomain,
    name::qualified_name,
    name::label_value,
    name::config_map_key,
    name::env_var,
    name::port_name,
    name::percent,
    name::ip,
    name::canonical_ip,
    name::path_segment,
    name::http_header,
    |text| name::dns1123_label(&name::generated_base(text)),
];

pub(super) fn run(input: &[u8]) {
    let text = Dice::of(input).text(&WORDS, 12);
    for (number, rule) in RULES.iter().enumerate() {
        assert!(rule(&text).iter().all(|why| !why.is_empty()), "rule {number} has nothing to say against {text:?}");
    }
    let implies =
        |stronger: fn(&str) -> Vec<String>, weaker: fn(&str) -> Vec<String>| !stronger(&text).is_empty() || weaker(&text).is_empty();
    assert!(implies(name::dns1035_label, name::dns1123_label), "{text:?}");
    assert!(implies(name::dns1123_label, name::dns1123_subdomain), "{text:?}");
    assert!(implies(name::dns1123_label, name::label_value), "{text:?}");
    assert!(implies(name::dns1123_subdomain, name::path_segment), "{text:?}");
    assert!(implies(name::canonical_ip, name::ip), "{text:?}");
}
