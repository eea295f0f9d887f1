//! The bounded queue of frames for the brokers. The oldest frames are dropped when it is full, and
//! frames past their lifetime are dropped too.

use core::time::Duration;
use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use federation_messenger::{BoundedQueue, QueueLimits};

/// Holds frames for the thread that passes them to librdkafka.
#[derive(Debug)]
pub(crate) struct Outbox {
    lifetime: Duration,
    state: Mutex<State>,
    readable: Condvar,
}

#[derive(Debug)]
struct State {
    queue: BoundedQueue<Waiting>,
    dropped: u64,
    closed: bool,
}

/// A frame and the time it was queued.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) frame: Bytes,
    pub(crate) since: Instant,
    pub(crate) at: SystemTime,
}

impl AsRef<[u8]> for Waiting {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

/// The result of waiting for a frame.
#[derive(Debug)]
pub(crate) enum Next {
    Frame(Waiting),
    Nothing,
    /// Closed and empty.
    Closed,
}

impl Outbox {
    pub(crate) fn new(limits: QueueLimits, lifetime: Duration) -> Self {
        Self {
            lifetime,
            state: Mutex::new(State {
                queue: BoundedQueue::new(limits),
                dropped: 0,
                closed: false,
            }),
            readable: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this lock, so the data is consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a frame, dropping the oldest ones if the queue is full. An empty queue accepts a frame
    /// of any size.
    pub(crate) fn push(&self, frame: Bytes) {
        let mut state = self.lock();
        state.dropped += state.queue.push(Waiting {
            frame,
            since: Instant::now(),
            at: SystemTime::now(),
        });
        drop(state);
        self.readable.notify_one();
    }

    /// Returns the oldest frame within its lifetime, waiting up to `wait` for one.
    pub(crate) fn next(&self, wait: Duration) -> Next {
        let mut state = self.lock();
        if state.queue.is_empty() && !state.closed {
            state = self
                .readable
                .wait_timeout(state, wait)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        while let Some(waiting) = state.queue.pop() {
            if waiting.since.elapsed() <= self.lifetime {
                return Next::Frame(waiting);
            }
            state.dropped += 1;
        }
        if state.closed {
            Next::Closed
        } else {
            Next::Nothing
        }
    }

    /// Stops waiting for frames. Those still queued can be taken out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.readable.notify_all();
    }

    /// Returns the number of frames dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn drain(outbox: &Outbox) -> Vec<Bytes> {
        std::iter::from_fn(|| match outbox.next(Duration::ZERO) {
            Next::Frame(waiting) => Some(waiting.frame),
            Next::Nothing | Next::Closed => None,
        })
        .collect()
    }

    #[test]
    fn frames_past_their_lifetime_are_dropped_and_counted() {
        let outbox = Outbox::new(QueueLimits::default(), Duration::from_millis(20));
        outbox.push("old".into());
        std::thread::sleep(Duration::from_millis(40));
        outbox.push("new".into());
        assert_eq!(drain(&outbox), ["new"]);
        assert_eq!(outbox.dropped(), 1);
    }

    #[test]
    fn a_frame_wakes_a_waiting_thread() {
        let outbox = Arc::new(Outbox::new(QueueLimits::default(), LONG));
        let waiting = std::thread::spawn({
            let outbox = Arc::clone(&outbox);
            move || outbox.next(LONG)
        });
        outbox.push("frame".into());
        let next = waiting.join().expect("no panic");
        assert!(matches!(next, Next::Frame(waiting) if waiting.frame == "frame"));
    }

    #[test]
    fn queued_frames_are_returned_before_the_end_is_reported() {
        let outbox = Outbox::new(QueueLimits::default(), LONG);
        outbox.push("last".into());
        outbox.close();
        assert!(matches!(outbox.next(LONG), Next::Frame(_)));
        assert!(matches!(outbox.next(LONG), Next::Closed));
    }

    #[test]
    fn the_oldest_frames_are_dropped_and_counted_when_the_queue_is_full() {
        let outbox = Outbox::new(QueueLimits::new(2, 100), LONG);
        for frame in ["first", "second", "third"] {
            outbox.push(frame.into());
        }
        assert_eq!(drain(&outbox), ["second", "third"]);
        assert_eq!(outbox.dropped(), 1);
    }
}
