//! Places for the connections that others make.
//!
//! So many in all, half of them kept for the addresses of known peers, and so many for each
//! address, so that one who knows no secret takes them from nobody but itself and its neighbours.

use core::{net::IpAddr, time::Duration};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use crate::shared::lock;

/// How long the log keeps quiet after it has told of a refusal.
const QUIET: Duration = Duration::from_secs(60);

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlaceLimits {
    pub(crate) all: usize,
    pub(crate) address: usize,
}

/// Who has them.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    serial: u64,
    holders: BTreeMap<u64, Holder>,
    said: Option<Instant>,
    unsaid: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holder {
    address: IpAddr,
    stranger: bool,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPlace {
    #[error("all {0} places are taken")]
    Full(usize),
    #[error(
        "all {0} places for addresses that are no peer's are taken: let a firewall or a VPN keep \
         strangers out"
    )]
    Strangers(usize),
    #[error("this address has its {0} places already")]
    Address(usize),
}

/// One place, given up when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    serial: u64,
    stranger: bool,
}

impl Place {
    /// Whether no known peer is at this address.
    pub(crate) const fn is_strangers(&self) -> bool {
        self.stranger
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.places.0).holders.remove(&self.serial);
    }
}

impl Places {
    /// A place for an address, at which so many known peers are.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn take(
        self: &Arc<Self>,
        address: IpAddr,
        peers: usize,
        limits: PlaceLimits,
    ) -> Result<Place, NoPlace> {
        let mut state = lock(&self.0);
        let stranger = peers == 0;
        let holder = Holder { address, stranger };
        state.judge(holder, peers, limits)?;
        state.serial += 1;
        let serial = state.serial;
        state.holders.insert(serial, holder);
        Ok(Place {
            places: Arc::clone(self),
            serial,
            stranger,
        })
    }

    /// Whether a refusal is to be told, and how many were not: whoever knocks without end fills no
    /// log.
    pub(crate) fn tells(&self, now: Instant) -> Option<u64> {
        let mut state = lock(&self.0);
        if state
            .said
            .is_some_and(|said| now.saturating_duration_since(said) < QUIET)
        {
            state.unsaid += 1;
            return None;
        }
        state.said = Some(now);
        Some(core::mem::take(&mut state.unsaid))
    }
}

impl State {
    fn judge(&self, wanted: Holder, peers: usize, limits: PlaceLimits) -> Result<(), NoPlace> {
        let count = |is: &dyn Fn(&Holder) -> bool| self.holders.values().filter(|h| is(h)).count();
        if self.holders.len() >= limits.all {
            return Err(NoPlace::Full(limits.all));
        }
        if !wanted.stranger {
            // Several peers may be behind one address.
            let most = limits.address.saturating_mul(peers);
            if count(&|holder| holder.address == wanted.address) >= most {
                return Err(NoPlace::Address(most));
            }
            return Ok(());
        }
        let most = limits.all.div_ceil(2);
        if count(&|holder| holder.stranger) >= most {
            return Err(NoPlace::Strangers(most));
        }
        let near = network(wanted.address);
        if count(&|holder| holder.stranger && network(holder.address) == near) >= limits.address {
            return Err(NoPlace::Address(limits.address));
        }
        Ok(())
    }
}

/// What one subscriber of a provider has: an IPv4 address, or a /64 of IPv6.
const fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(core::net::Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PlaceLimits = PlaceLimits {
        all: 12,
        address: 2,
    };

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_strangers_address_has_its_few_places_and_they_come_back() {
        let places = Arc::new(Places::default());
        let take = |from: &str| places.take(address(from), 0, LIMITS);
        let first = take("192.0.2.1").expect("a place");
        let _second = take("192.0.2.1").expect("a place");
        assert_eq!(take("192.0.2.1").err(), Some(NoPlace::Address(2)));
        let _other = take("192.0.2.2").expect("another address");
        drop(first);
        take("192.0.2.1").expect("it was given up");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let places = Arc::new(Places::default());
        let take = |from: &str| places.take(address(from), 0, LIMITS);
        let _held = [
            take("2001:db8::1").expect("a place"),
            take("2001:db8::2").expect("a place"),
        ];
        assert_eq!(take("2001:db8::3").err(), Some(NoPlace::Address(2)));
        take("2001:db8:0:1::1").expect("another network");
    }

    #[test]
    fn strangers_from_anywhere_take_half_and_peers_the_rest() {
        let places = Arc::new(Places::default());
        let mut held = Vec::new();
        for last in 0..6 {
            held.push(places.take(address(&format!("192.0.2.{last}")), 0, LIMITS));
        }
        let refused = places.take(address("192.0.2.6"), 0, LIMITS);
        assert_eq!(refused.err(), Some(NoPlace::Strangers(6)));
        // Three peers behind one address.
        for _ in 0..6 {
            held.push(places.take(address("198.51.100.1"), 3, LIMITS));
        }
        let refused = places.take(address("198.51.100.2"), 1, LIMITS);
        assert_eq!(refused.err(), Some(NoPlace::Full(12)));
        assert!(held.iter().all(Result::is_ok));
        held.truncate(11);
        let refused = places.take(address("198.51.100.1"), 2, LIMITS);
        assert_eq!(refused.err(), Some(NoPlace::Address(4)));
    }

    #[test]
    fn one_who_knocks_without_end_is_told_of_once_in_a_while() {
        let places = Places::default();
        let start = Instant::now();
        assert_eq!(places.tells(start), Some(0));
        assert_eq!(places.tells(start), None);
        assert_eq!(places.tells(start + QUIET / 2), None);
        assert_eq!(places.tells(start + QUIET), Some(2));
    }
}
