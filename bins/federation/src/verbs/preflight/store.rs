//! Checks the store: whether it can be written and locked, and has free space.

use std::{
    fs::{self, OpenOptions},
    path::Path,
    time::Duration,
};

use federation_chain::UnixTime;
use federation_cli::with_causes;
use federation_operator::{
    Clock, GuardDatabase, RedbGuardStore, Store, StoreError, SystemClock, config::Config,
    status::read_status,
};
use federation_signer::SystemFault;

use crate::{checks::Checks, hints};

const STORE: &str = "store";

/// Below this the operator will soon stop.
const MIN_SPACE: u64 = 100 << 20;
/// Below this somebody should free space.
const GOOD_SPACE: u64 = 1 << 30;

/// A running daemon writes its status every ten seconds; after this long without one it hangs.
const STALE: Duration = Duration::from_secs(30);

/// Checks the folder. Does not create a store.
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
            SystemFault::of(&error).map_or("check the disk", SystemFault::cure),
        ),
    }
    room(existing, &mut checks);
    if !exists {
        if running {
            checks.red(
                STORE,
                "locked",
                "there is no store",
                "start the operator with `federation run`",
            );
        } else {
            checks.green(STORE, "new", "none yet: the operator will create it");
        }
        return checks;
    }
    guard(config, running, &mut checks);
    let opened = Store::open(folder, config.federation.id(), config.me);
    match (opened, running) {
        (Ok(store), false) => {
            checks.green(STORE, "lockable", "intact, and this operator's");
            halt(&store, &mut checks);
        }
        (Ok(store), true) => {
            checks.red(
                STORE,
                "locked",
                "no process has the store open: the operator is not running",
                "start it with `federation run`",
            );
            halt(&store, &mut checks);
        }
        (Err(StoreError::InUse { .. }), true) => alive(folder, &mut checks),
        (Err(error @ StoreError::InUse { .. }), false) => checks.red(
            STORE,
            "lockable",
            with_causes(&error),
            "stop it; if it is this operator and should be running, add --running",
        ),
        (Err(error), _) => refused("opened", &error, &mut checks),
    }
    checks
}

fn refused(name: &str, error: &StoreError, checks: &mut Checks) {
    checks.red(STORE, name, with_causes(error), hints::for_store(error));
}

/// Checks that the daemon that has the store is working: one that hangs has it too.
fn alive(folder: &Path, checks: &mut Checks) {
    let help = "see its log; unless it is waiting for its node, stop it and start it again";
    let report = match read_status(folder) {
        Ok(Some(report)) => report,
        Ok(None) => {
            let found = "the operator has the store, but has not written its status yet";
            checks.yellow(STORE, "locked", found, "wait until its node answers");
            return;
        }
        Err(error) => {
            let help = "check the folder's owner and mode";
            checks.red(STORE, "locked", with_causes(&error), help);
            return;
        }
    };
    let age = SystemClock
        .now()
        .saturating_duration_since(UnixTime::from_millis(report.written));
    if age <= STALE {
        checks.green(STORE, "locked", "the operator is running");
    } else {
        let found = format!(
            "the operator has the store, but has not written its status for {} s",
            age.as_secs()
        );
        checks.red(STORE, "locked", found, help);
    }
}

/// Checks for a halt, which keeps the operator from starting.
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
            hints::for_store(&error),
        ),
    }
}

/// Checks the record of what the block key has signed, if there is one.
fn guard(config: &Config, running: bool, checks: &mut Checks) {
    let federation = &config.federation;
    let Some(own) = federation.member(config.me) else {
        return;
    };
    // A running operator has it open and checks it itself.
    if running {
        return;
    }
    match GuardDatabase::is_there(&config.store) {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            refused("guard", &error, checks);
            return;
        }
    }
    match RedbGuardStore::open(&config.store, &own.block_key, federation.genesis()) {
        Ok(_) => checks.green(STORE, "guard", "allows the block key to sign"),
        Err(error) => refused("guard", &error, checks),
    }
}

/// Returns the folder, or its closest ancestor that exists.
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
            checks.yellow(STORE, "room", error, "check the disk");
            return;
        }
    };
    let found = format!("{} MiB free", free >> 20);
    let help = "free disk space: an operator that cannot write stops";
    match free {
        0..MIN_SPACE => checks.red(STORE, "room", found, help),
        MIN_SPACE..GOOD_SPACE => checks.yellow(STORE, "room", found, help),
        _ => checks.green(STORE, "room", found),
    }
}
