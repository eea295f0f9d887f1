//! The async runtimes of the program's verbs, and how SIGINT and SIGTERM end them.
//!
//! Whatever a verb waits for, a signal ends the process within a second: what it was doing is dropped,
//! and if that hangs as well (a key, a disk, a name server), the process ends without it, as in a crash.
//! What has left the machine was durable before.

use std::{process::ExitCode, thread, time::Duration};

use federation_cli::{CliError, out};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
    low_level,
};
use tokio::sync::watch;

/// How long after the first signal the process may take to end by itself.
const GRACE: Duration = Duration::from_millis(750);

/// How long the end of a runtime waits for what its threads do.
const THREADS: Duration = Duration::from_millis(200);

/// How long the last words may take to be written.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What a shell adds to a signal's number to make the exit code of what it ended.
const BY_SIGNAL: i32 = 128;

/// A runtime for a whole federation in one process.
pub(crate) fn multi_thread() -> Result<Runtime, CliError> {
    build(&mut tokio::runtime::Builder::new_multi_thread())
}

/// A runtime for one operator, as small as can be.
pub(crate) fn current_thread() -> Result<Runtime, CliError> {
    build(&mut tokio::runtime::Builder::new_current_thread())
}

fn build(builder: &mut tokio::runtime::Builder) -> Result<Runtime, CliError> {
    builder
        .enable_all()
        .build()
        .map(Runtime)
        .map_err(|error| CliError::failure(error, "check the system's limits on threads and files"))
}

/// A runtime of a verb.
pub(crate) struct Runtime(tokio::runtime::Runtime);

impl Runtime {
    /// Runs what ends by itself. A signal before that ends the process with 128 and the signal's number,
    /// as shells say it of what a signal has ended: nothing is known then.
    pub(crate) fn block_on<F: Future>(self, work: F) -> F::Output {
        // Where signals cannot be had, the system's defaults hold: they end the process.
        let stop = Stop::listen(|signal| BY_SIGNAL + signal).ok();
        let ended = self.0.block_on(async {
            let signal = async {
                match &stop {
                    Some(stop) => stop.asked().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                done = work => Ok(done),
                signal = signal => Err(signal),
            }
        });
        self.0.shutdown_timeout(THREADS);
        ended.unwrap_or_else(|signal| std::process::exit(BY_SIGNAL + signal))
    }

    /// Runs what goes on until it is told to stop: then it may take [`GRACE`], and the exit code is 0.
    pub(crate) fn until_stopped(
        self,
        work: impl AsyncFnOnce(Stop) -> Result<ExitCode, CliError>,
    ) -> Result<ExitCode, CliError> {
        let stop = Stop::listen(|_| 0)?;
        let ended = self.0.block_on(work(stop));
        self.0.shutdown_timeout(THREADS);
        ended
    }
}

/// SIGINT and SIGTERM.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<Option<i32>>);

impl Stop {
    /// Listens from now on. After the first signal the process has [`GRACE`] to end, and ends then, or at
    /// a second signal, with the exit code that goes with it.
    fn listen(code: fn(i32) -> i32) -> Result<Self, CliError> {
        let failed =
            |error: std::io::Error| CliError::failure(error, "run it where signals can be had");
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
        let (asking, asked) = watch::channel(None);
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in signals.forever() {
                    if asking.send_replace(Some(signal)).is_some() {
                        low_level::exit(code(signal));
                    }
                    // The runtime may be stuck, so nothing of it is made use of.
                    thread::spawn(move || end_by_force(code(signal)));
                }
            })
            .map_err(failed)?;
        Ok(Self(asked))
    }

    /// Waits for the first signal, or returns at once if it came before.
    pub(crate) async fn asked(&self) -> i32 {
        let mut asked = self.0.clone();
        // The listening thread ends with the process only.
        match asked.wait_for(Option::is_some).await.map(|signal| *signal) {
            Ok(Some(signal)) => signal,
            _ => std::future::pending().await,
        }
    }

    /// Whether there was a signal.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.borrow().is_some()
    }
}

fn end_by_force(code: i32) -> ! {
    thread::sleep(GRACE);
    // Nobody may read what is said.
    thread::spawn(|| {
        out::note(
            "stopped without waiting for what still hangs: a node, a broker, a key, a disk; nothing is lost",
        );
    });
    thread::sleep(LAST_WORDS);
    low_level::exit(code)
}
