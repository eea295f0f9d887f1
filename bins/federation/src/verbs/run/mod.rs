//! `federation run`: runs one operator with its node.

mod args;
mod classic;

use federation_cli::{CliError, OrHelp, out, with_causes};
use std::{process::ExitCode, sync::Arc, time::Duration};

use federation_operator::{
    Clock, Operator, OperatorError, OperatorHandle, Options, RedbGuardStore, StartError, Store,
    SystemClock, config::Config, status::StatusWriter,
};
use federation_signer::GuardedSigner;
use tokio::task::JoinHandle;

use self::args::OnHalt;
pub(crate) use self::args::RunArgs;
use crate::{
    files, hints,
    keys::{self, Locks},
    messenger, node, reissuing, runtime,
};

/// How long to wait for the last status to be written when the operator ends.
const LAST_STATUS_TIMEOUT: Duration = Duration::from_secs(1);

/// How often an idle program repeats what has to be done.
const REMINDER: Duration = Duration::from_secs(10 * 60);

/// Runs until stopped, or until an error ends the operator.
pub(crate) fn run(args: &RunArgs) -> Result<ExitCode, CliError> {
    if args.classic.are_given() {
        return classic::run(args);
    }
    let config = files::load(&args.config, &args.settings.overrides())?;
    match run_operator(args, &config) {
        Err(error) if error.needs_attention() && args.on_halt == OnHalt::Stay => stay_idle(&error),
        ended => ended,
    }
}

/// Stays up idle until stopped, for service managers that restart a program regardless of its exit code.
/// Meanwhile the store is free for `federation guard` and `federation status`.
fn stay_idle(error: &CliError) -> Result<ExitCode, CliError> {
    runtime::current_thread()?.until_stopped(async |stop| {
        loop {
            out::note(&format!(
                "{error}\nidle until this is resolved: not voting or signing; restart afterwards"
            ));
            tokio::select! {
                () = tokio::time::sleep(REMINDER) => {}
                _ = stop.requested() => return Ok(ExitCode::SUCCESS),
            }
        }
    })
}

fn run_operator(args: &RunArgs, config: &Config) -> Result<ExitCode, CliError> {
    runtime::current_thread()?.until_stopped(async |stop| {
        let starting = start(config, args.observe);
        let (mut handle, running) = tokio::select! {
            started = starting => started?,
            _ = stop.requested() => return Ok(ExitCode::SUCCESS),
        };
        tokio::select! {
            ended = handle.wait() => {
                running.finish().await;
                return match ended {
                    Ok(()) => Ok(ExitCode::SUCCESS),
                    Err(error) => Err(operator_error(&error)),
                };
            }
            _ = stop.requested() => {}
        }
        // The runtime limits how long this may take.
        let stopped = handle.shutdown().await;
        running.finish().await;
        stopped
            .map(|()| ExitCode::SUCCESS)
            .map_err(|error| operator_error(&error))
    })
}

/// Converts the error that ended a running operator.
fn operator_error(error: &OperatorError) -> CliError {
    match error.halt(SystemClock.now()) {
        Some(halt) => CliError::attention(with_causes(error), halt.reason.help()),
        None => CliError::failure(
            with_causes(error),
            "see the log; nothing was signed afterwards, and the next start continues where it stopped",
        ),
    }
}

/// Accompanies a running operator: the locks of its key, and the writer of its status.
struct Running {
    _locks: Locks,
    status: JoinHandle<()>,
}

impl Running {
    /// Waits until the last status is written, unless the disk hangs.
    async fn finish(self) {
        // The outcome does not matter: the status is only for display.
        let _ = tokio::time::timeout(LAST_STATUS_TIMEOUT, self.status).await;
    }
}

/// Starts the operator.
async fn start(config: &Config, observe: bool) -> Result<(OperatorHandle, Running), CliError> {
    let federation = config.federation.clone();
    let node = node::client(config)?;
    let keys = keys::open(config, &node).await?;
    // Before a store is created for another operator's key.
    keys::check_block(config, &keys.block.public_key())?;
    keys::check_identity(config, &keys.identity.public_key())?;
    let store =
        Store::open(&config.store, federation.id(), config.me).or_help_for(hints::for_store)?;
    // Also before the classic protocol runs.
    if let Some(halt) = store.halt().or_help_for(hints::for_store)? {
        return Err(start_error(&StartError::Halted { halt }));
    }
    let public_key = keys.block.public_key();
    let mut guard = RedbGuardStore::open(&config.store, &public_key, federation.genesis())
        .or_help_for(hints::for_store)?;
    let mut guard_is_new = guard.is_new();
    let mut block_key = keys.block;
    if let Some(until) = config.classic_until {
        let ran = classic::run_until(config, until, &node, block_key, &store, &mut guard).await?;
        block_key = ran.key;
        // What the key signed before is known: the store and the guard have recorded it.
        guard_is_new &= !ran.handed_over;
    }
    let signer = GuardedSigner::new(block_key, guard).or_help(
        "run `federation guard show` to see its record: `federation help when-it-does-not-start`",
    )?;
    let (messenger, messenger_report) = messenger::start_with_report(config).await?;
    let mut options = Options::default();
    options.timeouts = config.timeouts;
    options.observe = observe;
    options.new_key_until = config.new_key_until;
    options.sweep.clone_from(&config.sweep);
    options.certificate.clone_from(&config.certificate);
    options.calls = config.call_limits();
    options.missed_blocks = config.missed_blocks;
    let evidence = store.evidence_store();
    let node = Arc::new(node);
    let reissuing = reissuing::prepare(config, &node).await?;
    let mut operator = Operator::new(
        federation.clone(),
        config.me,
        node,
        signer,
        keys.identity,
        messenger,
        store,
    )
    .with_new_guard(guard_is_new)
    .with_options(options);
    if let Some(reissuing) = reissuing {
        operator = operator.with_reissuance(reissuing);
    }
    let folder = config.store.clone();
    let writer = StatusWriter::new(folder, federation, config.me, operator.guard(), evidence)
        .with_messenger(messenger_report);
    let handle = operator
        .start()
        .await
        .map_err(|error| start_error(&error))?;
    let writer = writer.with_reissuance(&handle);
    let running = Running {
        _locks: keys.locks,
        status: tokio::spawn(writer.run(handle.status(), handle.events())),
    };
    Ok((handle, running))
}

/// Converts the error of an operator that does not start.
fn start_error(error: &StartError) -> CliError {
    let text = with_causes(error);
    let help = hints::for_start(error);
    if error.needs_intervention() {
        CliError::attention(text, help)
    } else {
        CliError::failure(text, help)
    }
}
