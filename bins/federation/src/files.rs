//! An operator's configuration files, loaded for the verbs.

use std::path::Path;

use federation_cli::{CliError, OrHelp};
use federation_operator::{
    GuardDatabase, StoreError,
    config::{Config, Overrides},
};
use federation_roster::Member;
use federation_signer::GuardPin;

use crate::args::OperatorArgs;

/// Loads the files; the error lists everything that is wrong with them.
pub(crate) fn load(path: &Path, overrides: &Overrides) -> Result<Config, CliError> {
    Config::load(path, overrides).or_plain()
}

/// An operator's configuration, and the identity of its guard.
pub(crate) struct OperatorFiles {
    pub(crate) config: Config,
    pub(crate) operator: Member,
    pub(crate) pin: GuardPin,
}

impl OperatorFiles {
    pub(crate) fn new(args: &OperatorArgs) -> Result<Self, CliError> {
        let config = load(&args.config, &args.settings.overrides())?;
        let federation = &config.federation;
        let operator = federation.member(config.me).cloned().ok_or_else(|| {
            CliError::failure(
                "this operator is not in the roster",
                "check `operator` in operator.toml",
            )
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

    /// Opens the guard; fails if it does not exist.
    pub(crate) fn open_existing(&self) -> Result<GuardDatabase, StoreError> {
        GuardDatabase::open_existing(&self.config.store, &self.pin.block_key, self.pin.genesis)
    }
}
