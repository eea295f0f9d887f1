//! The process that the client runs in.

use core::time::Duration;
use std::{
    io::{self, Stdin, Stdout},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use federation_messenger::{Messenger, Peer};
use futures::executor::block_on;
use tokio::signal::unix::{SignalKind, signal};

use super::pipe::{self, Counters, Kind, Report, Setup};
use crate::{KafkaMessenger, shared::Shared};

/// How often the state is reported.
const REPORT: Duration = Duration::from_millis(200);

/// Runs the client for the process that started this one, over the standard input and output, until
/// that one closes the input or ends. The log is left to the caller; nothing else may write to the
/// standard output.
///
/// The signals by which a service manager or a terminal ends all processes of a service are left to
/// the other process, which closes the input when it is done.
#[must_use]
pub fn run_client() -> ExitCode {
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
    let output = Arc::new(Mutex::new(io::stdout()));
    let messenger = match start(input) {
        Ok(messenger) => messenger,
        Err(reason) => return say(&output, Kind::Failed, reason.as_bytes()),
    };
    say(&output, Kind::Started, b"")?;
    let shared = messenger.shared();
    let frames = {
        let (shared, output) = (Arc::clone(&shared), Arc::clone(&output));
        std::thread::Builder::new()
            .name("frames".to_owned())
            .spawn(move || hand_on(&shared, &output))?
    };
    let reports = std::thread::Builder::new()
        .name("reports".to_owned())
        .spawn(move || report(&shared, &output))?;
    // Until the other process closes it, or is gone.
    while let Ok((kind, frame)) = pipe::read(input) {
        if kind == Kind::Frame {
            let taken = block_on(messenger.broadcast(frame));
            if taken.is_err() {
                break;
            }
        }
    }
    close(&messenger);
    for thread in [frames, reports] {
        let _ = thread.join();
    }
    Ok(())
}

fn start(input: &mut Stdin) -> Result<KafkaMessenger, String> {
    let (kind, bytes) = pipe::read(input).map_err(|error| error.to_string())?;
    if kind != Kind::Setup {
        return Err("this is run by another process, not by hand".to_owned());
    }
    let setup: Setup = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let config = setup.into_config().map_err(|error| error.to_string())?;
    KafkaMessenger::start_tagged(config).map_err(|error| error.to_string())
}

fn say(output: &Mutex<Stdout>, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
    pipe::write(&mut *output, kind, bytes)
}

/// Hands on what comes. The pipe is short: what it does not take waits in the operators' lanes,
/// which drop their oldest.
fn hand_on(shared: &Shared, output: &Mutex<Stdout>) {
    while let Ok(frame) = block_on(shared.inbox.recv()) {
        if say(output, Kind::Received, &frame).is_err() {
            return;
        }
    }
}

fn report(shared: &Shared, output: &Mutex<Stdout>) {
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
            .and_then(|json| say(output, Kind::Report, &json));
        if written.is_err() {
            return;
        }
        std::thread::sleep(REPORT);
    }
}
