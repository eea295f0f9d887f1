//! `federation guard resume`: clears a halt, after the user confirms that its cause is resolved.

use std::process::ExitCode;

use federation_cli::{CliError, OrHelp, out};
use federation_operator::Store;

use super::{OperatorFiles, lock_key, repair::confirmation_missing, show::now, store_help};

/// Prints the halt, and clears it if the flag is given.
pub(super) fn run(files: &OperatorFiles, no_other_daemon: bool) -> Result<ExitCode, CliError> {
    let _key = lock_key(&files.pin.block_key)?;
    let config = &files.config;
    if !Store::is_there(&config.store).or_help_for(store_help)? {
        out::line("there is no store, so there is no halt")?;
        return Ok(ExitCode::SUCCESS);
    }
    let store =
        Store::open(&config.store, config.federation.id(), config.me).or_help_for(store_help)?;
    let Some(halt) = store.halt().or_help_for(store_help)? else {
        out::line("the operator has not halted")?;
        return Ok(ExitCode::SUCCESS);
    };
    out::line(&format!("halted at {}: {halt}", halt.time))?;
    out::line(&format!("before clearing it: {}", halt.reason.help()))?;
    if !no_other_daemon {
        return Err(confirmation_missing("resume", &["--no-other-daemon"]));
    }
    let who = who();
    store.resume(now(), &who).or_help_for(store_help)?;
    tracing::warn!(%halt, who, "halt cleared");
    out::line(&format!(
        "cleared by {who}: the next `federation run` will log it"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// After a repair, clears the halt of an old store, because the repair is its remedy; reports any other
/// halt.
pub(super) fn after_repair(store: &Store) -> Result<(), CliError> {
    let Some(halt) = store.halt().or_help_for(store_help)? else {
        return Ok(());
    };
    if halt.reason == federation_operator::HaltReason::OldStore {
        store
            .resume(now(), &format!("guard repair, by {}", who()))
            .or_help_for(store_help)?;
        return out::line(&format!("cleared the halt of {}: {halt}", halt.time));
    }
    out::line(&format!(
        "the operator halted at {}: {halt}. It does not start until you run `federation guard resume`.",
        halt.time
    ))
}

/// Returns the user who runs this program, as far as the system knows.
fn who() -> String {
    let name = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "unknown".to_owned());
    match user_id() {
        Some(id) => format!("{name} (uid {id})"),
        None => name,
    }
}

#[cfg(unix)]
fn user_id() -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    // The owner of this process; on systems without /proc only the name is known.
    std::fs::metadata("/proc/self").ok().map(|this| this.uid())
}

#[cfg(not(unix))]
const fn user_id() -> Option<u32> {
    None
}
