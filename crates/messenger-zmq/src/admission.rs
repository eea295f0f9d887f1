//! Limits on the connections that others make.
//!
//! There is a limit on all connections, of which half are reserved for the addresses of known peers,
//! and a limit per address. An attacker can therefore only exhaust the connections of its own
//! network, not those of the peers.

use core::{net::IpAddr, time::Duration};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use crate::shared::lock;

/// Shortest time between two log lines about refused connections.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    pub(crate) total: usize,
    pub(crate) per_address: usize,
}

/// The admitted connections.
#[derive(Debug, Default)]
pub(crate) struct Admission(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    serial: u64,
    holders: BTreeMap<u64, Holder>,
    last_logged: Option<Instant>,
    suppressed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holder {
    address: IpAddr,
    stranger: bool,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("all {0} connections are in use")]
    Full(usize),
    #[error(
        "all {0} connections for addresses of unknown peers are in use: keep strangers out with a \
         firewall or a VPN"
    )]
    Strangers(usize),
    #[error("this address already has {0} connections, the most allowed")]
    Address(usize),
}

/// Permission for one connection, returned when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    serial: u64,
    stranger: bool,
}

impl Permit {
    /// Whether the connection comes from an address of no known peer.
    pub(crate) const fn is_stranger(&self) -> bool {
        self.stranger
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        lock(&self.admission.0).holders.remove(&self.serial);
    }
}

impl Admission {
    /// Admits a connection from an address that belongs to `peers` known peers.
    ///
    /// # Errors
    /// If a limit is reached.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        peers: usize,
        limits: ConnectionLimits,
    ) -> Result<Permit, Refused> {
        let mut state = lock(&self.0);
        let stranger = peers == 0;
        let holder = Holder { address, stranger };
        state.check(holder, peers, limits)?;
        state.serial += 1;
        let serial = state.serial;
        state.holders.insert(serial, holder);
        Ok(Permit {
            admission: Arc::clone(self),
            serial,
            stranger,
        })
    }

    /// Whether to log a refusal now; returns how many were not logged before it. Repeated attempts do
    /// not flood the log.
    pub(crate) fn should_log(&self, now: Instant) -> Option<u64> {
        let mut state = lock(&self.0);
        if state
            .last_logged
            .is_some_and(|logged| now.saturating_duration_since(logged) < LOG_INTERVAL)
        {
            state.suppressed += 1;
            return None;
        }
        state.last_logged = Some(now);
        Some(core::mem::take(&mut state.suppressed))
    }
}

impl State {
    fn check(&self, wanted: Holder, peers: usize, limits: ConnectionLimits) -> Result<(), Refused> {
        let count = |is: &dyn Fn(&Holder) -> bool| self.holders.values().filter(|h| is(h)).count();
        if self.holders.len() >= limits.total {
            return Err(Refused::Full(limits.total));
        }
        if !wanted.stranger {
            // Several peers may be behind one address.
            let most = limits.per_address.saturating_mul(peers);
            if count(&|holder| holder.address == wanted.address) >= most {
                return Err(Refused::Address(most));
            }
            return Ok(());
        }
        let most = limits.total.div_ceil(2);
        if count(&|holder| holder.stranger) >= most {
            return Err(Refused::Strangers(most));
        }
        let near = network(wanted.address);
        if count(&|holder| holder.stranger && network(holder.address) == near) >= limits.per_address
        {
            return Err(Refused::Address(limits.per_address));
        }
        Ok(())
    }
}

/// Returns the network that one customer of a provider has: an IPv4 address, or an IPv6 /64.
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

    const LIMITS: ConnectionLimits = ConnectionLimits {
        total: 12,
        per_address: 2,
    };

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_unknown_address_gets_few_connections_and_they_are_freed() {
        let admission = Arc::new(Admission::default());
        let admit = |from: &str| admission.admit(address(from), 0, LIMITS);
        let first = admit("192.0.2.1").expect("admitted");
        let _second = admit("192.0.2.1").expect("admitted");
        assert_eq!(admit("192.0.2.1").err(), Some(Refused::Address(2)));
        let _other = admit("192.0.2.2").expect("another address");
        drop(first);
        admit("192.0.2.1").expect("one was freed");
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let admission = Arc::new(Admission::default());
        let admit = |from: &str| admission.admit(address(from), 0, LIMITS);
        let _held = [
            admit("2001:db8::1").expect("admitted"),
            admit("2001:db8::2").expect("admitted"),
        ];
        assert_eq!(admit("2001:db8::3").err(), Some(Refused::Address(2)));
        admit("2001:db8:0:1::1").expect("another network");
    }

    #[test]
    fn unknown_addresses_get_half_of_the_connections_and_peers_the_rest() {
        let admission = Arc::new(Admission::default());
        let mut held = Vec::new();
        for last in 0..6 {
            held.push(admission.admit(address(&format!("192.0.2.{last}")), 0, LIMITS));
        }
        let refused = admission.admit(address("192.0.2.6"), 0, LIMITS);
        assert_eq!(refused.err(), Some(Refused::Strangers(6)));
        // Three peers behind one address.
        for _ in 0..6 {
            held.push(admission.admit(address("198.51.100.1"), 3, LIMITS));
        }
        let refused = admission.admit(address("198.51.100.2"), 1, LIMITS);
        assert_eq!(refused.err(), Some(Refused::Full(12)));
        assert!(held.iter().all(Result::is_ok));
        held.truncate(11);
        let refused = admission.admit(address("198.51.100.1"), 2, LIMITS);
        assert_eq!(refused.err(), Some(Refused::Address(4)));
    }

    #[test]
    fn repeated_refusals_are_logged_once_per_interval() {
        let admission = Admission::default();
        let start = Instant::now();
        assert_eq!(admission.should_log(start), Some(0));
        assert_eq!(admission.should_log(start), None);
        assert_eq!(admission.should_log(start + LOG_INTERVAL / 2), None);
        assert_eq!(admission.should_log(start + LOG_INTERVAL), Some(2));
    }
}
