//! `create secret tls`.

use std::fs;

use serde_json::Value;

use super::{Named, secret};
use crate::{
    error::{Result, usage},
    manifest::cannot_open,
};

/// Create a TLS secret from a certificate and its key.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    named: Named,
    /// The file of the certificate, in PEM.
    #[arg(long, value_name = "PATH", default_value = "")]
    cert: String,
    /// The file of its private key, in PEM.
    #[arg(long, value_name = "PATH", default_value = "")]
    key: String,
}

pub(super) fn made(args: Args) -> Result<(Named, Value)> {
    let name = args.named.generating.name("secret tls")?;
    if args.cert.is_empty() || args.key.is_empty() {
        return Err(usage("key and cert must be specified"));
    }
    let read = |path: &str| fs::read(path).map_err(|error| usage(format!("Cannot read file {path}, {}", cannot_open(path, &error))));
    let (cert, key) = (read(&args.cert)?, read(&args.key)?);
    check(&labels(&cert), &labels(&key)).map_err(|why| usage(format!("tls: {why}")))?;
    let entries = vec![("tls.crt".to_owned(), cert), ("tls.key".to_owned(), key)];
    let secret = secret(name, "kubernetes.io/tls", entries, args.named.append_hash)?;
    Ok((args.named, secret))
}

/// What the blocks of a PEM file are called.
fn labels(pem: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(pem);
    let label = |line: &str| Some(line.trim_end().strip_prefix("-----BEGIN ")?.strip_suffix("-----")?.to_owned());
    let ends = |label: &String| text.contains(&format!("-----END {label}-----"));
    text.lines().filter_map(label).filter(ends).collect()
}

/// Whether there is a certificate in the one, and a private key in the other. Source: Go's `tls.X509KeyPair`, of which it is the first part.
fn check(cert: &[String], key: &[String]) -> Result<(), String> {
    let is_certificate = |label: &String| label == "CERTIFICATE";
    let is_key = |label: &String| label == "PRIVATE KEY" || label.ends_with(" PRIVATE KEY");
    let skipped = |labels: &[String]| labels.join(" ");
    match (cert, key) {
        ([], _) => Err("failed to find any PEM data in certificate input".into()),
        ([only], _) if is_key(only) => Err(
            "failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched".into(),
        ),
        (cert, _) if !cert.iter().any(is_certificate) => Err(format!(
            "failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the following types: [{}]",
            skipped(cert)
        )),
        (_, []) => Err("failed to find any PEM data in key input".into()),
        (_, [only]) if is_certificate(only) => {
            Err("found a certificate rather than a key in the PEM for the private key".into())
        }
        (_, key) if !key.iter().any(is_key) => Err(format!(
            "failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM blocks of the following types: [{}]",
            skipped(key)
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_a_key_are_looked_for() {
        let block = |label: &str| labels(format!("junk\n-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").as_bytes());
        let (cert, key) = (block("CERTIFICATE"), block("EC PRIVATE KEY"));
        assert_eq!(check(&cert, &key), Ok(()));
        assert_eq!(check(&cert, &block("PRIVATE KEY")), Ok(()));
        for (cert, key, why) in [
            (&vec![], &key, "failed to find any PEM data in certificate input"),
            (&key, &cert, "failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"),
            (&cert, &vec![], "failed to find any PEM data in key input"),
            (&cert, &cert, "found a certificate rather than a key in the PEM for the private key"),
        ] {
            assert_eq!(check(cert, key), Err(why.to_owned()));
        }
    }
}
