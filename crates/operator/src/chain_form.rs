//! Whether a chain keeps its block format and its signers while operators run.

use federation_chain::Dialect;
use federation_ocean_rpc::{BlockchainInfo, Node};

use crate::{MIN_EPOCH_LENGTH, StartError};

/// Refuses a chain that may change later: one on which dynafed can still activate, and one with
/// epochs so short that proposals in one, two or three blocks could change who signs.
///
/// # Errors
/// [`StartError::FormatChanges`] or [`StartError::ShortEpochs`] if it may, [`StartError::Node`] if
/// the node does not answer.
pub async fn check_chain_form(
    node: &dyn Node,
    dialect: Dialect,
    info: &BlockchainInfo,
) -> Result<(), StartError> {
    if dialect == Dialect::Elements && node.dynafed_can_begin().await? {
        return Err(StartError::FormatChanges(dialect));
    }
    match info.epoch_length {
        Some(length) if length < MIN_EPOCH_LENGTH => Err(StartError::ShortEpochs(length)),
        _ => Ok(()),
    }
}
