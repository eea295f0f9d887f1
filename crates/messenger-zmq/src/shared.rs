//! What the tasks of one messenger share: the inbox, the links, the counters.

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
    config::LinkLimits,
    link::LinkError,
    places::{NoPlace, Place, Places},
    topics::Topics,
};

/// Most publishers that call and say that they are one operator, those at known addresses and
/// strangers apart. The operator itself is one, or two after its link has broken.
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
    /// Publishers that made their connection themselves.
    callers: Mutex<BTreeMap<u64, Arc<Publisher>>>,
    pub(crate) places: Arc<Places>,
    /// Told when a publisher is connected, is no longer, or is none of ours any more.
    pub(crate) changes: watch::Sender<()>,
    /// Our ends of our connections to peers, to know them when they turn up as subscribers.
    own: Mutex<HashSet<SocketAddr>>,
    /// Sums over links that are gone.
    gone: Mutex<MessengerStats>,
    serial: AtomicU64,
}

/// One connection over which a peer hears us, whoever made it.
#[derive(Debug)]
pub(crate) struct Subscriber {
    peer: Peer,
    /// Frames on their way to the peer: the same queue as for what comes in.
    pub(crate) outbox: Inbox,
    lane: Lane,
    subscribed: AtomicBool,
    /// Who it says that it is. One name at a time: whoever takes them all has the frames for one
    /// only.
    name: Mutex<Option<OperatorId>>,
    /// Whether we offered it our frames, which it need not want.
    offered: bool,
}

/// One connection over which we hear a peer, whoever made it.
#[derive(Debug)]
pub(crate) struct Publisher {
    peer: Peer,
    /// Who is there by the configuration, or says so.
    pub(crate) operator: Option<OperatorId>,
    stranger: bool,
    pub(crate) lane: Lane,
    connected: AtomicBool,
    was_connected: AtomicBool,
    reconnects: AtomicU64,
    dropped: AtomicU64,
    /// What its endpoint resolves to.
    addresses: Mutex<Vec<IpAddr>>,
    changes: watch::Sender<()>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds these locks half way through a change.
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
            places: Arc::default(),
            changes: watch::Sender::new(()),
            own: Mutex::default(),
            gone: Mutex::default(),
            serial: AtomicU64::new(0),
        }
    }

    /// Makes place for a connection that somebody made to us.
    pub(crate) fn admit(&self, remote: SocketAddr) -> Result<Place, NoPlace> {
        let address = remote.ip().to_canonical();
        let peers = lock(&self.publishers)
            .values()
            .filter(|publisher| lock(&publisher.addresses).contains(&address))
            .count();
        self.places.take(address, peers, self.limits.places)
    }

    /// Begins to count for one that may hear us.
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

    /// Hands a frame to the queues of all who have subscribed.
    pub(crate) fn publish(&self, frame: &Bytes) {
        for subscriber in lock(&self.subscribers).values() {
            if subscriber.is_subscribed() {
                subscriber.lane.push(frame.clone());
            }
        }
    }

    /// Hands a frame to the queues of those who have subscribed and say that they are this operator;
    /// if nobody does, to those who do not say who they are, as none did in earlier versions.
    pub(crate) fn publish_to(&self, to: OperatorId, frame: &Bytes) {
        let subscribers = lock(&self.subscribers);
        let listening = || subscribers.values().filter(|known| known.is_subscribed());
        let is_there = listening().any(|subscriber| subscriber.name() == Some(to));
        let wanted = is_there.then_some(to);
        for subscriber in listening().filter(|subscriber| subscriber.name() == wanted) {
            subscriber.lane.push(frame.clone());
        }
    }

    /// How many have subscribed.
    pub(crate) fn subscribers(&self) -> usize {
        lock(&self.subscribers)
            .values()
            .filter(|subscriber| subscriber.is_subscribed())
            .count()
    }

    /// Begins to count for a peer that we connect to, unless it is there already.
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
        // An address is known at once, a name when it is first resolved.
        publisher.note_addresses(endpoint.host().parse());
        publishers.insert(endpoint.clone(), Arc::clone(&publisher));
        drop(publishers);
        self.changes.send_replace(());
        Some(publisher)
    }

    pub(crate) fn remove_publisher(&self, endpoint: &Endpoint) {
        if let Some(publisher) = lock(&self.publishers).remove(endpoint) {
            lock(&self.gone).absorb(&publisher.stats());
        }
        self.changes.send_replace(());
    }

    /// Begins to count for a publisher that called and says who it is.
    ///
    /// # Errors
    /// If it is nobody that we hear, or there are enough who say the same.
    pub(crate) fn add_caller(
        self: &Arc<Self>,
        operator: OperatorId,
        stranger: bool,
    ) -> Result<CallerSlot, LinkError> {
        if !self.hears(operator) {
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
            // A block's body and what is said meanwhile: many may say that they are somebody.
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

    /// Whether an operator is among those that we hear, or is this one: another daemon with our name
    /// is somebody to hear.
    pub(crate) fn hears(&self, operator: OperatorId) -> bool {
        self.me == Some(operator)
            || lock(&self.publishers)
                .values()
                .any(|publisher| publisher.operator == Some(operator))
    }

    /// Whether we hear an operator over no connection that we made.
    pub(crate) fn wants(&self, operator: OperatorId) -> bool {
        self.me == Some(operator)
            || !lock(&self.publishers)
                .values()
                .any(|publisher| publisher.operator == Some(operator) && publisher.is_connected())
    }

    /// Notes our end of a connection for as long as the result lives.
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
        let mut stats = lock(&self.gone).clone();
        for publisher in lock(&self.publishers).values() {
            stats.push(publisher.stats());
        }
        // What waits for the case that it is needed is no link that is down.
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

/// A subscriber's entry, removed when dropped.
#[derive(Debug)]
pub(crate) struct SubscriberSlot {
    shared: Arc<Shared>,
    id: u64,
    pub(crate) subscriber: Arc<Subscriber>,
}

impl Drop for SubscriberSlot {
    fn drop(&mut self) {
        lock(&self.shared.subscribers).remove(&self.id);
        lock(&self.shared.gone).absorb(&self.subscriber.stats());
    }
}

/// The entry of a publisher that called, removed when dropped.
#[derive(Debug)]
pub(crate) struct CallerSlot {
    shared: Arc<Shared>,
    id: u64,
    pub(crate) caller: Arc<Publisher>,
}

impl Drop for CallerSlot {
    fn drop(&mut self) {
        lock(&self.shared.callers).remove(&self.id);
        lock(&self.shared.gone).absorb(&self.caller.stats());
    }
}

/// Our end of a connection, forgotten when dropped.
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

    /// Notes who the peer says that it is, or is no longer.
    pub(crate) fn set_name(&self, operator: OperatorId, is: bool) {
        let mut name = lock(&self.name);
        if is {
            *name = Some(operator);
        } else if *name == Some(operator) {
            *name = None;
        }
    }

    /// Where the peer is.
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
    /// Marks the link as up for as long as the result lives.
    pub(crate) fn up(self: &Arc<Self>) -> Up {
        self.connected.store(true, Ordering::Release);
        if self.was_connected.swap(true, Ordering::AcqRel) {
            self.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        self.changes.send_replace(());
        Up(Arc::clone(self))
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Notes where its endpoint is now.
    pub(crate) fn note_addresses(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        let addresses = addresses.into_iter().map(|address| address.to_canonical());
        *lock(&self.addresses) = addresses.collect();
    }

    /// Counts a message that is none of ours.
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

/// A link that is up; dropping it marks it as down.
#[derive(Debug)]
pub(crate) struct Up(Arc<Publisher>);

impl Drop for Up {
    fn drop(&mut self) {
        self.0.connected.store(false, Ordering::Release);
        self.0.changes.send_replace(());
    }
}
