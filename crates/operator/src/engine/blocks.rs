//! From a block's bytes to what the machine gets of it.

use bytes::Bytes;
use federation_block_signing::Candidate;
use federation_chain::{Block, CheckError, UnixTime};
use federation_roster::Federation;
use std::sync::Arc;

/// Frames and blocks above this, in bytes, are hashed on a thread for blocking work.
pub(super) const INLINE: usize = 32 * 1024;

/// Why a block is none of this chain's, or none that a federation signs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotOurs {
    /// It would change who signs, or what else dynafed's parameters say.
    #[error("{0}")]
    Proposes(CheckError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl NotOurs {
    fn other(error: &dyn core::fmt::Display) -> Self {
        Self::Other(error.to_string())
    }
}

/// As [`decode_candidate`], where it does not hold up other tasks.
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

/// An unsigned block of this chain from its bytes: dialect, challenge, no signatures, no proposal of
/// other parameters, and transactions as the header commits to them. The machine gets no other, so
/// none can be locked, decided or signed, whoever votes for it.
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
        return Err(NotOurs::Other(
            "the block has signatures already".to_owned(),
        ));
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
