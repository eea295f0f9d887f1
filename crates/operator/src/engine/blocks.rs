//! From a block's bytes to what the machine gets of it.

use bytes::Bytes;
use federation_block_signing::Candidate;
use federation_chain::{Block, UnixTime};
use federation_roster::Federation;
use std::sync::Arc;

/// Frames and blocks above this, in bytes, are hashed on a thread for blocking work.
pub(super) const INLINE: usize = 32 * 1024;

/// As [`decode_candidate`], where it does not hold up other tasks.
pub(super) async fn candidate(
    federation: &Arc<Federation>,
    bytes: Bytes,
) -> Result<Candidate, String> {
    if bytes.len() <= INLINE {
        return decode_candidate(federation, bytes);
    }
    let federation = federation.clone();
    tokio::task::spawn_blocking(move || decode_candidate(&federation, bytes))
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
}

/// An unsigned block of this chain from its bytes: dialect, challenge, no signatures, and
/// transactions as the header commits to them.
pub(super) fn decode_candidate(federation: &Federation, bytes: Bytes) -> Result<Candidate, String> {
    let rules = federation.rules();
    let block = Block::decode(rules.dialect(), bytes).map_err(|error| error.to_string())?;
    rules
        .check_challenge(block.header())
        .map_err(|error| error.to_string())?;
    if !block.is_unsigned() {
        return Err("the block has signatures already".to_owned());
    }
    block
        .check_commitments()
        .map_err(|error| error.to_string())?;
    Ok(Candidate {
        hash: block.block_hash(),
        previous: block.header().previous(),
        height: block.height(),
        time: UnixTime::from_secs(block.header().time().into()),
        bytes: block.as_bytes().clone(),
    })
}
