//! Finds out whether anyone can take a chain's coins or fees without a key, as far as certificate
//! and node show.

use federation_ceremony::Certificate;
use federation_chain::{Block, BlockHeight, Dialect};
use federation_genesis::{Holder, Sweep, warnings};
use federation_ocean_rpc::{Node, RpcError};

/// Returns warnings about the chain's coins and fees: none if nobody can take any without a key.
///
/// With a certificate all settings are known. Without one, the genesis block shows the coins, and
/// the node's best and next blocks show the fees, if they have any: no node reports where fees must
/// go.
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
            "anyone can take coins of the genesis block unless they were taken already: the maker of block 1 can. federation.toml has no `sweep`"
                .to_owned(),
        );
    }
    let best = node.best_block_hash().await?;
    let mut blocks = vec![node.block(best).await?];
    // A node that is still catching up makes no templates.
    blocks.extend(node.new_block().await.ok());
    if blocks.iter().any(|block| fees_for_anyone(block, dialect)) {
        found.push(
            "anyone can take the fees: the node's blocks pay them to a script that needs no key. Set con_mandatorycoinbase to a script of the federation, on all nodes of a new chain"
                .to_owned(),
        );
    }
    Ok(found)
}

/// Logs a warning if anyone can take coins or fees, or if that cannot be found out.
pub async fn log_money_warnings(
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
            tracing::warn!(%error, "unknown whether anyone can take coins or fees: no answer from the node");
        }
    }
}

/// Whether a genesis block pays something to a script that needs no key.
fn coins_for_anyone(block: &[u8], dialect: Dialect) -> bool {
    // The genesis block of a dynafed chain has a header of the older form.
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

/// Whether one of a block's first transactions pays something to a script that needs no key.
fn pays_anyone(block: &[u8], dialect: Dialect, first: usize) -> bool {
    // An unreadable block shows nothing; whether it is valid is checked elsewhere.
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
