//! `federation guard repair --new-roster`: creates an operator's store for a new roster.
//!
//! A new roster makes a new federation. Messages of the old one do not verify in it, so no vote can
//! contradict an earlier one and nobody needs to observe; if all did, no height would ever become final.
//! The guard belongs to the key and is kept: it must know everything that the key has signed, and all of
//! that must be on the chain.
//!
//! If a former roster returned, its old messages would be valid again. So a federation whose store was
//! set aside here is refused: all operators must raise `epoch` in `federation.toml`, which makes it a
//! different federation.

use std::process::ExitCode;

use federation_block_signing::Record;
use federation_cli::{CliError, OrHelp, out};
use federation_operator::{ReissuanceStore, Store, StoreError};
use federation_signer::GuardStanding;

use super::{
    OperatorFiles, history, lock_key,
    repair::{ASIDE, confirmation_missing, set_aside},
    show::now,
    store_error, store_help,
};
use crate::runtime;

/// Sets the old federation's store aside and creates one for the new federation.
pub(super) fn run(files: &OperatorFiles, no_other_daemon: bool) -> Result<ExitCode, CliError> {
    let _key = lock_key(&files.pin.block_key)?;
    let folder = &files.config.store;
    let federation = files.config.federation.id();
    let guard = files.open_existing().or_help_for(store_help)?;
    let held = guard.held().or_help_for(store_help)?;
    if held.standing != GuardStanding::Active {
        return Err(CliError::failure(
            format!("the guard is {}", held.standing.as_str()),
            "run `federation guard show` for details",
        ));
    }
    match Store::open(folder, federation, files.config.me) {
        Err(StoreError::Foreign {
            what: "federation", ..
        }) => {}
        Err(error) => return Err(store_error(&error)),
        Ok(_) => {
            return Err(CliError::failure(
                "operator.redb already belongs to this federation",
                "nothing needs to be done: start the operator",
            ));
        }
    }
    check_epoch(files)?;
    let node = files.node()?;
    let queried = runtime::current_thread()?.block_on(async {
        let view = history::node_view(files, &node).await?;
        view.check_complete()?;
        let unknown = history::signed_above(files, &node, &view, held.state.top()).await?;
        Ok::<_, String>((view.tip, unknown))
    });
    let (tip, unknown) = queried.or_help("start the node, let it catch up, then try again")?;
    if let Some(height) = unknown {
        return Err(CliError::failure(
            format!(
                "the block at height {height} has a signature by this key that is not in the guard"
            ),
            "this is not the newest store: find the newest, or see `federation help a-store-is-lost`",
        ));
    }
    let signed = held.state.records().map(|(height, _)| height).max();
    if let Some(top) = signed.filter(|top| *top > tip) {
        return Err(CliError::failure(
            format!("the key has signed a block at height {top}, but the node's tip is {tip}"),
            "let the old roster finish that block before changing it",
        ));
    }
    out::line(&format!(
        "operator.redb belongs to another federation; the guard is complete up to the tip, {tip}"
    ))?;
    out::line(&format!(
        "the federation is now {federation}, in epoch {}: if its roster was in force before, first raise \
         `epoch` in every operator's federation.toml",
        files.config.federation.epoch()
    ))?;
    if !no_other_daemon {
        return Err(confirmation_missing("repair", &["--no-other-daemon"]));
    }
    // Reissuances concern the chain, not the roster: all operators must not forget them at once.
    ReissuanceStore::take_over(folder, federation, files.config.me).or_help_for(store_help)?;
    // An empty guard would make the operator an observer.
    let mut known = held;
    known.state.raise_final(tip);
    // A repair may have set a higher watermark: the machine must wait as long as the guard does.
    let watermark = known.state.highest_final().unwrap_or(tip).max(tip);
    guard.replace(&known).or_help_for(store_help)?;
    let aside = folder.join(format!("{ASIDE}{}", now().as_secs()));
    set_aside(&Store::path(folder), &aside)?;
    let store = Store::open(folder, federation, files.config.me);
    store
        .and_then(|store| store.write(&[Record::Final(watermark)], None))
        .or_help_for(store_help)?;
    out::line(&format!(
        "the old store is in {}; the operator participates from height {} on",
        aside.display(),
        watermark.next()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses a federation that was in force before: its old messages would be valid again.
fn check_epoch(files: &OperatorFiles) -> Result<(), CliError> {
    let folder = &files.config.store;
    let federation = &files.config.federation;
    let entries = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .or_help_in(
            format!("cannot read {}", folder.display()),
            "check the folder's owner and mode",
        )?;
    for entry in entries {
        let aside = entry.path();
        let is_aside = entry.file_name().to_string_lossy().starts_with(ASIDE);
        let is_there = || Store::is_there(&aside).or_help_for(store_help);
        if !is_aside || !is_there()? {
            continue;
        }
        match Store::open(&aside, federation.id(), files.config.me) {
            // Another federation's, or unusable.
            Err(
                StoreError::Foreign { .. } | StoreError::Damaged { .. } | StoreError::Format { .. },
            ) => {}
            Ok(_) | Err(StoreError::InUse { .. }) => {
                return Err(CliError::failure(
                    format!(
                        "this federation, {} in epoch {}, was in force before: its store is in {}, and its \
                         old messages would be valid again",
                        federation.id(),
                        federation.epoch(),
                        aside.display()
                    ),
                    "raise `epoch` in federation.toml, to the same number for all operators, then try again",
                ));
            }
            Err(error) => return Err(store_error(&error)),
        }
    }
    Ok(())
}
