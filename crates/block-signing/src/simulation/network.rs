//! Frames between operators, and partitions of the network.

use bytes::Bytes;

use crate::{Candidate, Message, SignedMessage};

/// A message under way.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The message as it was signed.
    pub signed: SignedMessage,
    /// For a body: the block that the receiving driver decodes.
    pub(crate) candidate: Option<Candidate>,
}

impl Frame {
    /// Creates a frame. Each receiver's driver decodes bodies; here it is done once for all.
    pub(crate) fn new(signed: SignedMessage) -> Self {
        let candidate = match &signed.message {
            Message::Body(body) => decode(&body.bytes),
            _ => None,
        };
        Self { signed, candidate }
    }
}

/// Decodes a block from the bytes that `chain::block` made.
fn decode(bytes: &Bytes) -> Option<Candidate> {
    let (height, rest) = bytes.split_first_chunk::<4>()?;
    let (previous, rest) = rest.split_first_chunk::<32>()?;
    let (secs, rest) = rest.split_first_chunk::<8>()?;
    let (salt, rest) = rest.split_first_chunk::<8>()?;
    let [witness] = rest else {
        return None;
    };
    Some(super::chain::block(
        federation_chain::BlockHeight::new(u32::from_be_bytes(*height)),
        federation_chain::BlockHash::from_bytes(*previous),
        u64::from_be_bytes(*secs),
        u64::from_be_bytes(*salt),
        *witness,
    ))
}

/// Which slots reach each other: those on the same side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Partition {
    sides: Vec<u8>,
}

impl Partition {
    pub(crate) fn whole(slots: usize) -> Self {
        Self {
            sides: vec![0; slots],
        }
    }

    pub(crate) fn set(&mut self, slot: usize, side: u8) {
        self.sides[slot] = side;
    }

    pub(crate) fn connected(&self, a: usize, b: usize) -> bool {
        self.sides[a] == self.sides[b]
    }
}
