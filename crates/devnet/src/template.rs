//! New blocks: what `getnewblockhex` gives.

use bitcoin::hashes::{Hash, hash160, sha256};
use elements::{
    AssetId, LockTime, Script, Sequence, Transaction, TxIn, TxInWitness, TxOut, Witness,
    confidential::{Asset, Nonce, Value},
};
use federation_chain::{
    Block, BlockHeight, FullParams, Header, HeaderFields, Params, Proof, SigningRules, UnixTime,
};

use crate::{
    genesis::{OP_RETURN, OP_TRUE},
    ledger::{Ledger, height_push},
};

/// How many blocks an epoch of dynafed parameters has (`dynamic_epoch_length`).
const EPOCH: u32 = 10;
/// The version of new blocks.
const VERSION: u32 = 0x2000_0000;
/// The one entry of the default list of peg-out keys, twice (`chainparams.cpp`).
const PAK: [u8; 33] = [
    0x02, 0xfc, 0xba, 0x7e, 0xcf, 0x41, 0xbc, 0x7e, 0x1b, 0xe4, 0xee, 0x12, 0x2d, 0x9d, 0x22, 0xe3,
    0x33, 0x36, 0x71, 0xeb, 0x0a, 0x3a, 0x87, 0xb5, 0xcd, 0xf0, 0x99, 0xd5, 0x98, 0x74, 0xe1, 0x94,
    0x0f,
];

/// A new block on the tip with these transactions.
pub(crate) fn make(ledger: &Ledger, transactions: Vec<Transaction>, now: UnixTime) -> Block {
    let height = ledger.height().next();
    let lowest = ledger.median_time(ledger.height().to_u32() as usize) + 1;
    let time = now.as_secs().max(lowest);
    let mut fields = HeaderFields {
        version: VERSION,
        previous: ledger.tip().block_hash(),
        merkle_root: [0; 32],
        time: u32::try_from(time).unwrap_or(u32::MAX),
        height,
        proof: ledger.parameters_at(height),
    };
    let mut all = vec![coinbase(height, ledger.pegged_asset)];
    all.extend(transactions);
    // The commitment is made over a coinbase with an empty output in its place, and without nonce.
    all[0].output.push(TxOut::default());
    let draft = Block::from_parts(Header::new(fields.clone()), &all);
    let commitment = draft.witness_commitment_script().unwrap_or_default();
    all[0].output.pop();
    all[0]
        .output
        .push(data_output(ledger.pegged_asset, commitment));
    all[0].input[0].witness = TxInWitness {
        script_witness: Witness::from_slice(&[[0; 32]]),
        ..TxInWitness::default()
    };
    let draft = Block::from_parts(Header::new(fields.clone()), &all);
    // Transactions of one mempool are different ones.
    fields.merkle_root = draft.compute_merkle_root().unwrap_or_default();
    draft.with_header(Header::new(fields))
}

fn coinbase(height: BlockHeight, asset: AssetId) -> Transaction {
    let mut script = height_push(height);
    script.extend_from_slice(&[1, 1]);
    Transaction {
        version: 2,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            script_sig: Script::from(script),
            sequence: Sequence::MAX,
            ..TxIn::default()
        }],
        output: vec![data_output(asset, vec![OP_RETURN])],
    }
}

/// An output of nothing with a script that nobody can spend.
fn data_output(asset: AssetId, script: Vec<u8>) -> TxOut {
    TxOut {
        asset: Asset::Explicit(asset),
        value: Value::Explicit(0),
        nonce: Nonce::Null,
        script_pubkey: Script::from(script),
        ..TxOut::default()
    }
}

/// The parameters in a dynafed header: in full at block 1 and where an epoch begins, else compact.
pub(crate) fn dynafed_proof(rules: &SigningRules, height: BlockHeight) -> Proof {
    let full = full_params(rules);
    let number = height.to_u32();
    Proof::Dynafed {
        current: if number == 1 || number.is_multiple_of(EPOCH) {
            Params::Full(full)
        } else {
            full.into_compact()
        },
        proposed: Params::Null,
        witness: Vec::new(),
    }
}

fn full_params(rules: &SigningRules) -> FullParams {
    // No fedpeg: OP_TRUE, as P2WSH in P2SH.
    let fedpeg = vec![OP_TRUE];
    let witness_program = [
        &[0, 32],
        sha256::Hash::hash(&fedpeg).as_byte_array().as_slice(),
    ]
    .concat();
    let script_hash = hash160::Hash::hash(&witness_program);
    let program = [&[0xa9, 20], script_hash.as_byte_array().as_slice(), &[0x87]].concat();
    let pak = [PAK, PAK].concat();
    FullParams::new(
        Script::from(rules.signing_script().to_vec()),
        rules.max_signature_size(),
        bitcoin::ScriptBuf::from(program),
        fedpeg,
        vec![pak],
    )
}
