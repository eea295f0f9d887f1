//! Saying something to the other operators, signed.

use std::sync::Arc;

use bytes::Bytes;
use federation_block_signing::MessageParts;
use federation_messenger::Messenger;
use federation_roster::{Federation, OperatorId};
use federation_signer::{IdentitySigner, SignerError};

use super::ingress::envelope_of;

/// Speaks for one operator.
#[derive(Clone)]
pub(crate) struct Speaker {
    pub(crate) federation: Arc<Federation>,
    pub(crate) me: OperatorId,
    pub(crate) identity: Arc<dyn IdentitySigner>,
    pub(crate) messenger: Arc<dyn Messenger>,
}

impl Speaker {
    /// Signs what is to be said and sends it to all. That it was not sent is logged and no error:
    /// who says something says it again.
    pub(crate) async fn say(&self, parts: &MessageParts) -> Result<[u8; 64], SignerError> {
        let (frame, signature) = self.sign(parts).await?;
        if let Err(error) = self.messenger.broadcast(frame).await {
            tracing::warn!(%error, "a message was not sent");
        }
        Ok(signature)
    }

    /// Signs what is to be said to one operator, and sends it there. As with [`Self::say`], that it
    /// was not sent is no error.
    pub(crate) async fn say_to(
        &self,
        to: OperatorId,
        parts: &MessageParts,
    ) -> Result<[u8; 64], SignerError> {
        let (frame, signature) = self.sign(parts).await?;
        if let Err(error) = self.messenger.send_to(to, frame).await {
            tracing::warn!(%error, "a message was not sent");
        }
        Ok(signature)
    }

    async fn sign(&self, parts: &MessageParts) -> Result<(Bytes, [u8; 64]), SignerError> {
        let unsigned = envelope_of(&self.federation, self.me, parts);
        let signature = self
            .identity
            .sign_envelope(unsigned.signing_digest())
            .await?;
        let frame = unsigned.with_signature(signature).encode();
        Ok((frame, signature))
    }
}
