//! Decodes a block's bytes into the candidate that the machine gets.

use bytes::Bytes;
use federation_block_signing::Candidate;
use federation_chain::{Block, CheckError, UnixTime};
use federation_roster::Federation;
use std::sync::Arc;

/// Frames and blocks larger than this, in bytes, are hashed on a thread for blocking work.
pub(super) const INLINE: usize = 32 * 1024;

/// Why a block does not belong to this chain, or must not be signed by its federation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotOurs {
    /// It proposes dynafed parameters, which could change who signs.
    #[error("{0}")]
    Proposes(CheckError),
    /// Any other reason.
    #[error("{0}")]
    Other(String),
}

impl NotOurs {
    fn other(error: &dyn core::fmt::Display) -> Self {
        Self::Other(error.to_string())
    }
}

/// Does the same as [`decode_candidate`] without holding up other tasks.
pub(super) async fn candidate(
    federation: &Arc<Federation>,
    bytes: Bytes,
) -> Result<Candidate, NotOurs> {
    if bytes.len() <= INLINE {
        return decode_candidate(federation, bytes);
    }
    let federation = federation.clone();
    tokio::task::spawn_blocking(move || decode_candidate(&federation, bytes))
        .await
        .unwrap_or_else(|error| Err(NotOurs::other(&error)))
}

/// Decodes an unsigned block of this chain, and checks its dialect and challenge, that it has no
/// signatures and proposes no other parameters, and that its header commits to its transactions.
/// The machine gets no other blocks, so no other block can be locked, decided or signed, however
/// many operators vote for it.
pub(super) fn decode_candidate(
    federation: &Federation,
    bytes: Bytes,
) -> Result<Candidate, NotOurs> {
    let rules = federation.rules();
    let block = Block::decode(rules.dialect(), bytes).map_err(|error| NotOurs::other(&error))?;
    rules
        .check_challenge(block.header())
        .map_err(|error| NotOurs::other(&error))?;
    rules
        .check_proposed(block.header())
        .map_err(NotOurs::Proposes)?;
    if !block.is_unsigned() {
        return Err(NotOurs::Other("the block is already signed".to_owned()));
    }
    block
        .check_commitments()
        .map_err(|error| NotOurs::other(&error))?;
    Ok(Candidate {
        hash: block.block_hash(),
        previous: block.header().previous(),
        height: block.height(),
        time: UnixTime::from_secs(block.header().time().into()),
        bytes: block.as_bytes().clone(),
    })
}
