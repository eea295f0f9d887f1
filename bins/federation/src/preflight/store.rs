//! The store: whether it can be written and locked, and has room.

use std::{
    fs::{self, OpenOptions},
    path::Path,
};

use federation_operator::{HeldGuardStore, RedbGuardStore, Store, StoreError, config::Config};

use crate::{checks::Checks, cures, run::with_causes};

const STORE: &str = "store";

/// What every operator's folder has.
const DATABASE: &str = "operator.redb";

/// Below this the operator stops soon.
const LITTLE: u64 = 100 << 20;
/// Below this somebody should look.
const ENOUGH: u64 = 1 << 30;

/// Looks at the folder. A store that does not exist is not made.
pub(super) fn check(config: &Config, running: bool) -> Checks {
    let mut checks = Checks::default();
    let folder = &config.store;
    let exists = folder.join(DATABASE).exists();
    let existing = nearest(folder);
    match writable(existing) {
        Ok(()) => checks.green(STORE, "writable", folder.display()),
        Err(error) => checks.red(
            STORE,
            "writable",
            format!("{}: {error}", existing.display()),
            "let the user of the operator own the folder",
        ),
    }
    room(existing, &mut checks);
    if !exists {
        if running {
            checks.red(STORE, "locked", "there is no store", "start the operator");
        } else {
            checks.green(STORE, "new", "there is none yet: the operator makes it");
        }
        return checks;
    }
    guard(config, running, &mut checks);
    let opened = Store::open(folder, config.federation.id(), config.me);
    match (opened, running) {
        (Ok(store), false) => {
            checks.green(STORE, "lockable", "it is this operator's, and whole");
            halt(&store, &mut checks);
        }
        (Ok(store), true) => {
            checks.red(
                STORE,
                "locked",
                "nobody has the store open: the operator does not run",
                "start it with `federation run`",
            );
            halt(&store, &mut checks);
        }
        (Err(StoreError::InUse { .. }), true) => {
            checks.green(STORE, "locked", "the operator runs");
        }
        (Err(error @ StoreError::InUse { .. }), false) => checks.red(
            STORE,
            "lockable",
            with_causes(&error),
            "stop it; if it is this operator, and should run, add --running",
        ),
        (Err(error), _) => checks.red(STORE, "whole", with_causes(&error), cures::of_store(&error)),
    }
    checks
}

/// What keeps the operator from starting, if anything does.
fn halt(store: &Store, checks: &mut Checks) {
    match store.halt() {
        Ok(None) => {}
        Ok(Some(halt)) => checks.red(
            STORE,
            "halted",
            format!("at {}: {halt}", halt.time),
            halt.reason.help(),
        ),
        Err(error) => checks.red(
            STORE,
            "halted",
            with_causes(&error),
            cures::of_store(&error),
        ),
    }
}

/// The record of what the block key has signed, if there is one.
fn guard(config: &Config, running: bool, checks: &mut Checks) {
    let federation = &config.federation;
    let Some(own) = federation.operator(config.me) else {
        return;
    };
    // In use, it is looked at by who uses it.
    if running || !HeldGuardStore::path(&config.store).exists() {
        return;
    }
    match RedbGuardStore::open(&config.store, &own.block_key, federation.genesis()) {
        Ok(_) => checks.green(STORE, "guard", "lets the block key sign"),
        Err(error) => checks.red(STORE, "guard", with_causes(&error), cures::of_store(&error)),
    }
}

/// The folder, or the first one above it that exists.
fn nearest(folder: &Path) -> &Path {
    let mut above = folder.ancestors();
    above.find(|path| path.is_dir()).unwrap_or(Path::new("."))
}

fn writable(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".preflight-{}", std::process::id()));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)?
        .sync_all()?;
    fs::remove_file(path)
}

fn room(folder: &Path, checks: &mut Checks) {
    let free = match rustix::fs::statvfs(folder) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => {
            checks.yellow(STORE, "room", error, "look at the disk");
            return;
        }
    };
    let found = format!("{} MiB are free", free >> 20);
    let cure = "make room: an operator that cannot write stops";
    match free {
        0..LITTLE => checks.red(STORE, "room", found, cure),
        LITTLE..ENOUGH => checks.yellow(STORE, "room", found, cure),
        _ => checks.green(STORE, "room", found),
    }
}
