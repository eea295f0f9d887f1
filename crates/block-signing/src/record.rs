//! What an operator must not forget, in the form in which the driver stores it.

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::Round;
use serde::{Deserialize, Serialize};

use crate::{BlockSignature, Candidate, Certificate, Proposal, RoundCertificate, Vote, VoteKind};

/// Whether an operator takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(from = "StoredStanding", into = "StoredStanding")]
pub enum Standing {
    /// It lost its memory and only watches (rule R29).
    Observing {
        /// By the own clock, since when: only blocks made after that end it. None until the first
        /// tip has come.
        since: Option<UnixTime>,
    },
    /// It votes and signs.
    TakingPart,
}

/// [`Standing`] in the store. The first variant is all that earlier versions wrote of an observer.
#[derive(Serialize, Deserialize)]
enum StoredStanding {
    Observing,
    TakingPart,
    ObservingSince(UnixTime),
}

impl From<StoredStanding> for Standing {
    fn from(stored: StoredStanding) -> Self {
        match stored {
            StoredStanding::Observing => Self::Observing { since: None },
            StoredStanding::TakingPart => Self::TakingPart,
            StoredStanding::ObservingSince(since) => Self::Observing { since: Some(since) },
        }
    }
}

impl From<Standing> for StoredStanding {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Observing { since: None } => Self::Observing,
            Standing::Observing { since: Some(since) } => Self::ObservingSince(since),
            Standing::TakingPart => Self::TakingPart,
        }
    }
}

impl Standing {
    /// Whether it only watches.
    #[must_use]
    pub const fn is_observing(self) -> bool {
        matches!(self, Self::Observing { .. })
    }
}

/// One thing to remember. The driver stores it under [`key`](Self::key), over what is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub enum Record {
    /// The block of this height is final: take no part at it or below, ever again.
    Final(BlockHeight),
    /// Whether the operator takes part.
    Standing(Standing),
    /// The highest round entered at a height.
    Round(BlockHeight, Round),
    /// A proposal made.
    Proposal(Proposal),
    /// A vote sent. The lock is the precommit for a block with the highest round.
    Vote(Vote),
    /// A block that a proposal, a vote or a decision refers to.
    Body(Candidate),
    /// M prevotes for a block.
    ProofOfLock(Certificate),
    /// M precommits for a block.
    Decision(Certificate),
    /// The operator's own block signature.
    Signature(BlockSignature),
    /// M precommits of the round before the one entered, or of a later one.
    RoundCertificate(RoundCertificate),
}

/// Why stored bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeRecordError {
    /// Written by another version of this program.
    #[error(
        "record has format {0}, this program reads format {FORMAT}: use the version that wrote it"
    )]
    UnknownFormat(u8),
    /// The bytes do not decode.
    #[error("record of {length} bytes does not decode: the store was altered")]
    Malformed {
        /// The number of bytes.
        length: usize,
    },
}

/// The format of the bytes; goes up when they change meaning.
const FORMAT: u8 = 1;

/// First byte of the keys of what holds for all heights.
const PREFIX_GENERAL: u8 = 0;
/// First byte of the keys of what belongs to one height.
const PREFIX_HEIGHT: u8 = 1;

/// Blocks, among the records of a height.
const SLOT_BODY: u8 = 4;
/// Proofs of lock, among the records of a height.
const SLOT_PROOF: u8 = 5;

/// The key of a record of one height: what kind of record, and which of them.
fn slot(height: BlockHeight, kind: u8, rest: &[u8]) -> Vec<u8> {
    let mut key = Record::height_key(height);
    key.push(kind);
    key.extend_from_slice(rest);
    key
}

impl Record {
    /// The place of the record: a later record with the same key replaces it.
    ///
    /// Keys sort by height, after those of the records that belong to no height, so that
    /// everything in `Record::height_key(a)..Record::height_key(b)` can be deleted as a range.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let round = |round: Round| round.to_u32().to_be_bytes();
        match self {
            Self::Final(_) => vec![PREFIX_GENERAL, 0],
            Self::Standing(_) => vec![PREFIX_GENERAL, 1],
            Self::Round(height, _) => slot(*height, 0, &[]),
            Self::Proposal(p) => slot(p.height, 1, &round(p.round)),
            Self::Vote(v) => match v.kind {
                VoteKind::Prevote => slot(v.height, 2, &round(v.round)),
                VoteKind::Precommit => slot(v.height, 3, &round(v.round)),
            },
            Self::Body(c) => Self::body_key(c.height, c.hash),
            Self::ProofOfLock(c) => Self::proof_key(c.height, c.round, c.hash),
            Self::Decision(c) => slot(c.height, 6, &[]),
            Self::Signature(s) => slot(s.height, 7, &[]),
            Self::RoundCertificate(c) => slot(c.height, 8, &[]),
        }
    }

    pub(crate) fn body_key(height: BlockHeight, hash: BlockHash) -> Vec<u8> {
        slot(height, SLOT_BODY, hash.as_bytes())
    }

    pub(crate) fn proof_key(height: BlockHeight, round: Round, hash: BlockHash) -> Vec<u8> {
        let rest = [round.to_u32().to_be_bytes().as_slice(), hash.as_bytes()].concat();
        slot(height, SLOT_PROOF, &rest)
    }

    /// The key below which lie all records of lower heights, and at or above which those of this
    /// height and higher ones.
    #[must_use]
    pub fn height_key(height: BlockHeight) -> Vec<u8> {
        let mut key = vec![PREFIX_HEIGHT];
        key.extend_from_slice(&height.to_u32().to_be_bytes());
        key
    }

    /// The height that the record belongs to, if it belongs to one.
    #[must_use]
    pub const fn height(&self) -> Option<BlockHeight> {
        match self {
            Self::Final(_) | Self::Standing(_) => None,
            Self::Round(height, _) => Some(*height),
            Self::Proposal(p) => Some(p.height),
            Self::Vote(v) => Some(v.height),
            Self::Body(c) => Some(c.height),
            Self::ProofOfLock(c) | Self::Decision(c) => Some(c.height),
            Self::Signature(s) => Some(s.height),
            Self::RoundCertificate(c) => Some(c.height),
        }
    }

    /// Whether it says that the operator only watches.
    #[must_use]
    pub const fn is_of_an_observer(&self) -> bool {
        matches!(self, Self::Standing(standing) if standing.is_observing())
    }

    /// The bytes to store. They begin with a format version and carry no checksum.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![FORMAT]).expect("plain data of known size always encodes")
    }

    /// A record from stored bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeRecordError`] if another version wrote it, or it was altered.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeRecordError> {
        let malformed = DecodeRecordError::Malformed {
            length: bytes.len(),
        };
        match bytes.split_first() {
            Some((&FORMAT, rest)) => match postcard::take_from_bytes(rest) {
                Ok((record, [])) => Ok(record),
                _ => Err(malformed),
            },
            Some((&format, _)) => Err(DecodeRecordError::UnknownFormat(format)),
            None => Err(malformed),
        }
    }
}
