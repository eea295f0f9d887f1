//! Signed messages, as text and as the bytes that are signed.

use secp256k1::{Message as Signed, PublicKey, SECP256K1, XOnlyPublicKey, ecdsa, schnorr};
use serde::{Deserialize, Serialize};

use crate::{Body, Digest, KeyUse, Proposal};

/// The version of the format.
const VERSION: u32 = 1;

/// The maximum length of a message, in bytes of text.
pub const MAX_MESSAGE: usize = 1024 * 1024;

/// The error for a message that is malformed or not by its sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The message is too long.
    #[error("a message of {0} bytes is too long: the maximum is {MAX_MESSAGE}")]
    TooLong(usize),
    /// The text does not have the format of a message.
    #[error("malformed ceremony message: {0}")]
    Format(String),
    /// The format is of another version of the program.
    #[error(
        "message format version {0} is not supported: this program supports version {VERSION}, so use the same release as its sender"
    )]
    Version(u32),
    /// The signature is not by the claimed sender.
    #[error(
        "the signature on the {kind} is not by {sender}: the message was altered in transit or forged"
    )]
    Signature {
        /// The kind of message.
        kind: &'static str,
        /// The claimed sender.
        sender: XOnlyPublicKey,
    },
    /// The id is not that of the proposal.
    #[error("the proposal's id is {computed}, not {claimed}")]
    Id {
        /// The id in the message.
        claimed: Digest,
        /// The id computed from the proposal.
        computed: Digest,
    },
}

/// A message with a valid signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    version: u32,
    ceremony: Digest,
    sender: XOnlyPublicKey,
    body: Body,
    signature: schnorr::Signature,
}

/// A received message, not verified.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    version: u32,
    ceremony: Digest,
    sender: XOnlyPublicKey,
    body: Body,
    signature: schnorr::Signature,
}

impl TryFrom<Raw> for Message {
    type Error = MessageError;

    fn try_from(raw: Raw) -> Result<Self, MessageError> {
        if raw.version != VERSION {
            return Err(MessageError::Version(raw.version));
        }
        Self::new(raw.ceremony, raw.sender, raw.body, raw.signature)
    }
}

/// Computes the id of the ceremony that a proposal opens.
///
/// # Errors
/// If the proposal cannot be encoded.
pub fn ceremony_id(proposal: &Proposal) -> Result<Digest, MessageError> {
    let bytes = encode(proposal)?;
    Ok(Digest::tagged("federation/ceremony/id/1", &[&bytes]))
}

/// Computes the digest that a party's identity key signs (BIP 340) to send a message.
///
/// # Errors
/// If the message cannot be encoded.
pub fn message_digest(
    ceremony: Digest,
    sender: &XOnlyPublicKey,
    body: &Body,
) -> Result<Digest, MessageError> {
    let bytes = encode(body)?;
    Ok(Digest::tagged(
        "federation/ceremony/message/1",
        &[&ceremony.to_bytes(), &sender.serialize(), &bytes],
    ))
}

/// Computes the digest that a key signs (ECDSA) to prove that its owner holds it. The proof is valid
/// for one ceremony, one owner and one use.
#[must_use]
pub fn proof_digest(
    ceremony: Digest,
    owner: &XOnlyPublicKey,
    usage: KeyUse,
    key: &PublicKey,
) -> Digest {
    Digest::tagged(
        "federation/ceremony/possession/1",
        &[
            &ceremony.to_bytes(),
            &owner.serialize(),
            &key.serialize(),
            usage.as_str().as_bytes(),
        ],
    )
}

/// Verifies a proof of possession, in the canonical form (low S).
pub(crate) fn is_proven(digest: Digest, key: &PublicKey, proof: &ecdsa::Signature) -> bool {
    let message = Signed::from_digest(digest.to_bytes());
    SECP256K1.verify_ecdsa(&message, proof, key).is_ok()
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, MessageError> {
    postcard::to_allocvec(value).map_err(|error| MessageError::Format(error.to_string()))
}

impl Message {
    /// Creates a message and verifies its signature.
    ///
    /// # Errors
    /// If the signature is not by the sender, the ceremony is not that of the proposal in it, or the
    /// message is too long.
    pub fn new(
        ceremony: Digest,
        sender: XOnlyPublicKey,
        body: Body,
        signature: schnorr::Signature,
    ) -> Result<Self, MessageError> {
        let digest = message_digest(ceremony, &sender, &body)?;
        SECP256K1
            .verify_schnorr(&signature, &Signed::from_digest(digest.to_bytes()), &sender)
            .map_err(|_| MessageError::Signature {
                kind: body.kind(),
                sender,
            })?;
        if let Body::Proposal(proposal) = &body {
            let computed = ceremony_id(proposal)?;
            if computed != ceremony {
                return Err(MessageError::Id {
                    claimed: ceremony,
                    computed,
                });
            }
        }
        let message = Self {
            version: VERSION,
            ceremony,
            sender,
            body,
            signature,
        };
        let length = message.to_text().len();
        if length > MAX_MESSAGE {
            return Err(MessageError::TooLong(length));
        }
        Ok(message)
    }

    /// Parses a message and verifies its signature.
    ///
    /// # Errors
    /// If the text is malformed, or the message is not by its sender.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        if text.len() > MAX_MESSAGE {
            return Err(MessageError::TooLong(text.len()));
        }
        let raw: Raw =
            serde_json::from_str(text).map_err(|error| MessageError::Format(error.to_string()))?;
        raw.try_into()
    }

    /// The message as text: JSON, ending in a line feed.
    #[must_use]
    pub fn to_text(&self) -> String {
        to_json(self)
    }

    /// The ceremony that it belongs to.
    #[must_use]
    pub const fn ceremony(&self) -> Digest {
        self.ceremony
    }

    /// The sender's identity.
    #[must_use]
    pub const fn sender(&self) -> &XOnlyPublicKey {
        &self.sender
    }

    /// The content of the message.
    #[must_use]
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// The sender's signature.
    #[must_use]
    pub const fn signature(&self) -> &schnorr::Signature {
        &self.signature
    }
}

/// Formats JSON for people. This cannot fail: the types have no maps, and no numbers that JSON lacks.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
