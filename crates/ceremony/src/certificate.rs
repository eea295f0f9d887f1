//! The certificate: a complete ceremony in one text, which anybody can verify offline.

use core::time::Duration;

use federation_chain::{BlockHash, Dialect};
use federation_genesis::Sweep;
use federation_multisig::MultisigScript;
use federation_roster::Federation;
use serde::{Deserialize, Serialize};

use crate::{
    Ceremony, CeremonyError, Chain, Digest, Message, MessageError, Party,
    message::{Raw, to_json},
};

/// The version of the format.
const VERSION: u32 = 1;

/// The maximum length of a certificate, in bytes: 41 messages, of which only the proposal is long.
pub const MAX_CERTIFICATE: usize = 2 * 1024 * 1024;

/// The error for an invalid certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The text is too long.
    #[error("a certificate of {0} bytes is too long: the maximum is {MAX_CERTIFICATE}")]
    TooLong(usize),
    /// The text does not have the format of a certificate.
    #[error("malformed certificate: {0}")]
    Format(String),
    /// The format is of another version of the program.
    #[error(
        "certificate format version {0} is not supported: this program supports version {VERSION}"
    )]
    Version(u32),
    /// A message is invalid.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The messages do not result in a chain that all approve.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// The certificate is valid, but for something else.
    #[error(
        "the certificate is for the agreement {found}, not {expected}: use the certificate of this chain"
    )]
    Other {
        /// The expected hash.
        expected: Digest,
        /// The hash of what it certifies.
        found: Digest,
    },
}

/// A chain that all members have approved, with everything that proves it.
///
/// Every value of this type has been verified. What was agreed on is identified by
/// [`Certificate::agreed_hash`]. A hash of the text identifies nothing: a party can sign the same
/// message again, and the result is another text for the same agreement.
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
    /// Creates the certificate of a complete ceremony.
    ///
    /// # Errors
    /// If the ceremony is not complete.
    pub fn new(ceremony: Ceremony) -> Result<Self, CeremonyError> {
        let chain = ceremony.agreed()?;
        Ok(Self { ceremony, chain })
    }

    /// Parses a certificate and verifies all of it: signatures, proofs, chain, approvals.
    ///
    /// # Errors
    /// If anything in it is invalid.
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
        let empty = || CertificateError::Format("it contains no messages".to_owned());
        let opening = Message::try_from(messages.next().ok_or_else(empty)?)?;
        let mut ceremony = Ceremony::new(opening)?;
        for message in messages {
            ceremony.add(message.try_into()?)?;
        }
        Ok(Self::new(ceremony)?)
    }

    /// Parses and verifies a certificate like [`Certificate::parse`], and checks that it is for the
    /// agreement with this hash.
    ///
    /// # Errors
    /// If anything in it is invalid, or it certifies something else.
    pub fn verify(text: &str, agreed: Digest) -> Result<Self, CertificateError> {
        let certificate = Self::parse(text)?;
        let found = certificate.agreed_hash();
        if found == agreed {
            Ok(certificate)
        } else {
            Err(CertificateError::Other {
                expected: agreed,
                found,
            })
        }
    }

    /// The hash of what was agreed on, independent of the signatures: the hash of the manifest, which
    /// holds the ceremony's id, the genesis hash, every setting of the chain, the threshold, the
    /// interval and the whole roster.
    ///
    /// It equals `manifest_hash` of [`Certificate::chain`] and is named in every approval.
    #[must_use]
    pub fn agreed_hash(&self) -> Digest {
        self.chain.manifest_hash()
    }

    /// The name of the chain.
    #[must_use]
    pub fn chain_name(&self) -> &str {
        self.chain.settings().chain()
    }

    /// The format of the chain's blocks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.chain.dialect()
    }

    /// The hash of the genesis block.
    #[must_use]
    pub const fn genesis_hash(&self) -> BlockHash {
        self.chain.genesis().hash()
    }

    /// M: the number of signatures that a block needs.
    #[must_use]
    pub fn threshold(&self) -> u8 {
        self.script().threshold().to_u8()
    }

    /// The N operators in the order of the roster: names, keys, addresses.
    #[must_use]
    pub fn operators(&self) -> &[Party] {
        self.chain.parties()
    }

    /// The M-of-N script that signs blocks.
    #[must_use]
    pub const fn script(&self) -> &MultisigScript {
        self.chain.script()
    }

    /// The block interval.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.federation().interval()
    }

    /// The maximum size of a block's signatures, in bytes; on Ocean, which has no limit, the size that
    /// they need.
    #[must_use]
    pub const fn max_block_signature_size(&self) -> u32 {
        self.federation().rules().max_signature_size()
    }

    /// The federation, as it must be in its operators' `federation.toml`. Its id does not cover the
    /// operators' endpoints, which may change later.
    #[must_use]
    pub const fn federation(&self) -> &Federation {
        self.chain.federation()
    }

    /// The transaction that block 1 must include if the genesis block has coins that anyone could
    /// take; see [`Chain::sweep`].
    #[must_use]
    pub const fn sweep(&self) -> Option<&Sweep> {
        self.chain.sweep()
    }

    /// The lines of a node's configuration file that define the chain.
    #[must_use]
    pub fn node_settings(&self) -> String {
        self.chain.settings().to_conf()
    }

    /// The text of Ocean's terms and conditions, if the chain has them.
    #[must_use]
    pub fn terms(&self) -> Option<&str> {
        self.ceremony.proposal().terms.as_deref()
    }

    /// The certificate as text, the same on every machine: JSON, ending in a line feed.
    #[must_use]
    pub fn to_text(&self) -> String {
        to_json(&Text {
            version: VERSION,
            messages: self.ceremony.messages().collect(),
        })
    }

    /// The ceremony that it certifies.
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
