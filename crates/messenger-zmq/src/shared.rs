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
use federation_messenger::{Inbox, Lane, MessengerStats, Peer, PeerStats};
use federation_roster::OperatorId;

use crate::{Endpoint, Resolve, ZmqConfig, config::LinkLimits, topics::Topics};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) topics: Topics,
    pub(crate) me: Option<OperatorId>,
    pub(crate) limits: LinkLimits,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) inbox: Inbox,
    subscribers: Mutex<BTreeMap<u64, Arc<Subscriber>>>,
    publishers: Mutex<BTreeMap<Endpoint, Arc<Publisher>>>,
    /// Our ends of our connections to peers, to know them when they turn up as subscribers.
    own: Mutex<HashSet<SocketAddr>>,
    /// Sums over links that are gone.
    gone: Mutex<MessengerStats>,
    serial: AtomicU64,
}

/// One connection that peers made to us.
#[derive(Debug)]
pub(crate) struct Subscriber {
    peer: Peer,
    stranger: bool,
    /// Frames on their way to the peer: the same queue as for what comes in.
    pub(crate) outbox: Inbox,
    lane: Lane,
    subscribed: AtomicBool,
    /// Who it says that it is. One name at a time: whoever takes them all has the frames for one
    /// only.
    name: Mutex<Option<OperatorId>>,
}

/// One peer that we hear.
#[derive(Debug)]
pub(crate) struct Publisher {
    peer: Peer,
    pub(crate) lane: Lane,
    connected: AtomicBool,
    was_connected: AtomicBool,
    reconnects: AtomicU64,
    dropped: AtomicU64,
    address: Mutex<Option<IpAddr>>,
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
            own: Mutex::default(),
            gone: Mutex::default(),
            serial: AtomicU64::new(0),
        }
    }

    /// Makes place for a connection, or not: strangers get half of the places only.
    pub(crate) fn admit(self: &Arc<Self>, remote: SocketAddr) -> Option<SubscriberSlot> {
        let ip = remote.ip().to_canonical();
        let stranger = !lock(&self.publishers)
            .values()
            .any(|publisher| *lock(&publisher.address) == Some(ip));
        let mut subscribers = lock(&self.subscribers);
        let strangers = subscribers.values().filter(|known| known.stranger).count();
        let most = self.limits.subscribers;
        if subscribers.len() >= most || (stranger && strangers >= most.div_ceil(2)) {
            return None;
        }
        let outbox = Inbox::new();
        let subscriber = Arc::new(Subscriber {
            peer: Peer::Address(remote.to_string().into()),
            stranger,
            lane: outbox.lane(self.limits.queue),
            outbox,
            subscribed: AtomicBool::new(false),
            name: Mutex::default(),
        });
        let id = self.serial.fetch_add(1, Ordering::Relaxed);
        subscribers.insert(id, Arc::clone(&subscriber));
        Some(SubscriberSlot {
            shared: Arc::clone(self),
            id,
            subscriber,
        })
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

    /// Begins to count for a peer, unless it is there already.
    pub(crate) fn add_publisher(&self, endpoint: &Endpoint) -> Option<Arc<Publisher>> {
        let mut publishers = lock(&self.publishers);
        if publishers.contains_key(endpoint) {
            return None;
        }
        let publisher = Arc::new(Publisher {
            peer: Peer::Address(endpoint.to_string().into()),
            lane: self.inbox.lane(self.limits.queue),
            connected: AtomicBool::new(false),
            was_connected: AtomicBool::new(false),
            reconnects: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            address: Mutex::new(None),
        });
        publishers.insert(endpoint.clone(), Arc::clone(&publisher));
        Some(publisher)
    }

    pub(crate) fn remove_publisher(&self, endpoint: &Endpoint) {
        if let Some(publisher) = lock(&self.publishers).remove(endpoint) {
            lock(&self.gone).absorb(&publisher.stats());
        }
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
        for subscriber in lock(&self.subscribers).values() {
            stats.push(subscriber.stats());
        }
        stats
    }
}

/// A subscriber's place, given up when dropped.
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
    pub(crate) fn up(self: &Arc<Self>, address: SocketAddr) -> Up {
        *lock(&self.address) = Some(address.ip().to_canonical());
        self.connected.store(true, Ordering::Release);
        if self.was_connected.swap(true, Ordering::AcqRel) {
            self.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        Up(Arc::clone(self))
    }

    /// Counts a message that is none of ours.
    pub(crate) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn stats(&self) -> PeerStats {
        let mut stats = PeerStats::new(self.peer.clone());
        stats.connected = self.connected.load(Ordering::Acquire);
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
    }
}
