//! `federation guard export`.

use std::{path::Path, process::ExitCode};

use federation_cli::{CliError, out};
use federation_files::{Access, prepare};
use federation_signer::{GuardRecord, GuardRecordKind, GuardStanding, SignedGuardRecord};

use super::{Place, import_error, lock_key, show::now, store_error};
use crate::{keys, run::with_causes, runtime};

/// Writes the file, after this guard was marked as moved away if it is a transfer.
///
/// In an order that leaves at most one machine on which the key signs: the file is complete and
/// synced under another name, then the guard is retired, durably, and only then the file gets its
/// name. When a crash comes in between, asking again writes the same record.
pub(super) fn run(place: &Place, path: &Path, copy: bool) -> Result<ExitCode, CliError> {
    if !copy && place.needs_all() {
        return Err(CliError::failure(
            "every operator of this federation must sign each block, and one whose guard was \
             imported begins as an observer, so the chain would stand still",
            "move the whole store folder to the other machine instead: `federation help another-machine`",
        ));
    }
    if path.exists() {
        return Err(CliError::failure(
            format!("`{}` is there already", path.display()),
            "give --out a new file",
        ));
    }
    let _key = lock_key(&place.pin.block_key)?;
    let store = place.open_existing().map_err(|error| store_error(&error))?;
    let held = store.held().map_err(|error| store_error(&error))?;
    place.check_agreed(held.state.highest_final())?;
    let (moved, record) = if copy {
        let record = held.copy(place.pin, now());
        (held, record.map_err(|error| import_error(&error))?)
    } else {
        held.transfer(place.pin, now())
            .map_err(|error| import_error(&error))?
    };
    let signed = sign(place, record.clone())?;
    let file = prepare(path, signed.encode().as_bytes(), Access::Owner)
        .map_err(|error| cannot_write(path, &error))?;
    if moved.standing == GuardStanding::MovedAway {
        store.replace(&moved).map_err(|error| store_error(&error))?;
    }
    file.create(path)
        .map_err(|error| cannot_write(path, &error))?;
    tell(path, &record)?;
    Ok(ExitCode::SUCCESS)
}

fn tell(path: &Path, record: &GuardRecord) -> Result<(), CliError> {
    let path = path.display();
    let number = record.number;
    match record.kind {
        GuardRecordKind::Transfer => {
            out::line(&format!(
                "wrote {path}: transfer number {number}. The key signs no more on this machine."
            ))?;
            out::line(&format!(
                "On the other machine: `federation guard import {path}`, once; then destroy the file."
            ))
        }
        GuardRecordKind::Copy => out::line(&format!(
            "wrote {path}: a copy. What is signed from now on is not in it."
        )),
    }
}

fn sign(place: &Place, record: GuardRecord) -> Result<SignedGuardRecord, CliError> {
    let identity = keys::open_identity(&place.config)?;
    let signing = identity.sign_envelope(record.signing_digest());
    let signature = runtime::current_thread()?
        .block_on(signing)
        .map_err(|error| CliError::failure(with_causes(&error), "check [keys.identity]"))?;
    let signed = record.with_signature(signature);
    // Before anything is changed: nobody would take a file of another identity key.
    place.verified(signed.clone()).map_err(|_| {
        CliError::failure(
            "the identity key is not the one that the roster has for this operator",
            "give the key that belongs to this operator",
        )
    })?;
    Ok(signed)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CliError {
    CliError::failure(
        format!("cannot write `{}`: {error}", path.display()),
        "choose a place that can be written with --out, and ask again: the record is the same",
    )
}
