//! `federation guard resume`: a person says that what ended the operator is settled.

use std::process::ExitCode;

use federation_cli::{CliError, out};
use federation_operator::Store;

use super::{Place, lock_key, repair::ask_again, show::now, store_error};

/// Shows the halt, and clears it if the flag is there.
pub(super) fn run(place: &Place, no_other_daemon: bool) -> Result<ExitCode, CliError> {
    let _key = lock_key(&place.pin.block_key)?;
    let config = &place.config;
    if !Store::is_there(&config.store).map_err(|error| store_error(&error))? {
        out::line("there is no store, so no halt either")?;
        return Ok(ExitCode::SUCCESS);
    }
    let store = Store::open(&config.store, config.federation.id(), config.me)
        .map_err(|error| store_error(&error))?;
    let Some(halt) = store.halt().map_err(|error| store_error(&error))? else {
        out::line("the operator has not halted")?;
        return Ok(ExitCode::SUCCESS);
    };
    out::line(&format!("halted at {}: {halt}", halt.time))?;
    out::line(&format!("before it is cleared: {}", halt.reason.help()))?;
    if !no_other_daemon {
        return Err(ask_again("resume", &["--no-other-daemon"]));
    }
    let who = who();
    store
        .resume(now(), &who)
        .map_err(|error| store_error(&error))?;
    tracing::warn!(%halt, who, "a halt was cleared");
    out::line(&format!(
        "cleared by {who}: the next `federation run` says so in its log"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Clears the halt of an old store after a repair, which is what it asks for; what is left otherwise is
/// said.
pub(super) fn after_repair(store: &Store) -> Result<(), CliError> {
    let Some(halt) = store.halt().map_err(|error| store_error(&error))? else {
        return Ok(());
    };
    if halt.reason == federation_operator::HaltReason::OldStore {
        store
            .resume(now(), &format!("guard repair, by {}", who()))
            .map_err(|error| store_error(&error))?;
        return out::line(&format!("cleared the halt of {}: {halt}", halt.time));
    }
    out::line(&format!(
        "the operator halted at {}: {halt}. It does not start before `federation guard resume`.",
        halt.time
    ))
}

/// Who runs this program, as far as the system says.
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
    // Whose process this is; where there is no such folder, the name must do.
    std::fs::metadata("/proc/self").ok().map(|this| this.uid())
}

#[cfg(not(unix))]
const fn user_id() -> Option<u32> {
    None
}
