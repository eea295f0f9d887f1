//! The certificate: a whole ceremony in one text, which anybody can check offline.

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
    /// A true certificate, of something else.
    #[error("it certifies that {found} was agreed on, not {expected}: take that of this chain")]
    Other {
        /// What should have been agreed on.
        expected: Digest,
        /// What its parties have agreed on.
        found: Digest,
    },
}

/// A chain that all members have approved, with everything that proves it.
///
/// There is no value of this type that is not verified. What was agreed on has one hash,
/// [`Certificate::agreed_hash`]; the text has none that means anything: a party can sign the same
/// message again, and two texts then certify one agreement. Bind to the former.
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

    /// Reads a certificate, checks all of it as [`Certificate::parse`] does, offline, and that it is
    /// of what was agreed on under this hash.
    ///
    /// # Errors
    /// If anything is not as it should be, or it certifies something else.
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

    /// The hash of what was agreed on, which no signature changes: that of the manifest, which holds
    /// ceremony, genesis hash, every setting of the chain, threshold, interval and the whole roster.
    ///
    /// `manifest_hash` of [`Certificate::chain`] is the same; every approval names it.
    #[must_use]
    pub fn agreed_hash(&self) -> Digest {
        self.chain.manifest_hash()
    }

    /// The chain's name.
    #[must_use]
    pub fn chain_name(&self) -> &str {
        self.chain.settings().chain()
    }

    /// The form of the chain's blocks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.chain.dialect()
    }

    /// The hash of the chain's first block.
    #[must_use]
    pub const fn genesis_hash(&self) -> BlockHash {
        self.chain.genesis().hash()
    }

    /// M: how many sign a block.
    #[must_use]
    pub fn threshold(&self) -> u8 {
        self.script().threshold().to_u8()
    }

    /// The operators, N of them, in the order of the roster: names, keys, addresses.
    #[must_use]
    pub fn operators(&self) -> &[Party] {
        self.chain.parties()
    }

    /// The M-of-N script that signs blocks.
    #[must_use]
    pub const fn script(&self) -> &MultisigScript {
        self.chain.script()
    }

    /// The time from one block to the next.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.federation().interval()
    }

    /// The chain's limit on the size of a block's signatures, in bytes; on Ocean, which has none,
    /// what they need.
    #[must_use]
    pub const fn max_block_signature_size(&self) -> u32 {
        self.federation().rules().max_signature_size()
    }

    /// The federation, as its operators' `federation.toml` must have it. Its id leaves out where
    /// operators are reached, which may change later.
    #[must_use]
    pub const fn federation(&self) -> &Federation {
        self.chain.federation()
    }

    /// The transaction without which there is no block 1, if the genesis has coins that anyone could
    /// take; see [`Chain::sweep`].
    #[must_use]
    pub const fn sweep(&self) -> Option<&Sweep> {
        self.chain.sweep()
    }

    /// The lines of a node's configuration file that make the chain.
    #[must_use]
    pub fn node_settings(&self) -> String {
        self.chain.settings().to_conf()
    }

    /// The text of Ocean's terms and conditions, where the chain has them.
    #[must_use]
    pub fn terms(&self) -> Option<&str> {
        self.ceremony.proposal().terms.as_deref()
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
