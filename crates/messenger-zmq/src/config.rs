//! How a ZeroMQ messenger is set up.

use core::time::Duration;
use std::{io, sync::Arc};

use federation_messenger::QueueLimits;
use federation_roster::{FederationId, OperatorId};

use crate::{Endpoint, Resolve, SystemNames, places::PlaceLimits};

/// Where to listen, whom to hear, and the limits of each link.
#[derive(Debug, Clone)]
pub struct ZmqConfig {
    listen: Endpoint,
    federation: FederationId,
    me: Option<OperatorId>,
    peers: Vec<(Endpoint, Option<OperatorId>)>,
    resolver: Arc<dyn Resolve>,
    pub(crate) limits: LinkLimits,
}

/// What one link may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkLimits {
    pub(crate) queue: QueueLimits,
    pub(crate) places: PlaceLimits,
    pub(crate) handshake: Duration,
    pub(crate) stall: Duration,
    pub(crate) first_retry: Duration,
    pub(crate) last_retry: Duration,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            queue: QueueLimits::default(),
            places: PlaceLimits {
                all: 128,
                address: 8,
            },
            handshake: Duration::from_secs(5),
            stall: Duration::from_secs(20),
            first_retry: Duration::from_millis(20),
            last_retry: Duration::from_secs(1),
        }
    }
}

impl ZmqConfig {
    /// Listens at an endpoint and carries frames of one federation.
    ///
    /// The endpoint to listen at need not be the one that peers are told: behind a router it is
    /// often `0.0.0.0:5000` or `[::]:5000`.
    #[must_use]
    pub fn new(listen: Endpoint, federation: FederationId) -> Self {
        Self {
            listen,
            federation,
            me: None,
            peers: Vec::new(),
            resolver: Arc::new(SystemNames),
            limits: LinkLimits::default(),
        }
    }

    /// Which operator this is. Peers are told, so that they can send it alone what is for it alone,
    /// and [`send_to`](federation_messenger::Messenger::send_to) then addresses one operator.
    /// Without it, frames for one go to all, both ways.
    #[must_use]
    pub const fn with_operator(mut self, me: OperatorId) -> Self {
        self.me = Some(me);
        self
    }

    /// Endpoints of operators to hear, in addition to those given before. Who is there is not known,
    /// so a peer that cannot reach this operator is sent nothing: rather use
    /// [`with_operators`](Self::with_operators).
    #[must_use]
    pub fn with_peers(mut self, peers: impl IntoIterator<Item = Endpoint>) -> Self {
        let peers = peers.into_iter().map(|endpoint| (endpoint, None));
        self.peers.extend(peers);
        self
    }

    /// The other operators and their endpoints, in addition to those given before.
    ///
    /// If [`with_operator`](Self::with_operator) says who this is, each of them is offered the
    /// frames over the connection that was made to it, too, and takes them that way as long as it
    /// does not reach this operator at its endpoint. One's own endpoint does no harm.
    #[must_use]
    pub fn with_operators(
        mut self,
        operators: impl IntoIterator<Item = (OperatorId, Endpoint)>,
    ) -> Self {
        let operators = operators.into_iter();
        self.peers
            .extend(operators.map(|(operator, endpoint)| (endpoint, Some(operator))));
        self
    }

    /// Who turns the peers' names into addresses, for those who have a directory of their own; the
    /// system by default.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Limits of the queue of frames from each peer, and of the one for each subscriber. The
    /// default is that of [`QueueLimits`].
    #[must_use]
    pub const fn with_queue_limits(mut self, limits: QueueLimits) -> Self {
        self.limits.queue = limits;
        self
    }

    /// Most connections taken at a time, 128 by default. Half of them are kept for the addresses
    /// that the peers' endpoints resolve to.
    #[must_use]
    pub const fn with_max_connections(mut self, connections: usize) -> Self {
        self.limits.places.all = connections;
        self
    }

    /// Most connections taken from one address at a time, 8 by default: from one IPv4 address or
    /// /64 of IPv6, and from the address of several peers so many for each. An operator needs two,
    /// and for half a minute four after its link has broken. More are needed if several operators
    /// are behind an address that is no endpoint's.
    #[must_use]
    pub const fn with_max_per_address(mut self, connections: usize) -> Self {
        self.limits.places.address = connections;
        self
    }

    /// How long a new connection may take until it is of use, 5 s by default.
    #[must_use]
    pub const fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.limits.handshake = timeout;
        self
    }

    /// How long a peer may take no byte of what waits for it, 20 s by default.
    #[must_use]
    pub const fn with_stall_timeout(mut self, timeout: Duration) -> Self {
        self.limits.stall = timeout;
        self
    }

    /// How long to wait before connecting again, at first and at most: 20 ms and 1 s by default,
    /// doubled in between.
    #[must_use]
    pub const fn with_retry(mut self, first: Duration, most: Duration) -> Self {
        self.limits.first_retry = first;
        self.limits.last_retry = most;
        self
    }

    pub(crate) const fn listen(&self) -> &Endpoint {
        &self.listen
    }

    pub(crate) const fn federation(&self) -> FederationId {
        self.federation
    }

    pub(crate) const fn me(&self) -> Option<OperatorId> {
        self.me
    }

    pub(crate) fn resolver(&self) -> Arc<dyn Resolve> {
        Arc::clone(&self.resolver)
    }

    pub(crate) fn peers(&self) -> &[(Endpoint, Option<OperatorId>)] {
        &self.peers
    }
}

/// Why a messenger could not be set up.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ZmqError {
    /// The address is taken, not ours, or unknown.
    #[error("cannot listen at `{endpoint}`")]
    Bind {
        /// What was configured.
        endpoint: Endpoint,
        /// What the system says.
        #[source]
        source: Arc<io::Error>,
    },
    /// A peer that listens nowhere.
    #[error("peer `{endpoint}` has port 0, at which nobody can be reached")]
    PeerPort {
        /// What was configured.
        endpoint: Endpoint,
    },
    /// The messenger was closed.
    #[error("the messenger is closed")]
    Closed,
}
