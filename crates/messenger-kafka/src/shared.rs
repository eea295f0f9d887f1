//! State shared by the threads of one messenger: the queues, the counters, the brokers' health.

use core::time::Duration;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use federation_messenger::{Inbox, Lane, MessengerStats, Peer, PeerStats};
use federation_roster::OperatorId;
use tokio::sync::watch;

use crate::{
    KafkaConfig, KafkaHealth, health::Health, outbox::Outbox, report::TopicHealth,
    watchdog::Watchdog,
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: KafkaConfig,
    pub(crate) own_topic: String,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    pub(crate) health: Health,
    /// Detects threads that hang in librdkafka.
    pub(crate) watchdog: Watchdog,
    /// The other operators, by topic.
    pub(crate) sources: BTreeMap<String, Source>,
    /// Whether the topics exist and are read.
    pub(crate) ready: watch::Sender<bool>,
    /// Whether each received frame is prefixed with its operator's number.
    tagged: bool,
    closing: AtomicBool,
    /// Whether librdkafka has given up its producer.
    pub(crate) producer_dead: AtomicBool,
    frames_out: AtomicU64,
    bytes_out: AtomicU64,
    failed: AtomicU64,
    confirmed: AtomicU64,
}

/// One operator's topic.
#[derive(Debug)]
pub(crate) struct Source {
    operator: OperatorId,
    pub(crate) lane: Lane,
    dropped: AtomicU64,
    last_received: Mutex<Option<Instant>>,
}

impl Source {
    /// Records that a recent frame of the operator was read.
    fn record_activity(&self) {
        let mut last = self
            .last_received
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(Instant::now());
    }

    /// Returns how long ago that was.
    fn last_received(&self) -> Option<Duration> {
        let last = self
            .last_received
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        last.map(|at| at.elapsed())
    }

    /// Counts a message that is dropped.
    pub(crate) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn new(config: KafkaConfig) -> Self {
        let inbox = Inbox::new();
        let sources = config
            .others()
            .map(|operator| {
                let source = Source {
                    operator,
                    lane: inbox.lane(config.limits()),
                    dropped: AtomicU64::new(0),
                    last_received: Mutex::default(),
                };
                (config.topic_of(operator), source)
            })
            .collect();
        Self {
            own_topic: config.own_topic(),
            outbox: Outbox::new(config.limits(), config.lifetime()),
            inbox,
            health: Health::default(),
            watchdog: Watchdog::default(),
            sources,
            ready: watch::Sender::new(false),
            tagged: false,
            closing: AtomicBool::new(false),
            producer_dead: AtomicBool::new(false),
            frames_out: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            confirmed: AtomicU64::new(0),
            config,
        }
    }

    pub(crate) fn tagged(config: KafkaConfig) -> Self {
        Self {
            tagged: true,
            ..Self::new(config)
        }
    }

    /// Queues a frame of an operator for the reader.
    pub(crate) fn receive(&self, source: &Source, frame: &[u8]) {
        source.record_activity();
        let frame = if self.tagged {
            [&[source.operator.to_u8()], frame].concat().into()
        } else {
            Bytes::copy_from_slice(frame)
        };
        source.lane.push(frame);
    }

    /// Tells the threads to end.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.inbox.close();
        self.outbox.close();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Counts a frame queued for the others.
    pub(crate) fn count_out(&self, bytes: usize) {
        self.frames_out.fetch_add(1, Ordering::Relaxed);
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a frame that no broker accepted.
    pub(crate) fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a frame that a broker confirmed.
    pub(crate) fn count_confirmed(&self) {
        self.confirmed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn health(&self) -> KafkaHealth {
        let topics = self.config.operator_ids().map(|operator| {
            let topic = self.config.topic_of(operator);
            TopicHealth {
                operator,
                state: self.health.topic_state(operator),
                last_received: self.sources.get(&topic).and_then(Source::last_received),
                topic,
            }
        });
        KafkaHealth {
            ready: self.is_ready(),
            brokers: self.health.brokers(self.config.brokers()),
            topics: topics.collect(),
            confirmed: self.confirmed.load(Ordering::Relaxed),
            faults: self.health.faults(),
            restarts: 0,
        }
    }

    pub(crate) fn stats(&self) -> MessengerStats {
        let up = self.health.is_up();
        let mut stats = MessengerStats::default();
        let mut brokers = PeerStats::new(Peer::Address(self.config.brokers().join(",").into()));
        brokers.connected = up;
        brokers.frames_out = self.frames_out.load(Ordering::Relaxed);
        brokers.bytes_out = self.bytes_out.load(Ordering::Relaxed);
        brokers.dropped_out = self.outbox.dropped() + self.failed.load(Ordering::Relaxed);
        brokers.reconnects = self.health.reconnects();
        stats.push(brokers);
        for source in self.sources.values() {
            let mut peer = PeerStats::new(Peer::Operator(source.operator));
            let dropped = source.dropped.load(Ordering::Relaxed);
            peer.connected = up;
            peer.frames_in = source.lane.frames_in() + dropped;
            peer.bytes_in = source.lane.bytes_in();
            peer.dropped_in = source.lane.dropped() + dropped;
            stats.push(peer);
        }
        stats
    }
}
