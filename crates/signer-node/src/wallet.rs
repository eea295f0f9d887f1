//! Whether a node's wallet can sign blocks with a key, asked without signing anything.

use federation_chain::Dialect;
use federation_multisig::p2pkh_script;
use federation_ocean_rpc::{Method, NodeClient, Repeat, RpcError};
use hex_conservative::DisplayHex;
use secp256k1::PublicKey;
use serde::Deserialize;
use serde_json::Value;

/// What keeps a node's wallet from signing blocks with the operator's key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalletFault {
    /// The node does not say.
    #[error("the node's wallet cannot be asked: {0}")]
    Node(#[from] RpcError),
    /// A wallet of another kind than `signblock` knows.
    #[error(
        "the node's wallet has descriptors, and signblock signs with legacy wallets only: make one (createwallet NAME false false \"\" false false) and import the key into it (importprivkey)"
    )]
    Descriptors,
    /// A wallet without secret keys.
    #[error("the node's wallet has no secret keys: choose or make one that has")]
    NoSecretKeys,
    /// The key is another wallet's, or nobody's.
    #[error(
        "the node's wallet has not the block key {0}: import it (importprivkey), or choose the wallet that holds it"
    )]
    NotOurKey(Box<PublicKey>),
    /// The wallet knows the key's address, and has not its secret half.
    #[error(
        "the node's wallet only watches the block key {0}: import its secret half (importprivkey)"
    )]
    OnlyWatched(Box<PublicKey>),
    /// The wallet wants its pass phrase.
    #[error(
        "the node's wallet is locked: unlock it (walletpassphrase) for as long as the operator runs, and after each start of the node"
    )]
    Locked,
}

/// What `getwalletinfo` tells, as far as it counts here; families and versions tell less.
#[derive(Debug, Deserialize)]
struct WalletInfo {
    #[serde(default)]
    descriptors: bool,
    private_keys_enabled: Option<bool>,
    /// When it locks itself again, in seconds since 1970; missing without a pass phrase.
    unlocked_until: Option<u64>,
}

/// What `decodescript` tells: one address, or in older versions a list.
#[derive(Debug, Deserialize)]
struct Decoded {
    address: Option<String>,
    #[serde(default)]
    addresses: Vec<String>,
}

/// What `getaddressinfo`, or in Ocean `validateaddress`, tells.
#[derive(Debug, Deserialize)]
struct AddressInfo {
    #[serde(default)]
    ismine: bool,
    #[serde(default)]
    iswatchonly: bool,
}

/// Whether the wallet that the client reaches can sign with the key; when it locks itself again, in
/// seconds since 1970, if it has a pass phrase.
pub(crate) async fn check(
    client: &NodeClient,
    dialect: Dialect,
    key: PublicKey,
) -> Result<Option<u64>, WalletFault> {
    let info: WalletInfo = ask(client, Method::GetWalletInfo, &[]).await?;
    if info.descriptors {
        return Err(WalletFault::Descriptors);
    }
    if info.private_keys_enabled == Some(false) {
        return Err(WalletFault::NoSecretKeys);
    }
    // The node knows the prefixes of its chain's addresses.
    let script = p2pkh_script(&key).to_lower_hex_string();
    let decoded: Decoded = ask(client, Method::DecodeScript, &[script.into()]).await?;
    let address = decoded
        .address
        .or_else(|| decoded.addresses.first().cloned());
    let address = address.ok_or_else(|| RpcError::Unexpected {
        method: Method::DecodeScript.to_string(),
        reason: "no address of a key's hash".to_owned(),
    })?;
    let method = match dialect {
        Dialect::Ocean => Method::ValidateAddress,
        Dialect::Elements | Dialect::Dynafed => Method::GetAddressInfo,
    };
    let known: AddressInfo = ask(client, method, &[address.into()]).await?;
    match known {
        AddressInfo { ismine: true, .. } => {}
        AddressInfo {
            iswatchonly: true, ..
        } => return Err(WalletFault::OnlyWatched(Box::new(key))),
        _ => return Err(WalletFault::NotOurKey(Box::new(key))),
    }
    match info.unlocked_until {
        Some(0) => Err(WalletFault::Locked),
        until => Ok(until),
    }
}

async fn ask<T: serde::de::DeserializeOwned>(
    client: &NodeClient,
    method: Method,
    params: &[Value],
) -> Result<T, RpcError> {
    client
        .call_with(method.as_str(), params, Repeat::Safe)
        .await
}
