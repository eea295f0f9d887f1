//! A walk over a transaction's bytes: where its parts begin and end, and nothing more.
//!
//! `version | flags | inputs | outputs | lock time | witness`, where the witness, present if bit 0
//! of the flags is set, has one record per input (two range proofs, script witness, peg-in witness)
//! and one per output (surjection proof, range proof). See `CTransaction` in `transaction.h`.

use bitcoin::hashes::{Hash, HashEngine, sha256d};

use crate::{DecodeError, cursor::Cursor, merkle::fast_merkle_root};

/// An input with this outpoint index carries an issuance (`OUTPOINT_ISSUANCE_FLAG`).
const ISSUANCE_FLAG: u32 = 1 << 31;
const WITNESS_FLAG: u8 = 1;
/// An empty item or stack.
const EMPTY: &[u8] = &[0];

/// One transaction within a block's bytes.
#[derive(Debug, Clone)]
pub(crate) struct WalkedTransaction<'a> {
    /// All its bytes.
    pub(crate) bytes: &'a [u8],
    /// Version and everything from the inputs to the lock time.
    version: &'a [u8],
    body: &'a [u8],
    /// The four parts of each input's record, empty without a witness.
    input_witnesses: Vec<[&'a [u8]; 4]>,
    /// The two parts of each output's record, empty without a witness.
    output_witnesses: Vec<[&'a [u8]; 2]>,
    inputs: usize,
    /// The items of the first input's script witness.
    pub(crate) first_script_witness: Vec<&'a [u8]>,
    /// The output scripts.
    pub(crate) output_scripts: Vec<&'a [u8]>,
    /// Whether the first input spends nothing.
    is_coinbase: bool,
}

impl<'a> WalkedTransaction<'a> {
    /// Walks over the transaction at the cursor.
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        let start = cursor.clone();
        let version = cursor.take(4)?;
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
        let mut is_coinbase = false;
        for index in 0..inputs {
            let null = walk_input(cursor)?;
            is_coinbase |= null && index == 0;
        }
        let mut output_scripts = Vec::new();
        for _ in 0..cursor.length()? {
            walk_tagged(cursor, &[(1, 32), (0x0a, 32), (0x0b, 32)])?; // asset
            walk_value(cursor)?;
            walk_tagged(cursor, &[(1, 32), (2, 32), (3, 32)])?; // nonce
            output_scripts.push(cursor.var_bytes()?);
        }
        cursor.take(4)?;
        let body = &body_start.rest()[..cursor.at() - body_start.at()];

        let mut input_witnesses = Vec::new();
        let mut output_witnesses = Vec::new();
        let mut first_script_witness = Vec::new();
        if flags & WITNESS_FLAG != 0 {
            for index in 0..inputs {
                let proofs = [read_item(cursor)?, read_item(cursor)?];
                let (script_witness, stack) = read_stack(cursor)?;
                if index == 0 {
                    first_script_witness = script_witness;
                }
                let (_, pegin) = read_stack(cursor)?;
                input_witnesses.push([proofs[0], proofs[1], stack, pegin]);
            }
            for _ in 0..output_scripts.len() {
                output_witnesses.push([read_item(cursor)?, read_item(cursor)?]);
            }
            let inputs = input_witnesses.iter().flatten();
            let records = inputs.chain(output_witnesses.iter().flatten());
            if records.copied().all(|part| part == EMPTY) {
                return Err(DecodeError::SuperfluousWitness(start.at()));
            }
        }
        Ok(Self {
            bytes: &start.rest()[..cursor.at() - start.at()],
            version,
            body,
            input_witnesses,
            output_witnesses,
            inputs,
            first_script_witness,
            output_scripts,
            is_coinbase,
        })
    }

    pub(crate) const fn has_witness(&self) -> bool {
        !self.input_witnesses.is_empty() || !self.output_witnesses.is_empty()
    }

    /// SHA256d without the witness; the flags byte is hashed as zero.
    pub(crate) fn txid(&self) -> [u8; 32] {
        let mut engine = sha256d::Hash::engine();
        engine.input(self.version);
        engine.input(&[0]);
        engine.input(self.body);
        sha256d::Hash::from_engine(engine).to_byte_array()
    }

    /// The hash of the witness alone (`GetWitnessOnlyHash` in `transaction.cpp`).
    pub(crate) fn witness_hash(&self) -> [u8; 32] {
        let inputs: Vec<_> = (0..self.inputs)
            .map(|index| match self.input_witnesses.get(index) {
                Some(parts) if !(self.is_coinbase && index == 0) => hash_parts(parts),
                _ => hash_parts(&[EMPTY; 4]),
            })
            .collect();
        let outputs: Vec<_> = (0..self.output_scripts.len())
            .map(|index| hash_parts(self.output_witnesses.get(index).unwrap_or(&[EMPTY; 2])))
            .collect();
        fast_merkle_root(&[fast_merkle_root(&inputs), fast_merkle_root(&outputs)])
    }
}

/// Walks over an input and says whether it spends nothing.
fn walk_input(cursor: &mut Cursor<'_>) -> Result<bool, DecodeError> {
    let txid = cursor.take(32)?;
    let index = cursor.u32()?;
    let null = index == u32::MAX && txid.iter().all(|byte| *byte == 0);
    cursor.var_bytes()?;
    cursor.take(4)?;
    if index != u32::MAX && index & ISSUANCE_FLAG != 0 {
        cursor.take(64)?;
        walk_value(cursor)?;
        walk_value(cursor)?;
    }
    Ok(null)
}

fn walk_value(cursor: &mut Cursor<'_>) -> Result<(), DecodeError> {
    walk_tagged(cursor, &[(1, 8), (8, 32), (9, 32)])
}

/// Walks over a field of one byte and as many as that byte says; zero stands alone.
fn walk_tagged(cursor: &mut Cursor<'_>, sizes: &[(u8, usize)]) -> Result<(), DecodeError> {
    let at = cursor.at();
    let prefix = cursor.u8()?;
    if prefix == 0 {
        return Ok(());
    }
    let (_, size) = sizes
        .iter()
        .find(|(tag, _)| *tag == prefix)
        .ok_or(DecodeError::Prefix { at, prefix })?;
    cursor.take(*size)?;
    Ok(())
}

/// The hash of a witness record (`CTxInWitness::GetHash`, `CTxOutWitness::GetHash`).
fn hash_parts(parts: &[&[u8]]) -> [u8; 32] {
    let leaves: Vec<_> = parts
        .iter()
        .map(|part| sha256d::Hash::hash(part).to_byte_array())
        .collect();
    fast_merkle_root(&leaves)
}

/// An item with its length.
fn read_item<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], DecodeError> {
    let from = cursor.clone();
    cursor.var_bytes()?;
    Ok(&from.rest()[..cursor.at() - from.at()])
}

/// The items of a stack, and all of it with its lengths.
fn read_stack<'a>(cursor: &mut Cursor<'a>) -> Result<(Vec<&'a [u8]>, &'a [u8]), DecodeError> {
    let from = cursor.clone();
    let mut stack = Vec::new();
    for _ in 0..cursor.length()? {
        stack.push(cursor.var_bytes()?);
    }
    Ok((stack, &from.rest()[..cursor.at() - from.at()]))
}
