//! The client's process.

use core::time::Duration;
use std::{
    io::{self, Stdin, Stdout},
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use federation_messenger::{MAX_FRAME, Messenger, Peer};
use futures::executor::block_on;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use super::{
    confine::confine,
    messages::{Counters, Report, Setup, Task},
    pipe::{self, Kind},
    rate::RateLimit,
};
use crate::{
    KafkaMessenger, TopicsConfig, shared::Shared, topics_client::TopicsClient, watchdog::Watchdog,
};

/// Time between two reports.
const REPORT_INTERVAL: Duration = Duration::from_millis(200);

/// Pause between two checks whether control records are still waiting.
const CONTROL_RETRY: Duration = Duration::from_micros(100);

/// Runs the client for the process that started this one, over standard input and output, until that
/// process closes the input or exits. The caller sets up logging; nothing else may write to standard
/// output. Call it before anything is opened and any thread is started, since it closes all other
/// descriptors.
///
/// It ignores SIGINT and SIGTERM, which a service manager or a terminal sends to all processes of a
/// service: the other process closes the input when it is done.
#[must_use]
pub fn run_client() -> ExitCode {
    if let Err(error) = confine() {
        tracing::warn!(%error, "cannot close inherited descriptors");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime.and_then(|runtime| {
        let _context = runtime.enter();
        // Once they are handled, they no longer end the process.
        let _signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        ];
        run(&mut io::stdin(), |messenger| {
            runtime.block_on(messenger.close());
        })
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(input: &mut Stdin, close: impl FnOnce(&KafkaMessenger)) -> io::Result<()> {
    let output = Arc::new(Output::default());
    let task = match read_task(input) {
        Ok(task) => task,
        Err(reason) => return output.send(Kind::Failed, reason.as_bytes()),
    };
    let result = match task {
        Task::Messenger(setup) => messenger(setup, input, &output, close),
        Task::Topics(config) => topics(&config, input, &output),
    };
    result.unwrap_or_else(|reason| output.send(Kind::Failed, reason.as_bytes()))
}

fn read_task(input: &mut Stdin) -> Result<Task, String> {
    let (kind, bytes) = pipe::read(input, 0).map_err(|error| error.to_string())?;
    if kind != Kind::Setup {
        return Err("this program is started by another process, not by hand".to_owned());
    }
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

/// Runs an operator's messenger, or returns why it does not start.
fn messenger(
    setup: Setup,
    input: &mut Stdin,
    output: &Arc<Output>,
    close: impl FnOnce(&KafkaMessenger),
) -> Result<io::Result<()>, String> {
    let config = setup.into_config().map_err(|error| error.to_string())?;
    let messenger = KafkaMessenger::start_tagged(config).map_err(|error| error.to_string())?;
    Ok(run_messenger(&messenger, input, output, close))
}

fn run_messenger(
    messenger: &KafkaMessenger,
    input: &mut Stdin,
    output: &Arc<Output>,
    close: impl FnOnce(&KafkaMessenger),
) -> io::Result<()> {
    output.send(Kind::Started, b"")?;
    let shared = messenger.shared();
    let frames = {
        let (shared, output) = (Arc::clone(&shared), Arc::clone(output));
        std::thread::Builder::new()
            .name("frames".to_owned())
            .spawn(move || forward(&shared, &output))?
    };
    let reports = {
        let output = Arc::clone(output);
        std::thread::Builder::new()
            .name("reports".to_owned())
            .spawn(move || report(&shared, &output))?
    };
    let shared = messenger.shared();
    listen(input, output, MAX_FRAME, &shared.watchdog, |frame| {
        block_on(messenger.broadcast(frame)).is_ok()
    });
    close(messenger);
    for thread in [frames, reports] {
        let _ = thread.join();
    }
    Ok(())
}

/// Runs a client for topics, or returns why it does not start.
fn topics(
    config: &TopicsConfig,
    input: &mut Stdin,
    output: &Arc<Output>,
) -> Result<io::Result<()>, String> {
    let mut client = TopicsClient::new(config).map_err(|error| error.to_string())?;
    Ok(run_topics(&mut client, config.largest(), input, output).map(|()| client.close()))
}

fn run_topics(
    client: &mut TopicsClient,
    largest: usize,
    input: &mut Stdin,
    output: &Arc<Output>,
) -> io::Result<()> {
    output.send(Kind::Started, b"")?;
    let forward = {
        let output = Arc::clone(output);
        move |record: &[u8]| output.forward(record).is_ok()
    };
    if let Err(error) = client.read(forward) {
        return output.send(Kind::Failed, error.to_string().as_bytes());
    }
    let watchdog = client.watchdog();
    listen(input, output, largest, &watchdog, |record| {
        client.write(&record);
        true
    });
    Ok(())
}

/// Passes frames to `take` and answers pings, until the other process closes the input or exits, or
/// `take` returns `false`.
fn listen(
    input: &mut Stdin,
    output: &Output,
    largest: usize,
    watchdog: &Watchdog,
    mut take: impl FnMut(Bytes) -> bool,
) {
    while let Ok((kind, frame)) = pipe::read(input, largest) {
        let proceed = match kind {
            Kind::Frame => take(frame),
            Kind::Ping => match watchdog.hung() {
                None => output.send(Kind::Pong, b"").is_ok(),
                Some(thread) => {
                    // The other process then stops this one.
                    let reason = format!("thread {thread} hung in librdkafka");
                    output.send(Kind::Failed, reason.as_bytes()).is_ok()
                }
            },
            _ => true,
        };
        if !proceed {
            return;
        }
    }
}

/// The pipe to the other process.
struct Output {
    pipe: Mutex<Stdout>,
    /// How many control records are waiting; no frame is written before them.
    control_waiting: AtomicUsize,
    rate: Mutex<RateLimit>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            pipe: Mutex::new(io::stdout()),
            control_waiting: AtomicUsize::new(0),
            rate: Mutex::new(RateLimit::for_sent_frames(Instant::now())),
        }
    }
}

impl Output {
    fn write(&self, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        pipe::write(&mut *pipe, kind, bytes)
    }

    /// Sends a control record, ahead of any frame not being written yet.
    fn send(&self, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        self.control_waiting.fetch_add(1, Ordering::AcqRel);
        let sent = self.write(kind, bytes);
        self.control_waiting.fetch_sub(1, Ordering::AcqRel);
        sent
    }

    /// Sends a frame, prefixed with its number, within a client's rate limit.
    fn forward(&self, frame: &[u8]) -> io::Result<()> {
        let early = {
            let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
            rate.count(Instant::now(), frame.len())
        };
        if let Some(early) = early {
            std::thread::sleep(early);
        }
        while self.control_waiting.load(Ordering::Acquire) > 0 {
            std::thread::sleep(CONTROL_RETRY);
        }
        self.write(Kind::Received, frame)
    }
}

/// Sends received frames to the other process. The pipe is short; further frames wait in the
/// operators' lanes, which drop their oldest.
fn forward(shared: &Shared, output: &Output) {
    while let Ok(frame) = block_on(shared.inbox.recv()) {
        if output.forward(&frame).is_err() {
            return;
        }
    }
}

fn report(shared: &Shared, output: &Output) {
    while !shared.is_closing() {
        let mut report = Report {
            health: shared.health(),
            ..Report::default()
        };
        for peer in shared.stats().peers {
            let counters = Counters::of(&peer);
            match peer.peer {
                Peer::Operator(operator) => {
                    report.operators.insert(operator, counters);
                }
                _ => report.brokers = counters,
            }
        }
        let written = serde_json::to_vec(&report)
            .map_err(io::Error::from)
            .and_then(|json| output.send(Kind::Report, &json));
        if written.is_err() {
            return;
        }
        std::thread::sleep(REPORT_INTERVAL);
    }
}
