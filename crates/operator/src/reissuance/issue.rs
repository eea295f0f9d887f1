//! Issues assets whose reissuance tokens belong to the federation.

use elements::AddressParams;
use federation_chain::{BlockHash, Dialect};
use federation_multisig::{Network, RedeemScript};
use federation_ocean_rpc::{Amount, Node, NodeClient, RpcError};
use federation_reissuance::TokenScript;
use serde::Serialize;

/// An asset that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssuedAsset {
    /// Its id.
    pub asset: String,
    /// Its reissuance token's id.
    pub token: String,
    /// The transaction that issued it to the node's wallet.
    pub issuance: String,
    /// The transaction that paid the tokens to the federation's script.
    pub tokens_paid: String,
}

/// Returns the addresses of the script that holds reissuance tokens, or none if the script is too
/// long for pay-to-script-hash. `chain` is the node's name of the chain, which determines the
/// address prefixes.
#[must_use]
pub fn token_addresses(
    tokens: &TokenScript,
    dialect: Dialect,
    genesis: BlockHash,
    chain: &str,
) -> Option<TokenAddresses> {
    if dialect == Dialect::Ocean {
        let network = Network::named(chain).unwrap_or(Network::OCEAN_TEST);
        let script = RedeemScript::new(tokens.multisig().clone()).ok()?;
        let address = script.p2sh(&network);
        return Some(TokenAddresses {
            coins: address.clone(),
            tokens: address,
        });
    }
    let params = match chain {
        "liquidv1" => &AddressParams::LIQUID,
        "liquidtestnet" => &AddressParams::LIQUID_TESTNET,
        _ => &AddressParams::ELEMENTS,
    };
    Some(TokenAddresses {
        tokens: tokens.confidential_address(genesis, params).to_string(),
        coins: tokens.explicit_address(params).to_string(),
    })
}

/// The addresses of a script that holds reissuance tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenAddresses {
    /// The address for tokens; on Elements it is confidential.
    pub tokens: String,
    /// The address for coins that pay fees. It is not confidential, because all operators must see
    /// the amounts.
    pub coins: String,
}

/// Issues an asset from the node's wallet, with an explicit amount, and pays all of its reissuance
/// tokens to an address of the federation's script. The issued amount stays in the wallet.
///
/// # Errors
/// If the node's wallet cannot issue the asset. If it was issued but its tokens were not paid to
/// the address, the error says so, and the wallet still holds both.
pub async fn issue(
    node: &NodeClient,
    address: &str,
    amount: Amount,
    tokens: Amount,
) -> Result<IssuedAsset, IssueError> {
    // Asked first, so that nothing is issued if the node does not answer.
    node.dialect().await?;
    let issued = node.issue_asset(amount, tokens).await?;
    let paid = node.send_whole_asset(address, tokens, &issued.token).await;
    match paid {
        Ok(tokens_paid) => Ok(IssuedAsset {
            asset: issued.asset,
            token: issued.token,
            issuance: issued.txid,
            tokens_paid,
        }),
        Err(source) => Err(IssueError::TokensLeft {
            asset: issued.asset,
            token: issued.token,
            source,
        }),
    }
}

/// Why an asset was not issued, or its tokens were not paid to the federation.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// Nothing was issued.
    #[error("nothing was issued: {0}")]
    Nothing(#[from] RpcError),
    /// The asset was issued, but its tokens are still in the wallet.
    #[error(
        "asset {asset} was issued, but its tokens {token} are still in the node's wallet: {source}; pay them to the federation's address with `sendtoaddress`"
    )]
    TokensLeft {
        /// The asset.
        asset: String,
        /// Its reissuance token.
        token: String,
        /// The node's error.
        source: RpcError,
    },
}
