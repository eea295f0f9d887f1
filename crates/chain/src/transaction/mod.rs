//! A transaction as it lies in a block's bytes: its parts, ids and sizes.
//!
//! `version | flags | inputs | outputs | lock time | witness`, where the witness, present if bit 0
//! of the flags is set, has one record per input (two range proofs, script witness, peg-in witness)
//! and one per output (surjection proof, range proof). See `CTransaction` in `transaction.h`.
//!
//! A view borrows the bytes and holds no list of parts, so a block full of tiny parts takes no more
//! memory than its bytes. Lengths and prefixes are checked. Whether a commitment is a point on the
//! curve, or a proof is well-formed, is not checked, because the nodes do not check it either when
//! they read.

mod parts;
mod read;

use bitcoin::hashes::{Hash, HashEngine, sha256d};
use elements::Txid;

pub use self::parts::{
    AssetView, InputView, InputWitnessView, Inputs, Issuance, OutputView, OutputWitnessView,
    Outputs, PeginClaim, Stack, ValueView,
};
use self::read::{EMPTY, read_input, read_input_record, read_output, read_output_record};
use crate::{DecodeError, Dialect, cursor::Cursor, merkle::fast_merkle_root};

const WITNESS_FLAG: u8 = 1;
/// `OP_RETURN`, a push of 36 bytes, and the tag of a witness commitment (BIP 141).
pub(crate) const COMMITMENT_PREFIX: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];

/// One transaction within untrusted bytes, read without copying them.
///
/// It reads everything that the nodes of the dialect's family read: peg-in witnesses of any form
/// and on any input, nonces that are not points on the curve, malformed proofs, any number of
/// inputs and outputs.
#[derive(Debug, Clone)]
pub struct TransactionView<'a> {
    dialect: Dialect,
    /// The whole transaction.
    bytes: &'a [u8],
    /// Everything from the inputs to the lock time.
    body: &'a [u8],
    /// Everything after the lock time; empty without a witness.
    witness: &'a [u8],
    inputs: usize,
    outputs: usize,
    /// The offsets of the first input, the first output and the first output's witness in `body`
    /// and `witness`.
    starts: Starts,
    lock_time: u32,
    /// Indexes of the inputs that spend nothing: one in a coinbase, none in other valid
    /// transactions.
    null_inputs: Vec<usize>,
    /// Whether an input that spends nothing has more witness data than a coinbase needs. No hash
    /// commits to it.
    pub(crate) has_stray_witness: bool,
    /// The first input's script witness, if that has exactly one item.
    pub(crate) sole_item: Option<&'a [u8]>,
    /// The last witness commitment among the output scripts.
    pub(crate) commitment: Option<&'a [u8; 32]>,
}

#[derive(Debug, Clone, Copy)]
struct Starts {
    inputs: usize,
    outputs: usize,
    output_witnesses: usize,
}

impl<'a> TransactionView<'a> {
    /// Reads a transaction, which must fill the bytes.
    ///
    /// # Errors
    /// If the bytes are not a transaction of the dialect's family.
    pub fn decode(dialect: Dialect, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let view = Self::read(&mut cursor, dialect)?;
        cursor.finish()?;
        Ok(view)
    }

    /// Reads the transaction at the cursor.
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
        let inputs_start = body_start.until(cursor).len();
        let mut null_inputs = Vec::new();
        for index in 0..inputs {
            if read_input(cursor, dialect)?.spends_nothing() {
                null_inputs.push(index);
            }
        }
        let outputs = cursor.length()?;
        let outputs_start = body_start.until(cursor).len();
        let mut commitment = None;
        for _ in 0..outputs {
            let script = read_output(cursor, dialect)?.script_pubkey;
            // The last one counts, as in `GetWitnessCommitmentIndex`.
            commitment = script
                .strip_prefix(&COMMITMENT_PREFIX)
                .and_then(<[u8]>::first_chunk)
                .or(commitment);
        }
        let lock_time = cursor.u32()?;
        let body = body_start.until(cursor);

        let witness_start = cursor.clone();
        let mut sole_item = None;
        let mut has_stray_witness = false;
        let mut output_witnesses = 0;
        if flags & WITNESS_FLAG != 0 {
            let mut empty = true;
            for index in 0..inputs {
                let record = read_input_record(cursor)?;
                empty &= record.parts == [EMPTY; 4];
                if null_inputs.binary_search(&index).is_ok() {
                    let [amount_proof, token_proof, script, pegin] = record.parts;
                    has_stray_witness |= [amount_proof, token_proof, pegin] != [EMPTY; 3]
                        || (index > 0 && script != EMPTY);
                }
                if index == 0 {
                    let script = record.witness.script;
                    sole_item = script.get(0).filter(|_| script.len() == 1);
                }
            }
            output_witnesses = witness_start.until(cursor).len();
            for _ in 0..outputs {
                empty &= read_output_record(cursor)?.parts == [EMPTY; 2];
            }
            if empty {
                return Err(DecodeError::SuperfluousWitness(start.at()));
            }
        }
        Ok(Self {
            dialect,
            bytes: start.until(cursor),
            body,
            witness: witness_start.until(cursor),
            inputs,
            outputs,
            starts: Starts {
                inputs: inputs_start,
                outputs: outputs_start,
                output_witnesses,
            },
            lock_time,
            null_inputs,
            has_stray_witness,
            sole_item,
            commitment,
        })
    }

    /// Returns the serialised transaction.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the block height or Unix time, as in Bitcoin, before which it cannot be in a block.
    #[must_use]
    pub const fn lock_time(&self) -> u32 {
        self.lock_time
    }

    /// Returns whether it is a coinbase: its only input spends nothing.
    #[must_use]
    pub const fn is_coinbase(&self) -> bool {
        self.inputs == 1 && self.has_null_input()
    }

    /// Returns the inputs, in order.
    #[must_use]
    pub fn inputs(&self) -> Inputs<'a> {
        let witness = self.has_witness().then(|| Cursor::new(self.witness));
        let body = &self.body[self.starts.inputs..];
        Inputs::new(self.inputs, Cursor::new(body), witness, self.dialect)
    }

    /// Returns the outputs, in order.
    #[must_use]
    pub fn outputs(&self) -> Outputs<'a> {
        let witness = &self.witness[self.starts.output_witnesses..];
        let witness = self.has_witness().then(|| Cursor::new(witness));
        let body = &self.body[self.starts.outputs..];
        Outputs::new(self.outputs, Cursor::new(body), witness, self.dialect)
    }

    /// Returns whether an input spends nothing, which only a coinbase's input may.
    pub(crate) const fn has_null_input(&self) -> bool {
        !self.null_inputs.is_empty()
    }

    /// Returns whether any input or output has a witness.
    #[must_use]
    pub const fn has_witness(&self) -> bool {
        !self.witness.is_empty()
    }

    /// Returns the size without the witness, in bytes.
    #[must_use]
    pub const fn stripped_size(&self) -> usize {
        self.bytes.len() - self.witness.len()
    }

    /// Returns its id, in wire order: SHA256d without the witness; the flags byte is hashed as
    /// zero.
    #[must_use]
    pub fn txid(&self) -> Txid {
        let mut engine = sha256d::Hash::engine();
        engine.input(&self.bytes[..4]);
        engine.input(&[0]);
        engine.input(self.body);
        Txid::from_byte_array(sha256d::Hash::from_engine(engine).to_byte_array())
    }

    /// Returns the hash of the witness alone (`GetWitnessOnlyHash` in `transaction.cpp`).
    pub(crate) fn witness_hash(&self) -> Result<[u8; 32], DecodeError> {
        let empty_input = hash_parts(&[EMPTY; 4]);
        let empty_output = hash_parts(&[EMPTY; 2]);
        let mut inputs = vec![empty_input; self.inputs];
        let mut outputs = vec![empty_output; self.outputs];
        if self.has_witness() {
            let mut cursor = Cursor::new(self.witness);
            for leaf in &mut inputs {
                *leaf = hash_parts(&read_input_record(&mut cursor)?.parts);
            }
            for leaf in &mut outputs {
                *leaf = hash_parts(&read_output_record(&mut cursor)?.parts);
            }
        }
        // An input that spends nothing counts as if it had no witness: its witness holds the nonce
        // of the witness commitment, which cannot commit to itself.
        for index in &self.null_inputs {
            inputs[*index] = empty_input;
        }
        Ok(fast_merkle_root(vec![
            fast_merkle_root(inputs),
            fast_merkle_root(outputs),
        ]))
    }
}

/// Returns the hash of a witness record (`CTxInWitness::GetHash`, `CTxOutWitness::GetHash`).
fn hash_parts(parts: &[&[u8]]) -> [u8; 32] {
    let leaves = parts
        .iter()
        .map(|part| sha256d::Hash::hash(part).to_byte_array());
    fast_merkle_root(leaves.collect())
}
