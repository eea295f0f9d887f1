//! Keeps the log short when something goes wrong again and again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The time within which a line is not repeated and no kind gets more than [`MAX_LINES`] lines.
const WINDOW: Duration = Duration::from_secs(60);

/// The most lines of one kind in a window.
const MAX_LINES: u32 = 20;

/// Decides which lines pass: new ones at once, a repeated one after a while, and never too many.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    kinds: Mutex<BTreeMap<&'static str, Kind>>,
}

#[derive(Debug)]
struct Kind {
    last: String,
    logged: Instant,
    window: Instant,
    lines: u32,
}

impl Throttle {
    /// Whether to write a line of this kind now.
    pub(crate) fn passes(&self, kind: &'static str, line: &str) -> bool {
        let now = Instant::now();
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = kinds.get_mut(kind) else {
            kinds.insert(
                kind,
                Kind {
                    last: line.to_owned(),
                    logged: now,
                    window: now,
                    lines: 1,
                },
            );
            return true;
        };
        if now >= known.window + WINDOW {
            known.window = now;
            known.lines = 0;
        }
        let is_new = known.last != line || now >= known.logged + WINDOW;
        if !is_new || known.lines == MAX_LINES {
            return false;
        }
        known.lines += 1;
        known.logged = now;
        line.clone_into(&mut known.last);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_same_line_passes_once_a_minute() {
        let throttle = Throttle::default();
        assert!(throttle.passes("a", "x"));
        assert!(!throttle.passes("a", "x"));
        assert!(throttle.passes("b", "x"));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(!throttle.passes("a", "x"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(throttle.passes("a", "x"));
    }

    #[tokio::test(start_paused = true)]
    async fn lines_that_always_differ_are_bounded_too() {
        let throttle = Throttle::default();
        let lines = |throttle: &Throttle| {
            (0..1000)
                .filter(|n| throttle.passes("a", &n.to_string()))
                .count()
        };
        assert_eq!(lines(&throttle), 20);
        tokio::time::advance(WINDOW).await;
        assert_eq!(lines(&throttle), 20);
    }
}
