//! Whether the threads that call librdkafka come back from it.

use core::time::Duration;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// How long a thread may be away. Each call has a limit of seconds.
const AWAY: Duration = Duration::from_secs(120);

/// When each thread was last seen to go on.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<BTreeMap<&'static str, Instant>>);

impl Turns {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Instant>> {
        // No code panics while it holds this lock half way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a thread goes on.
    pub(crate) fn note(&self, thread: &'static str) {
        self.lock().insert(thread, Instant::now());
    }

    /// Notes that a thread is done.
    pub(crate) fn done(&self, thread: &'static str) {
        self.lock().remove(thread);
    }

    /// A thread that has not been seen for too long.
    pub(crate) fn hung(&self) -> Option<&'static str> {
        self.hung_at(Instant::now())
    }

    fn hung_at(&self, now: Instant) -> Option<&'static str> {
        let turns = self.lock();
        let mut away = turns
            .iter()
            .filter(|(_, seen)| now.saturating_duration_since(**seen) > AWAY);
        away.next().map(|(thread, _)| *thread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_does_not_come_back_is_named_and_one_that_is_done_is_not() {
        let turns = Turns::default();
        let now = Instant::now();
        assert_eq!(turns.hung_at(now + 2 * AWAY), None, "none has begun");
        turns.note("kafka-in");
        turns.note("kafka-out");
        assert_eq!(turns.hung_at(now + AWAY), None);
        turns.done("kafka-out");
        assert_eq!(turns.hung_at(now + 2 * AWAY), Some("kafka-in"));
        turns.note("kafka-in");
        assert_eq!(turns.hung(), None);
    }
}
