//! New blocks, for `getnewblockhex`.

use elements::{
    AssetId, LockTime, Script, Sequence, Transaction, TxIn, TxInWitness, TxOut, Witness,
    confidential::{Asset, Nonce, Value},
};
use federation_chain::{Block, BlockHeight, Header, HeaderFields, UnixTime};

use crate::{
    genesis::OP_RETURN,
    ledger::{Ledger, height_push},
};

/// The version of new blocks.
const VERSION: u32 = 0x2000_0000;
/// Creates a block on top of the best block with these transactions.
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
    // The commitment is computed with an empty output in place of its own, and without nonce.
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
    // The transactions of a mempool are distinct.
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

/// Returns an unspendable output of value zero.
fn data_output(asset: AssetId, script: Vec<u8>) -> TxOut {
    TxOut {
        asset: Asset::Explicit(asset),
        value: Value::Explicit(0),
        nonce: Nonce::Null,
        script_pubkey: Script::from(script),
        ..TxOut::default()
    }
}
