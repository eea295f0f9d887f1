//! Calls to the node's wallet. A node with several wallets loaded wants to be asked through
//! [`NodeClient::wallet`].

use std::collections::BTreeMap;

use federation_chain::Dialect;
use serde_json::Value;

use crate::{Amount, Issuance, Node, NodeClient, Reissuance, Repeat, RpcError, params};

impl NodeClient {
    /// The names of the loaded wallets (Elements).
    ///
    /// # Errors
    /// If the node gives no answer.
    pub async fn wallets(&self) -> Result<Vec<String>, RpcError> {
        self.request("listwallets", params::NONE, Repeat::Safe)
            .await
    }

    /// Loads a wallet that is on the node's disk (Elements).
    ///
    /// # Errors
    /// If there is none ([`RpcError::WALLET_NOT_FOUND`]), or it is loaded already
    /// ([`RpcError::WALLET_ALREADY_LOADED`]).
    pub async fn load_wallet(&self, name: &str) -> Result<(), RpcError> {
        self.request::<Value>("loadwallet", (name,), Repeat::Never)
            .await
            .map(|_| ())
    }

    /// Makes a legacy wallet without a passphrase (Elements): the nodes' own block signing knows no
    /// other kind.
    ///
    /// # Errors
    /// If there is one of this name.
    pub async fn create_wallet(&self, name: &str) -> Result<(), RpcError> {
        // With private keys, not blank, no passphrase, addresses used again, no descriptors.
        let params = (name, false, false, "", false, false);
        self.request::<Value>("createwallet", params, Repeat::Never)
            .await
            .map(|_| ())
    }

    /// Looks through the whole chain for coins of the wallet (Elements). A wallet that is made later
    /// than a block does not know the block's coins, such as those for anyone at the genesis.
    ///
    /// # Errors
    /// If the node has no wallet loaded.
    pub async fn rescan(&self) -> Result<(), RpcError> {
        self.request::<Value>("rescanblockchain", params::NONE, Repeat::Safe)
            .await
            .map(|_| ())
    }

    /// Loads a wallet, or makes it if there is none and looks for its coins. Ocean has its one
    /// wallet always.
    ///
    /// # Errors
    /// If the node can do neither.
    pub async fn ensure_wallet(&self, name: &str) -> Result<(), RpcError> {
        if self.dialect().await? == Dialect::Ocean {
            return Ok(());
        }
        if self.wallets().await?.iter().any(|loaded| loaded == name) {
            return Ok(());
        }
        let loaded = self.load_wallet(name).await;
        match loaded.as_ref().err().and_then(RpcError::code) {
            Some(RpcError::WALLET_NOT_FOUND) => {
                self.create_wallet(name).await?;
                let rescanned = self.wallet(name)?.rescan().await;
                match rescanned.as_ref().err().and_then(RpcError::code) {
                    // Not a node's wallet, so it may not need this.
                    Some(RpcError::METHOD_NOT_FOUND) => Ok(()),
                    _ => rescanned,
                }
            }
            Some(RpcError::WALLET_ALREADY_LOADED) => Ok(()),
            _ => loaded,
        }
    }

    /// A new address of the wallet.
    ///
    /// # Errors
    /// If the node has no wallet loaded.
    pub async fn new_address(&self) -> Result<String, RpcError> {
        self.request("getnewaddress", params::NONE, Repeat::Never)
            .await
    }

    /// The wallet's balance of every asset, by label or id.
    ///
    /// # Errors
    /// If the node has no wallet loaded.
    pub async fn balances(&self) -> Result<BTreeMap<String, Amount>, RpcError> {
        self.request("getbalance", params::NONE, Repeat::Safe).await
    }

    /// Sends an amount of an asset, by id or label, to an address and gives the transaction's id.
    ///
    /// # Errors
    /// If the wallet cannot pay it.
    pub async fn send_asset(
        &self,
        address: &str,
        amount: Amount,
        asset: &str,
    ) -> Result<String, RpcError> {
        self.send(address, amount, asset, false).await
    }

    /// Sends all that the wallet has of an asset. On Ocean, where the fee is paid in the asset itself,
    /// it is taken out of the amount.
    ///
    /// # Errors
    /// If the wallet cannot pay it.
    pub async fn send_whole_asset(
        &self,
        address: &str,
        amount: Amount,
        asset: &str,
    ) -> Result<String, RpcError> {
        let fee_from_amount = self.dialect().await? == Dialect::Ocean;
        self.send(address, amount, asset, fee_from_amount).await
    }

    async fn send(
        &self,
        address: &str,
        amount: Amount,
        asset: &str,
        fee_from_amount: bool,
    ) -> Result<String, RpcError> {
        // Two comments and whether the amount pays the fee; in Elements then whether the fee may be
        // raised, the blocks to wait, how to estimate, and whether to avoid addresses used before.
        match self.dialect().await? {
            Dialect::Ocean => {
                let params = (address, amount, "", "", fee_from_amount, asset);
                self.request("sendtoaddress", params, Repeat::Never).await
            }
            Dialect::Elements | Dialect::Dynafed => {
                let (estimate, blocks) = ("unset", 1);
                let params = (
                    address,
                    amount,
                    "",
                    "",
                    fee_from_amount,
                    false,
                    blocks,
                    estimate,
                    false,
                    asset,
                );
                self.request("sendtoaddress", params, Repeat::Never).await
            }
        }
    }

    /// Issues an asset and its reissuance tokens, unblinded, to the wallet.
    ///
    /// # Errors
    /// If the wallet cannot pay for it.
    pub async fn issue_asset(&self, amount: Amount, tokens: Amount) -> Result<Issuance, RpcError> {
        self.request("issueasset", (amount, tokens, false), Repeat::Never)
            .await
    }

    /// Makes more of an asset, if the wallet holds its reissuance token.
    ///
    /// # Errors
    /// If it does not.
    pub async fn reissue_asset(&self, asset: &str, amount: Amount) -> Result<Reissuance, RpcError> {
        self.request("reissueasset", (asset, amount), Repeat::Never)
            .await
    }
}
