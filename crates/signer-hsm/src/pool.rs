//! The threads that talk to the module, each with a session, behind a bounded queue.
//!
//! Modules hang. A thread whose call has not come back within the time-out is left to itself, and
//! another, with a session of its own, takes its place; should the call come back after all, its
//! thread ends. So many calls may hang at a time and no more: then the key has ended.

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
    key_session::{KeySession, Patience, Shared},
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

/// How long the end of the threads is waited for. One that hangs is left behind.
const END: Duration = Duration::from_secs(1);

/// Signs on threads of its own, which end with it.
pub(crate) struct Pool {
    desk: Arc<Desk>,
    /// None while it is dropped; each thread has one.
    alive: Option<Sender<()>>,
    /// Closed when all threads have ended.
    ended: Mutex<Receiver<()>>,
}

/// What the pool and its threads share.
struct Desk {
    state: Mutex<State>,
    work: Condvar,
    key: Arc<Shared>,
    public_key: PublicKey,
    /// How many threads are to work.
    sessions: usize,
    queue: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: BTreeMap<u64, Thread>,
    /// How many threads there ever were.
    started: u64,
    closed: bool,
}

/// What a thread is at.
#[derive(Clone, Copy)]
enum Thread {
    Waits,
    /// On one job since then.
    Works(Instant),
    /// It took too long, and another has its place.
    Hangs,
}

impl Desk {
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
            desk: Arc::new(Desk {
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
            pool.add(&mut pool.desk.lock(), session)?;
        }
        Ok(pool)
    }

    fn add(&self, state: &mut State, session: KeySession) -> Result<(), HsmError> {
        let alive = self.alive.clone().ok_or(HsmError::Stopped)?;
        let (desk, number) = (self.desk.clone(), state.started);
        spawn(move || work(session, &desk, number, alive))?;
        state.started += 1;
        state.threads.insert(number, Thread::Waits);
        Ok(())
    }

    /// What the module returns for a digest.
    pub(crate) async fn sign(&self, digest: [u8; 32]) -> Result<Vec<u8>, HsmError> {
        let (answer, waiting) = oneshot::channel();
        {
            let mut state = self.desk.lock();
            // Whoever asked before may not have waited for the end of the time-out.
            self.replace(&mut state)?;
            if state.jobs.len() >= self.desk.queue {
                state.jobs.retain(Job::is_wanted);
            }
            if state.jobs.len() >= self.desk.queue {
                return Err(HsmError::Busy(self.desk.queue));
            }
            state.jobs.push_back(Job { digest, answer });
        }
        self.desk.work.notify_one();
        let answer = within(&self.desk.key.patience, waiting).await;
        if matches!(answer, Err(HsmError::Timeout(_))) {
            self.replace(&mut self.desk.lock())?;
        }
        answer
    }

    /// Puts another thread in the place of each that hangs.
    fn replace(&self, state: &mut State) -> Result<(), HsmError> {
        let limit = self.desk.key.patience.limit();
        // Who waited for the answer began to wait a little before the call began.
        let too_long = limit - limit / 10;
        let mut hanging = 0;
        for thread in state.threads.values_mut() {
            if matches!(thread, Thread::Works(since) if since.elapsed() >= too_long) {
                *thread = Thread::Hangs;
                tracing::error!(
                    "a call of the PKCS#11 module has not come back in {limit:?}: its thread is left to itself"
                );
            }
            hanging += usize::from(matches!(thread, Thread::Hangs));
        }
        if hanging >= HsmConfig::MAX_HANGING {
            tracing::error!(hanging, "no more calls are made to the PKCS#11 module");
            return Err(HsmError::Hangs(hanging));
        }
        while state.threads.len() < self.desk.sessions + hanging {
            let key = self.desk.key.clone();
            self.add(state, KeySession::new(key, Some(self.desk.public_key)))?;
        }
        Ok(())
    }
}

impl Drop for Pool {
    /// Waits for the threads, since modules crash when the process ends amid a call.
    fn drop(&mut self) {
        {
            let mut state = self.desk.lock();
            state.closed = true;
            state.jobs.clear();
        }
        self.desk.work.notify_all();
        self.alive = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(END) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the PKCS#11 module hangs, so its threads are left behind");
        }
    }
}

/// Waits for a thread's answer, but not for ever.
pub(crate) async fn within<T>(
    patience: &Patience,
    mut waiting: oneshot::Receiver<Result<T, HsmError>>,
) -> Result<T, HsmError> {
    let mut waited = Duration::ZERO;
    loop {
        // It may turn out meanwhile that a person types the PIN on a pad.
        let limit = patience.limit();
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

/// Starts a thread on which a module's call may block.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), HsmError> {
    thread::Builder::new()
        .name("pkcs11".to_owned())
        .spawn(work)
        .map(drop)
        .map_err(|error| HsmError::Thread(error.to_string()))
}

/// Works until there is no pool any more, or another thread has its place; `alive` is dropped after
/// the session.
fn work(mut session: KeySession, desk: &Desk, number: u64, alive: Sender<()>) {
    while let Some(job) = next(desk, number) {
        let signature = session.sign(&job.digest, &|| job.is_wanted());
        let _ = job.answer.send(signature);
    }
    drop(session);
    desk.lock().threads.remove(&number);
    drop(alive);
}

/// The next job that somebody waits for. None if the thread is to end.
fn next(desk: &Desk, number: u64) -> Option<Job> {
    let mut state = desk.lock();
    if matches!(state.threads.get(&number), Some(Thread::Hangs)) {
        tracing::warn!("a call of the PKCS#11 module that hung has come back");
        return None;
    }
    state.threads.insert(number, Thread::Waits);
    loop {
        if state.closed {
            return None;
        }
        // Nobody waits any more for what lay in the queue while the module hung.
        match state.jobs.pop_front() {
            Some(job) if job.is_wanted() => {
                state.threads.insert(number, Thread::Works(Instant::now()));
                return Some(job);
            }
            Some(_) => {}
            None => {
                state = desk
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}
