//! Bounded queues: an inbox with one lane per peer, read round-robin.
//!
//! Each lane has its own limits, so a peer that floods only loses its own oldest frames. The reader
//! takes one frame from each lane in turn, so a flood does not delay the frames of the others.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{MAX_FRAME, MessengerError, Peer, PeerStats, check_size};

/// The limits of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    frames: usize,
    bytes: usize,
}

impl QueueLimits {
    /// Creates limits in frames and in bytes. An empty queue accepts one frame of any size.
    #[must_use]
    pub const fn new(frames: usize, bytes: usize) -> Self {
        Self { frames, bytes }
    }

    /// Returns the most frames held.
    #[must_use]
    pub const fn frames(self) -> usize {
        self.frames
    }

    /// Returns the most bytes held, payloads only.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.bytes
    }
}

impl Default for QueueLimits {
    /// 1024 frames, and twice the size of the largest frame.
    fn default() -> Self {
        Self::new(1024, 2 * MAX_FRAME)
    }
}

/// A first-in-first-out queue that drops its oldest items when a limit is reached.
///
/// An item is a frame, or holds one: the bytes it counts for are those of its [`AsRef`].
#[derive(Debug)]
pub struct BoundedQueue<T> {
    limits: QueueLimits,
    items: VecDeque<T>,
    bytes: usize,
}

impl<T: AsRef<[u8]>> BoundedQueue<T> {
    /// Creates an empty queue.
    #[must_use]
    pub const fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            items: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Appends an item; returns how many old items were dropped to make room. An empty queue accepts
    /// an item of any size.
    pub fn push(&mut self, item: T) -> u64 {
        let bytes = item.as_ref().len();
        let mut dropped = 0;
        while !self.items.is_empty()
            && (self.items.len() >= self.limits.frames
                || self.bytes.saturating_add(bytes) > self.limits.bytes)
        {
            self.pop();
            dropped += 1;
        }
        self.bytes += bytes;
        self.items.push_back(item);
        dropped
    }

    /// Returns the oldest item.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.bytes -= item.as_ref().len();
        if self.items.is_empty() && self.items.capacity() > 64 {
            // Release the memory after a burst.
            self.items = VecDeque::new();
        }
        Some(item)
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the bytes held.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The frames that wait for the reader, in one bounded [`Lane`] per peer.
///
/// A building block for backends: their connections push into lanes, and their
/// [`Messenger::recv`](crate::Messenger::recv) calls [`Inbox::recv`].
#[derive(Debug, Clone, Default)]
pub struct Inbox {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    readable: Notify,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    /// Lanes that hold frames, in the order they will be read in.
    ready: VecDeque<Arc<LaneShared>>,
}

#[derive(Debug)]
struct LaneShared {
    /// Locked only while the inbox's lock is held.
    queue: Mutex<BoundedQueue<Bytes>>,
    frames_in: AtomicU64,
    bytes_in: AtomicU64,
    dropped: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds one of these locks, so the data is consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inbox {
    /// Creates an empty inbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a new lane into the inbox. Its frames can be received even after it is dropped.
    #[must_use]
    pub fn lane(&self, limits: QueueLimits) -> Lane {
        Lane {
            inbox: Arc::clone(&self.shared),
            lane: Arc::new(LaneShared {
                queue: Mutex::new(BoundedQueue::new(limits)),
                frames_in: AtomicU64::new(0),
                bytes_in: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
            }),
        }
    }

    /// Waits for the next frame. Dropping the future loses no frame.
    ///
    /// # Errors
    /// [`MessengerError::Closed`] once the inbox is closed.
    pub async fn recv(&self) -> Result<Bytes, MessengerError> {
        loop {
            // Register before checking: a frame pushed in between would otherwise wake nobody.
            let readable = self.shared.readable.notified();
            tokio::pin!(readable);
            readable.as_mut().enable();
            if let Some(frame) = self.try_recv()? {
                return Ok(frame);
            }
            readable.await;
        }
    }

    /// Returns the next frame, if there is one.
    ///
    /// # Errors
    /// [`MessengerError::Closed`] once the inbox is closed.
    pub fn try_recv(&self) -> Result<Option<Bytes>, MessengerError> {
        let mut state = lock(&self.shared.state);
        if state.closed {
            return Err(MessengerError::Closed);
        }
        let Some(lane) = state.ready.pop_front() else {
            return Ok(None);
        };
        let (frame, more) = {
            let mut queue = lock(&lane.queue);
            (queue.pop(), !queue.is_empty())
        };
        if more {
            state.ready.push_back(lane);
        }
        if !state.ready.is_empty() {
            // One notification may stand for many frames: pass it on to another waiting reader.
            self.shared.readable.notify_one();
        }
        Ok(frame)
    }

    /// Checks that a messenger which reads from this inbox accepts a frame for sending: it is open, and
    /// the frame has at most [`MAX_FRAME`](crate::MAX_FRAME) bytes.
    ///
    /// # Errors
    /// [`MessengerError::Closed`] or [`MessengerError::TooLarge`].
    pub fn check(&self, frame: &Bytes) -> Result<(), MessengerError> {
        if self.is_closed() {
            return Err(MessengerError::Closed);
        }
        check_size(frame)
    }

    /// Drops all waiting frames, wakes all readers, and makes every later read fail.
    pub fn close(&self) {
        let ready = {
            let mut state = lock(&self.shared.state);
            state.closed = true;
            std::mem::take(&mut state.ready)
        };
        drop(ready);
        self.shared.readable.notify_waiters();
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        lock(&self.shared.state).closed
    }
}

/// One peer's queue into an [`Inbox`].
#[derive(Debug)]
pub struct Lane {
    inbox: Arc<Shared>,
    lane: Arc<LaneShared>,
}

impl Lane {
    /// Appends a frame, dropping the lane's oldest frames if it is full. After the inbox is closed,
    /// the frame itself is dropped.
    pub fn push(&self, frame: Bytes) {
        let lane = &self.lane;
        lane.frames_in.fetch_add(1, Ordering::Relaxed);
        lane.bytes_in
            .fetch_add(frame.len() as u64, Ordering::Relaxed);
        let mut state = lock(&self.inbox.state);
        if state.closed {
            lane.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (was_empty, dropped) = {
            let mut queue = lock(&lane.queue);
            (queue.is_empty(), queue.push(frame))
        };
        lane.dropped.fetch_add(dropped, Ordering::Relaxed);
        if was_empty {
            state.ready.push_back(Arc::clone(lane));
        }
        drop(state);
        self.inbox.readable.notify_one();
    }

    /// Returns the number of frames pushed so far, including dropped ones.
    #[must_use]
    pub fn frames_in(&self) -> u64 {
        self.lane.frames_in.load(Ordering::Relaxed)
    }

    /// Returns the total size of those frames, in bytes.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        self.lane.bytes_in.load(Ordering::Relaxed)
    }

    /// Returns the number of frames dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lane.dropped.load(Ordering::Relaxed)
    }

    /// The counters of a connected link whose incoming frames go through this lane; nothing has gone
    /// out over it.
    #[must_use]
    pub fn stats(&self, peer: Peer) -> PeerStats {
        let mut stats = PeerStats::new(peer);
        stats.connected = true;
        stats.frames_in = self.frames_in();
        stats.bytes_in = self.bytes_in();
        stats.dropped_in = self.dropped();
        stats
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lanes_are_read_in_turn() {
        let inbox = Inbox::new();
        let (busy, quiet) = (
            inbox.lane(QueueLimits::default()),
            inbox.lane(QueueLimits::default()),
        );
        for frame in ["b1", "b2", "b3"] {
            busy.push(frame.into());
        }
        quiet.push("q1".into());
        let got: Vec<_> =
            std::iter::from_fn(|| inbox.try_recv().expect("the inbox is open")).collect();
        assert_eq!(got, ["b1", "q1", "b2", "b3"]);
    }

    #[tokio::test]
    async fn several_waiting_readers_get_a_frame_each() {
        let inbox = Inbox::new();
        let lane = inbox.lane(QueueLimits::default());
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let inbox = inbox.clone();
                tokio::spawn(async move { inbox.recv().await })
            })
            .collect();
        tokio::task::yield_now().await;
        for _ in 0..3 {
            lane.push("frame".into());
        }
        for reader in readers {
            let frame = reader.await.expect("no panic").expect("open");
            assert_eq!(frame, "frame");
        }
    }

    #[test]
    fn a_frame_over_the_byte_limit_is_accepted_alone() {
        let inbox = Inbox::new();
        let lane = inbox.lane(QueueLimits::new(10, 4));
        lane.push("ab".into());
        lane.push("too large".into());
        assert_eq!(lane.dropped(), 1);
        assert_eq!(inbox.try_recv().expect("open"), Some("too large".into()));
        assert_eq!(inbox.try_recv().expect("open"), None);
    }

    #[test]
    fn a_closed_inbox_accepts_and_returns_nothing() {
        let inbox = Inbox::new();
        let lane = inbox.lane(QueueLimits::default());
        lane.push("before".into());
        inbox.close();
        lane.push("after".into());
        assert!(inbox.is_closed());
        assert!(matches!(inbox.try_recv(), Err(MessengerError::Closed)));
        assert_eq!((lane.frames_in(), lane.dropped()), (2, 1));
    }

    proptest! {
        /// Compares with a plain list: the newest frames within the limits stay, in order, and the
        /// others are counted as dropped.
        #[test]
        fn a_queue_keeps_the_newest_frames_within_its_limits(
            sizes in prop::collection::vec(0usize..20, 0..60),
            frames in 1usize..10,
            bytes in 0usize..50,
        ) {
            let limits = QueueLimits::new(frames, bytes);
            let mut queue = BoundedQueue::new(limits);
            let mut model: Vec<Bytes> = Vec::new();
            let (mut dropped, mut expected) = (0, 0);
            for (serial, size) in sizes.iter().enumerate() {
                let frame = Bytes::from(vec![serial as u8; *size]);
                dropped += queue.push(frame.clone());
                model.push(frame);
                let total = |model: &[Bytes]| model.iter().map(Bytes::len).sum::<usize>();
                while model.len() > 1 && (model.len() > frames || total(&model) > bytes) {
                    model.remove(0);
                    expected += 1;
                }
            }
            prop_assert_eq!(dropped, expected);
            let got: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
            prop_assert_eq!(got, model);
            prop_assert_eq!(queue.bytes(), 0);
        }
    }
}
