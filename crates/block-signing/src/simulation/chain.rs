//! The simulated sidechain: blocks, and each operator's node.

use bytes::{BufMut, Bytes, BytesMut};
use federation_chain::{BlockHash, BlockHeight, UnixTime};

use crate::{Candidate, Tip};

use super::rng::mix;

/// The genesis block's time, in seconds.
pub(crate) const GENESIS_SECS: u64 = 1_700_000_000;

/// Derives four numbers from bytes. This is not a cryptographic hash, but no two contents in a run
/// collide.
pub(crate) fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut lanes = [1u64, 2, 3, 4];
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        for lane in &mut lanes {
            *lane = mix(lane.wrapping_add(u64::from_le_bytes(word)));
        }
    }
    let mut hash = [0; 32];
    for (part, lane) in hash.chunks_mut(8).zip(lanes) {
        part.copy_from_slice(&lane.to_le_bytes());
    }
    hash
}

/// Makes a block of height, previous block, time, a salt, and a byte that stands for a witness: the
/// hash does not cover it, and it must be 0 for the block to be valid.
pub(crate) fn block(
    height: BlockHeight,
    previous: BlockHash,
    secs: u64,
    salt: u64,
    witness: u8,
) -> Candidate {
    let mut bytes = BytesMut::new();
    bytes.put_u32(height.to_u32());
    bytes.put_slice(previous.as_bytes());
    bytes.put_u64(secs);
    bytes.put_u64(salt);
    let hash = BlockHash::from_bytes(digest(&bytes));
    bytes.put_u8(witness);
    Candidate {
        hash,
        previous,
        height,
        time: UnixTime::from_secs(secs),
        bytes: bytes.freeze(),
    }
}

/// Returns the same block with a witness that every node rejects.
pub(crate) fn spoil(candidate: &Candidate) -> Candidate {
    let mut bytes = candidate.bytes.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    Candidate {
        bytes: Bytes::from(bytes),
        ..candidate.clone()
    }
}

fn is_spoiled(candidate: &Candidate) -> bool {
    candidate.bytes.last() != Some(&0)
}

/// One operator's node, which is its chain.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) chain: Vec<Candidate>,
}

impl Node {
    pub(crate) fn new() -> Self {
        let genesis = block(
            BlockHeight::GENESIS,
            BlockHash::from_bytes([0; 32]),
            GENESIS_SECS,
            0,
            0,
        );
        Self {
            chain: vec![genesis],
        }
    }

    fn best(&self) -> &Candidate {
        self.chain
            .last()
            .expect("the genesis block is never removed")
    }

    /// Drops its last blocks, except the genesis block.
    pub(crate) fn roll_back(&mut self, blocks: usize) {
        let left = self.chain.len().saturating_sub(blocks).max(1);
        self.chain.truncate(left);
    }

    pub(crate) fn height(&self) -> BlockHeight {
        self.best().height
    }

    fn median_secs(&self) -> u64 {
        let last = self.chain.iter().rev().take(11);
        let mut times: Vec<u64> = last.map(|block| block.time.as_secs()).collect();
        times.sort_unstable();
        times[times.len() / 2]
    }

    pub(crate) fn tip(&self) -> Tip {
        let best = self.best();
        Tip {
            height: best.height,
            hash: best.hash,
            time: best.time,
            median_time: UnixTime::from_secs(self.median_secs()),
            first_block_time: self.chain.get(1).map(|block| block.time),
        }
    }

    pub(crate) fn template(&self, clock: UnixTime, salt: u64) -> Candidate {
        let secs = clock.as_secs().max(self.median_secs() + 1);
        block(self.height().next(), self.best().hash, secs, salt, 0)
    }

    /// Makes the checks of `testproposedblock` and `submitblock`, except for the signatures.
    pub(crate) fn check(&self, candidate: &Candidate) -> Result<(), &'static str> {
        if is_spoiled(candidate) {
            return Err("bad-witness");
        }
        if candidate.previous != self.best().hash {
            return Err("bad-prevblk");
        }
        if candidate.time.as_secs() <= self.median_secs() {
            return Err("time-too-old");
        }
        Ok(())
    }
}
