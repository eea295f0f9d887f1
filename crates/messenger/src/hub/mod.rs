//! A messenger in memory, with links that can lose, delay, double, reorder and be cut.
//!
//! One [`Hub`] stands for the network. Its chances come from one seeded generator and its delays
//! from tokio's clock, so a test under `tokio::time::pause` runs the same each time, as far as its
//! own tasks do. A link without faults delivers within the call to `broadcast`.

mod faults;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use federation_roster::OperatorId;
use tokio::{sync::Notify, task::JoinHandle, time::Instant};

use crate::{Inbox, MAX_FRAME, Messenger, MessengerError, MessengerStats, QueueLimits};

pub use faults::LinkFaults;

use state::State;

/// The network between operators of one process. Clones are the same network.
#[derive(Debug, Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Delivers what is delayed; started when something first is.
    courier: Mutex<Option<JoinHandle<()>>>,
    rescheduled: Arc<Notify>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The courier wakes, finds the hub gone, and ends.
        self.rescheduled.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds these locks half way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// A network without operators whose faults, if any, are drawn from this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_limits(seed, QueueLimits::default())
    }

    /// The same with queues of other limits. They bound what waits at a receiver from one sender,
    /// and what is under way on one link.
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

    /// Connects an operator to all others. If it was there already, as before a restart, the
    /// earlier messenger is closed, and what was under way to it is lost.
    #[must_use]
    pub fn join(&self, operator: OperatorId) -> HubMessenger {
        self.join_as(operator, operator)
    }

    /// Connects a second machine of an operator, under a number of its own: links are its own, and what
    /// others send to the operator reaches it as well.
    #[must_use]
    pub fn join_as(&self, number: OperatorId, operator: OperatorId) -> HubMessenger {
        let (inbox, generation) = lock(&self.inner.state).join(number, operator);
        HubMessenger {
            hub: self.clone(),
            operator: number,
            generation,
            inbox,
        }
    }

    /// Sets the faults of one direction.
    pub fn set_link(&self, from: OperatorId, to: OperatorId, faults: LinkFaults) {
        lock(&self.inner.state).link(from, to).faults = faults;
    }

    /// Sets the faults of all links, also of those that come.
    pub fn set_all_links(&self, faults: &LinkFaults) {
        lock(&self.inner.state).set_all_links(faults);
    }

    /// Cuts the link between two operators in both directions. What is under way is lost.
    pub fn cut(&self, a: OperatorId, b: OperatorId) {
        let mut state = lock(&self.inner.state);
        state.set_cut(a, b, true);
        state.set_cut(b, a, true);
    }

    /// Cuts one direction only.
    pub fn cut_one_way(&self, from: OperatorId, to: OperatorId) {
        lock(&self.inner.state).set_cut(from, to, true);
    }

    /// Mends the link between two operators in both directions. Its faults stay.
    pub fn heal(&self, a: OperatorId, b: OperatorId) {
        let mut state = lock(&self.inner.state);
        state.set_cut(a, b, false);
        state.set_cut(b, a, false);
    }

    /// Cuts an operator off from all who are connected now.
    pub fn cut_all(&self, operator: OperatorId) {
        let mut state = lock(&self.inner.state);
        for other in state.others(operator) {
            state.set_cut(operator, other, true);
            state.set_cut(other, operator, true);
        }
    }

    /// Mends all links of an operator.
    pub fn heal_all(&self, operator: OperatorId) {
        lock(&self.inner.state).heal_all(operator);
    }

    /// Whether frames from one to the other are cut off.
    #[must_use]
    pub fn is_cut(&self, from: OperatorId, to: OperatorId) -> bool {
        lock(&self.inner.state).is_cut(from, to)
    }

    fn wake_courier(&self) {
        let mut courier = lock(&self.inner.courier);
        // It ends with the runtime it was started on; a hub may outlive that.
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

/// One operator's end of a [`Hub`]. It leaves when it is dropped.
#[derive(Debug)]
pub struct HubMessenger {
    hub: Hub,
    operator: OperatorId,
    generation: u64,
    inbox: Inbox,
}

impl HubMessenger {
    /// The operator at this end.
    #[must_use]
    pub const fn operator(&self) -> OperatorId {
        self.operator
    }

    /// Sends in the given way, which says whether anything is delayed.
    fn hand_over(
        &self,
        frame: &Bytes,
        send: impl FnOnce(&mut State, Instant) -> bool,
    ) -> Result<(), MessengerError> {
        if self.inbox.is_closed() {
            return Err(MessengerError::Closed);
        }
        if frame.len() > MAX_FRAME {
            return Err(MessengerError::TooLarge {
                len: frame.len(),
                limit: MAX_FRAME,
            });
        }
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
