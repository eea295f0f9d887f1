//! The signature hash of an input without witness.

use bitcoin::hashes::{Hash, HashEngine, sha256d};
use elements::{Script, Transaction, encode::Encodable};

/// SIGHASH_ALL.
const ALL: u32 = 1;

/// Returns the 32 bytes, in wire order, that are signed for an input which spends a non-witness
/// output, with `SIGHASH_ALL`: `SignatureHash` in the nodes' `interpreter.cpp`. `script` is the
/// output's script, or the redeem script of a script hash.
///
/// The `elements` crate (0.27) sets the issuance flag in the outpoint that it hashes, which the
/// nodes do not, so its hash differs for every input with an issuance.
///
/// # Panics
/// If there is no such input.
#[must_use]
pub fn legacy_sighash(transaction: &Transaction, index: usize, script: &Script) -> [u8; 32] {
    assert!(
        index < transaction.input.len(),
        "input {index} of {}",
        transaction.input.len()
    );
    let mut engine = sha256d::Hash::engine();
    engine.input(&transaction.version.to_le_bytes());
    let mut bytes = Vec::new();
    crate::cursor::push_compact_size(&mut bytes, transaction.input.len());
    engine.input(&bytes);
    let none = Script::new();
    for (at, input) in transaction.input.iter().enumerate() {
        put(&mut engine, &input.previous_output);
        put(&mut engine, if at == index { script } else { &none });
        put(&mut engine, &input.sequence);
        if input.has_issuance() {
            put(&mut engine, &input.asset_issuance);
        }
    }
    put(&mut engine, &transaction.output);
    put(&mut engine, &transaction.lock_time);
    engine.input(&ALL.to_le_bytes());
    sha256d::Hash::from_engine(engine).to_byte_array()
}

fn put(engine: &mut impl HashEngine, value: &impl Encodable) {
    engine.input(&elements::encode::serialize(value));
}

#[cfg(test)]
mod tests {
    use elements::{
        AssetBlindingNonce, AssetEntropy, AssetIssuance, EcdsaSighashType, LockTime, OutPoint,
        Sequence, TxIn, TxInWitness, TxOut, confidential::Value, sighash::SighashCache,
    };

    use super::*;

    fn transaction(issuance: AssetIssuance) -> Transaction {
        let input = |vout, asset_issuance| TxIn {
            previous_output: OutPoint::new(elements::Txid::from_byte_array([3; 32]), vout),
            is_pegin: false,
            script_sig: Script::from(vec![1, 2]),
            sequence: Sequence::MAX,
            asset_issuance,
            witness: TxInWitness::empty(),
        };
        Transaction {
            version: 2,
            lock_time: LockTime::from_consensus(7),
            input: vec![input(0, issuance), input(1, AssetIssuance::null())],
            output: vec![TxOut::default()],
        }
    }

    fn of_the_crate(transaction: &Transaction, index: usize) -> [u8; 32] {
        SighashCache::new(transaction)
            .legacy_sighash(index, &Script::from(vec![0x51]), EcdsaSighashType::All)
            .to_byte_array()
    }

    #[test]
    fn it_equals_the_crates_hash_without_an_issuance() {
        let plain = transaction(AssetIssuance::null());
        for index in 0..2 {
            let hash = legacy_sighash(&plain, index, &Script::from(vec![0x51]));
            assert_eq!(hash, of_the_crate(&plain, index));
        }
    }

    #[test]
    fn an_issuance_does_not_change_the_hashed_outpoint() {
        let issuance = AssetIssuance {
            asset_blinding_nonce: AssetBlindingNonce::NEW_ISSUANCE,
            asset_entropy: AssetEntropy::NEW_ISSUANCE,
            amount: Value::Explicit(5),
            inflation_keys: Value::Null,
        };
        let issuing = transaction(issuance);
        let hash = legacy_sighash(&issuing, 0, &Script::from(vec![0x51]));
        assert_ne!(
            hash,
            of_the_crate(&issuing, 0),
            "the crate is fixed: remove this function"
        );
    }
}
