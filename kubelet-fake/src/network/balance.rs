//! Which of several endpoints a connection gets: round robin, or the one its client had before.
//!
//! kube-proxy in its iptables mode draws lots for every connection. Its shares are even, but only of many: four requests to two pods may
//! well all reach one, and nothing that a class sees or a test expects can be said of them. Its ipvs mode goes round by default, and so
//! do we: each port by itself, in the order of addresses, from where it was. It has the same shares, at once.
//!
//! Must not know: where endpoints come from.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use mini_api::proxy::Endpoint;
use tokio::time::Instant;

/// How many clients of one port are remembered. The kernel remembers 100 for each endpoint.
const CLIENTS: usize = 10_000;

/// What is remembered of one port.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    last: Option<(IpAddr, u16)>,
    clients: HashMap<IpAddr, (SocketAddr, Instant)>,
}

impl Turns {
    /// The endpoint for a connection of `client`, who keeps his for as long as `affinity` after each use. None if there is none.
    pub(crate) fn choose(&mut self, usable: &[&Endpoint], client: IpAddr, affinity: Option<Duration>, now: Instant) -> Option<SocketAddr> {
        let address = |endpoint: &Endpoint| SocketAddr::new(endpoint.ip, endpoint.port);
        let Some(lasts) = affinity else {
            self.clients.clear();
            return self.next(usable);
        };
        let kept = self.clients.get(&client).filter(|(_, used)| now.duration_since(*used) < lasts).map(|(kept, _)| *kept);
        let kept = kept.filter(|kept| usable.iter().any(|endpoint| address(endpoint) == *kept));
        let chosen = kept.or_else(|| self.next(usable))?;
        if self.clients.len() >= CLIENTS {
            self.clients.retain(|_, (_, used)| now.duration_since(*used) < lasts);
        }
        if self.clients.len() < CLIENTS || self.clients.contains_key(&client) {
            self.clients.insert(client, (chosen, now));
        }
        Some(chosen)
    }

    /// The next one after the last, which may be gone.
    fn next(&mut self, usable: &[&Endpoint]) -> Option<SocketAddr> {
        let all = || usable.iter().map(|endpoint| (endpoint.ip, endpoint.port));
        let next = all().filter(|one| self.last.is_none_or(|last| *one > last)).min().or_else(|| all().min())?;
        self.last = Some(next);
        Some(next.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(last: &[u8]) -> Vec<Endpoint> {
        let one =
            |last: &u8| Endpoint { ip: [10, 0, 0, *last].into(), port: 80, node: None, ready: true, serving: true, terminating: false };
        last.iter().map(one).collect()
    }

    /// The last octets that are chosen in turn.
    fn chosen(turns: &mut Turns, among: &[u8], clients: &[u8], affinity: Option<u64>, now: Instant) -> Vec<u8> {
        let all = endpoints(among);
        let usable: Vec<&Endpoint> = all.iter().collect();
        let last = |address: SocketAddr| if let IpAddr::V4(ip) = address.ip() { ip.octets()[3] } else { 0 };
        let affinity = affinity.map(Duration::from_secs);
        clients.iter().filter_map(|client| turns.choose(&usable, [10, 1, 0, *client].into(), affinity, now).map(last)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_has_his_turn() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        assert_eq!(chosen(&mut turns, &[10, 2, 3], &[1; 5], None, now), [2, 3, 10, 2, 3]);
        assert_eq!(chosen(&mut turns, &[2, 4, 10], &[1; 4], None, now), [4, 10, 2, 4], "one went, one came");
        assert_eq!(chosen(&mut turns, &[1], &[1; 2], None, now), [1, 1]);
        assert_eq!(chosen(&mut turns, &[], &[1], None, now), [] as [u8; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_stays_until_he_was_away_for_long() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(chosen(&mut turns, &[1, 2, 3], &[7, 8, 7, 8], Some(60), now), [1, 2, 1, 2]);
        assert_eq!(chosen(&mut turns, &[1, 2, 3], &[7], Some(60), after(59)), [1]);
        assert_eq!(chosen(&mut turns, &[1, 2, 3], &[7], Some(60), after(118)), [1], "each use counts anew");
        assert_eq!(chosen(&mut turns, &[1, 2, 3], &[7], Some(60), after(178)), [3]);
        assert_eq!(chosen(&mut turns, &[1, 2], &[7], Some(60), after(179)), [1], "his endpoint is gone");
        assert_eq!(chosen(&mut turns, &[1, 2], &[7, 7], None, after(179)), [2, 1], "no affinity any more");
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let all = endpoints(&[1, 2]);
        let usable: Vec<&Endpoint> = all.iter().collect();
        for number in 0..u32::try_from(CLIENTS).unwrap() + 100 {
            turns.choose(&usable, IpAddr::V4(number.into()), Some(Duration::from_secs(60)), now);
        }
        assert_eq!(turns.clients.len(), CLIENTS);
        turns.choose(&usable, [9, 9, 9, 9].into(), Some(Duration::from_secs(60)), now + Duration::from_secs(61));
        assert_eq!(turns.clients.len(), 1, "those whose time is over give way");
    }
}
