//! `federation reissuance`, and the setup of the daemon's reissuances.

mod audit;
mod plan;
mod read;

use std::{process::ExitCode, sync::Arc};

use federation_cli::CliError;
use federation_ocean_rpc::NodeClient;
use federation_operator::{Reissuance, ReissuanceError, ReissuanceStore, config::Config};
use federation_signer::SpendSigner;

use crate::{
    cli::{ReissuanceArgs, ReissuanceCommand},
    hints, keys,
    run::with_causes,
};

/// Runs a verb of `federation reissuance`.
pub(crate) fn run(args: &ReissuanceArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        ReissuanceCommand::Plan { chain, height } => plan::run(chain, *height),
        ReissuanceCommand::Audit { chain, from, to } => audit::run(chain, *from, *to),
    }
}

/// Checks that a key is in the scripts of the assets, and returns it.
pub(crate) fn check_key(config: &Config, spender: &dyn SpendSigner) -> Result<String, CliError> {
    let key = spender.public_key();
    Reissuance::check(&config.reissuance, key).map_err(|error| reissuance_error(&error))?;
    Ok(key.to_string())
}

fn reissuance_error(error: &ReissuanceError) -> CliError {
    CliError::failure(
        error,
        "correct [[reissuance]] in federation.toml, or configure another key",
    )
}

/// Sets up the daemon's reissuances; none if there are none, or if this operator does not sign them.
pub(crate) async fn prepare(
    config: &Config,
    node: &Arc<NodeClient>,
) -> Result<Option<Reissuance>, CliError> {
    if config.reissuance.is_empty() {
        return Ok(None);
    }
    let Some(spender) = keys::open_reissuance(config).await? else {
        tracing::info!("not participating in reissuances: [keys.reissuance] is not configured");
        return Ok(None);
    };
    let store = ReissuanceStore::open(&config.store, config.federation.id(), config.me)
        .map_err(|error| CliError::failure(with_causes(&error), hints::for_store(&error)))?;
    Reissuance::new(config.reissuance.clone(), spender, node.clone(), store)
        .map(Some)
        .map_err(|error| reissuance_error(&error))
}
