//! Keeps a client running in a separate process, restarting it when it ends.

use core::time::Duration;
use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use federation_messenger::Inbox;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout},
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tracing::{info, warn};

use super::{
    confine,
    messages::{Task, plain},
    pipe::{HEADER, Kind, invalid},
    rate::RateLimit,
};
use crate::KafkaError;

/// How long the client may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The first and the longest pause before a restart; it doubles in between.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A client that ran this long did not fail for the same reason as the one before it.
const STEADY: Duration = Duration::from_secs(60);

/// How long it may take to send its last frames when the messenger is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client that closed its pipes may take to exit.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Time between two pings to the client.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// How many ping intervals in a row may pass without an answer.
const MAX_SILENCE: u32 = 10;

/// Handles the untrusted records of a client.
pub(super) trait Handler: Send + Sync + 'static {
    /// Handles a frame, prefixed with its number.
    ///
    /// # Errors
    /// If the client violates the protocol.
    fn received(&self, frame: Bytes) -> io::Result<()>;

    /// Handles a report.
    ///
    /// # Errors
    /// If the client violates the protocol.
    fn report(&self, json: &[u8]) -> io::Result<()>;

    /// Handles the end of the client.
    fn ended(&self);
}

/// State shared by the messenger and the task that keeps the client running.
#[derive(Debug)]
pub(super) struct Supervisor<H> {
    pub(super) handler: H,
    /// Frames queued for the client.
    pub(super) outbox: Inbox,
    setup: Bytes,
    program: PathBuf,
    arguments: Vec<OsString>,
    /// Size limit of a frame, in bytes.
    largest: usize,
    closing: watch::Sender<bool>,
    running: AtomicBool,
    process: AtomicU32,
    restarts: AtomicU64,
    /// How the last client ended.
    end: Mutex<Option<String>>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds one of these locks, so the data is consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client and the pipes to it. Dropping it kills the client.
struct Client {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

/// The task that keeps a client running; dropping it ends the task.
#[derive(Debug)]
pub(super) struct SupervisorTask(Mutex<Option<JoinHandle<()>>>);

impl SupervisorTask {
    /// Waits until the client has ended after the supervisor was closed.
    pub(super) async fn ended(&self) {
        let task = lock(&self.0).take();
        if let Some(task) = task {
            // Its result does not matter.
            let _ = task.await;
        }
    }
}

impl Drop for SupervisorTask {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.0).take() {
            task.abort();
        }
    }
}

impl<H: Handler> Supervisor<H> {
    /// Starts a client for this task.
    pub(super) async fn start(
        handler: H,
        task: &Task,
        largest: usize,
        outbox: Inbox,
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<(Arc<Self>, SupervisorTask), KafkaError> {
        let setup = serde_json::to_vec(task).map_err(|error| failed(error.into()))?;
        let shared = Arc::new(Self {
            handler,
            outbox,
            setup: setup.into(),
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            largest,
            closing: watch::Sender::new(false),
            running: AtomicBool::new(false),
            process: AtomicU32::new(0),
            restarts: AtomicU64::new(0),
            end: Mutex::default(),
        });
        let client = shared.start_client().await?;
        let task = tokio::spawn(keep_running(Arc::clone(&shared), client));
        Ok((shared, SupervisorTask(Mutex::new(Some(task)))))
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    pub(super) fn process_id(&self) -> Option<u32> {
        Some(self.process.load(Ordering::Acquire)).filter(|id| *id != 0)
    }

    pub(super) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Returns how the last client ended, if one did.
    pub(super) fn end(&self) -> Option<String> {
        lock(&self.end).clone()
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Lets the client send its last frames and exit, and starts no other.
    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until it is closed.
    pub(super) async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // Cannot fail: `self` owns the sender.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Starts a client and waits until it is running.
    async fn start_client(&self) -> Result<Client, KafkaError> {
        let mut command = confine::command(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        let (Some(mut input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        let starting = async {
            write(&mut input, Kind::Setup, &self.setup).await?;
            read(&mut output, self.largest).await
        };
        let answer = timeout(START_TIMEOUT, starting)
            .await
            .map_err(|_| failed(io::ErrorKind::TimedOut.into()))?;
        match answer.map_err(failed)? {
            (Kind::Started, _) => {
                self.process
                    .store(child.id().unwrap_or(0), Ordering::Release);
                self.running.store(true, Ordering::Release);
                Ok(Client {
                    child,
                    input,
                    output,
                })
            }
            (Kind::Failed, reason) => {
                Err(KafkaError::Client(plain(&String::from_utf8_lossy(&reason))))
            }
            (other, _) => Err(failed(invalid(format!(
                "the program sent a {other} record first"
            )))),
        }
    }

    /// Records that a client has ended.
    pub(super) fn record_end(&self) {
        self.running.store(false, Ordering::Release);
        self.process.store(0, Ordering::Release);
        self.handler.ended();
    }

    /// Passes frames to and from a client. Returns how the client ended, or `None` if the supervisor was
    /// closed first.
    async fn serve(&self, client: Client) -> Option<String> {
        let Client {
            mut child,
            mut input,
            mut output,
        } = client;
        let pings = Pings::default();
        let result = tokio::select! {
            end = self.send(&mut input, &pings) => end,
            end = self.receive(&mut output, &pings) => end,
            () = pings.unanswered() => {
                let silence = (PING_INTERVAL * MAX_SILENCE).as_secs();
                Err(invalid(format!("it hung, without an answer for {silence} s")))
            }
            () = self.closed() => {
                self.shut_down(child, input, output).await;
                return None;
            }
        };
        // A broken pipe means that the process ended; one that violates the protocol or hangs is
        // stopped.
        let mut fault = result
            .err()
            .filter(|error| error.kind() == io::ErrorKind::InvalidData);
        if fault.is_none() && timeout(EXIT_TIMEOUT, child.wait()).await.is_err() {
            fault = Some(invalid("it closed its pipes and did not exit"));
        }
        let _ = child.start_kill();
        let status = match child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        Some(match fault {
            Some(error) => format!("{error}; stopped: {status}"),
            None => status,
        })
    }

    /// Sends a client the last frames and waits for it to exit.
    async fn shut_down(&self, mut child: Child, mut input: ChildStdin, mut output: ChildStdout) {
        let finishing = async {
            while let Ok(Some(frame)) = self.outbox.try_recv() {
                if write(&mut input, Kind::Frame, &frame).await.is_err() {
                    break;
                }
            }
            drop(input);
            // Drain its output, or it might block on a full pipe.
            let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
            let _ = child.wait().await;
        };
        if timeout(CLOSE_TIMEOUT, finishing).await.is_err() {
            warn!("the Kafka client does not exit, stopping it");
        }
    }

    async fn send(&self, input: &mut ChildStdin, pings: &Pings) -> io::Result<()> {
        let mut ticks = interval(PING_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                frame = self.outbox.recv() => match frame {
                    Ok(frame) => write(input, Kind::Frame, &frame).await?,
                    Err(_) => return Ok(()),
                },
                _ = ticks.tick() => {
                    pings.count_sent();
                    write(input, Kind::Ping, b"").await?;
                }
            }
        }
    }

    async fn receive(&self, output: &mut ChildStdout, pings: &Pings) -> io::Result<()> {
        let mut frames = RateLimit::for_received_frames(Instant::now());
        let mut control = RateLimit::for_received_control(Instant::now());
        loop {
            let (kind, bytes) = read(output, self.largest).await?;
            let rate = match kind {
                Kind::Received => &mut frames,
                _ => &mut control,
            };
            if rate.count(Instant::now(), bytes.len()).is_some() {
                return Err(invalid(format!(
                    "it flooded this process with {kind} records"
                )));
            }
            match kind {
                Kind::Received => self.handler.received(bytes)?,
                Kind::Report => self.handler.report(&bytes)?,
                Kind::Pong => pings.count_answered()?,
                Kind::Failed => {
                    let reason = plain(&String::from_utf8_lossy(&bytes));
                    return Err(invalid(reason));
                }
                other => return Err(invalid(format!("it sent an unexpected {other} record"))),
            }
        }
    }
}

fn failed(error: io::Error) -> KafkaError {
    KafkaError::Process(Arc::new(error))
}

/// Counts the pings sent and answered.
#[derive(Debug, Default)]
struct Pings {
    sent: AtomicU64,
    answered: AtomicU64,
}

impl Pings {
    fn count_sent(&self) {
        self.sent.fetch_add(1, Ordering::AcqRel);
    }

    /// # Errors
    /// If no ping is outstanding.
    fn count_answered(&self) -> io::Result<()> {
        let answered = self.answered.fetch_add(1, Ordering::AcqRel);
        if answered >= self.sent.load(Ordering::Acquire) {
            return Err(invalid("it answered a ping that was not sent"));
        }
        Ok(())
    }

    /// Waits until several pings in a row were not answered, or not even read.
    ///
    /// It counts checks instead of measuring time: while this process is suspended, the client does
    /// not count as hung.
    async fn unanswered(&self) {
        let (mut seen, mut silence) = (0, 0);
        while silence < MAX_SILENCE {
            sleep(PING_INTERVAL).await;
            let answered = self.answered.load(Ordering::Acquire);
            silence = if answered == seen { silence + 1 } else { 0 };
            seen = answered;
        }
    }
}

/// Keeps a client running until the supervisor is closed.
async fn keep_running<H: Handler>(shared: Arc<Supervisor<H>>, first: Client) {
    let (shortest, longest) = RETRY;
    let mut wait = shortest;
    let mut next = Some(first);
    loop {
        let started = Instant::now();
        if let Some(client) = next.take() {
            let Some(end) = shared.serve(client).await else {
                return;
            };
            shared.record_end();
            shared.restarts.fetch_add(1, Ordering::Relaxed);
            warn!(
                end,
                "the Kafka client ended, possibly crashed by a broker's answer: restarting it"
            );
            *lock(&shared.end) = Some(end);
        }
        if started.elapsed() > STEADY {
            wait = shortest;
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = shared.closed() => return,
        }
        wait = longest.min(wait * 2);
        match shared.start_client().await {
            Ok(client) => {
                info!("the Kafka client runs again");
                next = Some(client);
            }
            Err(error) => {
                let mut reason = error.to_string();
                if let Some(cause) = core::error::Error::source(&error) {
                    reason = format!("{reason}: {cause}");
                }
                warn!(reason, "cannot start the Kafka client, retrying");
            }
        }
    }
}

async fn read(from: &mut ChildStdout, largest: usize) -> io::Result<(Kind, Bytes)> {
    let mut header = [0; HEADER];
    from.read_exact(&mut header).await?;
    let (kind, length) = Kind::read(header, largest)?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    Ok((kind, bytes.into()))
}

async fn write(to: &mut ChildStdin, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&kind.header(bytes.len())).await?;
    to.write_all(bytes).await?;
    to.flush().await
}
