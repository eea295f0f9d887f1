//! Detects threads that hang in librdkafka.

use core::time::Duration;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// How long a thread may be silent. Each call has a timeout of seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// When each thread last reported.
#[derive(Debug, Default)]
pub(crate) struct Watchdog(Mutex<BTreeMap<&'static str, Instant>>);

impl Watchdog {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Instant>> {
        // No code panics while it holds this lock, so the data is consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a thread is alive.
    pub(crate) fn alive(&self, thread: &'static str) {
        self.lock().insert(thread, Instant::now());
    }

    /// Stops watching a thread.
    pub(crate) fn done(&self, thread: &'static str) {
        self.lock().remove(thread);
    }

    /// Returns a thread that has been silent for too long.
    pub(crate) fn hung(&self) -> Option<&'static str> {
        self.hung_at(Instant::now())
    }

    fn hung_at(&self, now: Instant) -> Option<&'static str> {
        let threads = self.lock();
        let mut hung = threads
            .iter()
            .filter(|(_, seen)| now.saturating_duration_since(**seen) > LIMIT);
        hung.next().map(|(thread, _)| *thread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_thread_is_named_unless_it_is_done() {
        let watchdog = Watchdog::default();
        let now = Instant::now();
        assert_eq!(
            watchdog.hung_at(now + 2 * LIMIT),
            None,
            "no thread is watched"
        );
        watchdog.alive("kafka-in");
        watchdog.alive("kafka-out");
        assert_eq!(watchdog.hung_at(now + LIMIT), None);
        watchdog.done("kafka-out");
        assert_eq!(watchdog.hung_at(now + 2 * LIMIT), Some("kafka-in"));
        watchdog.alive("kafka-in");
        assert_eq!(watchdog.hung(), None);
    }
}
