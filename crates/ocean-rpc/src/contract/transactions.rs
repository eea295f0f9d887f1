//! Transactions for the next block.

use elements::{
    AssetId, AssetIssuance, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxInWitness,
    TxOut, TxOutWitness, Txid,
    confidential::{Asset, Nonce, Value},
    encode::serialize,
};
use federation_chain::BlockHeight;

use super::{Subject, assert_code};
use crate::{Node, RpcError};

/// `RPC_TRANSACTION_ERROR`: an input is missing. The same code as that of invalid blocks.
const MISSING_INPUT: i32 = RpcError::VERIFY_ERROR;
/// `RPC_TRANSACTION_ALREADY_IN_CHAIN`. The same code as that of blocks.
const IN_CHAIN: i32 = RpcError::VERIFY_ALREADY_IN_CHAIN;

impl<N: Node + ?Sized> Subject<'_, N> {
    pub(super) async fn transactions_are_included(&self) {
        let transaction = self.spend_of_free_coins().await;
        let txid = transaction.txid();
        let bytes = serialize(&transaction);
        for _ in 0..2 {
            let included = self
                .node
                .include_transaction(&txid.to_string(), &bytes)
                .await;
            assert_eq!(included, Ok(()), "a transaction may be passed again");
        }
        let id = txid.to_byte_array();
        let template = self.template().await;
        let ids = template.transaction_ids().expect("a template decodes");
        assert_eq!(
            ids.iter().filter(|other| **other == id).count(),
            1,
            "the next block includes the transaction, without a fee"
        );
        let block = self.extend().await;
        assert!(block.transaction_ids().is_ok_and(|ids| ids.contains(&id)));
        let next = self.template().await.transaction_ids();
        assert!(
            next.is_ok_and(|ids| !ids.contains(&id)),
            "a confirmed transaction is not included again"
        );

        let again = self
            .node
            .include_transaction(&txid.to_string(), &bytes)
            .await;
        assert_code(again, IN_CHAIN, "include_transaction of a confirmed one");
        let mut missing = transaction.clone();
        missing.input[0].previous_output.txid = Txid::from_byte_array([0xab; 32]);
        let txid = missing.txid().to_string();
        let refused = self
            .node
            .include_transaction(&txid, &serialize(&missing))
            .await;
        assert_code(refused, MISSING_INPUT, "include_transaction without coins");
        let malformed = &bytes[..bytes.len() - 1];
        let refused = self.node.include_transaction(&txid, malformed).await;
        let code = RpcError::DESERIALIZATION_ERROR;
        assert_code(refused, code, "include_transaction of truncated bytes");
    }

    /// Returns a transaction without a fee that spends coins of the genesis block which anyone can
    /// spend.
    async fn spend_of_free_coins(&self) -> Transaction {
        let hash = self.node.block_hash(BlockHeight::GENESIS).await;
        let genesis = self.node.block(hash.expect("a genesis block")).await;
        let genesis = self.decode(genesis.expect("the genesis block is returned"));
        let mut found: Option<(OutPoint, AssetId, u64)> = None;
        genesis
            .each_transaction(|transaction| {
                for (vout, output) in (0..).zip(transaction.outputs()) {
                    let is_free = output.script_pubkey == [0x51];
                    if let (true, Some(asset), Some(value)) =
                        (is_free, output.asset.explicit(), output.value.explicit())
                        && value > 0
                    {
                        let outpoint = OutPoint::new(transaction.txid(), vout);
                        found.get_or_insert((outpoint, asset, value));
                    }
                }
            })
            .expect("the genesis block decodes");
        let (outpoint, asset, value) = found.expect("the genesis block has coins for anyone");
        // Pay to the hash of a public key that nobody knows.
        let script = [&[0x76, 0xa9, 20], &[7; 20][..], &[0x88, 0xac]].concat();
        Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: outpoint,
                is_pegin: false,
                script_sig: Script::new(),
                sequence: Sequence::MAX,
                asset_issuance: AssetIssuance::null(),
                witness: TxInWitness::empty(),
            }],
            output: vec![TxOut {
                asset: Asset::Explicit(asset),
                value: Value::Explicit(value),
                nonce: Nonce::Null,
                script_pubkey: Script::from(script),
                witness: TxOutWitness::empty(),
            }],
        }
    }
}
