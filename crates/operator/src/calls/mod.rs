//! Calls of what an operator was given, keys, policy, node and messenger: none holds it up.
//!
//! Each is made in a task of its own and has a time-out. One that takes long is an alarm before it
//! ends, and so is one that is given up; that the part answers again is told, too.

mod node;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use federation_block_signing::Part;
use federation_signer::SignerError;
use futures::TryFutureExt;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::mpsc,
    task::block_in_place,
    time::Instant,
};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

pub(crate) use self::node::LimitedNode;

/// How long calls of what an operator was given may take. What overruns is given up, and asked for
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallLimits {
    /// A signature of any key, 15 s if not set. Longer than the time-out that the key has of its own,
    /// ten seconds for a hardware module, so that it is the key which says what is wrong; where a PIN
    /// is typed on a pad, longer than that takes.
    pub key: Duration,
    /// An answer of the policy, 10 s if not set. Meanwhile no other block is tested.
    pub policy: Duration,
    /// An answer of the node, 60 s if not set: longer than the time-out of its client.
    pub node: Duration,
    /// To hand a frame to the messenger, 5 s if not set. Messengers return at once.
    pub messenger: Duration,
    /// After how long a key, the policy or the messenger is said to be slow; if none is set, a quarter
    /// of the interval, at least a second, and at most half of the limit.
    pub slow: Option<Duration>,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            key: Duration::from_secs(15),
            policy: Duration::from_secs(10),
            node: Duration::from_secs(60),
            messenger: Duration::from_secs(5),
            slow: None,
        }
    }
}

/// After so many answers in time in a row a slow part is well again.
const WELL: u32 = 3;

/// How many answers in time it takes. A reissuance key is asked once in weeks.
const fn answers_to_be_well(part: Part) -> u32 {
    match part {
        Part::ReissuanceKey => 1,
        _ => WELL,
    }
}

/// So many calls of a part may be under way in tasks of their own. A call that waits ends when it is
/// given up. One that blocks its thread does not, and the runtime has to make another thread for it.
const AT_ONCE: usize = 16;

/// How a part answers, when that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answering {
    /// A call has taken so long, and has not come back.
    Late(Duration),
    /// A call was given up after so long.
    GivenUp(Duration),
    /// It answers in time again.
    Well,
}

/// Why a call gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the {part} did not answer within {limit:?}")]
    NoAnswer { part: Part, limit: Duration },
    #[error("the {part} panicked: {reason}")]
    Panicked { part: Part, reason: String },
    #[error("{AT_ONCE} calls of the {part} are under way and do not come back: no more are made")]
    Blocked { part: Part },
    /// The operator or its runtime ends.
    #[error("the {part} was not waited for")]
    Ended { part: Part },
}

impl From<CallError> for SignerError {
    fn from(error: CallError) -> Self {
        Self::unavailable(error)
    }
}

/// How it is with one part.
#[derive(Debug, Default)]
struct Health {
    /// Whether it was told that it is slow, and that a call was given up.
    told: (bool, bool),
    /// Answers in time since the last late one.
    in_time: u32,
    under_way: Arc<AtomicUsize>,
}

/// Counts a call while its task lives.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes calls, and watches how long they take.
#[derive(Debug)]
pub(crate) struct Calls {
    limits: CallLimits,
    slow: Duration,
    health: Mutex<BTreeMap<Part, Health>>,
    reports: mpsc::UnboundedSender<(Part, Answering)>,
    tasks: TaskTracker,
}

impl Calls {
    /// For a chain of this interval; what changes is said there.
    pub(crate) fn new(
        limits: CallLimits,
        interval: Duration,
        reports: mpsc::UnboundedSender<(Part, Answering)>,
    ) -> Self {
        let usual = (interval / 4).max(Duration::from_secs(1));
        Self {
            slow: limits.slow.unwrap_or(usual),
            limits,
            health: Mutex::default(),
            reports,
            tasks: TaskTracker::new(),
        }
    }

    /// The tasks of all calls, and of whoever else is to be waited for at the end.
    pub(crate) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    const fn limit(&self, part: Part) -> Duration {
        match part {
            Part::Policy => self.limits.policy,
            Part::Node => self.limits.node,
            Part::Messenger => self.limits.messenger,
            _ => self.limits.key,
        }
    }

    /// When a call of this part is late, before it is given up. Nodes take seconds for large blocks.
    fn slow(&self, part: Part) -> Duration {
        let limit = self.limit(part);
        match part {
            Part::Node => limit,
            _ => self.slow.min(limit / 2),
        }
    }

    /// How long the identity key may take before asking once more is worth a try.
    pub(crate) fn patience(&self) -> Duration {
        self.slow(Part::IdentityKey)
    }

    /// Makes a call in a task of its own. Dropping the returned future ends it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        part: Part,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, CallError> {
        let count = self.health().entry(part).or_default().under_way.clone();
        if count.load(Ordering::Relaxed) >= AT_ONCE {
            return Err(CallError::Blocked { part });
        }
        let under_way = UnderWay::new(count);
        let task = AbortOnDropHandle::new(self.tasks.spawn(async move {
            let _under_way = under_way;
            beside(call).await
        }));
        let ended = task.map_err(|error| match error.try_into_panic() {
            Ok(panic) => panicked(part, &*panic),
            Err(_) => CallError::Ended { part },
        });
        self.watch(part, ended).await
    }

    /// Waits for a call up to its limit, and tells how long it takes.
    async fn watch<T>(
        &self,
        part: Part,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let begun = Instant::now();
        let (slow, limit) = (self.slow(part), self.limit(part));
        let mut call = core::pin::pin!(call);
        if let Ok(answer) = tokio::time::timeout(slow, &mut call).await {
            // Who panics has not answered.
            if answer.is_ok() {
                self.note(part, None);
            }
            return answer;
        }
        if slow < limit {
            self.note(part, Some(Answering::Late(slow)));
            let rest = limit.saturating_sub(begun.elapsed());
            if let Ok(answer) = tokio::time::timeout(rest, &mut call).await {
                return answer;
            }
        }
        self.note(part, Some(Answering::GivenUp(limit)));
        Err(CallError::NoAnswer { part, limit })
    }

    fn health(&self) -> MutexGuard<'_, BTreeMap<Part, Health>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an answer came in time, or what is wrong.
    fn note(&self, part: Part, wrong: Option<Answering>) {
        let mut all = self.health();
        let health = all.entry(part).or_default();
        let is_news = match wrong {
            None => {
                health.in_time = health.in_time.saturating_add(1);
                let is_well = health.in_time >= answers_to_be_well(part);
                is_well && core::mem::take(&mut health.told) != (false, false)
            }
            Some(Answering::GivenUp(_)) => {
                health.in_time = 0;
                core::mem::replace(&mut health.told, (true, true)) != (true, true)
            }
            Some(_) => {
                health.in_time = 0;
                !core::mem::replace(&mut health.told.0, true)
            }
        };
        drop(all);
        if is_news {
            // Gone only when the engine is.
            let _ = self.reports.send((part, wrong.unwrap_or(Answering::Well)));
        }
    }
}

/// Polls a call so that, should it block its thread, the runtime goes on with another one: with the
/// thread blocked that last looked after time and sockets, nobody would before something else wakes one
/// up. A runtime of one thread has no other.
async fn beside<T>(call: impl Future<Output = T>) -> T {
    let has_others = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    let mut call = core::pin::pin!(call);
    core::future::poll_fn(|context| {
        if has_others {
            block_in_place(|| call.as_mut().poll(context))
        } else {
            call.as_mut().poll(context)
        }
    })
    .await
}

fn panicked(part: Part, panic: &(dyn core::any::Any + Send)) -> CallError {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    let reason = text.unwrap_or_else(|| "it did not say why".to_owned());
    CallError::Panicked { part, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Part = Part::Policy;
    const SECOND: Duration = Duration::from_secs(1);

    fn calls() -> (Calls, mpsc::UnboundedReceiver<(Part, Answering)>) {
        let (sender, reports) = mpsc::unbounded_channel();
        let limits = CallLimits {
            policy: SECOND * 8,
            ..CallLimits::default()
        };
        (Calls::new(limits, SECOND, sender), reports)
    }

    async fn take(time: Duration) {
        tokio::time::sleep(time).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_is_told_of_while_it_does_and_given_up_then() {
        let (calls, mut reports) = calls();
        let given_up = calls.run(POLICY, core::future::pending::<()>()).await;
        let limit = SECOND * 8;
        let expected = CallError::NoAnswer {
            part: POLICY,
            limit,
        };
        assert_eq!(given_up, Err(expected));
        assert_eq!(
            reports.try_recv(),
            Ok((POLICY, Answering::Late(SECOND))),
            "before it was given up"
        );
        assert_eq!(reports.try_recv(), Ok((POLICY, Answering::GivenUp(limit))));
        // The task is gone with it.
        calls.tasks().close();
        calls.tasks().wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_is_well_again_when_it_has_answered_in_time_for_a_while() {
        let (calls, mut reports) = calls();
        calls
            .run(POLICY, take(SECOND * 2))
            .await
            .expect("an answer");
        calls
            .run(POLICY, take(SECOND * 3))
            .await
            .expect("an answer");
        assert_eq!(reports.try_recv(), Ok((POLICY, Answering::Late(SECOND))));
        for _ in 0..WELL {
            assert!(reports.try_recv().is_err(), "told once, and not well yet");
            calls
                .run(POLICY, take(SECOND / 2))
                .await
                .expect("an answer");
        }
        assert_eq!(reports.try_recv(), Ok((POLICY, Answering::Well)));
        calls
            .run(POLICY, take(SECOND / 2))
            .await
            .expect("an answer");
        assert!(reports.try_recv().is_err(), "told once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_panics_is_not_well_again() {
        let (calls, mut reports) = calls();
        let late = calls.run(POLICY, take(SECOND * 2));
        late.await.expect("an answer");
        assert_eq!(reports.try_recv(), Ok((POLICY, Answering::Late(SECOND))));
        for _ in 0..=WELL {
            let at_once = calls.run(POLICY, async { panic!("a strange block") });
            at_once.await.expect_err("it panicked");
        }
        assert!(reports.try_recv().is_err(), "it has not answered");
    }

    /// One worker is enough, though the call is made on it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_call_that_blocks_its_thread_is_given_up_and_stops_nothing_else() {
        let (sender, _reports) = mpsc::unbounded_channel();
        let limit = Duration::from_millis(100);
        let limits = CallLimits {
            policy: limit,
            ..CallLimits::default()
        };
        let calls = Calls::new(limits, SECOND, sender);
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let call = async move {
            // Not for ever, so that the test ends if nothing else goes on.
            let _ = blocked.recv_timeout(SECOND * 60);
        };
        let part = POLICY;
        let given_up = calls.run(part, call).await;
        assert_eq!(given_up, Err(CallError::NoAnswer { part, limit }));
        drop(release);
    }

    #[tokio::test]
    async fn a_call_that_panics_is_an_error_and_no_more() {
        let (calls, _reports) = calls();
        let panicked = calls.run(POLICY, async { panic!("a strange block") }).await;
        let Err::<(), _>(error) = panicked else {
            panic!("it panicked");
        };
        assert_eq!(
            error.to_string(),
            "the block policy panicked: a strange block"
        );
    }
}
