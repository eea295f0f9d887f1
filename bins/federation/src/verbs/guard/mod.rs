//! `federation guard`: the record of what the block key has signed.

mod args;
mod export;
mod history;
mod import;
mod new_roster;
mod repair;
mod resume;
mod show;

use std::process::ExitCode;

use federation_chain::BlockHeight;
use federation_cli::{CliError, OrHelp, with_causes};
use federation_ocean_rpc::NodeClient;
use federation_operator::{GuardDatabase, StoreError};
use federation_signer::{GuardRecord, ImportError, SignedGuardRecord};

pub(crate) use self::args::GuardArgs;
use self::args::GuardCommand;
use crate::{files::OperatorFiles, hints, key_lock::lock_key, node};

/// Runs a verb of `federation guard`.
pub(crate) fn run(args: &GuardArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        GuardCommand::Show {
            operator,
            file,
            json,
        } => show::run(&OperatorFiles::new(operator)?, file.as_deref(), *json),
        GuardCommand::Export {
            operator,
            out,
            copy,
        } => export::run(&OperatorFiles::new(operator)?, out, *copy),
        GuardCommand::Import {
            operator,
            file,
            take_back,
            without_node,
        } => import::run(
            &OperatorFiles::new(operator)?,
            file,
            *take_back,
            *without_node,
        ),
        GuardCommand::Resume {
            operator,
            no_other_daemon,
        } => resume::run(&OperatorFiles::new(operator)?, *no_other_daemon),
        GuardCommand::Repair {
            operator,
            new_roster: true,
            no_other_daemon,
            ..
        } => new_roster::run(&OperatorFiles::new(operator)?, *no_other_daemon),
        GuardCommand::Repair {
            operator,
            margin,
            at_least,
            trust_store,
            agreed_tip,
            set_aside,
            new_roster: false,
            no_other_daemon,
        } => repair::run(
            &OperatorFiles::new(operator)?,
            &repair::RepairOptions {
                margin: *margin,
                at_least: *at_least,
                trust_store: *trust_store,
                agreed_tip: *agreed_tip,
                set_aside: *set_aside,
                no_other_daemon: *no_other_daemon,
            },
        ),
    }
}

impl OperatorFiles {
    /// Opens the guard, created if missing.
    fn open(&self) -> Result<GuardDatabase, StoreError> {
        GuardDatabase::open(&self.config.store, &self.pin.block_key, self.pin.genesis)
    }

    fn node(&self) -> Result<NodeClient, CliError> {
        node::client(&self.config)
    }

    /// Whether every operator must sign each block, so that none may be absent.
    fn needs_all(&self) -> bool {
        self.config.federation.tolerated_absent() == 0
    }

    /// Refuses verbs for the protocol `agreed` while the federation still runs the classic one, which has
    /// a guard file of its own; `known` is the highest height known to be final.
    fn check_agreed(&self, known: Option<BlockHeight>) -> Result<(), CliError> {
        let last = self.config.classic_until.and_then(BlockHeight::previous);
        match last {
            Some(last) if known < Some(last) => Err(CliError::failure(
                format!(
                    "the federation runs the classic protocol up to height {last}, whose record is \
                     classic.guard, not the guard"
                ),
                "move or restore the whole store folder, including classic.guard: `federation help migration`",
            )),
            _ => Ok(()),
        }
    }

    /// Verifies that a file of `guard export` is this operator's.
    fn verified(&self, signed: SignedGuardRecord) -> Result<GuardRecord, CliError> {
        signed
            .verify(&self.pin, &self.operator.identity)
            .or_help("pass a file that this operator wrote with `guard export`")
    }
}

/// Converts a store's error for a verb that reads or changes the store.
pub(crate) fn store_error(error: &StoreError) -> CliError {
    CliError::failure(with_causes(error), store_help(error))
}

/// Returns the help for a verb that cannot read or change the store.
pub(crate) fn store_help(error: &StoreError) -> String {
    let help = match error {
        StoreError::System { fault, .. } | StoreError::Write { fault, .. } => fault.cure(),
        StoreError::InUse { .. } => "stop the daemon first; `guard show` works while it runs",
        StoreError::Missing { .. } => "check `store` in operator.toml",
        StoreError::Damaged { .. } | StoreError::Altered { .. } | StoreError::Foreign { .. } => {
            "run `federation guard repair` to see what is left"
        }
        _ => return hints::for_store(error),
    };
    help.to_owned()
}

/// Returns the help for a guard that does not import or export a record.
const fn import_help(error: &ImportError) -> &'static str {
    match error {
        ImportError::Contradiction(_) => {
            "stop every daemon with this key, and keep both the file and the store as evidence: the key \
             has signed two blocks at one height"
        }
        ImportError::Older { .. } => {
            "there is nothing to import: this guard knows more than the file"
        }
        ImportError::OwnTransfer(_) => {
            "import it on the machine that the key was moved to; take it back with --take-back only if \
             it was not imported anywhere"
        }
        ImportError::MovedAway(_) => {
            "export the guard on the machine that has the key now, and import that file here"
        }
        ImportError::Unproven(_) => "run `federation guard repair` first",
        _ => "pass a file that `guard export` has just written: `federation help another-machine`",
    }
}
