//! What travels between operators, and who can hear whom.

use bytes::Bytes;

use crate::{Candidate, Message, SignedMessage};

/// A message on its way.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The message as it was signed.
    pub signed: SignedMessage,
    /// For a body: what the receiving driver makes of the bytes.
    pub(crate) candidate: Option<Candidate>,
}

impl Frame {
    /// Bodies are decoded by the receiver's driver: here once for all.
    pub(crate) fn new(signed: SignedMessage) -> Self {
        let candidate = match &signed.message {
            Message::Body(body) => decode(&body.bytes),
            _ => None,
        };
        Self { signed, candidate }
    }
}

/// A block from the bytes that `chain::block` made.
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

/// Which slots hear each other: those with the same side.
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
