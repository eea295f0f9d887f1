//! The configuration of a ZeroMQ messenger.

use core::time::Duration;
use std::{io, sync::Arc};

use federation_messenger::QueueLimits;
use federation_roster::{FederationId, OperatorId};

use crate::{Endpoint, Resolve, SystemNames, admission::ConnectionLimits};

/// The address to listen on, the peers, and the limits of each link.
#[derive(Debug, Clone)]
pub struct ZmqConfig {
    listen: Endpoint,
    federation: FederationId,
    me: Option<OperatorId>,
    peers: Vec<(Endpoint, Option<OperatorId>)>,
    resolver: Arc<dyn Resolve>,
    pub(crate) limits: LinkLimits,
}

/// The limits of one link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkLimits {
    pub(crate) queue: QueueLimits,
    pub(crate) connections: ConnectionLimits,
    pub(crate) handshake: Duration,
    pub(crate) stall: Duration,
    pub(crate) first_retry: Duration,
    pub(crate) last_retry: Duration,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            queue: QueueLimits::default(),
            connections: ConnectionLimits {
                total: 128,
                per_address: 8,
            },
            handshake: Duration::from_secs(5),
            stall: Duration::from_secs(20),
            first_retry: Duration::from_millis(20),
            last_retry: Duration::from_secs(1),
        }
    }
}

impl ZmqConfig {
    /// Listens on an endpoint and carries frames of one federation.
    ///
    /// Peers may know this messenger by another endpoint: behind a router, the endpoint to listen on
    /// is often `0.0.0.0:5000` or `[::]:5000`.
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

    /// Sets which operator this is. The messenger identifies itself to its peers, so that they can
    /// address it alone, and [`send_to`](federation_messenger::Messenger::send_to) addresses a single
    /// operator. Without it, frames for one operator go to all, in both directions.
    #[must_use]
    pub const fn with_operator(mut self, me: OperatorId) -> Self {
        self.me = Some(me);
        self
    }

    /// Adds endpoints of peers to receive from. It is unknown which operator is at an endpoint, so a
    /// peer that cannot reach this operator receives nothing: prefer
    /// [`with_operators`](Self::with_operators).
    #[must_use]
    pub fn with_peers(mut self, peers: impl IntoIterator<Item = Endpoint>) -> Self {
        let peers = peers.into_iter().map(|endpoint| (endpoint, None));
        self.peers.extend(peers);
        self
    }

    /// Adds other operators and their endpoints.
    ///
    /// If [`with_operator`](Self::with_operator) is set, this messenger also opens a second
    /// connection to each of them and offers its frames there. The peer accepts the offer as long as
    /// it cannot reach this operator at its endpoint. Including one's own endpoint does no harm.
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

    /// Sets the resolver of the peers' host names; the system's resolver by default.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Sets the limits of the queue of frames from each peer, and of the queue for each subscriber.
    /// The default is that of [`QueueLimits`].
    #[must_use]
    pub const fn with_queue_limits(mut self, limits: QueueLimits) -> Self {
        self.limits.queue = limits;
        self
    }

    /// Limits the number of accepted connections, 128 by default. Half of them are reserved for the
    /// addresses that the peers' endpoints resolve to.
    #[must_use]
    pub const fn with_max_connections(mut self, connections: usize) -> Self {
        self.limits.connections.total = connections;
        self
    }

    /// Limits the number of accepted connections per address, 8 by default. An address is an IPv4
    /// address or an IPv6 /64; if the endpoints of several peers resolve to one address, the limit
    /// applies to each of them. An operator needs two connections, and four for half a minute after
    /// its link has broken. Raise the limit if several operators connect from an address that none
    /// of the endpoints resolves to.
    #[must_use]
    pub const fn with_max_per_address(mut self, connections: usize) -> Self {
        self.limits.connections.per_address = connections;
        self
    }

    /// Limits how long a new connection may take until it has subscribed or been identified, 5 s by
    /// default.
    #[must_use]
    pub const fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.limits.handshake = timeout;
        self
    }

    /// Limits how long a peer may read nothing while data is waiting for it, 20 s by default.
    #[must_use]
    pub const fn with_stall_timeout(mut self, timeout: Duration) -> Self {
        self.limits.stall = timeout;
        self
    }

    /// Sets the first and the longest pause before reconnecting, 20 ms and 1 s by default. The pause
    /// doubles in between.
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

/// Why a messenger could not be started.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ZmqError {
    /// The address is in use, not available on this machine, or cannot be resolved.
    #[error("cannot listen on `{endpoint}`")]
    Bind {
        /// The configured endpoint.
        endpoint: Endpoint,
        /// The system's error.
        #[source]
        source: Arc<io::Error>,
    },
    /// The port of a peer is 0.
    #[error("peer `{endpoint}` has port 0: expected a port from 1 to 65535")]
    PeerPort {
        /// The configured endpoint.
        endpoint: Endpoint,
    },
    /// The messenger was closed.
    #[error("the messenger is closed")]
    Closed,
}
