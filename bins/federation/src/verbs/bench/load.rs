//! Transactions that fill blocks: data outputs, paid for with the genesis coins, which anyone can spend.

use elements::{
    AssetIssuance, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxInWitness, TxOut,
    TxOutWitness,
    confidential::{Asset, Nonce, Value},
    encode::serialize,
};
use federation_chain::{Block, BlockHeight, Dialect, TransactionView};
use federation_cli::{CliError, OrHelp};
use federation_ocean_rpc::{Node, NodeClient};

use super::SEE_LOG;

/// The size of one transaction, in bytes.
const CHUNK: usize = 400_000;

/// Spends the genesis coins again and again.
pub(super) struct Load {
    node: NodeClient,
    coin: OutPoint,
    output: TxOut,
    /// The size of each block, in bytes.
    size: usize,
}

impl Load {
    /// Finds the genesis coins.
    pub(super) async fn new(
        node: NodeClient,
        dialect: Dialect,
        size: usize,
    ) -> Result<Self, CliError> {
        let genesis = node
            .block_hash(BlockHeight::GENESIS)
            .await
            .or_help(SEE_LOG)?;
        let bytes = node.block(genesis).await.or_help(SEE_LOG)?;
        let block = Block::decode(dialect, bytes).or_help(SEE_LOG)?;
        let mut found = None;
        block
            .each_transaction(|transaction| {
                found = found.take().or_else(|| anyones(&transaction));
            })
            .or_help(SEE_LOG)?;
        if let Some((coin, output)) = found {
            return Ok(Self {
                node,
                coin,
                output,
                size,
            });
        }
        Err(CliError::failure(
            "the chain has no coins that anyone can spend",
            "run without --block-size",
        ))
    }

    /// Sends the transactions of one block to the node.
    pub(super) async fn fill(&mut self) -> Result<(), CliError> {
        let mut left = self.size.saturating_sub(2_000);
        while left > 1_000 {
            let data = left.min(CHUNK) - 500;
            left = left.saturating_sub(CHUNK);
            let transaction = self.spend(data);
            self.node
                .send_raw_transaction(&serialize(&transaction))
                .await
                .or_help(SEE_LOG)?;
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
        // OP_RETURN and a push with a length of four bytes.
        let mut script = vec![0x6a, 0x4e];
        script.extend(u32::try_from(data).unwrap_or(u32::MAX).to_le_bytes());
        script.resize(script.len() + data, 0xa5);
        let data_output = TxOut {
            value: Value::Explicit(0),
            script_pubkey: Script::from(script),
            ..self.output.clone()
        };
        Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: vec![self.output.clone(), data_output],
        }
    }
}

/// Returns the first output of a transaction that anyone can spend, and its outpoint.
fn anyones(transaction: &TransactionView<'_>) -> Option<(OutPoint, TxOut)> {
    let (vout, output) = (0..)
        .zip(transaction.outputs())
        .find(|(_, output)| output.script_pubkey == [0x51])?;
    let output = TxOut {
        asset: Asset::Explicit(output.asset.explicit()?),
        value: Value::Explicit(output.value.explicit()?),
        nonce: Nonce::Null,
        script_pubkey: Script::from(output.script_pubkey.to_vec()),
        witness: TxOutWitness::empty(),
    };
    Some((OutPoint::new(transaction.txid(), vout), output))
}
