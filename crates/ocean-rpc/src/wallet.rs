//! Calls to the node's wallet. If a node has several wallets loaded, use [`NodeClient::wallet`].

use std::collections::BTreeMap;

use federation_chain::Dialect;
use serde_json::Value;

use crate::{Amount, Issuance, Node, NodeClient, Reissuance, Repeat, RpcError, params};

impl NodeClient {
    /// Returns the names of the loaded wallets (Elements).
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn wallets(&self) -> Result<Vec<String>, RpcError> {
        self.request("listwallets", params::NONE, Repeat::Safe)
            .await
    }

    /// Loads a wallet that is on the node's disk (Elements).
    ///
    /// # Errors
    /// If there is no such wallet ([`RpcError::WALLET_NOT_FOUND`]), or it is already loaded
    /// ([`RpcError::WALLET_ALREADY_LOADED`]).
    pub async fn load_wallet(&self, name: &str) -> Result<(), RpcError> {
        self.request::<Value>("loadwallet", (name,), Repeat::Never)
            .await
            .map(|_| ())
    }

    /// Creates a legacy wallet without a passphrase (Elements): the nodes' own block signing
    /// supports no other kind.
    ///
    /// # Errors
    /// If a wallet of this name exists.
    pub async fn create_wallet(&self, name: &str) -> Result<(), RpcError> {
        // With private keys, not blank, no passphrase, addresses reused, no descriptors.
        let params = (name, false, false, "", false, false);
        self.request::<Value>("createwallet", params, Repeat::Never)
            .await
            .map(|_| ())
    }

    /// Scans the whole chain for coins of the wallet (Elements). A wallet that is created after a
    /// block does not know the block's coins, such as the anyone-can-spend coins of the genesis
    /// block.
    ///
    /// # Errors
    /// If the node has no wallet loaded.
    pub async fn rescan(&self) -> Result<(), RpcError> {
        self.request::<Value>("rescanblockchain", params::NONE, Repeat::Safe)
            .await
            .map(|_| ())
    }

    /// Loads a wallet; if it does not exist, creates it and scans for its coins. On Ocean, the only
    /// wallet is always loaded.
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
                    // Not the wallet of a real node, so it may not need the scan.
                    Some(RpcError::METHOD_NOT_FOUND) => Ok(()),
                    _ => rescanned,
                }
            }
            Some(RpcError::WALLET_ALREADY_LOADED) => Ok(()),
            _ => loaded,
        }
    }

    /// Returns a new address of the wallet.
    ///
    /// # Errors
    /// If the node has no wallet loaded.
    pub async fn new_address(&self) -> Result<String, RpcError> {
        self.request("getnewaddress", params::NONE, Repeat::Never)
            .await
    }

    /// Returns the wallet's balance of every asset, by label or id.
    ///
    /// # Errors
    /// If the node has no wallet loaded.
    pub async fn balances(&self) -> Result<BTreeMap<String, Amount>, RpcError> {
        self.request("getbalance", params::NONE, Repeat::Safe).await
    }

    /// Sends an amount of an asset, given by id or label, to an address and returns the transaction
    /// id.
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

    /// Sends the wallet's whole balance of an asset. On Ocean, where the fee is paid in the asset
    /// itself, it is subtracted from the amount.
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
        // Two comments, and whether the amount pays the fee; on Elements also whether the fee may
        // be bumped, the confirmation target, the estimate mode, and whether to avoid reused
        // addresses.
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

    /// Reissues an asset, if the wallet holds its reissuance token.
    ///
    /// # Errors
    /// If it does not.
    pub async fn reissue_asset(&self, asset: &str, amount: Amount) -> Result<Reissuance, RpcError> {
        self.request("reissueasset", (asset, amount), Repeat::Never)
            .await
    }
}
