//! An in-memory messenger whose links can lose, delay, duplicate and reorder frames, and be cut.
//!
//! One [`Hub`] stands for the network. Its random choices come from one seeded generator and its
//! delays from tokio's clock, so a test under `tokio::time::pause` is repeatable as long as its own
//! tasks are. A link without faults delivers within the call to `broadcast`.

mod faults;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use federation_roster::OperatorId;
use tokio::{sync::Notify, task::JoinHandle, time::Instant};

use crate::{Inbox, Messenger, MessengerError, MessengerStats, QueueLimits};

pub use faults::LinkFaults;

use state::State;

/// The network between operators in one process. Clones share the network.
#[derive(Debug, Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Delivers delayed frames; started with the first of them.
    courier: Mutex<Option<JoinHandle<()>>>,
    rescheduled: Arc<Notify>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The courier wakes up, finds the hub gone, and ends.
        self.rescheduled.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds one of these locks, so the data is consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// Creates a network without operators, whose random faults are drawn from this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_limits(seed, QueueLimits::default())
    }

    /// Creates a network with other queue limits. They bound the frames of one sender that wait at a
    /// receiver, and the frames in transit on one link.
    #[must_use]
    pub fn with_limits(seed: u64, limits: QueueLimits) -> Self {
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(State::new(seed, limits)),
                courier: Mutex::new(None),
                rescheduled: Arc::new(Notify::new()),
            }),
        }
    }

    /// Connects an operator to all others. If it is connected already, as after a restart, the
    /// earlier messenger is closed and frames in transit to it are lost.
    #[must_use]
    pub fn join(&self, operator: OperatorId) -> HubMessenger {
        self.join_as(operator, operator)
    }

    /// Connects a second machine of `operator` under an id of its own: it has its own links, and
    /// frames that others send to the operator reach it as well.
    #[must_use]
    pub fn join_as(&self, id: OperatorId, operator: OperatorId) -> HubMessenger {
        let (inbox, generation) = lock(&self.inner.state).join(id, operator);
        HubMessenger {
            hub: self.clone(),
            operator: id,
            generation,
            inbox,
        }
    }

    /// Sets the faults of one direction.
    pub fn set_link(&self, from: OperatorId, to: OperatorId, faults: LinkFaults) {
        lock(&self.inner.state).link(from, to).faults = faults;
    }

    /// Sets the faults of all links, including future ones.
    pub fn set_all_links(&self, faults: &LinkFaults) {
        lock(&self.inner.state).set_all_links(faults);
    }

    /// Cuts the link between two operators in both directions. Frames in transit are lost.
    pub fn cut(&self, a: OperatorId, b: OperatorId) {
        let mut state = lock(&self.inner.state);
        state.set_cut(a, b, true);
        state.set_cut(b, a, true);
    }

    /// Cuts one direction only.
    pub fn cut_one_way(&self, from: OperatorId, to: OperatorId) {
        lock(&self.inner.state).set_cut(from, to, true);
    }

    /// Restores the link between two operators in both directions. Its faults stay.
    pub fn heal(&self, a: OperatorId, b: OperatorId) {
        let mut state = lock(&self.inner.state);
        state.set_cut(a, b, false);
        state.set_cut(b, a, false);
    }

    /// Cuts an operator off from all operators connected now.
    pub fn cut_all(&self, operator: OperatorId) {
        let mut state = lock(&self.inner.state);
        for other in state.others(operator) {
            state.set_cut(operator, other, true);
            state.set_cut(other, operator, true);
        }
    }

    /// Restores all links of an operator.
    pub fn heal_all(&self, operator: OperatorId) {
        lock(&self.inner.state).heal_all(operator);
    }

    /// Whether this direction is cut.
    #[must_use]
    pub fn is_cut(&self, from: OperatorId, to: OperatorId) -> bool {
        lock(&self.inner.state).is_cut(from, to)
    }

    fn wake_courier(&self) {
        let mut courier = lock(&self.inner.courier);
        // The courier ends with the runtime it was started on, which the hub may outlive.
        if courier.as_ref().is_none_or(JoinHandle::is_finished) {
            let hub = Arc::downgrade(&self.inner);
            let rescheduled = Arc::clone(&self.inner.rescheduled);
            *courier = Some(tokio::spawn(deliver(hub, rescheduled)));
        }
        self.inner.rescheduled.notify_one();
    }
}

/// Delivers delayed frames when they are due, for as long as the hub lives.
async fn deliver(hub: Weak<Inner>, rescheduled: Arc<Notify>) {
    loop {
        let next = match hub.upgrade() {
            Some(hub) => lock(&hub.state).deliver_due(Instant::now()),
            None => return,
        };
        match next {
            Some(due) => tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = rescheduled.notified() => {}
            },
            None => rescheduled.notified().await,
        }
    }
}

/// One operator's end of a [`Hub`]. Dropping it disconnects the operator.
#[derive(Debug)]
pub struct HubMessenger {
    hub: Hub,
    operator: OperatorId,
    generation: u64,
    inbox: Inbox,
}

impl HubMessenger {
    /// Returns the operator at this end.
    #[must_use]
    pub const fn operator(&self) -> OperatorId {
        self.operator
    }

    /// Checks the frame and calls `send`, which returns whether anything was delayed.
    fn hand_over(
        &self,
        frame: &Bytes,
        send: impl FnOnce(&mut State, Instant) -> bool,
    ) -> Result<(), MessengerError> {
        self.inbox.check(frame)?;
        if send(&mut lock(&self.hub.inner.state), Instant::now()) {
            self.hub.wake_courier();
        }
        Ok(())
    }
}

impl Drop for HubMessenger {
    fn drop(&mut self) {
        self.inbox.close();
        lock(&self.hub.inner.state).leave(self.operator, self.generation);
    }
}

#[async_trait]
impl Messenger for HubMessenger {
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError> {
        self.hand_over(&frame, |state, now| {
            state.broadcast(self.operator, &frame, now)
        })
    }

    async fn send_to(&self, to: OperatorId, frame: Bytes) -> Result<(), MessengerError> {
        self.hand_over(&frame, |state, now| {
            state.send_to(self.operator, to, &frame, now)
        })
    }

    fn has_unicast(&self) -> bool {
        true
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        self.inbox.recv().await
    }

    fn stats(&self) -> MessengerStats {
        lock(&self.hub.inner.state).stats(self.operator, self.generation)
    }

    async fn close(&self) {
        self.inbox.close();
    }
}

#[cfg(test)]
mod tests;
