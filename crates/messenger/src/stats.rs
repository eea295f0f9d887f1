//! The counters of a messenger.

use core::fmt;
use std::sync::Arc;

use federation_roster::OperatorId;

/// The other end of a link, as far as the messenger knows. It is not authenticated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// An operator, if the backend knows which one is at the other end.
    Operator(OperatorId),
    /// A network address, as configured or as observed.
    Address(Arc<str>),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(id) => write!(f, "operator {id}"),
            Self::Address(address) => f.write_str(address),
        }
    }
}

/// The state and the counters of one link. Counters only grow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStats {
    /// The other end.
    pub peer: Peer,
    /// Whether frames can pass right now.
    pub connected: bool,
    /// Frames received from the peer, including dropped ones.
    pub frames_in: u64,
    /// Total size of those frames.
    pub bytes_in: u64,
    /// Frames queued for the peer, including dropped ones.
    pub frames_out: u64,
    /// Total size of those frames.
    pub bytes_out: u64,
    /// Frames from the peer that were dropped because they were not read in time, exceeded a limit,
    /// or were not valid frames of this federation.
    pub dropped_in: u64,
    /// Frames for the peer that were dropped because it did not read them in time.
    pub dropped_out: u64,
    /// How often the link was re-established.
    pub reconnects: u64,
}

impl PeerStats {
    /// Creates zero counters for a link that is down.
    #[must_use]
    pub const fn new(peer: Peer) -> Self {
        Self {
            peer,
            connected: false,
            frames_in: 0,
            bytes_in: 0,
            frames_out: 0,
            bytes_out: 0,
            dropped_in: 0,
            dropped_out: 0,
            reconnects: 0,
        }
    }
}

/// The counters of a messenger. A frame sent to four peers counts four times in `frames_out`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessengerStats {
    /// Frames received, including dropped ones.
    pub frames_in: u64,
    /// Total size of those frames.
    pub bytes_in: u64,
    /// Frames queued for peers, including dropped ones.
    pub frames_out: u64,
    /// Total size of those frames.
    pub bytes_out: u64,
    /// Received frames that were dropped.
    pub dropped_in: u64,
    /// Outgoing frames that were dropped.
    pub dropped_out: u64,
    /// How often links were re-established.
    pub reconnects: u64,
    /// The current links. The totals above also include links that no longer exist.
    pub peers: Vec<PeerStats>,
}

impl MessengerStats {
    /// Adds a link's counters to the totals, and the link to the list.
    pub fn push(&mut self, peer: PeerStats) {
        self.absorb(&peer);
        self.peers.push(peer);
    }

    /// Adds the counters of a former link to the totals only.
    pub fn absorb(&mut self, peer: &PeerStats) {
        // Counts may come from an untrusted process: no sum may overflow.
        for (total, count) in [
            (&mut self.frames_in, peer.frames_in),
            (&mut self.bytes_in, peer.bytes_in),
            (&mut self.frames_out, peer.frames_out),
            (&mut self.bytes_out, peer.bytes_out),
            (&mut self.dropped_in, peer.dropped_in),
            (&mut self.dropped_out, peer.dropped_out),
            (&mut self.reconnects, peer.reconnects),
        ] {
            *total = total.saturating_add(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_the_sums_over_the_links() {
        let mut stats = MessengerStats::default();
        for id in 0..3 {
            let mut peer = PeerStats::new(Peer::Operator(OperatorId::new(id)));
            peer.frames_in = 2;
            peer.dropped_out = u64::from(id);
            stats.push(peer);
        }
        assert_eq!((stats.frames_in, stats.dropped_out), (6, 3));
        assert_eq!(stats.peers.len(), 3);
        assert_eq!(stats.peers[2].peer.to_string(), "operator 2");
    }
}
