//! Block headers of the three dialects.
//!
//! | | Ocean | Elements | Dynafed |
//! |---|---|---|---|
//! | version | unchanged | unchanged | bit 31 set on the wire |
//! | before the time | contract, attestation, mapping hash | | |
//! | after the height | challenge, solution | challenge, solution | current and proposed parameters, witness |
//! | hashed | all but the solution | all but the solution | all but the witness |

mod codec;
#[cfg(test)]
mod tests;

use bitcoin::hashes::{Hash, sha256d};

use crate::{BlockHash, BlockHeight, DecodeError, Dialect, Params, cursor::Cursor};

/// The part of a header that names the signers and holds their signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Ocean.
    Ocean {
        /// Hash of the terms and conditions, in wire order.
        contract: [u8; 32],
        /// Attestation hash, in wire order.
        attestation: [u8; 32],
        /// Asset mapping hash, in wire order.
        mapping: [u8; 32],
        /// The script that must be satisfied.
        challenge: Vec<u8>,
        /// The scriptSig that satisfies it; empty while unsigned.
        solution: Vec<u8>,
    },
    /// Elements before or without dynafed.
    Signed {
        /// The script that must be satisfied.
        challenge: Vec<u8>,
        /// The scriptSig that satisfies it; empty while unsigned.
        solution: Vec<u8>,
    },
    /// Elements with dynafed.
    Dynafed {
        /// The parameters in force.
        current: Params,
        /// The parameters proposed; null if none are.
        proposed: Params,
        /// The signblock witness stack; empty while unsigned.
        witness: Vec<Vec<u8>>,
    },
}

/// Whether an encoding includes the solution or signblock witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signatures {
    With,
    Without,
}

/// The fields of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFields {
    /// Version. For Elements without the highest bit, which marks dynafed headers on the wire.
    pub version: u32,
    /// Hash of the previous block.
    pub previous: BlockHash,
    /// Merkle root of the transaction ids, in wire order.
    pub merkle_root: [u8; 32],
    /// Unix time in seconds.
    pub time: u32,
    /// Height of this block.
    pub height: BlockHeight,
    /// The signers and their signatures.
    pub proof: Proof,
}

/// A block header with its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    fields: HeaderFields,
    hash: BlockHash,
}

impl Header {
    /// Creates a header from its fields. For Elements, the highest bit of the version is dropped:
    /// the proof decides whether the header is a dynafed one.
    ///
    /// At least one of a dynafed header's parameter sets must not be null; the header would not
    /// decode otherwise.
    #[must_use]
    pub fn new(mut fields: HeaderFields) -> Self {
        if !matches!(fields.proof, Proof::Ocean { .. }) {
            fields.version &= !codec::DYNAFED_BIT;
        }
        let hashed = sha256d::Hash::hash(&codec::encode(&fields, Signatures::Without));
        let hash = BlockHash::from_bytes(hashed.to_byte_array());
        Self { fields, hash }
    }

    /// Decodes a header, which must fill the bytes.
    ///
    /// # Errors
    /// If the bytes are not a header of the dialect's family, or continue after it.
    pub fn decode(dialect: Dialect, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let header = Self::read(dialect, &mut cursor)?;
        cursor.finish()?;
        Ok(header)
    }

    pub(crate) fn read(dialect: Dialect, cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        codec::read(dialect, cursor).map(Self::new)
    }

    /// Returns the serialised header, including signatures.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&self.fields, Signatures::With)
    }

    /// Returns the header's share of a block's stripped size: without the witness for dynafed, with
    /// the solution for the other dialects.
    pub(crate) fn stripped_size(&self) -> usize {
        match self.fields.proof {
            Proof::Dynafed { .. } => codec::encode(&self.fields, Signatures::Without).len(),
            _ => self.encode().len(),
        }
    }

    /// Returns all fields.
    #[must_use]
    pub const fn fields(&self) -> &HeaderFields {
        &self.fields
    }

    /// Returns the block hash, which is also the hash that is signed.
    #[must_use]
    pub const fn block_hash(&self) -> BlockHash {
        self.hash
    }

    /// Returns the format of this header. The genesis block of a dynafed chain has an Elements
    /// header.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self.fields.proof {
            Proof::Ocean { .. } => Dialect::Ocean,
            Proof::Signed { .. } => Dialect::Elements,
            Proof::Dynafed { .. } => Dialect::Dynafed,
        }
    }

    /// Version, without the dynafed bit.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.fields.version
    }

    /// Returns the hash of the previous block.
    #[must_use]
    pub const fn previous(&self) -> BlockHash {
        self.fields.previous
    }

    /// Merkle root of the transaction ids, in wire order.
    #[must_use]
    pub const fn merkle_root(&self) -> [u8; 32] {
        self.fields.merkle_root
    }

    /// Unix time in seconds.
    #[must_use]
    pub const fn time(&self) -> u32 {
        self.fields.time
    }

    /// Returns the height of this block.
    #[must_use]
    pub const fn height(&self) -> BlockHeight {
        self.fields.height
    }

    /// Returns the script that the signatures must satisfy: the challenge, or the dynafed program
    /// (`OP_0 <SHA256 of the script>`); empty for dynafed parameters that are null.
    #[must_use]
    pub fn signing_script(&self) -> &[u8] {
        match &self.fields.proof {
            Proof::Ocean { challenge, .. } | Proof::Signed { challenge, .. } => challenge,
            Proof::Dynafed { current, .. } => current
                .signblockscript()
                .map_or(&[], |script| script.as_bytes()),
        }
    }

    /// Returns the limit that a dynafed header sets for its own signatures, in bytes.
    #[must_use]
    pub fn signature_limit(&self) -> Option<u32> {
        match &self.fields.proof {
            Proof::Dynafed { current, .. } => current.signblock_witness_limit(),
            _ => None,
        }
    }

    /// Returns the dynafed parameters of this header: those in force, and those proposed for a
    /// later epoch. `None` for headers of the other dialects.
    #[must_use]
    pub const fn parameters(&self) -> Option<(&Params, &Params)> {
        match &self.fields.proof {
            Proof::Dynafed {
                current, proposed, ..
            } => Some((current, proposed)),
            _ => None,
        }
    }

    /// Returns whether the header holds no signatures at all.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        match &self.fields.proof {
            Proof::Ocean { solution, .. } | Proof::Signed { solution, .. } => solution.is_empty(),
            Proof::Dynafed { witness, .. } => witness.is_empty(),
        }
    }

    /// Returns the same header with its signatures removed; the hash stays.
    #[must_use]
    pub fn without_signatures(mut self) -> Self {
        match &mut self.fields.proof {
            Proof::Ocean { solution, .. } | Proof::Signed { solution, .. } => solution.clear(),
            Proof::Dynafed { witness, .. } => witness.clear(),
        }
        self
    }

    /// Returns the same header with this solution; a dynafed header is returned unchanged.
    pub(crate) fn with_solution(mut self, new: Vec<u8>) -> Self {
        if let Proof::Ocean { solution, .. } | Proof::Signed { solution, .. } =
            &mut self.fields.proof
        {
            *solution = new;
        }
        self
    }

    /// Returns the same header with this witness; a header without one is returned unchanged.
    pub(crate) fn with_witness(mut self, new: Vec<Vec<u8>>) -> Self {
        if let Proof::Dynafed { witness, .. } = &mut self.fields.proof {
            *witness = new;
        }
        self
    }
}
