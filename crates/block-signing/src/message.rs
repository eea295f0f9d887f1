//! The messages that operators exchange, and their only encoding.
//!
//! A message travels in the roster's signed envelope, whose head holds kind, height and round.
//! [`MessageParts`] is what the machine contributes to an envelope; [`Message::to_parts`] and
//! [`Message::from_parts`] are the only place where the two meet. The layouts are listed in
//! `docs/protocol.md`.

use core::fmt;
use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use federation_chain::{BlockHash, BlockHeight};
use federation_roster::{OperatorId, Round};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{CompactSignature, IdentitySignature};

/// The largest block a body may carry, in bytes.
pub const MAX_BODY: usize = 8 * 1024 * 1024;

/// The largest payload of any other message, in bytes: a certificate with the votes of the largest
/// federation fits.
pub const MAX_SMALL: usize = 32 * 1024;

/// One of the two votes of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum VoteKind {
    /// "I consider this block valid, and my lock allows it."
    Prevote,
    /// "I received M prevotes for this block in this round, and am locked on it."
    Precommit,
}

/// A leader's choice of block; the block itself follows as a [`Body`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash)]
pub struct Proposal {
    /// The height that the block is for.
    pub height: BlockHeight,
    /// The round that the sender leads.
    pub round: Round,
    /// The proposed block.
    pub hash: BlockHash,
    /// The earlier round in which M operators prevoted for this block, if there was one.
    pub valid_round: Option<Round>,
}

/// The bytes of an unsigned block.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Body {
    /// The height that the block is for.
    pub height: BlockHeight,
    /// The hash that the sender claims for the bytes.
    pub hash: BlockHash,
    /// The block.
    pub bytes: Bytes,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("height", &self.height)
            .field("hash", &self.hash)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// A prevote or a precommit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash)]
pub struct Vote {
    /// Prevote or precommit.
    pub kind: VoteKind,
    /// The height that is voted on.
    pub height: BlockHeight,
    /// The round that is voted in.
    pub round: Round,
    /// The block voted for, or `None` for "no block in this round" (nil).
    pub value: Option<BlockHash>,
}

/// M or more votes for one block: a proof of lock if they are prevotes, a decision if they are
/// precommits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct Certificate {
    /// Prevotes or precommits.
    pub kind: VoteKind,
    /// The height that was voted on.
    pub height: BlockHeight,
    /// The round that was voted in.
    pub round: Round,
    /// The block that was voted for.
    pub hash: BlockHash,
    /// The voters, each with the signature over the envelope of its vote.
    pub votes: BTreeMap<OperatorId, IdentitySignature>,
}

impl Certificate {
    /// Returns the vote that each of the signatures must be over.
    ///
    /// The driver rebuilds the envelope of this vote for every operator in `votes` and verifies the
    /// signature over it, before the machine sees the certificate.
    #[must_use]
    pub const fn vote(&self) -> Vote {
        Vote {
            kind: self.kind,
            height: self.height,
            round: self.round,
            value: Some(self.hash),
        }
    }
}

/// M or more precommits of one round, for any block or nil: an operator that holds them may go on
/// to the next round (rules R12 to R14).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct RoundCertificate {
    /// The height that was voted on.
    pub height: BlockHeight,
    /// The round that was voted in and is over.
    pub round: Round,
    /// What each operator precommitted, and the signature over the envelope of that vote.
    pub votes: BTreeMap<OperatorId, (Option<BlockHash>, IdentitySignature)>,
}

impl RoundCertificate {
    /// Returns the votes in it. As with a [`Certificate`], the driver verifies the signature over
    /// the envelope of each before the machine sees it.
    pub fn votes(&self) -> impl Iterator<Item = (OperatorId, Vote, IdentitySignature)> + '_ {
        self.votes.iter().map(|(operator, (value, signature))| {
            let vote = Vote {
                kind: VoteKind::Precommit,
                height: self.height,
                round: self.round,
                value: *value,
            };
            (*operator, vote, *signature)
        })
    }
}

/// A block signature, sent only after the block was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct BlockSignature {
    /// The height of the block.
    pub height: BlockHeight,
    /// The block.
    pub hash: BlockHash,
    /// The signature by the sender's block key.
    pub signature: CompactSignature,
}

/// Block signatures of several operators, passed on by any operator: each is valid by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct SignatureSet {
    /// The height of the block.
    pub height: BlockHeight,
    /// The block.
    pub hash: BlockHash,
    /// The signers, each with the signature by its block key. The driver verifies each.
    pub signatures: BTreeMap<OperatorId, CompactSignature>,
}

/// A request for a block's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct BodyRequest {
    /// The height of the block.
    pub height: BlockHeight,
    /// The block.
    pub hash: BlockHash,
    /// The operator that replies; all others stay silent.
    pub asked: OperatorId,
}

/// Every message that operators send each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Message {
    /// A leader's choice of block.
    Proposal(Proposal),
    /// The bytes of a block.
    Body(Body),
    /// A prevote or precommit.
    Vote(Vote),
    /// A proof of lock or a decision.
    Certificate(Certificate),
    /// The proof that a round is over.
    RoundCertificate(RoundCertificate),
    /// A signature that goes into the block.
    BlockSignature(BlockSignature),
    /// A request for a block's bytes.
    BodyRequest(BodyRequest),
    /// Signatures that go into the block, passed on.
    SignatureSet(SignatureSet),
}

/// What a message contributes to an envelope: the fields of the head that belong to the protocol,
/// and the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageParts {
    /// The kind byte.
    pub kind: u8,
    /// The height in the envelope's head.
    pub height: BlockHeight,
    /// The round in the envelope's head; 0 for kinds without a round.
    pub round: Round,
    /// The rest.
    pub payload: Bytes,
}

/// Why the contents of an envelope are not a message. Always the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeMessageError {
    /// The kind byte stands for no known message.
    #[error("unknown message kind {0}")]
    UnknownKind(u8),
    /// The payload is longer than any honest one.
    #[error("payload of message kind {kind} has {length} bytes, the limit is {limit}")]
    TooLong {
        /// The kind byte.
        kind: u8,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The payload does not decode, or is not the canonical encoding of what it decodes to.
    #[error("malformed payload of message kind {0}")]
    Malformed(u8),
    /// A kind without a round carries a round other than 0.
    #[error("message kind {kind} carries round {round}, expected round 0")]
    UnexpectedRound {
        /// The kind byte.
        kind: u8,
        /// The round in the head.
        round: Round,
    },
}

/// Kind bytes, as in `docs/protocol.md`.
mod kind {
    pub(super) const PROPOSAL: u8 = 1;
    pub(super) const BODY: u8 = 2;
    pub(super) const PREVOTE: u8 = 3;
    pub(super) const PRECOMMIT: u8 = 4;
    pub(super) const PROOF_OF_LOCK: u8 = 5;
    pub(super) const DECISION: u8 = 6;
    pub(super) const BLOCK_SIGNATURE: u8 = 7;
    pub(super) const BODY_REQUEST: u8 = 8;
    pub(super) const ROUND_CERTIFICATE: u8 = 9;
    pub(super) const SIGNATURE_SET: u8 = 10;
}

impl Message {
    /// Returns the byte that stands for the kind in an envelope.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Proposal(_) => kind::PROPOSAL,
            Self::Body(_) => kind::BODY,
            Self::Vote(vote) => match vote.kind {
                VoteKind::Prevote => kind::PREVOTE,
                VoteKind::Precommit => kind::PRECOMMIT,
            },
            Self::Certificate(certificate) => match certificate.kind {
                VoteKind::Prevote => kind::PROOF_OF_LOCK,
                VoteKind::Precommit => kind::DECISION,
            },
            Self::BlockSignature(_) => kind::BLOCK_SIGNATURE,
            Self::BodyRequest(_) => kind::BODY_REQUEST,
            Self::RoundCertificate(_) => kind::ROUND_CERTIFICATE,
            Self::SignatureSet(_) => kind::SIGNATURE_SET,
        }
    }

    /// Returns the height it is about.
    #[must_use]
    pub const fn height(&self) -> BlockHeight {
        match self {
            Self::Proposal(m) => m.height,
            Self::Body(m) => m.height,
            Self::Vote(m) => m.height,
            Self::Certificate(m) => m.height,
            Self::BlockSignature(m) => m.height,
            Self::BodyRequest(m) => m.height,
            Self::RoundCertificate(m) => m.height,
            Self::SignatureSet(m) => m.height,
        }
    }

    /// Returns the round it is about; 0 for kinds without a round.
    #[must_use]
    pub const fn round(&self) -> Round {
        match self {
            Self::Proposal(m) => m.round,
            Self::Vote(m) => m.round,
            Self::Certificate(m) => m.round,
            Self::RoundCertificate(m) => m.round,
            Self::Body(_)
            | Self::BlockSignature(_)
            | Self::BodyRequest(_)
            | Self::SignatureSet(_) => Round::FIRST,
        }
    }

    /// Returns the largest payload that [`from_parts`](Self::from_parts) accepts for a kind byte,
    /// in bytes, for a check before anything else is done with an envelope.
    ///
    /// # Errors
    ///
    /// [`DecodeMessageError::UnknownKind`] for a byte that stands for no message.
    pub const fn max_payload(kind: u8) -> Result<usize, DecodeMessageError> {
        match kind {
            kind::BODY => Ok(32 + MAX_BODY),
            kind::PROPOSAL..=kind::SIGNATURE_SET => Ok(MAX_SMALL),
            _ => Err(DecodeMessageError::UnknownKind(kind)),
        }
    }

    /// Returns the message as the parts of an envelope.
    #[must_use]
    pub fn to_parts(&self) -> MessageParts {
        MessageParts {
            kind: self.kind(),
            height: self.height(),
            round: self.round(),
            payload: self.to_payload(),
        }
    }

    fn to_payload(&self) -> Bytes {
        match self {
            Self::Proposal(m) => encode(&(m.hash, m.valid_round)),
            Self::Body(m) => {
                let mut payload = BytesMut::with_capacity(32 + m.bytes.len());
                payload.put_slice(m.hash.as_bytes());
                payload.put_slice(&m.bytes);
                payload.freeze()
            }
            Self::Vote(m) => encode(&m.value),
            Self::Certificate(m) => encode(&(m.hash, &m.votes)),
            Self::BlockSignature(m) => encode(&(m.hash, m.signature)),
            Self::BodyRequest(m) => encode(&(m.hash, m.asked)),
            Self::RoundCertificate(m) => encode(&m.votes),
            Self::SignatureSet(m) => encode(&(m.hash, &m.signatures)),
        }
    }

    /// Decodes a message from the parts of an envelope. A body's bytes are a slice of the payload,
    /// not a copy.
    ///
    /// # Errors
    ///
    /// [`DecodeMessageError`] if the payload is too long, does not decode, or differs from the
    /// encoding that [`to_parts`](Self::to_parts) gives: a vote must have one encoding, or a
    /// certificate could not be verified by rebuilding its votes.
    pub fn from_parts(parts: MessageParts) -> Result<Self, DecodeMessageError> {
        let MessageParts {
            kind,
            height,
            round,
            payload,
        } = parts;
        let limit = Self::max_payload(kind)?;
        if payload.len() > limit {
            return Err(DecodeMessageError::TooLong {
                kind,
                length: payload.len(),
                limit,
            });
        }
        let message = match kind {
            kind::PROPOSAL => {
                let (hash, valid_round) = decode(kind, &payload)?;
                Self::Proposal(Proposal {
                    height,
                    round,
                    hash,
                    valid_round,
                })
            }
            kind::BODY => {
                let Some(hash) = payload.first_chunk::<32>() else {
                    return Err(DecodeMessageError::Malformed(kind));
                };
                Self::Body(Body {
                    height,
                    hash: BlockHash::from_bytes(*hash),
                    bytes: payload.slice(32..),
                })
            }
            kind::PREVOTE | kind::PRECOMMIT => Self::Vote(Vote {
                kind: if kind == kind::PREVOTE {
                    VoteKind::Prevote
                } else {
                    VoteKind::Precommit
                },
                height,
                round,
                value: decode(kind, &payload)?,
            }),
            kind::PROOF_OF_LOCK | kind::DECISION => {
                let (hash, votes) = decode(kind, &payload)?;
                Self::Certificate(Certificate {
                    kind: if kind == kind::PROOF_OF_LOCK {
                        VoteKind::Prevote
                    } else {
                        VoteKind::Precommit
                    },
                    height,
                    round,
                    hash,
                    votes,
                })
            }
            kind::BLOCK_SIGNATURE => {
                let (hash, signature) = decode(kind, &payload)?;
                Self::BlockSignature(BlockSignature {
                    height,
                    hash,
                    signature,
                })
            }
            kind::BODY_REQUEST => {
                let (hash, asked) = decode(kind, &payload)?;
                Self::BodyRequest(BodyRequest {
                    height,
                    hash,
                    asked,
                })
            }
            kind::ROUND_CERTIFICATE => Self::RoundCertificate(RoundCertificate {
                height,
                round,
                votes: decode(kind, &payload)?,
            }),
            kind::SIGNATURE_SET => {
                let (hash, signatures) = decode(kind, &payload)?;
                Self::SignatureSet(SignatureSet {
                    height,
                    hash,
                    signatures,
                })
            }
            _ => return Err(DecodeMessageError::UnknownKind(kind)),
        };
        if message.round() != round {
            return Err(DecodeMessageError::UnexpectedRound { kind, round });
        }
        if kind != kind::BODY && message.to_payload() != payload {
            return Err(DecodeMessageError::Malformed(kind));
        }
        Ok(message)
    }
}

fn encode<T: Serialize>(value: &T) -> Bytes {
    Bytes::from(postcard::to_stdvec(value).expect("plain data always encodes"))
}

fn decode<T: DeserializeOwned>(kind: u8, payload: &[u8]) -> Result<T, DecodeMessageError> {
    postcard::from_bytes(payload).map_err(|_| DecodeMessageError::Malformed(kind))
}

/// A message with its sender and the signature over its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedMessage {
    /// The operator that signed it.
    pub sender: OperatorId,
    /// The message that was signed.
    pub message: Message,
    /// The signature over the envelope of the message.
    pub signature: IdentitySignature,
}
