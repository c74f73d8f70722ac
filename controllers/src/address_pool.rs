//! Addresses that are given out: a range of them, and which of it is free. Nothing is remembered: who has one says so.
//!
//! The last of a range of more than two is not given out: all Ingresses have it together.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr, str::FromStr};

/// A range of IPv4 addresses, as `203.0.113.0/24`; or none at all, as the empty text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPool(Option<Range>);

/// The network's own address and the one for all of it are not given out either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    base: u32,
    length: u8,
    first: u32,
    last: u32,
}

impl AddressPool {
    /// Without addresses.
    pub const NONE: Self = Self(None);

    pub(crate) fn is_none(self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn contains(self, address: Ipv4Addr) -> bool {
        self.0.is_some_and(|range| (range.first..=range.last).contains(&address.to_bits()))
    }

    /// The address of all Ingresses, if there is room for one.
    pub(crate) fn of_ingresses(self) -> Option<Ipv4Addr> {
        self.0.filter(|range| range.last - range.first >= 2).map(|range| Ipv4Addr::from_bits(range.last))
    }

    /// The wished address, or the first that nobody has. `taken` says who has which.
    ///
    /// # Errors
    /// Why there is none, for an Event.
    pub(crate) fn choose(self, wish: Option<&str>, taken: &BTreeMap<Ipv4Addr, String>) -> Result<Ipv4Addr, String> {
        let Some(wish) = wish else {
            let Some(range) = self.0 else { return Err("there is no pool of addresses".to_owned()) };
            // The taken ones are in order: the first gap is the answer.
            let mut free = range.first;
            for held in taken.range(Ipv4Addr::from_bits(range.first)..).map(|(address, _)| address.to_bits()) {
                if held != free {
                    break;
                }
                free += 1;
            }
            let kept = self.of_ingresses().is_some_and(|kept| kept.to_bits() == free);
            return if free <= range.last && !kept {
                Ok(Ipv4Addr::from_bits(free))
            } else {
                Err(format!("the address pool {self} is exhausted"))
            };
        };
        let address: Ipv4Addr = wish.parse().map_err(|_| format!("the requested address {wish:?} is no IPv4 address"))?;
        if !self.contains(address) {
            return Err(format!("the requested address {address} is not in the address pool {self}"));
        }
        if self.of_ingresses() == Some(address) {
            return Err(format!("the requested address {address} is that of all Ingresses"));
        }
        match taken.get(&address) {
            Some(holder) => Err(format!("the requested address {address} is in use by {holder:?}")),
            None => Ok(address),
        }
    }
}

impl FromStr for AddressPool {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::NONE);
        }
        let wrong = || format!("{text:?} is no range of IPv4 addresses, such as 203.0.113.0/24");
        let (address, length) = text.split_once('/').ok_or_else(wrong)?;
        let (address, length): (Ipv4Addr, u8) = (address.parse().map_err(|_| wrong())?, length.parse().map_err(|_| wrong())?);
        // A range of one or two has neither an address of its own nor one for all.
        let edge = u32::from(length < 31);
        let hosts = match length {
            1..=32 => u32::MAX.checked_shr(length.into()).unwrap_or(0),
            _ => return Err(wrong()),
        };
        let base = address.to_bits() & !hosts;
        Ok(Self(Some(Range { base, length, first: base + edge, last: base + hosts - edge })))
    }
}

impl fmt::Display for AddressPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(range) => write!(f, "{}/{}", Ipv4Addr::from_bits(range.base), range.length),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(text: &str) -> AddressPool {
        text.parse().unwrap()
    }

    #[test]
    fn a_pool_is_a_range() {
        for (text, shown, first, last) in [
            ("203.0.113.7/24", "203.0.113.0/24", [203, 0, 113, 1], [203, 0, 113, 254]),
            ("10.0.0.4/30", "10.0.0.4/30", [10, 0, 0, 5], [10, 0, 0, 6]),
            ("10.0.0.4/31", "10.0.0.4/31", [10, 0, 0, 4], [10, 0, 0, 5]),
            ("10.0.0.9/32", "10.0.0.9/32", [10, 0, 0, 9], [10, 0, 0, 9]),
        ] {
            let Range { first: from, last: to, .. } = pool(text).0.unwrap();
            assert_eq!(
                (pool(text).to_string().as_str(), from, to),
                (shown, Ipv4Addr::from(first).to_bits(), Ipv4Addr::from(last).to_bits())
            );
        }
        assert_eq!(pool(""), AddressPool::NONE);
        for wrong in ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/0", "::/64", "10.0.0/8"] {
            assert!(wrong.parse::<AddressPool>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_free_address_is_given() {
        let taken =
            |last: &[u8]| last.iter().map(|last| (Ipv4Addr::new(10, 0, 0, *last), format!("n/s{last}"))).collect::<BTreeMap<_, _>>();
        let choose = |wish, held: &[u8]| pool("10.0.0.0/30").choose(wish, &taken(held));
        let address = |last| Ok(Ipv4Addr::new(10, 0, 0, last));
        assert_eq!(choose(None, &[]), address(1));
        assert_eq!(choose(None, &[1, 9]), address(2));
        assert_eq!(choose(None, &[0, 2]), address(1));
        assert_eq!(choose(None, &[1, 2]), Err("the address pool 10.0.0.0/30 is exhausted".to_owned()));
        assert_eq!(choose(Some("10.0.0.2"), &[1]), address(2));
        assert_eq!(choose(Some("10.0.0.1"), &[1]), Err("the requested address 10.0.0.1 is in use by \"n/s1\"".to_owned()));
        let elsewhere = "the requested address 10.0.0.3 is not in the address pool 10.0.0.0/30";
        assert_eq!(choose(Some("10.0.0.3"), &[]), Err(elsewhere.to_owned()));
        let wide = |wish, held: &[u8]| pool("10.0.0.0/29").choose(wish, &taken(held));
        assert_eq!(pool("10.0.0.0/29").of_ingresses(), Some(Ipv4Addr::new(10, 0, 0, 6)));
        assert_eq!(pool("10.0.0.0/30").of_ingresses(), None, "too few");
        assert_eq!(wide(None, &[1, 2, 3, 4]), address(5));
        assert_eq!(wide(None, &[1, 2, 3, 4, 5]), Err("the address pool 10.0.0.0/29 is exhausted".to_owned()));
        assert_eq!(wide(Some("10.0.0.6"), &[]), Err("the requested address 10.0.0.6 is that of all Ingresses".to_owned()));
        assert_eq!(choose(Some("::1"), &[]), Err("the requested address \"::1\" is no IPv4 address".to_owned()));
    }
}
