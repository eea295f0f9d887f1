//! A signed message, as text and as the bytes that are signed.

use secp256k1::{Message as Signed, PublicKey, SECP256K1, XOnlyPublicKey, ecdsa, schnorr};
use serde::{Deserialize, Serialize};

use crate::{Body, Digest, KeyUse, Proposal};

/// The version of the format.
const VERSION: u32 = 1;

/// No message is longer, in bytes of text.
pub const MAX_MESSAGE: usize = 1024 * 1024;

/// A message that is none, or is not its sender's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Far more than any party has to say.
    #[error("{0} bytes are no message: the longest has {MAX_MESSAGE}")]
    TooLong(usize),
    /// Not the format.
    #[error("it is no message of a ceremony: {0}")]
    Format(String),
    /// From another version of the program.
    #[error("it is of version {0}, this program knows version {VERSION}: use the same version")]
    Version(u32),
    /// Not signed by who it says.
    #[error("the signature on the {kind} is not by {sender}: it was changed on the way, or forged")]
    Signature {
        /// The message's kind.
        kind: &'static str,
        /// Whose it says it is.
        sender: XOnlyPublicKey,
    },
    /// A proposal under another ceremony's id.
    #[error("the proposal's id is {computed}, not {said}")]
    Id {
        /// What it says.
        said: Digest,
        /// What it is.
        computed: Digest,
    },
}

/// A message with a true signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    version: u32,
    ceremony: Digest,
    sender: XOnlyPublicKey,
    body: Body,
    signature: schnorr::Signature,
}

/// A message as it comes, not checked.
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

/// The id of the ceremony that a proposal begins.
///
/// # Errors
/// If the proposal cannot be encoded.
pub fn ceremony_id(proposal: &Proposal) -> Result<Digest, MessageError> {
    let bytes = encode(proposal)?;
    Ok(Digest::tagged("federation/ceremony/id/1", &[&bytes]))
}

/// What a party's identity key signs (BIP 340) to send a message.
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

/// What a key signs (ECDSA) to prove that its owner holds it. The proof is good for one ceremony,
/// one owner and one use.
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

/// Whether a key has signed its proof, in the one form that signers make (low S).
pub(crate) fn is_proven(digest: Digest, key: &PublicKey, proof: &ecdsa::Signature) -> bool {
    let message = Signed::from_digest(digest.to_bytes());
    SECP256K1.verify_ecdsa(&message, proof, key).is_ok()
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, MessageError> {
    postcard::to_allocvec(value).map_err(|error| MessageError::Format(error.to_string()))
}

impl Message {
    /// A message of a sender, whose signature is checked.
    ///
    /// # Errors
    /// If the signature is not the sender's, a proposal's id is another, or it is too long to be
    /// read again.
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
                    said: ceremony,
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

    /// Reads a message and checks its signature.
    ///
    /// # Errors
    /// If the text is no message, or is not its sender's.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        if text.len() > MAX_MESSAGE {
            return Err(MessageError::TooLong(text.len()));
        }
        let raw: Raw =
            serde_json::from_str(text).map_err(|error| MessageError::Format(error.to_string()))?;
        raw.try_into()
    }

    /// The message as text: JSON, one line feed at the end.
    #[must_use]
    pub fn to_text(&self) -> String {
        to_json(self)
    }

    /// The ceremony that it belongs to.
    #[must_use]
    pub const fn ceremony(&self) -> Digest {
        self.ceremony
    }

    /// Who said it.
    #[must_use]
    pub const fn sender(&self) -> &XOnlyPublicKey {
        &self.sender
    }

    /// What it says.
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

/// JSON for people. The types have no maps and no numbers that JSON lacks, so nothing can fail.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
