//! Why a node's wallet could not issue: most often it has no coins, or the chain has none.

use bytes::Bytes;
use federation_chain::{Block, BlockHeight, Dialect};
use federation_cli::{CliError, with_causes};
use federation_ocean_rpc::{Node, NodeClient, RpcError};

/// `RPC_WALLET_NOT_FOUND`, and on older nodes `RPC_METHOD_NOT_FOUND`: no wallet is loaded.
const NO_WALLET: [i32; 2] = [-18, -32601];

/// Checks the coins of the wallet and the chain, and explains what to do.
pub(super) async fn nothing_issued(node: &NodeClient, error: &RpcError) -> CliError {
    let what = format!("nothing was issued: {}", with_causes(error));
    if let RpcError::Node { code, .. } = error
        && NO_WALLET.contains(code)
    {
        return CliError::failure(
            what,
            "load or create a wallet in the node (`loadwallet`, `createwallet`), or name one with --wallet",
        );
    }
    // Only a lack of coins needs explaining; the node's message covers everything else.
    match node.balances().await {
        Ok(balances) if balances.values().all(|amount| amount.to_sat() == 0) => {}
        _ => return CliError::failure(what, "see the node's log"),
    }
    let has_coins = match chain_has_coins(node).await {
        Ok(has_coins) => has_coins,
        Err(why) => {
            return CliError::failure(
                format!(
                    "{what}; the wallet holds no coins, and it is unknown whether the chain has any: {why}"
                ),
                "pay coins to the wallet, at an address from `getnewaddress`",
            );
        }
    };
    if !has_coins {
        return CliError::failure(
            format!(
                "{what}; the chain was created without coins (initialfreecoins), and an issuance needs some: it is attached to an input of a transaction, and pays a fee"
            ),
            "if the chain has a peg, peg coins in from the parent chain (`getpeginaddress`, `claimpegin`); otherwise create another chain with `initialfreecoins`, paid to where --coins-to of `federation init` or `multisig ceremony init` says",
        );
    }
    let address = match node.new_address().await {
        Ok(address) => address,
        Err(_) => "an address from `getnewaddress`".to_owned(),
    };
    CliError::failure(
        format!("{what}; the wallet holds no coins, and an issuance needs some"),
        format!(
            "ask someone with coins to pay some to {address}, and wait for a block. The genesis coins are where --coins-to of `federation init` or `multisig ceremony init` sent them: by default, M of the N owners of the block keys must sign to spend them"
        ),
    )
}

/// Whether the genesis block creates coins. Coins pegged in since are ignored: they would still have to
/// be paid to the wallet.
async fn chain_has_coins(node: &NodeClient) -> Result<bool, String> {
    let dialect = node.dialect().await.map_err(|error| with_causes(&error))?;
    let hash = node
        .block_hash(BlockHeight::GENESIS)
        .await
        .map_err(|error| with_causes(&error))?;
    let block = node
        .block(hash)
        .await
        .map_err(|error| with_causes(&error))?;
    makes_coins(dialect, block)
}

fn makes_coins(dialect: Dialect, block: Bytes) -> Result<bool, String> {
    // The genesis block of a dynafed chain has a header of the older format.
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
