//! `federation guard import`.

use std::{fs::File, io::Read, path::Path, process::ExitCode};

use federation_block_signing::{Record, Standing};
use federation_cli::{CliError, out};
use federation_operator::Store;
use federation_signer::{
    GuardRecord, GuardRecordKind, GuardStanding, MAX_GUARD_RECORD_BYTES, SignedGuardRecord,
    TakeBack,
};

use super::{Place, history, import_error, lock_key, store_error};
use crate::runtime;

/// Takes over a record, if it is this operator's and news.
pub(super) fn run(
    place: &Place,
    path: &Path,
    take_back: bool,
    without_node: bool,
) -> Result<ExitCode, CliError> {
    let record = place.verified(read_file(path)?)?;
    place.check_agreed(record.state.highest_final())?;
    let is_transfer = record.kind == GuardRecordKind::Transfer;
    if is_transfer && !take_back && place.needs_all() {
        return Err(CliError::failure(
            "every operator of this federation must sign each block, and one whose guard was \
             imported begins as an observer, so the chain would stand still",
            "move the whole store folder from the other machine instead: `federation help another-machine`",
        ));
    }
    let _key = lock_key(&place.pin.block_key)?;
    let store = place.open().map_err(|error| store_error(&error))?;
    let held = store.held().map_err(|error| store_error(&error))?;
    let allowed = if take_back {
        TakeBack::Allowed
    } else {
        TakeBack::Refused
    };
    let imported = held
        .import(&record, allowed)
        .map_err(|error| import_error(&error))?;
    if is_transfer && !without_node {
        runtime::current_thread()?.block_on(check_newest(place, &record))?;
    }
    // What was voted elsewhere is not here, so the operator votes on nothing that it may have voted
    // on; told first, so that a crash leaves an observer and no guard rather than the reverse.
    let observes = is_transfer && !take_back;
    if observes {
        let federation = &place.config.federation;
        let operator_store = Store::open(&place.config.store, federation.id(), place.config.me)
            .map_err(|error| store_error(&error))?;
        operator_store
            .write(
                &[Record::Standing(Standing::Observing { since: None })],
                None,
            )
            .map_err(|error| store_error(&error))?;
    }
    store
        .replace(&imported)
        .map_err(|error| store_error(&error))?;
    tell(&record, imported.standing, observes)?;
    Ok(ExitCode::SUCCESS)
}

fn tell(record: &GuardRecord, standing: GuardStanding, observes: bool) -> Result<(), CliError> {
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
            "The key may sign here. `federation run` begins as an observer, and takes part from the \
             height after the first that it sees settled without it. Destroy the file.",
        ),
        GuardStanding::Active => out::line("The key may sign here."),
        _ => out::line(
            "The key may have signed more since this copy was made, so it does not sign yet: \
             `federation guard repair` finds out from which height on it may.",
        ),
    }
}

/// Refuses a record that ends below a block with a signature of its key.
async fn check_newest(place: &Place, record: &GuardRecord) -> Result<(), CliError> {
    let node = place.node()?;
    let found = async {
        let seen = history::look(place, &node).await?;
        seen.check_complete()?;
        history::signed_above(place, &node, &seen, record.state.top()).await
    };
    let found = found.await.map_err(|error| {
        CliError::failure(
            error,
            "start the node, let it catch up and import again, or leave its check away with --without-node",
        )
    })?;
    match found {
        None => Ok(()),
        Some(height) => Err(CliError::failure(
            format!(
                "the block at height {height} has a signature by this key that the file does not \
                 know of: the key has signed since the file was written"
            ),
            "export the guard of the machine that signed it; if that is lost, `federation guard repair`",
        )),
    }
}

/// Reads a file of `guard export`; its signature is not checked.
pub(super) fn read_file(path: &Path) -> Result<SignedGuardRecord, CliError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_GUARD_RECORD_BYTES + 1).unwrap_or(u64::MAX);
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| {
            CliError::failure(
                format!("`{}`: {error}", path.display()),
                "give a file of `federation guard export`",
            )
        })?;
    SignedGuardRecord::decode(&bytes).map_err(|error| {
        CliError::failure(
            format!("`{}`: {error}", path.display()),
            "give a file that this operator wrote with `federation guard export`",
        )
    })
}
