//! Which names, keys, values and numbers are valid, and what is said if they are not.
//!
//! Each check returns upstream's messages, word for word, in upstream's order; none means valid. The caller knows the
//! field and makes an error of it. Lengths are bytes, whatever the message calls them.

use std::net::{IpAddr, Ipv6Addr};

/// What upstream says of something empty.
pub const NON_EMPTY: &str = "must be non-empty";
/// What upstream says of a number below zero.
pub const NON_NEGATIVE: &str = "must be greater than or equal to 0";

const LABEL_FORM: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_FORM: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const KEY_RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const KEY_FORM: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// The longest label of a DNS name, in bytes; also of label names and values.
pub const LABEL_MAX: usize = 63;
/// The longest DNS name, in bytes.
pub const SUBDOMAIN_MAX: usize = 253;

/// One part of a DNS name (RFC 1123): namespaces, containers, volumes, ports of services.
pub fn dns1123_label(value: &str) -> Vec<String> {
    let mut errors = at_most(value, LABEL_MAX, "characters");
    if !is_label(value) {
        errors.push(if is_subdomain(value) {
            "must not contain dots".to_owned()
        } else {
            let rule = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                        start and end with an alphanumeric character";
            form(rule, LABEL_FORM, &["my-name", "123-abc"])
        });
    }
    errors
}

/// A DNS name (RFC 1123): what most objects are called.
pub fn dns1123_subdomain(value: &str) -> Vec<String> {
    subdomain(value, "characters")
}

/// A DNS label that starts with a letter (RFC 1035): services before 1.34.
pub fn dns1035_label(value: &str) -> Vec<String> {
    let mut errors = at_most(value, LABEL_MAX, "characters");
    if !(is_label(value) && value.starts_with(|c: char| c.is_ascii_lowercase())) {
        let rule = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
                    character, and end with an alphanumeric character";
        errors.push(form(rule, "[a-z]([-a-z0-9]*[a-z0-9])?", &["my-name", "abc-123"]));
    }
    errors
}

/// `*.` and a DNS name: hosts of ingresses.
pub fn wildcard_subdomain(value: &str) -> Vec<String> {
    let mut errors = at_most(value, SUBDOMAIN_MAX, "characters");
    if !value.strip_prefix("*.").is_some_and(is_subdomain) {
        let rule = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must \
                    consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
        errors.push(form(rule, &format!(r"\*\.{SUBDOMAIN_FORM}"), &["*.example.com"]));
    }
    errors
}

/// A key of labels, annotations (lower-cased first), taints, node selectors, extended resources: an optional DNS
/// prefix and `/`, and a name.
pub fn qualified_name(value: &str) -> Vec<String> {
    let key_form = |subject: &str| form(&format!("{subject} {KEY_RULE}"), KEY_FORM, &["MyName", "my.name", "123-abc"]);
    let (prefix, name) = match value.split_once('/') {
        None => (None, value),
        Some((prefix, name)) if !name.contains('/') => (Some(prefix), name),
        Some(_) => {
            let key = key_form("a valid label key");
            return vec![format!("{key} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")];
        }
    };
    let mut errors = match prefix {
        None => Vec::new(),
        Some("") => vec![format!("prefix part {NON_EMPTY}")],
        Some(prefix) => subdomain(prefix, "bytes").iter().map(|error| format!("prefix part {error}")).collect(),
    };
    if name.is_empty() {
        errors.push(format!("name part {NON_EMPTY}"));
    }
    errors.extend(at_most(name, LABEL_MAX, "bytes").iter().map(|error| format!("name part {error}")));
    if !is_key(name) {
        errors.push(key_form("name part"));
    }
    errors
}

/// A value of a label: nothing, or a name.
pub fn label_value(value: &str) -> Vec<String> {
    let mut errors = at_most(value, LABEL_MAX, "bytes");
    if !value.is_empty() && !is_key(value) {
        let rule = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
                    start and end with an alphanumeric character";
        errors.push(form(rule, &format!("({KEY_FORM})?"), &["MyValue", "my_value", "12345"]));
    }
    errors
}

/// A key of a ConfigMap or Secret: a file name.
pub fn config_map_key(value: &str) -> Vec<String> {
    let mut errors = at_most(value, SUBDOMAIN_MAX, "characters");
    if value.is_empty() || !value.bytes().all(is_key_byte) {
        let rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        errors.push(form(rule, "[-._a-zA-Z0-9]+", &["key.name", "KEY_NAME", "key-name"]));
    }
    if value == "." {
        errors.push("must not be '.'".to_owned());
    } else if value == ".." {
        errors.push("must not be '..'".to_owned());
    } else if value.starts_with("..") {
        errors.push("must not start with '..'".to_owned());
    }
    errors
}

/// The name of an environment variable.
pub fn env_var(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.is_empty() {
        errors.push(format!("environment variable name {NON_EMPTY}"));
    }
    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'=') {
        errors.push("a valid environment variable name must consist only of printable ASCII characters other than '='".to_owned());
    }
    errors
}

/// The name of a port, as IANA writes them (RFC 6335), lower case.
pub fn port_name(value: &str) -> Vec<String> {
    let mut errors = at_most(value, 15, "characters");
    if value.is_empty() || !value.bytes().all(is_label_byte) {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !value.bytes().any(|byte| byte.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_owned());
    }
    if value.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if value.starts_with('-') || value.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    errors
}

/// A port number.
pub fn port(number: i32) -> Vec<String> {
    in_range(number.into(), 1, 65535)
}

/// A number within bounds, both included.
pub fn in_range(number: i64, least: i64, most: i64) -> Vec<String> {
    if (least..=most).contains(&number) {
        return Vec::new();
    }
    vec![format!("must be between {least} and {most}, inclusive")]
}

/// A number that is not negative.
pub fn non_negative(number: i64) -> Vec<String> {
    if number < 0 { vec![NON_NEGATIVE.to_owned()] } else { Vec::new() }
}

/// A share such as `25%`.
pub fn percent(value: &str) -> Vec<String> {
    let digits = value.strip_suffix('%').unwrap_or_default();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let rule = "a valid percent string must be a numeric string followed by an ending '%'";
    vec![form(rule, "[0-9]+%", &["1%", "93%"])]
}

/// An IP address of either family, in a form that all programs read alike.
pub fn ip(value: &str) -> Vec<String> {
    let error = match value.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => "must not be an IPv4-mapped IPv6 address",
        Ok(_) => return Vec::new(),
        Err(_) if has_leading_zeros(value) => "must not have leading 0s",
        Err(_) => "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
    };
    vec![error.to_owned()]
}

/// An IP address in the one form that names are compared in.
pub fn canonical_ip(value: &str) -> Vec<String> {
    let errors = ip(value);
    match value.parse::<IpAddr>() {
        Ok(address) if errors.is_empty() && address.to_string() != value => vec![format!("must be in canonical form (\"{address}\")")],
        _ => errors,
    }
}

/// A name that can be one segment of a path: objects that may be called nearly anything (roles, for one).
pub fn path_segment(value: &str) -> Vec<String> {
    if matches!(value, "." | "..") {
        return vec![format!("may not be '{value}'")];
    }
    ["/", "%"].iter().filter(|part| value.contains(**part)).map(|part| format!("may not contain '{part}'")).collect()
}

/// The name of an HTTP header.
pub fn http_header(value: &str) -> Vec<String> {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Vec::new();
    }
    let rule = "a valid HTTP header must consist of alphanumeric characters or '-'";
    vec![form(rule, "[-A-Za-z0-9]+", &["X-Header-Name"])]
}

/// A `generateName` as the name checks should see it: a suffix will follow, so a dash at the end is fine.
pub fn generated_base(generate_name: &str) -> String {
    match generate_name.strip_suffix('-') {
        Some(base) if !base.is_empty() => match base.char_indices().next_back() {
            Some((last, _)) => format!("{}a", &base[..last]),
            None => base.to_owned(),
        },
        _ => generate_name.to_owned(),
    }
}

/// `message (e.g. 'a',  or 'b', regex used for validation is 'regex')`, with upstream's two spaces.
fn form(rule: &str, regex: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{rule} (e.g. {}regex used for validation is '{regex}')", examples.join(" or "))
}

/// Upstream counts bytes but says "characters" in its older messages.
fn at_most(value: &str, limit: usize, unit: &str) -> Vec<String> {
    if value.len() <= limit { Vec::new() } else { vec![format!("must be no more than {limit} {unit}")] }
}

fn subdomain(value: &str, unit: &str) -> Vec<String> {
    let mut errors = at_most(value, SUBDOMAIN_MAX, unit);
    if !is_subdomain(value) {
        let rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
                    start and end with an alphanumeric character";
        errors.push(form(rule, SUBDOMAIN_FORM, &["example.com"]));
    }
    errors
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

fn is_label(value: &str) -> bool {
    !value.is_empty() && !value.starts_with('-') && !value.ends_with('-') && value.bytes().all(is_label_byte)
}

fn is_subdomain(value: &str) -> bool {
    value.split('.').all(is_label)
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn is_key(value: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    ends(bytes.first()) && ends(bytes.last()) && bytes.iter().copied().all(is_key_byte)
}

/// Whether only zeros in front of decimal numbers keep this from being an address.
fn has_leading_zeros(value: &str) -> bool {
    let (prefix, v4) = value.rsplit_once(':').map_or(("", value), |(prefix, v4)| (prefix, v4));
    let parts: Vec<&str> = v4.split('.').collect();
    let decimal = |part: &&str| !part.is_empty() && part.parse::<u32>().is_ok_and(|number| number < 256);
    parts.len() == 4 && parts.iter().all(decimal) && (prefix.is_empty() || format!("{prefix}:0:0").parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [&str; 0] = [];
    const SUBDOMAIN: &str = r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    const NAME_PART: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

    #[test]
    fn labels() {
        assert_eq!(dns1123_label("k8s-1"), NONE);
        assert_eq!(
            dns1123_label("C_"),
            [
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            ]
        );
        assert_eq!(dns1123_label("a.b"), ["must not contain dots"]);
        assert_eq!(dns1123_label(&"a".repeat(63)), NONE);
        assert_eq!(dns1123_label(&"a".repeat(64)), ["must be no more than 63 characters"]);
        assert_eq!(dns1035_label("a1"), NONE);
        assert_eq!(
            dns1035_label("1a"),
            [
                "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
            ]
        );
    }

    #[test]
    fn subdomains() {
        assert_eq!(dns1123_subdomain("a-1.b.c"), NONE);
        for bad in ["Bad", "a_b", "", ".a", "a..b", "a-.b", "é"] {
            assert_eq!(dns1123_subdomain(bad), [SUBDOMAIN], "{bad}");
        }
        assert_eq!(dns1123_subdomain(&"a".repeat(254)), ["must be no more than 253 characters"]);
        assert_eq!(wildcard_subdomain("*.example.com"), NONE);
        assert_eq!(
            wildcard_subdomain("*.*"),
            [
                r"a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ]
        );
    }

    #[test]
    fn keys() {
        for good in ["a", "A_b.C-d", "example.com/MyName", &"k".repeat(63)] {
            assert_eq!(qualified_name(good), NONE, "{good}");
        }
        assert_eq!(qualified_name("a b"), [NAME_PART]);
        assert_eq!(qualified_name(""), ["name part must be non-empty", NAME_PART]);
        assert_eq!(qualified_name("/a"), ["prefix part must be non-empty"]);
        assert_eq!(qualified_name("A/a"), [format!("prefix part {SUBDOMAIN}")]);
        assert_eq!(qualified_name(&"k".repeat(64)), ["name part must be no more than 63 bytes"]);
        assert_eq!(qualified_name(&format!("{}/k", "p".repeat(254))), ["prefix part must be no more than 253 bytes"]);
        assert_eq!(
            qualified_name("a/b/c"),
            [
                "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            ]
        );
    }

    #[test]
    fn values() {
        for good in ["", "x", "1.2_3-4"] {
            assert_eq!(label_value(good), NONE, "{good}");
        }
        assert_eq!(
            label_value("-x-"),
            [
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            ]
        );
        assert_eq!(label_value(&"x".repeat(64)), ["must be no more than 63 bytes"]);
    }

    #[test]
    fn config_map_keys() {
        assert_eq!(config_map_key(".profile"), NONE);
        let form = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
        assert_eq!(config_map_key("a b"), [form]);
        assert_eq!(config_map_key(""), [form]);
        assert_eq!(config_map_key("."), ["must not be '.'"]);
        assert_eq!(config_map_key(".."), ["must not be '..'"]);
        assert_eq!(config_map_key("..a"), ["must not start with '..'"]);
        assert_eq!(config_map_key(&"a".repeat(254)), ["must be no more than 253 characters"]);
    }

    #[test]
    fn environment_variables() {
        assert_eq!(env_var("1 odd-but.fine"), NONE);
        assert_eq!(env_var(""), ["environment variable name must be non-empty"]);
        for bad in ["a=b", "a\n", "é"] {
            assert_eq!(env_var(bad), ["a valid environment variable name must consist only of printable ASCII characters other than '='"]);
        }
    }

    #[test]
    fn ports() {
        assert_eq!(port_name("http-2"), NONE);
        assert_eq!(port_name("NotValid!"), ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]);
        assert_eq!(
            port_name("-1--2-"),
            ["must contain at least one letter (a-z)", "must not contain consecutive hyphens", "must not begin or end with a hyphen"]
        );
        assert_eq!(port_name("abcdefghijklmnop"), ["must be no more than 15 characters"]);
        assert_eq!(port(65535), NONE);
        assert_eq!(port(0), ["must be between 1 and 65535, inclusive"]);
    }

    #[test]
    fn numbers_and_shares() {
        assert_eq!(non_negative(0), NONE);
        assert_eq!(non_negative(-1), ["must be greater than or equal to 0"]);
        assert_eq!(percent("25%"), NONE);
        for bad in ["2x", "%", "-1%", ""] {
            assert_eq!(
                percent(bad),
                [
                    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
                ]
            );
        }
    }

    #[test]
    fn addresses() {
        for good in ["10.9.8.7", "2001:db8::ffff", "::"] {
            assert_eq!(ip(good), NONE, "{good}");
        }
        for bad in ["1.2.3", "abc", "", "256.1.1.1", "None"] {
            assert_eq!(ip(bad), ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"], "{bad}");
        }
        assert_eq!(ip("010.1.1.1"), ["must not have leading 0s"]);
        assert_eq!(canonical_ip("fd00::1"), NONE);
        assert_eq!(canonical_ip("FD00:0::1"), ["must be in canonical form (\"fd00::1\")"]);
        assert_eq!(ip("::ffff:1.2.3.4"), ["must not be an IPv4-mapped IPv6 address"]);
    }

    #[test]
    fn other_names() {
        assert_eq!(path_segment("system:node"), NONE);
        assert_eq!(path_segment(".."), ["may not be '..'"]);
        assert_eq!(path_segment("a/%"), ["may not contain '/'", "may not contain '%'"]);
        assert_eq!(http_header("X-A"), NONE);
        assert_eq!(http_header("X A").len(), 1);
        assert_eq!(generated_base("web-"), "wea");
        assert_eq!(generated_base("web"), "web");
        assert_eq!(generated_base("-"), "-");
    }
}
