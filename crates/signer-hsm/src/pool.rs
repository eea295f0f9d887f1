//! The threads that call the module, each with a session, behind a bounded queue.
//!
//! Modules hang. A thread whose call has not returned within the timeout is abandoned, and another
//! one with its own session takes its place; if the call returns after all, its thread ends. The
//! number of hanging calls is limited; beyond it the key becomes unusable.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use secp256k1::PublicKey;
use tokio::sync::oneshot;

use crate::{
    HsmConfig, HsmError,
    key_session::{CallLimit, KeySession, Shared},
};

struct Job {
    digest: [u8; 32],
    answer: oneshot::Sender<Result<Vec<u8>, HsmError>>,
}

impl Job {
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }
}

/// How long to wait for the threads to end. Hanging ones are left behind.
const END: Duration = Duration::from_secs(1);

/// A pool of threads that sign, and end when it is dropped.
pub(crate) struct Pool {
    inner: Arc<Inner>,
    /// `None` while it is being dropped; each thread holds a clone.
    alive: Option<Sender<()>>,
    /// Closed when all threads have ended.
    ended: Mutex<Receiver<()>>,
}

/// The state shared by the pool and its threads.
struct Inner {
    state: Mutex<State>,
    work: Condvar,
    key: Arc<Shared>,
    public_key: PublicKey,
    /// The number of working threads.
    sessions: usize,
    queue: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: BTreeMap<u64, Thread>,
    /// The number of threads started so far.
    started: u64,
    closed: bool,
}

/// The state of a thread.
#[derive(Clone, Copy)]
enum Thread {
    Idle,
    /// Busy with a job since then.
    Working(Instant),
    /// It took too long, and another thread has replaced it.
    Hanging,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// Starts a thread for each session.
    pub(crate) fn start(
        sessions: Vec<KeySession>,
        key: Arc<Shared>,
        public_key: PublicKey,
        queue: usize,
    ) -> Result<Self, HsmError> {
        let (alive, ended) = channel();
        let pool = Self {
            inner: Arc::new(Inner {
                state: Mutex::default(),
                work: Condvar::new(),
                key,
                public_key,
                sessions: sessions.len(),
                queue,
            }),
            alive: Some(alive),
            ended: Mutex::new(ended),
        };
        for session in sessions {
            pool.add(&mut pool.inner.lock(), session)?;
        }
        Ok(pool)
    }

    fn add(&self, state: &mut State, session: KeySession) -> Result<(), HsmError> {
        let alive = self.alive.clone().ok_or(HsmError::Stopped)?;
        let (inner, number) = (self.inner.clone(), state.started);
        spawn(move || work(session, &inner, number, alive))?;
        state.started += 1;
        state.threads.insert(number, Thread::Idle);
        Ok(())
    }

    /// Returns the module's result for a digest.
    pub(crate) async fn sign(&self, digest: [u8; 32]) -> Result<Vec<u8>, HsmError> {
        let (answer, waiting) = oneshot::channel();
        {
            let mut state = self.inner.lock();
            // Earlier callers may not have waited until the timeout.
            self.replace(&mut state)?;
            if state.jobs.len() >= self.inner.queue {
                state.jobs.retain(Job::is_wanted);
            }
            if state.jobs.len() >= self.inner.queue {
                return Err(HsmError::Busy(self.inner.queue));
            }
            state.jobs.push_back(Job { digest, answer });
        }
        self.inner.work.notify_one();
        let answer = within(&self.inner.key.call_limit, waiting).await;
        if matches!(answer, Err(HsmError::Timeout(_))) {
            self.replace(&mut self.inner.lock())?;
        }
        answer
    }

    /// Replaces each thread that hangs.
    fn replace(&self, state: &mut State) -> Result<(), HsmError> {
        let limit = self.inner.key.call_limit.limit();
        // The caller started waiting slightly before the call began.
        let too_long = limit - limit / 10;
        let mut hanging = 0;
        for thread in state.threads.values_mut() {
            if matches!(thread, Thread::Working(since) if since.elapsed() >= too_long) {
                *thread = Thread::Hanging;
                tracing::error!(
                    "a call of the PKCS#11 module has not returned within {limit:?}: its thread is abandoned"
                );
            }
            hanging += usize::from(matches!(thread, Thread::Hanging));
        }
        if hanging >= HsmConfig::MAX_HANGING {
            tracing::error!(hanging, "PKCS#11 module unusable: too many calls hang");
            return Err(HsmError::Hangs(hanging));
        }
        while state.threads.len() < self.inner.sessions + hanging {
            let key = self.inner.key.clone();
            self.add(state, KeySession::new(key, Some(self.inner.public_key)))?;
        }
        Ok(())
    }
}

impl Drop for Pool {
    /// Waits for the threads, since modules crash if the process exits during a call.
    fn drop(&mut self) {
        {
            let mut state = self.inner.lock();
            state.closed = true;
            state.jobs.clear();
        }
        self.inner.work.notify_all();
        self.alive = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(END) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("PKCS#11 module hangs: its threads are abandoned");
        }
    }
}

/// Waits for a thread's result, with a timeout.
pub(crate) async fn within<T>(
    call_limit: &CallLimit,
    mut waiting: oneshot::Receiver<Result<T, HsmError>>,
) -> Result<T, HsmError> {
    let mut waited = Duration::ZERO;
    loop {
        // Meanwhile it may turn out that a person enters the PIN on a pad.
        let limit = call_limit.limit();
        let Some(more) = limit.checked_sub(waited).filter(|more| !more.is_zero()) else {
            return Err(HsmError::Timeout(limit));
        };
        match tokio::time::timeout(more, &mut waiting).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(_)) => return Err(HsmError::Stopped),
            Err(_) => waited = limit,
        }
    }
}

/// Starts a thread on which a call of the module may block.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), HsmError> {
    thread::Builder::new()
        .name("pkcs11".to_owned())
        .spawn(work)
        .map(drop)
        .map_err(|error| HsmError::Thread(error.to_string()))
}

/// Works until the pool is closed, or another thread has replaced this one; `alive` is dropped
/// after the session.
fn work(mut session: KeySession, inner: &Inner, number: u64, alive: Sender<()>) {
    while let Some(job) = next(inner, number) {
        let signature = session.sign(&job.digest, &|| job.is_wanted());
        let _ = job.answer.send(signature);
    }
    drop(session);
    inner.lock().threads.remove(&number);
    drop(alive);
}

/// Returns the next job with a waiting caller. `None` if the thread is to end.
fn next(inner: &Inner, number: u64) -> Option<Job> {
    let mut state = inner.lock();
    if matches!(state.threads.get(&number), Some(Thread::Hanging)) {
        tracing::warn!("a hanging call of the PKCS#11 module has returned");
        return None;
    }
    state.threads.insert(number, Thread::Idle);
    loop {
        if state.closed {
            return None;
        }
        // Jobs queued while the module hung may have no waiting caller any more.
        match state.jobs.pop_front() {
            Some(job) if job.is_wanted() => {
                state
                    .threads
                    .insert(number, Thread::Working(Instant::now()));
                return Some(job);
            }
            Some(_) => {}
            None => {
                state = inner
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}
