//! Calls of the operator's parts, that is its keys, policy, node and messenger, such that none of
//! them can hold it up.
//!
//! Each call is made in a task of its own and has a timeout. A call that takes long raises an alarm
//! before it ends, and so does one that is given up; when the part answers again, that is reported
//! too.

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

/// How long calls of an operator's parts may take. A call that exceeds its limit is given up and
/// made again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallLimits {
    /// The limit for a signature of any key; 15 s by default. It should exceed the key's own
    /// timeout, which is ten seconds for a hardware module, so that the key reports what is wrong;
    /// and if a PIN is typed on a pad, the time that takes.
    pub key: Duration,
    /// The limit for an answer of the policy; 10 s by default. Meanwhile no other block is tested.
    pub policy: Duration,
    /// The limit for an answer of the node; 60 s by default, which exceeds the timeout of its
    /// client.
    pub node: Duration,
    /// The limit for handing a frame to the messenger; 5 s by default. Messengers return at once.
    pub messenger: Duration,
    /// The time after which a key, the policy or the messenger is reported as slow; by default a
    /// quarter of the interval, but at least a second and at most half of the limit.
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

/// How many timely answers in a row it takes until a slow part has recovered.
const ANSWERS_TO_RECOVER: u32 = 3;

/// How many timely answers it takes for this part. A reissuance key is asked once in weeks.
const fn answers_to_recover(part: Part) -> u32 {
    match part {
        Part::ReissuanceKey => 1,
        _ => ANSWERS_TO_RECOVER,
    }
}

/// How many calls of one part may be pending. A call that waits ends when it is given up. One that
/// blocks its thread does not, and costs the runtime another thread.
const MAX_PENDING: usize = 16;

/// A change in how a part answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answering {
    /// A call is still pending after this long.
    Late(Duration),
    /// A call was given up after this long.
    GivenUp(Duration),
    /// The part answers in time again.
    Recovered,
}

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the {part} did not answer within {limit:?}")]
    NoAnswer { part: Part, limit: Duration },
    #[error("the {part} panicked: {reason}")]
    Panicked { part: Part, reason: String },
    #[error("{MAX_PENDING} calls of the {part} are pending and do not return: no more are made")]
    Blocked { part: Part },
    /// The operator or its runtime is ending.
    #[error("the call of the {part} was cancelled")]
    Ended { part: Part },
}

impl From<CallError> for SignerError {
    fn from(error: CallError) -> Self {
        Self::unavailable(error)
    }
}

/// The state of one part.
#[derive(Debug, Default)]
struct Health {
    /// Whether it was reported that the part is slow, and that a call was given up.
    reported: (bool, bool),
    /// The number of timely answers since the last late one.
    in_time: u32,
    pending: Arc<AtomicUsize>,
}

/// Counts a call as long as its task lives.
struct PendingCall(Arc<AtomicUsize>);

impl PendingCall {
    fn new(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for PendingCall {
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
    /// Makes calls for a chain of this interval. Changes in how the parts answer are sent to
    /// `reports`.
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

    /// The tasks of all calls, and others that are to be waited for at the end.
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

    /// The time after which a call of this part is late. A node takes seconds for large blocks, so
    /// its calls are only late when they are given up.
    fn slow(&self, part: Part) -> Duration {
        let limit = self.limit(part);
        match part {
            Part::Node => limit,
            _ => self.slow.min(limit / 2),
        }
    }

    /// How long to wait for the identity key before a second attempt is worthwhile.
    pub(crate) fn patience(&self) -> Duration {
        self.slow(Part::IdentityKey)
    }

    /// Makes a call in a task of its own. Dropping the returned future aborts it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        part: Part,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, CallError> {
        let count = self.health().entry(part).or_default().pending.clone();
        if count.load(Ordering::Relaxed) >= MAX_PENDING {
            return Err(CallError::Blocked { part });
        }
        let pending = PendingCall::new(count);
        let task = AbortOnDropHandle::new(self.tasks.spawn(async move {
            let _pending = pending;
            poll_in_place(call).await
        }));
        let ended = task.map_err(|error| match error.try_into_panic() {
            Ok(panic) => panicked(part, &*panic),
            Err(_) => CallError::Ended { part },
        });
        self.watch(part, ended).await
    }

    /// Waits for a call up to its limit, and reports if it is late or given up.
    async fn watch<T>(
        &self,
        part: Part,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let begun = Instant::now();
        let (slow, limit) = (self.slow(part), self.limit(part));
        let mut call = core::pin::pin!(call);
        if let Ok(answer) = tokio::time::timeout(slow, &mut call).await {
            // A panic is not an answer.
            if answer.is_ok() {
                self.record(part, None);
            }
            return answer;
        }
        if slow < limit {
            self.record(part, Some(Answering::Late(slow)));
            let rest = limit.saturating_sub(begun.elapsed());
            if let Ok(answer) = tokio::time::timeout(rest, &mut call).await {
                return answer;
            }
        }
        self.record(part, Some(Answering::GivenUp(limit)));
        Err(CallError::NoAnswer { part, limit })
    }

    fn health(&self) -> MutexGuard<'_, BTreeMap<Part, Health>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a timely answer, or what is wrong.
    fn record(&self, part: Part, wrong: Option<Answering>) {
        let mut all = self.health();
        let health = all.entry(part).or_default();
        let is_news = match wrong {
            None => {
                health.in_time = health.in_time.saturating_add(1);
                let has_recovered = health.in_time >= answers_to_recover(part);
                has_recovered && core::mem::take(&mut health.reported) != (false, false)
            }
            Some(Answering::GivenUp(_)) => {
                health.in_time = 0;
                core::mem::replace(&mut health.reported, (true, true)) != (true, true)
            }
            Some(_) => {
                health.in_time = 0;
                !core::mem::replace(&mut health.reported.0, true)
            }
        };
        drop(all);
        if is_news {
            // Gone only when the engine is.
            let _ = self
                .reports
                .send((part, wrong.unwrap_or(Answering::Recovered)));
        }
    }
}

/// Polls a call such that the runtime goes on with another thread if the call blocks its own. If it
/// blocked the thread that drives timers and sockets, nothing would drive them until another thread
/// wakes up. A runtime with a single thread has no other to go on with.
async fn poll_in_place<T>(call: impl Future<Output = T>) -> T {
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
    let reason = text.unwrap_or_else(|| "without a message".to_owned());
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
    async fn a_call_that_hangs_is_reported_before_it_is_given_up() {
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
            "before it is given up"
        );
        assert_eq!(reports.try_recv(), Ok((POLICY, Answering::GivenUp(limit))));
        // The call's task has ended too.
        calls.tasks().close();
        calls.tasks().wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_has_recovered_after_some_timely_answers_in_a_row() {
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
        for _ in 0..ANSWERS_TO_RECOVER {
            assert!(
                reports.try_recv().is_err(),
                "reported once, and not recovered yet"
            );
            calls
                .run(POLICY, take(SECOND / 2))
                .await
                .expect("an answer");
        }
        assert_eq!(reports.try_recv(), Ok((POLICY, Answering::Recovered)));
        calls
            .run(POLICY, take(SECOND / 2))
            .await
            .expect("an answer");
        assert!(reports.try_recv().is_err(), "reported once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_panics_has_not_recovered() {
        let (calls, mut reports) = calls();
        let late = calls.run(POLICY, take(SECOND * 2));
        late.await.expect("an answer");
        assert_eq!(reports.try_recv(), Ok((POLICY, Answering::Late(SECOND))));
        for _ in 0..=ANSWERS_TO_RECOVER {
            let at_once = calls.run(POLICY, async { panic!("a strange block") });
            at_once.await.expect_err("it panicked");
        }
        assert!(reports.try_recv().is_err(), "a panic is not an answer");
    }

    /// A single worker is enough, although the call blocks it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_call_that_blocks_its_thread_is_given_up_and_does_not_stop_others() {
        let (sender, _reports) = mpsc::unbounded_channel();
        let limit = Duration::from_millis(100);
        let limits = CallLimits {
            policy: limit,
            ..CallLimits::default()
        };
        let calls = Calls::new(limits, SECOND, sender);
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let call = async move {
            // Bounded, so that the test ends even if nothing else makes progress.
            let _ = blocked.recv_timeout(SECOND * 60);
        };
        let part = POLICY;
        let given_up = calls.run(part, call).await;
        assert_eq!(given_up, Err(CallError::NoAnswer { part, limit }));
        drop(release);
    }

    #[tokio::test]
    async fn a_call_that_panics_is_only_an_error() {
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
