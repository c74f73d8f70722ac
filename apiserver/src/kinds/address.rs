//! Addresses and ports: which are valid, in upstream's words. Knows no kind.

use std::net::{IpAddr, Ipv4Addr};

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mini_api::name;

use super::field::{Errors, Path};

/// The transport protocols a port may have.
pub(super) const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

/// A port number must be between 1 and 65535.
pub(super) fn port(number: i32, path: &Path<'_>, errors: &mut Errors) {
    for detail in name::port(number) {
        errors.invalid(path, number, &detail);
    }
}

/// A port is given by number or by the name a container gave it.
pub(super) fn port_or_name(port_or_name: &IntOrString, path: &Path<'_>, errors: &mut Errors) {
    match port_or_name {
        IntOrString::Int(number) => port(*number, path, errors),
        IntOrString::String(text) => errors.invalid_all(path, text, name::port_name(text)),
    }
}

/// A protocol must be one of [`PROTOCOLS`].
pub(super) fn protocol(protocol: &str, path: &Path<'_>, errors: &mut Errors) {
    if protocol.is_empty() {
        errors.required(path, "");
    } else if !PROTOCOLS.contains(&protocol) {
        errors.unsupported(path, protocol, PROTOCOLS);
    }
}

/// An IP address in canonical notation. Returns whether it is one.
pub(super) fn ip(value: &str, path: &Path<'_>, errors: &mut Errors) -> bool {
    let wrong = name::ip(value);
    let is_good = wrong.is_empty();
    errors.invalid_all(path, value, wrong);
    is_good
}

/// A name under which a load balancer is found.
pub(super) fn hostname(value: &str, path: &Path<'_>, errors: &mut Errors) {
    errors.invalid_all(path, value, name::dns1123_subdomain(value));
    if parse(value).is_some() {
        errors.invalid(path, value, "must be a DNS name, not an IP address");
    }
}

/// An IP address that traffic can be sent to.
pub(super) fn endpoint_ip(value: &str, path: &Path<'_>, errors: &mut Errors) {
    let Some(address) = parse(value) else {
        return errors.invalid(path, value, "must be a valid IP address");
    };
    if address.is_unspecified() {
        errors.invalid(path, value, &format!("may not be unspecified ({value})"));
    }
    if address.is_loopback() {
        errors.invalid(path, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    let (link_local, link_local_multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.segments()[0] & 0xff0f == 0xff02),
    };
    if link_local {
        errors.invalid(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if link_local_multicast {
        errors.invalid(path, value, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}

/// A network: an address and how many of its bits count.
#[derive(Clone, Copy)]
pub(super) struct Network {
    address: IpAddr,
    length: u32,
}

impl Network {
    /// The network `value` names, in whichever notation.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (address, length) = value.split_once('/')?;
        let address = parse(address)?;
        let length = length.bytes().all(|byte| byte.is_ascii_digit()).then(|| length.parse().ok()).flatten()?;
        (length <= width(address)).then_some(Self { address, length })
    }

    /// Whether `other` is a part of this network, and not all of it.
    pub(super) fn strictly_contains(self, other: Self) -> bool {
        let of = |network: Self| network.bits() & self.mask();
        self.address.is_ipv4() == other.address.is_ipv4() && self.length < other.length && of(self) == of(other)
    }

    /// The canonical notation.
    pub(super) fn canonical(self) -> String {
        format!("{}/{}", self.address, self.length)
    }

    fn bits(self) -> u128 {
        match self.address {
            IpAddr::V4(v4) => u32::from(v4).into(),
            IpAddr::V6(v6) => v6.into(),
        }
    }

    /// The bits that count.
    fn mask(self) -> u128 {
        let all = if self.address.is_ipv4() { u32::MAX.into() } else { u128::MAX };
        all & !all.checked_shr(self.length).unwrap_or(0)
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// A network in canonical notation.
pub(super) fn cidr(value: &str, path: &Path<'_>, errors: &mut Errors) {
    let (Some(network), Some((address, length))) = (Network::parse(value), value.split_once('/')) else {
        return errors.invalid(path, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
    };
    if address.parse::<IpAddr>().is_err() || (length.len() > 1 && length.starts_with('0')) {
        errors.invalid(path, value, "must not have leading 0s in IP or prefix length");
    }
    if network.bits() & !network.mask() != 0 {
        errors.invalid(path, value, "must not have bits set beyond the prefix length");
    }
}

/// Whether the addresses are of both families, one each.
pub(super) fn is_dual_stack(addresses: &[&str]) -> bool {
    let is_v6 = |address: &&str| address.split('/').next().and_then(|ip| ip.parse::<IpAddr>().ok()).map(|ip| ip.is_ipv6());
    addresses.len() == 2 && is_v6(&addresses[0]).is_some() && is_v6(&addresses[1]) == is_v6(&addresses[0]).map(|v6| !v6)
}

/// The address `value` names, in whichever notation.
pub(super) fn parse(value: &str) -> Option<IpAddr> {
    value.parse().ok().or_else(|| sloppy(value).map(IpAddr::V4))
}

/// An IPv4 address as old clients write it: leading zeros do not matter.
fn sloppy(value: &str) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut parts = value.split('.');
    for octet in &mut octets {
        let part = parts.next().filter(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *octet = part.parse().ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(check: impl FnOnce(&Path<'_>, &mut Errors)) -> String {
        let mut errors = Errors::new();
        check(&Path::new("x"), &mut errors);
        errors.causes().iter().map(|cause| cause.message.clone()).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn addresses() {
        for (value, want) in [
            ("10.1.2.3", ""),
            ("fd00::1", ""),
            ("1.2.3", "Invalid value: \"1.2.3\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
            ("010.1.2.3", "Invalid value: \"010.1.2.3\": must not have leading 0s"),
            ("::ffff:1.2.3.4", "Invalid value: \"::ffff:1.2.3.4\": must not be an IPv4-mapped IPv6 address"),
        ] {
            assert_eq!(said(|path, errors| _ = ip(value, path, errors)), want, "{value}");
        }
        for (value, want) in [
            ("10.1.2.3", ""),
            ("127.0.0.1", "Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)"),
            ("0.0.0.0", "Invalid value: \"0.0.0.0\": may not be unspecified (0.0.0.0)"),
            ("169.254.0.1", "Invalid value: \"169.254.0.1\": may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
            ("224.0.0.9", "Invalid value: \"224.0.0.9\": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
        ] {
            assert_eq!(said(|path, errors| endpoint_ip(value, path, errors)), want, "{value}");
        }
    }

    #[test]
    fn networks() {
        for (value, want) in [
            ("10.0.0.0/8", ""),
            ("::/0", ""),
            ("fd00::/8", ""),
            ("10.0.0.1/8", "Invalid value: \"10.0.0.1/8\": must not have bits set beyond the prefix length"),
            ("10.0.0.0/33", "Invalid value: \"10.0.0.0/33\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
            ("10.0.0.0", "Invalid value: \"10.0.0.0\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
        ] {
            assert_eq!(said(|path, errors| cidr(value, path, errors)), want, "{value}");
        }
        assert!(is_dual_stack(&["10.0.0.1", "fd00::1"]) && !is_dual_stack(&["10.0.0.1", "10.0.0.2"]));
    }
}
