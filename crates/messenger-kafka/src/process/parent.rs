//! The process that the frames are for.

use core::time::Duration;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use federation_messenger::{
    Inbox, Lane, MAX_FRAME, Messenger, MessengerError, MessengerStats, Peer, PeerStats,
};
use federation_roster::OperatorId;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tracing::{info, warn};

use super::pipe::{Counters, HEAD, Kind, Report, Setup};
use crate::{Fault, KafkaConfig, KafkaError, KafkaHealth};

/// How long the client may take to start.
const STARTING: Duration = Duration::from_secs(30);

/// How long to wait before it is started again, at first and at most, doubled in between.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long it may take to hand its last frames over when the messenger is closed.
const FAREWELL: Duration = Duration::from_secs(10);

/// A messenger over Kafka whose client runs in a process of its own, which is started again should
/// it end.
///
/// Its tasks run on the tokio runtime on which it was made; dropping it ends them and the process.
#[derive(Debug)]
pub struct KafkaProcess {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    brokers: String,
    setup: Bytes,
    program: PathBuf,
    arguments: Vec<OsString>,
    /// Frames on their way to the client.
    outbox: Inbox,
    lane: Lane,
    closing: watch::Sender<bool>,
    ready: watch::Sender<bool>,
    /// What the client said last.
    report: Mutex<Report>,
    /// The counters of those that have ended.
    past: Mutex<(Counters, BTreeMap<OperatorId, Counters>)>,
    running: AtomicBool,
    process: AtomicU32,
    restarts: AtomicU64,
    /// How the last one ended.
    end: Mutex<Option<String>>,
    inbox: Inbox,
    /// What comes from the other operators.
    lanes: BTreeMap<OperatorId, Lane>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds these locks half way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One client and the pipes to it. It is killed when it is dropped.
struct Client {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl KafkaProcess {
    /// Starts the program with these arguments, which has to call [`run_client`](crate::run_client)
    /// at once, and hands it the configuration. Does not wait for any broker.
    ///
    /// The program's standard error is this process's own, and so is its environment.
    ///
    /// # Errors
    /// [`KafkaError::Process`] if the program does not run or is another, [`KafkaError::Client`] if
    /// the settings do not go together or name a file that cannot be read.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    pub async fn start(
        config: KafkaConfig,
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Self, KafkaError> {
        let setup = serde_json::to_vec(&Setup::of(&config))
            .map_err(|error| KafkaError::Process(Arc::new(error.into())))?;
        let (inbox, outbox) = (Inbox::new(), Inbox::new());
        let lanes = config.others();
        let lanes = lanes.map(|operator| (operator, inbox.lane(config.limits())));
        let shared = Arc::new(Shared {
            brokers: config.brokers().join(","),
            setup: setup.into(),
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            lane: outbox.lane(config.limits()),
            outbox,
            closing: watch::Sender::new(false),
            ready: watch::Sender::new(false),
            report: Mutex::default(),
            past: Mutex::default(),
            running: AtomicBool::new(false),
            process: AtomicU32::new(0),
            restarts: AtomicU64::new(0),
            end: Mutex::default(),
            lanes: lanes.collect(),
            inbox,
        });
        let client = shared.start().await?;
        let task = tokio::spawn(keep_running(Arc::clone(&shared), client));
        Ok(Self {
            shared,
            task: Mutex::new(Some(task)),
        })
    }

    /// Waits until the topics are there and heard: what others send from then on arrives.
    ///
    /// # Errors
    /// [`MessengerError::Closed`] if it is closed first.
    pub async fn ready(&self) -> Result<(), MessengerError> {
        let mut ready = self.shared.ready.subscribe();
        tokio::select! {
            // The sender is in the same object: it does not go away before.
            _ = ready.wait_for(|ready| *ready) => Ok(()),
            () = self.shared.closed() => Err(MessengerError::Closed),
        }
    }

    /// What is known of the brokers, the topics and the other operators, a moment ago.
    #[must_use]
    pub fn health(&self) -> KafkaHealth {
        let mut health = lock(&self.shared.report).health.clone();
        health.restarts = self.shared.restarts.load(Ordering::Relaxed);
        if let Some(end) = &*lock(&self.shared.end) {
            health.faults.push(Fault {
                subject: "client".to_owned(),
                reason: format!("its process ended, and was started again: {end}"),
            });
        }
        health
    }

    /// Whether any broker is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.running.load(Ordering::Acquire) && lock(&self.shared.report).brokers.connected
    }

    /// The id of the process that the client runs in; none while there is none.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        Some(self.shared.process.load(Ordering::Acquire)).filter(|id| *id != 0)
    }
}

impl Shared {
    /// Starts a client, and waits until it has started.
    async fn start(&self) -> Result<Client, KafkaError> {
        let failed = |error: io::Error| KafkaError::Process(Arc::new(error));
        let mut command = Command::new(&self.program);
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
            read(&mut output).await
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
                let reason = String::from_utf8_lossy(&reason).into_owned();
                Err(KafkaError::Client(reason))
            }
            (other, _) => Err(failed(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the program says {other:?} first"),
            ))),
        }
    }

    /// Resolves once the messenger is closed.
    async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // The sender is in the same object: it does not go away before.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Notes what a client has said.
    fn note(&self, report: Report) {
        let is_ready = report.health.ready;
        *lock(&self.report) = report;
        self.ready
            .send_if_modified(|ready| core::mem::replace(ready, is_ready) != is_ready);
    }

    /// Notes that a client has ended: its counters stay, what it knew does not.
    fn note_end(&self) {
        self.running.store(false, Ordering::Release);
        self.process.store(0, Ordering::Release);
        let report = core::mem::take(&mut *lock(&self.report));
        {
            let mut past = lock(&self.past);
            past.0.add(&report.brokers);
            for (operator, counters) in &report.operators {
                past.1.entry(*operator).or_default().add(counters);
            }
        }
        self.ready.send_replace(false);
    }
}

/// Keeps a client running until the messenger is closed.
async fn keep_running(shared: Arc<Shared>, first: Client) {
    let (shortest, longest) = RETRY;
    let mut wait = shortest;
    let mut next = Some(first);
    loop {
        let started = Instant::now();
        if let Some(client) = next.take() {
            let Some(end) = serve(&shared, client).await else {
                return;
            };
            shared.note_end();
            shared.restarts.fetch_add(1, Ordering::Relaxed);
            *lock(&shared.end) = Some(end.clone());
            warn!(
                end,
                "the Kafka client ended, as by what a broker answered: started again"
            );
        }
        if started.elapsed() > longest {
            wait = shortest;
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = shared.closed() => return,
        }
        wait = longest.min(wait * 2);
        match shared.start().await {
            Ok(client) => {
                info!("the Kafka client runs again");
                next = Some(client);
            }
            Err(error) => warn!(%error, "the Kafka client cannot be started, trying again"),
        }
    }
}

/// Passes frames to and from a client; how it ended, if it did before the messenger was closed.
async fn serve(shared: &Shared, client: Client) -> Option<String> {
    let Client {
        mut child,
        mut input,
        mut output,
    } = client;
    let why = tokio::select! {
        end = hand_over(shared, &mut input) => end,
        end = take(shared, &mut output) => end,
        () = shared.closed() => {
            farewell(shared, child, input, output).await;
            return None;
        }
    };
    // A pipe that broke is the end of the process; one that says what it should not is made an end of.
    if let Err(error) = &why
        && error.kind() == io::ErrorKind::InvalidData
    {
        let _ = child.start_kill();
    }
    let status = match timeout(FAREWELL, child.wait()).await {
        Ok(Ok(status)) => status.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it did not go by itself".to_owned(),
    };
    Some(match why {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => format!("{error}; {status}"),
        _ => status,
    })
}

/// Lets a client hand its last frames over, and end.
async fn farewell(
    shared: &Shared,
    mut child: Child,
    mut input: ChildStdin,
    mut output: ChildStdout,
) {
    let leaving = async {
        while let Ok(Some(frame)) = shared.outbox.try_recv() {
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

async fn hand_over(shared: &Shared, input: &mut ChildStdin) -> io::Result<()> {
    while let Ok(frame) = shared.outbox.recv().await {
        write(input, Kind::Frame, &frame).await?;
    }
    Ok(())
}

async fn take(shared: &Shared, output: &mut ChildStdout) -> io::Result<()> {
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    loop {
        match read(output).await? {
            (Kind::Received, mut frame) => {
                let lane = match frame.split_to(1.min(frame.len())).first() {
                    Some(operator) => shared.lanes.get(&OperatorId::new(*operator)),
                    None => None,
                };
                lane.ok_or_else(|| invalid("a frame of nobody".to_owned()))?
                    .push(frame);
            }
            (Kind::Report, json) => shared.note(serde_json::from_slice(&json)?),
            (other, _) => return Err(invalid(format!("the client says {other:?}"))),
        }
    }
}

async fn read(from: &mut ChildStdout) -> io::Result<(Kind, Bytes)> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head).await?;
    let (kind, length) = Kind::read(head)?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    Ok((kind, bytes.into()))
}

async fn write(to: &mut ChildStdin, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&kind.head(bytes.len())).await?;
    to.write_all(bytes).await?;
    to.flush().await
}

#[async_trait]
impl Messenger for KafkaProcess {
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError> {
        if *self.shared.closing.borrow() {
            return Err(MessengerError::Closed);
        }
        if frame.len() > MAX_FRAME {
            return Err(MessengerError::TooLarge {
                len: frame.len(),
                limit: MAX_FRAME,
            });
        }
        self.shared.lane.push(frame);
        Ok(())
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        self.shared.inbox.recv().await
    }

    fn stats(&self) -> MessengerStats {
        let shared = &self.shared;
        let report = lock(&shared.report);
        let past = lock(&shared.past);
        let mut stats = MessengerStats::default();
        let mut brokers = Counters {
            connected: report.brokers.connected,
            // What a client was handed is counted here.
            frames_out: shared.lane.frames_in(),
            bytes_out: shared.lane.bytes_in(),
            dropped_out: report.brokers.dropped_out + past.0.dropped_out + shared.lane.dropped(),
            reconnects: report.brokers.reconnects + past.0.reconnects,
            ..Counters::default()
        };
        brokers.reconnects += shared.restarts.load(Ordering::Relaxed);
        stats.push(peer(
            Peer::Address(shared.brokers.as_str().into()),
            &brokers,
        ));
        for (operator, lane) in &shared.lanes {
            let now = report.operators.get(operator).copied().unwrap_or_default();
            let before = past.1.get(operator).copied().unwrap_or_default();
            // What the client has not handed on.
            let dropped = now.dropped_in.saturating_add(before.dropped_in);
            let counters = Counters {
                connected: now.connected,
                frames_in: lane.frames_in() + dropped,
                bytes_in: lane.bytes_in(),
                dropped_in: lane.dropped() + dropped,
                ..Counters::default()
            };
            stats.push(peer(Peer::Operator(*operator), &counters));
        }
        stats
    }

    async fn close(&self) {
        self.shared.closing.send_replace(true);
        self.shared.inbox.close();
        let task = lock(&self.task).take();
        if let Some(task) = task {
            // How it ended is of no interest.
            let _ = task.await;
        }
        self.shared.note_end();
    }
}

fn peer(peer: Peer, counters: &Counters) -> PeerStats {
    let mut stats = PeerStats::new(peer);
    stats.connected = counters.connected;
    stats.frames_in = counters.frames_in;
    stats.bytes_in = counters.bytes_in;
    stats.frames_out = counters.frames_out;
    stats.bytes_out = counters.bytes_out;
    stats.dropped_in = counters.dropped_in;
    stats.dropped_out = counters.dropped_out;
    stats.reconnects = counters.reconnects;
    stats
}

impl Drop for KafkaProcess {
    fn drop(&mut self) {
        self.shared.closing.send_replace(true);
        self.shared.inbox.close();
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }
}
