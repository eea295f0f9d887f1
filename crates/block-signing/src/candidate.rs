//! A block that may become the next one, as the machine sees it.

use core::fmt;

use bytes::Bytes;
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use serde::{Deserialize, Serialize};

/// An unsigned block with the fields of its header.
///
/// The driver builds it from the block's bytes after checking that they decode in the chain's
/// dialect, carry this federation's challenge (or signblock program), contain no signatures and
/// have the right Merkle root. The machine trusts the fields, and checks height, previous block and
/// time against its own tip.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct Candidate {
    /// The hash that would be signed.
    pub hash: BlockHash,
    /// The block that it builds on.
    pub previous: BlockHash,
    /// The height in its header.
    pub height: BlockHeight,
    /// The time in its header, in whole seconds.
    pub time: UnixTime,
    /// The unsigned block as it is sent and given to the node. The hash does not cover all of the
    /// bytes: two candidates with the same hash may differ in their transactions' witnesses.
    pub bytes: Bytes,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("hash", &self.hash)
            .field("previous", &self.previous)
            .field("height", &self.height)
            .field("time", &self.time)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}
