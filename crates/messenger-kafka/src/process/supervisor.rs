//! Keeps a client running in a process of its own, whatever becomes of it.

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
    pace::Pace,
    pipe::{HEAD, Kind, invalid},
};
use crate::KafkaError;

/// How long the client may take to start.
const STARTING: Duration = Duration::from_secs(30);

/// How long to wait before it is started again, at first and at most, doubled in between.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A client that ran for so long did not fail for the same reason as the one before it.
const STEADY: Duration = Duration::from_secs(60);

/// How long it may take to hand its last frames over when the messenger is closed.
const FAREWELL: Duration = Duration::from_secs(10);

/// How long one that closed its pipes may take to end by itself.
const ENDING: Duration = Duration::from_secs(2);

/// How often the client is asked whether it still reads.
const ASK: Duration = Duration::from_secs(1);

/// How many times in a row it may not have answered when it is asked again.
const SILENCES: u32 = 10;

/// What is done with what a client says. What it says is not to be trusted.
pub(super) trait Ears: Send + Sync + 'static {
    /// Takes a frame with the number before it.
    ///
    /// # Errors
    /// If no client would say that.
    fn received(&self, frame: Bytes) -> io::Result<()>;

    /// Takes a report.
    ///
    /// # Errors
    /// If no client would say that.
    fn report(&self, json: &[u8]) -> io::Result<()>;

    /// Notes that the client is gone.
    fn ended(&self);
}

/// What the messenger and the task that keeps the client running share.
#[derive(Debug)]
pub(super) struct Supervisor<E> {
    pub(super) ears: E,
    /// Frames on their way to the client.
    pub(super) outbox: Inbox,
    setup: Bytes,
    program: PathBuf,
    arguments: Vec<OsString>,
    /// Most bytes of a frame.
    largest: usize,
    closing: watch::Sender<bool>,
    running: AtomicBool,
    process: AtomicU32,
    restarts: AtomicU64,
    /// How the last one ended.
    end: Mutex<Option<String>>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds these locks half way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One client and the pipes to it. It is killed when it is dropped.
struct Client {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

/// The task that keeps a client running, ended when it is dropped.
#[derive(Debug)]
pub(super) struct Keeper(Mutex<Option<JoinHandle<()>>>);

impl Keeper {
    /// Waits until the client has ended, once the supervisor is closed.
    pub(super) async fn ended(&self) {
        let task = lock(&self.0).take();
        if let Some(task) = task {
            // How it ended is of no interest.
            let _ = task.await;
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.0).take() {
            task.abort();
        }
    }
}

impl<E: Ears> Supervisor<E> {
    /// Starts a client for this task.
    pub(super) async fn start(
        ears: E,
        task: &Task,
        largest: usize,
        outbox: Inbox,
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<(Arc<Self>, Keeper), KafkaError> {
        let setup = serde_json::to_vec(task).map_err(|error| failed(error.into()))?;
        let shared = Arc::new(Self {
            ears,
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
        Ok((shared, Keeper(Mutex::new(Some(task)))))
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

    /// How the last client ended that did.
    pub(super) fn end(&self) -> Option<String> {
        lock(&self.end).clone()
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Lets the client hand its last frames over and end, and starts none any more.
    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Resolves once it is closed.
    pub(super) async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // The sender is in the same object: it does not go away before.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Starts a client, and waits until it has started.
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
        let answer = timeout(STARTING, starting)
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
            (other, _) => Err(failed(invalid(format!("the program says {other:?} first")))),
        }
    }

    /// Notes that a client has ended.
    pub(super) fn note_end(&self) {
        self.running.store(false, Ordering::Release);
        self.process.store(0, Ordering::Release);
        self.ears.ended();
    }

    /// Passes frames to and from a client; how it ended, if it did before this was closed.
    async fn serve(&self, client: Client) -> Option<String> {
        let Client {
            mut child,
            mut input,
            mut output,
        } = client;
        let asked = Asked::default();
        let why = tokio::select! {
            end = self.hand_over(&mut input, &asked) => end,
            end = self.take(&mut output, &asked) => end,
            () = asked.in_vain() => {
                let silence = ASK * SILENCES;
                Err(invalid(format!("it hung, without an answer for {silence:?}")))
            }
            () = self.closed() => {
                self.farewell(child, input, output).await;
                return None;
            }
        };
        // A pipe that broke is the end of the process; one that says what it should not, or nothing,
        // is made an end of.
        let mut said = why
            .err()
            .filter(|error| error.kind() == io::ErrorKind::InvalidData);
        if said.is_none() && timeout(ENDING, child.wait()).await.is_err() {
            said = Some(invalid("it closed its pipes and did not end"));
        }
        let _ = child.start_kill();
        let status = match child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        Some(match said {
            Some(error) => format!("{error}; stopped: {status}"),
            None => status,
        })
    }

    /// Lets a client hand its last frames over, and end.
    async fn farewell(&self, mut child: Child, mut input: ChildStdin, mut output: ChildStdout) {
        let leaving = async {
            while let Ok(Some(frame)) = self.outbox.try_recv() {
                if write(&mut input, Kind::Frame, &frame).await.is_err() {
                    break;
                }
            }
            drop(input);
            // It may still have something to say, which must not hold it up.
            let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
            let _ = child.wait().await;
        };
        if timeout(FAREWELL, leaving).await.is_err() {
            warn!("the Kafka client does not end: it is stopped");
        }
    }

    async fn hand_over(&self, input: &mut ChildStdin, asked: &Asked) -> io::Result<()> {
        let mut ask = interval(ASK);
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                frame = self.outbox.recv() => match frame {
                    Ok(frame) => write(input, Kind::Frame, &frame).await?,
                    Err(_) => return Ok(()),
                },
                _ = ask.tick() => {
                    asked.ask();
                    write(input, Kind::Ping, b"").await?;
                }
            }
        }
    }

    async fn take(&self, output: &mut ChildStdout, asked: &Asked) -> io::Result<()> {
        let mut frames = Pace::taken_of_frames(Instant::now());
        let mut words = Pace::taken_of_words(Instant::now());
        loop {
            let (kind, bytes) = read(output, self.largest).await?;
            let pace = match kind {
                Kind::Received => &mut frames,
                _ => &mut words,
            };
            if pace.count(Instant::now(), bytes.len()).is_some() {
                return Err(invalid(format!("it flooded this process with {kind:?}")));
            }
            match kind {
                Kind::Received => self.ears.received(bytes)?,
                Kind::Report => self.ears.report(&bytes)?,
                Kind::Pong => asked.answered()?,
                Kind::Failed => {
                    let reason = plain(&String::from_utf8_lossy(&bytes));
                    return Err(invalid(reason));
                }
                other => return Err(invalid(format!("it said {other:?}"))),
            }
        }
    }
}

fn failed(error: io::Error) -> KafkaError {
    KafkaError::Process(Arc::new(error))
}

/// What the client was asked and has answered.
#[derive(Debug, Default)]
struct Asked {
    asked: AtomicU64,
    answered: AtomicU64,
}

impl Asked {
    fn ask(&self) {
        self.asked.fetch_add(1, Ordering::AcqRel);
    }

    /// # Errors
    /// If it was not asked.
    fn answered(&self) -> io::Result<()> {
        let answered = self.answered.fetch_add(1, Ordering::AcqRel);
        if answered >= self.asked.load(Ordering::Acquire) {
            return Err(invalid("it answered what it was not asked"));
        }
        Ok(())
    }

    /// Resolves when several questions in a row were not answered, or not even taken.
    ///
    /// The looks are counted, not the time: while this process itself stands still, nobody hangs.
    async fn in_vain(&self) {
        let (mut seen, mut silences) = (0, 0);
        while silences < SILENCES {
            sleep(ASK).await;
            let answered = self.answered.load(Ordering::Acquire);
            silences = if answered == seen { silences + 1 } else { 0 };
            seen = answered;
        }
    }
}

/// Keeps a client running until the supervisor is closed.
async fn keep_running<E: Ears>(shared: Arc<Supervisor<E>>, first: Client) {
    let (shortest, longest) = RETRY;
    let mut wait = shortest;
    let mut next = Some(first);
    loop {
        let started = Instant::now();
        if let Some(client) = next.take() {
            let Some(end) = shared.serve(client).await else {
                return;
            };
            shared.note_end();
            shared.restarts.fetch_add(1, Ordering::Relaxed);
            warn!(
                end,
                "the Kafka client ended, as a broker's answer may end it: it is started again"
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
                warn!(reason, "the Kafka client cannot be started, trying again");
            }
        }
    }
}

async fn read(from: &mut ChildStdout, largest: usize) -> io::Result<(Kind, Bytes)> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head).await?;
    let (kind, length) = Kind::read(head, largest)?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    Ok((kind, bytes.into()))
}

async fn write(to: &mut ChildStdin, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&kind.head(bytes.len())).await?;
    to.write_all(bytes).await?;
    to.flush().await
}
