//! The signed envelope that carries operators' messages.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, 1 |
//! | 32 | federation id |
//! | 1 | sender, as its index in the roster |
//! | 1 | kind of the payload |
//! | 4 | height, little-endian |
//! | 4 | round, little-endian |
//! | 4 | length of the payload, little-endian |
//! | n | payload |
//! | 64 | BIP 340 signature by the sender's identity key |
//!
//! The signature is over the SHA-256, tagged `federation/envelope/v1`, of everything before the
//! payload's length followed by the SHA-256 of the payload.

use bitcoin::hashes::{Hash, sha256};
use bytes::{BufMut, Bytes, BytesMut};
use federation_chain::{BlockHeight, TaggedHash};
use secp256k1::{Message, SECP256K1, XOnlyPublicKey, schnorr};

use crate::{FederationId, OperatorId, Round};

/// The only version of the format.
const VERSION: u8 = 1;
/// Everything before the payload's length.
const SIGNED_HEAD_LEN: usize = 1 + 32 + 1 + 1 + 4 + 4;
const HEAD_LEN: usize = SIGNED_HEAD_LEN + 4;

/// The length of a signature, in bytes.
pub const SIGNATURE_LEN: usize = 64;

/// The longest payload, in bytes: a block of eight megabytes, with some room to spare.
pub const MAX_PAYLOAD: usize = 9 * 1024 * 1024;

/// The sender, kind, height and round of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvelopeHead {
    /// The federation that the message is for.
    pub federation: FederationId,
    /// The sender.
    pub sender: OperatorId,
    /// The kind of the payload; its meaning belongs to the protocol.
    pub kind: u8,
    /// The height that it is about.
    pub height: BlockHeight,
    /// The round that it is about.
    pub round: Round,
}

/// An envelope that is not signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedEnvelope {
    /// The sender, kind, height and round.
    pub head: EnvelopeHead,
    /// The payload.
    pub payload: Bytes,
}

/// A signed envelope. Its signature may be invalid: check it with [`Envelope::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    unsigned: UnsignedEnvelope,
    signature: [u8; SIGNATURE_LEN],
}

/// The error for bytes that are not an envelope, or an envelope that its sender did not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The frame's length differs from what the envelope's head says.
    #[error("the frame has {found} bytes, expected {expected}")]
    Length {
        /// The frame's length.
        found: usize,
        /// The length that the head says, or the minimum.
        expected: usize,
    },
    /// Another version of the format.
    #[error("the envelope has version {0}, expected version {VERSION}")]
    Version(u8),
    /// A payload above the limit.
    #[error("the payload has {0} bytes, the limit is {MAX_PAYLOAD}")]
    TooLarge(usize),
    /// The signature was not made by the sender's key.
    #[error("the signature does not verify for operator {0}")]
    Signature(OperatorId),
}

impl EnvelopeHead {
    /// Reads only the head, so that unwanted frames can be dropped before any cryptography.
    ///
    /// # Errors
    /// If the frame's length differs from what its head says, or the version is unknown.
    pub fn peek(frame: &[u8]) -> Result<Self, EnvelopeError> {
        let least = HEAD_LEN + SIGNATURE_LEN;
        let Some((head, rest)) = frame.split_first_chunk::<HEAD_LEN>() else {
            return Err(EnvelopeError::Length {
                found: frame.len(),
                expected: least,
            });
        };
        if head[0] != VERSION {
            return Err(EnvelopeError::Version(head[0]));
        }
        let payload = u32_at(head, SIGNED_HEAD_LEN) as usize;
        if payload > MAX_PAYLOAD {
            return Err(EnvelopeError::TooLarge(payload));
        }
        if rest.len() != payload + SIGNATURE_LEN {
            return Err(EnvelopeError::Length {
                found: frame.len(),
                expected: least + payload,
            });
        }
        let mut federation = [0; 32];
        federation.copy_from_slice(&head[1..33]);
        Ok(Self {
            federation: FederationId::from_bytes(federation),
            sender: OperatorId::new(head[33]),
            kind: head[34],
            height: BlockHeight::new(u32_at(head, 35)),
            round: Round::new(u32_at(head, 39)),
        })
    }

    fn encode(&self) -> [u8; SIGNED_HEAD_LEN] {
        let mut bytes = [0; SIGNED_HEAD_LEN];
        bytes[0] = VERSION;
        bytes[1..33].copy_from_slice(self.federation.as_bytes());
        bytes[33] = self.sender.to_u8();
        bytes[34] = self.kind;
        bytes[35..39].copy_from_slice(&self.height.to_u32().to_le_bytes());
        bytes[39..43].copy_from_slice(&self.round.to_u32().to_le_bytes());
        bytes
    }
}

fn u32_at(head: &[u8; HEAD_LEN], at: usize) -> u32 {
    u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

impl UnsignedEnvelope {
    /// Returns the 32 bytes that the sender's identity key signs.
    #[must_use]
    pub fn signing_digest(&self) -> [u8; 32] {
        TaggedHash::new(b"federation/envelope/v1")
            .with(&self.head.encode())
            .with(sha256::Hash::hash(&self.payload).as_byte_array())
            .finish()
    }

    /// Returns the digest as the type that `secp256k1` signs.
    #[must_use]
    pub fn message(&self) -> Message {
        Message::from_digest(self.signing_digest())
    }

    /// Verifies a signature over this envelope.
    ///
    /// # Errors
    /// If it was not made by this key over this envelope.
    pub fn verify(
        &self,
        signature: &[u8; SIGNATURE_LEN],
        identity: &XOnlyPublicKey,
    ) -> Result<(), EnvelopeError> {
        schnorr::Signature::from_slice(signature)
            .and_then(|signature| SECP256K1.verify_schnorr(&signature, &self.message(), identity))
            .map_err(|_| EnvelopeError::Signature(self.head.sender))
    }

    /// Adds a signature, without checking it.
    #[must_use]
    pub const fn with_signature(self, signature: [u8; SIGNATURE_LEN]) -> Envelope {
        Envelope {
            unsigned: self,
            signature,
        }
    }
}

impl Envelope {
    /// Decodes a frame. The payload shares the frame's memory.
    ///
    /// # Errors
    /// If the frame's length differs from what its head says, or the version is unknown.
    pub fn decode(frame: &Bytes) -> Result<Self, EnvelopeError> {
        let head = EnvelopeHead::peek(frame)?;
        let end = frame.len() - SIGNATURE_LEN;
        let mut signature = [0; SIGNATURE_LEN];
        signature.copy_from_slice(&frame[end..]);
        Ok(Self {
            unsigned: UnsignedEnvelope {
                head,
                payload: frame.slice(HEAD_LEN..end),
            },
            signature,
        })
    }

    /// Encodes the envelope as a frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let payload = &self.unsigned.payload;
        let mut frame = BytesMut::with_capacity(HEAD_LEN + payload.len() + SIGNATURE_LEN);
        frame.put_slice(&self.unsigned.head.encode());
        frame.put_u32_le(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        frame.put_slice(payload);
        frame.put_slice(&self.signature);
        frame.freeze()
    }

    /// Verifies the sender's signature. The roster knows which key is the sender's.
    ///
    /// # Errors
    /// If the signature was not made by this key over this envelope.
    pub fn verify(&self, identity: &XOnlyPublicKey) -> Result<(), EnvelopeError> {
        self.unsigned.verify(&self.signature, identity)
    }

    /// Returns the 32 bytes that the sender's identity key signed.
    #[must_use]
    pub fn signing_digest(&self) -> [u8; 32] {
        self.unsigned.signing_digest()
    }

    /// Returns the sender, kind, height and round.
    #[must_use]
    pub const fn head(&self) -> &EnvelopeHead {
        &self.unsigned.head
    }

    /// Returns the payload.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.unsigned.payload
    }

    /// Returns the sender's signature.
    #[must_use]
    pub const fn signature(&self) -> &[u8; SIGNATURE_LEN] {
        &self.signature
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secp256k1::Keypair;

    use super::*;

    fn identity() -> Keypair {
        Keypair::from_seckey_slice(SECP256K1, &[3; 32]).expect("a key")
    }

    fn signed(kind: u8, height: u32, round: u32, payload: Vec<u8>) -> Envelope {
        let unsigned = UnsignedEnvelope {
            head: EnvelopeHead {
                federation: FederationId::from_bytes([5; 32]),
                sender: OperatorId::new(2),
                kind,
                height: BlockHeight::new(height),
                round: Round::new(round),
            },
            payload: payload.into(),
        };
        let signature = SECP256K1.sign_schnorr_no_aux_rand(&unsigned.message(), &identity());
        unsigned.with_signature(signature.serialize())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_envelope_decodes_to_itself_and_verifies(
            kind: u8, height: u32, round: u32, payload in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let envelope = signed(kind, height, round, payload);
            let frame = envelope.encode();
            prop_assert_eq!(EnvelopeHead::peek(&frame), Ok(*envelope.head()));
            prop_assert_eq!(Envelope::decode(&frame), Ok(envelope.clone()));
            prop_assert_eq!(envelope.verify(&identity().x_only_public_key().0), Ok(()));
        }

        #[test]
        fn any_changed_byte_is_rejected(
            payload in prop::collection::vec(any::<u8>(), 0..100), at: prop::sample::Index, flip in 1u8..,
        ) {
            let mut frame = signed(1, 2, 3, payload).encode().to_vec();
            let at = at.index(frame.len());
            frame[at] ^= flip;
            let valid = Envelope::decode(&frame.into())
                .and_then(|envelope| envelope.verify(&identity().x_only_public_key().0));
            prop_assert!(valid.is_err());
        }

        #[test]
        fn garbage_never_panics(frame in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = EnvelopeHead::peek(&frame);
            let _ = Envelope::decode(&frame.into());
        }
    }

    #[test]
    fn a_length_beyond_the_frame_or_the_limit_is_rejected() {
        let mut frame = signed(1, 2, 3, vec![0; 10]).encode().to_vec();
        frame[43..47].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(
            EnvelopeHead::peek(&frame),
            Err(EnvelopeError::TooLarge(u32::MAX as usize))
        );
        frame[43..47].copy_from_slice(&11u32.to_le_bytes());
        assert!(matches!(
            EnvelopeHead::peek(&frame),
            Err(EnvelopeError::Length { .. })
        ));
        frame[0] = 2;
        assert_eq!(EnvelopeHead::peek(&frame), Err(EnvelopeError::Version(2)));
    }

    #[test]
    fn another_operators_signature_is_rejected() {
        let other = Keypair::from_seckey_slice(SECP256K1, &[4; 32]).expect("a key");
        assert_eq!(
            signed(1, 2, 3, vec![]).verify(&other.x_only_public_key().0),
            Err(EnvelopeError::Signature(OperatorId::new(2)))
        );
    }
}
