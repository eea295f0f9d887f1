//! The records that an operator must not lose, in the form in which the driver stores them.

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::Round;
use serde::{Deserialize, Serialize};

use crate::{BlockSignature, Candidate, Certificate, Proposal, RoundCertificate, Vote, VoteKind};

/// Whether an operator participates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(from = "StoredStanding", into = "StoredStanding")]
pub enum Standing {
    /// It lost its store and only observes (rule R29).
    Observing {
        /// When observing began, by the operator's own clock: only blocks made after that end it.
        /// `None` until the first tip.
        since: Option<UnixTime>,
    },
    /// It votes and signs.
    Participating,
}

/// [`Standing`] as stored. Earlier versions wrote only the first variant for an observer.
#[derive(Serialize, Deserialize)]
enum StoredStanding {
    Observing,
    Participating,
    ObservingSince(UnixTime),
}

impl From<StoredStanding> for Standing {
    fn from(stored: StoredStanding) -> Self {
        match stored {
            StoredStanding::Observing => Self::Observing { since: None },
            StoredStanding::Participating => Self::Participating,
            StoredStanding::ObservingSince(since) => Self::Observing { since: Some(since) },
        }
    }
}

impl From<Standing> for StoredStanding {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Observing { since: None } => Self::Observing,
            Standing::Observing { since: Some(since) } => Self::ObservingSince(since),
            Standing::Participating => Self::Participating,
        }
    }
}

impl Standing {
    /// Returns whether it only observes.
    #[must_use]
    pub const fn is_observing(self) -> bool {
        matches!(self, Self::Observing { .. })
    }
}

/// One record. The driver stores it under its [`key`](Self::key), replacing any earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub enum Record {
    /// The block of this height is final: never vote or sign at this height or below again.
    Final(BlockHeight),
    /// Whether the operator participates.
    Standing(Standing),
    /// The highest round entered at a height.
    Round(BlockHeight, Round),
    /// A proposal made.
    Proposal(Proposal),
    /// A vote cast. The lock is the precommit for a block in the highest round.
    Vote(Vote),
    /// A block that a proposal, a vote or a decision refers to.
    Body(Candidate),
    /// M prevotes for a block.
    ProofOfLock(Certificate),
    /// M precommits for a block.
    Decision(Certificate),
    /// The operator's own block signature.
    Signature(BlockSignature),
    /// M precommits of the round before the current one, or of a later round.
    RoundCertificate(RoundCertificate),
}

/// Why stored bytes cannot be read as a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeRecordError {
    /// Written by another version of this program.
    #[error(
        "record has format {0}, expected format {FORMAT}: use the version of the program that wrote it"
    )]
    UnknownFormat(u8),
    /// The bytes do not decode.
    #[error("malformed record of {length} bytes: the store was altered")]
    Malformed {
        /// The number of bytes.
        length: usize,
    },
}

/// The format of the bytes; it is raised when their meaning changes.
const FORMAT: u8 = 1;

/// First byte of the keys of records that belong to no height.
const PREFIX_GENERAL: u8 = 0;
/// First byte of the keys of records that belong to one height.
const PREFIX_HEIGHT: u8 = 1;

/// The kind of blocks, among the records of a height.
const SLOT_BODY: u8 = 4;
/// The kind of proofs of lock, among the records of a height.
const SLOT_PROOF: u8 = 5;

/// Builds the key of a record of one height from its kind and what distinguishes it from others of
/// that kind.
fn slot(height: BlockHeight, kind: u8, rest: &[u8]) -> Vec<u8> {
    let mut key = Record::height_key(height);
    key.push(kind);
    key.extend_from_slice(rest);
    key
}

impl Record {
    /// Returns the key of the record; a later record with the same key replaces it.
    ///
    /// Keys sort by height, after those of the records that belong to no height, so that everything
    /// in `Record::height_key(a)..Record::height_key(b)` can be deleted as a range.
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

    /// Returns the key that separates lower heights from this one: the keys of their records are
    /// below it, those of this height and higher ones are not.
    #[must_use]
    pub fn height_key(height: BlockHeight) -> Vec<u8> {
        let mut key = vec![PREFIX_HEIGHT];
        key.extend_from_slice(&height.to_u32().to_be_bytes());
        key
    }

    /// Returns the height that the record belongs to, if it belongs to one.
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

    /// Returns whether the record states that the operator only observes.
    #[must_use]
    pub const fn is_observing(&self) -> bool {
        matches!(self, Self::Standing(standing) if standing.is_observing())
    }

    /// Encodes the record for the store. The bytes begin with a format version and have no
    /// checksum.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![FORMAT]).expect("plain data always encodes")
    }

    /// Decodes a record from stored bytes.
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
