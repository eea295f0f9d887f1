//! Block signers: our node's wallet, as in the old program, or a signer of this project.

use std::sync::Arc;

use async_trait::async_trait;
use federation_chain::{
    Block, Dialect, SigningRules, signature_of_signblock, signatures_of_script_sig,
};
use federation_ocean_rpc::NodeClient;
use federation_signer::Signer;
use hex_conservative::{DisplayHex, FromHex};
use secp256k1::ecdsa::Signature;
use serde_json::Value;

/// Why there is no signature, as text for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignFailure(String);

impl SignFailure {
    /// Creates a failure with its reason.
    #[must_use]
    pub fn new(reason: impl core::fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// Signs blocks. Only called by [`Operator`](crate::Operator), after the guard has admitted the block.
#[async_trait]
pub trait BlockSigner: Send + Sync + 'static {
    /// Signs an unsigned block; a node with several keys returns several signatures.
    ///
    /// # Errors
    /// If the key cannot be reached or signing is refused.
    async fn sign(&self, block: &Block) -> Result<Vec<Signature>, SignFailure>;
}

/// Signs with the node's wallet, through `signblock`.
#[derive(Debug, Clone)]
pub struct NodeSigner {
    client: NodeClient,
    /// The script that `signblock` needs on a dynafed chain.
    witness_script: Option<String>,
    dialect: Dialect,
}

impl NodeSigner {
    /// Creates a signer for this node's wallet, on a chain with these rules. On Elements, if several
    /// wallets are loaded, the client must be that of a legacy wallet.
    #[must_use]
    pub fn new(client: NodeClient, rules: &SigningRules) -> Self {
        Self {
            client,
            dialect: rules.dialect(),
            witness_script: (rules.dialect() == Dialect::Dynafed).then(|| rules.script().to_hex()),
        }
    }

    fn read(&self, answer: &Value) -> Result<Vec<Signature>, SignFailure> {
        match answer {
            Value::String(script_sig) => {
                let script_sig = Vec::from_hex(script_sig).map_err(SignFailure::new)?;
                signatures_of_script_sig(&script_sig).map_err(SignFailure::new)
            }
            Value::Array(entries) => entries
                .iter()
                .map(|entry| {
                    let sig = entry["sig"].as_str().unwrap_or_default();
                    let sig = Vec::from_hex(sig).map_err(SignFailure::new)?;
                    signature_of_signblock(self.dialect, &sig).map_err(SignFailure::new)
                })
                .collect(),
            _ => Err(SignFailure::new("signblock returned no signatures")),
        }
    }
}

#[async_trait]
impl BlockSigner for NodeSigner {
    async fn sign(&self, block: &Block) -> Result<Vec<Signature>, SignFailure> {
        let mut params = vec![Value::from(block.as_bytes().to_lower_hex_string())];
        params.extend(self.witness_script.clone().map(Value::from));
        let answer: Value = self
            .client
            .call("signblock", &params)
            .await
            .map_err(SignFailure::new)?;
        self.read(&answer)
    }
}

/// Signs with a signer of this project: a key file, a module or a service.
#[derive(Clone)]
pub struct KeySigner {
    signer: Arc<dyn Signer>,
}

impl KeySigner {
    /// Creates a signer for this key.
    #[must_use]
    pub const fn new(signer: Arc<dyn Signer>) -> Self {
        Self { signer }
    }
}

impl core::fmt::Debug for KeySigner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("KeySigner")
            .field(&self.signer.public_key())
            .finish()
    }
}

#[async_trait]
impl BlockSigner for KeySigner {
    async fn sign(&self, block: &Block) -> Result<Vec<Signature>, SignFailure> {
        let (hash, bytes) = (block.block_hash(), block.as_bytes());
        match self.signer.sign_full_block(hash, bytes).await {
            Ok(signature) => Ok(vec![signature]),
            Err(error) => Err(SignFailure::new(error)),
        }
    }
}
