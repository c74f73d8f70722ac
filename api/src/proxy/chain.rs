//! What kube-proxy calls its chains: a prefix and a hash, for iptables takes no more than 28 characters.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

use super::{Endpoint, PortName};

/// The alphabet of base32.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// How many characters of the hash there is room for.
const LENGTH: usize = 16;

/// The chain of a port, such as `KUBE-SVC-NPX46M4PTMTKRN6Y`; the prefix is `KUBE-SVC-`, `KUBE-SVL-`, `KUBE-EXT-` or `KUBE-FW-`.
#[must_use]
pub fn of_port(prefix: &str, port: &PortName) -> String {
    format!("{prefix}{}", hash(&format!("{port}{}", port.protocol.to_lowercase())))
}

/// The chain of one endpoint of a port.
#[must_use]
pub fn of_endpoint(port: &PortName, endpoint: &Endpoint) -> String {
    let mut text = format!("{port}{}", port.protocol.to_lowercase());
    // Writing to a String cannot fail.
    let _ = write!(text, "{endpoint}");
    format!("KUBE-SEP-{}", hash(&text))
}

/// The beginning of the SHA-256 of a text, in base32.
fn hash(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let bit = |at: usize| digest.as_ref()[at / 8] >> (7 - at % 8) & 1;
    let letter = |at: usize| ALPHABET[(0..5).fold(0, |value, step| value << 1 | usize::from(bit(at * 5 + step)))];
    (0..LENGTH).map(|at| char::from(letter(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_called_as_upstream_calls_them() {
        // Any cluster has this one.
        let kubernetes =
            PortName { namespace: "default".into(), service: "kubernetes".into(), port: "https".into(), protocol: "TCP".into() };
        assert_eq!(of_port("KUBE-SVC-", &kubernetes), "KUBE-SVC-NPX46M4PTMTKRN6Y");
        // The course notes', of a time when a port without a name still had a colon.
        assert_eq!(hash("default/httpd-service:tcp"), "X2P42VLQEZCHLPKZ");
        assert_eq!(hash("default/httpd-service-nodeport:tcp"), "MXEPW2VD44WIV6HB");
        assert_eq!(hash("default/httpd-service:tcp10.0.32.3:80"), "V3J6SC7YPE7EHKKB");
        assert_eq!(hash("default/httpd-service:tcp10.0.32.4:80"), "2QG6JRQA3LIDSRC6");
    }
}
