//! Whether a chain keeps its form and its signers for as long as operators run.

use federation_chain::Dialect;
use federation_ocean_rpc::{BlockchainInfo, Node};

use crate::{MIN_EPOCH_LENGTH, StartError};

/// Refuses a chain of this dialect that changes on the way: one on which dynafed can begin, and one
/// with epochs so short that proposals of one, two or three blocks change who signs.
///
/// # Errors
/// [`StartError::FormatChanges`] or [`StartError::ShortEpochs`] if it does, [`StartError::Node`] if the
/// node does not tell.
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
