//! What to do about errors that more than one verb meets.
//!
//! Each says what to do itself, and where more of it is read: the programs bring the documentation with
//! them (`federation help`), since an installed machine has no repository.

use federation_chain::BlockHeight;
use federation_classic::GuardFileError;
use federation_operator::{StartError, StoreError};

/// Where all messages of a start are explained.
const START: &str = "`federation help when-it-does-not-start`";

/// What to do about what is whole, and not understood.
const OF_ANOTHER_VERSION: &str = "take the version of this program that wrote it, or a newer one";

/// What to do about a store, or a guard, that cannot be used.
pub(crate) fn of_store(error: &StoreError) -> String {
    let cure = match error {
        StoreError::InUse { .. } => {
            "stop what has it open, the daemon or a `federation guard` verb: \
             `federation help two-daemons-with-one-key`"
        }
        StoreError::Damaged { .. } | StoreError::Altered { .. } => {
            "ask `federation guard repair` what is left: `federation help a-store-is-lost`"
        }
        StoreError::Foreign { .. } => "correct `store` in operator.toml",
        StoreError::MovedAway { .. } => {
            "start it on the machine that the key has moved to: `federation help another-machine`"
        }
        StoreError::Unproven { .. } => {
            "ask `federation guard repair` from which height on it may sign"
        }
        StoreError::Missing { .. } => {
            "check `store` in operator.toml; if it was lost, `federation help a-store-is-lost`"
        }
        StoreError::Format { .. } | StoreError::Newer { .. } | StoreError::Record { .. } => {
            OF_ANOTHER_VERSION
        }
        StoreError::System { fault, .. } | StoreError::Write { fault, .. } => fault.cure(),
        StoreError::Interrupted(_) => "start again: what was written is looked at anew",
        _ => return format!("look its message up: {START}"),
    };
    cure.to_owned()
}

/// What to do about an operator that does not start.
pub(crate) fn of_start(error: &StartError) -> String {
    let cure = match error {
        StartError::Store(error) => return of_store(error),
        StartError::NotCertified { .. } => {
            "start the node with the configuration of your bundle, and an empty data folder"
        }
        StartError::NotInRoster(_) => "check `operator` in operator.toml",
        StartError::BlockKey { .. } => "give this operator's own key in [keys.block]",
        StartError::IdentityKey { .. } => "give this operator's own key in [keys.identity]",
        StartError::Node(_) => "check [node] in operator.toml, and the node's log",
        StartError::OtherChain { .. } | StartError::OtherScript { .. } | StartError::BadTip(_) => {
            "start the node with the settings that all others have, and an empty data folder"
        }
        StartError::Header { .. } => "check that the node is of this chain, and its version",
        StartError::Clock { .. } => "run NTP on both machines",
        StartError::LostStore { .. }
        | StartError::EmptyStore { .. }
        | StartError::OldStore { .. } => {
            "find the newest store; if it is gone, `federation help a-store-is-lost`"
        }
        StartError::Halted { .. } => {
            "settle what ended it, then `federation guard resume`: `federation help a-halt`"
        }
        _ => return format!("look its message up: {START}"),
    };
    cure.to_owned()
}

/// What to do about the record of the older protocol.
pub(crate) fn of_classic_guard(error: &GuardFileError) -> &'static str {
    match error {
        GuardFileError::InUse { .. } => "stop the other daemon",
        GuardFileError::Foreign { .. } => "correct `store`: each operator has a folder of its own",
        GuardFileError::Damaged { .. } => {
            "ask another operator whether such a block is there: `federation help when-something-is-wrong`"
        }
        GuardFileError::Format { .. } => OF_ANOTHER_VERSION,
        _ => "check the store's folder: who may write there, and whether the disk is full",
    }
}

/// What to do about an older protocol that ended by itself.
pub(crate) fn of_classic(until: BlockHeight) -> String {
    format!(
        "mend what is said and start again: below height {until} it goes on with the older protocol \
         (`federation help migration`)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_said_itself_is_not_looked_up() {
        let path = std::path::PathBuf::from("store/guard.redb");
        let damaged = StoreError::Damaged {
            path: path.clone(),
            reason: "a checksum".to_owned(),
        };
        assert!(of_store(&damaged).contains("federation guard repair"));
        let start = StartError::Store(StoreError::InUse { path: path.clone() });
        assert!(of_start(&start).contains("stop what has it open"));
        let format = GuardFileError::Format {
            path: path.clone(),
            found: 2,
        };
        let what = "a halt".to_owned();
        for cure in [
            of_classic_guard(&format).to_owned(),
            of_store(&StoreError::Newer { path, what }),
        ] {
            assert!(cure.contains("the version of this program"), "{cure}");
        }
    }
}
