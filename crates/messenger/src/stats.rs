//! What a messenger has carried and dropped.

use core::fmt;
use std::sync::Arc;

use federation_roster::OperatorId;

/// The other end of a link, as far as the messenger knows it. Nothing is proven by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// An operator, where the backend knows who sits at the other end.
    Operator(OperatorId),
    /// A network address, as configured or as seen.
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

/// Counters of one link. They only grow, except [`connected`](Self::connected).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStats {
    /// The other end.
    pub peer: Peer,
    /// Whether frames can pass at this moment.
    pub connected: bool,
    /// Frames that came from the peer, dropped ones included.
    pub frames_in: u64,
    /// Bytes in those frames.
    pub bytes_in: u64,
    /// Frames handed over for the peer, dropped ones included.
    pub frames_out: u64,
    /// Bytes in those frames.
    pub bytes_out: u64,
    /// Frames from the peer dropped because we did not read them in time, or they were over a
    /// limit or not ours.
    pub dropped_in: u64,
    /// Frames for the peer dropped because it did not read them in time.
    pub dropped_out: u64,
    /// How often the link came up again after it had gone down.
    pub reconnects: u64,
}

impl PeerStats {
    /// Zero counters of a link that is down.
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

/// Counters of a messenger. A frame that goes to four peers counts four times in `frames_out`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessengerStats {
    /// Frames that came in, dropped ones included.
    pub frames_in: u64,
    /// Bytes in those frames.
    pub bytes_in: u64,
    /// Frames handed over for peers, dropped ones included.
    pub frames_out: u64,
    /// Bytes in those frames.
    pub bytes_out: u64,
    /// Frames dropped on the way in.
    pub dropped_in: u64,
    /// Frames dropped on the way out.
    pub dropped_out: u64,
    /// How often links came up again.
    pub reconnects: u64,
    /// The links as they are now. The totals above also count links that are gone.
    pub peers: Vec<PeerStats>,
}

impl MessengerStats {
    /// Adds a link's counters to the totals, and the link to the list.
    pub fn push(&mut self, peer: PeerStats) {
        self.absorb(&peer);
        self.peers.push(peer);
    }

    /// Adds the counters of a link that is gone to the totals only.
    pub fn absorb(&mut self, peer: &PeerStats) {
        // Counts may come from where they are not to be trusted: no sum runs over.
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
