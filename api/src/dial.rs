//! How a connection that cannot be made is told: clients know Go's words for it, and look for them.

use std::{fmt::Display, io};

/// `dial tcp 10.244.1.2:80: connect: connection refused`.
#[must_use]
pub fn failure(address: impl Display, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused",
        io::ErrorKind::ConnectionReset => "connect: connection reset by peer",
        io::ErrorKind::HostUnreachable => "connect: no route to host",
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable",
        io::ErrorKind::TimedOut => "i/o timeout",
        _ => return format!("dial tcp {address}: {error}"),
    };
    format!("dial tcp {address}: {why}")
}

/// What went wrong, from what [`failure`] made of it.
#[must_use]
pub fn cause(told: &str) -> io::ErrorKind {
    let kinds = [
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::HostUnreachable,
        io::ErrorKind::NetworkUnreachable,
        io::ErrorKind::TimedOut,
    ];
    let told_of = |kind: io::ErrorKind| failure("", &kind.into()).replace("dial tcp : ", ": ");
    kinds.into_iter().find(|kind| told.trim().ends_with(&told_of(*kind))).unwrap_or(io::ErrorKind::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_gos_words() {
        let told = |kind: io::ErrorKind| failure("10.244.1.2:80", &io::Error::from(kind));
        assert_eq!(told(io::ErrorKind::ConnectionRefused), "dial tcp 10.244.1.2:80: connect: connection refused");
        assert_eq!(told(io::ErrorKind::TimedOut), "dial tcp 10.244.1.2:80: i/o timeout");
        for kind in [io::ErrorKind::ConnectionRefused, io::ErrorKind::HostUnreachable, io::ErrorKind::TimedOut, io::ErrorKind::Other] {
            assert_eq!(cause(&told(kind)), kind);
        }
        let odd = failure("a", &io::Error::other("too many open files"));
        assert_eq!(odd, "dial tcp a: too many open files");
    }
}
