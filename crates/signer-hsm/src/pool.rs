//! The threads that talk to the module, each with a session, behind a bounded queue.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{
            Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel,
        },
    },
    thread,
    time::Duration,
};

use secp256k1::ecdsa;
use tokio::sync::oneshot;

use crate::{HsmError, session::KeySession};

struct Job {
    digest: [u8; 32],
    answer: oneshot::Sender<Result<ecdsa::Signature, HsmError>>,
}

/// How long the end of the threads is waited for. One that hangs is left behind.
const END: Duration = Duration::from_secs(1);

/// Signs on threads of its own, which end with it.
pub(crate) struct Pool {
    /// None while it is dropped.
    jobs: Option<SyncSender<Job>>,
    /// Closed when all threads have ended.
    ended: Mutex<Receiver<()>>,
    queue: usize,
    timeout: Duration,
}

impl Pool {
    /// Starts a thread for each session.
    pub(crate) fn start(
        sessions: Vec<KeySession>,
        queue: usize,
        timeout: Duration,
    ) -> Result<Self, HsmError> {
        let (jobs, receiver) = sync_channel(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let (alive, ended) = channel();
        for session in sessions {
            let (receiver, alive) = (receiver.clone(), alive.clone());
            spawn(move || work(session, &receiver, alive))?;
        }
        Ok(Self {
            jobs: Some(jobs),
            ended: Mutex::new(ended),
            queue,
            timeout,
        })
    }

    /// A signature, with low S and not verified yet.
    pub(crate) async fn sign(&self, digest: [u8; 32]) -> Result<ecdsa::Signature, HsmError> {
        let (answer, waiting) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(HsmError::Stopped)?;
        jobs.try_send(Job { digest, answer })
            .map_err(|error| match error {
                TrySendError::Full(_) => HsmError::Busy(self.queue),
                TrySendError::Disconnected(_) => HsmError::Stopped,
            })?;
        within(self.timeout, waiting).await
    }
}

impl Drop for Pool {
    /// Waits for the threads, since modules crash when the process ends amid a call.
    fn drop(&mut self) {
        self.jobs = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(END) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the PKCS#11 module hangs, so its threads are left behind");
        }
    }
}

/// Waits for a thread's answer, but not for ever.
pub(crate) async fn within<T>(
    timeout: Duration,
    waiting: oneshot::Receiver<Result<T, HsmError>>,
) -> Result<T, HsmError> {
    match tokio::time::timeout(timeout, waiting).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(HsmError::Stopped),
        Err(_) => Err(HsmError::Timeout(timeout)),
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

/// Works until there is no pool any more; `alive` is dropped after the session.
fn work(mut session: KeySession, jobs: &Mutex<Receiver<Job>>, alive: Sender<()>) {
    loop {
        // Whoever waits for the next job holds the lock, the others wait for the lock.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { digest, answer }) = next else {
            break;
        };
        // Nobody waits any more for what lay in the queue while the module hung.
        if !answer.is_closed() {
            let _ = answer.send(session.sign(&digest));
        }
    }
    drop(session);
    drop(alive);
}
