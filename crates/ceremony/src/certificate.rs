//! The certificate: a whole ceremony in one text, which anybody can check offline.

use serde::{Deserialize, Serialize};

use crate::{
    Ceremony, CeremonyError, Chain, Message, MessageError,
    message::{Raw, to_json},
};

/// The version of the format.
const VERSION: u32 = 1;

/// No certificate is longer, in bytes: 41 messages, the proposal the only long one.
pub const MAX_CERTIFICATE: usize = 2 * 1024 * 1024;

/// A text that certifies nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Too long.
    #[error("{0} bytes are no certificate: the longest has {MAX_CERTIFICATE}")]
    TooLong(usize),
    /// Not the format.
    #[error("it is no certificate: {0}")]
    Format(String),
    /// From another version of the program.
    #[error("it is of version {0}, this program knows version {VERSION}")]
    Version(u32),
    /// A message that is not its sender's.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The messages make no chain that all approve.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
}

/// A chain that all members have approved, with everything that proves it.
#[derive(Debug, Clone)]
pub struct Certificate {
    ceremony: Ceremony,
    chain: Chain,
}

#[derive(Serialize)]
struct Text<'a> {
    version: u32,
    messages: Vec<&'a Message>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawText {
    version: u32,
    messages: Vec<Raw>,
}

impl Certificate {
    /// The certificate of a ceremony that is complete.
    ///
    /// # Errors
    /// If it is not.
    pub fn new(ceremony: Ceremony) -> Result<Self, CeremonyError> {
        let chain = ceremony.agreed()?;
        Ok(Self { ceremony, chain })
    }

    /// Reads a certificate and checks all of it: signatures, proofs, chain, approvals.
    ///
    /// # Errors
    /// If anything is not as it should be.
    pub fn parse(text: &str) -> Result<Self, CertificateError> {
        if text.len() > MAX_CERTIFICATE {
            return Err(CertificateError::TooLong(text.len()));
        }
        let raw: RawText = serde_json::from_str(text)
            .map_err(|error| CertificateError::Format(error.to_string()))?;
        if raw.version != VERSION {
            return Err(CertificateError::Version(raw.version));
        }
        let mut messages = raw.messages.into_iter();
        let empty = || CertificateError::Format("it holds no messages".to_owned());
        let opening = Message::try_from(messages.next().ok_or_else(empty)?)?;
        let mut ceremony = Ceremony::new(opening)?;
        for message in messages {
            ceremony.add(message.try_into()?)?;
        }
        Ok(Self::new(ceremony)?)
    }

    /// The certificate as text, the same on every machine: JSON, one line feed at the end.
    #[must_use]
    pub fn to_text(&self) -> String {
        to_json(&Text {
            version: VERSION,
            messages: self.ceremony.messages().collect(),
        })
    }

    /// The ceremony that it is of.
    #[must_use]
    pub const fn ceremony(&self) -> &Ceremony {
        &self.ceremony
    }

    /// The chain that all have approved.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }
}
