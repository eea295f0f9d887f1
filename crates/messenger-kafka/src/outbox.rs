//! The bounded queue of frames for the brokers. The oldest frames are dropped when it is full, and
//! frames past their lifetime are dropped too.

use core::time::Duration;
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use federation_messenger::QueueLimits;

/// Holds frames for the thread that passes them to librdkafka.
#[derive(Debug)]
pub(crate) struct Outbox {
    limits: QueueLimits,
    lifetime: Duration,
    state: Mutex<State>,
    readable: Condvar,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Waiting>,
    bytes: usize,
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

/// The result of waiting for a frame.
#[derive(Debug)]
pub(crate) enum Next {
    Frame(Waiting),
    Nothing,
    /// Closed and empty.
    Closed,
}

impl State {
    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.frames.pop_front()?;
        self.bytes -= waiting.frame.len();
        if self.frames.is_empty() && self.frames.capacity() > 64 {
            // Release the memory after a burst.
            self.frames = VecDeque::new();
        }
        Some(waiting)
    }
}

impl Outbox {
    pub(crate) fn new(limits: QueueLimits, lifetime: Duration) -> Self {
        Self {
            limits,
            lifetime,
            state: Mutex::default(),
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
        while !state.frames.is_empty()
            && (state.frames.len() >= self.limits.frames()
                || state.bytes.saturating_add(frame.len()) > self.limits.bytes())
        {
            state.pop();
            state.dropped += 1;
        }
        state.bytes += frame.len();
        state.frames.push_back(Waiting {
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
        if state.frames.is_empty() && !state.closed {
            state = self
                .readable
                .wait_timeout(state, wait)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        while let Some(waiting) = state.pop() {
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

    use proptest::prelude::*;

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

    proptest! {
        /// Compares with a plain list: the newest frames within the limits stay, in order, and the
        /// others are counted as dropped.
        #[test]
        fn the_newest_frames_within_the_limits_are_kept(
            sizes in prop::collection::vec(0usize..20, 0..60),
            frames in 1usize..10,
            bytes in 0usize..50,
        ) {
            let outbox = Outbox::new(QueueLimits::new(frames, bytes), LONG);
            let mut model: Vec<Bytes> = Vec::new();
            let mut expected = 0;
            for (serial, size) in sizes.iter().enumerate() {
                let frame = Bytes::from(vec![serial as u8; *size]);
                outbox.push(frame.clone());
                model.push(frame);
                let total = |model: &[Bytes]| model.iter().map(Bytes::len).sum::<usize>();
                while model.len() > 1 && (model.len() > frames || total(&model) > bytes) {
                    model.remove(0);
                    expected += 1;
                }
            }
            prop_assert_eq!(outbox.dropped(), expected);
            prop_assert_eq!(drain(&outbox), model);
            prop_assert_eq!(outbox.lock().bytes, 0);
        }
    }
}
