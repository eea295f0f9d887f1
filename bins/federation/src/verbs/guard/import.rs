//! `federation guard import`: imports the guard's record from a signed file.

use std::{fs::File, io::Read, path::Path, process::ExitCode};

use federation_block_signing::{Record, Standing};
use federation_cli::{CliError, OrHelp, out};
use federation_operator::Store;
use federation_signer::{
    GuardRecord, GuardRecordKind, GuardStanding, MAX_GUARD_RECORD_BYTES, SignedGuardRecord,
    TakeBack,
};

use super::{OperatorFiles, history, import_help, lock_key, store_help};
use crate::runtime;

/// Imports a record, if it is this operator's and newer than the guard.
pub(super) fn run(
    files: &OperatorFiles,
    path: &Path,
    take_back: bool,
    without_node: bool,
) -> Result<ExitCode, CliError> {
    let record = files.verified(read_file(path)?)?;
    files.check_agreed(record.state.highest_final())?;
    let is_transfer = record.kind == GuardRecordKind::Transfer;
    if is_transfer && !take_back && files.needs_all() {
        return Err(CliError::failure(
            "every operator of this federation must sign each block, and one with an imported guard \
             starts as an observer, so the chain would stop",
            "move the whole store folder from the other machine instead: `federation help another-machine`",
        ));
    }
    let _key = lock_key(&files.pin.block_key)?;
    let store = files.open().or_help_for(store_help)?;
    let held = store.held().or_help_for(store_help)?;
    let allowed = if take_back {
        TakeBack::Allowed
    } else {
        TakeBack::Refused
    };
    let imported = held.import(&record, allowed).or_help_for(import_help)?;
    if is_transfer && !without_node {
        runtime::current_thread()?.block_on(check_newest(files, &record))?;
    }
    // The votes cast on the other machine are unknown here, so the operator must not vote where it may
    // have voted. Recorded first: a crash then leaves an observer without a guard, not the reverse.
    let observes = is_transfer && !take_back;
    if observes {
        let federation = &files.config.federation;
        let operator_store = Store::open(&files.config.store, federation.id(), files.config.me)
            .or_help_for(store_help)?;
        operator_store
            .write(
                &[Record::Standing(Standing::Observing { since: None })],
                None,
            )
            .or_help_for(store_help)?;
    }
    store.replace(&imported).or_help_for(store_help)?;
    report(&record, imported.standing, observes)?;
    Ok(ExitCode::SUCCESS)
}

fn report(record: &GuardRecord, standing: GuardStanding, observes: bool) -> Result<(), CliError> {
    let top = record
        .state
        .top()
        .map_or_else(|| "nothing".to_owned(), |top| format!("up to height {top}"));
    out::line(&format!(
        "imported the {} number {}: {top}",
        record.kind, record.number
    ))?;
    match standing {
        GuardStanding::Active if observes => out::line(
            "The key may sign on this machine. `federation run` starts as an observer, and participates \
             after the first height that becomes final without it. Destroy the file.",
        ),
        GuardStanding::Active => out::line("The key may sign on this machine."),
        _ => out::line(
            "The key may have signed more since this copy was made, so it does not sign yet: run \
             `federation guard repair` to find out from which height on it may.",
        ),
    }
}

/// Refuses a record that is older than a block signed by its key.
async fn check_newest(files: &OperatorFiles, record: &GuardRecord) -> Result<(), CliError> {
    let node = files.node()?;
    let found = async {
        let view = history::node_view(files, &node).await?;
        view.check_complete()?;
        history::signed_above(files, &node, &view, record.state.top()).await
    };
    let found = found.await.or_help(
        "start the node, let it catch up and import again, or skip this check with --without-node",
    )?;
    match found {
        None => Ok(()),
        Some(height) => Err(CliError::failure(
            format!(
                "the block at height {height} has a signature by this key that is not in the file: the \
                 key has signed after the file was written"
            ),
            "export the guard on the machine that signed it; if that is lost, run `federation guard repair`",
        )),
    }
}

/// Reads a file of `guard export`, without verifying its signature.
pub(super) fn read_file(path: &Path) -> Result<SignedGuardRecord, CliError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_GUARD_RECORD_BYTES + 1).unwrap_or(u64::MAX);
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .or_help_in(
            format!("`{}`", path.display()),
            "pass a file of `federation guard export`",
        )?;
    SignedGuardRecord::decode(&bytes).or_help_in(
        format!("`{}`", path.display()),
        "pass a file that this operator wrote with `federation guard export`",
    )
}
