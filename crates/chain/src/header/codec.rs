//! Encoding and decoding of headers.

use elements::encode::{deserialize, serialize};

use super::{HeaderFields, Proof, Signatures};
use crate::{
    BlockHash, BlockHeight, DecodeError, Dialect, Params,
    cursor::{Cursor, push_compact_size, push_var_bytes},
};

/// Marks a dynafed header, in the version on the wire (`DYNAFED_HF_MASK` in `block.h`).
pub(super) const DYNAFED_BIT: u32 = 1 << 31;

/// The script engine refuses stacks of more items (`MAX_STACK_SIZE` in `script.h`), so no chain has
/// a header with a larger witness.
const MAX_WITNESS_ITEMS: usize = 1000;

pub(super) fn read(dialect: Dialect, cursor: &mut Cursor<'_>) -> Result<HeaderFields, DecodeError> {
    let version = cursor.u32()?;
    let previous = BlockHash::from_bytes(cursor.array()?);
    let merkle_root = cursor.array()?;
    let ocean = match dialect {
        Dialect::Ocean => Some([cursor.array()?, cursor.array()?, cursor.array()?]),
        Dialect::Elements | Dialect::Dynafed => None,
    };
    let time = cursor.u32()?;
    let height = BlockHeight::new(cursor.u32()?);
    let proof = match ocean {
        Some([contract, attestation, mapping]) => Proof::Ocean {
            contract,
            attestation,
            mapping,
            challenge: cursor.var_bytes()?.to_vec(),
            solution: cursor.var_bytes()?.to_vec(),
        },
        None if version & DYNAFED_BIT == 0 => Proof::Signed {
            challenge: cursor.var_bytes()?.to_vec(),
            solution: cursor.var_bytes()?.to_vec(),
        },
        None => read_dynafed(cursor)?,
    };
    Ok(HeaderFields {
        version,
        previous,
        merkle_root,
        time,
        height,
        proof,
    })
}

fn read_dynafed(cursor: &mut Cursor<'_>) -> Result<Proof, DecodeError> {
    let at = cursor.at();
    let current = read_params(cursor)?;
    let proposed = read_params(cursor)?;
    // A node takes such a header for one without dynafed, and hashes it accordingly.
    if current.is_null() && proposed.is_null() {
        return Err(DecodeError::Params(at));
    }
    let at = cursor.at();
    let count = cursor.length()?;
    if count > MAX_WITNESS_ITEMS {
        return Err(DecodeError::TooLong {
            at,
            length: count as u64,
        });
    }
    let mut witness = Vec::new();
    for _ in 0..count {
        witness.push(cursor.var_bytes()?.to_vec());
    }
    Ok(Proof::Dynafed {
        current,
        proposed,
        witness,
    })
}

/// Reads parameters with the `elements` crate; refuses those that it would encode differently.
fn read_params(cursor: &mut Cursor<'_>) -> Result<Params, DecodeError> {
    let start = cursor.clone();
    let at = cursor.at();
    // Lengths first, because the crate allocates for as many elements as the bytes claim.
    pass_params(cursor)?;
    let bytes = start.until(cursor);
    let params: Params = deserialize(bytes).map_err(|_| DecodeError::Params(at))?;
    if serialize(&params) != bytes {
        return Err(DecodeError::Params(at));
    }
    Ok(params)
}

/// Skips parameters, checking every length against the bytes that are there.
fn pass_params(cursor: &mut Cursor<'_>) -> Result<(), DecodeError> {
    let at = cursor.at();
    match cursor.u8()? {
        0 => {}
        // Compact: signblock script, size of its witness, root of the rest.
        1 => {
            cursor.var_bytes()?;
            cursor.u32()?;
            cursor.take(32)?;
        }
        // Full: signblock script, size of its witness, peg program, peg script, extension space.
        2 => {
            cursor.var_bytes()?;
            cursor.u32()?;
            cursor.var_bytes()?;
            cursor.var_bytes()?;
            for _ in 0..cursor.length()? {
                cursor.var_bytes()?;
            }
        }
        _ => return Err(DecodeError::Params(at)),
    }
    Ok(())
}

pub(super) fn encode(fields: &HeaderFields, signatures: Signatures) -> Vec<u8> {
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
            if signatures == Signatures::With {
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
            if signatures == Signatures::With {
                push_compact_size(&mut bytes, witness.len());
                for item in witness {
                    push_var_bytes(&mut bytes, item);
                }
            }
        }
    }
    bytes
}
