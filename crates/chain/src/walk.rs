//! A walk over a transaction's bytes: where its parts begin and end, and nothing more.
//!
//! `version | flags | inputs | outputs | lock time | witness`, where the witness, present if bit 0
//! of the flags is set, has one record per input (two range proofs, script witness, peg-in witness)
//! and one per output (surjection proof, range proof). See `CTransaction` in `transaction.h`.
//!
//! A walked transaction borrows the block's bytes and holds no list, so a block full of tiny parts
//! costs no more memory than its bytes.

use bitcoin::hashes::{Hash, HashEngine, sha256d};

use crate::{DecodeError, Dialect, cursor::Cursor, merkle::fast_merkle_root};

/// An input with this outpoint index carries an issuance (`OUTPOINT_ISSUANCE_FLAG`).
const ISSUANCE_FLAG: u32 = 1 << 31;
const WITNESS_FLAG: u8 = 1;
/// An empty item or stack.
const EMPTY: &[u8] = &[0];
/// `OP_RETURN`, a push of 36 bytes, and the tag of a witness commitment (BIP 141).
pub(crate) const COMMITMENT_PREFIX: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
/// A prefix that Ocean's nodes read as they read 1, and that has no other meaning there.
const OCEAN_PREFIX: u8 = 0xff;

/// One transaction within a block's bytes.
#[derive(Debug)]
pub(crate) struct WalkedTransaction<'a> {
    /// All its bytes.
    pub(crate) bytes: &'a [u8],
    /// Everything from the inputs to the lock time.
    body: &'a [u8],
    /// Everything behind the lock time; empty without a witness.
    witness: &'a [u8],
    inputs: usize,
    outputs: usize,
    /// The inputs that spend nothing: one in a coinbase, none in other valid transactions.
    null_inputs: Vec<usize>,
    /// Whether an input that spends nothing has more of a witness than a coinbase needs. No hash
    /// commits to it.
    pub(crate) has_stray_witness: bool,
    /// The first input's script witness, if that has exactly one item.
    pub(crate) sole_item: Option<&'a [u8]>,
    /// The last witness commitment among the output scripts.
    pub(crate) commitment: Option<&'a [u8; 32]>,
}

impl<'a> WalkedTransaction<'a> {
    /// Walks over the transaction at the cursor.
    pub(crate) fn read(cursor: &mut Cursor<'a>, dialect: Dialect) -> Result<Self, DecodeError> {
        let start = cursor.clone();
        cursor.take(4)?; // version
        let flags_at = cursor.at();
        let flags = cursor.u8()?;
        if flags & !WITNESS_FLAG != 0 {
            return Err(DecodeError::Prefix {
                at: flags_at,
                prefix: flags,
            });
        }
        let body_start = cursor.clone();
        let inputs = cursor.length()?;
        let mut null_inputs = Vec::new();
        for index in 0..inputs {
            if walk_input(cursor, dialect)? {
                null_inputs.push(index);
            }
        }
        let outputs = cursor.length()?;
        let mut commitment = None;
        for _ in 0..outputs {
            walk_tagged(cursor, dialect, &[(1, 32), (0x0a, 32), (0x0b, 32)])?; // asset
            walk_value(cursor, dialect)?;
            walk_tagged(cursor, dialect, &[(1, 32), (2, 32), (3, 32)])?; // nonce
            let script = cursor.var_bytes()?;
            // The last one counts, as in `GetWitnessCommitmentIndex`.
            commitment = script
                .strip_prefix(&COMMITMENT_PREFIX)
                .and_then(<[u8]>::first_chunk)
                .or(commitment);
        }
        cursor.take(4)?; // lock time
        let body = body_start.until(cursor);

        let witness_start = cursor.clone();
        let mut sole_item = None;
        let mut has_stray_witness = false;
        if flags & WITNESS_FLAG != 0 {
            let mut empty = true;
            for index in 0..inputs {
                let record = read_input_witness(cursor)?;
                empty &= record.parts == [EMPTY; 4];
                if null_inputs.binary_search(&index).is_ok() {
                    let [amount_proof, token_proof, script, pegin] = record.parts;
                    has_stray_witness |= [amount_proof, token_proof, pegin] != [EMPTY; 3]
                        || (index > 0 && script != EMPTY);
                }
                if index == 0 {
                    sole_item = record.sole_item;
                }
            }
            for _ in 0..outputs {
                empty &= read_output_witness(cursor)? == [EMPTY; 2];
            }
            if empty {
                return Err(DecodeError::SuperfluousWitness(start.at()));
            }
        }
        Ok(Self {
            bytes: start.until(cursor),
            body,
            witness: witness_start.until(cursor),
            inputs,
            outputs,
            null_inputs,
            has_stray_witness,
            sole_item,
            commitment,
        })
    }

    /// Whether an input spends nothing, which only a coinbase's may.
    pub(crate) const fn has_null_input(&self) -> bool {
        !self.null_inputs.is_empty()
    }

    pub(crate) const fn has_witness(&self) -> bool {
        !self.witness.is_empty()
    }

    /// The size without the witness, in bytes.
    pub(crate) const fn stripped_size(&self) -> usize {
        self.bytes.len() - self.witness.len()
    }

    /// SHA256d without the witness; the flags byte is hashed as zero.
    pub(crate) fn txid(&self) -> [u8; 32] {
        let mut engine = sha256d::Hash::engine();
        engine.input(&self.bytes[..4]);
        engine.input(&[0]);
        engine.input(self.body);
        sha256d::Hash::from_engine(engine).to_byte_array()
    }

    /// The hash of the witness alone (`GetWitnessOnlyHash` in `transaction.cpp`).
    pub(crate) fn witness_hash(&self) -> Result<[u8; 32], DecodeError> {
        let empty_input = hash_parts(&[EMPTY; 4]);
        let empty_output = hash_parts(&[EMPTY; 2]);
        let mut inputs = vec![empty_input; self.inputs];
        let mut outputs = vec![empty_output; self.outputs];
        if self.has_witness() {
            let mut cursor = Cursor::new(self.witness);
            for leaf in &mut inputs {
                *leaf = hash_parts(&read_input_witness(&mut cursor)?.parts);
            }
            for leaf in &mut outputs {
                *leaf = hash_parts(&read_output_witness(&mut cursor)?);
            }
        }
        // An input that spends nothing counts as if it had no witness: the nonce of a witness
        // commitment lies there, and cannot commit to itself.
        for index in &self.null_inputs {
            inputs[*index] = empty_input;
        }
        Ok(fast_merkle_root(vec![
            fast_merkle_root(inputs),
            fast_merkle_root(outputs),
        ]))
    }
}

/// Walks over an input and says whether it spends nothing.
fn walk_input(cursor: &mut Cursor<'_>, dialect: Dialect) -> Result<bool, DecodeError> {
    let at = cursor.at();
    let txid = cursor.take(32)?;
    let index = cursor.u32()?;
    let null = index == u32::MAX && txid.iter().all(|byte| *byte == 0);
    cursor.var_bytes()?;
    cursor.take(4)?;
    if index != u32::MAX && index & ISSUANCE_FLAG != 0 {
        cursor.take(64)?;
        let amount = walk_value(cursor, dialect)?;
        let tokens = walk_value(cursor, dialect)?;
        // Elements' nodes refuse it, Ocean's forget it and hash the input without it.
        if !amount && !tokens {
            return Err(DecodeError::SuperfluousIssuance(at));
        }
    }
    Ok(null)
}

fn walk_value(cursor: &mut Cursor<'_>, dialect: Dialect) -> Result<bool, DecodeError> {
    walk_tagged(cursor, dialect, &[(1, 8), (8, 32), (9, 32)])
}

/// Walks over a field of one byte and as many as that byte says, and says whether there were more;
/// zero stands alone. The first of the sizes is that of the explicit form.
fn walk_tagged(
    cursor: &mut Cursor<'_>,
    dialect: Dialect,
    sizes: &[(u8, usize); 3],
) -> Result<bool, DecodeError> {
    let at = cursor.at();
    let prefix = cursor.u8()?;
    if prefix == 0 {
        return Ok(false);
    }
    let tag = match (dialect, prefix) {
        (Dialect::Ocean, OCEAN_PREFIX) => 1,
        _ => prefix,
    };
    let (_, size) = sizes
        .iter()
        .find(|(known, _)| *known == tag)
        .ok_or(DecodeError::Prefix { at, prefix })?;
    cursor.take(*size)?;
    Ok(true)
}

/// An input's record.
struct InputWitness<'a> {
    /// Amount proof, token proof, script witness and peg-in witness, with their lengths.
    parts: [&'a [u8]; 4],
    /// The script witness's item, if it has exactly one.
    sole_item: Option<&'a [u8]>,
}

fn read_input_witness<'a>(cursor: &mut Cursor<'a>) -> Result<InputWitness<'a>, DecodeError> {
    let amount_proof = read_item(cursor)?;
    let token_proof = read_item(cursor)?;
    let (script, sole_item) = read_stack(cursor)?;
    let (pegin, _) = read_stack(cursor)?;
    Ok(InputWitness {
        parts: [amount_proof, token_proof, script, pegin],
        sole_item,
    })
}

fn read_output_witness<'a>(cursor: &mut Cursor<'a>) -> Result<[&'a [u8]; 2], DecodeError> {
    Ok([read_item(cursor)?, read_item(cursor)?])
}

/// The hash of a witness record (`CTxInWitness::GetHash`, `CTxOutWitness::GetHash`).
fn hash_parts(parts: &[&[u8]]) -> [u8; 32] {
    let leaves = parts
        .iter()
        .map(|part| sha256d::Hash::hash(part).to_byte_array());
    fast_merkle_root(leaves.collect())
}

/// An item with its length.
fn read_item<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], DecodeError> {
    let from = cursor.clone();
    cursor.var_bytes()?;
    Ok(from.until(cursor))
}

/// A stack with its lengths, and its item if there is exactly one.
fn read_stack<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a [u8], Option<&'a [u8]>), DecodeError> {
    let from = cursor.clone();
    let count = cursor.length()?;
    let mut last = None;
    for _ in 0..count {
        last = Some(cursor.var_bytes()?);
    }
    Ok((from.until(cursor), last.filter(|_| count == 1)))
}
