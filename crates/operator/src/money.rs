//! Who can take a chain's coins and fees without a key, as far as certificate and node tell.

use federation_ceremony::Certificate;
use federation_chain::{Block, BlockHeight, Dialect};
use federation_genesis::{Holder, Sweep, warnings};
use federation_ocean_rpc::{Node, RpcError};

/// What people should know of the chain's money: nothing if nobody can take any without a key.
///
/// With a certificate all settings are known. Without one, the genesis block tells of coins, and the
/// node's best block and next one of fees, if they have any: no node tells where fees must go.
///
/// # Errors
/// If the node does not answer.
pub async fn money_warnings(
    node: &dyn Node,
    dialect: Dialect,
    certificate: Option<&Certificate>,
    sweep: Option<&Sweep>,
) -> Result<Vec<String>, RpcError> {
    if let Some(certificate) = certificate {
        let chain = certificate.chain();
        let found = warnings(chain.settings(), chain.genesis(), chain.sweep());
        return Ok(found.iter().map(ToString::to_string).collect());
    }
    let mut found = Vec::new();
    let first = node.block_hash(BlockHeight::GENESIS).await?;
    if sweep.is_none() && coins_for_anyone(&node.block(first).await?, dialect) {
        found.push(
            "anyone can take coins of the genesis block, unless they were taken: whoever makes block 1 does. No `sweep` stands in federation.toml"
                .to_owned(),
        );
    }
    let best = node.best_block_hash().await?;
    let mut blocks = vec![node.block(best).await?];
    // A node that is still catching up makes no templates.
    blocks.extend(node.new_block().await.ok());
    if blocks.iter().any(|block| fees_for_anyone(block, dialect)) {
        found.push(
            "anyone can take the fees: the node's blocks pay them to a script that needs no key. Set con_mandatorycoinbase to one of the federation's, on all nodes of a new chain"
                .to_owned(),
        );
    }
    Ok(found)
}

/// Says it loudly in the log when coins or fees are for anyone to take, and when that is not known.
pub async fn warn_of_money(
    node: &dyn Node,
    dialect: Dialect,
    certificate: Option<&Certificate>,
    sweep: Option<&Sweep>,
) {
    match money_warnings(node, dialect, certificate, sweep).await {
        Ok(warnings) => {
            for warning in warnings {
                tracing::warn!("{warning}");
            }
        }
        Err(error) => {
            tracing::warn!(%error, "not known who can take coins and fees: the node does not tell");
        }
    }
}

/// Whether a genesis block pays something to a script that needs no key.
fn coins_for_anyone(block: &[u8], dialect: Dialect) -> bool {
    // A dynafed chain's genesis block has a header of the older form.
    let form = match dialect {
        Dialect::Ocean => Dialect::Ocean,
        Dialect::Elements | Dialect::Dynafed => Dialect::Elements,
    };
    pays_anyone(block, form, usize::MAX)
}

/// Whether a block's coinbase pays something to a script that needs no key.
fn fees_for_anyone(block: &[u8], dialect: Dialect) -> bool {
    pays_anyone(block, dialect, 1)
}

/// Whether one of a block's first transactions does.
fn pays_anyone(block: &[u8], dialect: Dialect, first: usize) -> bool {
    // What cannot be read tells nothing; whether it is a block is another's question.
    let Ok(block) = Block::decode(dialect, block.to_vec().into()) else {
        return false;
    };
    let mut found = false;
    let mut seen = 0;
    let read = block.each_transaction(|transaction| {
        seen += 1;
        found |= seen <= first
            && transaction.outputs().any(|output| {
                output.value.explicit().is_none_or(|value| value > 0)
                    && Holder::of(output.script_pubkey) == Holder::Anyone
            });
    });
    read.is_ok() && found
}
