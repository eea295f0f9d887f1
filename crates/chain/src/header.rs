//! Block headers of the three dialects.
//!
//! | | Ocean | Elements | Dynafed |
//! |---|---|---|---|
//! | version | as it is | as it is | bit 31 set on the wire |
//! | before the time | contract, attestation, mapping hash | | |
//! | after the height | challenge, solution | challenge, solution | current and proposed parameters, witness |
//! | hashed | all but the solution | all but the solution | all but the witness |

use bitcoin::hashes::{Hash, sha256d};
use elements::encode::{deserialize_partial, serialize};

use crate::{
    BlockHash, BlockHeight, DecodeError, Dialect, Params,
    cursor::{Cursor, push_length, push_var_bytes},
};

/// Marks a dynafed header in the version's place on the wire (`DYNAFED_HF_MASK` in `block.h`).
const DYNAFED_BIT: u32 = 1 << 31;

/// What a header says about who may sign, and the signatures themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Ocean.
    Ocean {
        /// Hash of the terms and conditions, as it is on the wire.
        contract: [u8; 32],
        /// Attestation hash, as it is on the wire.
        attestation: [u8; 32],
        /// Asset mapping hash, as it is on the wire.
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
        /// The parameters voted for; null for no vote.
        proposed: Params,
        /// The signblock witness stack; empty while unsigned.
        witness: Vec<Vec<u8>>,
    },
}

/// The fields of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFields {
    /// Version, without the dynafed bit.
    pub version: u32,
    /// Hash of the block below.
    pub previous: BlockHash,
    /// Merkle root of the transaction ids, as it is on the wire.
    pub merkle_root: [u8; 32],
    /// Unix time in seconds.
    pub time: u32,
    /// Height of this block.
    pub height: BlockHeight,
    /// Who may sign, and the signatures.
    pub proof: Proof,
}

/// A block header with its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    fields: HeaderFields,
    hash: BlockHash,
}

impl Header {
    /// A header of these fields. A dynafed bit in the version is dropped; the proof decides.
    #[must_use]
    pub fn new(mut fields: HeaderFields) -> Self {
        if matches!(fields.proof, Proof::Dynafed { .. }) {
            fields.version &= !DYNAFED_BIT;
        }
        let hash =
            BlockHash::from_bytes(sha256d::Hash::hash(&encode(&fields, false)).to_byte_array());
        Self { fields, hash }
    }

    /// Decodes a header, which must fill the bytes.
    ///
    /// # Errors
    /// If the bytes are no header of the dialect's family or do not end with it.
    pub fn decode(dialect: Dialect, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let header = Self::read(dialect, &mut cursor)?;
        cursor.finish()?;
        Ok(header)
    }

    /// Reads a header. Elements and dynafed headers tell themselves apart by the version's highest
    /// bit, and a dynafed chain has a plain genesis, so both dialects read both.
    pub(crate) fn read(dialect: Dialect, cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let version = cursor.u32()?;
        let previous = BlockHash::from_bytes(cursor.array()?);
        let merkle_root = cursor.array()?;
        let ocean = dialect == Dialect::Ocean;
        let extra = if ocean {
            Some((cursor.array()?, cursor.array()?, cursor.array()?))
        } else {
            None
        };
        let time = cursor.u32()?;
        let height = BlockHeight::new(cursor.u32()?);
        let proof = if let Some((contract, attestation, mapping)) = extra {
            Proof::Ocean {
                contract,
                attestation,
                mapping,
                challenge: cursor.var_bytes()?.to_vec(),
                solution: cursor.var_bytes()?.to_vec(),
            }
        } else if version & DYNAFED_BIT == 0 {
            Proof::Signed {
                challenge: cursor.var_bytes()?.to_vec(),
                solution: cursor.var_bytes()?.to_vec(),
            }
        } else {
            let current = read_params(cursor)?;
            let proposed = read_params(cursor)?;
            let mut witness = Vec::new();
            for _ in 0..cursor.length()? {
                witness.push(cursor.var_bytes()?.to_vec());
            }
            Proof::Dynafed {
                current,
                proposed,
                witness,
            }
        };
        Ok(Self::new(HeaderFields {
            version,
            previous,
            merkle_root,
            time,
            height,
            proof,
        }))
    }

    /// The header's bytes, signatures included.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&self.fields, true)
    }

    /// All fields.
    #[must_use]
    pub const fn fields(&self) -> &HeaderFields {
        &self.fields
    }

    /// The block hash, which is also the hash that is signed.
    #[must_use]
    pub const fn block_hash(&self) -> BlockHash {
        self.hash
    }

    /// The format of this header: a dynafed chain's genesis is an Elements header.
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

    /// Hash of the block below.
    #[must_use]
    pub const fn previous(&self) -> BlockHash {
        self.fields.previous
    }

    /// Merkle root of the transaction ids, as it is on the wire.
    #[must_use]
    pub const fn merkle_root(&self) -> [u8; 32] {
        self.fields.merkle_root
    }

    /// Unix time in seconds.
    #[must_use]
    pub const fn time(&self) -> u32 {
        self.fields.time
    }

    /// Height of this block.
    #[must_use]
    pub const fn height(&self) -> BlockHeight {
        self.fields.height
    }

    /// The script that the signatures must satisfy: the challenge, or the dynafed program
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

    /// The limit that a dynafed header sets for its own signatures, in bytes.
    #[must_use]
    pub fn signature_limit(&self) -> Option<u32> {
        match &self.fields.proof {
            Proof::Dynafed { current, .. } => current.signblock_witness_limit(),
            _ => None,
        }
    }

    /// Whether the header holds no signatures at all.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        match &self.fields.proof {
            Proof::Ocean { solution, .. } | Proof::Signed { solution, .. } => solution.is_empty(),
            Proof::Dynafed { witness, .. } => witness.is_empty(),
        }
    }

    /// The same header with its signatures removed; the hash stays.
    #[must_use]
    pub fn without_signatures(mut self) -> Self {
        match &mut self.fields.proof {
            Proof::Ocean { solution, .. } | Proof::Signed { solution, .. } => solution.clear(),
            Proof::Dynafed { witness, .. } => witness.clear(),
        }
        self
    }

    /// The same header with this solution; a dynafed header is left as it is.
    pub(crate) fn with_solution(mut self, new: Vec<u8>) -> Self {
        if let Proof::Ocean { solution, .. } | Proof::Signed { solution, .. } =
            &mut self.fields.proof
        {
            *solution = new;
        }
        self
    }

    /// The same header with this witness; a header without one is left as it is.
    pub(crate) fn with_witness(mut self, new: Vec<Vec<u8>>) -> Self {
        if let Proof::Dynafed { witness, .. } = &mut self.fields.proof {
            *witness = new;
        }
        self
    }
}

/// Parameters by the `elements` crate, refused when they are not written as it would write them.
fn read_params(cursor: &mut Cursor<'_>) -> Result<Params, DecodeError> {
    let at = cursor.at();
    let (params, used) =
        deserialize_partial::<Params>(cursor.rest()).map_err(|_| DecodeError::Params(at))?;
    if serialize(&params) != cursor.take(used)? {
        return Err(DecodeError::Params(at));
    }
    Ok(params)
}

fn encode(fields: &HeaderFields, with_signatures: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    let dynafed = matches!(fields.proof, Proof::Dynafed { .. });
    let version = fields.version | if dynafed { DYNAFED_BIT } else { 0 };
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(fields.previous.as_bytes());
    bytes.extend_from_slice(&fields.merkle_root);
    if let Proof::Ocean {
        contract,
        attestation,
        mapping,
        ..
    } = &fields.proof
    {
        for hash in [contract, attestation, mapping] {
            bytes.extend_from_slice(hash);
        }
    }
    bytes.extend_from_slice(&fields.time.to_le_bytes());
    bytes.extend_from_slice(&fields.height.to_u32().to_le_bytes());
    match &fields.proof {
        Proof::Ocean {
            challenge,
            solution,
            ..
        }
        | Proof::Signed {
            challenge,
            solution,
        } => {
            push_var_bytes(&mut bytes, challenge);
            if with_signatures {
                push_var_bytes(&mut bytes, solution);
            }
        }
        Proof::Dynafed {
            current,
            proposed,
            witness,
        } => {
            bytes.extend_from_slice(&serialize(current));
            bytes.extend_from_slice(&serialize(proposed));
            if with_signatures {
                push_length(&mut bytes, witness.len());
                for item in witness {
                    push_var_bytes(&mut bytes, item);
                }
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use elements::{Script, dynafed::FullParams};
    use proptest::prelude::*;

    use super::*;

    fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..max)
    }

    fn params() -> impl Strategy<Value = Params> {
        let full = || {
            (
                bytes(60),
                any::<u32>(),
                bytes(60),
                bytes(60),
                prop::collection::vec(bytes(70), 0..4),
            )
                .prop_map(|(script, limit, program, fedpeg, pak)| {
                    Params::Full(FullParams::new(
                        Script::from(script),
                        limit,
                        bitcoin::ScriptBuf::from(program),
                        fedpeg,
                        pak,
                    ))
                })
        };
        prop_oneof![
            Just(Params::Null),
            full(),
            full().prop_map(|full| match full {
                Params::Full(full) => full.into_compact(),
                other => other,
            }),
        ]
    }

    prop_compose! {
        fn hash()(hash in any::<[u8; 32]>()) -> [u8; 32] { hash }
    }

    fn proof() -> impl Strategy<Value = Proof> {
        prop_oneof![
            (hash(), hash(), hash(), bytes(300), bytes(300)).prop_map(
                |(contract, attestation, mapping, challenge, solution)| Proof::Ocean {
                    contract,
                    attestation,
                    mapping,
                    challenge,
                    solution
                }
            ),
            (bytes(300), bytes(300)).prop_map(|(challenge, solution)| Proof::Signed {
                challenge,
                solution
            }),
            (params(), params(), prop::collection::vec(bytes(300), 0..5)).prop_map(
                |(current, proposed, witness)| Proof::Dynafed {
                    current,
                    proposed,
                    witness
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn every_header_decodes_to_itself_and_its_hash_ignores_signatures(
            version in 0u32..DYNAFED_BIT, previous in hash(), merkle_root in hash(),
            time in any::<u32>(), height in any::<u32>(), proof in proof(),
        ) {
            let header = Header::new(HeaderFields {
                version,
                previous: BlockHash::from_bytes(previous),
                merkle_root,
                time,
                height: BlockHeight::new(height),
                proof,
            });
            let decoded = Header::decode(header.dialect(), &header.encode());
            prop_assert_eq!(decoded.as_ref(), Ok(&header));
            let unsigned = header.clone().without_signatures();
            prop_assert!(unsigned.is_unsigned());
            prop_assert_eq!(unsigned.block_hash(), header.block_hash());
        }

        #[test]
        fn garbage_is_an_error_or_encodes_to_itself(bytes in bytes(600)) {
            for dialect in Dialect::ALL {
                if let Ok(header) = Header::decode(dialect, &bytes) {
                    prop_assert_eq!(&header.encode(), &bytes);
                }
            }
        }
    }
}
