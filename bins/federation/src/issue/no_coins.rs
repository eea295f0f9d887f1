//! Why a node's wallet has issued nothing: most often it has no coins, or the chain has none.

use bytes::Bytes;
use federation_chain::{Block, BlockHeight, Dialect};
use federation_cli::CliError;
use federation_ocean_rpc::{Node, NodeClient, RpcError};

use crate::run::with_causes;

/// `RPC_WALLET_NOT_FOUND`, and on older nodes `RPC_METHOD_NOT_FOUND`: no wallet is loaded.
const NO_WALLET: [i32; 2] = [-18, -32601];

/// Looks at what the wallet and the chain have, and says what is to be done.
pub(super) async fn nothing_issued(node: &NodeClient, error: &RpcError) -> CliError {
    let what = format!("nothing was issued: {}", with_causes(error));
    if let RpcError::Node { code, .. } = error
        && NO_WALLET.contains(code)
    {
        return CliError::failure(
            what,
            "have the node load or make a wallet (`loadwallet`, `createwallet`), or name one with --wallet",
        );
    }
    // Only a wallet without coins is explained; anything else the node has said itself.
    match node.balances().await {
        Ok(balances) if balances.values().all(|amount| amount.to_sat() == 0) => {}
        _ => return CliError::failure(what, "see the node's log"),
    }
    let has_coins = match chain_has_coins(node).await {
        Ok(has_coins) => has_coins,
        Err(why) => {
            return CliError::failure(
                format!(
                    "{what}; the wallet holds no coins, and whether the chain has any is not known: {why}"
                ),
                "pay coins to the wallet, at an address of `getnewaddress`",
            );
        }
    };
    if !has_coins {
        return CliError::failure(
            format!(
                "{what}; the chain was made without coins (initialfreecoins), and an issuance needs some: it is an input of a transaction, and pays a fee"
            ),
            "bring coins in from the parent chain (`getpeginaddress`, `claimpegin`) where there is a peg; else begin another chain with `initialfreecoins`, of which --coins-to of `federation init` or `multisig ceremony init` says where they go",
        );
    }
    let address = match node.new_address().await {
        Ok(address) => address,
        Err(_) => "an address of `getnewaddress`".to_owned(),
    };
    CliError::failure(
        format!("{what}; the wallet holds no coins, and an issuance needs some"),
        format!(
            "have who holds coins pay some to {address}, and wait for a block. The coins of the genesis are where --coins-to of `federation init` or `multisig ceremony init` has said: by default M of N of the block keys' owners must sign to pay them out"
        ),
    )
}

/// Whether the genesis block makes coins. What was pegged in since is not asked: the wallet would
/// still have to be paid.
async fn chain_has_coins(node: &NodeClient) -> Result<bool, String> {
    let of = |error: &dyn core::error::Error| with_causes(error);
    let dialect = node.dialect().await.map_err(|error| of(&error))?;
    let hash = node
        .block_hash(BlockHeight::GENESIS)
        .await
        .map_err(|error| of(&error))?;
    let block = node.block(hash).await.map_err(|error| of(&error))?;
    makes_coins(dialect, block)
}

fn makes_coins(dialect: Dialect, block: Bytes) -> Result<bool, String> {
    // A dynafed chain's genesis block has a header of the older form.
    let form = match dialect {
        Dialect::Dynafed => Dialect::Elements,
        other => other,
    };
    let block = Block::decode(form, block).map_err(|error| error.to_string())?;
    let mut found = false;
    block
        .each_transaction(|transaction| {
            found |= transaction
                .outputs()
                .any(|output| output.value.explicit().is_some_and(|value| value > 0));
        })
        .map_err(|error| error.to_string())?;
    Ok(found)
}
