//! `federation reissuance`, and what the daemon needs to reissue.

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
    cures, keys,
    run::with_causes,
};

/// Runs a verb of `federation reissuance`.
pub(crate) fn run(args: &ReissuanceArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        ReissuanceCommand::Plan { chain, height } => plan::run(chain, *height),
        ReissuanceCommand::Audit { chain, from, to } => audit::run(chain, *from, *to),
    }
}

/// Refuses a key that is not in the scripts of the assets; the key.
pub(crate) fn check_key(config: &Config, spender: &dyn SpendSigner) -> Result<String, CliError> {
    let key = spender.public_key();
    Reissuance::check(&config.reissuance, key).map_err(|error| reissuance_error(&error))?;
    Ok(key.to_string())
}

fn reissuance_error(error: &ReissuanceError) -> CliError {
    CliError::failure(
        error,
        "correct [[reissuance]] in federation.toml, or the key",
    )
}

/// What the daemon needs to reissue; none if nothing is reissued, or others do it.
pub(crate) async fn prepare(
    config: &Config,
    node: &Arc<NodeClient>,
) -> Result<Option<Reissuance>, CliError> {
    if config.reissuance.is_empty() {
        return Ok(None);
    }
    let Some(spender) = keys::open_reissuance(config).await? else {
        tracing::info!(
            "assets are reissued, but without this operator: it has no [keys.reissuance]"
        );
        return Ok(None);
    };
    let store = ReissuanceStore::open(&config.store, config.federation.id(), config.me)
        .map_err(|error| CliError::failure(with_causes(&error), cures::of_store(&error)))?;
    Reissuance::new(config.reissuance.clone(), spender, node.clone(), store)
        .map(Some)
        .map_err(|error| reissuance_error(&error))
}
