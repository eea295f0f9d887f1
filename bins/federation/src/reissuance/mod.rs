//! `federation reissuance`, and what the daemon needs to reissue.

mod audit;
mod plan;
mod read;

use std::{process::ExitCode, sync::Arc};

use federation_cli::CliError;
use federation_ocean_rpc::NodeClient;
use federation_operator::{Reissuance, ReissuanceStore, config::Config};

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
        .map_err(|error| {
            CliError::failure(
                error,
                "correct [[reissuance]] in federation.toml, or the key",
            )
        })
}
