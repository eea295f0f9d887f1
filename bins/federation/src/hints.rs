//! Help for errors that more than one verb can meet.
//!
//! Each text says what to do and names the chapter with the details: the programs include the
//! documentation (`federation help`), because an installed machine has no repository.

use federation_chain::BlockHeight;
use federation_classic::GuardFileError;
use federation_operator::{StartError, StoreError};

/// The chapter that explains every error of a start.
const START: &str = "`federation help when-it-does-not-start`";

/// Help for intact data that this version does not understand.
const OTHER_VERSION: &str = "use the version of this program that wrote it, or a newer one";

/// Returns the help for a store or a guard that cannot be used.
pub(crate) fn for_store(error: &StoreError) -> String {
    let help = match error {
        StoreError::InUse { .. } => {
            "stop the daemon or the `federation guard` verb that has it open: \
             `federation help two-daemons-with-one-key`"
        }
        StoreError::Damaged { .. } | StoreError::Altered { .. } => {
            "run `federation guard repair` to see what is left: `federation help a-store-is-lost`"
        }
        StoreError::Foreign { .. } => "correct `store` in operator.toml",
        StoreError::MovedAway { .. } => {
            "start it on the machine to which the key was moved: `federation help another-machine`"
        }
        StoreError::Unproven { .. } => {
            "run `federation guard repair` to find out from which height on it may sign"
        }
        StoreError::Missing { .. } => {
            "check `store` in operator.toml; if the store was lost, see `federation help a-store-is-lost`"
        }
        StoreError::Format { .. } | StoreError::Newer { .. } | StoreError::Record { .. } => {
            OTHER_VERSION
        }
        StoreError::System { fault, .. } | StoreError::Write { fault, .. } => fault.cure(),
        StoreError::Interrupted(_) => "start again: it will check again what was written",
        _ => return format!("look up the message: {START}"),
    };
    help.to_owned()
}

/// Returns the help for an operator that does not start.
pub(crate) fn for_start(error: &StartError) -> String {
    let help = match error {
        StartError::Store(error) => return for_store(error),
        StartError::NotCertified { .. } => {
            "start the node with the configuration from your bundle, and an empty data directory"
        }
        StartError::NotInRoster(_) => "check `operator` in operator.toml",
        StartError::BlockKey { .. } => "configure this operator's key in [keys.block]",
        StartError::IdentityKey { .. } => "configure this operator's key in [keys.identity]",
        StartError::Node(_) => "check [node] in operator.toml, and the node's log",
        StartError::OtherChain { .. } | StartError::OtherScript { .. } | StartError::BadTip(_) => {
            "start the node with the same settings as all others, and an empty data directory"
        }
        StartError::Header { .. } => "check that the node is on this chain, and its version",
        StartError::Clock { .. } => "synchronise the clocks of both machines with NTP",
        StartError::LostStore { .. }
        | StartError::EmptyStore { .. }
        | StartError::OldStore { .. } => {
            "find the newest store; if it is gone, see `federation help a-store-is-lost`"
        }
        StartError::Halted { .. } => {
            "resolve the cause of the halt, then run `federation guard resume`: `federation help a-halt`"
        }
        _ => return format!("look up the message: {START}"),
    };
    help.to_owned()
}

/// Returns the help for the classic protocol's guard file.
pub(crate) fn for_classic_guard(error: &GuardFileError) -> &'static str {
    match error {
        GuardFileError::InUse { .. } => "stop the other daemon",
        GuardFileError::Foreign { .. } => "correct `store`: each operator needs its own folder",
        GuardFileError::Damaged { .. } => {
            "ask another operator whether the block exists: `federation help when-something-is-wrong`"
        }
        GuardFileError::Format { .. } => OTHER_VERSION,
        _ => "check the permissions of the store's folder, and whether the disk is full",
    }
}

/// Returns the help for a classic protocol that ended with an error.
pub(crate) fn for_classic(until: BlockHeight) -> String {
    format!(
        "fix the cause and start again: below height {until} the classic protocol continues \
         (`federation help migration`)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_errors_have_help_of_their_own() {
        let path = std::path::PathBuf::from("store/guard.redb");
        let damaged = StoreError::Damaged {
            path: path.clone(),
            reason: "a checksum".to_owned(),
        };
        assert!(for_store(&damaged).contains("federation guard repair"));
        let start = StartError::Store(StoreError::InUse { path: path.clone() });
        assert!(for_start(&start).contains("that has it open"));
        let format = GuardFileError::Format {
            path: path.clone(),
            found: 2,
        };
        let what = "a halt".to_owned();
        for help in [
            for_classic_guard(&format).to_owned(),
            for_store(&StoreError::Newer { path, what }),
        ] {
            assert!(help.contains("the version of this program"), "{help}");
        }
    }
}
