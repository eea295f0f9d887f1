//! State shared by the tasks of one messenger: the inbox, the links, the counters.

use std::{
    collections::{BTreeMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use federation_messenger::{Inbox, Lane, MAX_FRAME, MessengerStats, Peer, PeerStats, QueueLimits};
use federation_roster::OperatorId;
use tokio::sync::watch;

use crate::{
    Endpoint, Resolve, ZmqConfig,
    admission::{Admission, Permit, Refused},
    config::LinkLimits,
    link::LinkError,
    topics::Topics,
};

/// Most incoming publishers that claim to be the same operator, counted separately for known and
/// unknown addresses. The operator itself needs one, or two after its link has broken.
const MAX_CALLERS: usize = 4;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) topics: Topics,
    pub(crate) me: Option<OperatorId>,
    pub(crate) limits: LinkLimits,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) inbox: Inbox,
    subscribers: Mutex<BTreeMap<u64, Arc<Subscriber>>>,
    publishers: Mutex<BTreeMap<Endpoint, Arc<Publisher>>>,
    /// Publishers that connected to us.
    callers: Mutex<BTreeMap<u64, Arc<Publisher>>>,
    pub(crate) admission: Arc<Admission>,
    /// Notified when a publisher connects, disconnects, is added or is removed.
    pub(crate) changes: watch::Sender<()>,
    /// Local addresses of our connections to peers, to recognise connections to ourselves.
    own: Mutex<HashSet<SocketAddr>>,
    /// Totals of former links.
    past: Mutex<MessengerStats>,
    serial: AtomicU64,
}

/// A connection over which a peer receives our frames, opened by either side.
#[derive(Debug)]
pub(crate) struct Subscriber {
    peer: Peer,
    /// Frames queued for the peer, in the same kind of queue as received frames.
    pub(crate) outbox: Inbox,
    lane: Lane,
    subscribed: AtomicBool,
    /// The operator it claims to be. Only one at a time: a peer that claims several receives the
    /// unicast frames of the last one only.
    name: Mutex<Option<OperatorId>>,
    /// Whether we opened the connection to offer our frames; the peer may not need them.
    offered: bool,
}

/// A connection over which we receive from a peer, opened by either side.
#[derive(Debug)]
pub(crate) struct Publisher {
    peer: Peer,
    /// The operator at the other end, as configured or as claimed.
    pub(crate) operator: Option<OperatorId>,
    stranger: bool,
    pub(crate) lane: Lane,
    connected: AtomicBool,
    was_connected: AtomicBool,
    reconnects: AtomicU64,
    dropped: AtomicU64,
    /// The addresses its endpoint resolves to.
    addresses: Mutex<Vec<IpAddr>>,
    changes: watch::Sender<()>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds one of these locks, so the data is consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(config: &ZmqConfig) -> Self {
        Self {
            topics: Topics::new(config.federation()),
            me: config.me(),
            limits: config.limits,
            resolver: config.resolver(),
            inbox: Inbox::new(),
            subscribers: Mutex::default(),
            publishers: Mutex::default(),
            callers: Mutex::default(),
            admission: Arc::default(),
            changes: watch::Sender::new(()),
            own: Mutex::default(),
            past: Mutex::default(),
            serial: AtomicU64::new(0),
        }
    }

    /// Admits an incoming connection.
    pub(crate) fn admit(&self, remote: SocketAddr) -> Result<Permit, Refused> {
        let address = remote.ip().to_canonical();
        let peers = lock(&self.publishers)
            .values()
            .filter(|publisher| lock(&publisher.addresses).contains(&address))
            .count();
        self.admission
            .admit(address, peers, self.limits.connections)
    }

    /// Registers a peer that may subscribe.
    pub(crate) fn add_subscriber(self: &Arc<Self>, peer: Peer, offered: bool) -> SubscriberSlot {
        let outbox = Inbox::new();
        let subscriber = Arc::new(Subscriber {
            peer,
            lane: outbox.lane(self.limits.queue),
            outbox,
            subscribed: AtomicBool::new(false),
            name: Mutex::default(),
            offered,
        });
        let id = self.serial.fetch_add(1, Ordering::Relaxed);
        lock(&self.subscribers).insert(id, Arc::clone(&subscriber));
        SubscriberSlot {
            shared: Arc::clone(self),
            id,
            subscriber,
        }
    }

    /// Queues a frame for all subscribed peers.
    pub(crate) fn publish(&self, frame: &Bytes) {
        for subscriber in lock(&self.subscribers).values() {
            if subscriber.is_subscribed() {
                subscriber.lane.push(frame.clone());
            }
        }
    }

    /// Queues a frame for the subscribed peers that identify as this operator; if there are none, for
    /// those that do not identify themselves, like earlier versions.
    pub(crate) fn publish_to(&self, to: OperatorId, frame: &Bytes) {
        let subscribers = lock(&self.subscribers);
        let subscribed = || subscribers.values().filter(|peer| peer.is_subscribed());
        let is_there = subscribed().any(|subscriber| subscriber.name() == Some(to));
        let wanted = is_there.then_some(to);
        for subscriber in subscribed().filter(|subscriber| subscriber.name() == wanted) {
            subscriber.lane.push(frame.clone());
        }
    }

    /// Returns the number of subscribed peers.
    pub(crate) fn subscribers(&self) -> usize {
        lock(&self.subscribers)
            .values()
            .filter(|subscriber| subscriber.is_subscribed())
            .count()
    }

    /// Registers a peer that we connect to; returns `None` if it is registered already.
    pub(crate) fn add_publisher(
        &self,
        endpoint: &Endpoint,
        operator: Option<OperatorId>,
    ) -> Option<Arc<Publisher>> {
        let mut publishers = lock(&self.publishers);
        if publishers.contains_key(endpoint) {
            return None;
        }
        let peer = Peer::Address(endpoint.to_string().into());
        let publisher = Arc::new(self.publisher(peer, operator, false));
        // A literal address is known at once, that of a name once it is resolved.
        publisher.set_addresses(endpoint.host().parse());
        publishers.insert(endpoint.clone(), Arc::clone(&publisher));
        drop(publishers);
        self.changes.send_replace(());
        Some(publisher)
    }

    pub(crate) fn remove_publisher(&self, endpoint: &Endpoint) {
        if let Some(publisher) = lock(&self.publishers).remove(endpoint) {
            lock(&self.past).absorb(&publisher.stats());
        }
        self.changes.send_replace(());
    }

    /// Registers a publisher that connected to us and claims to be an operator.
    ///
    /// # Errors
    /// If the operator is unknown, or too many connections claim to be it.
    pub(crate) fn add_caller(
        self: &Arc<Self>,
        operator: OperatorId,
        stranger: bool,
    ) -> Result<CallerSlot, LinkError> {
        if !self.is_known(operator) {
            return Err(LinkError::Unknown);
        }
        let mut callers = lock(&self.callers);
        let same = callers
            .values()
            .filter(|caller| caller.operator == Some(operator) && caller.stranger == stranger);
        if same.count() >= MAX_CALLERS {
            return Err(LinkError::Claimed(operator));
        }
        let caller = Arc::new(self.publisher(Peer::Operator(operator), Some(operator), stranger));
        let id = self.serial.fetch_add(1, Ordering::Relaxed);
        callers.insert(id, Arc::clone(&caller));
        Ok(CallerSlot {
            shared: Arc::clone(self),
            id,
            caller,
        })
    }

    fn publisher(&self, peer: Peer, operator: Option<OperatorId>, stranger: bool) -> Publisher {
        let limits = self.limits.queue;
        let limits = if stranger {
            // Enough for a block's body and some messages; anyone can open several of these.
            QueueLimits::new(limits.frames() / 4, limits.bytes().min(MAX_FRAME))
        } else {
            limits
        };
        Publisher {
            peer,
            operator,
            stranger,
            lane: self.inbox.lane(limits),
            connected: AtomicBool::new(false),
            was_connected: AtomicBool::new(false),
            reconnects: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            addresses: Mutex::default(),
            changes: self.changes.clone(),
        }
    }

    /// Whether the operator is a configured peer or this operator itself: we must notice another
    /// instance that runs under our name.
    pub(crate) fn is_known(&self, operator: OperatorId) -> bool {
        self.me == Some(operator)
            || lock(&self.publishers)
                .values()
                .any(|publisher| publisher.operator == Some(operator))
    }

    /// Whether we are not connected to an operator's endpoint and so need its incoming connection.
    pub(crate) fn needs_caller(&self, operator: OperatorId) -> bool {
        self.me == Some(operator)
            || !lock(&self.publishers)
                .values()
                .any(|publisher| publisher.operator == Some(operator) && publisher.is_connected())
    }

    /// Registers the local address of a connection for as long as the result lives.
    pub(crate) fn own(self: &Arc<Self>, address: SocketAddr) -> OwnConnection {
        lock(&self.own).insert(address);
        OwnConnection {
            shared: Arc::clone(self),
            address,
        }
    }

    pub(crate) fn is_own(&self, address: SocketAddr) -> bool {
        lock(&self.own).contains(&address)
    }

    pub(crate) fn stats(&self) -> MessengerStats {
        let mut stats = lock(&self.past).clone();
        for publisher in lock(&self.publishers).values() {
            stats.push(publisher.stats());
        }
        // An idle standby connection is not a link that is down.
        for caller in lock(&self.callers).values() {
            if caller.is_connected() {
                stats.push(caller.stats());
            } else {
                stats.absorb(&caller.stats());
            }
        }
        for subscriber in lock(&self.subscribers).values() {
            if subscriber.offered && !subscriber.is_subscribed() {
                stats.absorb(&subscriber.stats());
            } else {
                stats.push(subscriber.stats());
            }
        }
        stats
    }
}

/// A subscriber's registration, removed when dropped.
#[derive(Debug)]
pub(crate) struct SubscriberSlot {
    shared: Arc<Shared>,
    id: u64,
    pub(crate) subscriber: Arc<Subscriber>,
}

impl Drop for SubscriberSlot {
    fn drop(&mut self) {
        lock(&self.shared.subscribers).remove(&self.id);
        lock(&self.shared.past).absorb(&self.subscriber.stats());
    }
}

/// The registration of a publisher that connected to us, removed when dropped.
#[derive(Debug)]
pub(crate) struct CallerSlot {
    shared: Arc<Shared>,
    id: u64,
    pub(crate) caller: Arc<Publisher>,
}

impl Drop for CallerSlot {
    fn drop(&mut self) {
        lock(&self.shared.callers).remove(&self.id);
        lock(&self.shared.past).absorb(&self.caller.stats());
    }
}

/// The registered local address of a connection, removed when dropped.
#[derive(Debug)]
pub(crate) struct OwnConnection {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Drop for OwnConnection {
    fn drop(&mut self) {
        lock(&self.shared.own).remove(&self.address);
    }
}

impl Subscriber {
    pub(crate) fn set_subscribed(&self, subscribed: bool) {
        self.subscribed.store(subscribed, Ordering::Release);
    }

    /// Records that the peer identifies as an operator, or no longer does.
    pub(crate) fn set_name(&self, operator: OperatorId, is: bool) {
        let mut name = lock(&self.name);
        if is {
            *name = Some(operator);
        } else if *name == Some(operator) {
            *name = None;
        }
    }

    /// Returns the peer's address.
    pub(crate) const fn peer(&self) -> &Peer {
        &self.peer
    }

    fn name(&self) -> Option<OperatorId> {
        *lock(&self.name)
    }

    fn is_subscribed(&self) -> bool {
        self.subscribed.load(Ordering::Acquire)
    }

    fn stats(&self) -> PeerStats {
        let mut stats = PeerStats::new(self.peer.clone());
        stats.connected = self.is_subscribed();
        stats.frames_out = self.lane.frames_in();
        stats.bytes_out = self.lane.bytes_in();
        stats.dropped_out = self.lane.dropped();
        stats
    }
}

impl Publisher {
    /// Marks the link as connected for as long as the result lives.
    pub(crate) fn mark_connected(self: &Arc<Self>) -> Connected {
        self.connected.store(true, Ordering::Release);
        if self.was_connected.swap(true, Ordering::AcqRel) {
            self.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        self.changes.send_replace(());
        Connected(Arc::clone(self))
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Records the addresses its endpoint resolves to now.
    pub(crate) fn set_addresses(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        let addresses = addresses.into_iter().map(|address| address.to_canonical());
        *lock(&self.addresses) = addresses.collect();
    }

    /// Counts a message that is not a valid frame of this federation.
    pub(crate) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn stats(&self) -> PeerStats {
        let mut stats = PeerStats::new(self.peer.clone());
        stats.connected = self.is_connected();
        stats.frames_in = self.lane.frames_in();
        stats.bytes_in = self.lane.bytes_in();
        stats.dropped_in = self.lane.dropped() + self.dropped.load(Ordering::Relaxed);
        stats.reconnects = self.reconnects.load(Ordering::Relaxed);
        stats
    }
}

/// Marks a link as connected; dropping it marks the link as disconnected.
#[derive(Debug)]
pub(crate) struct Connected(Arc<Publisher>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connected.store(false, Ordering::Release);
        self.0.changes.send_replace(());
    }
}
