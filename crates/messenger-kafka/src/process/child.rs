//! The process that the client runs in.

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
    pace::Pace,
    pipe::{self, Kind},
};
use crate::{
    KafkaMessenger, TopicsConfig, shared::Shared, topics_client::TopicsClient, turns::Turns,
};

/// How often the state is reported.
const REPORT: Duration = Duration::from_millis(200);

/// How long to wait before another look whether those who have words have said them.
const WORDS: Duration = Duration::from_micros(100);

/// Runs the client for the process that started this one, over the standard input and output, until
/// that one closes the input or ends. The log is left to the caller; nothing else may write to the
/// standard output. To be called before anything is opened and any thread is started: all other
/// descriptors are closed.
///
/// The signals by which a service manager or a terminal ends all processes of a service are left to
/// the other process, which closes the input when it is done.
#[must_use]
pub fn run_client() -> ExitCode {
    if let Err(error) = confine() {
        tracing::warn!(%error, "what this process was left open is not closed");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime.and_then(|runtime| {
        let _context = runtime.enter();
        // Once they are listened for, they end nothing.
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
        Err(reason) => return output.say(Kind::Failed, reason.as_bytes()),
    };
    let started = match task {
        Task::Messenger(setup) => messenger(setup, input, &output, close),
        Task::Topics(config) => topics(&config, input, &output),
    };
    started.unwrap_or_else(|reason| output.say(Kind::Failed, reason.as_bytes()))
}

fn read_task(input: &mut Stdin) -> Result<Task, String> {
    let (kind, bytes) = pipe::read(input, 0).map_err(|error| error.to_string())?;
    if kind != Kind::Setup {
        return Err("this is run by another process, not by hand".to_owned());
    }
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

/// Runs the messenger of an operator, or tells why it does not start.
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
    output.say(Kind::Started, b"")?;
    let shared = messenger.shared();
    let frames = {
        let (shared, output) = (Arc::clone(&shared), Arc::clone(output));
        std::thread::Builder::new()
            .name("frames".to_owned())
            .spawn(move || hand_on(&shared, &output))?
    };
    let reports = {
        let output = Arc::clone(output);
        std::thread::Builder::new()
            .name("reports".to_owned())
            .spawn(move || report(&shared, &output))?
    };
    let shared = messenger.shared();
    listen(input, output, MAX_FRAME, &shared.turns, |frame| {
        block_on(messenger.broadcast(frame)).is_ok()
    });
    close(messenger);
    for thread in [frames, reports] {
        let _ = thread.join();
    }
    Ok(())
}

/// Runs a client of topics, or tells why it does not start.
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
    output.say(Kind::Started, b"")?;
    let hand_on = {
        let output = Arc::clone(output);
        move |record: &[u8]| output.hand_on(record).is_ok()
    };
    if let Err(error) = client.read(hand_on) {
        return output.say(Kind::Failed, error.to_string().as_bytes());
    }
    let turns = client.turns();
    listen(input, output, largest, &turns, |record| {
        client.write(&record);
        true
    });
    Ok(())
}

/// Takes frames and answers, until the other process closes the input or is gone, or what is taken
/// is of no use any more.
fn listen(
    input: &mut Stdin,
    output: &Output,
    largest: usize,
    turns: &Turns,
    mut take: impl FnMut(Bytes) -> bool,
) {
    while let Ok((kind, frame)) = pipe::read(input, largest) {
        let goes_on = match kind {
            Kind::Frame => take(frame),
            Kind::Ping => match turns.hung() {
                None => output.say(Kind::Pong, b"").is_ok(),
                Some(thread) => {
                    // The other process makes an end of this one.
                    let reason = format!("its thread {thread} hung in librdkafka");
                    output.say(Kind::Failed, reason.as_bytes()).is_ok()
                }
            },
            _ => true,
        };
        if !goes_on {
            return;
        }
    }
}

/// The pipe to the other process.
struct Output {
    pipe: Mutex<Stdout>,
    /// How many have words to say, before which no frames go.
    words: AtomicUsize,
    pace: Mutex<Pace>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            pipe: Mutex::new(io::stdout()),
            words: AtomicUsize::new(0),
            pace: Mutex::new(Pace::of_frames(Instant::now())),
        }
    }
}

impl Output {
    fn write(&self, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        pipe::write(&mut *pipe, kind, bytes)
    }

    /// Says what is no frame, before any frame that is not on its way.
    fn say(&self, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        self.words.fetch_add(1, Ordering::AcqRel);
        let said = self.write(kind, bytes);
        self.words.fetch_sub(1, Ordering::AcqRel);
        said
    }

    /// Hands a frame on, with the number before it, at a client's pace.
    fn hand_on(&self, frame: &[u8]) -> io::Result<()> {
        let early = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            pace.count(Instant::now(), frame.len())
        };
        if let Some(early) = early {
            std::thread::sleep(early);
        }
        while self.words.load(Ordering::Acquire) > 0 {
            std::thread::sleep(WORDS);
        }
        self.write(Kind::Received, frame)
    }
}

/// Hands on what comes. The pipe is short: what it does not take waits in the operators' lanes,
/// which drop their oldest.
fn hand_on(shared: &Shared, output: &Output) {
    while let Ok(frame) = block_on(shared.inbox.recv()) {
        if output.hand_on(&frame).is_err() {
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
            .and_then(|json| output.say(Kind::Report, &json));
        if written.is_err() {
            return;
        }
        std::thread::sleep(REPORT);
    }
}
