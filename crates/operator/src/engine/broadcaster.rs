//! Signs messages and sends them to the other operators.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use federation_block_signing::{MessageParts, Part};
use federation_messenger::{Messenger, MessengerError};
use federation_roster::{Federation, OperatorId};
use federation_signer::{IdentitySigner, SignerError};
use secp256k1::{Message, SECP256K1, schnorr};

use super::{duties::Fault, ingress::envelope_of, jobs::with_causes};
use crate::calls::{CallError, Calls};

/// The pause before a second attempt at a key that could not be reached.
const RETRY: Duration = Duration::from_millis(100);

/// Why a message was not sent. The caller sends it again later.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum BroadcastError {
    #[error("the identity key did not sign: {}", with_causes(.0))]
    Key(SignerError),
    #[error(
        "the identity key's signature does not verify: another key signed, or the signature was damaged on the way"
    )]
    Forged,
    #[error("the messenger did not accept the message: {0}")]
    Messenger(MessengerError),
    #[error(transparent)]
    Call(#[from] CallError),
}

impl BroadcastError {
    /// What the error means for the operator's duties.
    pub(super) fn fault(&self) -> Fault {
        let may_pass = matches!(
            self,
            Self::Key(SignerError::Unavailable(_)) | Self::Messenger(_) | Self::Call(_)
        );
        if may_pass {
            Fault::passing(self)
        } else {
            Fault::refusal(self)
        }
    }
}

/// Signs and sends for one operator.
#[derive(Clone)]
pub(crate) struct Broadcaster {
    pub(crate) federation: Arc<Federation>,
    pub(crate) me: OperatorId,
    pub(crate) identity: Arc<dyn IdentitySigner>,
    pub(crate) messenger: Arc<dyn Messenger>,
    pub(crate) calls: Arc<Calls>,
}

impl Broadcaster {
    /// Signs a message and broadcasts it.
    pub(crate) async fn broadcast(&self, parts: &MessageParts) -> Result<(), BroadcastError> {
        let unsigned = envelope_of(&self.federation, self.me, parts);
        let signature = self.sign(unsigned.signing_digest()).await?;
        self.send(None, unsigned.with_signature(signature).encode())
            .await
    }

    /// Returns the identity key's signature, verified.
    pub(crate) async fn sign(&self, digest: [u8; 32]) -> Result<[u8; 64], BroadcastError> {
        let signature = match self.request_signature(digest).await {
            Err(BroadcastError::Key(SignerError::Unavailable(_))) => {
                tokio::time::sleep(RETRY).await;
                self.request_signature(digest).await?
            }
            other => other?,
        };
        // A vote with a bad signature would invalidate every certificate that contains it.
        let verifies = self.federation.member(self.me).is_some_and(|own| {
            schnorr::Signature::from_slice(&signature)
                .and_then(|signature| {
                    let message = Message::from_digest(digest);
                    SECP256K1.verify_schnorr(&signature, &message, &own.identity)
                })
                .is_ok()
        });
        if verifies {
            Ok(signature)
        } else {
            Err(BroadcastError::Forged)
        }
    }

    async fn request_signature(&self, digest: [u8; 32]) -> Result<[u8; 64], BroadcastError> {
        let identity = self.identity.clone();
        if identity.signs_at_once() {
            return identity
                .sign_envelope(digest)
                .await
                .map_err(BroadcastError::Key);
        }
        let call = async move { identity.sign_envelope(digest).await };
        let answer = self.calls.run(Part::IdentityKey, call).await?;
        answer.map_err(BroadcastError::Key)
    }

    /// Hands a frame to the messenger, for one operator or for all of them.
    pub(crate) async fn send(
        &self,
        to: Option<OperatorId>,
        frame: Bytes,
    ) -> Result<(), BroadcastError> {
        let messenger = self.messenger.clone();
        let call = async move {
            match to {
                Some(to) => messenger.send_to(to, frame).await,
                None => messenger.broadcast(frame).await,
            }
        };
        let sent = self.calls.run(Part::Messenger, call).await?;
        sent.map_err(BroadcastError::Messenger)
    }
}
