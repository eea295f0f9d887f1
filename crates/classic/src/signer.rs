//! Who signs: the own node's wallet, as the old program has it, or a signer of this project.

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

/// Why there is no signature, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignFailure(String);

impl SignFailure {
    /// A failure with its reason.
    #[must_use]
    pub fn new(reason: impl core::fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// Signs blocks. Only [`Operator`](crate::Operator) asks, after the guard has let the block pass.
#[async_trait]
pub trait BlockSigner: Send + Sync + 'static {
    /// Signs an unsigned block; a node with several keys gives several signatures.
    ///
    /// # Errors
    /// If the key cannot be reached or its keeper refuses.
    async fn sign(&self, block: &Block) -> Result<Vec<Signature>, SignFailure>;
}

/// The node's wallet, by `signblock`.
#[derive(Debug, Clone)]
pub struct NodeSigner {
    client: NodeClient,
    /// The script that dynafed's `signblock` wants to be told.
    witness_script: Option<String>,
    dialect: Dialect,
}

impl NodeSigner {
    /// The wallet of this node, on a chain of these rules. On Elements the client has to be that of
    /// a legacy wallet if several are loaded.
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
            _ => Err(SignFailure::new("signblock gave no signatures")),
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

/// A signer of this project's own kinds: a key file, a module, a service.
#[derive(Clone)]
pub struct KeySigner {
    signer: Arc<dyn Signer>,
}

impl KeySigner {
    /// Signs with this key.
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
