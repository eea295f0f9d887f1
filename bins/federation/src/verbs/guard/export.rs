//! `federation guard export`: writes the guard's record to a signed file.

use std::{path::Path, process::ExitCode};

use federation_cli::{CliError, OrHelp, out};
use federation_files::{Access, prepare};
use federation_signer::{GuardRecord, GuardRecordKind, GuardStanding, SignedGuardRecord};

use super::{OperatorFiles, import_help, lock_key, show::now, store_help};
use crate::{keys, runtime};

/// Writes the file; for a transfer, marks this guard as moved away first.
///
/// The order ensures that the key signs on at most one machine: the complete file is synced under a
/// temporary name, then the guard is durably retired, and only then the file gets its name. After a
/// crash in between, repeating the export writes the same record.
pub(super) fn run(files: &OperatorFiles, path: &Path, copy: bool) -> Result<ExitCode, CliError> {
    if !copy && files.needs_all() {
        return Err(CliError::failure(
            "every operator of this federation must sign each block, and one with an imported guard \
             starts as an observer, so the chain would stop",
            "move the whole store folder to the other machine instead: `federation help another-machine`",
        ));
    }
    if path.exists() {
        return Err(CliError::failure(
            format!("`{}` already exists", path.display()),
            "choose a new file with --out",
        ));
    }
    let _key = lock_key(&files.pin.block_key)?;
    let store = files.open_existing().or_help_for(store_help)?;
    let held = store.held().or_help_for(store_help)?;
    files.check_agreed(held.state.highest_final())?;
    let (moved, record) = if copy {
        let record = held.copy(files.pin, now());
        (held, record.or_help_for(import_help)?)
    } else {
        held.transfer(files.pin, now()).or_help_for(import_help)?
    };
    let signed = sign(files, record.clone())?;
    let what = format!("cannot write `{}`", path.display());
    let help =
        "choose a writable place with --out and repeat the export: the record will be the same";
    let file = prepare(path, signed.encode().as_bytes(), Access::Owner).or_help_in(&what, help)?;
    if moved.standing == GuardStanding::MovedAway {
        store.replace(&moved).or_help_for(store_help)?;
    }
    file.create(path).or_help_in(&what, help)?;
    report(path, &record)?;
    Ok(ExitCode::SUCCESS)
}

fn report(path: &Path, record: &GuardRecord) -> Result<(), CliError> {
    let path = path.display();
    let number = record.number;
    match record.kind {
        GuardRecordKind::Transfer => {
            out::line(&format!(
                "wrote {path}: transfer number {number}. The key no longer signs on this machine."
            ))?;
            out::line(&format!(
                "Import it once on the other machine, `federation guard import {path}`, then destroy the file."
            ))
        }
        GuardRecordKind::Copy => out::line(&format!(
            "wrote {path}: a copy. It does not contain what is signed from now on."
        )),
    }
}

fn sign(files: &OperatorFiles, record: GuardRecord) -> Result<SignedGuardRecord, CliError> {
    let identity = keys::open_identity(&files.config)?;
    let signing = identity.sign_envelope(record.signing_digest());
    let signature = runtime::current_thread()?
        .block_on(signing)
        .or_help("check [keys.identity]")?;
    let signed = record.with_signature(signature);
    // Before anything changes: nobody would accept a file signed by another identity key.
    files.verified(signed.clone()).map_err(|_| {
        CliError::failure(
            "the identity key is not this operator's in the roster",
            "configure this operator's key in [keys.identity]",
        )
    })?;
    Ok(signed)
}
