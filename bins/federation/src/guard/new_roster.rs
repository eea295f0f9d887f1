//! `federation guard repair --new-roster`: a new operator's store after the roster was changed.
//!
//! Another roster is another federation, and what was said in the old one counts nowhere in the new:
//! its messages do not verify there. So no vote can be contradicted, and nobody needs to observe;
//! if all did, no height would ever be settled. What goes on is the guard, which belongs to the key:
//! it must know all that the key has signed, and all of that must be on the chain.
//!
//! A roster that comes back would bring the messages of its first time back as well. So a federation
//! whose store lies here set aside is refused: the number `epoch` in `federation.toml`, raised by all,
//! makes it another one.

use std::process::ExitCode;

use federation_block_signing::Record;
use federation_cli::{CliError, out};
use federation_operator::{ReissuanceStore, Store, StoreError};
use federation_signer::GuardStanding;

use super::{
    Place, history, lock_key,
    repair::{ASIDE, ask_again, set_aside},
    show::now,
    store_error,
};
use crate::runtime;

/// Moves the old federation's store away and begins one of the new.
pub(super) fn run(place: &Place, no_other_daemon: bool) -> Result<ExitCode, CliError> {
    let _key = lock_key(&place.pin.block_key)?;
    let folder = &place.config.store;
    let federation = place.config.federation.id();
    let guard = place.open_existing().map_err(|error| store_error(&error))?;
    let held = guard.held().map_err(|error| store_error(&error))?;
    if held.standing != GuardStanding::Active {
        return Err(CliError::failure(
            format!("the guard is {}", held.standing.as_str()),
            "see `federation guard show`",
        ));
    }
    match Store::open(folder, federation, place.config.me) {
        Err(StoreError::Foreign {
            what: "federation", ..
        }) => {}
        Err(error) => return Err(store_error(&error)),
        Ok(_) => {
            return Err(CliError::failure(
                "operator.redb is of this federation already",
                "nothing is to be done: start the operator",
            ));
        }
    }
    check_epoch(place)?;
    let node = place.node()?;
    let asked = runtime::current_thread()?.block_on(async {
        let seen = history::look(place, &node).await?;
        seen.check_complete()?;
        let unknown = history::signed_above(place, &node, &seen, held.state.top()).await?;
        Ok::<_, String>((seen.tip, unknown))
    });
    let (tip, unknown) = asked.map_err(|error| {
        CliError::failure(error, "start the node, let it catch up, and ask again")
    })?;
    if let Some(height) = unknown {
        return Err(CliError::failure(
            format!("the block at height {height} has a signature that the guard does not know of"),
            "this is not the newest store: find that, or `federation help a-store-is-lost`",
        ));
    }
    let signed = held.state.records().map(|(height, _)| height).max();
    if let Some(top) = signed.filter(|top| *top > tip) {
        return Err(CliError::failure(
            format!("the key has signed a block at height {top}, and the node's tip is {tip}"),
            "let the old roster finish that block before it is changed",
        ));
    }
    out::line(&format!(
        "operator.redb is of another federation, and the guard knows all up to the tip, {tip}"
    ))?;
    out::line(&format!(
        "the federation is {federation} now, in epoch {}: if its roster was in force before, raise \
         `epoch` in everybody's federation.toml first",
        place.config.federation.epoch()
    ))?;
    if !no_other_daemon {
        return Err(ask_again("repair", &["--no-other-daemon"]));
    }
    // What was reissued is the chain's affair, and must not be forgotten by all at once.
    ReissuanceStore::take_over(folder, federation, place.config.me)
        .map_err(|error| store_error(&error))?;
    // A guard that knew nothing would make an observer of the operator.
    let mut known = held;
    known.state.raise_final(tip);
    // A watermark of a repair may be higher: the machine keeps still as long as the guard does.
    let watermark = known.state.highest_final().unwrap_or(tip).max(tip);
    guard.replace(&known).map_err(|error| store_error(&error))?;
    let aside = folder.join(format!("{ASIDE}{}", now().as_secs()));
    set_aside(&Store::path(folder), &aside)?;
    let store = Store::open(folder, federation, place.config.me);
    store
        .and_then(|store| store.write(&[Record::Final(watermark)], None))
        .map_err(|error| store_error(&error))?;
    out::line(&format!(
        "the old store is in {}; the operator takes part from height {} on",
        aside.display(),
        watermark.next()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses a federation that was in force before: what was said in it then would count again.
fn check_epoch(place: &Place) -> Result<(), CliError> {
    let folder = &place.config.store;
    let federation = &place.config.federation;
    let entries = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| {
            CliError::failure(
                format!("cannot read {}: {error}", folder.display()),
                "check the folder's owner and mode",
            )
        })?;
    for entry in entries {
        let aside = entry.path();
        let is_aside = entry.file_name().to_string_lossy().starts_with(ASIDE);
        let is_there = || Store::is_there(&aside).map_err(|error| store_error(&error));
        if !is_aside || !is_there()? {
            continue;
        }
        match Store::open(&aside, federation.id(), place.config.me) {
            // Another federation's, or of no use to anybody.
            Err(
                StoreError::Foreign { .. } | StoreError::Damaged { .. } | StoreError::Format { .. },
            ) => {}
            Ok(_) | Err(StoreError::InUse { .. }) => {
                return Err(CliError::failure(
                    format!(
                        "this federation, {} in epoch {}, was in force before: its store is in {}, and \
                         what was said in it then would count again",
                        federation.id(),
                        federation.epoch(),
                        aside.display()
                    ),
                    "raise `epoch` in federation.toml, to the same number at everybody, and ask again",
                ));
            }
            Err(error) => return Err(store_error(&error)),
        }
    }
    Ok(())
}
