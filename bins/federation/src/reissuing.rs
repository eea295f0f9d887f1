//! The setup of an operator's reissuances.

use std::sync::Arc;

use federation_cli::{CliError, OrHelp};
use federation_ocean_rpc::NodeClient;
use federation_operator::{Reissuance, ReissuanceStore, config::Config};
use federation_signer::SpendSigner;

use crate::{hints, keys};

/// The help for reissuances that do not go with this operator's key.
const CHECK_REISSUANCE: &str =
    "correct [[reissuance]] in federation.toml, or configure another key";

/// Checks that a key is in the scripts of the assets, and returns it.
pub(crate) fn check_key(config: &Config, spender: &dyn SpendSigner) -> Result<String, CliError> {
    let key = spender.public_key();
    Reissuance::check(&config.reissuance, key).or_help(CHECK_REISSUANCE)?;
    Ok(key.to_string())
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
        .or_help_for(hints::for_store)?;
    Reissuance::new(config.reissuance.clone(), spender, node.clone(), store)
        .map(Some)
        .or_help(CHECK_REISSUANCE)
}
