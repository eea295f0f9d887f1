//! Checking whether a node's wallet can sign blocks with a key, without signing anything.

use federation_chain::Dialect;
use federation_multisig::p2pkh_script;
use federation_ocean_rpc::{Method, NodeClient, Repeat, RpcError};
use hex_conservative::DisplayHex;
use secp256k1::PublicKey;
use serde::Deserialize;
use serde_json::Value;

/// Why a node's wallet cannot sign blocks with the operator's key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalletFault {
    /// The node did not answer.
    #[error("the node's wallet cannot be queried: {0}")]
    Node(#[from] RpcError),
    /// The wallet is of a kind that `signblock` does not support.
    #[error(
        "the node's wallet has descriptors, but signblock supports legacy wallets only: create one (createwallet NAME false false \"\" false false) and import the key into it (importprivkey)"
    )]
    Descriptors,
    /// The wallet has no private keys.
    #[error("the node's wallet has no secret keys: choose or create one that has")]
    NoSecretKeys,
    /// The wallet does not have the key.
    #[error(
        "the node's wallet does not have the block key {0}: import it (importprivkey), or choose the wallet that holds it"
    )]
    NotOurKey(Box<PublicKey>),
    /// The wallet knows the key's address, but not its private key.
    #[error(
        "the node's wallet only watches the block key {0}: import the secret key (importprivkey)"
    )]
    OnlyWatched(Box<PublicKey>),
    /// The wallet is locked.
    #[error(
        "the node's wallet is locked: unlock it (walletpassphrase) for as long as the operator runs, and after each start of the node"
    )]
    Locked,
}

/// The fields of `getwalletinfo` used here; some families and versions lack some of them.
#[derive(Debug, Deserialize)]
struct WalletInfo {
    #[serde(default)]
    descriptors: bool,
    private_keys_enabled: Option<bool>,
    /// When it locks itself again, in seconds since 1970; absent without a passphrase.
    unlocked_until: Option<u64>,
}

/// The result of `decodescript`: one address, or a list in older versions.
#[derive(Debug, Deserialize)]
struct Decoded {
    address: Option<String>,
    #[serde(default)]
    addresses: Vec<String>,
}

/// The result of `getaddressinfo`, or of `validateaddress` on Ocean.
#[derive(Debug, Deserialize)]
struct AddressInfo {
    #[serde(default)]
    ismine: bool,
    #[serde(default)]
    iswatchonly: bool,
}

/// Checks whether the client's wallet can sign with the key. Returns when it locks itself again, in
/// seconds since 1970, if it has a passphrase.
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
        reason: "no address for a key's hash".to_owned(),
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
