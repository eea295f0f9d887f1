//! The async runtimes of the verbs, and how SIGINT and SIGTERM end them.
//!
//! A signal ends the process within a second, whatever the verb is waiting for: its work is dropped, and
//! if that hangs too (in a key, a disk, a name server), the process exits regardless, as in a crash.
//! Everything that has left the machine was durable before.

use std::{process::ExitCode, thread, time::Duration};

use federation_cli::{CliError, OrHelp, out};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
    low_level,
};
use tokio::sync::watch;

/// How long the process may take to exit after the first signal.
const GRACE: Duration = Duration::from_millis(750);

/// How long the shutdown of a runtime waits for its threads.
const THREADS_TIMEOUT: Duration = Duration::from_millis(200);

/// How long writing the last message may take.
const LAST_MESSAGE: Duration = Duration::from_millis(50);

/// What failed if a handler of signals cannot be installed.
const NO_SIGNALS: &str = "cannot handle signals";

/// The help for a runtime or a handler of signals that cannot be started.
const LIMITS: &str = "check the system's limits on threads and files";

/// The exit code of a process that a signal ended is this plus the signal's number, as in a shell.
const SIGNAL_BASE: i32 = 128;

/// Creates a runtime for a whole federation in one process.
pub(crate) fn multi_thread() -> Result<Runtime, CliError> {
    build(&mut tokio::runtime::Builder::new_multi_thread())
}

/// Creates a runtime for one operator, on a single thread.
pub(crate) fn current_thread() -> Result<Runtime, CliError> {
    build(&mut tokio::runtime::Builder::new_current_thread())
}

fn build(builder: &mut tokio::runtime::Builder) -> Result<Runtime, CliError> {
    let runtime = builder.enable_all().build().map(Runtime);
    runtime.or_help_in("cannot start the async runtime", LIMITS)
}

/// The runtime of a verb.
pub(crate) struct Runtime(tokio::runtime::Runtime);

impl Runtime {
    /// Runs work that ends by itself. A signal before that exits with 128 plus the signal's number, as a
    /// shell reports it: there is no result.
    pub(crate) fn block_on<F: Future>(self, work: F) -> F::Output {
        // If no handler can be installed, the system's default remains: a signal ends the process.
        let stop = Stop::listen(|signal| SIGNAL_BASE + signal).ok();
        let ended = self.0.block_on(async {
            let signal = async {
                match &stop {
                    Some(stop) => stop.requested().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                done = work => Ok(done),
                signal = signal => Err(signal),
            }
        });
        self.0.shutdown_timeout(THREADS_TIMEOUT);
        ended.unwrap_or_else(|signal| std::process::exit(SIGNAL_BASE + signal))
    }

    /// Runs work that continues until a signal; it then has [`GRACE`] to end, and the exit code is 0.
    pub(crate) fn until_stopped(
        self,
        work: impl AsyncFnOnce(Stop) -> Result<ExitCode, CliError>,
    ) -> Result<ExitCode, CliError> {
        let stop = Stop::listen(|_| 0)?;
        let ended = self.0.block_on(work(stop));
        self.0.shutdown_timeout(THREADS_TIMEOUT);
        ended
    }
}

/// A handle that tells whether SIGINT or SIGTERM was received.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<Option<i32>>);

impl Stop {
    /// Starts to listen. After the first signal the process has [`GRACE`] to end; after that, or at a
    /// second signal, it exits with the code that `code` returns for the signal.
    fn listen(code: fn(i32) -> i32) -> Result<Self, CliError> {
        let mut signals = Signals::new([SIGINT, SIGTERM]).or_help_in(NO_SIGNALS, LIMITS)?;
        let (sender, requested) = watch::channel(None);
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in signals.forever() {
                    if sender.send_replace(Some(signal)).is_some() {
                        low_level::exit(code(signal));
                    }
                    // The runtime may be stuck, so this does not use it.
                    thread::spawn(move || force_exit(code(signal)));
                }
            })
            .or_help_in(NO_SIGNALS, LIMITS)?;
        Ok(Self(requested))
    }

    /// Waits for the first signal and returns it; returns at once if there was one.
    pub(crate) async fn requested(&self) -> i32 {
        let mut requested = self.0.clone();
        // The listening thread ends only with the process.
        match requested
            .wait_for(Option::is_some)
            .await
            .map(|signal| *signal)
        {
            Ok(Some(signal)) => signal,
            _ => std::future::pending().await,
        }
    }

    /// Whether there was a signal.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.borrow().is_some()
    }
}

fn force_exit(code: i32) -> ! {
    thread::sleep(GRACE);
    // Writing may block if nobody reads the output.
    thread::spawn(|| {
        out::note(
            "stopped without waiting for a node, broker, key or disk that hangs; nothing is lost",
        );
    });
    thread::sleep(LAST_MESSAGE);
    low_level::exit(code)
}
