//! The store: whether it can be written and locked, and has room.

use std::{
    fs::{self, OpenOptions},
    path::Path,
    time::Duration,
};

use federation_chain::UnixTime;
use federation_operator::{
    Clock, HeldGuardStore, RedbGuardStore, Store, StoreError, SystemClock, config::Config,
    status::read_status,
};
use federation_signer::SystemFault;

use crate::{checks::Checks, cures, run::with_causes};

const STORE: &str = "store";

/// Below this the operator stops soon.
const LITTLE: u64 = 100 << 20;
/// Below this somebody should look.
const ENOUGH: u64 = 1 << 30;

/// A daemon that runs tells of itself every ten seconds; after so many it hangs.
const SILENT: Duration = Duration::from_secs(30);

/// Looks at the folder. A store that does not exist is not made.
pub(super) fn check(config: &Config, running: bool) -> Checks {
    let mut checks = Checks::default();
    let folder = &config.store;
    let exists = match Store::is_there(folder) {
        Ok(exists) => exists,
        Err(error) => {
            refused("looked for", &error, &mut checks);
            return checks;
        }
    };
    let existing = nearest(folder);
    match writable(existing) {
        Ok(()) => checks.green(STORE, "writable", folder.display()),
        Err(error) => checks.red(
            STORE,
            "writable",
            format!("{}: {error}", existing.display()),
            SystemFault::of(&error).map_or("look at the disk", SystemFault::cure),
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
        (Err(StoreError::InUse { .. }), true) => alive(folder, &mut checks),
        (Err(error @ StoreError::InUse { .. }), false) => checks.red(
            STORE,
            "lockable",
            with_causes(&error),
            "stop it; if it is this operator, and should run, add --running",
        ),
        (Err(error), _) => refused("opened", &error, &mut checks),
    }
    checks
}

fn refused(name: &str, error: &StoreError, checks: &mut Checks) {
    checks.red(STORE, name, with_causes(error), cures::of_store(error));
}

/// Whether the daemon that has the store does anything: one that hangs has it, too.
fn alive(folder: &Path, checks: &mut Checks) {
    let cure = "see its log; if it does not wait for its node, stop it and start it again";
    let report = match read_status(folder) {
        Ok(Some(report)) => report,
        Ok(None) => {
            let found = "the operator has the store, and has told nothing yet";
            checks.yellow(STORE, "locked", found, "wait until its node answers");
            return;
        }
        Err(error) => {
            let cure = "check the folder's owner and mode";
            checks.red(STORE, "locked", with_causes(&error), cure);
            return;
        }
    };
    let age = SystemClock
        .now()
        .since(UnixTime::from_millis(report.written));
    if age <= SILENT {
        checks.green(STORE, "locked", "the operator runs");
    } else {
        let found = format!(
            "the operator has the store, and has told nothing for {} s",
            age.as_secs()
        );
        checks.red(STORE, "locked", found, cure);
    }
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
    if running {
        return;
    }
    match HeldGuardStore::is_there(&config.store) {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            refused("guard", &error, checks);
            return;
        }
    }
    match RedbGuardStore::open(&config.store, &own.block_key, federation.genesis()) {
        Ok(_) => checks.green(STORE, "guard", "lets the block key sign"),
        Err(error) => refused("guard", &error, checks),
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
