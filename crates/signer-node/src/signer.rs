//! The signer.

use async_trait::async_trait;
use bytes::Bytes;
use federation_chain::{Block, BlockHash, Dialect, SigningRules};
use federation_ocean_rpc::{Method, NodeClient, RpcError};
use federation_signer::{Signer, SignerError};
use hex_conservative::DisplayHex;
use secp256k1::{PublicKey, ecdsa};
use serde_json::Value;

use crate::{WalletFault, answer::Answer, wallet};

/// A block key in the wallet of a node.
///
/// It signs whole blocks only: [`Signer::sign_full_block`].
#[derive(Debug, Clone)]
pub struct NodeWalletSigner {
    client: NodeClient,
    dialect: Dialect,
    /// The script that `signblock` requires with dynafed, in hex.
    witness_script: Option<String>,
    public_key: PublicKey,
}

impl NodeWalletSigner {
    /// Creates a signer with this key of the client's wallet, on a chain with these rules.
    ///
    /// The wallet is not contacted yet: see [`check_wallet`](Self::check_wallet).
    #[must_use]
    pub fn new(client: NodeClient, rules: &SigningRules, public_key: PublicKey) -> Self {
        let dialect = rules.dialect();
        Self {
            client,
            dialect,
            witness_script: (dialect == Dialect::Dynafed).then(|| rules.script().to_hex()),
            public_key,
        }
    }

    /// Checks that the wallet can sign blocks, has the key, and is not locked; signs nothing.
    /// Returns when it locks itself again, in seconds since 1970, if it has a passphrase.
    ///
    /// # Errors
    /// If the wallet cannot sign, or the node does not answer.
    pub async fn check_wallet(&self) -> Result<Option<u64>, WalletFault> {
        wallet::check(&self.client, self.dialect, self.public_key).await
    }
}

fn refused(reason: impl core::fmt::Display) -> SignerError {
    SignerError::Refused {
        reason: reason.to_string(),
    }
}

#[async_trait]
impl Signer for NodeWalletSigner {
    fn public_key(&self) -> PublicKey {
        self.public_key
    }

    async fn sign_block(&self, _: BlockHash) -> Result<ecdsa::Signature, SignerError> {
        Err(refused("a node's wallet signs whole blocks, not hashes"))
    }

    async fn sign_full_block(
        &self,
        hash: BlockHash,
        block: &[u8],
    ) -> Result<ecdsa::Signature, SignerError> {
        let found = Block::decode(self.dialect, Bytes::copy_from_slice(block))
            .map_err(refused)?
            .block_hash();
        if found != hash {
            return Err(refused(format!("the block's hash is {found}, not {hash}")));
        }
        let mut params = vec![Value::from(block.to_lower_hex_string())];
        params.extend(self.witness_script.clone().map(Value::from));
        // Called only once: after a failure the operator asks again, through the guard.
        let answer: Answer = match self.client.call(Method::SignBlock.as_str(), &params).await {
            Ok(answer) => answer,
            Err(error @ RpcError::Node { .. }) => return Err(refused(error)),
            Err(error) => return Err(SignerError::unavailable(error)),
        };
        answer
            .signature(self.dialect, hash, &self.public_key)
            .map_err(refused)
    }
}
