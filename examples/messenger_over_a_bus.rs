//! A messenger over a message bus: a channel of tokio, in place of NATS, MQTT or Redis. It passes the
//! contract of all messengers (`tests/messenger.rs`), so an operator can use it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use federation::{async_trait, bytes::Bytes, messenger as m, roster::OperatorId};
use tokio::sync::broadcast::{self, error::RecvError};

/// A bus on which everybody reads everything.
pub(crate) type Bus = broadcast::Sender<(OperatorId, Bytes)>;

pub(crate) struct BusMessenger {
    me: OperatorId,
    bus: Bus,
    inbox: m::Inbox,
    /// A queue for each peer: one that floods loses its own frames only.
    lanes: Arc<BTreeMap<OperatorId, m::Lane>>,
    sent: Mutex<m::MessengerStats>,
}

impl BusMessenger {
    /// Reads what the `peers` send from now on.
    pub(crate) fn join(bus: &Bus, me: OperatorId, peers: &[OperatorId]) -> Self {
        let (inbox, mut frames) = (m::Inbox::new(), bus.subscribe());
        let lane = |peer: &OperatorId| (*peer, inbox.lane(m::QueueLimits::default()));
        let lanes: Arc<BTreeMap<_, _>> = Arc::new(peers.iter().map(lane).collect());
        let by_peer = lanes.clone();
        tokio::spawn(async move {
            loop {
                match frames.recv().await {
                    Ok((from, frame)) => by_peer.get(&from).map(|lane| lane.push(frame)),
                    // Frames may be lost: operators repeat them.
                    Err(RecvError::Lagged(_)) => None,
                    Err(RecvError::Closed) => break,
                };
            }
        });
        let (bus, sent) = (bus.clone(), Mutex::default());
        Self {
            me,
            bus,
            inbox,
            lanes,
            sent,
        }
    }
}

#[async_trait]
impl m::Messenger for BusMessenger {
    async fn broadcast(&self, frame: Bytes) -> Result<(), m::MessengerError> {
        self.inbox.check(&frame)?;
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.frames_out += 1;
        sent.bytes_out += frame.len() as u64;
        let _ = self.bus.send((self.me, frame)); // Nobody may be listening yet.
        Ok(())
    }

    async fn recv(&self) -> Result<Bytes, m::MessengerError> {
        self.inbox.recv().await
    }

    fn stats(&self) -> m::MessengerStats {
        let mut stats = self
            .sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (peer, lane) in &*self.lanes {
            stats.push(lane.stats(m::Peer::Operator(*peer)));
        }
        stats
    }

    async fn close(&self) {
        self.inbox.close();
    }
}
