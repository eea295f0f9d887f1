//! A store that the system refuses is not damaged: the error does not advise to move it away, and
//! it opens again once the system allows it.
//!
//! Each case opens the store in a process of its own, which is this program again, in conditions in
//! which the system refuses it.

#![cfg(target_os = "linux")]

use std::{
    fs::{File, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
    process::Command,
};

use federation_block_signing::Record;
use federation_chain::{BlockHash, BlockHeight};
use federation_operator::{GuardDatabase, RedbGuardStore, Store, StoreError};
use federation_roster::{FederationId, OperatorId};
use federation_signer::{GuardStore, Secret, SystemFault};
use secp256k1::PublicKey;

/// The variable with the store's folder for the process of a case.
const FOLDER: &str = "FEDERATION_TEST_STORE";
/// The variable that makes the process first open as many files as it may.
const GREEDY: &str = "FEDERATION_TEST_GREEDY";
/// What the process prints before each error.
const REFUSED: &str = "refused: ";
/// What the process prints for a store that opens.
const OPENED: &str = "opened";

const NOBODY: u32 = 65534;

fn key() -> PublicKey {
    let secret = Secret::from_hex(&"01".repeat(32)).expect("a key");
    secret.public_key()
}

const fn genesis() -> BlockHash {
    BlockHash::from_bytes([1; 32])
}

fn open(folder: &Path) -> Result<Store, StoreError> {
    Store::open(
        folder,
        FederationId::from_bytes([7; 32]),
        OperatorId::new(1),
    )
}

fn open_guard(folder: &Path) -> Result<RedbGuardStore, StoreError> {
    RedbGuardStore::open(folder, &key(), genesis())
}

const FINAL: Record = Record::Final(BlockHeight::new(4));

/// A store and a guard with content.
fn used() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).expect("new");
    store.write(&[FINAL], None).expect("written");
    let mut guard = open_guard(folder.path()).expect("new");
    guard
        .record(BlockHeight::new(5), BlockHash::from_bytes([5; 32]))
        .expect("recorded");
    folder
}

fn check_intact(folder: &Path) {
    let store = open(folder).expect("it opens");
    assert_eq!(store.records(), Ok(vec![FINAL]));
    let guard = open_guard(folder).expect("it opens");
    let state = guard.load().expect("readable");
    assert!(state.signed(BlockHeight::new(5)).is_some());
}

/// The process of a case: opens everything and prints the results.
#[test]
#[ignore = "run by the other tests under conditions in which the system refuses the store"]
fn opens_what_it_may() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let mut taken = Vec::new();
    if std::env::var_os(GREEDY).is_some() {
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
    }
    let mut results = vec![open(folder).map(drop), open_guard(folder).map(drop)];
    let there = GuardDatabase::is_there(folder);
    if there != Ok(false) {
        results.push(GuardDatabase::open_existing(folder, &key(), genesis()).map(drop));
        results.push(there.and(open(folder).map(drop)));
    }
    drop(taken);
    for result in results {
        match result {
            Ok(()) => println!("{OPENED}"),
            Err(error) => println!("{REFUSED}{} {error}", error.is_damage()),
        }
    }
}

/// Runs that process from a shell that first runs a command. Returns the errors, or none if the
/// shell could not run the command.
fn refusals(folder: &Path, shell: &[&str], first: &str) -> Option<Vec<String>> {
    let program = std::env::current_exe().expect("this program");
    let script = format!("{first} && exec \"$0\" --exact opens_what_it_may --ignored --nocapture");
    let (shell, arguments) = shell.split_first().expect("a shell");
    let output = Command::new(shell)
        .args(arguments)
        .arg(script)
        .arg(program)
        .env(FOLDER, folder)
        .output()
        .expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !text.contains("running 1 test") {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        eprintln!("SKIPPED: this process may not do `{first}`: {why}");
        return None;
    }
    assert!(!text.contains(OPENED), "{text}");
    let lines = text.lines().filter_map(|line| {
        let at = line.find(REFUSED)? + REFUSED.len();
        Some(line[at..].to_owned())
    });
    let errors: Vec<_> = lines.collect();
    assert!(errors.len() >= 2, "{text}");
    Some(errors)
}

/// Checks that each error names the fault and what to do about it, and that none speaks of damage.
fn check_errors(errors: &[String], fault: SystemFault) {
    for one in errors {
        let (is_damage, error) = one.split_once(' ').expect("both");
        assert_eq!(is_damage, "false", "{error}");
        assert!(error.contains(&fault.to_string()), "{error}");
        assert!(error.contains(fault.cure()), "{error}");
        for wrong in ["move the store away", "damage was found", "does not exist"] {
            assert!(!error.contains(wrong), "{error}");
        }
    }
}

/// A shell in a mount namespace of its own.
fn mount_namespace() -> &'static [&'static str] {
    if is_root() {
        &["unshare", "--mount", "sh", "-c"]
    } else {
        &["unshare", "--map-root-user", "--mount", "sh", "-c"]
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[test]
fn a_store_on_a_read_only_mount_is_not_damaged() {
    let folder = used();
    let read_only = format!(
        "mount --bind \"${FOLDER}\" \"${FOLDER}\" && mount -o remount,ro,bind \"${FOLDER}\""
    );
    if let Some(errors) = refusals(folder.path(), mount_namespace(), &read_only) {
        check_errors(&errors, SystemFault::ReadOnly);
    }
    check_intact(folder.path());
}

#[test]
fn a_store_of_another_user_is_not_damaged_and_the_error_names_the_owner() {
    let folder = used();
    let path = folder.path();
    // Root may do anything unless it lacks these two capabilities.
    let shell: &[&str] = if is_root() {
        &[
            "setpriv",
            "--bounding-set=-dac_override,-dac_read_search",
            "sh",
            "-c",
        ]
    } else {
        &["sh", "-c"]
    };
    let files = || std::fs::read_dir(path).expect("there").flatten();
    for file in files() {
        if is_root() {
            chown(file.path(), Some(NOBODY), None).expect("root may");
        } else {
            std::fs::set_permissions(file.path(), Permissions::from_mode(0o000))
                .expect("the owner may");
        }
    }
    if let Some(errors) = refusals(path, shell, "true") {
        check_errors(&errors, SystemFault::NotAllowed);
        let owner = std::fs::metadata(Store::path(path)).expect("there").uid();
        let owned = format!("user {owner} owns it");
        assert!(errors.iter().all(|one| one.contains(&owned)), "{errors:?}");
    }
    // A folder that may not be entered hides its files, which must not count as missing.
    let closed = if is_root() { 0o700 } else { 0o000 };
    if is_root() {
        chown(path, Some(NOBODY), None).expect("root may");
    }
    std::fs::set_permissions(path, Permissions::from_mode(closed)).expect("the owner may");
    if let Some(errors) = refusals(path, shell, "true") {
        check_errors(&errors, SystemFault::NotAllowed);
    }
    std::fs::set_permissions(path, Permissions::from_mode(0o700)).expect("the owner may");
    for file in files() {
        std::fs::set_permissions(file.path(), Permissions::from_mode(0o600)).expect("as before");
    }
    check_intact(path);
}

#[test]
fn a_store_is_not_damaged_if_no_file_descriptor_is_left() {
    let folder = used();
    let few = format!("ulimit -n 64 && export {GREEDY}=1");
    let errors = refusals(folder.path(), &["sh", "-c"], &few).expect("any shell can");
    check_errors(&errors, SystemFault::NoDescriptors);
    check_intact(folder.path());
}

#[test]
fn a_store_that_cannot_be_created_for_lack_of_space_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = format!(
        "mount -t tmpfs -o size=16k tmpfs \"${FOLDER}\" && {{ cat /dev/zero > \"${FOLDER}/filler\" 2> /dev/null; true; }}"
    );
    if let Some(errors) = refusals(folder.path(), mount_namespace(), &full) {
        check_errors(&errors, SystemFault::NoSpace);
        assert_eq!(errors.len(), 2, "nothing incomplete remains: {errors:?}");
    }
}
