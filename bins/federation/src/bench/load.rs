//! Transactions that fill blocks: data outputs, paid for by the first coins, which anyone can spend.

use elements::{
    AssetIssuance, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxInWitness, TxOut,
    confidential::Value, encode::serialize,
};
use federation_chain::{Block, BlockHeight, Dialect};
use federation_cli::CliError;
use federation_ocean_rpc::{Node, NodeClient};

use super::failed;

/// The size of one transaction, in bytes.
const CHUNK: usize = 400_000;

/// Spends the first coins again and again.
pub(super) struct Load {
    node: NodeClient,
    coin: OutPoint,
    output: TxOut,
    /// How many bytes each block is to have.
    size: usize,
}

impl Load {
    /// Finds the first coins.
    pub(super) async fn new(
        node: NodeClient,
        dialect: Dialect,
        size: usize,
    ) -> Result<Self, CliError> {
        let genesis = node
            .block_hash(BlockHeight::GENESIS)
            .await
            .map_err(failed)?;
        let bytes = node.block(genesis).await.map_err(failed)?;
        let transactions = Block::decode(dialect, bytes)
            .and_then(|block| block.transactions())
            .map_err(failed)?;
        let anyone = Script::from(vec![0x51]);
        for transaction in transactions {
            for (vout, output) in (0..).zip(&transaction.output) {
                if output.script_pubkey == anyone {
                    return Ok(Self {
                        node,
                        coin: OutPoint::new(transaction.txid(), vout),
                        output: output.clone(),
                        size,
                    });
                }
            }
        }
        Err(CliError::failure(
            "the chain has no coins that anyone can spend",
            "run without --block-size",
        ))
    }

    /// Gives the node the transactions of one block.
    pub(super) async fn fill(&mut self) -> Result<(), CliError> {
        let mut left = self.size.saturating_sub(2_000);
        while left > 1_000 {
            let data = left.min(CHUNK) - 500;
            left = left.saturating_sub(CHUNK);
            let transaction = self.spend(data);
            self.node
                .send_raw_transaction(&serialize(&transaction))
                .await
                .map_err(failed)?;
            self.coin = OutPoint::new(transaction.txid(), 0);
        }
        Ok(())
    }

    fn spend(&self, data: usize) -> Transaction {
        let input = TxIn {
            previous_output: self.coin,
            is_pegin: false,
            script_sig: Script::new(),
            sequence: Sequence::MAX,
            asset_issuance: AssetIssuance::null(),
            witness: TxInWitness::empty(),
        };
        // OP_RETURN and a push of four bytes' length.
        let mut script = vec![0x6a, 0x4e];
        script.extend(u32::try_from(data).unwrap_or(u32::MAX).to_le_bytes());
        script.resize(script.len() + data, 0xa5);
        let note = TxOut {
            value: Value::Explicit(0),
            script_pubkey: Script::from(script),
            ..self.output.clone()
        };
        Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: vec![self.output.clone(), note],
        }
    }
}
