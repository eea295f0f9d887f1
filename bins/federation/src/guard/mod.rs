//! `federation guard`: the record of what the block key has signed.

mod export;
mod history;
mod import;
mod key_lock;
mod new_roster;
mod repair;
mod resume;
mod show;

use std::process::ExitCode;

use federation_chain::BlockHeight;
use federation_cli::CliError;
use federation_ocean_rpc::NodeClient;
use federation_operator::{HeldGuardStore, StoreError, config::Config};
use federation_roster::Operator;
use federation_signer::{GuardPin, GuardRecord, ImportError, SignedGuardRecord};

pub(crate) use self::key_lock::{KeyLock, key_is_in_use, lock_key};
use crate::{
    cli::{GuardArgs, GuardCommand, PlaceArgs},
    config_check, cures, node,
    run::with_causes,
};

/// Does one of the verbs.
pub(crate) fn run(args: &GuardArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        GuardCommand::Show { place, file, json } => {
            show::run(&Place::new(place)?, file.as_deref(), *json)
        }
        GuardCommand::Export { place, out, copy } => export::run(&Place::new(place)?, out, *copy),
        GuardCommand::Import {
            place,
            file,
            take_back,
            without_node,
        } => import::run(&Place::new(place)?, file, *take_back, *without_node),
        GuardCommand::Resume {
            place,
            no_other_daemon,
        } => resume::run(&Place::new(place)?, *no_other_daemon),
        GuardCommand::Repair {
            place,
            new_roster: true,
            no_other_daemon,
            ..
        } => new_roster::run(&Place::new(place)?, *no_other_daemon),
        GuardCommand::Repair {
            place,
            margin,
            at_least,
            trust_store,
            agreed_tip,
            set_aside,
            new_roster: false,
            no_other_daemon,
        } => repair::run(
            &Place::new(place)?,
            &repair::Wish {
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

/// One operator's files.
pub(crate) struct Place {
    pub(crate) config: Config,
    pub(crate) operator: Operator,
    pub(crate) pin: GuardPin,
}

impl Place {
    pub(crate) fn new(args: &PlaceArgs) -> Result<Self, CliError> {
        let config = config_check::load(&args.config, &args.settings.overrides())?;
        let federation = &config.federation;
        let operator = federation.operator(config.me).cloned().ok_or_else(|| {
            CliError::failure("this operator is not in the roster", "check `operator`")
        })?;
        let pin = GuardPin {
            federation: federation.id(),
            genesis: federation.genesis(),
            block_key: operator.block_key,
        };
        Ok(Self {
            config,
            operator,
            pin,
        })
    }

    /// The guard, if there is one.
    pub(crate) fn open_existing(&self) -> Result<HeldGuardStore, StoreError> {
        HeldGuardStore::open_existing(&self.config.store, &self.pin.block_key, self.pin.genesis)
    }

    /// The guard, made if there is none.
    fn open(&self) -> Result<HeldGuardStore, StoreError> {
        HeldGuardStore::open(&self.config.store, &self.pin.block_key, self.pin.genesis)
    }

    fn node(&self) -> Result<NodeClient, CliError> {
        node::client(&self.config)
    }

    /// Whether blocks need every operator, so that none may sit out a height.
    fn needs_all(&self) -> bool {
        self.config.federation.tolerated_absent() == 0
    }

    /// Refuses what needs the protocol `agreed` while the federation still runs the older one, whose
    /// record is another; `known` is the highest height that is known to be final.
    fn check_agreed(&self, known: Option<BlockHeight>) -> Result<(), CliError> {
        let last = self.config.classic_until.and_then(BlockHeight::previous);
        match last {
            Some(last) if known < Some(last) => Err(CliError::failure(
                format!(
                    "the federation runs the classic protocol up to height {last}, whose record, \
                     classic.guard, is not the guard's"
                ),
                "move or restore the whole store folder, with classic.guard in it: `federation help migration`",
            )),
            _ => Ok(()),
        }
    }

    /// A file of `guard export`, if it is this operator's.
    fn verified(&self, signed: SignedGuardRecord) -> Result<GuardRecord, CliError> {
        signed
            .verify(&self.pin, &self.operator.identity)
            .map_err(|error| {
                CliError::failure(
                    error,
                    "give a file that this operator wrote with `guard export`",
                )
            })
    }
}

/// What a store's error means to somebody who wants to look at it or change it.
pub(crate) fn store_error(error: &StoreError) -> CliError {
    let cure = match error {
        StoreError::System { fault, .. } | StoreError::Write { fault, .. } => fault.cure(),
        StoreError::InUse { .. } => "stop the daemon first; `guard show` can be asked at any time",
        StoreError::Missing { .. } => "check `store` in operator.toml",
        StoreError::Damaged { .. } | StoreError::Altered { .. } | StoreError::Foreign { .. } => {
            "see `federation guard repair`"
        }
        _ => &cures::of_store(error),
    };
    CliError::failure(with_causes(error), cure)
}

/// What it means that a guard does not take or give a record.
fn import_error(error: &ImportError) -> CliError {
    let cure = match error {
        ImportError::Contradiction(_) => {
            "keep both, the file and the store, as evidence, and stop every daemon with this key: it \
             has signed two blocks at one height"
        }
        ImportError::Older { .. } => "nothing is to be done: this guard knows more than the file",
        ImportError::OwnTransfer(_) => {
            "import it on the machine that the key moved to; only if it was imported nowhere, take \
             it back with --take-back"
        }
        ImportError::MovedAway(_) => {
            "export the guard on the machine that has the key now, and import that file here"
        }
        ImportError::Unproven(_) => "repair it first: `federation guard repair`",
        _ => {
            "give a record that `guard export` has just written: `federation help another-machine`"
        }
    };
    CliError::failure(error, cure)
}
